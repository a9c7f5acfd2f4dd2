"""What a connection may change: everything, only development sandboxes, or nothing.

The rule goes by the method: every request but a GET counts as a write. The token request is no write and is
not checked here. A sandbox whose type cannot be read is closed to writes.

Source: Sandbox API reference, "Look up a sandbox" (``type`` is ``development`` or ``production``), read
2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args
from urllib.parse import quote

from airflow_provider_aep.errors import AepConfigError, AepError, AepWriteRefusedError

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.exchange import Exchange, Request

Writes = Literal["all", "development", "none"]


def check_writes(field: str, given: object) -> Writes:
    """The option ``writes``, whatever its letter case and surrounding blanks.

    :raises AepConfigError: it is none of the three words, or empty.
    """
    word = given.strip().lower() if isinstance(given, str) else None
    if word not in get_args(Writes):
        raise AepConfigError(f"{field} must be one of all, development and none")
    return cast(Writes, word)


def check_may_send(request: Request, writes: str, sandbox: str) -> Exchange[None]:
    """Check that a request may be sent. The session reads the type of a sandbox once and keeps it.

    :raises AepWriteRefusedError: it may not, or the sandbox's type is unknown.
    """
    if writes == "all" or request.method == "GET":
        return
    if writes != "development":
        raise AepWriteRefusedError(
            f"{request} was not sent to sandbox {sandbox!r}: the Airflow connection allows no writes "
            f"(extra.writes is none). Use a connection whose extra.writes is all or development.",
            sandbox,
            None,
            writes,
        )
    kind, doubt = yield from read_sandbox_type(sandbox)
    if kind == "development" and doubt is None:
        return
    seen = f"the Sandbox API says that it is {kind!r}" if doubt is None else f"its type is unknown: {doubt}"
    advice = (
        "Use a development sandbox, or a connection whose extra.writes is all."
        if doubt is None
        else "Let the credential view sandboxes, or use a connection whose extra.writes is all."
    )
    raise AepWriteRefusedError(
        f"{request} was not sent to sandbox {sandbox!r}: the Airflow connection allows writes in development "
        f"sandboxes only (extra.writes is development), and {seen.rstrip('.')}. {advice}",
        sandbox,
        kind,
        writes,
    )


def read_sandbox_type(sandbox: str) -> Exchange[tuple[str | None, str | None]]:
    """The type of a sandbox, and why it cannot be relied on, if it cannot."""
    from airflow_provider_aep.flowservice.exchange import Request

    path = f"/data/foundation/sandbox-management/sandboxes/{quote(sandbox, safe='')}"
    try:
        description = (yield Request("GET", path, keep="process")).json
    except AepError as error:
        return None, str(error)
    if description.get("name") != sandbox:
        return None, "the Sandbox API described another sandbox"
    kind = description.get("type")
    if not isinstance(kind, str) or not kind:
        return None, "the Sandbox API named no type"
    return kind, None
