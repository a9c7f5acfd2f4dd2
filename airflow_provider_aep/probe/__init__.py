"""Checks in a real sandbox of what the documents leave open."""
