"""What can go wrong, one class per situation that a caller can act on.

::

    AepError
     ├─ AepConfigError            the Airflow connection or an argument is incomplete; nothing was sent
     ├─ AepWriteRefusedError      the connection's ``writes`` does not allow it here; the request was not sent
     ├─ AepValidationError        .problems: every broken rule, as (pointer, message); nothing was created
     ├─ AepTransportError         no readable response; .sent: the request may have been received
     │   └─ AepAnswerError        a response that holds something else than was requested
     │       └─ AepTooLargeError  a response too large to be read
     ├─ AepApiError               status >= 300, or an unexpected shape; .status .message .code .request_id
     │   ├─ AepAuthError          401, 403, and a refused token request
     │   ├─ AepNotFoundError      404, 410, or 400 with the code 1439
     │   ├─ AepPreconditionError  412
     │   ├─ AepRateLimitError     429; .retry_after
     │   └─ AepServerError        5xx, 408, 425
     ├─ AepAmbiguousNameError     several entities could be the wanted one; .ids
     │   └─ AepConflictError      the existing entity has other content, or another owner; .ids
     ├─ AepUnseenError            the service does not show a change that it accepted; .ids
     ├─ AepOvertakenError         other writers kept changing an export; running again helps
     ├─ AepUnsafePlanError        a plan replaces something, or is out of date, and was not carried out; .plan
     ├─ AepExportsError           some of several exports failed; .errors and .results by name
     └─ AepRunFailedError         a dataflow run ended in a way that the run policy calls a failure; .verdict

No message ever quotes a secret: messages name fields, rules, statuses and ids.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

__all__ = [
    "AepAmbiguousNameError",
    "AepAnswerError",
    "AepApiError",
    "AepAuthError",
    "AepConfigError",
    "AepConflictError",
    "AepError",
    "AepExportsError",
    "AepNotFoundError",
    "AepOvertakenError",
    "AepPreconditionError",
    "AepRateLimitError",
    "AepRunFailedError",
    "AepServerError",
    "AepTooLargeError",
    "AepTransportError",
    "AepUnsafePlanError",
    "AepUnseenError",
    "AepValidationError",
    "AepWriteRefusedError",
    "Problem",
]


class AepError(Exception):
    """Base of every error that this provider raises on purpose."""


class AepConfigError(AepError):
    """The Airflow connection or an argument is incomplete or wrong; nothing was sent."""


class AepWriteRefusedError(AepError):
    """The connection's ``writes`` option does not allow a request in this sandbox; it was not sent.

    :param sandbox: where it would have gone.
    :param sandbox_type: from the Sandbox API; ``None`` if it was not requested or could not be read.
    :param writes: the option, ``development`` or ``none``.
    """

    def __init__(self, message: str, sandbox: str, sandbox_type: str | None, writes: str) -> None:
        super().__init__(message)
        self.sandbox, self.sandbox_type, self.writes = sandbox, sandbox_type, writes

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.sandbox, self.sandbox_type, self.writes)


class Problem(NamedTuple):
    """One broken rule: where (a JSON pointer or an argument name) and what, never the value."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer} {self.message}"


class AepValidationError(AepError):
    """Input breaks one or more rules; nothing was created.

    :param what: what was checked, as in "the Amazon S3 login".
    :param problems: every broken rule.
    :param advice: where to correct it.
    """

    def __init__(self, what: str, problems: Iterable[Problem], advice: str = "") -> None:
        self.what, self.problems, self.advice = what, tuple(problems), advice
        count = len(self.problems)
        rules = "; ".join(map(str, self.problems))
        text = f"{count} problem{'' if count == 1 else 's'} with {what}: {rules}."
        super().__init__(f"{text} {advice}".rstrip())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.problems, self.advice)


class AepTransportError(AepError):
    """No response arrived, or none that can be read.

    :param sent: whether the service may have received, and acted on, the request.
    """

    def __init__(self, message: str, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.sent)


class AepAnswerError(AepTransportError):
    """A response arrived that holds something else than was requested."""


class AepTooLargeError(AepAnswerError):
    """A response arrived that is too large to be read; the request is not retried."""


