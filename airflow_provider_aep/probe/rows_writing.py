"""What is taken for granted of making, changing and removing an export, and how each of it is looked up."""

from __future__ import annotations

from airflow_provider_aep.probe import changed, made
from airflow_provider_aep.probe.assumption import Assumption, seen_in
from airflow_provider_aep.probe.changed import in_change
from airflow_provider_aep.probe.made import SCHEDULE_NUMBERS, SCHEDULE_WORDS, Judge, in_written
from airflow_provider_aep.probe.row import ALL, FILTERS, GUIDES, SILENT, SPELLING, TUTORIAL, row

OWN = "knows the id of what it made, looks for it for a minute, and ends with an error that names it"
GONE = "knows what it deleted itself, looks for a minute until it is gone, and ends with an error"


def made_row(name: str, judge: Judge, provider: str, documents: tuple[str, str] = SILENT) -> Assumption:
    return row(name, seen_in(in_written(judge)), provider, documents, writes=True)


MAKING = (
    made_row(
        "create",
        made.judge_created,
        "looks for its mark where there is no id, before it sends anything again; ends with a refusal",
        ("201 with id and etag", TUTORIAL),
    ),
    made_row(
        "long descriptions",
        made.judge_long_descriptions,
        "puts its mark behind what the description says; ends with a refusal",
    ),
    made_row(
        "what was created can be used",
        made.judge_referable,
        "ends with the refusal; the next ensure goes on from what there is",
    ),
    made_row(
        "two of one name",
        made.judge_twin,
        "never makes two for one export, but in a replacement: ends with a refusal",
        ("no document forbids it", "none"),
    ),
    made_row(
        "JSON without compression",
        made.judge_uncompressed,
        "sends GZIP unless it is told otherwise; then it warns, and ends with a refusal",
        ("refused by the text, shown by the samples", TUTORIAL),
    ),
    made_row(
        "created, by id",
        made.judge_shown("by_id"),
        "goes by the answer; ends with an error where it must switch off at once what replaces another",
    ),
    made_row("created, in a listing", made.judge_shown("listed"), OWN),
    made_row(
        "created, in a filtered listing", made.judge_shown("filtered"), f"lists without the filter; {OWN}"
    ),
    made_row(
        "state of a new dataflow",
        made.judge_state,
        "enables one that starts disabled, and warns of any other state; "
        "ends with an error where it must switch it off meanwhile",
        ("enabled", TUTORIAL),
    ),
    made_row(
        "name, by id",
        made.judge_text("name", listed=False),
        f"compares in any letter case and blanks; of any other, {SPELLING}",
    ),
    made_row(
        "name, in a listing",
        made.judge_text("name", listed=True),
        f"compares in any letter case and blanks; of any other, {SPELLING}",
    ),
    made_row(
        "description, by id",
        made.judge_text("description", listed=False),
        "reads its mark in any letter case; ends with an error where it is cut off or lost",
    ),
    made_row(
        "description, in a listing",
        made.judge_text("description", listed=True),
        "reads by id where a listing shows none; ends with an error where its mark is cut off",
    ),
    made_row("path", made.judge_path, f"takes no notice of a slash at the end; of any other, {SPELLING}"),
    made_row(
        "parameters",
        made.judge_params,
        f"compares numbers with texts, and words in any letter case; of any other, {SPELLING}",
    ),
    made_row(
        "schedule, words",
        made.judge_schedule(*SCHEDULE_WORDS),
        f"compares exportMode in any letter case; of any other, {SPELLING}",
    ),
    made_row(
        "schedule, numbers",
        made.judge_schedule(*SCHEDULE_NUMBERS),
        f"compares numbers with texts; of another end than it sent, {SPELLING}",
        ("six months are set where no end is sent", "tutorial, 2025 edition"),
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
        "has windows of minutes; aep doctor compares the clocks",
    ),
)

CHANGING = (
    made_row(
        "If-Match",
        changed.judge_match,
        "reads the etag right before; where none is compared, a change by somebody else in between is lost",
        ("the etag as it was read; a stale one is refused with 412", "guides, error table"),
    ),
    made_row(
        "PATCH",
        changed.judge_changed,
        "needs no more than that it is taken; ends with a refusal",
        ("200 with id and etag", GUIDES),
    ),
    made_row("changed, by id", changed.judge_change_shown("by_id"), "reads a state again for a minute"),
    made_row(
        "changed, in a listing",
        changed.judge_change_shown("listed"),
        "reads by id, with pauses, before it takes a listing for the service's own spelling",
    ),
    made_row(
        "etag after a change",
        in_change(changed.judge_etag_moved),
        "reads it anew each time",
        ("another one", GUIDES),
    ),
    made_row(
        "disable",
        changed.judge_switching,
        "sends the word in upper case where it is refused, and reads the state afterwards",
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
        "takes any good answer; repeats what is refused for the moment, then ends with the refusal",
        ("202, or 204", "Destinations reference; Sources reference"),
    ),
    made_row("delete twice", changed.judge_deleted_twice, "takes 404 for done", ("404", "labels guide")),
    made_row(
        "connections of a deleted dataflow",
        changed.judge_taken_along,
        "deletes them itself, and takes an absence for done",
        ("they stay", GUIDES),
    ),
    made_row("deleted, by id", changed.judge_gone("by_id"), "does not read what it deleted"),
    made_row("deleted, in a listing", changed.judge_gone("listed"), GONE),
)
