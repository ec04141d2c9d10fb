"""Pure functions from stored predictions to tables."""
