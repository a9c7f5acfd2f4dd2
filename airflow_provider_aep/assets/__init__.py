"""Datasets of Adobe Experience Platform as Airflow assets, and the contents of their asset events.

The URI of a dataset, and of one of its exports, in the form that Airflow keeps::

    aep://<organization>/<sandbox>/dataset/<dataset>
    aep://<organization>/<sandbox>/dataset/<dataset>/<export>

The organization is written without ``@AdobeOrg``: the part of a URI before an ``@`` is a login, which
Airflow drops. Dataset is an id or a name, export the name of a dataflow; both may contain any character, and
are percent-encoded. An asset only names data; it is not checked against the sandbox.
"""

# Airflow imports this module wherever an asset of any scheme is created, so importing it must be cheap.
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow_provider_aep.errors import AepValidationError, Problem

if TYPE_CHECKING:
    from airflow_provider_aep._airflow import Asset
    from airflow_provider_aep.flowservice.locations import Folder, Location
    from airflow_provider_aep.flowservice.run_record import DataflowRun

__all__ = ["asset_to_openlineage", "asset_uri", "create_asset", "export_asset", "sanitize_uri"]

SCHEME = "aep"
ORG_SUFFIX = "@AdobeOrg"
# The longest that Airflow 3 stores.
LONGEST_URI = 1500

_ORG = re.compile(r"[0-9A-Za-z]+")
_SANDBOX = re.compile(r"[a-z0-9][a-z0-9-]{0,255}")


