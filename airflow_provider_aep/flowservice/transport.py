"""The only module that opens a socket: it sends a request with ``requests``.

``requests`` itself is imported when the first request is sent, so parsing a DAG file does not load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_aep.errors import AepConfigError, AepTooLargeError, AepTransportError
from airflow_provider_aep.flowservice.credentials import PLATFORM_URL, check_url
from airflow_provider_aep.flowservice.exchange import BASE_PATH, Request, Response
from airflow_provider_aep.times import span_words

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
# For a whole response, however slowly its pieces come.
ANSWER_SECONDS = 120.0
# A page of 100 entities has a few MB at most. Read as JSON, a body takes six times its size in memory.
LARGEST_ANSWER = 32 * 1024 * 1024
# Before 2.6, urllib3 unpacks a whole piece at once, to up to a thousand times its size.
_PIECE = 16 * 1024
_PORTS = {"https": 443, "socks5": 1080, "socks5h": 1080}


class RequestsTransport:
    """Sends requests to one platform host; safe to share between threads.

    :param platform_url: scheme and host, as in ``https://platform.adobe.io``.
    :param proxy: a proxy URL; by default the environment's (``HTTPS_PROXY``, ``NO_PROXY``).
    :param ca_bundle: path of a CA bundle; by default the environment's (``REQUESTS_CA_BUNDLE``).
    :param timeout: (connect, read), in seconds; ``read`` is for each piece of a response.
    :param answer_seconds: for a whole response, from the end of the request.
    :param largest_answer: in bytes, unpacked.
    """

    def __init__(
        self,
        platform_url: str = PLATFORM_URL,
        *,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        answer_seconds: float = ANSWER_SECONDS,
        largest_answer: int = LARGEST_ANSWER,
    ) -> None:
        self.platform_url = check_url("host", platform_url)
        self._proxies: Mapping[str, str] | None = {"http": proxy, "https": proxy} if proxy else None
        self._ca_bundle, self._timeout = ca_bundle, timeout
        self._answer_seconds, self._largest = answer_seconds, largest_answer

    def send(self, request: Request) -> Response:
        """Send one request; the response, whatever its status.

        :raises AepTooLargeError: its body is larger than ``largest_answer``; the rest was not read.
        :raises AepTransportError: no response; ``sent`` is false only if no connection was made.
        """
        import ssl

        import requests

        from airflow_provider_aep.flowservice.deadline import TooLateError

        try:
            with self._session.request(
                request.method,
                self._url(request.path),
                params=request.query,
                headers=dict(request.headers),
                json=request.json,
                data=request.form,
                timeout=self._timeout,
                # A redirect would send x-api-key, or the client secret in a form, to another host.
                allow_redirects=False,
                # Given with each request, because the environment overrules those of the session.
                proxies=self._proxies,
                verify=self._ca_bundle,
                # Read piece by piece, to stop if the body is too large.
                stream=True,
            ) as response:
                body = self._body(request, response)
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidHeader,
            requests.exceptions.InvalidJSONError,
            UnicodeError,
            TypeError,  # a body that is no JSON, such as a datetime among target_params
        ) as error:
            # Not the library's message: it quotes the URL of the proxy, the header, or the value.
            raise AepConfigError(
                f"{request} cannot be sent ({type(error).__name__}): check host, proxy, login, password and "
                "org_id of the Airflow connection, and that all arguments are plain JSON"
            ) from None
        except requests.exceptions.SSLError as error:
            raise AepTransportError(
                f"{request}: TLS failed: {_reason(error)}. If your company inspects TLS, set ca_bundle in "
                "the connection's extra, or REQUESTS_CA_BUNDLE.",
                # A certificate is refused before the request is sent; other failures may come after it.
                sent=not isinstance(_innermost(error), ssl.SSLCertVerificationError),
            ) from None
        except requests.exceptions.ConnectTimeout:
            raise AepTransportError(
                f"{request}: no connection within {span_words(self._timeout[0])}", sent=False
            ) from None
        except requests.exceptions.RequestException as error:
            if any(isinstance(cause, TooLateError) for cause in _causes(error)):
                message = f"{request}: no whole response within {span_words(self._answer_seconds)}"
                raise AepTransportError(message, sent=True) from None
            if isinstance(error, requests.exceptions.Timeout):
                message = f"{request}: no response within {span_words(self._timeout[1])}"
                raise AepTransportError(message, sent=True) from None
            unsent = _never_connected(error)
            what = "no connection" if unsent else "the connection broke before the response"
            raise AepTransportError(f"{request}: {what}: {_reason(error)}", sent=not unsent) from None
        except OSError as error:  # a missing CA bundle, which the library checks before it connects
            raise AepTransportError(f"{request}: {_reason(error)}", sent=False) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, headers, body)

    def _body(self, request: Request, response: Any) -> bytes:
        body = bytearray()
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > self._largest:
                raise AepTooLargeError(
                    f"{request}: the response has more than {self._largest / 1024**2:g} MiB, so the rest was "
                    "not read: check that the host of the Airflow connection is Adobe's, or a proxy that "
                    "passes on Adobe's responses",
                    sent=True,
                )
        return bytes(body)

    def _url(self, path: str) -> str:
        if "://" in path:
            return path
        return self.platform_url + (path if path.startswith("/data/") else BASE_PATH + path)

    @cached_property
    def _session(self) -> Any:
        import requests

        from airflow_provider_aep.flowservice.deadline import with_deadline

        seconds = self._answer_seconds

        class Adapter(requests.adapters.HTTPAdapter):
            def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
                pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
                pool.ConnectionCls = with_deadline(type(pool).ConnectionCls, seconds)
                return pool

        session = requests.Session()
        # Without this, a line for the host in ~/.netrc would replace our Authorization header.
        session.auth = lambda prepared: prepared
        for scheme in ("https://", "http://"):
            session.mount(scheme, Adapter(pool_maxsize=8))
        session.headers["User-Agent"] = "airflow-provider-aep"
        return session


def why_unreachable(url: str, *, proxy: str | None, timeout: float) -> str | None:
    """Why no connection to a host, or to the proxy on the way, can be opened; ``None`` if one can.

    :param proxy: as of ``RequestsTransport``.
    :param timeout: in seconds; looking up the name may take longer.
    """
    import socket

    from requests.utils import get_environ_proxies, select_proxy

    via = proxy or select_proxy(url, get_environ_proxies(url))
    parts = urlsplit(via if via and "://" in via else f"http://{via}" if via else url)
    host = parts.hostname or ""
    try:
        port = parts.port or _PORTS.get(parts.scheme, 80)
        socket.create_connection((host, port), timeout=timeout).close()
    except socket.gaierror as error:
        why = f"the name {host} cannot be resolved ({error.strerror})"
    except TimeoutError:
        why = f"{host} does not answer on port {port} within {span_words(timeout)}"
    except (OSError, ValueError) as error:
        why = f"{host} cannot be connected to ({_reason(error)})"
    else:
        return None
    return f"{why}; it is the proxy on the way to {urlsplit(url).hostname}" if via else why


def _never_connected(error: Exception) -> bool:
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _reason(error: Exception) -> str:
    """Class and message of the innermost cause; the outer ones repeat the whole URL."""
    inner = _innermost(error)
    return f"{type(inner).__name__}: {inner}"[:200]


def _innermost(error: BaseException) -> BaseException:
    return _causes(error)[-1]


def _causes(error: BaseException) -> list[BaseException]:
    """The error and the chain of its causes."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    return causes
