"""Ablations: what each part of how an encoder sees images is worth, by paired differences over the same draws."""
