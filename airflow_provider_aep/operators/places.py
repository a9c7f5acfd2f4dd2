"""Where the files of exports are, for the reader of an alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_aep.errors import without_words

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.dataflow_record import Dataflow
    from airflow_provider_aep.hooks import AepHook


class Asking(Protocol):
    """A task that can call the service, and has a log."""

    @property
    def hook(self) -> AepHook: ...
    @property
    def log(self) -> Any: ...


def places_of(task: Asking, flows: Sequence[Dataflow]) -> dict[str, str]:
    """The URL of the folder with all files of each dataflow, by its id; empty if they cannot be read."""
    from airflow_provider_aep.flowservice.locations import read_places

    if not flows:
        return {}
    try:
        return task.hook.run(read_places(flows))
    except Exception as error:
        # The places only help the reader of an alert; the alert is sent without them.
        task.log.warning("Where exports deliver cannot be read: %s", without_words(error))
        return {}