def export_asset(
    *,
    org: str,
    sandbox: str,
    dataset: str,
    export: str | None = None,
    name: str | None = None,
    extra: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Asset:
    """An asset for ``outlets=[...]`` of a sensor and ``schedule=[...]`` of a DAG.

    :param org: the organization, as in ``1234567890ABCDEF@AdobeOrg``.
    :param sandbox: the sandbox.
    :param dataset: id or name of the dataset; write it the same everywhere, as the two make two assets.
    :param export: name of the dataflow, where a dataset has several exports.
    :param name: the asset's name, by default its URI; Airflow 2 knows no names.
    :param kwargs: other arguments of Airflow's ``Asset``, such as ``watchers`` on Airflow 3.
    :raises AepValidationError: a part is missing or malformed.
    """
    from airflow_provider_aep._airflow import AIRFLOW_V_3_0_PLUS, Asset

    uri = asset_uri(org=org, sandbox=sandbox, dataset=dataset, export=export)
    given: dict[str, Any] = {"uri": uri, "extra": extra, **kwargs}
    if name and AIRFLOW_V_3_0_PLUS:
        given["name"] = name
    asset: Asset = Asset(**given)
    return asset


def create_asset(
    *,
    org: str,
    sandbox: str,
    dataset: str,
    export: str | None = None,
    extra: dict[str, Any] | None = None,
) -> Asset:
    """Airflow calls this to create an asset when a hook reports one by its parts."""
    return export_asset(org=org, sandbox=sandbox, dataset=dataset, export=export, extra=extra)


def asset_uri(*, org: str, sandbox: str, dataset: str, export: str | None = None) -> str:
    """The URI of a dataset, or of one of its exports.

    :raises AepValidationError: a part is missing or malformed.
    """
    uri = "/".join(_parts(org, sandbox, dataset, export))
    if len(uri) > LONGEST_URI:
        raise AepValidationError(
            "the asset", [Problem("dataset", f"makes the URI longer than {LONGEST_URI} characters")]
        )
    return uri


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """The normal form of an ``aep`` URI, for Airflow's registry of schemes.

    :raises ValueError: it has another form.
    """
    parts = [unquote(part) for part in uri.path.split("/")[1:]]
    if uri.query or len(parts) not in (3, 4) or parts[1] != "dataset":
        raise ValueError(
            "an aep URI must be aep://<organization>/<sandbox>/dataset/<dataset> or "
            "aep://<organization>/<sandbox>/dataset/<dataset>/<export>"
        )
    # Airflow 2 passes only the part after an @: then the organization is lost.
    if uri.netloc == ORG_SUFFIX[1:]:
        raise ValueError("the organization of an aep URI goes without its @AdobeOrg")
    try:
        sanitized = _parts(unquote(uri.netloc), parts[0], *parts[2:])
    except AepValidationError as error:
        raise ValueError(str(error)) from None
    return urlsplit("/".join(sanitized))


def is_export_asset(outlet: object) -> bool:
    """Whether an outlet is an asset of the scheme ``aep``."""
    from airflow_provider_aep._airflow import Asset

    return isinstance(outlet, Asset) and urlsplit(outlet.uri).scheme == SCHEME


def asset_to_openlineage(asset: Asset, lineage_context: Any) -> Any:
    """An ``aep`` asset as a dataset of OpenLineage."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    namespace, name = openlineage_name(asset.uri)
    return Dataset(namespace=namespace, name=name)


def openlineage_name(uri: str) -> tuple[str, str]:
    """Namespace and name of a dataset in OpenLineage: ``aep://<organization>/<sandbox>``, and the dataset.

    The export is left out: it moves the data of the dataset, and has none of its own.
    """
    parts = urlsplit(uri)
    _, sandbox, _, dataset = parts.path.split("/")[:4]
    return f"{SCHEME}://{parts.netloc}/{sandbox}", unquote(dataset)


def asset_event_extra(
    verdict: Mapping[str, Any],
    location: Location | None,
    runs: Sequence[DataflowRun] = (),
    *,
    tick: datetime | None = None,
) -> dict[str, Any]:
    """The extra of an asset event about an export: plain JSON.

    :param verdict: as the sensor pushes it.
    :param location: where the dataflow delivers; ``None`` if that could not be read.
    :param runs: the judged runs. The files of each are in folders of their own; by default there is one
        folder for each dataset, as for one run.
    :param tick: the tick that the runs are for, if known: folders are named after its time. Otherwise the
        time of the run's start is used, which is exact if the run started at its tick.
    """
    folders: dict[str, Folder] = {}
    exact = True
    for status, records, started_at, dataset_ids in _exports(verdict, runs):
        if location and status not in ("failed", "unknown") and records != 0:
            at, sure = location.folder_time(started_at, tick)
            exact = exact and sure
            folders |= {folder.url: folder for folder in location.folders(at, dataset_ids)}
    return {
        "run_ids": list(verdict.get("run_ids") or ()),
        "dataflow_id": verdict.get("dataflow_id"),
        "dataflow_name": verdict.get("dataflow_name"),
        "status": verdict.get("status"),
        "records": verdict.get("records_out"),
        "bytes": verdict.get("bytes"),
        "files": verdict.get("files"),
        "file_type": location.file_type if location else None,
        "paths": list(folders),
        "exact": bool(folders) and exact and all(folder.exact for folder in folders.values()),
        "window": {"started_at": verdict.get("started_at"), "completed_at": verdict.get("completed_at")},
    }


def emit_asset_events(context: Any, outlets: Iterable[object], extra: Mapping[str, Any]) -> None:
    """Add the extra to the events of those outlets that are ``aep`` assets.

    Airflow itself sends the events, one for each outlet of a task that succeeds.
    """
    for outlet in outlets:
        if is_export_asset(outlet):
            context["outlet_events"][outlet].extra.update(extra)


class _HashableDict(dict[str, Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def hashable(value: Any) -> Any:
    """The same plain JSON, in forms that Airflow 2 can put into a set.

    Airflow 2 does so with the extra of an alias's event after the task has succeeded: a list in it would
    end the process of the task.
    """
    if isinstance(value, Mapping):
        return _HashableDict({name: hashable(item) for name, item in value.items()})
    return tuple(map(hashable, value)) if isinstance(value, list | tuple) else value


Export = tuple[str, int | None, datetime | None, Sequence[str]]


def _exports(verdict: Mapping[str, Any], runs: Sequence[DataflowRun]) -> list[Export]:
    """Status, records, start and datasets of each run."""
    if runs:
        return [(str(run.status), run.records_out, run.started_at, run.dataset_ids) for run in runs]
    started_at = verdict.get("started_at")
    start = datetime.fromisoformat(started_at) if started_at else None
    return [(str(verdict.get("status")), verdict.get("records_out"), start, verdict.get("dataset_ids") or ())]


def _parts(org: object, sandbox: object, dataset: object, export: object = None) -> list[str]:
    problems = []
    org = org.removesuffix(ORG_SUFFIX) if isinstance(org, str) else ""
    if not _ORG.fullmatch(org):
        problems.append(Problem("org", "must be letters and digits, with or without @AdobeOrg"))
    if not isinstance(sandbox, str) or not _SANDBOX.fullmatch(sandbox):
        problems.append(Problem("sandbox", "must be a sandbox name: lower-case letters, digits and hyphens"))
    names = []
    for field, value in (("dataset", dataset), ("export", export)):
        if field == "export" and value is None:
            continue
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            problems.append(Problem(field, "must be a text without line breaks or control characters"))
        else:
            names.append(quote(value, safe=""))
    if problems:
        raise AepValidationError("the asset", problems)
    return [f"{SCHEME}:/", org, str(sandbox), "dataset", *names]
