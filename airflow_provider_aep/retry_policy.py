"""Which failed tasks are worth a retry, for the ``retry_policy`` that every task takes from Airflow 3.3 on::

    with DAG(..., default_args={"retries": 3, "retry_policy": AEP_RETRY_POLICY}):

Before Airflow 3.3 it is ``None``, which ``default_args`` may hold: Airflow ignores arguments that no operator
takes. Airflow never consults the policy about its own ``AirflowFailException`` and ``AirflowSensorTimeout``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepAuthError,
    AepConfigError,
    AepNotFoundError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
    AepUnsafePlanError,
    AepUnseenError,
    AepValidationError,
    AepWriteRefusedError,
)
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy

__all__ = ["AEP_RETRY_POLICY"]

# Each request was retried for about half a minute before the task failed.
SHORT_DELAY = timedelta(minutes=1)
# Some gateways ask for days; a retry after an hour checks whether the limit is still in force.
LONGEST_DELAY = timedelta(hours=1)

AEP_RETRY_POLICY: RetryPolicy | None = None
"""No retry for permanent errors, an early one for outages, and after a 429 one at the time that Adobe names.

All other errors are retried as the task is configured; ``retries`` is the limit for all.
"""

try:
    from airflow_provider_aep._airflow import (
        ExceptionRetryPolicy,
        RetryAction,
        RetryDecision,
        RetryRule,
    )
except ImportError:  # before Airflow 3.3
    pass
else:

    class AepRetryPolicy(ExceptionRetryPolicy):
        """Airflow's policy by exception class, which also heeds the wait that a 429 asks for."""

        def evaluate(self, exception: BaseException, *args: Any, **kwargs: Any) -> RetryDecision:
            if isinstance(exception, AepRateLimitError) and exception.retry_after is not None:
                asked = exception.retry_after
                delay = timedelta(seconds=min(asked, LONGEST_DELAY.total_seconds()))
                return RetryDecision.retry(delay, f"Adobe asked to wait {span_words(asked)}")
            return super().evaluate(exception, *args, **kwargs)

    def _fail(reason: str, *errors: type[BaseException] | str) -> RetryRule:
        return RetryRule(exception=list(errors), action=RetryAction.FAIL, reason=reason)

    AEP_RETRY_POLICY = AepRetryPolicy(
        rules=[
            _fail(
                "the configuration or an argument must be corrected first", AepConfigError, AepValidationError
            ),
            _fail("the connection may not write there", AepWriteRefusedError),
            _fail("a person must decide", AepUnsafePlanError, AepAmbiguousNameError, AepUnseenError),
            _fail("Adobe knows no such entity", AepNotFoundError),
            _fail("Adobe refuses the credential", AepAuthError),
            RetryRule(exception=AepRateLimitError, reason="too many requests"),
            RetryRule(
                exception=[AepServerError, AepTransportError],
                retry_delay=SHORT_DELAY,
                reason="trouble at Adobe or on the way to it",
            ),
        ]
    )
