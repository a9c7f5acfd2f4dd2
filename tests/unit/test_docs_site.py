"""The site can be built from the pages, without a warning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")
pytest.importorskip("furo")

from tests.unit.test_docs import CHECKOUT
from tools.docs import build

DOCS = CHECKOUT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert build(folder) == 0
    return folder


def test_every_page_is_in_the_site_and_in_its_contents(site: Path) -> None:
    contents = (site / "index.html").read_text()
    for page in DOCS.glob("*.md"):
        if page.name not in ("README.md", "index.md"):
            assert (site / f"{page.stem}.html").exists()
            assert f'class="reference internal" href="{page.stem}.html"' in contents, page.name


def test_links_of_the_site_lead_somewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        text = page.read_text()
        for link in re.findall(r'href="([^"]+)"', text):
            path, _, anchor = link.partition("#")
            if re.match(r"\w+:|//", link) or path.startswith("_"):
                continue
            target = site / path.partition("?")[0] if path else page
            assert target.exists(), f"{page.name}: {link}"
            assert not anchor or f'id="{anchor}"' in target.read_text(), f"{page.name}: {link}"


def test_the_reference_is_made_of_docstrings(site: Path) -> None:
    text = (site / "api.html").read_text()
    assert 'id="airflow_provider_aep.operators.dataflows.AepCreateDataflowOperator"' in text
    assert "Templated." in text
    assert ":param" not in text


def test_a_page_that_leads_out_of_the_site_leads_to_the_repository(site: Path) -> None:
    assert 'href="https://github.com/' in (site / "security.html").read_text()
    assert "Semantic Versioning" in (site / "changelog.html").read_text()
