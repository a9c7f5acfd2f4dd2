"""The table in docs/probe.md: ``python -m tests.unit.probe.page`` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.probe.sandbox import make_place

PAGE = Path(__file__).parents[3] / "docs" / "probe.md"
HEAD = "| assumption | the documents | seen | the provider |\n|---|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


def table_of_a_run() -> str:
    """What ``aep probe --write`` tells of the emulator in its usual world."""
    place = make_place()
    rows = [
        (
            one.assumption.name,
            one.assumption.documents
            + ("" if one.assumption.source == "none" else f" ({one.assumption.source})"),
            one.seen.words if one.seen.level == "as assumed" else f"{one.seen.level}: {one.seen.words}",
            one.assumption.provider,
        )
        for one in place.look(write=True).values()
    ]
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(TABLE.sub(lambda found: table_of_a_run(), text, count=1))
