"""What the documents leave open, looked up in a real sandbox."""
