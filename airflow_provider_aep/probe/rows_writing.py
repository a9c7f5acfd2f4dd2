"""The assumptions about creating, changing and removing an export, and their checks."""

from __future__ import annotations

from airflow_provider_aep.probe import changed, made
from airflow_provider_aep.probe.assumption import Assumption, seen_in
from airflow_provider_aep.probe.changed import in_change
from airflow_provider_aep.probe.made import SCHEDULE_NUMBERS, SCHEDULE_WORDS, Judge, in_written
from airflow_provider_aep.probe.row import ALL, FILTERS, GUIDES, SILENT, SPELLING, TUTORIAL, row

OWN = "knows the id of what it created, polls for it for a minute, then ends with an error that names it"
GONE = "knows what it deleted, polls for a minute until it is gone, then ends with an error"


def made_row(name: str, judge: Judge, provider: str, documents: tuple[str, str] = SILENT) -> Assumption:
    return row(name, seen_in(in_written(judge)), provider, documents, writes=True)


MAKING = (
    made_row(
        "create",
        made.judge_created,
        "searches for its mark if there is no id, before it sends anything again; a refusal ends it",
        ("201 with id and etag", TUTORIAL),
    ),
    made_row(
        "long descriptions",
        made.judge_long_descriptions,
        "appends its mark to the description; a refusal ends it",
    ),
    made_row(
        "what was created can be used",
        made.judge_referable,
        "a refusal ends it; the next ensure continues from what exists",
    ),
    made_row(
        "two of one name",
        made.judge_twin,
        "never creates two for one export, except in a replacement, which a refusal ends",
        ("no document forbids it", "none"),
    ),
    made_row(
        "JSON without compression",
        made.judge_uncompressed,
        "sends GZIP by default; otherwise it warns, and a refusal ends it",
        ("forbidden by the text, used by the samples", TUTORIAL),
    ),
    made_row(
        "created, by id",
        made.judge_shown("by_id"),
        "relies on the response; ends with an error if it must disable a replacement at once",
    ),
    made_row("created, in a listing", made.judge_shown("listed"), OWN),
    made_row(
        "created, in a filtered listing", made.judge_shown("filtered"), f"lists without the filter; {OWN}"
    ),
    made_row(
        "state of a new dataflow",
        made.judge_state,
        "enables one that starts disabled, and warns of any other state; "
        "ends with an error if it must disable it meanwhile",
        ("enabled", TUTORIAL),
    ),
    made_row(
        "name, by id",
        made.judge_text("name", listed=False),
        f"ignores letter case and blanks; for another name, {SPELLING}",
    ),
    made_row(
        "name, in a listing",
        made.judge_text("name", listed=True),
        f"ignores letter case and blanks; for another name, {SPELLING}",
    ),
    made_row(
        "description, by id",
        made.judge_text("description", listed=False),
        "reads its mark in any letter case; ends with an error if it is cut off or lost",
    ),
    made_row(
        "description, in a listing",
        made.judge_text("description", listed=True),
        "reads by id if a listing shows none; ends with an error if its mark is cut off",
    ),
    made_row("path", made.judge_path, f"ignores a slash at the end; for another path, {SPELLING}"),
    made_row(
        "parameters",
        made.judge_params,
        f"compares numbers with texts, and ignores the letter case of words; for other values, {SPELLING}",
    ),
    made_row(
        "schedule, words",
        made.judge_schedule(*SCHEDULE_WORDS),
        f"ignores the letter case of exportMode; for other values, {SPELLING}",
    ),
    made_row(
        "schedule, numbers",
        made.judge_schedule(*SCHEDULE_NUMBERS),
        f"compares numbers with texts; for another end than it sent, {SPELLING}",
        ("six months if no end is sent", "tutorial, 2025 edition"),
    ),
    made_row("members that nobody sent", made.judge_additions, "does not compare them"),
    made_row(
        "datasets of a source connection",
        made.judge_datasets,
        "compares their ids",
        ("cannot be changed later", GUIDES),
    ),
    made_row("new dataflow by its name", made.judge_found_by("name"), ALL, ("as above", FILTERS)),
    made_row(
        "new dataflow by its description", made.judge_found_by("description"), ALL, ("as above", FILTERS)
    ),
    made_row(
        "new dataflow by a list of ids",
        made.judge_found_by("id"),
        "reads by id what is left out",
        ("as above", FILTERS),
    ),
    made_row(
        "clock by what was created",
        made.judge_clock,
        "uses windows of minutes; aep doctor compares the clocks",
    ),
)

CHANGING = (
    made_row(
        "If-Match",
        changed.judge_match,
        "reads the etag right before; if the service ignores it, a concurrent change is lost",
        ("the etag as it was read; a stale one is refused with 412", "guides, error table"),
    ),
    made_row(
        "PATCH",
        changed.judge_changed,
        "only needs it to be accepted; a refusal ends it",
        ("200 with id and etag", GUIDES),
    ),
    made_row("changed, by id", changed.judge_change_shown("by_id"), "polls the state for a minute"),
    made_row(
        "changed, in a listing",
        changed.judge_change_shown("listed"),
        "reads by id, with pauses, before it accepts a listing as the service's own spelling",
    ),
    made_row(
        "etag after a change",
        in_change(changed.judge_etag_moved),
        "reads it again each time",
        ("another one", GUIDES),
    ),
    made_row(
        "disable",
        changed.judge_switching,
        "sends the word in upper case if it is refused, and reads the state afterwards",
        ("200", GUIDES),
    ),
    made_row(
        "disable twice",
        changed.judge_switching_twice,
        "reads the state first, and again after that error",
        ("refused with 1422", "error table"),
    ),
)

REMOVING = (
    made_row(
        "delete",
        changed.judge_deleted,
        "accepts any success; retries a temporary refusal, then ends with it",
        ("202, or 204", "Destinations reference; Sources reference"),
    ),
    made_row("delete twice", changed.judge_deleted_twice, "treats 404 as done", ("404", "labels guide")),
    made_row(
        "connections of a deleted dataflow",
        changed.judge_taken_along,
        "deletes them itself, and treats absence as done",
        ("they stay", GUIDES),
    ),
    made_row("deleted, by id", changed.judge_gone("by_id"), "does not read what it deleted"),
    made_row("deleted, in a listing", changed.judge_gone("listed"), GONE),
)
