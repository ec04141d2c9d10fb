"""Pure functions from stored predictions to statistics, tables and text."""
