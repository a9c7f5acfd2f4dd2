"""Everything that is taken for granted, and how each of it is looked up; in the order in which it is told."""

from __future__ import annotations

from airflow_provider_aep.probe import documents, filters, ingested, made, paging, runs
from airflow_provider_aep.probe.assumption import Assumption, Look, seen_in
from airflow_provider_aep.probe.made import SCHEDULE_NUMBERS, SCHEDULE_WORDS, Judge, in_change, in_written

SILENT = ("they do not say", "none")
FILTERS, REFERENCE, TUTORIAL, GUIDES = "filter guide", "Destinations reference", "tutorial", "guides"
CATALOG = "Catalog guides"
ALL = "takes nothing for absent before it has read the listing without a filter"
ORDER = "looks at what comes back, and reads to the end where it is not in that order"
OWN = "knows the id of what it made, looks for it for a minute, and ends with an error that names it"
GONE = "knows what it deleted itself, looks for a minute until it is gone, and ends with an error"
SPELLING = "takes it for the same from then on, with a warning"
IN_LISTINGS = ("flows", "sourceConnections", "targetConnections", "connections")


def _row(
    name: str, look: Look, provider: str, documents: tuple[str, str] = SILENT, *, writes: bool = False
) -> Assumption:
    """:param documents: what they say, and which."""
    says, source = documents
    return Assumption(name=name, look=look, provider=provider, documents=says, source=source, writes=writes)


def _made(name: str, judge: Judge, provider: str, documents: tuple[str, str] = SILENT) -> Assumption:
    return _row(name, seen_in(in_written(judge)), provider, documents, writes=True)


ACCESS = (
    _row(
        "rights to read",
        seen_in(documents.judge_rights),
        "ends with an error that names the permissions and labels",
        ("View Destinations and View Datasets; labels may hide more", "tutorial, 2026 release notes"),
    ),
    _row(
        "type of the sandbox",
        documents.look_at_sandbox,
        "writes nothing where the connection asks for a development sandbox and this cannot be read",
        ("the Sandbox API tells development or production", "Sandbox API reference"),
    ),
)

ASKING = (
    _row(
        "filter on id",
        filters.look_at_filter("id", *IN_LISTINGS),
        "reads by id what such a listing leaves out",
        ("== finds entities with that value", FILTERS),
    ),
    _row(
        "filter on name",
        filters.look_at_name,
        f"compares names itself; {ALL}",
        ("== finds entities with that value; whether exactly is not said", FILTERS),
    ),
    _row(
        "filter on description",
        filters.look_at_filter("description", *IN_LISTINGS),
        f"compares marks itself; {ALL}",
        ("shown in an example", FILTERS),
    ),
    _row(
        "filter on a member of a member",
        filters.look_at_filter("connectionSpec.id", "targetConnections", "sourceConnections", "connections"),
        f"chooses itself; {ALL}",
        ("shown for some members, such as flowSpec.id", FILTERS),
    ),
    _row(
        "filter on a member of an array",
        filters.look_at_filter("targetConnectionIds[]", "flows"),
        "lists all dataflows where it finds none",
        ("[] goes into an array", FILTERS),
    ),
    _row(
        "filter on inheritedAttributes",
        filters.look_at_filter("inheritedAttributes.properties.isDestinationFlow", "flows"),
        "lists all dataflows where it finds no export; finds exports by their flow specs too",
        ("shown by the tutorial, in no sample of an answer", TUTORIAL),
    ),
    _row(
        "filter on flowId",
        runs.look_at_strangers,
        "leaves out runs of other dataflows; one that is left out is not seen",
        ("== finds the runs of that dataflow; a sample shows another's", TUTORIAL),
    ),
    _row(
        "several values in a filter",
        filters.look_at_values(2),
        f"reads by id what is left out; {ALL}",
        ("a comma means OR", FILTERS),
    ),
    _row(
        "a hundred values in a filter",
        filters.look_at_values(100),
        "reads by id what is left out, or each by itself where that is refused",
        ("no limit is told", "none"),
    ),
    _row(
        "runs of several dataflows",
        filters.look_at_several_flows,
        "asks for each alone where a list is refused, or leaves out one that has runs",
        ("a comma means OR; no example with flowId", FILTERS),
    ),
    _row(
        "order by creation",
        filters.look_at_order,
        ORDER,
        ("orderby=-createdAt puts the newest first", FILTERS),
    ),
    _row(
        "order after a change",
        filters.look_at_order_of_changed,
        ORDER,
        ("createdAt does not change", FILTERS),
    ),
    _row(
        "order that nobody asked for",
        seen_in(filters.judge_default_order),
        "asks for an order where it does not read to the end",
        ("most recently created or updated first", REFERENCE),
    ),
    _row(
        "limit of 100",
        seen_in(paging.judge_limit),
        "asks without a limit where it is refused, and follows the links whatever the size of a page",
        ("at most 100 entities", REFERENCE),
    ),
    _row(
        "link to the next page",
        seen_in(paging.judge_link),
        "reads the token out of any form",
        ("an object with a relative href", REFERENCE),
    ),
    _row(
        "pages",
        seen_in(paging.judge_pages),
        "counts each entity once, and goes on as long as there is a link",
    ),
    _row(
        "last page",
        seen_in(paging.judge_end),
        "ends with an error where a token repeats",
        ("no link to a next one", REFERENCE),
    ),
    _row(
        "token alone",
        paging.look_at_token,
        "sends the same filters and order with every page",
        ("what a token carries is not said", "none"),
    ),
    _row(
        "token beside filters",
        paging.look_at_token_and_filters,
        "reads anew without filter and order where they are refused, and chooses itself",
        ("Adobe's client sends them together", "Adobe's client"),
    ),
    _row(
        "listings of more than 100",
        paging.look_at_long_listing,
        "cannot know of what is behind an end that it is shown",
        ("a page has at most 100, and a link", REFERENCE),
    ),
    _row(
        "listing that finds nothing",
        filters.look_at_nothing_found,
        "ends with an error where there are no items",
        ("items is not required", REFERENCE),
    ),
    _row(
        "count on a page",
        seen_in(paging.judge_count),
        "does not read it",
        ("alone, or beside items", "filter guide; Sources reference"),
    ),
)

