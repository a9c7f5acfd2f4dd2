"""Checks of the Catalog: whether it shows batches and datasets as the explanation of empty runs needs them.

Only the newest page of batches of one exported dataset is read. No ids or names are reported.

Source: Catalog Service API reference; "Filter Catalog data using query parameters"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.documents import count_of, mapping, values_at
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.ingestion import CATALOG_PATH, LARGEST_PAGE, LEAST_PAGE
from airflow_provider_aep.probe.asking import Params, ask
from airflow_provider_aep.probe.sample import Sample
from airflow_provider_aep.probe.words import Seen, assumed, count, differs, untold, words_of

Batches = Mapping[str, Mapping[str, Any]]
MEMBERS = ("created", "completed", "metrics", "recordCount", "relatedObjects", "status")
NOT_THERE = "ffffffffffffffffffffffff"
NO_DATASET = "an exported dataset that has several batches"
# How many datasets are searched for one with batches.
MOST_DATASETS = 5


def look_at_batches(sample: Sample) -> Exchange[Seen]:
    """The newest batches of a dataset: their shape, order, members and counts."""
    for dataset_id in _datasets(sample):
        batches = yield from _list(dataset_id)
        if isinstance(batches, Seen):
            return batches
        if len(batches) < 2:
            continue  # too few to show an order
        if len(batches) == LEAST_PAGE:
            more = yield from _list(dataset_id, ("start", LEAST_PAGE))
            if more and not isinstance(more, Seen):
                return differs(f"a page holds {count(LEAST_PAGE, 'batch')}es, although more were asked for")
        return _judge(batches)
    return untold(NO_DATASET)


def _judge(batches: Batches) -> Seen:
    if any(batch.keys() - set(MEMBERS) for batch in batches.values()):
        return differs("members come back that were not asked for")
    if any(older < newer for older, newer in pairwise(map(_created, batches.values()))):
        return differs("they are not in the order that was asked for")
    good = [batch for batch in batches.values() if batch.get("status") == "success"]
    counted = [
        batch
        for batch in good
        if count_of(mapping(batch.get("metrics")).get("outputRecordCount")) is not None
    ]
    if good and not counted:
        at_top = any(count_of(batch.get("recordCount")) is not None for batch in good)
        return differs("they only show recordCount" if at_top else "they show no record counts")
    return assumed("an object by id, the newest first, with records in metrics")


def look_at_window(sample: Sample) -> Exchange[Seen]:
    """``createdAfter`` in milliseconds, exclusive."""
    for dataset_id in _datasets(sample):
        batches = yield from _list(dataset_id)
        if isinstance(batches, Seen):
            return batches
        moments = sorted(map(_created, batches.values()))
        if not moments or moments[0] == moments[-1]:
            continue
        newer = yield from _list(dataset_id, ("createdAfter", moments[0]))
        if isinstance(newer, Seen):
            return newer
        if not newer:
            return differs("finds nothing of what is there")
        if min(map(_created, newer.values())) <= moments[0]:
            return differs("finds what is older too")
        return assumed("finds what is newer, and no other")
    return untold(NO_DATASET)


def look_at_several(sample: Sample) -> Exchange[Seen]:
    """The batches of two datasets in one request."""
    newest: dict[str, int] = {}
    for dataset_id in _datasets(sample):
        batches = yield from _list(dataset_id)
        if isinstance(batches, Seen):
            return batches
        if batches:
            newest[dataset_id] = max(map(_created, batches.values()))
        if len(newest) == 2:
            break
    else:
        return untold("two exported datasets that have batches")
    listed = yield from _list(",".join(newest), ("createdAfter", max(0, min(newest.values()) - 1)))
    if isinstance(listed, Seen):
        return listed
    shown = {value for batch in listed.values() for value in values_at(batch, "relatedObjects[].id")}
    if newest.keys() <= shown:
        return assumed("finds those of both")
    return differs("finds only those of one" if newest.keys() & shown else "finds nothing of what is there")


def look_at_catalog_datasets(sample: Sample) -> Exchange[Seen]:
    """A dataset, together with one that does not exist."""
    ids = _datasets(sample)
    if not ids:
        return untold("an exported dataset")
    for asked in ([ids[0]], [ids[0], NOT_THERE]):
        reply = yield from ask(f"{CATALOG_PATH}/dataSets/{','.join(asked)}", [("properties", "name")])
        if isinstance(reply, AepError):
            one_missing = "one that is not there makes it " if len(asked) > 1 else ""
            return differs(f"{one_missing}{words_of(reply)}")
        if not isinstance(mapping(reply.json).get(ids[0]), Mapping):
            return differs("it does not show the dataset, or not by its id")
    return assumed("an object by id, without what is not there")


def _list(dataset_ids: str, *more: tuple[str, str | int]) -> Exchange[Batches | Seen]:
    """The newest batches, or what is seen if they cannot be read."""
    asked: Params = [
        ("dataSet", dataset_ids),
        ("orderBy", "desc:created"),
        ("limit", LARGEST_PAGE),
        ("properties", ",".join(MEMBERS)),
        *more,
    ]
    reply = yield from ask(f"{CATALOG_PATH}/batches", asked)
    if isinstance(reply, AepError):
        return differs(words_of(reply))
    if not isinstance(reply.json, Mapping):
        return differs("they come as a list")
    if not all(isinstance(batch, Mapping) for batch in reply.json.values()):
        return differs("they do not come as an object by id")
    return dict(reply.json)


def _datasets(sample: Sample) -> list[str]:
    """The ids of exported datasets, each once."""
    sources = sample.of("sourceConnections")
    ids = (value for source in sources for value in values_at(source, "params.datasets[].dataSetId"))
    return list(dict.fromkeys(map(str, ids)))[:MOST_DATASETS]


def _created(batch: Mapping[str, Any]) -> int:
    return count_of(batch.get("created")) or 0
