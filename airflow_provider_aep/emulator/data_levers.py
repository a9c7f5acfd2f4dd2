"""The levers of the emulator over what lies in the data lake: datasets, their batches and rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from airflow_provider_aep.emulator.bounds import CREATED, MOMENT, ROWS
from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.lake import Dataset, Lake


class DataLevers:
    """A part of ``Emulator``."""

    clock: Clock
    _lake: Lake
    _lock: threading.RLock
    _now: Callable[[], AbstractContextManager[None]]

    def add_rows(self, dataset_id: str, rows: int) -> None:
        """Ingest rows now, in a batch of their own."""
        self.add_batch(dataset_id, rows=rows)

    def add_batch(
        self,
        dataset_id: str,
        *,
        rows: int = 0,
        status: str = "success",
        opened: float | None = None,
        completed: float | None = None,
        **members: Any,
    ) -> str:
        """The id of a batch of any kind; its rows are there from its end on, if it is a success.

        :param opened: in seconds of the clock, by default now; with no ``completed`` it is over at once, and
            with a ``status`` that is no end it is never over. It shows once its moment has come.
        :param members: what its document says beside the usual, or in its place, such as ``metrics``,
            ``errors``, ``replay`` and ``tags``; ``None`` takes a member away.
        :raises ValueError: an argument is out of its bounds; the message starts with its name.
        :raises KeyError: no sandbox has the dataset.
        """
        ROWS.check("rows", rows)
        for name, moment in (("opened", opened), ("completed", completed)):
            if moment is not None:
                MOMENT.check(name, moment)
        if not isinstance(status, str):
            raise ValueError("status must be a word.")
        if members.get("created") is not None and members["created"] not in CREATED:
            raise ValueError(f"created must be {CREATED}, in epoch milliseconds.")
        if opened is None:
            opened = self.clock() if completed is None else min(completed, self.clock())
        with self._now():
            return self._lake.add_batch(
                dataset_id, opened=opened, completed=completed, rows=rows, status=status, members=members
            ).id

    def delete_dataset(self, dataset_id: str) -> None:
        with self._now():
            self._lake.remove(dataset_id)

    def expire_dataset(self, dataset_id: str, at: float) -> None:
        """Let a dataset be deleted at a moment of the clock, as an expiration that is set on it does.

        Source: "Dataset expirations": then it is dropped from the lake. Assumed: at that very moment; and the
        Catalog, whose documents name no expiration of a whole dataset, tells nothing before.
        """
        MOMENT.check("at", at)
        with self._now():
            self._lake.anywhere(dataset_id).expires = at

    def label_dataset(self, dataset_id: str) -> None:
        """Keep a dataset from the credential, in the Catalog, by an access label."""
        with self._now():
            self._lake.hide(dataset_id)

    def add_dataset(
        self, name: str, *, kind: str = "profile", rows: int = 100, hourly: int = 10, sandbox: str = "prod"
    ) -> Dataset:
        with self._lock:
            dataset = Dataset(self._lake.new_id(name), name, kind, rows, hourly)
            self._lake.add(dataset, sandbox)
            return dataset

    def datasets(self, sandbox: str = "prod") -> list[Dataset]:
        return self._lake.datasets(sandbox)

    def count_rows(self, dataset_id: str) -> int:
        """How many rows a dataset has now."""
        return self._lake.count(self._lake.anywhere(dataset_id), self.clock())