READING = (
    _row(
        "read by id",
        documents.look_at_wrapping,
        "reads both",
        ("in items, or bare", "Destinations reference; tutorial"),
    ),
    _row(
        "read of what is not there",
        documents.look_at_missing,
        "takes 404 for an absence, and an answer with nothing in it; ends with any other as its error",
        ("404, or 400, with the code 1439", "labels guide; error table"),
    ),
    _row(
        "descriptions in listings",
        documents.look_at_listed("description"),
        "reads by id where a listing shows none",
        ("samples show them", REFERENCE),
    ),
    _row(
        "other members in listings",
        documents.look_at_listed("name", "state", "params", "scheduleParams"),
        "warns of what it misses; replaces no dataflow whose state is not told",
        ("samples show them", REFERENCE),
    ),
    _row(
        "etag",
        documents.look_at_etag,
        "sends it back as it came; without one nothing can be changed",
        ("in the document, its double quotes are a part of it", GUIDES),
    ),
    _row(
        "times of entities",
        seen_in(documents.judge_moments),
        "tells seconds by their size, and reads texts; orders by id where there are none",
        ("createdAt and updatedAt in epoch milliseconds", REFERENCE),
    ),
    _row("what an entity lacks", seen_in(documents.judge_absent), "takes null for absent"),
    _row(
        "states of dataflows",
        seen_in(documents.judge_states),
        "compares in any letter case",
        ("enabled or disabled", GUIDES),
    ),
    _row(
        "inheritedAttributes",
        seen_in(documents.judge_inherited),
        "goes by flow specs, sourceConnectionIds and targetConnectionIds",
        ("samples show arrays, the schema an object", REFERENCE),
    ),
    _row(
        "logins in listings",
        seen_in(documents.judge_logins),
        "takes them out as they arrive; never compares, logs or keeps them",
        ("samples show placeholders", REFERENCE),
    ),
    _row(
        "words of schedules",
        seen_in(documents.judge_schedules),
        SPELLING,
        ("timeUnit, exportMode, foldernameTemplate, endTime", TUTORIAL),
    ),
    _row(
        "numbers of schedules",
        seen_in(documents.judge_schedule_numbers),
        f"reads texts that hold a number; where it cannot read one, {SPELLING}",
        ("numbers, times in epoch seconds", TUTORIAL),
    ),
    _row(
        "cadences in use",
        seen_in(documents.judge_cadences),
        "keeps and watches an unknown one as it is",
        (
            "once, 1, 3, 6, 8, 9 and 12 hours, daily",
            "tutorial, export UI guide, July 2026 release notes",
        ),
    ),
    _row(
        "parameters of target connections",
        seen_in(documents.judge_params),
        f"compares words in any letter case; where one is not shown, {SPELLING}",
        ("words in upper case, and mode", TUTORIAL),
    ),
    _row(
        "datasets of source connections",
        seen_in(documents.judge_sources),
        "goes by dataSetId; without, an ad hoc run ends with an error",
        ("dataSetId and name", REFERENCE),
    ),
    _row(
        "listing of datasets",
        paging.look_at_datasets,
        "reads on while hasNext says so; ends with an error where a dataset is not listed",
        ("id and name, pages by start, pageInfo.hasNext", TUTORIAL),
    ),
    _row(
        "datasets that are exported are listed",
        documents.look_at_hidden_datasets,
        "leaves alone what exists; names labels where a dataset is not found",
        ("labels can hide a dataset", "August 2026 release notes"),
    ),
    _row(
        "connection specs",
        documents.look_at_connection_specs,
        "checks by them before it sends, and ends with an error where it cannot",
        ("authSpec and targetSpec, in items", TUTORIAL),
    ),
    _row(
        "flow specs",
        documents.look_at_flow_specs,
        "warns where it cannot tell whether a cadence is allowed",
        ("that there is a scheduleSpec", "Sources reference"),
    ),
    _row(
        "other destinations",
        seen_in(documents.judge_other_destinations),
        "watches them under the name that their spec gives",
        ("Marketo Measure Ultimate exports datasets too", "catalog of destinations, 2026"),
    ),
)

