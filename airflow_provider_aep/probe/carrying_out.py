"""Create an export for the checks, and remove it whatever happens in between.

Source: the same as for ``export``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.write_guard import read_sandbox_type
from airflow_provider_aep.probe.export import Left, ProbeExport
from airflow_provider_aep.probe.written import Written

T = TypeVar("T")


class Run(Protocol):
    """Runs an exchange, such as ``AepHook.run``."""

    def __call__(self, exchange: Exchange[T], /) -> T: ...


@dataclass(slots=True, kw_only=True)
class Ending:
    """How the probe's export ended.

    :param written: what was observed; ``None`` if the probe was interrupted.
    :param earlier: how many entities of earlier probes were removed.
    :param trouble: what ended it early: an error, or an interruption.
    :param left: what could not be removed.
    """

    written: Written | None = None
    earlier: int = 0
    trouble: BaseException | None = None
    left: list[Left] = field(default_factory=list)


def check_may_write(sandbox: str, typed: str | None) -> Exchange[None]:
    """Check that an export may be created: in a development sandbox, or if its name was typed out.

    :raises AepConfigError: it may not.
    """
    if typed is not None:
        if typed != sandbox:
            raise AepConfigError(
                f"--confirm-sandbox names another sandbox than {sandbox!r}, the one in use. Nothing was "
                "written"
            )
        return
    kind, doubt = yield from read_sandbox_type(sandbox)
    if kind == "development" and doubt is None:
        return
    why = f"the Sandbox API calls it {kind!r}" if doubt is None else "the Sandbox API does not show its type"
    raise AepConfigError(
        f"sandbox {sandbox!r} is not known as a development sandbox: {why}. Nothing was written. To make an "
        f"export there that never runs, type its name: --confirm-sandbox {sandbox}"
    )


def carry_out(run: Run, export: ProbeExport, *, say: Callable[[str], Any]) -> Ending:
    """Remove what earlier probes left, create the export, and remove it, even after Ctrl-C or an error.

    :param say: called with a message about the removal, if something went wrong.
    """
    ending = Ending()
    try:
        ending.earlier = run(export.remove_earlier())
        ending.written = run(export.live())
    except BaseException as trouble:
        ending.trouble = trouble
    if export.remains():
        say("removing what the probe created; interrupt again to leave it and list it")
        try:
            run(export.remove_all())
        except BaseException as trouble:
            ending.trouble = ending.trouble or trouble
    ending.left = export.remains()
    return ending
