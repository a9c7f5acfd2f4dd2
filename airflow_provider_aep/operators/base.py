"""The base of all operators of this provider: the connection, and creating an entity only once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from airflow_provider_aep._airflow import AirflowFailException, BaseOperator
from airflow_provider_aep.arguments import Text, check_partial
from airflow_provider_aep.errors import AepUnseenError
from airflow_provider_aep.operators.links import leave_links
from airflow_provider_aep.operators.moments import check_moments

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.creation import Created
    from airflow_provider_aep.flowservice.exchange import Exchange
    from airflow_provider_aep.hooks import AepHook

T = TypeVar("T")

# The result of an upstream task as an argument: `create.output`, an XComArg.
Upstream = Any
# ISO 8601, a datetime, or epoch seconds.
Moment = str | float | datetime | None


class Once(TypedDict):
    """How a create call recognises what an earlier attempt of its task created."""

    marker: str
    look_first: bool


class AepOperator(BaseOperator):
    """Base of the operators.

    :param aep_conn_id: the Airflow connection, of type ``aep``. Templated.
    :param sandbox: overrides the connection's sandbox. Templated.
    """

    template_fields: Sequence[str] = ("aep_conn_id", "sandbox")
    ui_color = "#fbe3e0"
    aep_conn_id = Text()
    sandbox = Text(optional=True)

    def __init__(
        self, *, aep_conn_id: str = "aep_default", sandbox: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        check_partial(cls, kwargs)
        check_moments(kwargs)
        return super().partial(**kwargs)

    def pre_execute(self, context: Any) -> None:
        super().pre_execute(context)
        leave_links(self)

    @cached_property
    def hook(self) -> AepHook:
        # Imported here: parsing a DAG file must not pay for the client of the service.
        from airflow_provider_aep.hooks import AepHook

        return AepHook(self.aep_conn_id, sandbox=self.sandbox)

    def _once(self, context: Any) -> Once:
        """The mark of this task instance, which all its attempts share.

        A first attempt has nothing to find, so it makes no lookup.
        """
        from airflow_provider_aep.flowservice.creation import task_marker

        ti = context["ti"]
        identity = "\n".join(map(str, (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)))
        return {"marker": task_marker(identity), "look_first": ti.try_number > 1}

    def _make(self, exchange: Exchange[T]) -> T:
        """Run an exchange that creates an entity.

        :raises AirflowFailException: from an ``AepUnseenError``: a retry would create the entity again.
        """
        try:
            return self.hook.run(exchange)
        except AepUnseenError as unseen:
            raise AirflowFailException(str(unseen)) from unseen

    def _finish(self, context: Any, what: str, name: str, created: Created) -> str:
        """Log a created entity, keep its etag, return its id."""
        if created.adopted:
            self.log.info("An earlier attempt had created %s %s (%s): adopted", what, created.id, name)
        else:
            self.log.info("Created %s %s (%s)", what, created.id, name)
        if created.etag is not None:  # Airflow 3.0 refuses an XCom of None
            context["ti"].xcom_push(key="etag", value=created.etag)
        return created.id
