"""Labels of images, answers for cells: bags, the heads that learn from them, what a label is worth."""
