"""Exports as declared state: a document says what an export must be, and these modules make it so."""
