# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error of a watch means, decided without I/O."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.api_error import ApiError, Unreachable
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch_errors import (
    DENIAL_TIMEOUT,
    OPTIONAL_DENIAL_TIMEOUT,
    Decision,
    WatchStatus,
    classify,
    is_denial,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import NODE
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.subject import Subject

REQUIRED, OPTIONAL = Subject(NODE), Subject(NODE, optional=True)
NEW = WatchStatus()
LISTED = WatchStatus("101")
WATCHED = WatchStatus("101", watched=True)

UNAUTHORIZED = ApiError(401, b"Unauthorized")
FORBIDDEN = ApiError(403, b"forbidden")
NOT_SERVED = ApiError(404, b"404 page not found")
BUSY = ApiError(503, b"starting")
GONE = Unreachable("no connection")
WRONG_SERVER = Unreachable("it answers with a redirect", final=True)


def test_expired_version_means_listing_again():
    status = replace(WATCHED, denied_since=5.0)
    assert classify(ApiError(410, b"too old"), REQUIRED, status, 10.0) == (
        replace(status, version=""),
        Decision.LIST_AGAIN,
    )


@pytest.mark.parametrize("error", [BUSY, GONE])
@pytest.mark.parametrize("subject", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize("status", [NEW, LISTED, WATCHED])
def test_outage_is_reported_once(error, subject, status):
    away, decision = classify(error, subject, status, 10.0)
    assert (away, decision) == (replace(status, interrupted=True), Decision.OUTAGE)
    assert classify(error, subject, away, 11.0) == (away, Decision.RETRY)


def test_outage_ends_a_denial():
    denied = replace(WATCHED, interrupted=True, denied_since=5.0)
    assert classify(BUSY, REQUIRED, denied, 10.0) == (replace(denied, denied_since=None), Decision.RETRY)


@pytest.mark.parametrize("error", [UNAUTHORIZED, FORBIDDEN, NOT_SERVED, WRONG_SERVER])
def test_denial_before_the_first_list_is_final(error):
    assert classify(error, REQUIRED, NEW, 10.0)[1] is Decision.FAIL
    assert classify(error, OPTIONAL, NEW, 10.0)[1] is Decision.GIVE_UP


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (FORBIDDEN, Decision.FAIL),
        (UNAUTHORIZED, Decision.OUTAGE),
        (NOT_SERVED, Decision.OUTAGE),
        (WRONG_SERVER, Decision.OUTAGE),
    ],
)
def test_permission_to_list_does_not_imply_permission_to_watch(error, decision):
    assert classify(error, REQUIRED, LISTED, 10.0)[1] is decision


@pytest.mark.parametrize("error", [UNAUTHORIZED, FORBIDDEN, NOT_SERVED, WRONG_SERVER])
def test_denial_of_a_watched_subject_is_an_outage_and_fails_after_a_minute(error):
    denied, decision = classify(error, REQUIRED, WATCHED, 10.0)
    assert (denied, decision) == (replace(WATCHED, interrupted=True, denied_since=10.0), Decision.OUTAGE)
    assert classify(error, REQUIRED, denied, 10.0 + DENIAL_TIMEOUT - 1) == (denied, Decision.RETRY)
    assert classify(error, REQUIRED, denied, 10.0 + DENIAL_TIMEOUT) == (denied, Decision.FAIL)


def test_denial_that_follows_an_outage_is_reported_again():
    away = replace(WATCHED, interrupted=True)
    assert classify(FORBIDDEN, REQUIRED, away, 10.0) == (replace(away, denied_since=10.0), Decision.OUTAGE)


@pytest.mark.parametrize("error", [FORBIDDEN, NOT_SERVED])
def test_denial_of_an_optional_subject_is_not_an_outage_and_it_is_given_up(error):
    denied, decision = classify(error, OPTIONAL, WATCHED, 10.0)
    assert (denied, decision) == (replace(WATCHED, denied_since=10.0), Decision.RETRY)
    assert classify(error, OPTIONAL, denied, 10.0 + OPTIONAL_DENIAL_TIMEOUT)[1] is Decision.GIVE_UP


@pytest.mark.parametrize("error", [UNAUTHORIZED, WRONG_SERVER])
def test_rejected_credentials_are_an_outage_for_an_optional_subject_too(error):
    denied, decision = classify(error, OPTIONAL, WATCHED, 10.0)
    assert decision is Decision.OUTAGE
    assert classify(error, OPTIONAL, denied, 10.0 + OPTIONAL_DENIAL_TIMEOUT)[1] is Decision.RETRY
    assert classify(error, OPTIONAL, denied, 10.0 + DENIAL_TIMEOUT)[1] is Decision.GIVE_UP


def test_denials_are_distinguished_from_outages():
    assert [is_denial(e) for e in (UNAUTHORIZED, FORBIDDEN, NOT_SERVED, WRONG_SERVER)] == [True] * 4
    assert [is_denial(e) for e in (BUSY, GONE)] == [False] * 2
