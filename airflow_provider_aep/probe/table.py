"""All assumptions, in the order of the report."""

from __future__ import annotations

from airflow_provider_aep.probe.assumption import Assumption
from airflow_provider_aep.probe.rows_reading import ACCESS, ASKING, READING
from airflow_provider_aep.probe.rows_runs import INGESTED, RUNS
from airflow_provider_aep.probe.rows_writing import CHANGING, MAKING, REMOVING

ASSUMPTIONS: tuple[Assumption, ...] = (
    *ACCESS,
    *ASKING,
    *READING,
    *RUNS,
    *INGESTED,
    *MAKING,
    *CHANGING,
    *REMOVING,
)
