"""The data lake: a few datasets that grow, and their rows.

Every row follows from the seed, the dataset and the row's number, so nothing is stored and two emulators
with one seed hold the same data. A dataset grows by a few rows in each hour of the schedule; how many is
also drawn from the seed, so that histories look like histories.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]
# So many hours of growth are drawn, about 14 months of a schedule; later ones are all the average. A clock
# that leaps a century would otherwise keep everybody waiting.
HOURS_DRAWN = 10_000
BEGINNING = datetime(2025, 6, 1, tzinfo=UTC)


@dataclass(slots=True)
class Dataset:
    """One dataset.

    :param rows: how many rows it begins with, and those that were added by hand.
    :param hourly: how many it gains in an hour of the schedule, on average; 0 for one that never grows.
    :param kind: what a row looks like: ``profile``, ``event``, ``order``, ``loyalty`` or ``product``.
    :param schema: the id of its schema; by default one of its kind.
    """

    id: str
    name: str
    kind: str
    rows: int
    hourly: int
    description: str = ""
    schema: str = ""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that were ingested together. Times are seconds of the clock.

    :param completed: when it ended; ``None`` where that is told nowhere.
    :param members: what its document says beside, or in place of, the usual.
    """

    id: str
    opened: float
    completed: float | None
    rows: int = 0
    status: str = "success"
    members: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts_from(self) -> float | None:
        """From when on its rows are in the dataset."""
        return self.completed if self.status in ("success", "active") else None


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

    @property
    def origin(self) -> float:
        return self._origin

    def shown(self, sandbox: str) -> list[Dataset]:
        """The datasets that the credential may see."""
        return [each for each in self.datasets(sandbox) if each.id not in self._hidden]

    def hide(self, dataset_id: str) -> None:
        """Keep a dataset from the Catalog, as an access label does."""
        self._hidden.add(self.anywhere(dataset_id).id)

    def remove(self, dataset_id: str) -> None:
        self.anywhere(dataset_id)
        for datasets in self._datasets.values():
            datasets.pop(dataset_id, None)

    def add_batch(self, dataset_id: str, batch: Batch) -> None:
        self._added.setdefault(self.anywhere(dataset_id).id, []).append(batch)

    def batch_id(self, dataset_id: str) -> str:
        return _hex(f"{dataset_id}:added:{len(self._added.get(dataset_id, ()))}")

    def batches(
        self, dataset: Dataset, after: float | None = None, before: float | None = None
    ) -> Iterator[Batch]:
        """Those that were opened between two moments, both exclusive: one with the rows that a dataset begins
        with, one for each hour in which it grew, and those that were added by hand.
        """
        # Assumed: a batch takes the tenth part of an hour.
        lead = self._hour / 10
        begun = Batch(
            id=_hex(f"{dataset.id}:begun"),
            opened=self._origin - 30 * 24 * self._hour,
            completed=self._origin - 30 * 24 * self._hour + lead,
            rows=dataset.rows,
        )
        first = 1 if after is None else max(1, int((after - self._origin) / self._hour))
        last = HOURS_DRAWN if before is None else int((before - self._origin) / self._hour) + 2
        grown = [
            Batch(id=_hex(f"{dataset.id}:h{hour}"), opened=ends - lead, completed=ends, rows=gain)
            for hour in range(first, min(last, HOURS_DRAWN) if dataset.hourly else first)
            if (gain := self._gain(dataset, hour)) and (ends := self._origin + hour * self._hour)
        ]
        for batch in (begun, *grown, *self._added.get(dataset.id, ())):
            if (after is None or batch.opened > after) and (before is None or batch.opened < before):
                yield batch

    def count(self, dataset: Dataset, at: float) -> int:
        """How many rows a dataset has at a moment of the clock."""
        # A tick falls on whole hours; the small number keeps a float's last digit from losing one.
        hours = max(0, int((at - self._origin) / self._hour + 1e-6))
        grown = self._grown.setdefault(dataset.id, [0])
        drawn = min(hours, HOURS_DRAWN)
        while len(grown) <= drawn:
            grown.append(grown[-1] + self._gain(dataset, len(grown)))
        added = sum(
            batch.rows
            for batch in self._added.get(dataset.id, ())
            if batch.counts_from is not None and batch.counts_from <= at
        )
        return dataset.rows + grown[drawn] + (hours - drawn) * dataset.hourly + added

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
