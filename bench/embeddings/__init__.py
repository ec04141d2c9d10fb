"""Images to vectors, each made once: preparation, extraction, the store."""
