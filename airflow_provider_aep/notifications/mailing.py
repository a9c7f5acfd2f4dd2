"""E-mails through the SMTP provider's connection."""

from __future__ import annotations

import smtplib
from email.mime.text import MIMEText
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.notifications.delivery import AepUndeliveredError
from airflow_provider_aep.notifications.posting import need_connection
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.alert_messages import Message

LONGEST_SUBJECT = 200


def send_mail(
    message: Message, conn_id: str, *, to: str | list[str], from_email: str | None, seconds: float
) -> None:
    """Send one e-mail, with its text in two forms: plain, and HTML.

    :param seconds: for each response of the server, unless the connection's own ``timeout`` is shorter.
    :raises AepUndeliveredError: the server did not take it.
    """
    from airflow_provider_aep.monitoring.alert_formats import as_html, as_text
    from airflow_provider_aep.monitoring.words import cut

    need_connection(conn_id)
    try:
        with _hook(conn_id, as_text(message), seconds) as hook:
            hook.send_email_smtp(
                to=to,
                subject=cut(message.title, LONGEST_SUBJECT),
                html_content=as_html(message),
                from_email=from_email,
                mime_subtype="alternative",
            )
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        why = f"the mail server refused all addresses ({', '.join(map(str, codes))})"
        raise AepUndeliveredError(
            why, status=codes[0] if codes else None, again=all(code < 500 for code in codes)
        ) from None
    except smtplib.SMTPResponseException as error:
        # The server's words may quote a login.
        code = error.smtp_code
        kind = "the login" if isinstance(error, smtplib.SMTPAuthenticationError) else "the message"
        raise AepUndeliveredError(
            f"the mail server answered {code} to {kind}", status=code, again=400 <= code < 500
        ) from None
    except smtplib.SMTPServerDisconnected as error:
        raise _hung_up(error, seconds) from None
    except TimeoutError:
        raise AepUndeliveredError(_silent(seconds)) from None
    except OSError as error:  # refused, reset, or an unknown host name
        raise AepUndeliveredError(
            f"the mail server cannot be reached ({type(error).__name__})", again=True
        ) from None


def _silent(seconds: float) -> str:
    return f"the mail server did not answer within {span_words(seconds)}"


def _hook(conn_id: str, plain: str, seconds: float) -> Any:
    from importlib.metadata import version

    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from packaging.version import Version

    # Before 3.0.2 the provider's limit counted attempts: with 0 it never sent anything.
    one_attempt = 0 if Version(version("apache-airflow-providers-smtp")) >= Version("3.0.2") else 1

    class BoundedHook(SmtpHook):
        """Limits the retries of the provider's hook, by default six of half a minute each."""

        @property
        def timeout(self) -> int:
            return max(1, min(int(super().timeout), int(seconds)))

        @property
        def smtp_retry_limit(self) -> int:
            return one_attempt

        def _build_client(self) -> Any:
            try:
                return super()._build_client()
            except smtplib.SMTPServerDisconnected as error:
                # The provider would say "unable to connect" of a silent server too.
                raise _hung_up(error, seconds) from None

        def _build_mime_message(self, *args: Any, **kwargs: Any) -> Any:
            mail, recipients = super()._build_mime_message(*args, **kwargs)
            # Mail programs show the last form that they can, so HTML comes last.
            parts: Any = mail.get_payload()
            parts.insert(0, MIMEText(plain, "plain", "utf-8"))
            return mail, recipients

    return BoundedHook(smtp_conn_id=conn_id)


def _hung_up(error: smtplib.SMTPServerDisconnected, seconds: float) -> AepUndeliveredError:
    # smtplib reports a silent server as one that hangs up.
    if "timed out" in str(error):
        return AepUndeliveredError(_silent(seconds))
    return AepUndeliveredError("the mail server hung up", again=True)
