"""Operators that switch a dataflow on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from airflow_provider_aep.arguments import Switch
from airflow_provider_aep.operators.base import Upstream
from airflow_provider_aep.operators.dataflow_base import AepDataflowOperator

State = Literal["enabled", "disabled"]
# Seconds that Adobe's clock may differ from ours.
CLOCKS_APART = 300.0


class AepSetDataflowStateOperator(AepDataflowOperator):
    """Base of the two operators that switch a dataflow on and off."""

    wanted: State

    def execute(self, context: Any) -> str:
        self._link(context)
        self._switch()
        return self.dataflow_id

    def _switch(self) -> bool:
        """Bring the dataflow into the wanted state; return whether it changed."""
        from airflow_provider_aep.flowservice.dataflows import set_dataflow_state

        changed = self.hook.run(set_dataflow_state(self.dataflow_id, self.wanted))
        outcome = f"is {self.wanted} now" if changed else f"was {self.wanted} already"
        self.log.info("Dataflow %s %s", self.dataflow_id, outcome)
        return changed


class AepEnableDataflowOperator(AepSetDataflowStateOperator):
    """Enable a dataflow: it exports again from its next tick on. Does nothing if it is enabled already.

    :param dataflow_id: the dataflow. Templated.
    :param only_if: with ``False``, leave the dataflow as it is. Meant for the XCom ``switched_off`` of an
        ``AepDisableDataflowOperator``. Templated.
    :return: its id.
    """

    template_fields: Sequence[str] = (*AepDataflowOperator.template_fields, "only_if")
    only_if = Switch()
    wanted = "enabled"

    def __init__(self, *, only_if: bool | str | Upstream = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.only_if = only_if

    def execute(self, context: Any) -> str:
        if self.only_if:
            return super().execute(context)
        self._link(context)
        self.log.info("Dataflow %s is left as it is: only_if is false", self.dataflow_id)
        return self.dataflow_id


class AepDisableDataflowOperator(AepSetDataflowStateOperator):
    """Disable a dataflow: it exports nothing until it is enabled. Does nothing if it is disabled already.

    :param dataflow_id: the dataflow. Templated.
    :return: its id; XCom key ``switched_off`` is true if this task disabled it, false if it already was.
    """

    wanted = "disabled"

    def execute(self, context: Any) -> str:
        self._link(context)
        switched_off = self._switch() or self._was_an_earlier_attempt(context)
        context["ti"].xcom_push(key="switched_off", value=switched_off)
        return self.dataflow_id

    def _was_an_earlier_attempt(self, context: Any) -> bool:
        """Whether an earlier attempt of this task, since killed, may have disabled the dataflow.

        Airflow clears XComs before each attempt, so we read the dataflow itself: if it last changed before
        this DAG run began, somebody else disabled it. If in doubt, we assume that we did: an export that
        stays off unnoticed is worse.
        """
        from airflow_provider_aep.flowservice.dataflows import get_dataflow

        if context["ti"].try_number <= 1:
            return False
        run = context.get("dag_run")
        # start_date moves when a run is cleared, and Airflow 2 has no run_after.
        known = [getattr(run, name, None) for name in ("run_after", "data_interval_end", "start_date")]
        began = min((moment.timestamp() for moment in known if moment), default=0.0)
        updated = self.hook.run(get_dataflow(self.dataflow_id)).raw.get("updatedAt")
        if not isinstance(updated, int | float):
            return True
        return bool(updated / 1000 >= began - CLOCKS_APART)
