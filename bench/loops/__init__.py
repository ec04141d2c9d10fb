"""Loops that are compiled, and products in them."""
