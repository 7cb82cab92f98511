# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of requests to an API server, and the messages that users get for them."""

from __future__ import annotations

import contextlib
import ssl
import typing as t

from .._errors import OperationError
from .._model.json_text import read_json
from .._model.objects.resources import MACHINE_CONFIG_GROUP, Kind, Object
from .._model.objects.v1alpha1 import older_kind
from .response_body import ResponseTooLarge

try:
    import urllib3
except ImportError:  # connect() reports a missing library
    pass

UNAUTHORIZED = 401
FORBIDDEN = 403
DENIED = frozenset((UNAUTHORIZED, FORBIDDEN))
"""The statuses with which the API server denies a request to this account."""
NOT_FOUND = 404
CONFLICT = 409
EXPIRED = 410
"""The status of a request that continues a list or a watch from a place that the API server no longer has."""
INVALID = 422
AWAY = frozenset((502, 503, 504))
"""The statuses of a proxy or load balancer that has no running API server behind it."""
TRANSIENT = frozenset((429, 500, *AWAY))
"""The statuses after which the same request can succeed."""
UNDECIDED = frozenset((500, 502, 504))
"""The statuses after which a write may have been done."""

CHECK_API_SERVER = "Check that host, or the kubeconfig's server, is the address of the API server itself"

_CHECK_ADDRESS = "Check the address, and that the cluster is running"
_CHECK_TRUST = "Set ca_cert (K8S_AUTH_SSL_CA_CERT) to the file with the CA certificate of the cluster"
_STRICT = (
    "Missing Authority Key Identifier",
    "Missing Subject Key Identifier",
    "CA cert does not include key usage extension",
    "Basic Constraints of CA cert not marked critical",
)
"""Messages of OpenSSL for a certificate that Python accepts up to 3.12, and rejects from 3.13 on."""
_RENEW = (
    "Python 3.13 and later reject such a certificate. Renew it with this extension, or run the task with an older "
    "Python (ansible_python_interpreter)"
)
_NEEDS_HTTPS = "HTTP request to an HTTPS server"
"""Part of the message of Go servers."""
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
"""Parts of OpenSSL's messages for a server that does not speak TLS."""
_LONGEST_MESSAGE = 8192
"""Characters of an error message."""
_LONGEST_REASON = 200
"""Characters of the reason for a failed connection."""


class Conflict(OperationError):
    """The object has changed since it was read. Read it again and plan again."""

    after_loss = False
    """Whether the response to the same write was lost before, so that the conflict may be with our own write."""


class Forbidden(OperationError):
    """The account does not have the permission. Only operations that can work without it catch this."""


