# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import MAX_EVIDENCE, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfignode import (
    MachineConfigNode,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof import verdict as verdicts
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.deviation import NOTHING_ALLOWED, Allowed
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import (
    CommandResult,
    Expected,
    NodeVerdict,
    Verdict,
    evaluate,
    evaluate_reported_state,
    summarize,
    worst,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    RENDERED,
    REPOSITORY,
    booted_image,
    deployment,
    digest_of,
    image_of,
    machine_config_node,
    node,
    node_with_image,
    rpm_ostree_status,
)
from hypothesis import given, settings
from hypothesis import strategies as st

EXPECTED = Expected.of_pull_spec(image_of("a"), "machineosconfig")
NODE = NodeState.from_api(node_with_image("a"))


PLAIN = NodeState.from_api(node())
"""A node that claims nothing."""


def judged(
    *deployments: dict,
    expected: Expected = EXPECTED,
    node_state: NodeState = PLAIN,
    allowed: Allowed = NOTHING_ALLOWED,
    claim: MachineConfigNode | None = None,
    **more: t.Any,
) -> NodeVerdict:
    return evaluate(node_state, expected, CommandResult(0, rpm_ostree_status(*deployments, **more)), allowed, claim)


def ids(verdict: NodeVerdict) -> list[str]:
    assert {finding.object for finding in verdict.findings} <= {ObjectRef("Node", "worker-0")}
    return [finding.id for finding in verdict.findings]


def told(verdict: NodeVerdict) -> tuple[Verdict, list[tuple[str, str, str]]]:
    return verdict.verdict, [(f_id, f.message, f.evidence) for f_id, f in zip(ids(verdict), verdict.findings)]


REQUESTS = frozenset(
    (
        "requested-packages",
        "requested-local-packages",
        "requested-local-fileoverride-packages",
        "requested-base-removals",
        "requested-base-local-replacements",
        "requested-base-remote-replacements",
        "regenerate-initramfs",
        "initramfs-args",
        "initramfs-etc",
    )
)
DEVIATING_KEYS = frozenset(
    (
        "requested-packages",
        "requested-local-packages",
        "requested-local-fileoverride-packages",
        "packages",
        "requested-base-removals",
        "base-removals",
        "requested-base-local-replacements",
        "base-local-replacements",
        "requested-base-remote-replacements",
        "base-remote-replacements",
        "live-inprogress",
        "live-replaced",
        "unlocked",
        "regenerate-initramfs",
        "initramfs-args",
        "initramfs-etc",
        "base-checksum",
    )
)
ALL_KEYS = DEVIATING_KEYS | {
    *booted_image("a"),
    "custom-origin",
    "origin",
    "endoflife",
    "version",
    "finalization-locked",
}
STAGED_A = {**booted_image("a"), "booted": False, "staged": True}
STAGED_C = {**booted_image("c"), "booted": False, "staged": True}
LOCKED = {"finalization-locked": True}
REFERENCE = "ostree-unverified-registry:"


# The right image ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        booted_image("a"),
        # what was requested is a manifest list, what is booted its image for the node's architecture
        deployment(f"ostree-unverified-registry:{image_of('b')}", digest_of("a")),
        deployment(f"ostree-unverified-registry:{REPOSITORY}:4.20", digest_of("a")),
        deployment(f"ostree-unverified-image:containers-storage:{image_of('a')}", digest_of("a")),
        deployment(f"ostree-image-signed:docker://{image_of('a')}", digest_of("a")),
        booted_image("a", news=[1], **{"cached-update": {"x": 1}}),
    ],
)
def test_a_node_that_booted_the_digest_matches(entry):
    verdict = judged(entry, deployment(f"ostree-unverified-registry:{image_of('c')}", booted=False))
    assert (verdict.name, verdict.verdict, ids(verdict)) == ("worker-0", Verdict.MATCH, [])
    assert verdict.booted is not None


@pytest.mark.parametrize(
    ("resolved", "imported"),
    [
        (digest_of("b"), f"and imported {digest_of('b')}"),
        (None, "and reports no imported digest"),
        ("unknown", "and reports no imported digest"),
    ],
)
def test_match_that_rests_on_the_requested_digest_says_so(resolved, imported):
    """A manifest list is requested by its digest, and the image for the node's architecture is imported."""
    entry = deployment(REFERENCE + image_of("a"), resolved)
    message = f"the node requested {digest_of('a')} {imported}"
    assert told(judged(entry)) == (
        Verdict.MATCH,
        [("node.digest_not_imported", message, REFERENCE + image_of("a"))],
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (deployment(REFERENCE + image_of("b"), digest_of("c")), EXPECTED),
        (deployment(REFERENCE + image_of("a"), digest_of("b")), replace(EXPECTED, current=False)),
        (deployment(REFERENCE + "quay.io/os:4.20", digest_of("b")), EXPECTED),
    ],
)
def test_digest_that_proves_nothing_is_not_said_to_be_requested_only(entry, expected):
    verdict = judged(entry, expected=expected)
    assert verdict.verdict is not Verdict.MATCH
    assert "node.digest_not_imported" not in ids(verdict)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (f"ostree-unverified-registry:mirror.example.com/os@{digest_of('a')}", "mirror.example.com/os"),
        ("ostree-unverified-image:oci:/var/tmp/os", "ostree-unverified-image:oci:/var/tmp/os"),
        (
            f"ostree-unverified-image:containers-storage:{digest_of('c')}",
            f"ostree-unverified-image:containers-storage:{digest_of('c')}",
        ),
    ],
)
def test_the_digest_counts_and_another_name_is_told(reference, name):
    verdict = judged(deployment(reference, digest_of("a")))
    message = f"the image was pulled from {name}, not from {REPOSITORY}"
    assert told(verdict) == (Verdict.MATCH, [("node.repository_differs", message, reference)])


