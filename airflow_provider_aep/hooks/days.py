"""Where days begin at midnight."""

from __future__ import annotations

from datetime import tzinfo

from airflow_provider_aep._airflow import conf
from airflow_provider_aep.errors import AepConfigError, AepValidationError
from airflow_provider_aep.flowservice.schedule import check_zone


def zone_of_days() -> tzinfo:
    """The time zone of ``[aep] timezone``, by default of Airflow's ``[core] default_timezone``.

    :raises AepConfigError: the setting names no time zone.
    """
    name = conf.get("aep", "timezone", fallback="") or conf.get("core", "default_timezone", fallback="utc")
    try:
        return check_zone("timezone", name)
    except AepValidationError as error:
        raise AepConfigError(f"[aep] {error.problems[0]}") from None
