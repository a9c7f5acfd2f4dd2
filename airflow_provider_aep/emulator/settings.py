"""The choices of one emulator where Adobe's documents leave one, and the speed of its time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The choices of this emulator where Adobe leaves one; times are seconds of the clock.

    :param hour: how long an hour of an export schedule lasts.
    :param run_seconds: how long a run is in progress.
    :param late_seconds: how long after its tick a late run appears.
    :param adhoc_seconds: how old a dataflow must be for an ad hoc run.
    :param initializing_seconds: how long a new dataflow is ``initializing``.
    :param bare_entities: return the bare entity for a read by id, as the newest tutorial prints it.
    :param run_per_dataset: one run for each dataset of a dataflow, rather than one for all.
    :param reject_uncompressed_json: refuse JSON without compression, which the tutorial's text forbids
        but its samples use.
    :param any_cadence: accept undocumented schedules, such as every two hours or every week.
    """

    hour: float
    run_seconds: float
    late_seconds: float
    adhoc_seconds: float
    initializing_seconds: float
    page_size: int
    bare_entities: bool
    run_per_dataset: bool
    reject_uncompressed_json: bool
    any_cadence: bool