def test_an_expected_digest_alone_has_no_name_to_differ_from():
    expected = Expected.of_pull_spec(digest_of("a"), "option")
    assert judged(deployment("ostree-unverified-image:oci:/os", digest_of("a")), expected=expected).findings == ()


def test_the_name_of_another_image_is_not_compared():
    verdict = judged(deployment(f"ostree-unverified-registry:mirror.example.com/os@{digest_of('b')}"))
    assert ids(verdict) == ["node.image_differs"]


# Another image, or none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "verdict", "finding", "message"),
    [
        (
            [booted_image("b")],
            Verdict.MISMATCH,
            "node.image_differs",
            f"booted {digest_of('b')}, expected {digest_of('a')}",
        ),
        (
            [deployment(REFERENCE + image_of("c"), digest_of("b"))],
            Verdict.MISMATCH,
            "node.image_differs",
            f"booted {digest_of('b')}, {digest_of('c')}, expected {digest_of('a')}",
        ),
        (
            # what it could go back to does not matter
            [booted_image("b"), {**booted_image("a"), "booted": False}],
            Verdict.MISMATCH,
            "node.image_differs",
            f"booted {digest_of('b')}, expected {digest_of('a')}",
        ),
        (
            [deployment(REFERENCE + "quay.io/os:4.20", digest_of("b"))],
            Verdict.MISMATCH,
            "node.image_differs",
            f"booted {digest_of('b')}, expected {digest_of('a')}",
        ),
        (
            [deployment(origin="fedora:fedora/x86_64/coreos")],
            Verdict.MISMATCH,
            "node.not_container",
            "booted an ostree branch: fedora:fedora/x86_64/coreos",
        ),
        (
            [deployment(origin="a" * 64)],
            Verdict.MISMATCH,
            "node.not_container",
            f"booted an ostree commit: {'a' * 64}",
        ),
        (
            [deployment(**{"custom-origin": ["pivot://" + image_of("a"), "x"]})],
            Verdict.MISMATCH,
            "node.pivot",
            f"booted a pivoted image: pivot://{image_of('a')}",
        ),
        (
            [deployment(f"pivot://{image_of('a')}", digest_of("a"))],
            Verdict.MISMATCH,
            "node.pivot",
            f"booted a pivoted image: pivot://{image_of('a')}",
        ),
        (
            [deployment(image_of("a"), digest_of("a"))],
            Verdict.UNKNOWN,
            "node.reference_unreadable",
            f"booted an unreadable image reference: {image_of('a')}",
        ),
        (
            [deployment(None, digest_of("a"))],
            Verdict.UNKNOWN,
            "node.no_reference",
            "booted an unnamed source",
        ),
        (
            [deployment(REFERENCE + "quay.io/os:4.20")],
            Verdict.UNKNOWN,
            "node.no_digest",
            f"{REFERENCE}quay.io/os:4.20 has no digest to compare with {digest_of('a')}",
        ),
        (
            [deployment(REFERENCE + "quay.io/os@sha512:" + "a" * 128)],
            Verdict.UNKNOWN,
            "node.no_digest",
            f"{REFERENCE}quay.io/os@sha512:{'a' * 128} has no digest to compare with {digest_of('a')}",
        ),
    ],
    ids=range(12),
)
def test_a_node_that_booted_something_else_does_not_match(entries, verdict, finding, message):
    found = judged(*entries)
    (booted,) = (e for e in entries if e["booted"])
    assert found.booted is not None
    assert told(found) == (verdict, [(finding, message, found.booted.source)])
    assert booted.get("container-image-reference") in (None, found.booted.source)


