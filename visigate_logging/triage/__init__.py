"""What administrators decided about groups of errors, and in which state each group is because of it."""
