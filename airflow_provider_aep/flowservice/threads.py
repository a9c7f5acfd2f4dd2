"""A pool of threads that are not joined, so that an interrupted task or process ends at once.

The standard library's pool joins its threads when it is left, and again when the process ends. A request that
is under way would then delay an interrupted task, or a Ctrl-C, until its response or timeout comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class DaemonThreads(Executor):
    """A pool of daemon threads, which start when they are needed.

    :param most: how many at most.
    :param name: the start of their names.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._tasks: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        end: Future[T] = Future()
        self._tasks.put(lambda: _carry_out(end, work, args, kwargs))
        with self._lock:
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
                name = f"{self._name}_{len(self._threads)}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        return end

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when the submitted work is done.

        :param wait: wait until they have ended.
        :param cancel_futures: not supported; submitted work is carried out.
        """
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _run(self) -> None:
        while self._carry_out_next():
            self._idle.release()

    def _carry_out_next(self) -> bool:
        # In a frame of its own: an idle thread must not keep alive what it has worked on.
        task = self._tasks.get()
        if task is not None:
            task()
        return task is not None


def _carry_out(end: Future[T], work: Callable[..., T], args: Any, kwargs: Any) -> None:
    if not end.set_running_or_notify_cancel():
        return
    try:
        result = work(*args, **kwargs)
    except BaseException as error:
        end.set_exception(error)
    else:
        end.set_result(result)
