"""The time zone of days and of moments without an offset."""

from __future__ import annotations

from datetime import datetime, tzinfo

from airflow_provider_aep._airflow import conf
from airflow_provider_aep.errors import AepConfigError, AepValidationError
from airflow_provider_aep.flowservice.moments import check_zone, parse_moment
from airflow_provider_aep.times import zone_here


def zone_of_days() -> tzinfo:
    """The time zone in ``[aep] timezone``, by default in Airflow's ``[core] default_timezone``.

    As in Airflow, ``system`` is the machine's.

    :raises AepConfigError: the setting names no time zone.
    """
    name = conf.get("aep", "timezone", fallback="") or conf.get("core", "default_timezone", fallback="utc")
    if name == "system":
        return zone_here()
    try:
        return check_zone("timezone", name)
    except AepValidationError as error:
        raise AepConfigError(f"[aep] {error.problems[0]}") from None


def moment_in_zone(field: str, given: object) -> datetime:
    """A moment in UTC; one without an offset is taken to be in ``[aep] timezone``.

    :raises AepValidationError: it is no moment, or the clocks of that zone never show it, or twice.
    :raises AepConfigError: the setting names no time zone.
    """
    return parse_moment(field, given, zone_of_days())