RUNS = (
    _row(
        "status of runs",
        seen_in(runs.judge_status),
        "reads any spelling; an unknown word is never good",
        (
            "success, failed and others, in several spellings",
            "Destinations reference, monitoring guide, Adobe's client",
        ),
    ),
    _row(
        "times of runs",
        seen_in(runs.judge_times),
        "reads both keys, and seconds; goes by createdAt and updatedAt where there are none",
        ("epoch milliseconds; completedAtUTC (samples) or stoppedAtUTC (schema)", REFERENCE),
    ),
    _row("creation and start of runs", seen_in(runs.judge_created), "goes by the start where there is one"),
    _row(
        "counts of runs",
        seen_in(runs.judge_counts),
        "reads texts that hold a number; what is odd is unknown",
        ("whole numbers, -1 where it is not known", REFERENCE),
    ),
    _row(
        "empty runs",
        seen_in(runs.judge_empty_runs),
        "takes no input and no output for zero records",
        ("no input and no output; the sample is cut off before the status", TUTORIAL),
    ),
    _row(
        "datasets of runs",
        seen_in(runs.judge_dataset_ids),
        "goes by the number of runs where they name no dataset",
        ("samples show audiences; that of datasets is cut off", TUTORIAL),
    ),
    _row(
        "runs for a tick",
        seen_in(runs.judge_runs_per_tick),
        "learns it from the runs that it sees; expected_runs says it",
        ("one, or one for each dataset, is not said", "none"),
    ),
    _row(
        "how long runs are listed",
        seen_in(runs.judge_retention),
        "calls nothing missing that is older than the oldest run it sees",
    ),
)

INGESTED = (
    _row(
        "batches in the Catalog",
        ingested.look_at_batches,
        "calls the cause of an empty run unknown where it cannot read them, or their records",
        ("an object by id; limit up to 100; metrics are free", CATALOG),
    ),
    _row(
        "window of batches",
        ingested.look_at_window,
        "believes that there are none once a window has shown any",
        ("createdAfter in epoch milliseconds, exclusive", CATALOG),
    ),
    _row(
        "batches of several datasets",
        ingested.look_at_several,
        "asks for each alone until a list has shown several",
        ("several values in a filter mean any of them", CATALOG),
    ),
    _row(
        "datasets in the Catalog",
        ingested.look_at_catalog_datasets,
        "asks for each alone; calls the cause unknown where it cannot",
        ("several ids in the path", CATALOG),
    ),
)

