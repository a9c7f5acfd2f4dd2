"""What is taken for granted of reading, and how each of it is looked up."""

from __future__ import annotations

from airflow_provider_aep.probe import documents, filters, paging, runs
from airflow_provider_aep.probe.assumption import seen_in
from airflow_provider_aep.probe.row import ALL, FILTERS, GUIDES, REFERENCE, SPELLING, TUTORIAL, row

ORDER = "looks at what comes back, and reads to the end where it is not in that order"
IN_LISTINGS = ("flows", "sourceConnections", "targetConnections", "connections")


ACCESS = (
    row(
        "rights to read",
        seen_in(documents.judge_rights),
        "ends with an error that names the permissions and labels",
        ("View Destinations and View Datasets; labels may hide more", "tutorial, 2026 release notes"),
    ),
    row(
        "type of the sandbox",
        documents.look_at_sandbox,
        "writes nothing where the connection asks for a development sandbox and this cannot be read",
        ("the Sandbox API tells development or production", "Sandbox API reference"),
    ),
)

ASKING = (
    row(
        "filter on id",
        filters.look_at_filter("id", *IN_LISTINGS),
        "reads by id what such a listing leaves out",
        ("== finds entities with that value", FILTERS),
    ),
    row(
        "filter on name",
        filters.look_at_name,
        f"compares names itself; {ALL}",
        ("== finds entities with that value; whether exactly is not said", FILTERS),
    ),
    row(
        "filter on description",
        filters.look_at_filter("description", *IN_LISTINGS),
        f"compares marks itself; {ALL}",
        ("shown in an example", FILTERS),
    ),
    row(
        "filter on a member of a member",
        filters.look_at_filter("connectionSpec.id", "targetConnections", "sourceConnections", "connections"),
        f"chooses itself; {ALL}",
        ("shown for some members, such as flowSpec.id", FILTERS),
    ),
    row(
        "filter on a member of an array",
        filters.look_at_filter("targetConnectionIds[]", "flows"),
        "lists all dataflows where it finds none",
        ("[] goes into an array", FILTERS),
    ),
    row(
        "filter on inheritedAttributes",
        filters.look_at_filter("inheritedAttributes.properties.isDestinationFlow", "flows"),
        "lists all dataflows where it finds no export; finds exports by their flow specs too",
        ("shown by the tutorial, in no sample of an answer", TUTORIAL),
    ),
    row(
        "filter on flowId",
        runs.look_at_strangers,
        "leaves out runs of other dataflows; one that is left out is not seen",
        ("== finds the runs of that dataflow; a sample shows another's", TUTORIAL),
    ),
    row(
        "several values in a filter",
        filters.look_at_values(2),
        f"reads by id what is left out; {ALL}",
        ("a comma means OR", FILTERS),
    ),
    row(
        "a hundred values in a filter",
        filters.look_at_values(100),
        "reads by id what is left out, or each by itself where that is refused",
        ("no limit is told", "none"),
    ),
    row(
        "runs of several dataflows",
        filters.look_at_several_flows,
        "asks for each alone where a list is refused, or leaves out one that has runs",
        ("a comma means OR; no example with flowId", FILTERS),
    ),
    row(
        "order by creation",
        filters.look_at_order,
        ORDER,
        ("orderby=-createdAt puts the newest first", FILTERS),
    ),
    row(
        "order after a change",
        filters.look_at_order_of_changed,
        ORDER,
        ("createdAt does not change", FILTERS),
    ),
    row(
        "order that nobody asked for",
        seen_in(filters.judge_default_order),
        "asks for an order where it does not read to the end",
        ("most recently created or updated first", REFERENCE),
    ),
    row(
        "limit of 100",
        seen_in(paging.judge_limit),
        "asks without a limit where it is refused, and follows the links whatever the size of a page",
        ("at most 100 entities", REFERENCE),
    ),
    row(
        "link to the next page",
        seen_in(paging.judge_link),
        "reads the token out of any form",
        ("an object with a relative href", REFERENCE),
    ),
    row(
        "pages",
        seen_in(paging.judge_pages),
        "counts each entity once, and goes on as long as there is a link",
    ),
    row(
        "last page",
        seen_in(paging.judge_end),
        "ends with an error where a token repeats",
        ("no link to a next one", REFERENCE),
    ),
    row(
        "token alone",
        paging.look_at_token,
        "sends the same filters and order with every page",
        ("what a token carries is not said", "none"),
    ),
    row(
        "token beside filters",
        paging.look_at_token_and_filters,
        "reads anew without filter and order where they are refused, and chooses itself",
        ("Adobe's client sends them together", "Adobe's client"),
    ),
    row(
        "listings of more than 100",
        paging.look_at_long_listing,
        "cannot know of what is behind an end that it is shown",
        ("a page has at most 100, and a link", REFERENCE),
    ),
    row(
        "listing that finds nothing",
        filters.look_at_nothing_found,
        "ends with an error where there are no items",
        ("items is not required", REFERENCE),
    ),
    row(
        "count on a page",
        seen_in(paging.judge_count),
        "does not read it",
        ("alone, or beside items", "filter guide; Sources reference"),
    ),
)