# An answer that is none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (CommandResult(failure=FindingId.NODE_NO_DAEMON_POD, failure_message="no pod"), "node.no_daemon_pod"),
        (
            CommandResult(failure=FindingId.NODE_NO_RESPONSE, stdout=rpm_ostree_status(booted_image("a"))),
            "node.no_response",
        ),
        (
            CommandResult(0, rpm_ostree_status(booted_image("a")), failure=FindingId.NODE_EXEC_FAILED),
            "node.exec_failed",
        ),
        # complete output without an exit status is still not proof
        (CommandResult(None, rpm_ostree_status(booted_image("a"))), "node.exec_failed"),
        (CommandResult(1, rpm_ostree_status(booted_image("a"))), "node.command_failed"),
        (CommandResult(-1, rpm_ostree_status(booted_image("a"))), "node.command_failed"),
        (CommandResult(1, "", "error: Timeout was reached"), "node.command_failed"),
        (CommandResult(1, "", "error: This system was not booted via libostree; cannot operate"), "node.not_ostree"),
        (CommandResult(0, ""), "node.output_unreadable"),
        (CommandResult(0, "[]"), "node.output_unreadable"),
        (CommandResult(0, "warning: x\n" + rpm_ostree_status(booted_image("a"))), "node.output_unreadable"),
        (CommandResult(0, rpm_ostree_status(booted_image("a"))[:-40]), "node.output_unreadable"),
        (CommandResult(0, rpm_ostree_status()), "node.no_deployments"),
        (CommandResult(0, rpm_ostree_status(booted_image("a"), booted_image("a"))), "node.several_booted_deployments"),
        (CommandResult(0, rpm_ostree_status({**booted_image("a"), "booted": False})), "node.no_booted_deployment"),
        (CommandResult(0, rpm_ostree_status(STAGED_A)), "node.no_booted_deployment"),
    ],
    ids=range(16),
)
def test_an_answer_that_proves_nothing_is_unknown(answer, finding):
    verdict = evaluate(NODE, EXPECTED, answer)
    assert (verdict.name, verdict.verdict, ids(verdict)) == ("worker-0", Verdict.UNKNOWN, [finding])
    assert verdict.booted is None


def test_noise_on_stderr_is_no_part_of_the_answer():
    answer = CommandResult(0, rpm_ostree_status(booted_image("a")), '{"deployments": []}\nwarning: x\n')
    assert told(evaluate(NODE, EXPECTED, answer)) == (Verdict.MATCH, [])


def test_a_command_that_was_not_run_is_told_by_why():
    answer = CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message="it broke", stderr="noise")
    assert told(evaluate(NODE, EXPECTED, answer)) == (Verdict.UNKNOWN, [("node.exec_failed", "it broke", "noise")])
    lost = CommandResult(None, "{}", "noise")
    message = "the command ended without an exit status"
    assert told(evaluate(NODE, EXPECTED, lost)) == (Verdict.UNKNOWN, [("node.exec_failed", message, "noise")])


def test_a_failed_command_is_told_by_its_own_last_words():
    def first(answer: CommandResult) -> tuple[str, str]:
        finding = evaluate(NODE, EXPECTED, answer).findings[0]
        return finding.message, finding.evidence

    stderr = "warning: x\nerror: Timeout was reached\n"
    assert first(CommandResult(1, "unit\n", stderr)) == (
        "rpm-ostree status exited with 1: error: Timeout was reached",
        stderr,
    )
    assert first(CommandResult(1, "unit\n")) == ("rpm-ostree status exited with 1: unit", "unit\n")
    assert first(CommandResult(127)) == ("rpm-ostree status exited with 127", "")
    assert first(CommandResult(1, "", "\x1b" + "x" * 999))[0].endswith("xxx...")


def test_an_answer_that_cannot_be_read_is_its_own_evidence():
    verdict = evaluate(NODE, EXPECTED, CommandResult(0, "State: idle"))
    message = "the output cannot be parsed: it is not JSON"
    assert told(verdict) == (Verdict.UNKNOWN, [("node.output_unreadable", message, "State: idle")])


@pytest.mark.parametrize("error", [RecursionError("token"), MemoryError(), OverflowError("token")])
def test_an_unexpected_error_in_one_answer_makes_that_node_unknown(error, monkeypatch):
    def fail(text: str) -> t.NoReturn:
        raise error

    monkeypatch.setattr(verdicts, "read_status", fail)
    verdict = evaluate(NODE, EXPECTED, CommandResult(0, "{}"))
    assert (verdict.verdict, ids(verdict)) == (Verdict.UNKNOWN, ["node.unexpected_error"])
    message = verdict.findings[0].message
    assert message.startswith(f"the verification failed with an unexpected {type(error).__name__} in fail, line ")
    assert "token" not in message


def test_the_message_of_a_failure_is_bounded_and_printable():
    (finding,) = evaluate(
        NODE, EXPECTED, CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message="\x1b" + "x" * 9999)
    ).findings
    assert (len(finding.message), finding.message.isprintable()) == (300, True)


def test_the_verdict_on_a_node_keeps_no_list_of_its_deviations():
    verdict = judged(booted_image("a", **{"packages": ["usbguard"], "requested-packages": ["htop"]}))
    assert verdict.booted is not None
    assert (verdict.booted.deviations, verdict.booted.inactive_requests) == ((), ())
    assert ids(verdict) == ["node.local_packages", "node.request_inactive"]