class AepApiError(AepError):
    """The service answered with a status of 300 or more.

    :param doing: the request, as in "POST /flows".
    :param status: the HTTP status.
    :param message: the service's own words, shortened.
    :param code: Adobe's code, such as ``FLOW-1439-404`` or ``401013``.
    :param request_id: the id that Adobe's support asks for.
    :param retry_after: seconds that the service asked to wait, if it did.
    """

    def __init__(
        self,
        *,
        doing: str,
        status: int,
        message: str,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        self.given = {
            "doing": doing,
            "status": status,
            "message": message,
            "code": code,
            "request_id": request_id,
            "retry_after": retry_after,
            "hint": hint,
        }
        self.doing, self.status, self.message = doing, status, message
        self.code, self.request_id, self.retry_after, self.hint = code, request_id, retry_after, hint
        named = "".join(
            f", {label} {value}" for label, value in (("code", code), ("request id", request_id)) if value
        )
        text = f"{doing} answered {status}{named}: {message}"
        super().__init__(f"{text.rstrip('.')}. {hint}" if hint else text)

    def with_hint(self, hint: str) -> Self:
        """The same error, with a hint on what to do about it."""
        arguments: dict[str, Any] = {**self.given, "hint": hint}
        return type(self)(**arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        # Airflow pickles exceptions between processes; keyword-only arguments need this.
        return _rebuild, (type(self), self.given)


class AepAuthError(AepApiError):
    """401 or 403, or the token request was refused."""


class AepNotFoundError(AepApiError):
    """404, 410, or 400 with the code 1439: the entity does not exist, or the credential may not see it."""


class AepPreconditionError(AepApiError):
    """412: the entity changed since its etag was read."""


class AepRateLimitError(AepApiError):
    """429, after the polite number of retries."""


class AepServerError(AepApiError):
    """5xx, or 408 or 425, after the polite number of retries."""


# The service is down, busy or unreachable: worth a retry.
OUTAGES = (AepServerError, AepRateLimitError, AepTransportError)


class AepAmbiguousNameError(AepError):
    """Several entities could be the wanted one."""

    def __init__(self, message: str, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.ids)


class AepConflictError(AepAmbiguousNameError):
    """The existing entity differs from the wanted one, or belongs to somebody else."""


class AepUnseenError(AepError):
    """A created entity is not listed, or a deleted one still is, for longer than listings lag behind.

    :param ids: the entities; they must be taken neither for absent nor for present.
    """

    def __init__(self, message: str, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.ids)


class AepOvertakenError(AepError):
    """Other writers changed an export's entities faster than this one could, several times in a row."""


class AepUnsafePlanError(AepError):
    """A plan that is carried out only if the caller confirms it.

    :param plan: the plan, as plain JSON.
    """

    def __init__(self, message: str, plan: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.plan = dict(plan)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.plan)


class AepExportsError(AepError):
    """Some of several exports could not be brought to their specs; the others were.

    :param errors: the error of each failed export, by its name.
    :param results: what was done for each export, failed ones included.
    """

    def __init__(self, message: str, errors: Mapping[str, str], results: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.errors, self.results = dict(errors), list(results)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.errors, self.results)


class AepRunFailedError(AepError):
    """A dataflow run ended badly under the run policy.

    :param verdict: the verdict, as plain JSON.
    """

    def __init__(self, message: str, verdict: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.verdict = dict(verdict)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.verdict)


def _rebuild(kind: type[AepApiError], given: dict[str, Any]) -> AepApiError:
    return kind(**given)


def error_to_json(error: AepError) -> dict[str, Any]:
    """An error as plain JSON, for a trigger's event; ``error_from_json`` restores it with its class."""
    args = [error.given] if isinstance(error, AepApiError) else list(tuple(error.__reduce__())[1])
    return {"class": type(error).__name__, "args": args}


def error_from_json(told: Mapping[str, Any]) -> AepError:
    """The error that ``error_to_json`` described; a plain ``AepError`` for a class that is not ours."""
    kind, args = globals().get(str(told.get("class"))), told.get("args")
    try:
        return _revive(kind, args)
    except (TypeError, ValueError, IndexError, KeyError):
        return AepError(f"{told.get('class')}: {args}")


def _revive(kind: Any, args: Any) -> AepError:
    if not (isinstance(kind, type) and issubclass(kind, AepError)):
        return AepError(*map(str, args))
    if issubclass(kind, AepApiError):
        return kind(**args[0])
    if issubclass(kind, AepValidationError):
        what, problems, advice = args
        return kind(what, [Problem(*problem) for problem in problems], advice)
    return kind(*args)


def without_words(error: Exception) -> str:
    """An error's class and place; its message only if it is ours, because others may quote a secret."""
    if isinstance(error, AepError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
