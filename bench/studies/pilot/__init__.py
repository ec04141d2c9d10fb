"""Whether learning on your own unlabelled images pays: ways to make an encoder, judged by the same sweep."""
