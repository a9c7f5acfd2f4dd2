"""Documents of export specs that differ from one another in a few places."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def changed_document(document: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with other values; ``a__b`` is the key b of a, and ``...`` takes a key away."""
    changed = copy.deepcopy(dict(document))
    for name, value in changes.items():
        *parents, last = name.split("__")
        inside = changed
        for parent in parents:
            inside = inside[parent]
        if value is ...:
            del inside[last]
        else:
            inside[last] = value
    return changed
