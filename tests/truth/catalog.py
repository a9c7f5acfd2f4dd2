"""The service of a month: the listings of a world, and the Catalog of its lake beside them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from airflow_provider_aep.emulator.replies import reply
from airflow_provider_aep.errors import AepNotFoundError
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.ingestion import CATALOG_PATH
from tests.truth.lake import TrueBatch
from tests.truth.listing import LARGEST_PAGE, Service, of_json
from tests.truth.making import epoch_ms
from tests.truth.months import Month


class ServiceWithCatalog(Service):
    """What the listings of a month show at ``now``."""

    def __init__(self, month: Month) -> None:
        super().__init__(month)
        self.lake = month.lake
        self._opened = {
            dataset.id: [epoch_ms(batch.opened_at) for batch in dataset.batches]
            for dataset in month.lake.values()
        }

    def send(self, request: Request) -> Response:
        if not request.path.startswith(CATALOG_PATH):
            return super().send(request)
        assert request.method == "GET", request
        kind, _, ids = request.path.removeprefix(f"{CATALOG_PATH}/").partition("/")
        self.requests[f"/{kind}"] += 1
        if kind == "batches" and not ids:
            return self._page_of_batches(dict(request.query))
        assert kind == "dataSets", request
        shown = [each for each in ids.split(",") if each in self.lake and self.lake[each].is_there(self.now)]
        if not shown:
            raise AepNotFoundError(doing=str(request), status=404, message="no such dataset")
        return reply(200, {each: self.lake[each].document() for each in shown})

    def _page_of_batches(self, query: dict[str, str]) -> Response:
        known = {"dataSet", "createdAfter", "createdBefore", "orderBy", "limit", "start", "properties"}
        assert query.keys() <= known, query
        assert query["orderBy"] == "desc:created", query
        start, limit = int(query["start"]), int(query["limit"])
        assert 1 <= limit <= LARGEST_PAGE, query
        found: list[TrueBatch] = []
        for dataset_id in query["dataSet"].split(",") if "dataSet" in query else self.lake:
            dataset = self.lake.get(dataset_id)
            if dataset is None or not dataset.is_there(self.now):
                continue
            opened = self._opened[dataset_id]
            first = bisect_right(opened, int(query["createdAfter"]))
            last = bisect_left(opened, int(query["createdBefore"]))
            found += [each for each in dataset.batches[first:last] if each.document_at(self.now)]
        found.sort(key=lambda batch: (batch.opened_at, batch.id), reverse=True)
        page = [
            b'"%s":%s' % (each.id.encode(), each.document_at(self.now))
            for each in found[start : start + limit]
        ]
        return of_json(b"{" + b",".join(page) + b"}")
