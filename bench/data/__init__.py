"""Files to rows: what is known of each image, labels, groups, instances and cells."""
