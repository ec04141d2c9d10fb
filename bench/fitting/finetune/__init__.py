"""Fine-tuning: networks are trained on the labelled images of a draw, as a producer beside the heads."""
