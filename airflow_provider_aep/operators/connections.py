"""Operators for connection specs and for source, base and target connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_aep.arguments import Argument, Id, Text
from airflow_provider_aep.operators.base import AepOperator, Upstream

__all__ = [
    "AepCreateBaseConnectionOperator",
    "AepCreateSourceConnectionOperator",
    "AepCreateTargetConnectionOperator",
    "AepGetConnectionSpecOperator",
    "AepListDestinationsOperator",
]


class AepGetConnectionSpecOperator(AepOperator):
    """Read Adobe's spec of a destination: what its login and its target parameters must contain.

    :param destination: ``s3``, ``azure_blob``, ``adls_gen2``, ``data_landing_zone``, ``gcs`` or ``sftp``.
        For another destination of the organization, the name or an id that
        ``AepListDestinationsOperator`` returns. Templated.
    :return: the spec as a dict, with ``authSpec`` and ``targetSpec``.
    """

    template_fields: Sequence[str] = (*AepOperator.template_fields, "destination")
    destination = Text()

    def __init__(self, *, destination: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination = destination

    def execute(self, context: Any) -> dict[str, Any]:
        from airflow_provider_aep.flowservice.catalogue import find_destination
        from airflow_provider_aep.flowservice.connections import get_connection_spec

        destination = self.hook.run(find_destination(self.destination))
        return dict(self.hook.run(get_connection_spec(destination)))


class AepListDestinationsOperator(AepOperator):
    """List the destinations that the organization's live specs offer for datasets, with their parameters.

    :return: a list of dicts with ``name`` (for ``destination=...``), ``title``, ``connection_spec_id``,
        ``flow_spec_id``, ``logins``, ``target_params``, ``required_target_params``, ``encryptions``,
        ``cadences``, and ``problem`` if a spec could not be read.
    """

    def execute(self, context: Any) -> list[dict[str, Any]]:
        from airflow_provider_aep.flowservice.catalogue import read_catalogue

        offers = self.hook.run(read_catalogue())
        for offer in offers:
            if offer.problem:
                self.log.warning("%s: %s", offer.name, offer.problem)
        self.log.info("Destinations that take datasets: %s", ", ".join(offer.name for offer in offers))
        return [offer.to_json() for offer in offers]


class AepCreateSourceConnectionOperator(AepOperator):
    """Create a source connection: the datasets to export, which cannot be changed afterwards.

    :param name: its name; the service does not require names to be unique. Templated.
    :param datasets: ids, or dicts with ``id`` and ``name`` as ``AepListDatasetsOperator`` returns them.
        Templated.
    :param description: free text. Templated.
    :return: the id of the source connection; its etag goes to XCom key ``etag``.
    """

    template_fields: Sequence[str] = (*AepOperator.template_fields, "name", "datasets", "description")
    template_fields_renderers: ClassVar[dict[str, str]] = {"datasets": "json"}
    name = Text()
    datasets = Argument()
    description = Text(optional=True)

    def __init__(
        self,
        *,
        name: str,
        datasets: Sequence[str | Mapping[str, Any]] | Upstream,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.datasets = datasets
        self.description = description

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.connections import create_source_connection

        created = self._make(
            create_source_connection(
                name=self.name,
                datasets=self.datasets,
                description=self.description,
                **self._once(context),
            )
        )
        return self._finish(context, "source connection", self.name, created)


class AepCreateBaseConnectionOperator(AepOperator):
    """Create a base connection: the login to a cloud storage, stored in Experience Platform.

    The login is read from a second Airflow connection while the task runs, checked against Adobe's live
    spec, and sent; it never appears in a log, a rendered template or an XCom.

    :param name: its name; the service does not require names to be unique. Templated.
    :param destination: as for ``AepGetConnectionSpecOperator``. Templated.
    :param credentials_conn_id: an Airflow connection with the storage's login, in its usual fields;
        ``None`` for Data Landing Zone, which Adobe owns. Templated.
    :param encryption_conn_id: an Airflow connection with a public key in ``extra.public_key``, for Adobe's
        file encryption. Templated.
    :param description: free text. Templated.
    :return: the id of the base connection; its etag goes to XCom key ``etag``.
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "name",
        "destination",
        "credentials_conn_id",
        "encryption_conn_id",
        "description",
    )
    name = Text()
    destination = Text()
    # Whether a login is needed, and which, depends on the destination.
    credentials_conn_id = Text(optional=True, leaves_out=True)
    encryption_conn_id = Text(optional=True)
    description = Text(optional=True)

    def __init__(
        self,
        *,
        name: str,
        destination: str,
        credentials_conn_id: str | None = None,
        encryption_conn_id: str | None = None,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.destination = destination
        self.credentials_conn_id = credentials_conn_id
        self.encryption_conn_id = encryption_conn_id
        self.description = description

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.catalogue import find_destination
        from airflow_provider_aep.flowservice.connections import create_base_connection

        destination = self.hook.run(find_destination(self.destination))
        key_conn_id = self.encryption_conn_id
        created = self._make(
            create_base_connection(
                name=self.name,
                destination=destination,
                login=self.hook.destination_login(destination, self.credentials_conn_id),
                encryption=self.hook.public_key(key_conn_id) if key_conn_id else None,
                description=self.description,
                advice=f"Check Airflow connection {self.credentials_conn_id!r}.",
                **self._once(context),
            )
        )
        if created.adopted:
            self.log.warning(
                "The adopted base connection keeps the login that the earlier attempt sent. If you corrected "
                "%r since, delete base connection %s and clear this task",
                self.credentials_conn_id,
                created.id,
            )
        return self._finish(context, "base connection", self.name, created)


class AepCreateTargetConnectionOperator(AepOperator):
    """Create a target connection: where in a cloud storage the files go, and in which format.

    :param name: its name; the service does not require names to be unique. Templated.
    :param destination: as for ``AepGetConnectionSpecOperator``. Templated.
    :param base_connection_id: from ``AepCreateBaseConnectionOperator``. Templated.
    :param target_params: with Adobe's names: the location (``bucketName`` and ``path`` for S3),
        ``datasetFileType`` (``JSON`` or ``PARQUET``) and ``compression`` (by default ``GZIP``).
        Templated.
    :param description: free text. Templated.
    :return: the id of the target connection; its etag goes to XCom key ``etag``.
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "name",
        "destination",
        "base_connection_id",
        "target_params",
        "description",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"target_params": "json"}
    name = Text()
    destination = Text()
    base_connection_id = Id()
    target_params = Argument()
    description = Text(optional=True)

    def __init__(
        self,
        *,
        name: str,
        destination: str,
        base_connection_id: str | Upstream,
        target_params: Mapping[str, Any] | Upstream,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.destination = destination
        self.base_connection_id = base_connection_id
        self.target_params = target_params
        self.description = description

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.catalogue import find_destination
        from airflow_provider_aep.flowservice.connections import create_target_connection, target_warnings

        for warning in target_warnings(self.target_params):
            self.log.warning("%s", warning)
        created = self._make(
            create_target_connection(
                name=self.name,
                destination=self.hook.run(find_destination(self.destination)),
                base_connection_id=self.base_connection_id,
                target_params=self.target_params,
                description=self.description,
                **self._once(context),
            )
        )
        return self._finish(context, "target connection", self.name, created)
