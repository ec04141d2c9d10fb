"""What is learned from and tested: splits, draws of labels, and labels that go wrong."""