MAKING = (
    _made(
        "create",
        made.judge_created,
        "looks for its mark where there is no id, before it sends anything again; ends with a refusal",
        ("201 with id and etag", TUTORIAL),
    ),
    _made(
        "long descriptions",
        made.judge_long_descriptions,
        "puts its mark behind what the description says; ends with a refusal",
    ),
    _made(
        "what was created can be used",
        made.judge_referable,
        "ends with the refusal; the next ensure goes on from what there is",
    ),
    _made(
        "two of one name",
        made.judge_twin,
        "never makes two for one export, but in a replacement: ends with a refusal",
        ("no document forbids it", "none"),
    ),
    _made(
        "JSON without compression",
        made.judge_uncompressed,
        "sends GZIP unless it is told otherwise; then it warns, and ends with a refusal",
        ("refused by the text, shown by the samples", TUTORIAL),
    ),
    _made(
        "created, by id",
        made.judge_shown("by_id"),
        "goes by the answer; ends with an error where it must switch off at once what replaces another",
    ),
    _made("created, in a listing", made.judge_shown("listed"), OWN),
    _made("created, in a filtered listing", made.judge_shown("filtered"), f"lists without the filter; {OWN}"),
    _made(
        "state of a new dataflow",
        made.judge_state,
        "enables one that starts disabled, and warns of any other state; "
        "ends with an error where it must switch it off meanwhile",
        ("enabled", TUTORIAL),
    ),
    _made(
        "name, by id",
        made.judge_text("name", listed=False),
        f"compares in any letter case and blanks; of any other, {SPELLING}",
    ),
    _made(
        "name, in a listing",
        made.judge_text("name", listed=True),
        f"compares in any letter case and blanks; of any other, {SPELLING}",
    ),
    _made(
        "description, by id",
        made.judge_text("description", listed=False),
        "reads its mark in any letter case; ends with an error where it is cut off or lost",
    ),
    _made(
        "description, in a listing",
        made.judge_text("description", listed=True),
        "reads by id where a listing shows none; ends with an error where its mark is cut off",
    ),
    _made("path", made.judge_path, f"takes no notice of a slash at the end; of any other, {SPELLING}"),
    _made(
        "parameters",
        made.judge_params,
        f"compares numbers with texts, and words in any letter case; of any other, {SPELLING}",
    ),
    _made(
        "schedule, words",
        made.judge_schedule(*SCHEDULE_WORDS),
        f"compares exportMode in any letter case; of any other, {SPELLING}",
    ),
    _made(
        "schedule, numbers",
        made.judge_schedule(*SCHEDULE_NUMBERS),
        f"compares numbers with texts; of another end than it sent, {SPELLING}",
        ("six months are set where no end is sent", "tutorial, 2025 edition"),
    ),
    _made("members that nobody sent", made.judge_additions, "does not compare them"),
    _made(
        "datasets of a source connection",
        made.judge_datasets,
        "compares their ids",
        ("cannot be changed later", GUIDES),
    ),
    _made("new dataflow by its name", made.judge_found_by("name"), ALL, ("as above", FILTERS)),
    _made("new dataflow by its description", made.judge_found_by("description"), ALL, ("as above", FILTERS)),
    _made(
        "new dataflow by a list of ids",
        made.judge_found_by("id"),
        "reads by id what is left out",
        ("as above", FILTERS),
    ),
    _made(
        "clock by what was created",
        made.judge_clock,
        "has windows of minutes; aep doctor compares the clocks",
    ),
)

CHANGING = (
    _made(
        "If-Match",
        made.judge_match,
        "reads the etag right before; where none is compared, a change by somebody else in between is lost",
        ("the etag as it was read; a stale one is refused with 412", "guides, error table"),
    ),
    _made(
        "PATCH",
        made.judge_changed,
        "needs no more than that it is taken; ends with a refusal",
        ("200 with id and etag", GUIDES),
    ),
    _made("changed, by id", made.judge_change_shown("by_id"), "reads a state again for a minute"),
    _made(
        "changed, in a listing",
        made.judge_change_shown("listed"),
        "reads by id, with pauses, before it takes a listing for the service's own spelling",
    ),
    _made(
        "etag after a change",
        in_change(made.judge_etag_moved),
        "reads it anew each time",
        ("another one", GUIDES),
    ),
    _made(
        "disable",
        made.judge_switching,
        "sends the word in upper case where it is refused, and reads the state afterwards",
        ("200", GUIDES),
    ),
    _made(
        "disable twice",
        made.judge_switching_twice,
        "reads the state first, and again after that error",
        ("refused with 1422", "error table"),
    ),
)

REMOVING = (
    _made(
        "delete",
        made.judge_deleted,
        "takes any good answer; repeats what is refused for the moment, then ends with the refusal",
        ("202, or 204", "Destinations reference; Sources reference"),
    ),
    _made("delete twice", made.judge_deleted_twice, "takes 404 for done", ("404", "labels guide")),
    _made(
        "connections of a deleted dataflow",
        made.judge_taken_along,
        "deletes them itself, and takes an absence for done",
        ("they stay", GUIDES),
    ),
    _made("deleted, by id", made.judge_gone("by_id"), "does not read what it deleted"),
    _made("deleted, in a listing", made.judge_gone("listed"), GONE),
)

ASSUMPTIONS: tuple[Assumption, ...] = (
    *ACCESS,
    *ASKING,
    *READING,
    *RUNS,
    *INGESTED,
    *MAKING,
    *CHANGING,
    *REMOVING,
)
