# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be found out about a node, build, pool or cluster: the public ids, how grave each is, and its remedy.

The ids are public: playbooks test for them. Renaming one is a deprecation.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, replace

from .objects.resources import ObjectRef

FATAL = "fatal"
"""Stands for all findings that the public table calls fatal, where findings are named by their ids."""
MAX_MESSAGE = 2000
"""Bytes of a message in a result: it can quote a condition or a command of any length."""
MAX_EVIDENCE = 2048
"""Bytes of evidence that one finding carries at most, and all findings of a node together."""


class FindingId(str, enum.Enum):
    """Public id of a finding."""

    BUILD_FAILED = "build.failed"
    BUILD_BASE_IMAGE_DENIED = "build.base_image_denied"
    BUILD_BASE_IMAGE_NOT_FOUND = "build.base_image_not_found"
    BUILD_REGISTRY_UNREACHABLE = "build.registry_unreachable"
    BUILD_REGISTRY_WITHOUT_TLS = "build.registry_without_tls"
    BUILD_REGISTRY_NOT_TRUSTED = "build.registry_not_trusted"
    BUILD_RUN_FAILED = "build.run_failed"
    BUILD_COMMAND_NOT_FOUND = "build.command_not_found"
    BUILD_PACKAGE_NOT_FOUND = "build.package_not_found"
    BUILD_REPOSITORY_UNUSABLE = "build.repository_unusable"
    BUILD_SOURCE_NOT_FOUND = "build.source_not_found"
    BUILD_NO_SPACE = "build.no_space"
    BUILD_KILLED = "build.killed"
    BUILD_EVICTED = "build.evicted"
    BUILD_PUSH_DENIED = "build.push_denied"
    BUILD_PUSH_QUOTA_EXCEEDED = "build.push_quota_exceeded"
    BUILD_PUSH_REPOSITORY_UNKNOWN = "build.push_repository_unknown"
    BUILD_CONTAINERFILE_INVALID = "build.containerfile_invalid"
    BUILD_LOG_NOT_READABLE = "build.log_not_readable"
    BUILD_LOG_NOT_SAVED = "build.log_not_saved"
    BUILD_INTERRUPTED = "build.interrupted"
    BUILD_JOB_DELETED = "build.job_deleted"
    BUILD_DELETED = "build.deleted"
    BUILD_IDENTITY_UNVERIFIED = "build.identity_unverified"
    BUILD_REBUILD_NOT_STARTED = "build.rebuild_not_started"
    BUILD_RESULT_NOT_RECORDED = "build.result_not_recorded"
    BUILD_POOL_NAME_TOO_LONG = "build.pool_name_too_long"
    BUILD_SECRET_MISSING = "build.secret_missing"  # noqa: S105  an id, not a password
    BUILD_OPERATOR_DEGRADED = "build.operator_degraded"
    BUILD_POOL_DEGRADED = "build.pool_degraded"
    BUILD_POOL_NOT_UPDATED = "build.pool_not_updated"
    BUILD_NOT_STARTED = "build.not_started"
    POOL_PAUSED = "pool.paused"
    POOL_OLDER_BUILD_SELECTED = "pool.older_build_selected"
    POOL_RENDER_DEGRADED = "pool.render_degraded"
    POOL_MAX_UNAVAILABLE_REACHED = "pool.max_unavailable_reached"
    NODE_DEGRADED = "node.degraded"
    NODE_NOT_READY = "node.not_ready"
    NODE_NOT_RETURNED = "node.not_returned"
    NODE_IMAGE_PULL_DENIED = "node.image_pull_denied"
    NODE_DRAIN_BLOCKED = "node.drain_blocked"
    NODE_DRAIN_IMPOSSIBLE = "node.drain_impossible"
    NODE_DRAIN_FAILING = "node.drain_failing"
    NODE_POD_NOT_TERMINATING = "node.pod_not_terminating"
    NODE_UNSCHEDULABLE = "node.unschedulable"
    NODE_NOT_IN_POOL = "node.not_in_pool"
    NODE_IN_NO_POOL = "node.in_no_pool"
    NODE_IN_TWO_POOLS = "node.in_two_pools"
    NODE_IMAGE_DIFFERS = "node.image_differs"
    NODE_IMAGE_STAGED = "node.image_staged"
    NODE_NOT_CONTAINER = "node.not_container"
    NODE_IMAGE_LOCKED = "node.image_locked"
    NODE_PIVOT = "node.pivot"
    NODE_NO_REFERENCE = "node.no_reference"
    NODE_REFERENCE_UNREADABLE = "node.reference_unreadable"
    NODE_NO_DIGEST = "node.no_digest"
    NODE_NO_BOOTED_DEPLOYMENT = "node.no_booted_deployment"
    NODE_NO_DEPLOYMENTS = "node.no_deployments"
    NODE_SEVERAL_BOOTED_DEPLOYMENTS = "node.several_booted_deployments"
    NODE_OUTPUT_UNREADABLE = "node.output_unreadable"
    NODE_UNEXPECTED_ERROR = "node.unexpected_error"
    NODE_COMMAND_FAILED = "node.command_failed"
    NODE_NOT_OSTREE = "node.not_ostree"
    NODE_NO_DAEMON_POD = "node.no_daemon_pod"
    NODE_EXEC_FAILED = "node.exec_failed"
    NODE_EXEC_FORBIDDEN = "node.exec_forbidden"
    NODE_NO_RESPONSE = "node.no_response"
    NODE_REBOOTED_DURING_VERIFICATION = "node.rebooted_during_verification"
    NODE_HOST_FAILED = "node.host_failed"
    NODE_NOT_QUERIED = "node.not_queried"
    NODE_REPORTED_IMAGE_DIFFERS = "node.reported_image_differs"
    NODE_DELETED = "node.deleted"
    NODE_LOCAL_PACKAGES = "node.local_packages"
    NODE_PACKAGE_OVERRIDES = "node.package_overrides"
    NODE_PACKAGE_REMOVALS = "node.package_removals"
    NODE_LIVE_CHANGES = "node.live_changes"
    NODE_UNLOCKED = "node.unlocked"
    NODE_INITRAMFS_REGENERATED = "node.initramfs_regenerated"
    NODE_ASSEMBLED_ON_NODE = "node.assembled_on_node"
    NODE_DEVIATION_ALLOWED = "node.deviation_allowed"
    NODE_DEPLOYMENT_STAGED = "node.deployment_staged"
    NODE_DEPLOYMENT_LOCKED = "node.deployment_locked"
    NODE_TRANSACTION_RUNNING = "node.transaction_running"
    NODE_END_OF_LIFE = "node.end_of_life"
    NODE_REPOSITORY_DIFFERS = "node.repository_differs"
    NODE_ANNOTATION_DISAGREES = "node.annotation_disagrees"
    NODE_MACHINE_CONFIG_NODE_DISAGREES = "node.machine_config_node_disagrees"
    CLUSTER_EXPECTATION_CACHED = "cluster.expectation_cached"
    CLUSTER_DRAINS_NOT_READABLE = "cluster.drains_not_readable"
    CLUSTER_EXPECTATION_FORBIDDEN = "cluster.expectation_forbidden"
    CLUSTER_EXPECTATION_NOT_CURRENT = "cluster.expectation_not_current"

    def __str__(self) -> str:
        return str(self.value)


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
    kind_of: FindingId | None = None
    """The more general finding that this one is a case of: who names that one means this one too."""


