"""The assumptions about reading, and their checks."""

from __future__ import annotations

from airflow_provider_aep.probe import documents, filters, paging, runs
from airflow_provider_aep.probe.assumption import seen_in
from airflow_provider_aep.probe.row import ALL, FILTERS, GUIDES, REFERENCE, SPELLING, TUTORIAL, row

ORDER = "checks the order of what comes back, and reads to the end if it is another"
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
        "writes nothing if the connection requires a development sandbox and the type cannot be read",
        ("the Sandbox API says development or production", "Sandbox API reference"),
    ),
)

ASKING = (
    row(
        "filter on id",
        filters.look_at_filter("id", *IN_LISTINGS),
        "reads by id what the listing leaves out",
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
        f"filters the results itself; {ALL}",
        ("shown for some members, such as flowSpec.id", FILTERS),
    ),
    row(
        "filter on a member of an array",
        filters.look_at_filter("targetConnectionIds[]", "flows"),
        "lists all dataflows if the filter finds none",
        ("[] goes into an array", FILTERS),
    ),
    row(
        "filter on inheritedAttributes",
        filters.look_at_filter("inheritedAttributes.properties.isDestinationFlow", "flows"),
        "lists all dataflows if the filter finds no export; also finds exports by their flow specs",
        ("shown by the tutorial, but in no sample response", TUTORIAL),
    ),
    row(
        "filter on flowId",
        runs.look_at_strangers,
        "ignores runs of other dataflows; cannot notice a missing run",
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
        "reads by id what is left out, or each one separately if the filter is refused",
        ("no limit is documented", "none"),
    ),
    row(
        "runs of several dataflows",
        filters.look_at_several_flows,
        "requests each separately if a list is refused, or leaves out one that has runs",
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
        "requests an order if it does not read to the end",
        ("most recently created or updated first", REFERENCE),
    ),
    row(
        "limit of 100",
        seen_in(paging.judge_limit),
        "sends no limit if it is refused, and follows the links whatever the page size",
        ("at most 100 entities", REFERENCE),
    ),
    row(
        "link to the next page",
        seen_in(paging.judge_link),
        "reads the token from any form",
        ("an object with a relative href", REFERENCE),
    ),
    row(
        "pages",
        seen_in(paging.judge_pages),
        "counts each entity once, and continues while there is a link",
    ),
    row(
        "last page",
        seen_in(paging.judge_end),
        "ends with an error if a token repeats",
        ("no link to a next one", REFERENCE),
    ),
    row(
        "token alone",
        paging.look_at_token,
        "sends the same filters and order with every page",
        ("not documented: what a token carries", "none"),
    ),
    row(
        "token beside filters",
        paging.look_at_token_and_filters,
        "reads again without filter and order if they are refused, and filters itself",
        ("Adobe's client sends them together", "Adobe's client"),
    ),
    row(
        "listings of more than 100",
        paging.look_at_long_listing,
        "cannot notice entities behind a false end",
        ("a page has at most 100, and a link", REFERENCE),
    ),
    row(
        "listing that finds nothing",
        filters.look_at_nothing_found,
        "ends with an error if items is missing",
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
        "treats 404, and a response without entities, as absence; ends with any other error",
        ("404, or 400, with the code 1439", "labels guide; error table"),
    ),
    row(
        "descriptions in listings",
        documents.look_at_listed("description"),
        "reads by id if a listing shows none",
        ("samples show them", REFERENCE),
    ),
    row(
        "other members in listings",
        documents.look_at_listed("name", "state", "params", "scheduleParams"),
        "warns of missing members; replaces no dataflow whose state is not shown",
        ("samples show them", REFERENCE),
    ),
    row(
        "etag",
        documents.look_at_etag,
        "sends it back unchanged; without one nothing can be changed",
        ("in the document, including its double quotes", GUIDES),
    ),
    row(
        "times of entities",
        seen_in(documents.judge_moments),
        "recognizes seconds by their size, and reads texts; sorts by id without times",
        ("createdAt and updatedAt in epoch milliseconds", REFERENCE),
    ),
    row("what an entity lacks", seen_in(documents.judge_absent), "treats null as absent"),
    row(
        "states of dataflows",
        seen_in(documents.judge_states),
        "ignores letter case",
        ("enabled or disabled", GUIDES),
    ),
    row(
        "inheritedAttributes",
        seen_in(documents.judge_inherited),
        "uses flow specs, sourceConnectionIds and targetConnectionIds instead",
        ("samples show arrays, the schema an object", REFERENCE),
    ),
    row(
        "logins in listings",
        seen_in(documents.judge_logins),
        "removes them on arrival; never compares, logs or keeps them",
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
        f"reads texts that contain a number; if it cannot read one, {SPELLING}",
        ("numbers, times in epoch seconds", TUTORIAL),
    ),
    row(
        "cadences in use",
        seen_in(documents.judge_cadences),
        "keeps and watches an unknown one unchanged",
        (
            "once, 1, 3, 6, 8, 9 and 12 hours, daily",
            "tutorial, export UI guide, July 2026 release notes",
        ),
    ),
    row(
        "parameters of target connections",
        seen_in(documents.judge_params),
        f"ignores the letter case of words; if one is not shown, {SPELLING}",
        ("words in upper case, and mode", TUTORIAL),
    ),
    row(
        "datasets of source connections",
        seen_in(documents.judge_sources),
        "uses dataSetId; without it, an ad hoc run ends with an error",
        ("dataSetId and name", REFERENCE),
    ),
    row(
        "listing of datasets",
        paging.look_at_datasets,
        "continues while hasNext is true; ends with an error if a dataset is not listed",
        ("id and name, pages by start, pageInfo.hasNext", TUTORIAL),
    ),
    row(
        "datasets that are exported are listed",
        documents.look_at_hidden_datasets,
        "leaves existing exports unchanged; mentions labels if a dataset is not found",
        ("labels can hide a dataset", "August 2026 release notes"),
    ),
    row(
        "connection specs",
        documents.look_at_connection_specs,
        "checks requests with them before it sends, and ends with an error if it cannot",
        ("authSpec and targetSpec, in items", TUTORIAL),
    ),
    row(
        "flow specs",
        documents.look_at_flow_specs,
        "warns if it cannot check whether a cadence is allowed",
        ("that there is a scheduleSpec", "Sources reference"),
    ),
    row(
        "other destinations",
        seen_in(documents.judge_other_destinations),
        "watches them under the name in their spec",
        ("Marketo Measure Ultimate exports datasets too", "catalog of destinations, 2026"),
    ),
)