# An expectation that is none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["a", "b"])
def test_nothing_matches_an_expectation_that_is_not_current(letter):
    verdict = judged(STAGED_A, booted_image(letter), expected=replace(EXPECTED, current=False))
    assert (verdict.verdict, ids(verdict)) == (
        Verdict.UNKNOWN,
        ["cluster.expectation_not_current", "node.deployment_staged"],
    )
    assert verdict.findings[0].message == f"{image_of('a')} is not current"
    assert verdict.booted is not None


def test_no_image_yet_is_an_expectation_that_nothing_matches():
    none_yet = Expected("", "", "machineosconfig", current=False)
    verdict = judged(booted_image("a"), expected=none_yet)
    message = "no image is not current"
    assert told(verdict) == (Verdict.UNKNOWN, [("cluster.expectation_not_current", message, "")])
    assert judged(deployment(REFERENCE + "os:t"), expected=replace(none_yet, current=True)).verdict is Verdict.UNKNOWN


# What the node changes of its image ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "finding", "evidence"),
    [
        ({"packages": ["htop", "vim"]}, "node.local_packages", "packages: %s"),
        ({"base-removals": [["vim-1-1.x86_64", "vim"]]}, "node.package_removals", "base-removals: vim-1-1.x86_64"),
        (
            {"base-remote-replacements": {"repo": [["kernel-2-1.x86_64", "kernel", "kernel-1-1.x86_64"]]}},
            "node.package_overrides",
            "base-remote-replacements: kernel-2-1.x86_64",
        ),
        ({"live-replaced": "4f1c"}, "node.live_changes", "live-replaced: 4f1c"),
        ({"unlocked": "hotfix"}, "node.unlocked", "unlocked: hotfix"),
        (
            {"regenerate-initramfs": True, "base-checksum": "4f1c"},
            "node.initramfs_regenerated",
            "regenerate-initramfs: True",
        ),
        ({"base-checksum": "4f1c"}, "node.assembled_on_node", "base-checksum: 4f1c"),
    ],
)
@pytest.mark.parametrize("expected", [EXPECTED, replace(EXPECTED, current=False)])
def test_a_node_that_changes_its_image_has_not_booted_that_image(expected, change, finding, evidence):
    verdict = judged(booted_image("a", **change), expected=expected)
    assert verdict.verdict is (Verdict.MISMATCH if expected.current else Verdict.UNKNOWN)
    assert ids(verdict)[-1:] == [finding]
    assert verdict.findings[-1].severity.value == "error"
    names = change.get("packages", [""])
    lines = [evidence % name if "%s" in evidence else evidence for name in names]
    assert verdict.findings[-1].evidence == "\n".join(lines)
    assert verdict.findings[-1].message == f"the node has local changes: {', '.join(lines)}"


def test_what_changes_another_image_is_told_beside_the_difference():
    verdict = judged(booted_image("b", unlocked="hotfix", packages=["htop"]))
    assert (verdict.verdict, ids(verdict)) == (
        Verdict.MISMATCH,
        ["node.image_differs", "node.local_packages", "node.unlocked"],
    )


def test_what_decided_is_told_before_what_only_waits():
    verdict = judged(STAGED_C, booted_image("a", unlocked="hotfix"))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MISMATCH, ["node.unlocked", "node.deployment_staged"])


def test_what_is_allowed_is_told_and_changes_no_verdict():
    entry = booted_image("a", packages=["kernel-rt-core", "usbguard"], unlocked="hotfix")
    verdict = judged(entry, allowed=Allowed.of(["kernel-rt*", "usbguard", "node.unlocked"]))
    evidence = "packages: kernel-rt-core\npackages: usbguard\nunlocked: hotfix"
    message = "the node has local changes: " + evidence.replace("\n", ", ")
    assert told(verdict) == (Verdict.MATCH, [("node.deviation_allowed", message, evidence)])
    assert verdict.findings[0].severity.value == "warning"


def test_one_package_that_is_not_allowed_is_enough():
    entry = booted_image("a", packages=["usbguard", "htop"])
    verdict = judged(entry, allowed=Allowed.of(["usbguard"]))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MISMATCH, ["node.local_packages", "node.deviation_allowed"])
    assert [f.evidence for f in verdict.findings] == ["packages: htop", "packages: usbguard"]


def test_request_that_is_not_applied_is_a_warning():
    """The nodes of a pool whose MachineConfigs had extensions before image mode look like this."""
    entry = booted_image("a", **{"requested-packages": ["NetworkManager-ovs", "qemu-guest-agent"], "packages": []})
    shown = ["requested-packages: NetworkManager-ovs", "requested-packages: qemu-guest-agent"]
    verdict = judged(entry)
    message = f"requested, but not applied: {', '.join(shown)}"
    assert told(verdict) == (Verdict.MATCH, [("node.request_inactive", message, "\n".join(shown))])
    assert verdict.findings[0].severity.value == "warning"


