# SPDX-License-Identifier: GPL-3.0-or-later
"""Push Secrets with a token that has expired, or expires soon."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.timestamp import seconds_of
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.push_token import (
    doubt_about_push_token,
    reject_push_token,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import auth, secret, token_expiring

NOW = "2026-03-01T12:00:00Z"
SPEC = "registry.example.com/os/layered:latest"
LABEL = "Secret openshift-machine-config-operator/push"


def expiring(minutes: float, entry: str = "registry.example.com") -> dict[str, t.Any]:
    """Return a push Secret whose token expires some minutes after NOW."""
    token = token_expiring((seconds_of(NOW) or 0) + 60 * minutes)
    return secret("push", {entry: {"auth": auth("builder", token)}})


def test_expired_token_is_rejected() -> None:
    rejection = reject_push_token("push", expiring(-1), SPEC, NOW)
    assert rejection is not None
    assert rejection.reason == f"the token for registry.example.com in {LABEL} expired at 2026-03-01T11:59:00Z"
    assert rejection.remedy == "Renew the token, for example with registry_secret"


def test_token_that_expires_within_an_hour_is_a_doubt() -> None:
    assert reject_push_token("push", expiring(59), SPEC, NOW) is None
    doubt = doubt_about_push_token("push", expiring(59), SPEC, NOW)
    assert f"{LABEL} expires at 2026-03-01T12:59:00Z, in 59 minutes" in doubt


@pytest.mark.parametrize(
    "known",
    [
        expiring(61),
        secret("push"),
        secret("push", {"registry.example.com": {"identitytoken": "opaque"}}),
        secret("push", kind="Opaque"),
        {**secret("push"), "data": {".dockerconfigjson": "no base64"}},
    ],
    ids=["later", "password", "identity token", "of another type", "no content"],
)
def test_credential_without_an_expiry_in_sight_is_accepted(known: dict[str, t.Any]) -> None:
    assert reject_push_token("push", known, SPEC, NOW) is None
    assert doubt_about_push_token("push", known, SPEC, NOW) == ""


def test_token_of_another_registry_or_repository_does_not_matter() -> None:
    for entry in ("other.example.com", "registry.example.com:5000", "registry.example.com/apps"):
        assert reject_push_token("push", expiring(-1, entry), SPEC, NOW) is None


@pytest.mark.parametrize(
    "entry", ["registry.example.com/os/layered", "registry.example.com/os", "https://registry.example.com/v1/"]
)
def test_entry_of_a_repository_a_namespace_or_a_url_is_found(entry: str) -> None:
    assert reject_push_token("push", expiring(-1, entry), SPEC, NOW) is not None


def test_most_specific_entry_decides() -> None:
    expired = {"auth": auth("builder", token_expiring(1.0))}
    valid = {"auth": auth("robot", "hunter2")}
    known = secret("push", {"registry.example.com": expired, "registry.example.com/os": valid})
    assert reject_push_token("push", known, SPEC, NOW) is None


def test_push_spec_that_is_no_image_is_left_to_its_own_check() -> None:
    assert reject_push_token("push", expiring(-1), "", NOW) is None
