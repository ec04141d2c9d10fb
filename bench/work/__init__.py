"""Who makes what: claims on work, and processes that do it."""
