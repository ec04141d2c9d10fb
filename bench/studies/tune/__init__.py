"""Tune one head on one half of the groups, and tell on the other half what it was worth."""
