"""Sensors: wait for runs of a dataflow and judge them; wait for data that come into a dataset."""

from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors.exports import AepExportsSensor
from airflow_provider_aep.sensors.ingested import AepDatasetIngestedSensor
from airflow_provider_aep.sensors.runs import AepDataflowRunSensor

__all__ = ["VERDICT_KEY", "AepDataflowRunSensor", "AepDatasetIngestedSensor", "AepExportsSensor"]
