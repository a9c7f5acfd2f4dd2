"""Judgements about the probe's export: how it was changed, disabled and deleted.

Source: Destinations API reference; Flow Service error table; the guides about updating and deleting; read
2026-11.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.probe.made import AT_ONCE, LOOKS_FOR, Judge, shown_after
from airflow_provider_aep.probe.words import Seen, assumed, differs, either, fails, untold, word, words_of
from airflow_provider_aep.probe.written import CALLED, Change, Written
from airflow_provider_aep.times import span_words


def judge_match(written: Written) -> Seen | None:
    """Which etag ``If-Match`` accepts, and whether a stale one is refused."""
    change = written.change
    if change is None:
        return None
    if change.needed_quotes and not change.refused:
        return fails("etags are shown without quotes, and compared with them")
    if change.refused:
        stale = isinstance(change.refused, AepApiError) and change.refused.status == 412
        return fails("the etag that was read is refused with 412") if stale else untold(PATCHED)
    if change.stale is None:
        return fails("a stale etag is taken as well")
    stale = isinstance(change.stale, AepApiError) and change.stale.status == 412
    other = f"a stale one is {words_of(change.stale)}"
    return assumed("the etag that was read is taken, a stale one refused with 412") if stale else fails(other)


def judge_changed(written: Written) -> Seen | None:
    change = written.change
    if change is None:
        return None
    if change.refused:
        return fails(words_of(change.refused))
    if change.waited >= AT_ONCE:
        return differs(f"taken after {span_words(change.waited)}")
    if not change.body.get("id") or not change.body.get("etag"):
        return differs(f"{change.status}, without id and etag")
    return either(change.status == 200, "200 with id and etag", f"{change.status}")


PATCHED = "a PATCH that is taken"


def in_change(judge: Callable[[Change], Seen | None]) -> Judge:
    """A judgement about a change that the service accepted."""

    def judged(written: Written) -> Seen | None:
        if written.change is None or written.change.refused:
            return untold(PATCHED)
        return judge(written.change)

    return judged


def judge_change_shown(place: str) -> Judge:
    """How soon a change shows, ``by_id`` or ``listed``."""
    most = inf if place == "listed" else LOOKS_FOR
    return in_change(lambda change: shown_after([getattr(change.when, place)], most=most))


def judge_etag_moved(change: Change) -> Seen:
    return either(change.etag_after != change.etag, "another one", "the same one")


def judge_switching(written: Written) -> Seen | None:
    if not written.actions:
        return None
    first, before, after = written.actions[0], *(str(state).lower() for state in written.states[:2])
    if isinstance(first, AepError):
        off = before == "disabled"
        return untold("a dataflow that starts enabled") if off else fails(f"disabling is {words_of(first)}")
    if after != "disabled":
        return differs(f"the state is then {word(written.states[1])}")
    if written.in_capitals:
        return differs("only the words in upper case are taken")
    return either(first == 200, "200, and the state is disabled", f"{first}, and the state is disabled")


def judge_switching_twice(written: Written) -> Seen | None:
    if len(written.actions) < 2:
        return None
    second = written.actions[1]
    if not isinstance(second, AepError):
        return differs(f"answered with {second}")
    refused = isinstance(second, AepApiError) and str(second.code).startswith("FLOW-1422")
    return either(refused, "refused with 1422", words_of(second))


def judge_deleted(written: Written) -> Seen | None:
    for kind, removal in written.removals.items():
        if removal.wanted_disabled:
            return fails(f"a {CALLED[kind]} must be disabled first")
        if removal.refused:
            return fails(f"of a {CALLED[kind]} {words_of(removal.refused)}")
    statuses = {
        str(removal.status)
        for kind, removal in written.removals.items()
        if kind == "flows" or not written.took_along
    }
    return either(statuses == {"202"}, "202", ", ".join(sorted(statuses))) if statuses else None


def judge_deleted_twice(written: Written) -> Seen | None:
    again = {str(removal.again) for removal in written.removals.values()}
    return either(again == {"404"}, "404", ", ".join(sorted(again))) if again else None


def judge_gone(place: str) -> Judge:
    """How soon a deleted entity is gone, ``by_id`` or ``listed``."""

    def judge(written: Written) -> Seen | None:
        return shown_after(
            getattr(removal.when, place) for removal in written.removals.values() if not removal.refused
        )

    return judge


def judge_taken_along(written: Written) -> Seen | None:
    if written.took_along is None:
        return None
    gone = "its target connection is gone with it"
    return either(not written.took_along, "its connections stay", gone)
