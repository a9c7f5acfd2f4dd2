"""The names of datasets, which requests need beside the ids, for source connections about to be created.

Source: Adobe's OpenAPI of destinations requires ``name`` beside ``dataSetId``; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.flowservice.datasets import Dataset, list_for_names, names_of
from airflow_provider_aep.flowservice.exchange import Exchange


def name_datasets(outcomes: Sequence[Outcome], *, listed: Sequence[Dataset] | None) -> Exchange[None]:
    """Complete the names of datasets in plans, with at most one listing, and none if all are known.

    :param listed: the exportable datasets, if they were read already.
    """
    needy = [outcome for outcome in outcomes if not outcome.error and _lacks_names(outcome)]
    if not needy:
        return
    try:
        datasets = listed if listed is not None else (yield from list_for_names())
    except AepError as error:
        for outcome in needy:
            outcome.error = error
        return
    for outcome in needy:
        assert outcome.plan is not None  # it has no error
        nameless = {
            f"/datasets/{index}": dataset_id
            for index, (dataset_id, name) in enumerate(outcome.datasets.items())
            if name is None
        }
        try:
            names = names_of(nameless, datasets)
        except AepError as error:
            outcome.error = error
        else:
            outcome.plan = replace(outcome.plan, datasets={**outcome.datasets, **names})


def _lacks_names(outcome: Outcome) -> bool:
    step = outcome.step("source connection")
    return step.id is None and step.action != "keep" and None in outcome.datasets.values()
