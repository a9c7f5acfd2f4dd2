"""Where the trigger of asset events stood before: Airflow's database may hold this path."""

from airflow_provider_aep.triggers import AepDataflowRunFinishedTrigger as AepDataflowRunFinishedTrigger
