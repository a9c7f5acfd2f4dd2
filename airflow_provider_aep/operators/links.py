"""Links from Airflow's UI to Adobe's."""

from __future__ import annotations

from typing import Any

from airflow_provider_aep._airflow import BaseOperatorLink, XCom
from airflow_provider_aep.operators.xcom_keys import LINK_KEY

__all__ = ["AepDataflowLink"]


class AepDataflowLink(BaseOperatorLink):
    """The link to the page of a task's dataflow in the Platform UI.

    The task pushes the address as soon as it knows the dataflow, so the link works while the task still runs.
    """

    name = "AEP dataflow"
    xcom_key = LINK_KEY

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The stored address. Airflow 3 reads the XCom itself; 2.11 calls this."""
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""


def push_dataflow_link(context: Any, url: str) -> None:
    """Make the link of the running task point to ``url``."""
    context["ti"].xcom_push(key=LINK_KEY, value=url)


def leave_links(operator: Any) -> None:
    """Keep Airflow 3 from reading the address when the running task ends, only to write it again.

    The UI takes a task's links from the DAG, not from the running task.
    """
    operator.operator_extra_links = ()
