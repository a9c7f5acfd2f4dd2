"""Tasks that do nothing: what any task costs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import dag, task

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())


@dag("whole_plain", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
def whole_plain() -> None:
    # Or its dict would be taken apart, and sent once more.
    @task(multiple_outputs=False)
    def plain(number: int) -> dict[str, int]:
        return {"number": number}

    plain.expand(number=list(range(GIVEN["tasks"])))


whole_plain()
