"""A row of the table of assumptions, and the texts that many rows share."""

from __future__ import annotations

from airflow_provider_aep.probe.assumption import Assumption, Look

SILENT = ("they do not say", "none")
FILTERS, REFERENCE, TUTORIAL, GUIDES = "filter guide", "Destinations reference", "tutorial", "guides"
CATALOG = "Catalog guides"
ALL = "assumes that nothing is absent before it has read the listing without a filter"
SPELLING = "treats it as equal from then on, with a warning"


def row(
    name: str, look: Look, provider: str, documents: tuple[str, str] = SILENT, *, writes: bool = False
) -> Assumption:
    """:param documents: what they say, and which."""
    says, source = documents
    return Assumption(name=name, look=look, provider=provider, documents=says, source=source, writes=writes)
