# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject a push Secret whose token has expired, because the build would fail in its last step, in each attempt.

The usual push Secret for the internal image registry has a token of a service account, which expires.
Source: docs/operator-behavior.md ("Secrets").
"""

from __future__ import annotations

from ..objects.resources import Object
from ..objects.timestamp import seconds_between
from ..registry.credentials import credential_for, of_secret
from ..registry.image_reference import parse_image
from .registry_secret import secret_label
from .rejection import Rejection

SOON = 3600.0
"""Seconds. A build takes minutes, and several attempts take up to an hour."""
_RENEW = "Renew the token, for example with registry_secret"


def reject_push_token(name: str, secret: Object, push_spec: str, now: str) -> Rejection | None:
    """Return why no build can push with a Secret, or None. A credential without an expiry is not rejected.

    :param secret: the Secret as served
    :param push_spec: where the image is pushed
    :param now: time of the API server
    """
    expires, left = _lifetime(secret, push_spec, now)
    if left is None or left > 0:
        return None
    return Rejection(f"the token for {_host(push_spec)} in {secret_label(name)} expired at {expires}", _RENEW)


def doubt_about_push_token(name: str, secret: Object, push_spec: str, now: str) -> str:
    """Return that a token may expire before the build pushes, or an empty text."""
    expires, left = _lifetime(secret, push_spec, now)
    if left is None or not 0 < left <= SOON:
        return ""
    return (
        f"The token for {_host(push_spec)} in {secret_label(name)} expires at {expires}, in {left / 60:.0f} minutes. A "
        f"build that pushes later fails. {_RENEW}."
    )


def _lifetime(secret: Object, push_spec: str, now: str) -> tuple[str, float | None]:
    """Return the expiry of the token that a push uses, and the seconds until then. None if it has no expiry."""
    try:
        used = credential_for(of_secret(secret), parse_image(push_spec))
    except ValueError:
        return "", None
    if used is None or not used.expires:
        return "", None
    return used.expires, seconds_between(now, used.expires)


def _host(push_spec: str) -> str:
    return parse_image(push_spec).host
