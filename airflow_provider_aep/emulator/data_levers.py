"""The emulator's levers for the data lake: datasets, their batches and rows."""

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
        """Add a batch of any kind, and return its id; its rows appear when it ends with a success.

        :param opened: in seconds of the clock, by default now. Without ``completed`` the batch ends at once,
            or never if its ``status`` is not an end. It is listed from this time on.
        :param members: members that its document adds or replaces, such as ``metrics``, ``errors``,
            ``replay`` and ``tags``; ``None`` removes one.
        :raises ValueError: an argument is out of bounds; the message starts with its name.
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
        """Delete a dataset at a time of the clock, as a dataset expiration does.

        Source: "Dataset expirations": then it is dropped from the lake. Assumed: exactly at that time; and
        the Catalog, whose documents name no expiration of a whole dataset, does not announce it.
        """
        MOMENT.check("at", at)
        with self._now():
            self._lake.anywhere(dataset_id).expires = at

    def label_dataset(self, dataset_id: str) -> None:
        """Hide a dataset from the credential in the Catalog, as an access label does."""
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