def test_requests_that_are_not_applied_are_told_in_a_bounded_message():
    requested = [f"package-{number}" for number in range(500)]
    (finding,) = judged(booted_image("a", **{"requested-packages": requested})).findings
    assert len(finding.message) <= 300


def test_replacement_that_is_listed_by_its_source_is_allowed_by_its_name():
    changes = {
        "requested-base-remote-replacements": [["repo=updates", ["podman"]]],
        "base-remote-replacements": {"repo=updates": [["podman-5-1.x86_64", "podman", "podman-4-1.x86_64"]]},
    }
    verdict = judged(booted_image("a", **changes), allowed=Allowed.of(["podman"]))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MATCH, ["node.deviation_allowed"])


@pytest.mark.parametrize(
    ("change", "used"),
    [
        ({}, set()),
        ({"packages": ["usbguard"]}, {"usb*"}),
        ({"packages": ["usbguard"], "unlocked": "hotfix"}, {"usb*", "node.unlocked"}),
        ({"requested-packages": ["usbguard"], "packages": []}, set()),
        ({"packages": ["htop"]}, set()),
    ],
)
def test_verdict_knows_the_entries_that_allowed_a_change(change, used):
    allowed = Allowed.of(["usb*", "node.unlocked", "ipsec"])
    assert judged(booted_image("a", **change), allowed=allowed).allowances == used


def test_verdict_without_a_readable_deployment_knows_no_allowances():
    assert evaluate(PLAIN, EXPECTED, CommandResult(0, "not JSON")).allowances is None
    assert evaluate_reported_state(PLAIN, EXPECTED).allowances is None


@pytest.mark.parametrize(
    "text",
    [
        '{"deployments": [{"booted": false, "booted": true, %s}]}',
        '{"deployments": [{"booted": true, "container-image-reference": "x", %s}]}',
        '{"deployments": [], "deployments": [{"booted": true, %s}]}',
        '{"deployments": [{"booted": true, %s, "base-commit-meta": {"a": 1, "a": 1}}]}',
        '{"deployments": [{"booted": true, %s}, {"booted": false, "a": [{"b": 1, "b": 2}]}]}',
        '{"transaction": null, "deployments": [{"booted": true, %s}], "transaction": null}',
    ],
)
def test_output_in_which_an_object_has_a_key_twice_proves_nothing(text):
    """Programs disagree about which of the values counts."""
    shown = json.dumps(booted_image("a"))
    fields = ", ".join(
        f"{json.dumps(key)}: {json.dumps(value)}" for key, value in json.loads(shown).items() if key != "booted"
    )
    verdict = evaluate(PLAIN, EXPECTED, CommandResult(0, text % fields))
    assert (verdict.verdict, ids(verdict)) == (Verdict.UNKNOWN, ["node.output_unreadable"])
    assert verdict.findings[0].message == "the output cannot be parsed: an object has a key twice"


def test_what_the_node_could_boot_instead_may_be_changed_as_it_likes():
    rollback = {**booted_image("c"), "booted": False, "packages": ["htop"], "requested-packages": ["vim"]}
    assert judged(booted_image("a"), rollback).findings == ()


# What waits for the next boot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "finding", "message"),
    [
        (
            [STAGED_A, booted_image("b")],
            "node.image_staged",
            f"booted {digest_of('b')}; expected {digest_of('a')} is staged",
        ),
        (
            [booted_image("b"), STAGED_A],
            "node.image_staged",
            f"booted {digest_of('b')}; expected {digest_of('a')} is staged",
        ),
        (
            # nothing is staged, but the boot order was turned round
            [{**STAGED_A, "staged": False}, booted_image("b")],
            "node.image_staged",
            f"booted {digest_of('b')}; expected {digest_of('a')} is staged",
        ),
        (
            # two digests, of a manifest list and of its image
            [STAGED_A, deployment(REFERENCE + image_of("c"), digest_of("b"))],
            "node.image_staged",
            f"booted {digest_of('b')}, {digest_of('c')}; expected {digest_of('a')} is staged",
        ),
        (
            [{**STAGED_A, **LOCKED}, booted_image("b")],
            "node.image_locked",
            f"booted {digest_of('b')}; expected {digest_of('a')} is staged but locked",
        ),
    ],
)
def test_the_right_image_that_only_waits_is_a_mismatch(entries, finding, message):
    found = [(finding, message, REFERENCE + image_of("a"))]
    assert told(judged(*entries)) == (Verdict.MISMATCH, found)


def test_the_right_image_that_waits_is_told_beside_a_boot_that_is_no_container():
    verdict = judged(STAGED_A, deployment(origin="fedora:x"))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MISMATCH, ["node.not_container", "node.image_staged"])
    message = f"booted an ostree branch; expected {digest_of('a')} is staged"
    assert verdict.findings[1].message == message


