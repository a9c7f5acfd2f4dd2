"""One operator for each step of a dataset export."""
