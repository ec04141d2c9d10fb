"""Whom to cite for a run: the program, its encoders, its heads and its data, as BibTeX, CFF or plain text."""
