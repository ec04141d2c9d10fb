"""Drawings of pictures, one file each: plain data in, a matplotlib figure out."""
