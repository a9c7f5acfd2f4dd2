"""Tasks whose first two tries fail, each with another error."""

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, get_current_context, task

from airflow_provider_aep.errors import AepRateLimitError, AepServerError, AepValidationError, Problem
from airflow_provider_aep.retry_policy import AEP_RETRY_POLICY

ERRORS = {
    "spec": AepValidationError("the spec", [Problem("name", "is missing")]),
    "server": AepServerError(doing="GET /flows", status=503, message="busy"),
    "limit": AepRateLimitError(doing="GET /flows", status=429, message="slow down", retry_after=0.1),
}

with DAG(
    "aep_retries",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    schedule=None,
    default_args={
        "retries": 3,
        # Nobody waits for a retry that the policy does not hasten.
        "retry_delay": timedelta(days=1) if AEP_RETRY_POLICY else timedelta(seconds=0.1),
        "retry_policy": AEP_RETRY_POLICY,
    },
) as dag:

    @task
    def fail_twice(error):
        if get_current_context()["ti"].try_number < 3:
            raise ERRORS[error]

    for each in ERRORS:
        fail_twice.override(task_id=each)(each)