class ApiError(Exception):
    """The API server returned an error.

    :param body: the body of the response, or the Status object that was read from it
    :param retry_after: seconds after which the API server allows the next request
    """

    def __init__(self, status: int, body: bytes | Object, retry_after: float = 0.0) -> None:
        self.status = status
        self.retry_after = retry_after
        self.after_loss = False
        """Whether the response to the same request was lost before."""
        content = _status_in(body) if isinstance(body, bytes) else body
        details = content.get("details")
        self.details: t.Mapping[str, t.Any] = details if isinstance(details, dict) else {}
        message = _text_in(content, "message")
        self.message = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} [...]"
        super().__init__(self.message)

    @property
    def not_served(self) -> bool:
        """Whether the path is unknown to the API server, as opposed to an object that does not exist."""
        return self.status == NOT_FOUND and not self.details.get("name")

    @property
    def causes(self) -> list[str]:
        """The invalid fields, each with the API server's message."""
        causes = self.details.get("causes")
        found = [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
        parts = [(_text_in(cause, "field"), _text_in(cause, "message")) for cause in found]
        return [f"{field}: {message}".lstrip(": ") for field, message in parts if message]


class Unreachable(Exception):
    """The API server could not be reached, or the connection was lost.

    :ivar final: whether the same request would fail again
    """

    def __init__(self, reason: str, final: bool = False, remedy: str = _CHECK_ADDRESS, cause: str = "") -> None:
        self.final = final
        self.remedy = remedy
        self.cause = cause or reason
        """The reason without the address."""
        super().__init__(reason)


@contextlib.contextmanager
def reaching(api_url: str) -> t.Iterator[None]:
    """Turn network errors into Unreachable. An untrusted certificate and a server without TLS are final."""
    try:
        yield
    except urllib3.exceptions.SSLError as error:
        raise _tls_failure(api_url, error) from None
    except ResponseTooLarge as error:
        raise Unreachable(f"{api_url}: {error}", final=True, remedy=CHECK_API_SERVER) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        cause = _innermost_reason(error)
        raise Unreachable(f"no connection to {api_url} ({cause})", cause=cause) from None


def _tls_failure(api_url: str, error: Exception) -> Unreachable:
    text = str(error)
    if any(part in text for part in _NOT_TLS):
        reason = f"{api_url} does not speak TLS"
        return Unreachable(reason, final=True, remedy="Check the port, or use http:// if the server has no TLS")
    cause = _innermost_reason(error)
    remedy = _RENEW if cause in _STRICT else _CHECK_TRUST
    reason = f"no trusted connection to {api_url} ({cause})"
    return Unreachable(reason, final="CERTIFICATE_VERIFY_FAILED" in text, remedy=remedy)


def explain(error: ApiError, what: str, kind: Kind, api_url: str) -> OperationError:
    """Return the error for users, with the object and a remedy."""
    if error.status == UNAUTHORIZED:
        return OperationError(what, f"{api_url} does not accept the credentials", "Log in again, or check the token")
    if error.status == FORBIDDEN:
        return Forbidden(what, error.message, "Grant the account that right, or use another account")
    if error.not_served:
        return _not_served(what, kind, api_url)
    if error.status == INVALID:
        return OperationError(what, "; ".join(error.causes) or error.message, "Correct the value")
    if error.status == CONFLICT:
        conflict = Conflict(what, error.message or "another client changed it", "Run it again")
        conflict.after_loss = error.after_loss
        return conflict
    if _NEEDS_HTTPS in error.message:
        return OperationError(what, f"{api_url} needs https://", "Begin host with https://")
    reason = f"{error.message or 'no reason given'} (HTTP {error.status})"
    return OperationError(what, reason, "Correct what the API server reports")


def _not_served(what: str, kind: Kind, api_url: str) -> OperationError:
    if older_kind(kind):
        reason = f"{api_url} does not serve {kind.plural}.{MACHINE_CONFIG_GROUP}, neither as v1 nor as v1alpha1"
        remedy = (
            "Image mode needs OpenShift 4.16 or later, on 4.16 and 4.17 with the feature set TechPreviewNoUpgrade; "
            "check that this is the right cluster"
        )
        return OperationError(what, reason, remedy)
    if kind.api_version.startswith(MACHINE_CONFIG_GROUP):
        reason = f"{api_url} does not serve {kind.plural}.{kind.api_version}"
        remedy = "Image mode needs OpenShift; check that this is the right cluster"
        return OperationError(what, reason, remedy)
    reason = f"{api_url} does not serve {kind.plural} of {kind.api_version}"
    return OperationError(what, reason, "Check that this is the right cluster")


def _status_in(body: bytes) -> Object:
    """Return the Status object in the body of an error. Any other body becomes the message."""
    with contextlib.suppress(ValueError):
        content = read_json(body)
        if isinstance(content, dict):
            return content
    return {"message": body.decode("utf-8", "replace").strip()}


def _text_in(content: t.Mapping[str, t.Any], name: str) -> str:
    """Return the text of a field; an empty text for a field of another type."""
    value = content.get(name)
    return value if isinstance(value, str) else ""


def _innermost_reason(error: BaseException) -> str:
    """Return the innermost reason, the only one that helps a user."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _innermost_reason(reason)
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    inner = error.__context__ or error.__cause__
    if isinstance(inner, OSError):
        return _innermost_reason(inner)
    text = str(error).rpartition(": ")[2]  # may quote a whole line of the response
    return (text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} [...]") or type(error).__name__