READING = (
    row(
        "read by id",
        documents.look_at_wrapping,
        "reads both",
        ("in items, or bare", "Destinations reference; tutorial"),
    ),
    row(
        "read of what is not there",
        documents.look_at_missing,
        "takes 404 for an absence, and an answer with nothing in it; ends with any other as its error",
        ("404, or 400, with the code 1439", "labels guide; error table"),
    ),
    row(
        "descriptions in listings",
        documents.look_at_listed("description"),
        "reads by id where a listing shows none",
        ("samples show them", REFERENCE),
    ),
    row(
        "other members in listings",
        documents.look_at_listed("name", "state", "params", "scheduleParams"),
        "warns of what it misses; replaces no dataflow whose state is not told",
        ("samples show them", REFERENCE),
    ),
    row(
        "etag",
        documents.look_at_etag,
        "sends it back as it came; without one nothing can be changed",
        ("in the document, its double quotes are a part of it", GUIDES),
    ),
    row(
        "times of entities",
        seen_in(documents.judge_moments),
        "tells seconds by their size, and reads texts; orders by id where there are none",
        ("createdAt and updatedAt in epoch milliseconds", REFERENCE),
    ),
    row("what an entity lacks", seen_in(documents.judge_absent), "takes null for absent"),
    row(
        "states of dataflows",
        seen_in(documents.judge_states),
        "compares in any letter case",
        ("enabled or disabled", GUIDES),
    ),
    row(
        "inheritedAttributes",
        seen_in(documents.judge_inherited),
        "goes by flow specs, sourceConnectionIds and targetConnectionIds",
        ("samples show arrays, the schema an object", REFERENCE),
    ),
    row(
        "logins in listings",
        seen_in(documents.judge_logins),
        "takes them out as they arrive; never compares, logs or keeps them",
        ("samples show placeholders", REFERENCE),
    ),
    row(
        "words of schedules",
        seen_in(documents.judge_schedules),
        SPELLING,
        ("timeUnit, exportMode, foldernameTemplate, endTime", TUTORIAL),
    ),
    row(
        "numbers of schedules",
        seen_in(documents.judge_schedule_numbers),
        f"reads texts that hold a number; where it cannot read one, {SPELLING}",
        ("numbers, times in epoch seconds", TUTORIAL),
    ),
    row(
        "cadences in use",
        seen_in(documents.judge_cadences),
        "keeps and watches an unknown one as it is",
        (
            "once, 1, 3, 6, 8, 9 and 12 hours, daily",
            "tutorial, export UI guide, July 2026 release notes",
        ),
    ),
    row(
        "parameters of target connections",
        seen_in(documents.judge_params),
        f"compares words in any letter case; where one is not shown, {SPELLING}",
        ("words in upper case, and mode", TUTORIAL),
    ),
    row(
        "datasets of source connections",
        seen_in(documents.judge_sources),
        "goes by dataSetId; without, an ad hoc run ends with an error",
        ("dataSetId and name", REFERENCE),
    ),
    row(
        "listing of datasets",
        paging.look_at_datasets,
        "reads on while hasNext says so; ends with an error where a dataset is not listed",
        ("id and name, pages by start, pageInfo.hasNext", TUTORIAL),
    ),
    row(
        "datasets that are exported are listed",
        documents.look_at_hidden_datasets,
        "leaves alone what exists; names labels where a dataset is not found",
        ("labels can hide a dataset", "August 2026 release notes"),
    ),
    row(
        "connection specs",
        documents.look_at_connection_specs,
        "checks by them before it sends, and ends with an error where it cannot",
        ("authSpec and targetSpec, in items", TUTORIAL),
    ),
    row(
        "flow specs",
        documents.look_at_flow_specs,
        "warns where it cannot tell whether a cadence is allowed",
        ("that there is a scheduleSpec", "Sources reference"),
    ),
    row(
        "other destinations",
        seen_in(documents.judge_other_destinations),
        "watches them under the name that their spec gives",
        ("Marketo Measure Ultimate exports datasets too", "catalog of destinations, 2026"),
    ),
)
