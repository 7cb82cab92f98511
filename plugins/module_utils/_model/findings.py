# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be found out about a node, build, pool or cluster: the public ids, how grave each is, and its remedy.

The ids are public: playbooks test for them. Renaming one is a deprecation.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .resources import ObjectRef

MAX_EVIDENCE = 2048
"""Bytes of evidence that one finding carries at most."""


class Severity(enum.Enum):
    """How grave a finding is."""

    FATAL = "fatal"
    """Cannot clear by itself: a wait ends with it."""
    ERROR = "error"
    """Holds something up now and may clear."""
    WARNING = "warning"
    """Worth knowing; holds nothing up."""


@dataclass(frozen=True)
class Definition:
    """One row of the public table."""

    severity: Severity
    meaning: str
    remedy: str


FINDINGS: t.Mapping[str, Definition] = {
    "build.failed": Definition(
        Severity.FATAL,
        "The build that answers for the present spec has failed.",
        "Correct the Containerfile or the secrets and apply again; an unchanged spec is not built again by itself",
    ),
    "build.interrupted": Definition(
        Severity.FATAL,
        "The Job of the build that answers for the present spec was deleted before it ended.",
        "Delete the MachineOSBuild; the operator starts it again",
    ),
    "build.identity_unproven": Definition(
        Severity.ERROR,
        "It cannot be proven that the build that is there answers for the present spec.",
        "Wait for the operator to start the build, or apply the MachineOSConfig through this collection",
    ),
    "build.not_started": Definition(
        Severity.ERROR,
        "There is no MachineOSBuild for the present spec yet.",
        "Look at ClusterOperator machine-config and at the log of Deployment machine-os-builder",
    ),
    "pool.paused": Definition(
        Severity.FATAL,
        "The pool is paused; no node is changed.",
        "Release the pool (machineconfigpool with paused=false)",
    ),
    "pool.older_build_selected": Definition(
        Severity.FATAL,
        "This release's node controller takes the first build in list order, which is an older one.",
        "Delete that MachineOSBuild and touch the pool, for example with a label",
    ),
    "pool.render_degraded": Definition(
        Severity.ERROR,
        "The pool's configuration cannot be rendered.",
        "Correct the MachineConfig that the message names",
    ),
    "node.degraded": Definition(
        Severity.ERROR,
        "The machine-config-daemon of the node reports an error.",
        "Remove the cause that the message names; the daemon tries again by itself",
    ),
    "node.not_ready": Definition(
        Severity.ERROR,
        "The node is not Ready.",
        "Look at the node's kubelet and console",
    ),
    "node.unschedulable": Definition(
        Severity.ERROR,
        "The node is cordoned although no drain is asked for.",
        "Uncordon the node",
    ),
    "node.not_in_pool": Definition(
        Severity.FATAL,
        "The node does not belong to the pool that is looked at.",
        "Label the node (machineconfigpool_nodes) or take it out of nodes",
    ),
    "node.in_two_pools": Definition(
        Severity.FATAL,
        "Two custom pools select the node, so the operator does not touch it.",
        "Remove one of the labels",
    ),
    "node.image_differs": Definition(
        Severity.ERROR,
        "The node booted another image than expected.",
        "Wait for the rollout, or see why the machine-config-daemon did not apply the image",
    ),
    "node.image_staged": Definition(
        Severity.ERROR,
        "The expected image is on the node but another one is booted.",
        "Reboot the node",
    ),
    "node.not_container": Definition(
        Severity.ERROR,
        "What the node booted is not a container image.",
        "Wait for the rollout of the pool's image",
    ),
    "node.no_digest": Definition(
        Severity.ERROR,
        "The booted deployment names no digest, only a tag, which proves nothing.",
        "Ask the node again; if it stays, look at rpm-ostree status on the node",
    ),
    "node.no_booted_deployment": Definition(
        Severity.ERROR,
        "The answer of the node does not name exactly one booted deployment.",
        "Look at rpm-ostree status on the node",
    ),
    "node.answer_unreadable": Definition(
        Severity.ERROR,
        "What the node answered is not the JSON of rpm-ostree status.",
        "Run the command on the node by hand",
    ),
    "node.command_failed": Definition(
        Severity.ERROR,
        "rpm-ostree status failed on the node.",
        "Look at rpm-ostreed on the node",
    ),
    "node.no_daemon_pod": Definition(
        Severity.ERROR,
        "No running machine-config-daemon pod was found on the node.",
        "Look at DaemonSet machine-config-daemon",
    ),
    "node.exec_failed": Definition(
        Severity.ERROR,
        "The command could not be run in the machine-config-daemon pod.",
        "See whether the node is reachable and ask again",
    ),
    "node.exec_forbidden": Definition(
        Severity.ERROR,
        "The account may not run commands in the machine-config-daemon pod.",
        "Grant create and get on pods/exec in namespace openshift-machine-config-operator",
    ),
    "node.no_answer": Definition(
        Severity.ERROR,
        "The node did not answer in time.",
        "Look at the node, or raise node_timeout",
    ),
    "node.rebooted_meanwhile": Definition(
        Severity.ERROR,
        "The node rebooted while it was asked.",
        "Ask again once the node has settled",
    ),
    "node.local_changes": Definition(
        Severity.WARNING,
        "Packages, overrides or an unlocked /usr change what the image brought.",
        "Bring the change into the Containerfile, or reset the node",
    ),
    "node.annotation_disagrees": Definition(
        Severity.WARNING,
        "The node's annotations name another image than the one it booted.",
        "Look at the machine-config-daemon of the node",
    ),
    "cluster.expectation_not_current": Definition(
        Severity.ERROR,
        "The image that the MachineOSConfig names does not answer for its present spec, so nothing can match it.",
        "Wait for the build (machineosbuild_wait), or name expected_image",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One named fact about an object, with what shows it."""

    id: str
    object: ObjectRef
    message: str
    evidence: str = ""

    def __post_init__(self) -> None:
        if self.id not in FINDINGS:
            raise ValueError(f"{self.id} is not a public finding")

    @property
    def severity(self) -> Severity:
        """How grave it is, by the public table."""
        return FINDINGS[self.id].severity

    @property
    def remedy(self) -> str:
        """What to do about it, by the public table."""
        return FINDINGS[self.id].remedy

    @property
    def fatal(self) -> bool:
        """Whether it cannot clear by itself."""
        return self.severity is Severity.FATAL

    def as_result(self) -> dict[str, t.Any]:
        """Return the shape that results show."""
        return {
            "id": self.id,
            "severity": self.severity.value,
            "object": {"kind": self.object.kind, "namespace": self.object.namespace, "name": self.object.name},
            "message": self.message,
            "evidence": self.evidence.encode("utf-8", "replace")[:MAX_EVIDENCE].decode("utf-8", "ignore"),
            "remedy": self.remedy,
        }
