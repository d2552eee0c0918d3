"""One file for each step that a recovery procedure can be made of."""
