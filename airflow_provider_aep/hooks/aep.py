"""From an Airflow connection to a conversation with the Flow Service.

``AepHook().run(exchange)`` carries out any function of ``flowservice``, with login, sandbox and retries::

    from airflow_provider_aep.flowservice.dataflows import list_dataflows

    AepHook("aep_default").run(list_dataflows())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_aep._airflow import BaseHook
from airflow_provider_aep.errors import AepConfigError, AepError
from airflow_provider_aep.flowservice.documents import mapping
from airflow_provider_aep.flowservice.validation import check_id, check_sandbox
from airflow_provider_aep.provider_info import (
    CONN_FIELDS,
    HIDDEN_FIELDS,
    INTEGRATION,
    PLACEHOLDERS,
    RELABELING,
)

if TYPE_CHECKING:
    # Imported where they are used: a worker that only defers sends nothing, and one that judges its trigger's
    # event reads no connection.
    from airflow_provider_aep.flowservice.destinations import Destination
    from airflow_provider_aep.flowservice.encryption import PublicKey
    from airflow_provider_aep.flowservice.exchange import Exchange
    from airflow_provider_aep.flowservice.held_logins import Held
    from airflow_provider_aep.hooks.connection import AepConnection

T = TypeVar("T")


class AepHook(BaseHook):
    """Talks to the Flow Service as the credential of an Airflow connection.

    :param aep_conn_id: the Airflow connection, of type ``aep``.
    :param sandbox: overrides the connection's sandbox.
    """

    conn_name_attr = "aep_conn_id"
    default_conn_name = "aep_default"
    conn_type = "aep"
    hook_name = INTEGRATION

    def __init__(self, aep_conn_id: str = default_conn_name, *, sandbox: str | None = None) -> None:
        super().__init__()
        self.aep_conn_id = aep_conn_id
        # An empty name is refused later: it must not stand for the connection's sandbox.
        self._sandbox = sandbox
        self._connection: AepConnection | None = None

    def get_conn(self) -> AepConnection:
        """The connection, which is read once.

        :raises AepConfigError: it is incomplete or wrong.
        """
        if self._connection is None:
            from airflow_provider_aep.hooks.connection import AepConnection

            conn = self.get_connection(self.aep_conn_id)
            self._connection = AepConnection.from_airflow(conn, conn.extra_dejson)
        return self._connection

    async def aget_conn(self) -> AepConnection:
        """``get_conn`` for the event loop."""
        if self._connection is None:
            from airflow_provider_aep._airflow import Connection
            from airflow_provider_aep.hooks.connection import AepConnection

            if not hasattr(Connection, "aextra_dejson"):
                # Before Airflow 3.3.2 its own asynchronous call masks the secrets in a way that blocks the
                # loop. Its comms serve only threads of asgiref.
                from asgiref.sync import sync_to_async

                return await sync_to_async(self.get_conn)()
            conn = await self.aget_connection(self.aep_conn_id)
            self._connection = AepConnection.from_airflow(conn, await conn.aextra_dejson())
        return self._connection

    @property
    def sandbox(self) -> str:
        """The sandbox that every request names."""
        return check_sandbox("sandbox", self.get_conn().sandbox if self._sandbox is None else self._sandbox)

    def in_sandbox(self, sandbox: str) -> AepHook:
        """A hook for another sandbox with the same connection, which is not read again.

        :raises AepConfigError: the connection is incomplete or wrong.
        """
        there = type(self)(self.aep_conn_id, sandbox=sandbox)
        there._connection = self.get_conn()
        return there

    def run(self, exchange: Exchange[T]) -> T:
        """Carry out an exchange.

        :raises AepError: from the service, the network or the check of an argument.
        """
        try:
            step = next(exchange)
        except StopIteration as end:
            # It sends nothing, so no login is needed.
            result: T = end.value
            return result
        from airflow_provider_aep.flowservice.exchange import going_on
        from airflow_provider_aep.hooks.sessions import converse

        connection, whole = self.get_conn(), going_on(exchange, step)
        return converse(whole, connection, sandbox=self.sandbox, conn_id=self.aep_conn_id)

    async def arun(self, exchange: Exchange[T]) -> T:
        """Carry out an exchange without holding up the event loop."""
        from airflow_provider_aep.hooks.masking import remember_loop
        from airflow_provider_aep.hooks.sessions import aconverse

        remember_loop()
        connection = await self.aget_conn()
        return await aconverse(exchange, connection, sandbox=self.sandbox, conn_id=self.aep_conn_id)

    def dataflow_url(self, dataflow_id: str) -> str:
        """The page of a dataflow in the Platform UI."""
        # Assumed: Adobe documents the address up to /platform/; the rest is from its UI.
        tenant = self.get_conn().tenant
        organization = f"@{tenant.lstrip('@_')}/" if tenant else ""
        return (
            f"https://experience.adobe.com/#/{organization}sname:{self.sandbox}"
            f"/platform/destination/browse/{check_id('dataflow_id', dataflow_id)}"
        )

    def destination_login(self, destination: Destination, credentials_conn_id: str | None) -> Held | None:
        """The login to a destination from a second Airflow connection; ``None`` if it takes no login.

        Adobe's live spec is read later, when the login is sent.

        :raises AepConfigError: the destination needs a connection and got none, or the other way round.
        :raises AepValidationError: the connection holds two logins, or one that can never work.
        """
        # Imported here: a sensor does not need it.
        from airflow_provider_aep.flowservice.held_logins import hold_login
        from airflow_provider_aep.hooks.connection import login_fields

        if not credentials_conn_id:
            if not destination.takes_login:
                return None
            raise AepConfigError(
                f"{destination.title} needs credentials_conn_id: a connection with its login"
            )
        conn = self.get_connection(credentials_conn_id)
        return hold_login(destination, login_fields(conn), conn_id=credentials_conn_id)

    def public_key(self, encryption_conn_id: str) -> PublicKey:
        """The public key for the encryption of files, from an Airflow connection.

        :raises AepValidationError: it holds none, or a private one.
        """
        from airflow_provider_aep.flowservice.encryption import hold_public_key

        conn = self.get_connection(encryption_conn_id)
        extra = {f"extra.{key}": value for key, value in mapping(conn.extra_dejson).items()}
        return hold_public_key(extra, conn_id=encryption_conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Log in and read one page of dataflows, which checks organization, sandbox and permissions too."""
        from airflow_provider_aep.flowservice.listing import list_entities

        try:
            self.run(list_entities("/flows", page_size=1, enough=lambda entities: True))
        except AepError as error:
            return False, str(error)
        return True, f"Logged in; sandbox {self.sandbox!r} answers."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The standard fields of the connection form, for Airflow before 3.2."""
        return {"hidden_fields": HIDDEN_FIELDS, "relabeling": RELABELING, "placeholders": PLACEHOLDERS}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The additional fields of the connection form, for Airflow before 3.2."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {
            name: StringField(
                field["label"],
                description=field["description"],
                default=field["schema"].get("default"),
                widget=BS3TextFieldWidget(),
            )
            for name, field in CONN_FIELDS.items()
        }
