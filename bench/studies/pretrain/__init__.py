"""What can be learned from images without labels? An encoder: `pretrain`."""
