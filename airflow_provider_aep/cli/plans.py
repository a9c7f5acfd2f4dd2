"""Plans in a file, so that ``ensure`` does exactly what somebody has reviewed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_aep.cli.given import STDIN, read_stdin
from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.exports.plan import Plan

FORMAT = 1


def write_plans(path: str, plans: Sequence[Plan]) -> None:
    """:raises AepConfigError: the file cannot be written."""
    document = {"format": FORMAT, "plans": [plan.to_json() for plan in plans]}
    try:
        Path(path).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise AepConfigError(f"{path} cannot be written: {error.strerror}") from None


def read_plans(path: str) -> list[Mapping[str, Any]]:
    """:raises AepConfigError: the file cannot be read, or was not written by ``plan --out``."""
    try:
        document = json.loads(read_stdin() if path == STDIN else Path(path).read_bytes())
        plans = document["plans"]
        if document["format"] != FORMAT or not all({"name", "steps"} <= plan.keys() for plan in plans):
            raise ValueError
    except OSError as error:
        raise AepConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise AepConfigError(f"{path} is not a file of plans as `plan --out` writes it") from None
    return list(plans)
