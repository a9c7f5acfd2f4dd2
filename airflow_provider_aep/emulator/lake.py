"""The data lake: a few datasets that grow, and their rows.

Every row is computed from the seed, the dataset and the row's number, so nothing is stored and two emulators
with the same seed hold the same data. A dataset grows by a few rows in each hour of the schedule; how many is
also drawn from the seed, so that histories look realistic.

Rows come in batches: an old one for the initial rows of a dataset, one for each hour of growth (computed too,
because a clock may leap), and those that were added by hand, which alone are stored.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep.emulator.batches import ENDS, Batch

Row = dict[str, Any]
# How many hours of growth are drawn, about 14 months of a schedule; later hours all gain the average. A clock
# that leaps a century would otherwise take very long.
HOURS_DRAWN = 10_000
BEGINNING = datetime(2025, 6, 1, tzinfo=UTC)


@dataclass(slots=True)
class Dataset:
    """One dataset.

    :param rows: its initial number of rows.
    :param hourly: how many it gains in an hour of the schedule, on average; 0 for one that never grows.
    :param kind: what a row looks like: ``profile``, ``event``, ``order``, ``loyalty`` or ``product``.
    :param schema: the id of its schema; by default one of its kind.
    :param kept_for: after which time its rows expire, as the Catalog shows it (``P3M``). No row really
        expires.
    :param expires: when the whole dataset is deleted, in seconds of the clock.
    """

    id: str
    name: str
    kind: str
    rows: int
    hourly: int
    description: str = ""
    schema: str = ""
    kept_for: str = ""
    expires: float | None = None

    def to_api(self) -> dict[str, Any]:
        # Source: export datasets tutorial, the answer to "retrieve a list of available datasets".
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "fileDescription": {"persisted": True, "containerFormat": "parquet", "format": "parquet"},
            "aspect": "production",
            "state": "DRAFT",
        }


CATALOGUE = (
    ("5ef3e3259ad2a1191ab7dd7d", "CRM Profiles", "profile", 1200, 24, "people known to the CRM"),
    ("5ef3e324ab7dd7d3259a1191", "Loyalty Profiles", "loyalty", 840, 9, "members and their points"),
    ("6501aa10c2d3e4f5061728a1", "Web Events", "event", 4000, 160, "page views of the shop"),
    ("6501aa10c2d3e4f5061728a2", "Store Orders", "order", 2600, 55, "orders and their lines"),
    ("6501aa10c2d3e4f5061728a3", "Product Catalogue", "product", 310, 0, "a lookup that never grows"),
)


class Lake:
    """The datasets of every sandbox.

    :param origin: when the lake began, in seconds of the clock.
    :param hour: how many seconds of the clock an hour of the schedule lasts.
    """

    def __init__(self, *, seed: int, origin: float, hour: float, sandboxes: tuple[str, ...]) -> None:
        self._seed, self._origin, self._hour = seed, origin, hour
        self._added: dict[str, list[Batch]] = {}
        self._hidden: set[str] = set()
        self._grown: dict[str, list[int]] = {}
        self._datasets: dict[str, dict[str, Dataset]] = {name: {} for name in sandboxes}
        for position, sandbox in enumerate(sandboxes):
            for dataset_id, name, kind, rows, hourly, description in CATALOGUE:
                own_id = dataset_id if position == 0 else _hex(f"{sandbox}:{dataset_id}")
                self.add(Dataset(own_id, name, kind, rows, hourly, description), sandbox)

    def add(self, dataset: Dataset, sandbox: str) -> None:
        if dataset.kind not in ROWS:
            raise ValueError(f"No such kind of dataset: {dataset.kind!r}; choose from {', '.join(ROWS)}.")
        self._datasets[sandbox][dataset.id] = dataset

    def new_id(self, name: str) -> str:
        return _hex(f"{self._seed}:{name}:{sum(map(len, self._datasets.values()))}")

    def datasets(self, sandbox: str) -> list[Dataset]:
        return list(self._datasets[sandbox].values())

    def find(self, dataset_id: object, sandbox: str) -> Dataset | None:
        return self._datasets[sandbox].get(str(dataset_id))

    def anywhere(self, dataset_id: str) -> Dataset:
        for datasets in self._datasets.values():
            if dataset_id in datasets:
                return datasets[dataset_id]
        raise KeyError(f"No dataset {dataset_id} in any sandbox.")

    def shown(self, sandbox: str) -> list[Dataset]:
        """The datasets that the credential may see."""
        return [dataset for dataset in self.datasets(sandbox) if dataset.id not in self._hidden]

    def hide(self, dataset_id: str) -> None:
        """Hide a dataset from the Catalog, as an access label does."""
        self._hidden.add(self.anywhere(dataset_id).id)

    def remove(self, dataset_id: str) -> None:
        self.anywhere(dataset_id)
        for datasets in self._datasets.values():
            datasets.pop(dataset_id, None)

    def expire(self, now: float) -> None:
        """Delete the datasets that have expired."""
        for datasets in self._datasets.values():
            for dataset in list(datasets.values()):
                if dataset.expires is not None and dataset.expires <= now:
                    del datasets[dataset.id]

    def add_batch(
        self,
        dataset_id: str,
        *,
        opened: float,
        completed: float | None = None,
        rows: int = 0,
        status: str = "success",
        members: Mapping[str, Any] | None = None,
    ) -> Batch:
        """:param completed: by default at once, if the status is an end."""
        added = self._added.setdefault(self.anywhere(dataset_id).id, [])
        batch = Batch(
            id=_hex(f"{self._seed}:{dataset_id}:added:{len(added)}"),
            dataset_id=dataset_id,
            opened=opened,
            completed=opened if completed is None and status in ENDS else completed,
            rows=rows,
            status=status,
            members=dict(members or {}),
        )
        added.append(batch)
        return batch

    def batches(
        self, dataset: Dataset, at: float, *, after: float = -1, before: float = math.inf
    ) -> Iterator[Batch]:
        """The batches that have opened by a moment, and were created between two others, both exclusive.

        The growth is limited to the newest hours, as many as are drawn.

        :param after: epoch milliseconds, like ``before``.
        """
        until = min(at, before / 1000) + self._lead
        first, last = self._hours(after / 1000), self._hours(until)
        hours = range(max(1, first, last - HOURS_DRAWN + 1), last + 1) if dataset.hourly else ()
        grown = (self._grown_in(dataset, hour) for hour in hours)
        begun = [self._grown_in(dataset, 0)] if dataset.rows else []
        for batch in (*begun, *grown, *self._added.get(dataset.id, ())):
            if after < batch.created < before and batch.opened <= at + 1e-6:
                yield batch

    def last_batches(self, dataset: Dataset, at: float) -> list[Batch]:
        """The oldest first: the last hour of growth, and all batches that are not growth."""
        after = (at - 2 * self._hour) * 1000 if dataset.hourly else -1
        recent = {batch.id: batch for batch in self.batches(dataset, at, after=after)}
        recent |= {batch.id: batch for batch in self._added.get(dataset.id, ()) if batch.opened <= at}
        if dataset.rows:
            begun = self._grown_in(dataset, 0)
            recent[begun.id] = begun
        return sorted(recent.values(), key=lambda batch: batch.created)

    def find_batch(self, dataset: Dataset, batch_id: str, at: float) -> Batch | None:
        for batch in self._added.get(dataset.id, ()):
            if batch.id == batch_id:
                return batch if batch.opened <= at else None
        hour = batch_id[16:]
        if not re.fullmatch("[0-9a-f]{8,16}", hour) or batch_id != self._growth_id(dataset, int(hour, 16)):
            return None
        number = int(hour, 16)
        there = dataset.hourly and number <= self._hours(at + self._lead) if number else dataset.rows
        return self._grown_in(dataset, number) if there else None

    def _grown_in(self, dataset: Dataset, hour: int) -> Batch:
        """The rows that a dataset gained in an hour; in hour 0, its initial rows."""
        rows = self._gained(dataset, hour) - self._gained(dataset, hour - 1) if hour else dataset.rows
        ends = self._origin + hour * self._hour if hour else self.began + self._lead
        return Batch(
            id=self._growth_id(dataset, hour),
            dataset_id=dataset.id,
            opened=ends - self._lead,
            completed=ends,
            rows=rows,
        )

    def _growth_id(self, dataset: Dataset, hour: int) -> str:
        return f"{_hex(f'{self._seed}:{dataset.id}:growth')[:16]}{hour:08x}"

    @property
    def began(self) -> float:
        """When the first rows came: thirty days of the schedule before the emulator's clock began."""
        return max(0.0, self._origin - 30 * 24 * self._hour)

    @property
    def _lead(self) -> float:
        # Assumed: a batch takes a tenth of an hour.
        return self._hour / 10

    def _hours(self, at: float) -> int:
        # A tick falls on whole hours; the small number protects against rounding in the last digit.
        return max(0, int((at - self._origin) / self._hour + 1e-6))

    def count(self, dataset: Dataset, at: float) -> int:
        """How many rows a dataset has at a moment of the clock."""
        if dataset.expires is not None and dataset.expires <= at:
            return 0
        added = sum(batch.rows_at(at) for batch in self._added.get(dataset.id, ()))
        return dataset.rows + self._gained(dataset, self._hours(at)) + added

    def _gained(self, dataset: Dataset, hours: int) -> int:
        grown = self._grown.setdefault(dataset.id, [0])
        drawn = min(hours, HOURS_DRAWN)
        while len(grown) <= drawn:
            grown.append(grown[-1] + self._gain(dataset, len(grown)))
        return grown[drawn] + (hours - drawn) * dataset.hourly

    def row(self, dataset: Dataset, number: int) -> Row:
        return ROWS[dataset.kind](number, random.Random(f"{self._seed}:{dataset.id}:{number}"))

    def _gain(self, dataset: Dataset, hour: int) -> int:
        if not dataset.hourly:
            return 0
        spread = max(1, dataset.hourly // 4)
        return max(
            1, dataset.hourly + random.Random(f"{self._seed}:{dataset.id}:h{hour}").randint(-spread, spread)
        )


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _person(number: int, dice: random.Random) -> Row:
    first = dice.choice(("Ada", "Bao", "Chidi", "Dalia", "Eun", "Farah", "Goran", "Hana", "Ines", "Joao"))
    last = dice.choice(("Abara", "Berg", "Castro", "Duarte", "Eriksen", "Fontaine", "Ganesh", "Haddad"))
    return {
        "_id": f"crm-{number:07d}",
        "person": {"name": {"firstName": first, "lastName": last}},
        "personalEmail": {"address": f"{first}.{last}.{number}@example.com".lower()},
        "homeAddress": {"countryCode": dice.choice(("CH", "DE", "FR", "JP", "US"))},
    }


def _event(number: int, dice: random.Random) -> Row:
    return {
        "_id": f"event-{number:09d}",
        "timestamp": _moment(number * 3),
        "eventType": dice.choice(
            ("web.webpagedetails.pageViews", "commerce.productViews", "commerce.checkouts")
        ),
        "identityMap": {"ecid": f"{dice.getrandbits(96):029d}"},
        "web": {"webPageDetails": {"URL": f"https://shop.example.com/p/{dice.randrange(310)}"}},
    }


def _order(number: int, dice: random.Random) -> Row:
    lines: list[Row] = [
        {"SKU": f"sku-{dice.randrange(310):04d}", "quantity": dice.randint(1, 4), "priceTotal": _price(dice)}
        for _ in range(dice.randint(1, 3))
    ]
    total = round(sum(line["priceTotal"] for line in lines), 2)
    return {
        "_id": f"order-{number:08d}",
        "timestamp": _moment(number * 7),
        "eventType": "commerce.purchases",
        "commerce": {"order": {"purchaseID": f"P{number:08d}", "currencyCode": "EUR", "priceTotal": total}},
        "productListItems": lines,
    }


def _loyalty(number: int, dice: random.Random) -> Row:
    points = dice.randrange(20_000)
    return {
        "_id": f"member-{number:06d}",
        "loyalty": {
            "loyaltyID": [f"L{number:08d}"],
            "points": points,
            "tier": "gold" if points > 15_000 else "silver" if points > 6_000 else "bronze",
            "joinDate": _moment(number * 211),
        },
    }


def _product(number: int, dice: random.Random) -> Row:
    return {
        "_id": f"sku-{number:04d}",
        "product": {
            "name": f"Product {number}",
            "category": dice.choice(("shoes", "shirts", "packs", "tents")),
        },
        "price": {"amount": _price(dice), "currencyCode": "EUR"},
    }


def _moment(minutes: int) -> str:
    return (BEGINNING + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _price(dice: random.Random) -> float:
    return dice.randrange(500, 30_000) / 100


ROWS: dict[str, Callable[[int, random.Random], Row]] = {
    "profile": _person,
    "event": _event,
    "order": _order,
    "loyalty": _loyalty,
    "product": _product,
}