@pytest.mark.parametrize(
    ("waiting", "finding", "message"),
    [
        (STAGED_C, "node.deployment_staged", f"{REFERENCE}{image_of('c')} is staged for the next boot"),
        ({**STAGED_C, **LOCKED}, "node.deployment_locked", f"{REFERENCE}{image_of('c')} is staged but locked"),
        # the same image once more, with a package on it
        (
            {**STAGED_A, "packages": ["htop"]},
            "node.deployment_staged",
            f"{REFERENCE}{image_of('a')} is staged for the next boot",
        ),
        ({"staged": True}, "node.deployment_staged", "an unnamed source is staged for the next boot"),
    ],
)
def test_what_will_be_booted_instead_is_a_warning_beside_the_match(waiting, finding, message):
    verdict = judged(waiting, booted_image("a"))
    evidence = waiting.get("container-image-reference", "")
    assert told(verdict) == (Verdict.MATCH, [(finding, message, evidence)])
    assert verdict.findings[0].severity.value == "warning"


def test_another_image_that_waits_does_not_explain_the_difference():
    verdict = judged(STAGED_C, booted_image("b"))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MISMATCH, ["node.image_differs", "node.deployment_staged"])


# What else is worth knowing -----------------------------------------------------------------------------------------


def test_what_rpm_ostree_was_doing_and_the_end_of_an_images_life_are_warnings():
    verdict = judged(booted_image("a", endoflife="no more updates"), transaction=["rebase", ":1.5", "/x"])
    assert told(verdict) == (
        Verdict.MATCH,
        [
            ("node.transaction_running", "rpm-ostree transaction running: rebase", ""),
            ("node.end_of_life", "no more updates", ""),
        ],
    )


def test_a_node_that_is_not_ready_and_answers_is_proven_by_its_answer():
    state = NodeState.from_api(node(ready="False"))
    message = "Node worker-0 is not Ready"
    assert told(judged(booted_image("a"), node_state=state)) == (Verdict.MATCH, [("node.not_ready", message, "")])


@pytest.mark.parametrize("answer", [CommandResult(None), CommandResult(0, "")])
def test_a_node_that_is_not_ready_and_proves_nothing_is_told_with_both(answer):
    verdict = evaluate(NodeState.from_api(node(ready="Unknown")), EXPECTED, answer)
    assert ids(verdict)[1:] == ["node.not_ready"]
    known = evaluate(NodeState.from_api(node(ready="False")), EXPECTED, CommandResult(failure=FindingId.NODE_NOT_READY))
    assert ids(known) == ["node.not_ready"]


@pytest.mark.parametrize(
    ("reason", "message"), [("rebase failed: \x07no", "rebase failed: \N{REPLACEMENT CHARACTER}no"), ("", None)]
)
@pytest.mark.parametrize("state", ["Degraded", "Unreconcilable"])
def test_the_error_of_the_daemon_stands_beside_the_difference(state, reason, message):
    broken = NodeState.from_api(node(annotations={"state": state, "reason": reason}))
    verdict = judged(booted_image("b"), node_state=broken)
    assert (verdict.verdict, ids(verdict)) == (Verdict.MISMATCH, ["node.image_differs", "node.degraded"])
    assert verdict.findings[1].message == (message or f"Node worker-0 is {state}")
    assert verdict.findings[1].evidence == reason


def test_error_of_a_retry_is_not_quoted_as_the_cause():
    reason = "failed to update OS to x: error: Old and new refs are equal: x: exit status 1"
    broken = NodeState.from_api(node(annotations={"state": "Degraded", "reason": reason}))
    verdict = judged(booted_image("b"), node_state=broken)
    assert ids(verdict) == ["node.image_differs", "node.cause_in_log"]
    assert "refs" not in verdict.findings[1].message
    assert verdict.findings[1].evidence == reason


def test_the_findings_of_a_node_hold_no_more_evidence_than_one_of_them_may():
    entry = booted_image("b", **{"packages": ["p" * 1500], "base-removals": [["r" * 1500, "r"]]})
    verdict = judged(entry)
    assert sum(len(f.evidence.encode()) for f in verdict.findings) == MAX_EVIDENCE
    assert all(len(f.message) <= 300 for f in verdict.findings)


# What the operator's objects claim ----------------------------------------------------------------------------------


@pytest.mark.parametrize("claimed", ["a", "b"])
def test_claims_never_decide(claimed):
    state = NodeState.from_api(node_with_image(claimed))
    claim = MachineConfigNode("worker-0", RENDERED, image_of(claimed))
    assert judged(booted_image("a"), node_state=state, claim=claim).verdict is Verdict.MATCH
    assert judged(booted_image("b"), node_state=state, claim=claim).verdict is Verdict.MISMATCH


def test_an_annotation_that_disagrees_with_the_boot_is_a_warning():
    verdict = judged(booted_image("a"), node_state=NodeState.from_api(node_with_image("b")))
    message = f"annotation currentImage names {digest_of('b')}"
    assert told(verdict) == (Verdict.MATCH, [("node.annotation_disagrees", message, image_of("b"))])


