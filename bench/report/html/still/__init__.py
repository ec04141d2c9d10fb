"""Pages without a script, of images and not of a run: what is in the data, and what a segmentation finds."""
