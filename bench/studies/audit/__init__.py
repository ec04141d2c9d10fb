"""What is wrong with a labelled set: labels, slides, copies, images; and a table in which the user decides."""
