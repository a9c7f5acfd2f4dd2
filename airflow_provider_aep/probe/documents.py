"""Checks of entities, specs and the sandbox itself: what can be read, and whether two reads agree.

Source: Destinations API reference; "Export datasets by using the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

import uuid

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.cadences import CADENCES, allowed, word_of
from airflow_provider_aep.flowservice.catalogue import offered_logins, params_of
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, DESTINATIONS
from airflow_provider_aep.flowservice.documents import (
    LEAST_MILLISECONDS,
    Document,
    mapping,
    sequence,
    values_at,
)
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.write_guard import read_sandbox_type
from airflow_provider_aep.probe.asking import ask, read_one
from airflow_provider_aep.probe.assumption import Look
from airflow_provider_aep.probe.sample import KINDS, Sample, datasets_of
from airflow_provider_aep.probe.words import (
    Seen,
    assumed,
    count,
    differs,
    either,
    fails,
    untold,
    word,
    words_of,
)

SCHEDULE = "an export dataflow with a schedule"


def judge_rights(sample: Sample) -> Seen:
    refused = {
        kind: listing.error
        for kind, listing in (*sample.kinds.items(), ("runs", sample.runs))
        if listing.error and not listing.pages
    }
    if refused:
        return fails("; ".join(f"{kind}: {words_of(error)}" for kind, error in refused.items()))
    return assumed("dataflows, connections and runs can be listed")


def look_at_sandbox(sample: Sample) -> Exchange[Seen]:
    kind, doubt = yield from read_sandbox_type(sample.sandbox)
    if doubt is not None:
        return differs("the type of the sandbox cannot be read")
    return either(kind in ("development", "production"), "it can be read", f"its type is {word(kind)}")


def look_at_wrapping(sample: Sample) -> Exchange[Seen]:
    """Whether a read by id is wrapped in ``items``."""
    seen: dict[bool, list[str]] = {True: [], False: []}
    for kind in KINDS:
        for entity in sample.of(kind)[:1]:
            read = yield from read_one(kind, str(entity["id"]))
            if isinstance(read, AepError):
                return fails(f"a read by id is {words_of(read)}")
            seen[read[1]].append(kind)
    if not any(seen.values()):
        return untold("an entity")
    return either(not seen[False], "wrapped in items", f"bare: {', '.join(seen[False])}")


def look_at_missing(sample: Sample) -> Exchange[Seen]:
    """How the service says that there is no such entity."""
    reply = yield from ask(f"/flows/{uuid.uuid4()}")
    if not isinstance(reply, AepError):
        empty = not sequence(reply.json.get("items"))
        return differs(f"{reply.status} with nothing in it" if empty else "another entity")
    if not isinstance(reply, AepApiError) or reply.status != 404:
        return fails(words_of(reply))
    return either(bool(reply.code), "404 with a code", "404 without a code")


def look_at_listed(*keys: str) -> Look:
    """Whether listings show the same values of some members as reads by id."""

    def look(sample: Sample) -> Exchange[Seen]:
        compared = 0
        for kind in KINDS:
            for listed in sample.of(kind)[:3]:
                read = yield from read_one(kind, str(listed["id"]))
                if isinstance(read, AepError):
                    continue
                for key in (key for key in keys if read[0].get(key) not in (None, "", {}, [])):
                    compared += 1
                    if key not in listed:
                        words = f"{kind} are listed without {key}"
                        return fails(words) if key == "state" else differs(words)
                    if listed[key] != read[0][key]:
                        return differs(f"{kind} are listed with another {key} than a read by id shows")
        if not compared:
            return untold(f"an entity with {' or '.join(keys)}")
        return assumed(f"{compared} compared, all alike")

    return look


def look_at_etag(sample: Sample) -> Exchange[Seen]:
    """Where the etag of an entity is, and its spelling."""
    for listed in sample.of("flows")[:1] or sample.of("targetConnections")[:1]:
        kind = "flows" if listed in sample.of("flows") else "targetConnections"
        reads = []
        for _ in range(2):
            read = yield from read_one(kind, str(listed["id"]))
            if isinstance(read, AepError):
                return fails(f"a read by id is {words_of(read)}")
            reads.append(read)
        etag, header = reads[0][0].get("etag"), reads[0][2].headers.get("etag")
        if not etag:
            return fails("it is in a header, and not in the document" if header else "there is none")
        if not isinstance(etag, str) or etag.startswith("W/"):
            return differs("it is a weak one")
        if not etag.startswith('"'):
            return differs("it has no double quotes")
        if reads[1][0].get("etag") != etag:
            return differs("it moves between two reads")
        return assumed("in the document, with its double quotes" + (" (and in a header)" if header else ""))
    return untold("a dataflow or a target connection")


def judge_moments(sample: Sample) -> Seen:
    documents = [document for kind in KINDS for document in sample.of(kind)]
    if not documents:
        return untold("an entity")
    for key in ("createdAt", "updatedAt"):
        values = [document.get(key) for document in documents]
        if all(value is None for value in values):
            return differs(f"{key} is not shown")
        if any(isinstance(value, str) for value in values):
            return differs(f"{key} is a text")
        if any(isinstance(value, int | float) and value < LEAST_MILLISECONDS for value in values):
            return differs(f"{key} is in seconds")
    return assumed("numbers, in epoch milliseconds")


def judge_absent(sample: Sample) -> Seen:
    nulls = {
        word(key)
        for kind in KINDS
        for entity in sample.of(kind)
        for key, value in entity.items()
        if value is None
    }
    return either(not nulls, "it is left out", f"some are null: {', '.join(sorted(nulls))}")


def judge_states(sample: Sample) -> Seen:
    states = {word(flow.get("state")) for flow in sample.of("flows")}
    if not states:
        return untold("a dataflow")
    words = f"words seen: {', '.join(sorted(states))}"
    return either(states <= {"enabled", "disabled", "initializing", "draft"}, words, words)


def judge_inherited(sample: Sample) -> Seen:
    exports = sample.exports
    if not exports:
        return untold("an export dataflow")
    inherited = [mapping(flow.get("inheritedAttributes")) for flow in exports]
    if not all(inherited):
        return differs("dataflows without inheritedAttributes")
    if any(not isinstance(attributes.get("targetConnections"), list) for attributes in inherited):
        return differs("its connections are not an array")
    return assumed("dataflows have them, with arrays of connections")


def judge_logins(sample: Sample) -> Seen:
    bases = sample.of("connections")
    with_login = [base for base in bases if set(values_at(base, "connectionSpec.id")) & _LOGIN_SPECS]
    if not with_login:
        return untold("a base connection to a storage that takes a login")
    if not all(base.get("auth") for base in with_login):
        return differs("base connections are listed without auth")
    if not all(_is_masked(mapping(mapping(base["auth"]).get("params"))) for base in with_login):
        return differs("auth is listed, and not all of its values are masked")
    return assumed("auth is listed, its values masked")


_LOGIN_SPECS = {known.connection_spec_id for known in DESTINATIONS.values() if known.logins}


def _is_masked(params: Document) -> bool:
    """Whether all values are the same placeholder; a single value must have no letters and digits."""
    values = [str(value) for key, value in params.items() if key != "authorizedDate"]
    return len(set(values)) < min(len(values), 2) or not any(map(str.isalnum, "".join(values)))


def _schedules(sample: Sample) -> list[Document]:
    return [flow.schedule for flow in map(Dataflow.from_api, sample.exports) if flow.schedule]


def judge_schedules(sample: Sample) -> Seen:
    """The spelling of schedules of exports."""
    for schedule in _schedules(sample):
        if "timeUnit" not in schedule:
            return differs("frequency instead of timeUnit" if "frequency" in schedule else "no timeUnit")
        if schedule["timeUnit"] not in ("hour", "day", "week", "month"):
            return differs(f"the time unit {word(schedule['timeUnit'])}")
        if "exportMode" not in schedule:
            return differs("no exportMode (as in dataflows from before September 2024)")
        if "folderNameTemplate" in schedule:
            return differs("folderNameTemplate instead of foldernameTemplate")
        if schedule.get("endTime") is None:
            return differs("no endTime")
    if not _schedules(sample):
        return untold(SCHEDULE)
    return assumed(f"{count(len(_schedules(sample)), 'schedule')} with timeUnit, exportMode and endTime")


def judge_schedule_numbers(sample: Sample) -> Seen:
    schedules = _schedules(sample)
    times = [schedule[key] for schedule in schedules for key in ("startTime", "endTime") if key in schedule]
    numbers = [*times, *(schedule["interval"] for schedule in schedules if "interval" in schedule)]
    if not numbers:
        return untold(SCHEDULE)
    if any(isinstance(value, str) for value in numbers):
        return differs("texts")
    if any(isinstance(value, int | float) and value >= LEAST_MILLISECONDS for value in times):
        return differs("times are in milliseconds")
    return assumed("numbers, times in epoch seconds")


def judge_cadences(sample: Sample) -> Seen:
    seen = {word_of(schedule) or "(another)" for schedule in _schedules(sample)}
    if not seen:
        return untold(SCHEDULE)
    words = f"seen: {', '.join(sorted(seen))}"
    return either(seen <= {*CADENCES}, words, words)


def judge_params(sample: Sample) -> Seen:
    """The spelling of the parameters of target connections."""
    exporting = {
        str(target_id) for flow in sample.exports for target_id in sequence(flow.get("targetConnectionIds"))
    }
    params = [
        mapping(target.get("params"))
        for target in sample.of("targetConnections")
        if str(target["id"]) in exporting
    ]
    if not any(params):
        return untold("a target connection of an export") if not params else differs("params are not listed")
    for members in params:
        kinds = members.get("datasetFileType")
        if kinds is not None and kinds not in ("JSON", "PARQUET"):
            return differs(f"file type {word(kinds)}")
        if members.get("compression") not in (None, "GZIP", "NONE"):
            return differs(f"compression {word(members['compression'])}")
        if "mode" not in members:
            return differs("mode is not shown")
    return assumed(f"{count(len(params), 'target connection')} with words in upper case, and mode")


def _lake_sources(sample: Sample) -> list[Document]:
    sources = sample.of("sourceConnections")
    return [source for source in sources if DATA_LAKE_SPEC_ID in values_at(source, "connectionSpec.id")]


def judge_sources(sample: Sample) -> Seen:
    """How source connections name their datasets."""
    items = [item for source in _lake_sources(sample) for item in datasets_of(source)]
    if not _lake_sources(sample):
        return untold("a source connection of an export")
    if not items or not all(item.get("dataSetId") for item in items):
        return fails("datasets are not named by dataSetId")
    named = "" if all(item.get("name") for item in items) else ", some without a name"
    return assumed(f"{count(len(items), 'dataset')} by dataSetId{named}")


def look_at_hidden_datasets(sample: Sample) -> Exchange[Seen]:
    """Whether the exported datasets are in the listing of exportable datasets."""
    exported = {
        str(item.get("dataSetId")) for source in _lake_sources(sample) for item in datasets_of(source)
    }
    if not exported:
        return untold("a source connection of an export")
    listed = yield from list_datasets()
    hidden = len(exported - {dataset.id for dataset in listed})
    return either(
        not hidden,
        f"all {len(exported)} datasets that are exported are listed",
        f"{hidden} of {len(exported)} datasets are not listed: deleted, or hidden by a label",
    )


def look_at_connection_specs(sample: Sample) -> Exchange[Seen]:
    """Whether the specs of the six destinations can be read, and match what the provider sends."""
    for slug, destination in DESTINATIONS.items():
        read = yield from read_one("connectionSpecs", destination.connection_spec_id)
        if isinstance(read, AepError):
            return fails(f"{slug}: {words_of(read)}")
        spec, wrapped, _ = read
        known = {login.spec_name for login in destination.logins}
        if known and not spec.get("authSpec"):
            return fails(f"{slug}: no authSpec")
        if known and not known & {offered["name"] for offered in offered_logins(spec)}:
            return fails(f"{slug}: none of the logins that are known")
        if not params_of(mapping(spec.get("targetSpec")))[0]:
            return differs(f"{slug}: no targetSpec")
        if not wrapped:
            return differs("they can be read, and are not wrapped in items")
    return assumed(f"all {len(DESTINATIONS)} can be read, with authSpec and targetSpec")


def look_at_flow_specs(sample: Sample) -> Exchange[Seen]:
    telling = 0
    for slug, destination in DESTINATIONS.items():
        read = yield from read_one("flowSpecs", destination.flow_spec_id)
        if isinstance(read, AepError):
            return differs(f"{slug}: {words_of(read)}")
        if not params_of(mapping(read[0].get("scheduleSpec")))[0]:
            return differs(f"{slug}: no scheduleSpec")
        telling += allowed(read[0], "3h") != "not told"
    return assumed(f"all {len(DESTINATIONS)} can be read, with a scheduleSpec; {telling} list the cadences")


def judge_other_destinations(sample: Sample) -> Seen:
    flows = [Dataflow.from_api(flow) for flow in sample.exports]
    if not flows:
        return untold("an export dataflow")
    others = [flow for flow in flows if flow.destination is None]
    specs = {str(mapping(flow.raw.get("flowSpec")).get("id")) for flow in others}
    return either(
        not others,
        "all exports go by one of six flow specs",
        f"{count(len(others), 'export')} by {len(specs)} other flow specs",
    )
