"""One question, one function, one table: each study asks something of embeddings, fits or runs."""
