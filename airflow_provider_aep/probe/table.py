"""Everything that is taken for granted, and how each of it is looked up; in the order in which it is told."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.probe import documents, filters, made, paging, runs
from airflow_provider_aep.probe.assumption import Assumption, seen_in
from airflow_provider_aep.probe.made import in_written
from airflow_provider_aep.probe.sample import OUTPUT_TYPE, Sample
from airflow_provider_aep.probe.words import Seen
from airflow_provider_aep.probe.written import Written

Look = Callable[[Sample], Exchange[Seen]]

SILENT = "they do not say"
BROAD = "compares on its own side with what a listing without that filter shows"
OWN = "never takes what it made itself for absent: looks again with growing pauses, then ends with its id"


def _row(name: str, look: Look, documents: str, source: str, provider: str) -> Assumption:
    return Assumption(name=name, look=look, documents=documents, source=source, provider=provider)


def _made(
    name: str, judge: Callable[[Written], Seen], documents: str, source: str, provider: str
) -> Assumption:
    return Assumption(
        name=name,
        look=seen_in(in_written(judge)),
        documents=documents,
        source=source,
        provider=provider,
        writes=True,
    )


ACCESS = (
    _row(
        "rights to read",
        seen_in(documents.judge_rights),
        "View Destinations and View Datasets; labels may hide more",
        "tutorial, 2026 release notes",
        "ends with an error that names the permissions and labels",
    ),
    _row(
        "type of the sandbox",
        documents.look_at_sandbox,
        "the Sandbox API tells development or production",
        "Sandbox API reference",
        "writes nothing where the connection asks for a development sandbox and this cannot be read",
    ),
)

ASKING = (
    _row(
        "filter on id",
        filters.look_at_filter("id", "flows", "sourceConnections", "targetConnections", "connections"),
        "== finds entities with that value",
        "filter guide",
        BROAD,
    ),
    _row(
        "filter on name",
        filters.look_at_name,
        "== finds entities with that value; whether exactly is not said",
        "filter guide",
        "compares names itself; " + BROAD,
    ),
    _row(
        "filter on description",
        filters.look_at_filter(
            "description", "flows", "sourceConnections", "targetConnections", "connections"
        ),
        "shown in an example",
        "filter guide",
        BROAD,
    ),
    _row(
        "filter on a member of a member",
        filters.look_at_filter("connectionSpec.id", "targetConnections", "sourceConnections", "connections"),
        "shown for some members, such as flowSpec.id",
        "filter guide",
        BROAD,
    ),
    _row(
        "filter on a member of an array",
        filters.look_at_filter("targetConnectionIds[]", "flows"),
        "[] goes into an array",
        "filter guide",
        "does not rely on it",
    ),
    _row(
        "filter on inheritedAttributes",
        filters.look_at_filter(OUTPUT_TYPE, "flows"),
        "shown by the tutorial, in no sample of an answer",
        "tutorial",
        "does not rely on it; finds exports by their flow specs too",
    ),
    _row(
        "filter on flowId",
        runs.look_at_strangers,
        "== finds the runs of that dataflow; a sample shows another's",
        "tutorial",
        "leaves out runs of other dataflows",
    ),
    _row(
        "several values in a filter",
        filters.look_at_several,
        "a comma means OR",
        "filter guide",
        "confirms by asking for one alone, then asks one by one or without the filter",
    ),
    _row(
        "a hundred values in a filter",
        filters.look_at_many,
        "no limit is told",
        "none",
        "confirms what is left out by asking for it alone, then asks in smaller parts",
    ),
    _row(
        "runs of several dataflows",
        filters.look_at_several_flows,
        "a comma means OR; no example with flowId",
        "filter guide",
        "confirms a dataflow that is left out by asking for it alone",
    ),
    _row(
        "order by creation",
        filters.look_at_order,
        "orderby=-createdAt puts the newest first",
        "filter guide",
        "looks at what comes back, and reads on where it is not in that order",
    ),
    _row(
        "order after a change",
        filters.look_at_order_of_changed,
        "createdAt does not change",
        "filter guide",
        "looks at what comes back, and reads on where it is not in that order",
    ),
    _row(
        "order that nobody asked for",
        seen_in(filters.judge_default_order),
        "most recently created or updated first",
        "Destinations reference",
        "always asks for an order",
    ),
    _row(
        "limit of 100",
        seen_in(paging.judge_limit),
        "at most 100 entities",
        "Destinations reference",
        "follows the links whatever the size of a page",
    ),
    _row(
        "link to the next page",
        seen_in(paging.judge_link),
        "an object with a relative href",
        "Destinations reference",
        "reads the token out of any form",
    ),
    _row(
        "pages",
        seen_in(paging.judge_pages),
        SILENT,
        "none",
        "counts each entity once, and goes on as long as there is a link",
    ),
    _row(
        "last page",
        seen_in(paging.judge_end),
        "no link to a next one",
        "Destinations reference",
        "ends with an error where a token repeats",
    ),
    _row(
        "token alone",
        paging.look_at_token,
        "what a token carries is not said",
        "none",
        "sends the same filters and order with every page",
    ),
    _row(
        "token beside filters",
        paging.look_at_token_and_filters,
        "Adobe's client sends them together",
        "Adobe's client",
        "sends a refused token once more, alone",
    ),
    _row(
        "listings of more than 100",
        paging.look_at_long_listing,
        "a page has at most 100, and a link",
        "Destinations reference",
        "cannot know of what is behind an end that it is shown",
    ),
    _row(
        "listing that finds nothing",
        filters.look_at_nothing_found,
        "items is not required",
        "Destinations reference",
        "takes no items for none",
    ),
    _row(
        "count on a page",
        seen_in(paging.judge_count),
        "alone, or beside items",
        "filter guide; Sources reference",
        "does not read it",
    ),
)

READING = (
    _row(
        "read by id",
        documents.look_at_wrapping,
        "in items, or bare",
        "Destinations reference; tutorial",
        "reads both",
    ),
    _row(
        "read of what is not there",
        documents.look_at_missing,
        "404, or 400, with the code 1439",
        "labels guide; error table",
        "takes any of them for an absence",
    ),
    _row(
        "descriptions in listings",
        documents.look_at_listed("description"),
        "samples show them",
        "Destinations reference",
        "reads by id where a listing shows none",
    ),
    _row(
        "other members in listings",
        documents.look_at_listed("name", "state", "params", "scheduleParams"),
        "samples show them",
        "Destinations reference",
        "reads by id where a listing shows none",
    ),
    _row(
        "etag",
        documents.look_at_etag,
        "in the document, its double quotes are a part of it",
        "guides",
        "sends it back as it came; without one nothing can be changed",
    ),
    _row(
        "times of entities",
        seen_in(documents.judge_moments),
        "createdAt and updatedAt in epoch milliseconds",
        "Destinations reference",
        "tells seconds by their size; orders by id where there are none",
    ),
    _row(
        "what an entity lacks",
        seen_in(documents.judge_absent),
        SILENT,
        "none",
        "takes null for absent",
    ),
    _row(
        "states of dataflows",
        seen_in(documents.judge_states),
        "enabled or disabled",
        "guides",
        "compares in any letter case",
    ),
    _row(
        "inheritedAttributes",
        seen_in(documents.judge_inherited),
        "samples show arrays, the schema an object",
        "Destinations reference",
        "goes by sourceConnectionIds and targetConnectionIds",
    ),
    _row(
        "logins in listings",
        seen_in(documents.judge_logins),
        "samples show placeholders",
        "Destinations reference",
        "never compares, logs or keeps them",
    ),
    _row(
        "words of schedules",
        seen_in(documents.judge_schedules),
        "timeUnit, exportMode, foldernameTemplate, endTime",
        "tutorial",
        "reads the other spellings too",
    ),
    _row(
        "numbers of schedules",
        seen_in(documents.judge_schedule_numbers),
        "numbers, times in epoch seconds",
        "tutorial",
        "reads texts that hold a number, and milliseconds",
    ),
    _row(
        "cadences in use",
        seen_in(documents.judge_cadences),
        "once, 1, 3, 6, 8, 9 and 12 hours, daily",
        "tutorial, export UI guide, July 2026 release notes",
        "keeps and watches an unknown one as it is",
    ),
    _row(
        "parameters of target connections",
        seen_in(documents.judge_params),
        "words in upper case, and mode",
        "tutorial",
        "compares words in any letter case",
    ),
    _row(
        "datasets of source connections",
        seen_in(documents.judge_sources),
        "dataSetId and name",
        "Destinations reference",
        "goes by dataSetId",
    ),
    _row(
        "listing of datasets",
        paging.look_at_datasets,
        "id and name, pages by start, pageInfo.hasNext",
        "tutorial",
        "reads on while pages are full; a dataset that is not listed can be given by its id",
    ),
    _row(
        "datasets that are exported are listed",
        documents.look_at_hidden_datasets,
        "labels can hide a dataset",
        "August 2026 release notes",
        "leaves alone what exists; names labels where a dataset is not found",
    ),
    _row(
        "connection specs",
        documents.look_at_connection_specs,
        "authSpec and targetSpec, in items",
        "tutorial",
        "checks by them before it sends, and ends with an error where it cannot",
    ),
    _row(
        "flow specs",
        documents.look_at_flow_specs,
        "that there is a scheduleSpec",
        "Sources reference",
        "warns where it cannot tell whether a cadence is allowed",
    ),
    _row(
        "other destinations",
        seen_in(documents.judge_other_destinations),
        "Marketo Measure Ultimate exports datasets too",
        "catalog of destinations, 2026",
        "watches them under the name of their flow spec",
    ),
)

RUNS = (
    _row(
        "status of runs",
        seen_in(runs.judge_status),
        "success, failed and others, in several spellings",
        "Destinations reference, monitoring guide, Adobe's client",
        "reads any spelling; an unknown word is never good",
    ),
    _row(
        "times of runs",
        seen_in(runs.judge_times),
        "epoch milliseconds; completedAtUTC (samples) or stoppedAtUTC (schema)",
        "Destinations reference",
        "reads both keys, and seconds",
    ),
    _row(
        "creation and start of runs",
        seen_in(runs.judge_created),
        SILENT,
        "none",
        "goes by the start where there is one",
    ),
    _row(
        "counts of runs",
        seen_in(runs.judge_counts),
        "whole numbers, -1 where it is not known",
        "Destinations reference",
        "reads texts that hold a number; what is odd is unknown",
    ),
    _row(
        "empty runs",
        seen_in(runs.judge_empty_runs),
        "no input and no output; the sample is cut off before the status",
        "tutorial",
        "takes no input and no output for zero records",
    ),
    _row(
        "datasets of runs",
        seen_in(runs.judge_dataset_ids),
        "samples show audiences; that of datasets is cut off",
        "tutorial",
        "learns the number of runs from their number where they name no dataset",
    ),
    _row(
        "runs for a tick",
        seen_in(runs.judge_runs_per_tick),
        "one, or one for each dataset, is not said",
        "none",
        "learns it from the runs that it sees; expected_runs says it",
    ),
    _row(
        "how long runs are listed",
        seen_in(runs.judge_retention),
        SILENT,
        "none",
        "calls nothing missing that is older than the oldest run it sees",
    ),
)

MAKING = (
    _made(
        "create",
        made.judge_created,
        "201 with id and etag",
        "tutorial",
        "where there is no id, looks for its mark before it sends anything again",
    ),
    _made(
        "long descriptions",
        made.judge_long_descriptions,
        SILENT,
        "none",
        "keeps its mark short, and puts it first where it can",
    ),
    _made(
        "what was created can be used",
        made.judge_referable,
        SILENT,
        "none",
        "sends what refers to it again, with pauses",
    ),
    _made(
        "two of one name",
        made.judge_twin,
        "no document forbids it",
        "none",
        "looks for its mark before it sends a create again",
    ),
    _made(
        "JSON without compression",
        made.judge_uncompressed,
        "refused by the text, shown by the samples",
        "tutorial",
        "sends GZIP unless it is told otherwise",
    ),
    _made("created, by id", made.judge_shown("by_id"), SILENT, "none", OWN),
    _made("created, in a listing", made.judge_shown("listed"), SILENT, "none", OWN),
    _made("created, in a filtered listing", made.judge_shown("filtered"), SILENT, "none", OWN),
    _made(
        "state of a new dataflow",
        made.judge_state,
        "enabled",
        "tutorial",
        "waits until it is no longer initializing",
    ),
    _made(
        "name, by id",
        made.judge_text("name", listed=False),
        SILENT,
        "none",
        "finds its own by mark and id, and compares names in any letter case",
    ),
    _made(
        "name, in a listing",
        made.judge_text("name", listed=True),
        SILENT,
        "none",
        "finds its own by mark and id, and compares names in any letter case",
    ),
    _made(
        "description, by id",
        made.judge_text("description", listed=False),
        SILENT,
        "none",
        "reads its mark in any letter case; ends with an error where it is lost",
    ),
    _made(
        "description, in a listing",
        made.judge_text("description", listed=True),
        SILENT,
        "none",
        "reads by id where a listing shows none",
    ),
    _made("path", made.judge_path, SILENT, "none", "compares without slashes at both ends"),
    _made(
        "parameters",
        made.judge_params,
        SILENT,
        "none",
        "compares numbers with texts, and words in any letter case",
    ),
    _made(
        "schedule, words",
        made.judge_schedule_words,
        SILENT,
        "none",
        "compares words in any letter case and spelling",
    ),
    _made(
        "schedule, numbers",
        made.judge_schedule_numbers,
        "six months are set where no end is sent",
        "tutorial, 2025 edition",
        "compares numbers with texts; warns of an end that is not the one it sent",
    ),
    _made("members that nobody sent", made.judge_additions, SILENT, "none", "does not compare them"),
    _made(
        "datasets of a source connection",
        made.judge_datasets,
        "cannot be changed later",
        "guides",
        "compares their ids",
    ),
    _made("new dataflow by its name", made.judge_found_by("name"), "as above", "filter guide", OWN),
    _made(
        "new dataflow by its description",
        made.judge_found_by("description"),
        "as above",
        "filter guide",
        OWN,
    ),
    _made("new dataflow by a list of ids", made.judge_found_by("id"), "as above", "filter guide", OWN),
    _made(
        "clock by what was created",
        made.judge_clock,
        SILENT,
        "none",
        "allows for two minutes; aep doctor warns of more",
    ),
)

CHANGING = (
    _made(
        "If-Match",
        made.judge_match,
        "the etag as it was read; a stale one is refused with 412",
        "guides, error table",
        "reads the etag right before; a change by somebody else in between is lost where it is not compared",
    ),
    _made(
        "PATCH", made.judge_changed, "200 with id and etag", "guides", "reads again where it needs the etag"
    ),
    _made(
        "changed, by id", made.judge_change_shown(listed=False), SILENT, "none", "reads again, with pauses"
    ),
    _made(
        "changed, in a listing",
        made.judge_change_shown(listed=True),
        SILENT,
        "none",
        "reads by id what it has changed itself",
    ),
    _made("etag after a change", made.judge_etag_moved, "another one", "guides", "reads it anew each time"),
    _made("disable", made.judge_switching, "200", "guides", "reads the state afterwards"),
    _made(
        "disable twice",
        made.judge_switching_twice,
        "refused with 1422",
        "error table",
        "reads the state first, and again after that error",
    ),
)

REMOVING = (
    _made(
        "delete",
        made.judge_deleted,
        "202, or 204",
        "Destinations reference; Sources reference",
        "takes any good answer; repeats what is refused for a while",
    ),
    _made("delete twice", made.judge_deleted_twice, "404", "labels guide", "takes it for done"),
    _made(
        "connections of a deleted dataflow",
        made.judge_taken_along,
        "they stay",
        "guides",
        "deletes them itself, and takes an absence for done",
    ),
    _made(
        "deleted, by id",
        made.judge_gone(listed=False),
        SILENT,
        "none",
        "does not take what it deleted itself for existing",
    ),
    _made(
        "deleted, in a listing",
        made.judge_gone(listed=True),
        SILENT,
        "none",
        "does not take what it deleted itself for existing",
    ),
)

ASSUMPTIONS: tuple[Assumption, ...] = (
    *ACCESS,
    *ASKING,
    *READING,
    *RUNS,
    *MAKING,
    *CHANGING,
    *REMOVING,
)