def test_a_node_that_is_done_by_its_annotations_and_booted_another_image_is_a_mismatch():
    verdict = judged(booted_image("b"), node_state=NODE)
    assert NODE.settled
    assert (verdict.verdict, ids(verdict)) == (Verdict.MISMATCH, ["node.image_differs", "node.annotation_disagrees"])


@pytest.mark.parametrize("claim", ["", "no image", "quay.io/os:4.20"])
def test_an_annotation_that_names_no_digest_disagrees_with_nothing(claim):
    state = NodeState.from_api(node(annotations={"currentImage": claim}))
    assert judged(booted_image("a"), node_state=state).findings == ()


@pytest.mark.parametrize(
    ("claim", "messages"),
    [
        (machine_config_node(), []),
        (machine_config_node(image=image_of("a")), []),
        (machine_config_node(config=""), []),
        (machine_config_node(image=image_of("b")), [f"MachineConfigNode worker-0 reports {digest_of('b')}"]),
        (
            machine_config_node(config=OLD_RENDERED),
            [f"MachineConfigNode worker-0 reports {OLD_RENDERED}, the node {RENDERED}"],
        ),
        (
            machine_config_node(config=OLD_RENDERED, image=image_of("b")),
            [
                f"MachineConfigNode worker-0 reports {digest_of('b')}",
                f"MachineConfigNode worker-0 reports {OLD_RENDERED}, the node {RENDERED}",
            ],
        ),
    ],
    ids=range(6),
)
def test_a_machine_config_node_is_held_against_the_boot_and_the_configuration(claim, messages):
    verdict = judged(booted_image("a"), claim=MachineConfigNode.from_api(claim))
    assert verdict.verdict is Verdict.MATCH
    assert [f.message for f in verdict.findings] == messages
    assert set(ids(verdict)) <= {"node.machine_config_node_disagrees"}
    shown = {image_of("b"), OLD_RENDERED}
    assert all(f.evidence in shown for f in verdict.findings)


def test_a_node_without_a_configuration_disagrees_with_none():
    state = NodeState.from_api(node(annotations={"currentConfig": None}))
    claim = MachineConfigNode.from_api(machine_config_node())
    assert judged(booted_image("a"), node_state=state, claim=claim).findings == ()


# A node that is not asked -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["a", None])
def test_a_claim_never_proves_a_match(letter):
    state = NodeState.from_api(node_with_image(letter)) if letter else PLAIN
    claim = MachineConfigNode("worker-0", RENDERED, image_of(letter) if letter else "")
    message = "Node worker-0 was not queried"
    assert told(evaluate_reported_state(state, EXPECTED, claim)) == (
        Verdict.UNKNOWN,
        [("node.not_queried", message, image_of(letter) if letter else "")],
    )
    assert evaluate_reported_state(state, EXPECTED) == evaluate_reported_state(state, EXPECTED, claim)


@pytest.mark.parametrize(
    ("annotation", "image"),
    [("b", None), ("a", "b"), (None, "b"), ("b", "a")],
    ids=["node", "claim", "claim only", "both"],
)
def test_a_claim_refutes(annotation, image):
    state = NodeState.from_api(node_with_image(annotation)) if annotation else PLAIN
    claim = MachineConfigNode("worker-0", RENDERED, image_of(image)) if image else None
    message = f"the machine-config-daemon reports {digest_of('b')} as booted, expected {digest_of('a')}"
    assert told(evaluate_reported_state(state, EXPECTED, claim)) == (
        Verdict.MISMATCH,
        [("node.reported_image_differs", message, image_of("b"))],
    )


def test_a_claim_of_a_digest_that_cannot_be_compared_refutes_nothing():
    claim = MachineConfigNode("worker-0", RENDERED, "quay.io/os@sha512:" + "a" * 128)
    assert ids(evaluate_reported_state(PLAIN, EXPECTED, claim)) == ["node.not_queried"]


def test_a_claim_is_held_against_nothing_that_is_not_current():
    broken = NodeState.from_api(node_with_image("b", ready="False"))
    verdict = evaluate_reported_state(broken, replace(EXPECTED, current=False))
    assert (verdict.name, verdict.verdict) == ("worker-0", Verdict.UNKNOWN)
    assert ids(verdict) == ["cluster.expectation_not_current", "node.not_ready"]
    assert ids(evaluate_reported_state(broken, EXPECTED)) == ["node.reported_image_differs", "node.not_ready"]
    assert ids(evaluate_reported_state(replace(broken, current_image=""), EXPECTED)) == [
        "node.not_ready",
        "node.not_queried",
    ]


# What the caller may expect -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_spec", [image_of("a"), f"quay.io/os:4.20@{digest_of('a')}", digest_of("a")])
def test_an_expectation_is_a_digest_with_or_without_a_name(given_spec):
    expected = Expected.of_pull_spec(given_spec, "option")
    assert expected == Expected(given_spec, digest_of("a"), "option", current=True)
    repository = given_spec.partition("@")[0].removesuffix(":4.20")
    assert expected.repository == ("" if repository.startswith("sha256") else repository)
    assert not Expected.of_pull_spec(given_spec, "option", False).current


