"""Which rows to label next, of embeddings alone or of what heads say of them: arrays only (active learning)."""
