"""What to label next: from images and the labels so far to a list that `bench label` takes."""
