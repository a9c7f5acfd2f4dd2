"""Worlds: named deviations of the service from the default behaviour of the emulator.

Each concerns something that Adobe's documents leave open. ``Emulator(worlds=[...])`` combines several.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from airflow_provider_aep.emulator.worlds.asking import ASKING
from airflow_provider_aep.emulator.worlds.changing import CHANGING
from airflow_provider_aep.emulator.worlds.creating import CREATING
from airflow_provider_aep.emulator.worlds.deviation import Deviation
from airflow_provider_aep.emulator.worlds.ingesting import INGESTING
from airflow_provider_aep.emulator.worlds.offering import OFFERING
from airflow_provider_aep.emulator.worlds.paging import PAGING
from airflow_provider_aep.emulator.worlds.reporting import REPORTING
from airflow_provider_aep.emulator.worlds.showing import SHOWING
from airflow_provider_aep.emulator.worlds.spelling import SPELLING

WORLDS: Mapping[str, Deviation] = {
    world.name: world
    for world in (
        *(*ASKING, *PAGING, *SHOWING, *SPELLING, *REPORTING),
        *(*CREATING, *CHANGING, *OFFERING, *INGESTING),
    )
}


def worlds_of(names: Iterable[str]) -> list[Deviation]:
    """The deviations with these names.

    :raises ValueError: one is unknown; the message starts with "worlds" and lists the known ones.
    """
    if isinstance(names, str):
        raise ValueError("worlds must be a list of names.")
    names = list(names)
    for name in names:
        if name not in WORLDS:
            close = difflib.get_close_matches(str(name)[:64], WORLDS, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"worlds has an unknown name{hint}. There are: {', '.join(sorted(WORLDS))}.")
    return [WORLDS[name] for name in names]
