"""The names that go with the ids of datasets, for exports whose source connection is about to be created.

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
    """Complete the names of datasets in plans, by one listing at most; what has no need of it sends nothing.

    :param listed: the exportable datasets, where they were read already.
    """
    needy = [one for one in outcomes if not one.error and _sends_ids_alone(one)]
    if not needy:
        return
    try:
        datasets = listed if listed is not None else (yield from list_for_names())
    except AepError as error:
        for one in needy:
            one.error = error
        return
    for one in needy:
        assert one.plan is not None  # it has no error
        nameless = {
            f"/datasets/{index}": each
            for index, (each, name) in enumerate(one.datasets.items())
            if name is None
        }
        try:
            names = names_of(nameless, datasets)
        except AepError as error:
            one.error = error
        else:
            one.plan = replace(one.plan, datasets={**one.datasets, **names})


def _sends_ids_alone(outcome: Outcome) -> bool:
    step = outcome.step("source connection")
    return step.id is None and step.action != "keep" and None in outcome.datasets.values()
