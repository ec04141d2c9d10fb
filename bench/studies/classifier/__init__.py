"""A classifier to take home: which encoder and head, what is promised of new slides, a folder, and its answers."""
