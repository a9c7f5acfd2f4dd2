"""The OpenLineage of an export: which datasets it read, and where it wrote their files.

Only ``apache-airflow-providers-openlineage`` calls this module. Namespaces and names follow the storages'
URLs. An output is the folder of a dataset, not that of a run in it: lineage needs the same name every day.
The statistics are those of the run, which Adobe calls indicative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_aep.assets import is_export_asset, openlineage_name

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.locations import Location


def is_collected() -> bool:
    """Whether OpenLineage's provider is installed, and configured to send what it collects."""
    try:
        from airflow.providers.openlineage.conf import is_disabled
    except ImportError:
        return False
    return not is_disabled()


def facets_of(
    verdict: Mapping[str, Any] | None,
    location: Location | None,
    *,
    org: str | None = None,
    outlets: Iterable[object] = (),
) -> Any:
    """The lineage of an export, as an ``OperatorLineage``.

    :param verdict: as the sensor pushes it; ``None`` if the runs were not judged.
    :param location: where the dataflow delivers; ``None`` if that could not be read.
    :param org: the organization, as the connection names it.
    :param outlets: those of the task; if one is an ``aep`` asset, it names the input.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import (
        OperatorLineage,
    )

    inputs = dict.fromkeys(_inputs(verdict or {}, location, org, outlets))
    folders = location.folders(None, (verdict or {}).get("dataset_ids") or ()) if location else []
    places = dict.fromkeys(_place(folder.url) for folder in folders)
    # The counts cover all runs and datasets together, so they cannot be assigned to one of several folders.
    facets = {}
    if verdict and len(places) == 1:
        facets["outputStatistics"] = OutputStatisticsOutputDatasetFacet(
            rowCount=verdict.get("records_out"), size=verdict.get("bytes"), fileCount=verdict.get("files")
        )
    return OperatorLineage(
        inputs=[Dataset(namespace=namespace, name=name) for namespace, name in inputs],
        outputs=[
            OutputDataset(namespace=namespace, name=name, outputFacets=dict(facets))
            for namespace, name in places
        ],
    )


def _inputs(
    verdict: Mapping[str, Any], location: Location | None, org: str | None, outlets: Iterable[object]
) -> Iterable[tuple[str, str]]:
    if named := [openlineage_name(outlet.uri) for outlet in outlets if is_export_asset(outlet)]:  # type: ignore[attr-defined]
        return named
    sandbox = verdict.get("sandbox") or (location.sandbox if location else "")
    ids = verdict.get("dataset_ids") or (location.dataset_ids if location else ())
    namespace = f"aep://{(org or '').removesuffix('@AdobeOrg')}/{sandbox}"
    return [(namespace, dataset_id) for dataset_id in ids] if org and sandbox else []


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/") or "/"
