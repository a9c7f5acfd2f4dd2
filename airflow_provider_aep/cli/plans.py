"""Plans in a file, so that what is ensured is what somebody has looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.exports.plan import Plan
from airflow_provider_aep.exports.spec import ExportSpec

FORMAT = 1

# (sandbox, owner) -> the name of an export -> its steps
Plans = Mapping[tuple[str, str], Mapping[str, Any]]


def write_plans(path: str, plans: Sequence[Plan]) -> None:
    """:raises AepConfigError: the file cannot be written."""
    document = {"format": FORMAT, "plans": [plan.to_json() for plan in plans]}
    try:
        Path(path).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise AepConfigError(f"{path} cannot be written: {error.strerror}") from None


def read_plans(path: str) -> Plans:
    """:raises AepConfigError: the file cannot be read, or was not written by ``plan --out``."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for plan in document["plans"]:
            found.setdefault((plan["sandbox"], plan["owner"]), {})[plan["name"]] = plan["steps"]
    except OSError as error:
        raise AepConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise AepConfigError(f"{path} is no file of plans as `plan --out` writes it") from None
    return found


def batches(
    specs: Sequence[ExportSpec], plans: Plans | None, *, sandbox: str
) -> Iterator[tuple[Sequence[ExportSpec], Mapping[str, Any] | None]]:
    """Specs to ensure in one go, with their plans by name.

    Two owners, or two sandboxes, may use one name; then their plans go apart.
    """
    if plans is None:
        yield specs, None
        return
    apart: dict[tuple[str, str], list[ExportSpec]] = {}
    for spec in specs:
        apart.setdefault((spec.sandbox or sandbox, spec.owner), []).append(spec)
    for key, some in apart.items():
        yield some, plans.get(key, {})
