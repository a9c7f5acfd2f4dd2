"""The README as a package index shows it: there its relative links would lead nowhere.

Hatchling loads this while it builds; see ``[tool.hatch.metadata.hooks.custom]``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(\]\()(?!https?://|#)([^)\s]+\))")
PICTURE = re.compile(r"(\b(?:src|srcset)=\")(?!https?://)")


class CustomMetadataHook(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_full_links(text, metadata["urls"]["Source"]),
        }


def with_full_links(text: str, repository: str) -> str:
    """Relative links lead to the files in the repository, and pictures to their bytes."""
    text = LINK.sub(rf"\1{repository}/blob/main/\2", text)
    return PICTURE.sub(rf"\1{repository}/raw/main/", text)
