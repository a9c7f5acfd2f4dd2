"""How the documentation site is built: ``make docs``. The pages are Markdown, and readable as they are."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_aep import __version__

project = "airflow-provider-aep"
author = "The airflow-provider-aep authors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["README.md"]  # the way in on a code host; index.md takes it in

myst_heading_anchors = 4  # the same anchors as on a code host

autodoc_typehints = "none"  # the docstrings say shapes and units
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"airflow-provider-aep {__version__}"
html_show_sphinx = False
html_copy_source = False

SOURCE = "https://github.com/airflow-provider-aep/airflow-provider-aep/blob/main/"


def lead_out_of_the_site(app: Any, page: str, text: list[str]) -> None:
    """A link to a file outside of docs/, which is no page of the site, leads to the repository."""
    text[0] = re.sub(r"\]\(\.\./(?=[\w.])", f"]({SOURCE}", text[0])


def setup(app: Any) -> None:
    app.connect("source-read", lead_out_of_the_site)
