"""When an empty listing of the Catalog is proof that nothing was ingested.

A listing is also empty if the Catalog reads the window in another unit, or shows this credential no batches.
So an empty listing is believed once a listing with such a window has shown any batch at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from airflow_provider_aep.flowservice.exchange import Exchange, recall
from airflow_provider_aep.flowservice.ingestion import Batch, list_batches
from airflow_provider_aep.monitoring.owing import Ingested

# How far back a batch of any dataset is proof enough.
FURTHEST = timedelta(days=31)
UNPROVEN = "the Catalog lists no batch of any dataset in a month, so an empty listing proves nothing"
_WINDOWS_WORK = "the Catalog lists the batches of a window"


def believes_windows(read: Iterable[Ingested], *, until: datetime, may_ask: bool) -> Exchange[bool]:
    """Whether an empty listing of batches means that there are none.

    :param read: what was listed of some datasets.
    :param may_ask: whether a request may be sent, which is needed once in a while.
    :raises AepApiError: the credential may not see batches.
    """
    habits = yield from recall()
    seen = any(_shows_one(one.batches) for one in read)
    if not seen and not habits.holds(_WINDOWS_WORK) and may_ask:
        listed = yield from list_batches(
            (), created_after=until - FURTHEST, created_before=until, most_pages=1
        )
        seen = _shows_one(listed.found)
    if seen:
        habits.note(_WINDOWS_WORK, warn=False)
    return habits.holds(_WINDOWS_WORK)


def _shows_one(found: Iterable[Batch]) -> bool:
    """Whether a batch has the time at which it was opened, which an error in place of a batch lacks."""
    return any(batch.created_at for batch in found)
