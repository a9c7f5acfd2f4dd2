"""Where the files of exports lie, for whoever is told that they are not well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_aep.errors import without_words

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.dataflow_record import Dataflow
    from airflow_provider_aep.hooks import AepHook


class Asking(Protocol):
    """A task that can ask the service, and has a log."""

    @property
    def hook(self) -> AepHook: ...
    @property
    def log(self) -> Any: ...


def places_of(task: Asking, flows: Sequence[Dataflow]) -> dict[str, str]:
    """The URL of the folder of all files of each dataflow, by its id; of none where that cannot be read."""
    from airflow_provider_aep.flowservice.locations import read_places

    if not flows:
        return {}
    try:
        return task.hook.run(read_places(flows))
    except Exception as error:
        # It helps whoever reads an alert, and is no reason to tell nothing.
        task.log.warning("Where exports deliver cannot be told: %s", without_words(error))
        return {}