FINDINGS: t.Mapping[FindingId, Definition] = {
    FindingId.BUILD_FAILED: Definition(
        Severity.FATAL,
        "The build that answers for the present spec has failed, for a reason that is not known.",
        "Read the evidence and the log (log_dir). An edit of the MachineOSConfig builds again; where only a Secret or "
        "a registry had to be corrected, delete the MachineOSBuild, which is then built again",
    ),
    FindingId.BUILD_BASE_IMAGE_DENIED: Definition(
        Severity.FATAL,
        "The registry does not give the builder an image that the build starts from.",
        "Correct the registry's entry in base_image_pull_secret (without one the global pull secret is used), then "
        "delete the MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_BASE_IMAGE_NOT_FOUND: Definition(
        Severity.FATAL,
        "An image or stage that the build starts from or copies from does not exist.",
        "Correct the name in the Containerfile and apply again, or push that image and delete the MachineOSBuild, "
        "which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_UNREACHABLE: Definition(
        Severity.FATAL,
        "The builder could not reach a registry.",
        "See whether the registry is up and the cluster's proxy and firewall let nodes reach it, then delete the "
        "MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_WITHOUT_TLS: Definition(
        Severity.FATAL,
        "A registry answers without TLS.",
        "Give the registry a certificate, or name it in registrySources.insecureRegistries of Image cluster, then "
        "delete the MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_NOT_TRUSTED: Definition(
        Severity.FATAL,
        "The builder does not trust the certificate of a registry.",
        "Put its authority into the ConfigMap that additionalTrustedCA of Image cluster names, then delete the "
        "MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_RUN_FAILED: Definition(
        Severity.FATAL,
        "A command of the Containerfile failed.",
        "Correct the command and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_COMMAND_NOT_FOUND: Definition(
        Severity.FATAL,
        "A command of the Containerfile is not in the image.",
        "Correct the command's name, or install it in an earlier instruction, and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PACKAGE_NOT_FOUND: Definition(
        Severity.FATAL,
        "No repository that the build sees has the package.",
        "Correct the package's name, or enable the repository that has it, and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REPOSITORY_UNUSABLE: Definition(
        Severity.FATAL,
        "The build has no package repository that it may use.",
        "See whether Secret etc-pki-entitlement is in openshift-config-managed, and whether ConfigMap etc-yum-repos-d "
        "in openshift-machine-config-operator and the cluster's proxy are right, then delete the MachineOSBuild, which "
        "is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_SOURCE_NOT_FOUND: Definition(
        Severity.FATAL,
        "An instruction copies a file that is not there.",
        "Builds of the cluster have no folder of yours: write the file in a RUN, or copy it from an image (COPY "
        "--from), and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_NO_SPACE: Definition(
        Severity.FATAL,
        "The file system that the build wrote to is full.",
        "Free ephemeral storage on the nodes that build, or make the image smaller, then delete the MachineOSBuild, "
        "which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_KILLED: Definition(
        Severity.FATAL,
        "The builder, or a command that it ran, was killed, as it is when memory runs out.",
        "Give the nodes that build more free memory, then delete the MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_EVICTED: Definition(
        Severity.FATAL,
        "The node took the build's pod away.",
        "Free what the evidence names on the nodes that build, and keep them from being drained meanwhile, then delete "
        "the MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_DENIED: Definition(
        Severity.FATAL,
        "The registry does not let the builder push the image.",
        "Correct the registry's entry in rendered_image_push_secret (it needs the right to push), then delete the "
        "MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_QUOTA_EXCEEDED: Definition(
        Severity.FATAL,
        "The registry has no room for the image.",
        "Remove images there or raise the quota, then delete the MachineOSBuild, which is then built again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_REPOSITORY_UNKNOWN: Definition(
        Severity.FATAL,
        "The registry does not know the repository that the image is pushed to.",
        "Create the repository there, or correct rendered_image_push_spec and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_CONTAINERFILE_INVALID: Definition(
        Severity.FATAL,
        "The Containerfile cannot be understood.",
        "Correct the instruction and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_LOG_NOT_READABLE: Definition(
        Severity.WARNING,
        "The account may not read the builder's pods or their log, so that they explain nothing.",
        "Grant get, list and watch on pods and get on pods/log in namespace openshift-machine-config-operator",
    ),
    FindingId.BUILD_LOG_NOT_SAVED: Definition(
        Severity.WARNING,
        "The builder's log could not be written to log_dir.",
        "See whether log_dir is a folder that may be written to and has room",
    ),
    FindingId.BUILD_INTERRUPTED: Definition(
        Severity.FATAL,
        "The Job of the build that answers for the present spec was deleted before it ended.",
        "Delete the MachineOSBuild; the operator starts it again",
    ),
    FindingId.BUILD_JOB_DELETED: Definition(
        Severity.FATAL,
        "The Job of the build was deleted before it ended, and the operator of this release has not noticed.",
        "Delete the MachineOSBuild; the operator starts it again",
    ),
    FindingId.BUILD_DELETED: Definition(
        Severity.FATAL,
        "The build that the operator names is gone, and none has taken its place within replacement_grace.",
        "Change the Containerfile, by a comment at least, and apply again",
    ),
    FindingId.BUILD_IDENTITY_UNVERIFIED: Definition(
        Severity.FATAL,
        "The build that is there is not proven to answer for the present spec, and none that is has come within "
        "replacement_grace.",
        "See whether Deployment machine-os-builder runs, and apply the MachineOSConfig through this collection",
    ),
    FindingId.BUILD_REBUILD_NOT_STARTED: Definition(
        Severity.FATAL,
        "A rebuild was asked for by the annotation, and the operator has not begun it within replacement_grace; it "
        "does not hear of one that is asked for while machine-os-builder is away.",
        "Delete the MachineOSBuild, which is then built again, or take the annotation away and write it again",
    ),
    FindingId.BUILD_RESULT_NOT_RECORDED: Definition(
        Severity.FATAL,
        "The builder has ended well, and the operator does not take its image.",
        "Give rendered_image_push_spec one namespace segment at most and apply again; if it has, delete the "
        "MachineOSBuild, which is then built again",
    ),
    FindingId.BUILD_POOL_NAME_TOO_LONG: Definition(
        Severity.FATAL,
        "The operator cannot label builds of a pool of such a long name.",
        "Use a pool whose name has at most 21 characters",
    ),
    FindingId.BUILD_SECRET_MISSING: Definition(
        Severity.FATAL,
        "A Secret that the MachineOSConfig names does not exist, so no build can start.",
        "Create the Secret in openshift-machine-config-operator (registry_secret); the build then starts by itself",
    ),
    FindingId.BUILD_OPERATOR_DEGRADED: Definition(
        Severity.ERROR,
        "The operator has found something wrong and may start no build.",
        "Remove the cause that the message names",
    ),
    FindingId.BUILD_POOL_DEGRADED: Definition(
        Severity.ERROR,
        "The pool is degraded, and then the operator starts no build.",
        "Remove the cause that the message names",
    ),
    FindingId.BUILD_POOL_NOT_UPDATED: Definition(
        Severity.FATAL,
        "Nodes came in before the pool had settled, that is, before all of its nodes ever had its configuration, and "
        "from 4.20 on the operator starts no build for such a pool, while its nodes wait for the image.",
        "Take the nodes out of the pool (machineconfigpool_nodes with state=absent); the build then starts by itself, "
        "and they can come back",
    ),
    FindingId.BUILD_NOT_STARTED: Definition(
        Severity.ERROR,
        "There is no MachineOSBuild for the present spec yet.",
        "Look at ClusterOperator machine-config and at the log of Deployment machine-os-builder",
    ),
    FindingId.POOL_PAUSED: Definition(
        Severity.FATAL,
        "The pool is paused; no node is changed.",
        "Release the pool (machineconfigpool with paused=false)",
    ),
    FindingId.POOL_OLDER_BUILD_SELECTED: Definition(
        Severity.FATAL,
        "This release's node controller takes the first build in list order, which is an older one.",
        "Delete that MachineOSBuild and touch the pool; machineosbuild_superseded does both, in the playbooks "
        "image_mode_delete_superseded=true",
    ),
    FindingId.POOL_RENDER_DEGRADED: Definition(
        Severity.ERROR,
        "The pool's configuration cannot be rendered.",
        "Correct the MachineConfig that the message names",
    ),
    FindingId.POOL_MAX_UNAVAILABLE_REACHED: Definition(
        Severity.ERROR,
        "As many nodes as maxUnavailable allows are out of service and get nowhere, so no other node begins.",
        "Bring those nodes back, or raise max_unavailable (machineconfigpool)",
    ),
    FindingId.NODE_DEGRADED: Definition(
        Severity.ERROR,
        "The machine-config-daemon of the node reports an error.",
        "Remove the cause that the message names; the daemon tries again by itself",
    ),
    FindingId.NODE_NOT_READY: Definition(
        Severity.ERROR,
        "The node is not Ready.",
        "Look at the node's kubelet and console",
    ),
    FindingId.NODE_NOT_RETURNED: Definition(
        Severity.ERROR,
        "The node has been away for longer than a reboot takes.",
        "Look at the console of the machine",
    ),
    FindingId.NODE_IMAGE_PULL_DENIED: Definition(
        Severity.FATAL,
        "The node is refused the image, also when its machine-config-daemon tries again.",
        "See that the cluster's pull secret opens the registry to nodes and that the image is still there; the daemon "
        "then goes on by itself",
    ),
    FindingId.NODE_DRAIN_BLOCKED: Definition(
        Severity.ERROR,
        "A PodDisruptionBudget does not allow the eviction of a pod of the node now.",
        "See why pods that the budget counts are not healthy, or raise their number; uncordoning the node is undone",
    ),
    FindingId.NODE_DRAIN_IMPOSSIBLE: Definition(
        Severity.FATAL,
        "A PodDisruptionBudget demands as many healthy pods as there are, or two cover the same pod, so no eviction is "
        "ever allowed.",
        "Raise the number of pods, change the budget, or delete the pod by hand; uncordoning the node is undone",
    ),
    FindingId.NODE_DRAIN_FAILING: Definition(
        Severity.ERROR,
        "The operator's drain controller reports an error, and tries again.",
        "Remove the cause that the message names; uncordoning the node is undone",
    ),
    FindingId.NODE_POD_NOT_TERMINATING: Definition(
        Severity.ERROR,
        "A pod of the node was evicted and stays beyond its grace period.",
        "Look at the pod's finalizers and at the node's kubelet",
    ),
    FindingId.NODE_UNSCHEDULABLE: Definition(
        Severity.ERROR,
        "The node is cordoned although no drain is asked for.",
        "Uncordon the node",
    ),
    FindingId.NODE_NOT_IN_POOL: Definition(
        Severity.FATAL,
        "The node does not belong to the pool that is looked at.",
        "Label the node (machineconfigpool_nodes) or take it out of nodes",
    ),
    FindingId.NODE_IN_NO_POOL: Definition(
        Severity.ERROR,
        "No pool drives the node, or two custom pools select it, so the cluster expects no image of it.",
        "Correct the labels of the node, or name expected_image",
    ),
    FindingId.NODE_IN_TWO_POOLS: Definition(
        Severity.FATAL,
        "Two custom pools select the node, so the operator does not touch it.",
        "Remove one of the labels",
    ),
    FindingId.NODE_IMAGE_DIFFERS: Definition(
        Severity.ERROR,
        "The node booted another image than expected.",
        "Wait for the rollout, or see why the machine-config-daemon did not apply the image",
    ),
    FindingId.NODE_IMAGE_STAGED: Definition(
        Severity.ERROR,
        "The expected image is on the node but another one is booted.",
        "Reboot the node",
    ),
    FindingId.NODE_NOT_CONTAINER: Definition(
        Severity.ERROR,
        "What the node booted is not a container image.",
        "Wait for the rollout of the pool's image",
    ),
    FindingId.NODE_IMAGE_LOCKED: Definition(
        Severity.ERROR,
        "The expected image is on the node, but locked, so that no boot takes it, and another one is booted.",
        "See who locked it; rpm-ostree finalize-deployment boots it",
    ),
    FindingId.NODE_PIVOT: Definition(
        Severity.ERROR,
        "The node was pivoted to an image, and only a note of that names it; rpm-ostree did not import it as one.",
        "Wait for the rollout of the pool's image",
    ),
    FindingId.NODE_NO_REFERENCE: Definition(
        Severity.ERROR,
        "The booted deployment does not say what it was made from.",
        "Look at rpm-ostree status on the node",
    ),
    FindingId.NODE_REFERENCE_UNREADABLE: Definition(
        Severity.ERROR,
        "The booted deployment names its image in a way that cannot be read.",
        "Look at rpm-ostree status on the node, and report it",
    ),
    FindingId.NODE_NO_DIGEST: Definition(
        Severity.ERROR,
        "The booted deployment names no digest that can be compared, perhaps only a tag, which proves nothing.",
        "Ask the node again; if it stays, look at rpm-ostree status on the node",
    ),
    FindingId.NODE_NO_BOOTED_DEPLOYMENT: Definition(
        Severity.ERROR,
        "The answer of the node calls no deployment booted.",
        "Look at rpm-ostree status on the node",
    ),
    FindingId.NODE_NO_DEPLOYMENTS: Definition(
        Severity.ERROR,
        "rpm-ostree lists no deployment at all.",
        "Look at rpm-ostree status on the node",
    ),
    FindingId.NODE_SEVERAL_BOOTED_DEPLOYMENTS: Definition(
        Severity.ERROR,
        "The answer of the node calls more than one deployment booted.",
        "Look at rpm-ostree status on the node",
    ),
    FindingId.NODE_OUTPUT_UNREADABLE: Definition(
        Severity.ERROR,
        "What the node answered is not the JSON of rpm-ostree status.",
        "Run the command on the node by hand",
    ),
    FindingId.NODE_UNEXPECTED_ERROR: Definition(
        Severity.ERROR,
        "An error that the collection does not expect ended the check of this node.",
        "Check the node again; if the error stays, report it with the message",
    ),
    FindingId.NODE_COMMAND_FAILED: Definition(
        Severity.ERROR,
        "rpm-ostree status failed on the node.",
        "Look at rpm-ostreed on the node",
    ),
    FindingId.NODE_NOT_OSTREE: Definition(
        Severity.ERROR,
        "What was asked is not a system that ostree booted.",
        "See that host_root is where the node's file system is mounted; a node of packages cannot boot an image",
    ),
    FindingId.NODE_NO_DAEMON_POD: Definition(
        Severity.ERROR,
        "No running machine-config-daemon pod was found on the node.",
        "Look at DaemonSet machine-config-daemon",
    ),
    FindingId.NODE_EXEC_FAILED: Definition(
        Severity.ERROR,
        "The command could not be run in the machine-config-daemon pod.",
        "See whether the node is reachable and ask again",
    ),
    FindingId.NODE_EXEC_FORBIDDEN: Definition(
        Severity.ERROR,
        "The account may not run commands in the machine-config-daemon pod.",
        "Grant create and get on pods/exec in namespace openshift-machine-config-operator",
    ),
    FindingId.NODE_NO_RESPONSE: Definition(
        Severity.ERROR,
        "The node did not answer in time.",
        "Look at the node, or raise node_timeout",
    ),
    FindingId.NODE_REBOOTED_DURING_VERIFICATION: Definition(
        Severity.ERROR,
        "The node rebooted while it was asked.",
        "Ask again once the node has settled",
    ),
    FindingId.NODE_HOST_FAILED: Definition(
        Severity.ERROR,
        "The host of the inventory that is the node failed before the node was asked.",
        "Mend what the message names and ask again",
    ),
    FindingId.NODE_NOT_QUERIED: Definition(
        Severity.WARNING,
        "The node itself was not asked; what the operator's objects say of it proves nothing.",
        "Ask the nodes (transport pod_exec), or let only a mismatch fail",
    ),
    FindingId.NODE_REPORTED_IMAGE_DIFFERS: Definition(
        Severity.ERROR,
        "The operator's objects say that the node booted another image than expected.",
        "Wait for the rollout, or see why the machine-config-daemon did not apply the image",
    ),
    FindingId.NODE_DELETED: Definition(
        Severity.ERROR,
        "The node left the cluster while it was asked.",
        "Ask again without it",
    ),
    FindingId.NODE_LOCAL_PACKAGES: Definition(
        Severity.ERROR,
        "Packages are layered on the image.",
        "Bring them into the Containerfile, reset the node, or name them in allowed_deviations",
    ),
    FindingId.NODE_PACKAGE_OVERRIDES: Definition(
        Severity.ERROR,
        "Packages of the image are replaced by others.",
        "Bring them into the Containerfile, reset the node, or name them in allowed_deviations",
    ),
    FindingId.NODE_PACKAGE_REMOVALS: Definition(
        Severity.ERROR,
        "Packages of the image are removed.",
        "Bring that into the Containerfile, reset the node, or name them in allowed_deviations",
    ),
    FindingId.NODE_LIVE_CHANGES: Definition(
        Severity.ERROR,
        "Changes were applied to the running system, which is no longer what was booted.",
        "Reboot the node",
    ),
    FindingId.NODE_UNLOCKED: Definition(
        Severity.ERROR,
        "The node's /usr is unlocked, so anything in it may have been changed.",
        "Reboot the node; one that is unlocked for longer than a boot (hotfix) has to be reset",
    ),
    FindingId.NODE_INITRAMFS_REGENERATED: Definition(
        Severity.ERROR,
        "The node boots an initramfs of its own making, not the image's.",
        "Bring that into the Containerfile, reset the node, or name this finding in allowed_deviations",
    ),
    FindingId.NODE_ASSEMBLED_ON_NODE: Definition(
        Severity.ERROR,
        "What the node booted was put together on it, not just imported.",
        "Look at rpm-ostree status on the node, and reset it",
    ),
    FindingId.NODE_DEVIATION_ALLOWED: Definition(
        Severity.WARNING,
        "The node departs from its image in a way that allowed_deviations names.",
        "Nothing has to be done; take it out of allowed_deviations to have it fail",
    ),
    FindingId.NODE_DEPLOYMENT_STAGED: Definition(
        Severity.WARNING,
        "Something else than what the node booted waits for its next boot.",
        "Wait for the rollout, or see who staged it",
    ),
    FindingId.NODE_DEPLOYMENT_LOCKED: Definition(
        Severity.WARNING,
        "Something else than what the node booted is staged and locked, so that no boot takes it.",
        "See who locked it; rpm-ostree finalize-deployment boots it",
    ),
    FindingId.NODE_TRANSACTION_RUNNING: Definition(
        Severity.WARNING,
        "rpm-ostree was at work while the node was asked.",
        "Ask again once it is idle",
    ),
    FindingId.NODE_END_OF_LIFE: Definition(
        Severity.WARNING,
        "The image says that it is no longer maintained.",
        "Build on a newer base image",
    ),
    FindingId.NODE_REPOSITORY_DIFFERS: Definition(
        Severity.WARNING,
        "The node booted the expected digest under another name.",
        "Nothing has to be done if that is a mirror or the node's own storage",
    ),
    FindingId.NODE_ANNOTATION_DISAGREES: Definition(
        Severity.WARNING,
        "The node's annotations name another image than the one it booted.",
        "Look at the machine-config-daemon of the node",
    ),
    FindingId.NODE_MACHINE_CONFIG_NODE_DISAGREES: Definition(
        Severity.WARNING,
        "The MachineConfigNode names another image or configuration than the node has.",
        "Look at the machine-config-daemon of the node",
    ),
    FindingId.CLUSTER_EXPECTATION_CACHED: Definition(
        Severity.ERROR,
        "The expected image comes from the inventory's cache and may be superseded, so nothing can match it.",
        "Read the inventory anew (ansible-playbook --flush-cache), or name expected_image",
    ),
    FindingId.CLUSTER_DRAINS_NOT_READABLE: Definition(
        Severity.WARNING,
        "The account may not read pods or PodDisruptionBudgets, so what keeps a node from being drained is not named.",
        "Grant list and watch on pods and poddisruptionbudgets.policy in all namespaces",
    ),
    FindingId.CLUSTER_EXPECTATION_FORBIDDEN: Definition(
        Severity.ERROR,
        "The pool has no MachineOSConfig, and the account may not read the MachineConfig that names the expected "
        "image. Nothing can match an image that is not known.",
        "Name expected_image, or grant the account the rights in docs/docsite/rbac/rendered-configs.yaml. With them it "
        "can read every file that MachineConfigs write on nodes, including the global pull secret",
    ),
    FindingId.CLUSTER_EXPECTATION_NOT_CURRENT: Definition(
        Severity.ERROR,
        "The image that the MachineOSConfig names does not answer for its present spec, so nothing can match it.",
        "Wait for the build (machineosbuild_wait), or name expected_image",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One named fact about an object, with what shows it."""

    id: FindingId
    object: ObjectRef
    message: str
    evidence: str = ""

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
            "id": self.id.value,
            "severity": self.severity.value,
            "object": {"kind": self.object.kind, "namespace": self.object.namespace, "name": self.object.name},
            "message": cut(self.message, MAX_MESSAGE),
            "evidence": cut(self.evidence, MAX_EVIDENCE),
            "remedy": self.remedy,
        }


def first_of(findings: t.Iterable[Finding], ids: t.Collection[str]) -> Finding | None:
    """Return the first finding that is named, by its id or by FATAL, or None when none is."""
    return next((f for f in findings if {f.id, FINDINGS[f.id].kind_of} & set(ids) or (f.fatal and FATAL in ids)), None)


def unknown_ids(ids: t.Iterable[str]) -> list[str]:
    """Return which of the ids name no public finding, sorted; FATAL names some."""
    return sorted(set(ids) - set(FINDINGS) - {FATAL})


def sharing(findings: t.Iterable[Finding], limit: int = MAX_EVIDENCE) -> tuple[Finding, ...]:
    """Return the findings with *limit* bytes of evidence among them, the first ones served first."""
    shared = []
    for finding in findings:
        evidence = cut(finding.evidence, limit)
        limit -= len(evidence.encode("utf-8"))
        shared.append(replace(finding, evidence=evidence))
    return tuple(shared)


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text, *limit* bytes of UTF-8 at most."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def legible(text: str, limit: int = 300) -> str:
    """Return what a node said as it can be shown: no control characters, and *limit* characters at most."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."
