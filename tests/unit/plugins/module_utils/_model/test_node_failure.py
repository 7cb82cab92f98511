# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, FindingId, Severity
from ansible_collections.imagemode.openshift.plugins.module_utils._model.node_failure import (
    PULL_FAILURES,
    NodeFailure,
    cause_in_log,
    failure_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import image_of

IMAGE = image_of("a")
OPEN = "Creating importer: Failed to invoke skopeo proxy method OpenImage: remote error: "


def rebase(error: str, image: str = IMAGE, begin: str = "failed") -> str:
    """Return the reason that a daemon reports if rpm-ostree printed an error."""
    command = f"rpm-ostree rebase --experimental ostree-unverified-registry:{image}"
    return f"{begin} to update OS to {image}: error running {command}: error: {error}\n: exit status 1"


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        ("Source image rejected: A signature was required, but no signature exists", "node.image_rejected"),
        ("Source image rejected: Running image docker://x is rejected by policy.", "node.image_rejected"),
        ("Running image docker://r.example.com/os:1 is rejected by policy.", "node.image_rejected"),
        ("Source image rejected: None of the signatures were accepted, reasons: x; y", "node.image_rejected"),
        ("cryptographic signature verification failed: invalid", "node.image_rejected"),
        (
            "pinging container registry r: x509: certificate has expired or is not yet valid",
            "node.registry_not_trusted",
        ),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "node.registry_not_trusted",
        ),
        ("x509: certificate is valid for a.example.com, not b.example.com", "node.registry_not_trusted"),
        ("http: server gave HTTP response to HTTPS client", "node.registry_not_trusted"),
        ("registry r.example.com is blocked in /etc/containers/registries.conf or /root/x", "node.registry_blocked"),
        ("reading manifest x: manifest unknown: Tag x was deleted or has expired.", "node.image_not_found"),
        ("reading manifest x: unknown: Tag x was deleted or has expired. To pull, restore it", "node.image_not_found"),
        ("reading manifest sha256:aa in r.example.com/os: manifest unknown", "node.image_not_found"),
        ("name unknown: repository not found", "node.image_not_found"),
        ("repository name not known to registry", "node.image_not_found"),
        ("reading manifest: unauthorized: authentication required", "node.image_pull_denied"),
        ("requested access to the resource is denied", "node.image_pull_denied"),
        ("unexpected HTTP status: 403 Forbidden", "node.image_pull_denied"),
        ("unable to retrieve auth token: invalid username/password", "node.image_pull_denied"),
    ],
)
@pytest.mark.parametrize("begin", ["failed", "Failed"])
def test_pull_that_fails_each_time_has_a_finding_of_its_own(error, finding, begin):
    failure = failure_of(rebase(OPEN + error, begin=begin))
    assert (failure.finding, failure.names_cause) == (finding, True)
    assert failure.finding in PULL_FAILURES
    assert failure.error.endswith(error.rstrip())
    assert "exit status" not in failure.error


@pytest.mark.parametrize(
    "error",
    [
        "pinging container registry r.example.com: dial tcp: lookup r.example.com: no such host",
        "pinging container registry r.example.com: dial tcp 192.0.2.1:443: i/o timeout",
        "Get https://r.example.com/v2/: connection refused",
        "toomanyrequests: too many requests",
        "No space left on device",
        "invalid reference format",
        "",
    ],
)
def test_failure_that_may_clear_or_has_another_cause_is_not_a_failed_pull(error):
    failure = failure_of(rebase(OPEN + error))
    assert (failure.finding, failure.finding in PULL_FAILURES) == ("node.degraded", False)


@pytest.mark.parametrize(
    "image",
    [
        "denied.example.com/forbidden/unauthorized@sha256:" + "a" * 64,
        "r.example.com/denied:unauthorized",
        "forbidden.denied.example.com/os",
        "forbidden:5000/os/denied",
    ],
)
@pytest.mark.parametrize("error", ["pinging container registry {}: i/o timeout", "reading {}: EOF", "{}: EOF"])
def test_name_of_an_image_is_no_cause(image, error):
    assert failure_of(rebase(OPEN + error.format(image), image)).finding == "node.degraded"


@pytest.mark.parametrize(
    ("own", "finding"),
    [
        ("pinging container registry r.example.com: i/o timeout", "node.degraded"),
        ("reading manifest x: unauthorized", "node.image_pull_denied"),
        ("registry r.example.com is blocked in /etc/containers/registries.conf", "node.registry_blocked"),
    ],
)
@pytest.mark.parametrize("mirrors", ["m/os: manifest unknown", "m/os: unauthorized] [n/os: x509: certificate x"])
def test_error_of_the_registry_counts_and_not_those_of_its_mirrors(own, finding, mirrors):
    failure = failure_of(rebase(f"{OPEN}(Mirrors also failed: [{mirrors}]): {own}"))
    assert failure.finding == finding
    assert mirrors in failure.error


@pytest.mark.parametrize(
    "reason",
    [
        rebase(f"Old and new refs are equal: ostree-unverified-registry:{IMAGE}"),
        f"Failed to update OS to {IMAGE} after retries: timed out waiting for the condition",
        f"failed to update OS to {IMAGE} : timed out waiting for the condition",
        f"error running rpm-ostree rebase {IMAGE}: error: Old and new refs are equal: {IMAGE}: exit status 1",
    ],
)
def test_error_of_a_retry_is_not_the_cause(reason):
    failure = failure_of(reason)
    assert (failure.finding, failure.names_cause) == ("node.cause_in_log", False)
    assert "refs" not in cause_in_log("worker-0")
    assert "log of its machine-config-daemon" in cause_in_log("worker-0")


@pytest.mark.parametrize(
    "reason",
    [
        'unexpected on-disk state validating against x: content mismatch for file "/etc/x": permission denied',
        "failed to drain node: worker-0 after 1 hour",
        "reboot command failed, something is seriously wrong",
        "failed to drain node: timed out waiting for the condition",
        "a\n b\t c",
    ],
)
def test_other_reason_is_quoted_in_one_line(reason):
    assert failure_of(reason) == NodeFailure("node.degraded", " ".join(reason.split()))  # type: ignore[arg-type]
    assert failure_of(reason).names_cause


def test_missing_reason_names_no_cause():
    assert failure_of("") == NodeFailure("node.degraded", "")  # type: ignore[arg-type]
    assert not failure_of("").names_cause


def test_failed_pull_without_the_output_of_a_command_is_read_as_a_whole():
    failure = failure_of("failed to update OS to r.example.com/a: unauthorized")
    assert failure == NodeFailure("node.image_pull_denied", "failed to update OS to r.example.com/a: unauthorized")  # type: ignore[arg-type]


def test_failed_pulls_are_fatal_and_kinds_of_one_finding():
    assert {FINDINGS[finding].severity for finding in PULL_FAILURES} == {Severity.FATAL}
    assert {FINDINGS[finding].kind_of for finding in PULL_FAILURES} == {None, "node.image_pull_denied"}
    assert FINDINGS["node.cause_in_log"].severity is Severity.ERROR  # type: ignore[index]


def test_missing_way_back_to_the_image_of_the_release_is_recognized():
    reason = "rolling back from a layered to non-layered configuration is not currently supported"
    assert failure_of(reason) == NodeFailure(FindingId.NODE_REVERT_NOT_SUPPORTED, reason)
    assert failure_of(reason).names_cause
