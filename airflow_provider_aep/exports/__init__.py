"""Exports as declared state: what an export shall be, as a document, and how it becomes so."""