@pytest.mark.parametrize("given_spec", ["", "quay.io/os:4.20", "quay.io/os", "sha256:abc", digest_of("a") + " ", "a@b"])
def test_an_expectation_without_a_digest_is_refused(given_spec):
    with pytest.raises(ValueError, match=r"^.*(digest|not the name)"):
        Expected.of_pull_spec(given_spec, "option")


def test_an_expectation_by_a_tag_is_told_why_it_is_refused():
    with pytest.raises(ValueError, match=r"^quay.io/os:4.20 has no digest; a tag does not identify an image$"):
        Expected.of_pull_spec("quay.io/os:4.20", "option")


# The verdict of the whole -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], None),
        (["match"], "match"),
        (["match", "mismatch"], "mismatch"),
        (["mismatch", "unknown", "match"], "unknown"),
    ],
)
def test_the_worst_verdict_is_the_one_of_the_whole(verdicts, whole):
    assert worst(map(Verdict, verdicts)) == (Verdict(whole) if whole else None)


def test_verdicts_are_counted():
    assert summarize(map(Verdict, ["match", "unknown", "match"])) == {
        "total": 3,
        "match": 2,
        "mismatch": 0,
        "unknown": 1,
    }


# Whatever a node answers --------------------------------------------------------------------------------------------


@given(st.binary(max_size=200), st.binary(max_size=50), st.none() | st.integers(-1, 255))
def test_any_bytes_are_judged_and_none_match(stdout, stderr, exit_status):
    answer = CommandResult(exit_status, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))
    assert evaluate(NODE, EXPECTED, answer).verdict is Verdict.UNKNOWN


_REFERENCES = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        [
            "",
            "ostree-unverified-registry:",
            "ostree-unverified-image:docker://",
            "ostree-unverified-image:containers-storage:",
            "ostree-remote-registry:x:",
            "pivot://",
        ]
    ),
    st.sampled_from(["quay.io/os", "os", "", "registry:5000/os", digest_of("a"), "quay.io/os:" + "a" * 64]),
    st.sampled_from(["", "@" + digest_of("b"), "@" + digest_of("a")[:-1], "@sha512:" + "a" * 64, ":t", "@"]),
)
_RESOLVED = st.none() | st.sampled_from([digest_of("b"), digest_of("a")[:-1], digest_of("a").upper(), "", 7])


@given(_REFERENCES, _RESOLVED, st.booleans(), st.sampled_from([None, "none", "hotfix"]))
def test_nothing_that_lacks_the_digest_matches(reference, resolved, with_staged, unlocked):
    entry = {"booted": True, "container-image-reference": reference, "unlocked": unlocked}
    if resolved is not None:
        entry["container-image-reference-digest"] = resolved
    others = [{**booted_image("a"), "booted": False, "staged": with_staged}]
    answer = CommandResult(0, json.dumps({"deployments": [*others, entry]}))
    assert evaluate(NODE, EXPECTED, answer).verdict is not Verdict.MATCH


_GOOD = rpm_ostree_status(STAGED_C, booted_image("a"), {**booted_image("b"), "booted": False})


@given(st.integers(0, len(_GOOD) - 1))
def test_an_answer_that_was_cut_off_anywhere_proves_nothing(length):
    assert evaluate(NODE, EXPECTED, CommandResult(0, _GOOD[:length])).verdict is Verdict.UNKNOWN


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.binary(max_size=3)), min_size=1, max_size=4))
def test_a_damaged_answer_is_judged_and_matches_only_with_the_digest_still_booted(damages):
    damaged = bytearray(_GOOD.encode())
    for place, content in damages:
        damaged[place : place + len(content)] = content
    text = damaged.decode("utf-8", "replace")
    verdict = evaluate(NODE, EXPECTED, CommandResult(0, text))
    if verdict.verdict is Verdict.MATCH:
        (booted,) = (d for d in json.loads(text)["deployments"] if d.get("booted") is True)
        assert digest_of("a") in json.dumps(booted)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(digest_of("a")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(ALL_KEYS)), _VALUES, st.booleans())
def test_no_value_of_any_key_raises_and_none_but_nothing_hides_a_change(key, value, booted):
    entry = {**booted_image("a"), key: value}
    others = [{**booted_image("b"), "booted": False, key: value}]
    verdict = evaluate(
        NODE, EXPECTED, CommandResult(0, json.dumps({"deployments": [entry, *others] if booted else [*others, entry]}))
    )
    is_reported = any(finding.id == FindingId.NODE_REQUEST_INACTIVE for finding in verdict.findings)
    assert key in REQUESTS or not is_reported
    if verdict.verdict is Verdict.MATCH and key in DEVIATING_KEYS and not is_reported:
        assert not value or value == "none" or isinstance(value, dict)
    json.dumps([f.as_result() for f in verdict.findings]).encode("utf-8")
