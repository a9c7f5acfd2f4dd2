"""The base of operators on an existing dataflow: its id, and the link to its page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from airflow_provider_aep.arguments import Id
from airflow_provider_aep.operators.base import AepOperator, Upstream
from airflow_provider_aep.operators.links import AepDataflowLink, push_dataflow_link


class AepDataflowOperator(AepOperator):
    """Base of the operators on an existing dataflow.

    :param dataflow_id: from ``AepCreateDataflowOperator``. Templated.
    """

    template_fields: Sequence[str] = (*AepOperator.template_fields, "dataflow_id")
    operator_extra_links: Collection[AepDataflowLink] = (AepDataflowLink(),)
    dataflow_id = Id()

    def __init__(self, *, dataflow_id: str | Upstream, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataflow_id = dataflow_id

    def _link(self, context: Any) -> None:
        push_dataflow_link(context, self.hook.dataflow_url(self.dataflow_id))
