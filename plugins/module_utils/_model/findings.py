# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about a node, build, pool or cluster: public ids, severities, meanings and remedies.

The ids are public: playbooks test for them. A rename needs a deprecation.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, replace

from .objects.resources import ObjectRef
from .text import truncate_bytes

FATAL = "fatal"
"""Selects all findings with severity fatal in options that accept finding ids."""
MAX_MESSAGE = 2000
"""Maximum bytes of a message in a result. A message can quote a condition or command output of any length."""
MAX_EVIDENCE = 2048
"""Maximum bytes of evidence of one finding, and of all findings of a node together."""
REBUILD_POD_BUILD = (
    "Run module machineosconfig again with the wanted content (playbook apply). It deletes the MachineOSBuild and what "
    "is left of it, and makes the operator build"
)
"""Remedy for builds in single pods. No other change of one object starts such a build."""


class FindingId(str, enum.Enum):
    """Public id of a finding."""

    BUILD_ATTEMPT_FAILED = "build.attempt_failed"
    BUILD_FAILED = "build.failed"
    BUILD_BASE_IMAGE_DENIED = "build.base_image_denied"
    BUILD_BASE_IMAGE_NOT_FOUND = "build.base_image_not_found"
    BUILD_BASE_IMAGE_REJECTED = "build.base_image_rejected"
    BUILD_REGISTRY_BLOCKED = "build.registry_blocked"
    BUILD_REGISTRY_ERROR = "build.registry_error"
    BUILD_REGISTRY_UNREACHABLE = "build.registry_unreachable"
    BUILD_REGISTRY_WITHOUT_TLS = "build.registry_without_tls"
    BUILD_REGISTRY_NOT_TRUSTED = "build.registry_not_trusted"
    BUILD_RUN_FAILED = "build.run_failed"
    BUILD_COMMAND_NOT_FOUND = "build.command_not_found"
    BUILD_PACKAGE_NOT_FOUND = "build.package_not_found"
    BUILD_PACKAGES_CONFLICT = "build.packages_conflict"
    BUILD_SIGNATURE_NOT_VERIFIED = "build.signature_not_verified"
    BUILD_REPOSITORY_NOT_TRUSTED = "build.repository_not_trusted"
    BUILD_REPOSITORY_UNREACHABLE = "build.repository_unreachable"
    BUILD_REPOSITORY_UNUSABLE = "build.repository_unusable"
    BUILD_IMAGE_LINT_FAILED = "build.image_lint_failed"
    BUILD_SOURCE_NOT_FOUND = "build.source_not_found"
    BUILD_NO_SPACE = "build.no_space"
    BUILD_KILLED = "build.killed"
    BUILD_EVICTED = "build.evicted"
    BUILD_PUSH_DENIED = "build.push_denied"
    BUILD_PUSH_QUOTA_EXCEEDED = "build.push_quota_exceeded"
    BUILD_PUSH_TOO_LARGE = "build.push_too_large"
    BUILD_PUSH_TAG_IMMUTABLE = "build.push_tag_immutable"
    BUILD_PUSH_REPOSITORY_UNKNOWN = "build.push_repository_unknown"
    BUILD_CONTAINERFILE_INVALID = "build.containerfile_invalid"
    BUILD_LOG_NOT_READABLE = "build.log_not_readable"
    BUILD_LOG_NOT_SAVED = "build.log_not_saved"
    BUILD_INTERRUPTED = "build.interrupted"
    BUILD_JOB_DELETED = "build.job_deleted"
    BUILD_DELETED = "build.deleted"
    BUILD_IDENTITY_UNVERIFIED = "build.identity_unverified"
    BUILD_REBUILD_NOT_STARTED = "build.rebuild_not_started"
    BUILD_NOT_PUBLISHED = "build.not_published"
    BUILD_RESULT_NOT_RECORDED = "build.result_not_recorded"
    BUILD_POOL_NAME_TOO_LONG = "build.pool_name_too_long"
    BUILD_SECRET_MISSING = "build.secret_missing"  # noqa: S105  an id, not a password
    BUILD_OPERATOR_DEGRADED = "build.operator_degraded"
    BUILD_POOL_DEGRADED = "build.pool_degraded"
    BUILD_POOL_NOT_UPDATED = "build.pool_not_updated"
    BUILD_NOT_STARTED = "build.not_started"
    BUILD_EDIT_NOT_BUILT = "build.edit_not_built"
    BUILD_OTHER_MACHINEOSCONFIG = "build.other_machineosconfig"
    BUILD_MACHINEOSCONFIG_REJECTED = "build.machineosconfig_rejected"
    BUILD_START_FAILED = "build.start_failed"
    BUILD_BUILDER_NOT_STARTED = "build.builder_not_started"
    BUILD_POD_LOST = "build.pod_lost"
    BUILD_POD_LEFT = "build.pod_left"
    BUILD_POD_OF_EARLIER_BUILD = "build.pod_of_earlier_build"
    BUILD_FAILED_BY_OTHER_POD = "build.failed_by_other_pod"
    BUILD_FAILURE_HIDDEN = "build.failure_hidden"
    BUILD_SUCCESS_HIDDEN = "build.success_hidden"
    BUILD_IMAGE_OF_OTHER_CONFIG = "build.image_of_other_config"
    BUILD_SEEDED = "build.seeded"
    BUILD_SUSPICIOUS_SUCCESS = "build.suspicious_success"
    POOL_PAUSED = "pool.paused"
    POOL_UPDATES_PAUSED = "pool.updates_paused"
    POOL_OLDER_BUILD_SELECTED = "pool.older_build_selected"
    POOL_BUILD_NOT_SUCCEEDED = "pool.build_not_succeeded"
    POOL_RENDER_DEGRADED = "pool.render_degraded"
    POOL_MAX_UNAVAILABLE_REACHED = "pool.max_unavailable_reached"
    POOL_NO_NODES = "pool.no_nodes"
    POOL_NODES_LEFT_OUT = "pool.nodes_left_out"
    NODE_DEGRADED = "node.degraded"
    NODE_NOT_READY = "node.not_ready"
    NODE_NOT_RETURNED = "node.not_returned"
    NODE_REVERT_NOT_SUPPORTED = "node.revert_not_supported"
    NODE_CAUSE_IN_LOG = "node.cause_in_log"
    NODE_IMAGE_PULL_DENIED = "node.image_pull_denied"
    NODE_IMAGE_NOT_FOUND = "node.image_not_found"
    NODE_IMAGE_REJECTED = "node.image_rejected"
    NODE_REGISTRY_BLOCKED = "node.registry_blocked"
    NODE_REGISTRY_NOT_TRUSTED = "node.registry_not_trusted"
    NODE_DRAIN_BLOCKED = "node.drain_blocked"
    NODE_DRAIN_IMPOSSIBLE = "node.drain_impossible"
    NODE_DRAIN_FAILING = "node.drain_failing"
    NODE_VM_MIGRATING = "node.vm_migrating"
    NODE_VM_NOT_MIGRATABLE = "node.vm_not_migratable"
    NODE_POD_NOT_TERMINATING = "node.pod_not_terminating"
    NODE_UNSCHEDULABLE = "node.unschedulable"
    NODE_NOT_IN_POOL = "node.not_in_pool"
    NODE_LEFT_POOL = "node.left_pool"
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
    NODE_REQUEST_INACTIVE = "node.request_inactive"
    NODE_DIGEST_NOT_IMPORTED = "node.digest_not_imported"
    NODE_DEPLOYMENT_STAGED = "node.deployment_staged"
    NODE_DEPLOYMENT_LOCKED = "node.deployment_locked"
    NODE_TRANSACTION_RUNNING = "node.transaction_running"
    NODE_END_OF_LIFE = "node.end_of_life"
    NODE_REPOSITORY_DIFFERS = "node.repository_differs"
    NODE_ANNOTATION_DISAGREES = "node.annotation_disagrees"
    NODE_MACHINE_CONFIG_NODE_DISAGREES = "node.machine_config_node_disagrees"
    CLUSTER_ALLOWED_DEVIATION_UNUSED = "cluster.allowed_deviation_unused"
    CLUSTER_EXPECTATION_CACHED = "cluster.expectation_cached"
    CLUSTER_EXPECTATION_OUTDATED = "cluster.expectation_outdated"
    CLUSTER_DRAINS_NOT_READABLE = "cluster.drains_not_readable"
    CLUSTER_EXPECTATION_FORBIDDEN = "cluster.expectation_forbidden"
    CLUSTER_ORPHANED_CONFIG = "cluster.orphaned_machineosconfig"
    CLUSTER_EXPECTATION_UNPROVEN = "cluster.expectation_unproven"
    CLUSTER_EXPECTATION_NOT_CURRENT = "cluster.expectation_not_current"

    def __str__(self) -> str:
        return str(self.value)


class Severity(enum.Enum):
    """Severity of a finding, the highest first."""

    FATAL = "fatal"
    """Cannot clear by itself. It ends a wait."""
    ERROR = "error"
    """Blocks progress now and may clear by itself."""
    WARNING = "warning"
    """Informs only. It blocks nothing and changes no verdict."""


_SEVERITIES = tuple(Severity)


@dataclass(frozen=True)
class Definition:
    """One row of the public table."""

    severity: Severity
    meaning: str
    remedy: str
    kind_of: FindingId | None = None
    """More general finding. Selecting it in an option selects this one too."""


FINDINGS: t.Mapping[FindingId, Definition] = {
    FindingId.BUILD_ATTEMPT_FAILED: Definition(
        Severity.ERROR,
        "One attempt of the current build failed. The operator makes up to four attempts.",
        "Correct the cause and apply again. To end the wait at a failed attempt, set max_build_attempts",
    ),
    FindingId.BUILD_FAILED: Definition(
        Severity.FATAL,
        "The current build failed. The cause is not known.",
        "Read the evidence and the log in log_dir. Change the MachineOSConfig to start a new build. If only a Secret "
        "or a registry was corrected, delete the MachineOSBuild; the operator builds it again",
    ),
    FindingId.BUILD_BASE_IMAGE_DENIED: Definition(
        Severity.FATAL,
        "The registry denied the builder access to a base image.",
        "Correct the credentials for the registry in base_image_pull_secret (without it, the global pull secret is "
        "used), then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_BASE_IMAGE_NOT_FOUND: Definition(
        Severity.FATAL,
        "An image or stage in a FROM or COPY --from instruction does not exist.",
        "Correct the name in the Containerfile and apply again, or push the image and delete the MachineOSBuild; the "
        "operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_BASE_IMAGE_REJECTED: Definition(
        Severity.FATAL,
        "The image policy of the cluster rejects a base image, usually because it is not signed.",
        "Sign the image, or change the image policy of the cluster (ClusterImagePolicy, ImagePolicy or "
        "registrySources), then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_BLOCKED: Definition(
        Severity.FATAL,
        "The cluster blocks the registry of an image.",
        "Remove the registry from registrySources.blockedRegistries of Image cluster or add it to its "
        "allowedRegistries, or use another image, then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_ERROR: Definition(
        Severity.FATAL,
        "A registry reported an error of its own.",
        "Check the storage, the replicas and the log of the registry (for the internal registry: ClusterOperator "
        "image-registry), then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_UNREACHABLE: Definition(
        Severity.FATAL,
        "The builder could not reach a registry.",
        "Check that the registry runs and that the cluster's proxy and firewall allow nodes to reach it, then delete "
        "the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_WITHOUT_TLS: Definition(
        Severity.FATAL,
        "A registry does not use TLS.",
        "Configure a certificate for the registry, or add it to registrySources.insecureRegistries of Image cluster, "
        "then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REGISTRY_NOT_TRUSTED: Definition(
        Severity.FATAL,
        "The builder does not trust the certificate of a registry.",
        "Add the certificate authority to the ConfigMap named in additionalTrustedCA of Image cluster, then delete "
        "the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_RUN_FAILED: Definition(
        Severity.FATAL,
        "A command in the Containerfile failed.",
        "Correct the command and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_COMMAND_NOT_FOUND: Definition(
        Severity.FATAL,
        "A command in the Containerfile does not exist in the image.",
        "Correct the name of the command, or install it in an earlier instruction, and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PACKAGE_NOT_FOUND: Definition(
        Severity.FATAL,
        "No enabled package repository contains the package.",
        "Correct the name of the package, or enable the repository that contains it, and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PACKAGES_CONFLICT: Definition(
        Severity.FATAL,
        "The packages cannot be installed together: they need versions or files that exclude each other.",
        "Install versions that fit the packages of the base image, or replace or remove the package that the message "
        "names in the same command, and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_SIGNATURE_NOT_VERIFIED: Definition(
        Severity.FATAL,
        "The signature of a package or of a repository could not be verified.",
        "Import the signing key before the installation (RUN rpm --import), or provide it in Secret etc-pki-rpm-gpg "
        "in openshift-machine-config-operator, and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REPOSITORY_NOT_TRUSTED: Definition(
        Severity.FATAL,
        "The build does not trust the certificate of a package repository.",
        "Add the certificate authority to the image before the installation (update-ca-trust), or set sslcacert of "
        "the repository, and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REPOSITORY_UNREACHABLE: Definition(
        Severity.FATAL,
        "The build could not reach a package repository.",
        "Check that the network, DNS and proxy of the cluster let builds reach the repository, then delete the "
        "MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_REPOSITORY_UNUSABLE: Definition(
        Severity.FATAL,
        "The build has no package repository that it can use.",
        "Check that Secret etc-pki-entitlement exists in openshift-config-managed, and that ConfigMap etc-yum-repos-d "
        "in openshift-machine-config-operator and the cluster's proxy are correct, then delete the MachineOSBuild; "
        "the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_IMAGE_LINT_FAILED: Definition(
        Severity.FATAL,
        "The lint of the built image failed (bootc container lint).",
        "Correct what the message names in the Containerfile and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_SOURCE_NOT_FOUND: Definition(
        Severity.FATAL,
        "A COPY or ADD instruction names a file that does not exist.",
        "On-cluster builds have no build context: write the file in a RUN instruction, or copy it from an image (COPY "
        "--from), and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_NO_SPACE: Definition(
        Severity.FATAL,
        "The file system of the build is full.",
        "Free ephemeral storage on the nodes that run builds, or make the image smaller, then delete the "
        "MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_KILLED: Definition(
        Severity.FATAL,
        "The builder or one of its commands was killed, usually because memory ran out.",
        "Free memory on the nodes that run builds, then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_EVICTED: Definition(
        Severity.FATAL,
        "The build pod was evicted from its node or deleted.",
        "Free the resource named in the evidence on the nodes that run builds, and do not drain them during a build, "
        "then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_DENIED: Definition(
        Severity.FATAL,
        "The registry denied the push of the image.",
        "Correct the credentials for the registry in rendered_image_push_secret (the account needs the right to "
        "push), then delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_QUOTA_EXCEEDED: Definition(
        Severity.FATAL,
        "The image exceeds the storage quota of the registry.",
        "Remove images from the registry or raise the quota, then delete the MachineOSBuild; the operator builds it "
        "again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_TOO_LARGE: Definition(
        Severity.FATAL,
        "A layer is larger than a request to the registry may be.",
        "Raise the limit for request bodies of the proxy in front of the registry, or make the layers smaller, then "
        "delete the MachineOSBuild; the operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_TAG_IMMUTABLE: Definition(
        Severity.FATAL,
        "The tag of the build exists in the registry, which does not allow it to be overwritten. A rebuild uses the "
        "same tag again.",
        "Allow tags to be overwritten in the repository, or delete the tag, then delete the MachineOSBuild; the "
        "operator builds it again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_PUSH_REPOSITORY_UNKNOWN: Definition(
        Severity.FATAL,
        "The repository in rendered_image_push_spec does not exist in the registry.",
        "Create the repository, or correct rendered_image_push_spec and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_CONTAINERFILE_INVALID: Definition(
        Severity.FATAL,
        "The Containerfile is not valid.",
        "Correct the instruction and apply again",
        FindingId.BUILD_FAILED,
    ),
    FindingId.BUILD_LOG_NOT_READABLE: Definition(
        Severity.WARNING,
        "The account cannot read the build pods or their logs, so the cause of a failure is not known.",
        "Grant get, list and watch on pods and get on pods/log in namespace openshift-machine-config-operator",
    ),
    FindingId.BUILD_LOG_NOT_SAVED: Definition(
        Severity.WARNING,
        "The build log could not be written to log_dir.",
        "Check that log_dir is a writable directory with free space",
    ),
    FindingId.BUILD_INTERRUPTED: Definition(
        Severity.FATAL,
        "The Job of the current build was deleted before it ended.",
        "Delete the MachineOSBuild; the operator builds it again",
    ),
    FindingId.BUILD_JOB_DELETED: Definition(
        Severity.FATAL,
        "The Job of the build was deleted before it ended, and the operator of this release does not notice.",
        "Delete the MachineOSBuild; the operator builds it again",
    ),
    FindingId.BUILD_DELETED: Definition(
        Severity.FATAL,
        "The build that the operator names does not exist, and no replacement appeared within replacement_grace.",
        "Change the Containerfile, for example by adding a comment, and apply again",
    ),
    FindingId.BUILD_IDENTITY_UNVERIFIED: Definition(
        Severity.FATAL,
        "The existing build cannot be matched to the current spec, and no matching build appeared within "
        "replacement_grace.",
        "Change the Containerfile with this collection (a comment is enough), which builds a new image and reboots the "
        "nodes. If no build starts, check that Deployment machine-os-builder runs",
    ),
    FindingId.BUILD_REBUILD_NOT_STARTED: Definition(
        Severity.FATAL,
        "A rebuild was requested by annotation, and the operator did not start it within replacement_grace. The "
        "operator misses a request that is made while machine-os-builder does not run.",
        "Delete the MachineOSBuild; the operator builds it again. Or remove the annotation and add it again",
    ),
    FindingId.BUILD_NOT_PUBLISHED: Definition(
        Severity.FATAL,
        "The current build succeeded, but the operator did not write its image to the status of the MachineOSConfig "
        "within replacement_grace. The nodes get the image in the status.",
        "Delete MachineOSConfigs whose pool does not exist (cluster.orphaned_machineosconfig), then the older "
        "MachineOSBuilds of this MachineOSConfig, then change a label of it (oc label machineosconfig/NAME retry=1). "
        "The operator then publishes the image",
    ),
    FindingId.BUILD_RESULT_NOT_RECORDED: Definition(
        Severity.FATAL,
        "The builder pushed the image, but the operator did not record it.",
        "Set rendered_image_push_spec to a name with at most one namespace segment and apply again. If it has one "
        "already, delete the MachineOSBuild; the operator builds it again",
    ),
    FindingId.BUILD_POOL_NAME_TOO_LONG: Definition(
        Severity.FATAL,
        "The name of the pool is too long: the operator cannot label its builds.",
        "Use a pool whose name has at most 21 characters",
    ),
    FindingId.BUILD_SECRET_MISSING: Definition(
        Severity.FATAL,
        "A Secret that the MachineOSConfig names does not exist, so no build can start.",
        "Create the Secret in openshift-machine-config-operator (registry_secret); the build then starts automatically",
    ),
    FindingId.BUILD_OPERATOR_DEGRADED: Definition(
        Severity.ERROR,
        "The operator is degraded and may not start builds.",
        "Correct the cause that the message names",
    ),
    FindingId.BUILD_POOL_DEGRADED: Definition(
        Severity.ERROR,
        "The pool is degraded, and the operator starts no build for a degraded pool.",
        "Correct the cause that the message names",
    ),
    FindingId.BUILD_POOL_NOT_UPDATED: Definition(
        Severity.FATAL,
        "Nodes joined the pool before it was updated for the first time. From 4.20 on, the operator starts no build "
        "for such a pool, and the nodes wait for the image.",
        "Remove the nodes from the pool (machineconfigpool_nodes with state=absent). The build then starts "
        "automatically, and the nodes can be added again",
    ),
    FindingId.BUILD_NOT_STARTED: Definition(
        Severity.ERROR,
        "No MachineOSBuild exists for the current spec.",
        "Check ClusterOperator machine-config and the log of Deployment machine-os-builder",
    ),
    FindingId.BUILD_EDIT_NOT_BUILT: Definition(
        Severity.FATAL,
        "The build for the pool's rendered config is older than the last change of the MachineOSConfig. In OpenShift "
        "4.16 and 4.17 a change starts no build while this build exists.",
        REBUILD_POD_BUILD,
    ),
    FindingId.BUILD_OTHER_MACHINEOSCONFIG: Definition(
        Severity.FATAL,
        "The build for the pool's rendered config belongs to another MachineOSConfig of the pool. OpenShift 4.16 and "
        "4.17 build a pool for one MachineOSConfig only, and their controllers can select different ones.",
        "Keep one MachineOSConfig for the pool and delete the others, then run module machineosconfig for the one that "
        "is left",
    ),
    FindingId.BUILD_MACHINEOSCONFIG_REJECTED: Definition(
        Severity.FATAL,
        "The operator rejects a MachineOSConfig. Until it is corrected, OpenShift 4.16 and 4.17 start no build of any "
        "pool and synchronize nothing else.",
        "Correct what the message names: create the Secret (registry_secret), or set the option of module "
        "machineosconfig. The operator then continues automatically",
    ),
    FindingId.BUILD_START_FAILED: Definition(
        Severity.FATAL,
        "The operator created the MachineOSBuild and no pod for it, because a Secret was missing or the ConfigMaps of "
        "an earlier build were left. OpenShift 4.16 and 4.17 do not try it again.",
        f"Check that the Secrets of the MachineOSConfig exist. {REBUILD_POD_BUILD}",
    ),
    FindingId.BUILD_BUILDER_NOT_STARTED: Definition(
        Severity.ERROR,
        "A container of the build pod cannot start, usually because its image cannot be pulled.",
        "Check the Events of the pod (oc describe pod), and mirror the image that it names if the cluster has no "
        "access to its registry. The kubelet tries again automatically",
    ),
    FindingId.BUILD_POD_LOST: Definition(
        Severity.FATAL,
        "The build pod was deleted before it ended, for example by the drain of its node. OpenShift 4.16 and 4.17 do "
        "not notice, and the build does not end.",
        f"Wait until no pool updates the nodes that run builds. {REBUILD_POD_BUILD}",
    ),
    FindingId.BUILD_POD_LEFT: Definition(
        Severity.WARNING,
        "A failed pod of another build is left. OpenShift 4.16 and 4.17 mark the current build of the pool as failed "
        "because of it, also after it succeeded.",
        "Delete the pod that the message names (oc delete pod). Module machineosconfig deletes such pods before it "
        "starts a build",
    ),
    FindingId.BUILD_POD_OF_EARLIER_BUILD: Definition(
        Severity.FATAL,
        "The build uses a pod that was left from an earlier build, so its image is one of an earlier spec.",
        REBUILD_POD_BUILD,
    ),
    FindingId.BUILD_FAILED_BY_OTHER_POD: Definition(
        Severity.FATAL,
        "The build is marked as failed because of a pod that was left from another build, and its own pod does not "
        "exist.",
        REBUILD_POD_BUILD,
    ),
    FindingId.BUILD_FAILURE_HIDDEN: Definition(
        Severity.FATAL,
        "The build failed, and its condition Failed was cleared by an edit or by a restart of the operator. OpenShift "
        "4.16 and 4.17 do not build again.",
        REBUILD_POD_BUILD,
    ),
    FindingId.BUILD_SUCCESS_HIDDEN: Definition(
        Severity.WARNING,
        "The build succeeded and its image is published, but its condition Succeeded is not True any more. The node "
        "controller updates no further node of the pool.",
        f"If nodes still wait for the image: {REBUILD_POD_BUILD[0].lower()}{REBUILD_POD_BUILD[1:]}",
    ),
    FindingId.BUILD_IMAGE_OF_OTHER_CONFIG: Definition(
        Severity.FATAL,
        "The pool returned to an earlier rendered config, and the status of the MachineOSConfig has the image of a "
        "later one. OpenShift 4.16 and 4.17 update the nodes to this image with the earlier configuration.",
        "To keep further nodes from the image, pause the pool (machineconfigpool with paused=true). "
        f"{REBUILD_POD_BUILD}",
    ),
    FindingId.BUILD_SUSPICIOUS_SUCCESS: Definition(
        Severity.WARNING,
        "The build succeeded, but its log has an error of a program that prepares the boot (dracut, kernel-install, "
        "grub2 or depmod). Nodes may not boot the image.",
        "Pause the pool, correct the Containerfile, and test the image on one node. With build.suspicious_success in "
        "fail_on_findings the wait fails before it ends",
    ),
    FindingId.BUILD_SEEDED: Definition(
        Severity.WARNING,
        "The operator took an existing image for the MachineOSConfig. Nothing was built from its Containerfile.",
        "Change the Containerfile to have it built. Every change of the spec starts a build",
    ),
    FindingId.POOL_PAUSED: Definition(
        Severity.FATAL,
        "The pool is paused, so no node is updated.",
        "Unpause the pool (machineconfigpool with paused=false)",
    ),
    FindingId.POOL_UPDATES_PAUSED: Definition(
        Severity.WARNING,
        "The pool of a verification is paused, so the operator updates none of its nodes. It changes no verdict.",
        "Unpause the pool (machineconfigpool with paused=false) when its nodes may drain and reboot",
    ),
    FindingId.POOL_OLDER_BUILD_SELECTED: Definition(
        Severity.FATAL,
        "The node controller of this release uses the first build in list order, which is an older one.",
        "Run machineosbuild_superseded (image_mode_delete_superseded=true in the playbooks). It deletes the older "
        "MachineOSBuild and updates the pool",
    ),
    FindingId.POOL_BUILD_NOT_SUCCEEDED: Definition(
        Severity.FATAL,
        "The condition Succeeded of the current build is not True any more, so the node controller of OpenShift 4.16 "
        "and 4.17 updates no further node, although the image is published.",
        REBUILD_POD_BUILD,
    ),
    FindingId.POOL_RENDER_DEGRADED: Definition(
        Severity.ERROR,
        "The pool's configuration cannot be rendered.",
        "Correct the MachineConfig that the message names",
    ),
    FindingId.POOL_MAX_UNAVAILABLE_REACHED: Definition(
        Severity.ERROR,
        "As many nodes as maxUnavailable allows are unavailable and make no progress, so no other node starts.",
        "Recover these nodes, or raise max_unavailable (machineconfigpool)",
    ),
    FindingId.POOL_NO_NODES: Definition(
        Severity.ERROR,
        "The pool has no nodes, so a verification of it proves nothing.",
        "Add nodes to the pool (machineconfigpool_nodes), or set allow_empty_pool (image_mode_allow_empty_pool in the "
        "playbooks)",
    ),
    FindingId.POOL_NODES_LEFT_OUT: Definition(
        Severity.ERROR,
        "The verification left out nodes of the pool, so the pool is not verified. They count as unknown.",
        "Verify all nodes of the pool. To verify single nodes, omit pool; in a play over hosts, omit --limit",
    ),
    FindingId.NODE_DEGRADED: Definition(
        Severity.ERROR,
        "The machine-config-daemon of the node reports an error.",
        "Correct the cause that the message names; the daemon retries automatically",
    ),
    FindingId.NODE_NOT_READY: Definition(
        Severity.ERROR,
        "The node is not Ready.",
        "Check the kubelet and the console of the node",
    ),
    FindingId.NODE_NOT_RETURNED: Definition(
        Severity.ERROR,
        "The node has been unavailable for longer than a reboot takes.",
        "Check the console of the machine",
    ),
    FindingId.NODE_REVERT_NOT_SUPPORTED: Definition(
        Severity.FATAL,
        "The node runs an image and its pool has no MachineOSConfig any more. The machine-config-daemon of OpenShift "
        "4.16 and 4.17 cannot return to the image of the release.",
        "Create a MachineOSConfig for the pool of the node again (machineosconfig), or return the node to a pool that "
        "has one (machineconfigpool_nodes). Otherwise replace the node",
    ),
    FindingId.NODE_CAUSE_IN_LOG: Definition(
        Severity.ERROR,
        "An update of the node failed. The machine-config-daemon reports the error of a retry, which is not the cause.",
        "Read the first error in the log of the machine-config-daemon pod of the node (oc logs -n "
        "openshift-machine-config-operator POD -c machine-config-daemon) and correct its cause; the daemon retries "
        "automatically",
    ),
    FindingId.NODE_IMAGE_PULL_DENIED: Definition(
        Severity.FATAL,
        "The registry denies the node the image, and retries of the machine-config-daemon fail as well.",
        "Check that the cluster's pull secret has credentials for the registry; the daemon then continues "
        "automatically",
    ),
    FindingId.NODE_IMAGE_NOT_FOUND: Definition(
        Severity.FATAL,
        "The registry does not have the image that the node has to pull. It was deleted, or its tag expired.",
        "Delete the MachineOSBuild; the operator builds the image again. Exclude images that nodes use from the "
        "cleanup of the registry",
        FindingId.NODE_IMAGE_PULL_DENIED,
    ),
    FindingId.NODE_IMAGE_REJECTED: Definition(
        Severity.FATAL,
        "The policy for signatures on the node rejects the image, usually because the image is not signed.",
        "Sign the image, or change the policy for its registry (ImagePolicy, ClusterImagePolicy, or the MachineConfig "
        "that writes /etc/containers/policy.json); the daemon then continues automatically",
        FindingId.NODE_IMAGE_PULL_DENIED,
    ),
    FindingId.NODE_REGISTRY_BLOCKED: Definition(
        Severity.FATAL,
        "The configuration of the node blocks the registry of the image.",
        "Remove the registry from registrySources.blockedRegistries, or add it to allowedRegistries, of Image cluster; "
        "if a mirror must be used, check that it has the image",
        FindingId.NODE_IMAGE_PULL_DENIED,
    ),
    FindingId.NODE_REGISTRY_NOT_TRUSTED: Definition(
        Severity.FATAL,
        "The node does not trust the certificate of the registry, or the registry does not use TLS.",
        "Renew the certificate of the registry, add its certificate authority to the ConfigMap named in "
        "additionalTrustedCA of Image cluster, or add a registry without TLS to registrySources.insecureRegistries",
        FindingId.NODE_IMAGE_PULL_DENIED,
    ),
    FindingId.NODE_DRAIN_BLOCKED: Definition(
        Severity.ERROR,
        "A PodDisruptionBudget currently blocks the eviction of a pod on the node.",
        "Correct the problem of the budget that the message names. Without one, check why pods that the budget selects "
        "are not healthy, or add replicas. Do not uncordon the node: the "
        "operator cordons it again",
    ),
    FindingId.NODE_DRAIN_IMPOSSIBLE: Definition(
        Severity.FATAL,
        "A PodDisruptionBudget requires all of its pods to be healthy, or two budgets select the same pod, so no "
        "eviction is ever allowed.",
        "Add replicas, change the budget, or delete the pod. Do not uncordon the node: the operator cordons it again",
    ),
    FindingId.NODE_DRAIN_FAILING: Definition(
        Severity.ERROR,
        "The operator's drain controller reports an error and retries.",
        "Correct the cause that the message names. Do not uncordon the node: the operator cordons it again",
    ),
    FindingId.NODE_VM_MIGRATING: Definition(
        Severity.WARNING,
        "The drain waits for the live migration of a virtual machine. KubeVirt starts it when the pod is evicted, and "
        "the drain continues when it is complete.",
        "No action is required. If the migration does not end, check the VirtualMachineInstanceMigrations of the "
        "virtual machine and whether another node has capacity for it",
    ),
    FindingId.NODE_VM_NOT_MIGRATABLE: Definition(
        Severity.ERROR,
        "The drain waits for a virtual machine that cannot migrate to another node.",
        "Correct the cause that the message names, or shut down the virtual machine; the drain then continues "
        "automatically",
    ),
    FindingId.NODE_POD_NOT_TERMINATING: Definition(
        Severity.ERROR,
        "A pod on the node was evicted and did not terminate within its grace period.",
        "Check the finalizers of the pod and the kubelet of the node",
    ),
    FindingId.NODE_UNSCHEDULABLE: Definition(
        Severity.ERROR,
        "The node is cordoned although no drain is requested.",
        "Uncordon the node",
    ),
    FindingId.NODE_NOT_IN_POOL: Definition(
        Severity.FATAL,
        "The node is not in the pool.",
        "Label the node (machineconfigpool_nodes) or remove it from nodes",
    ),
    FindingId.NODE_LEFT_POOL: Definition(
        Severity.ERROR,
        "The node left the pool during the rollout: it was deleted, or its labels changed.",
        "Find out why it left. Add it to the pool again (machineconfigpool_nodes), or verify the pool again without it",
    ),
    FindingId.NODE_IN_NO_POOL: Definition(
        Severity.ERROR,
        "The node is in no pool, or two custom pools select it, so the cluster expects no image of it.",
        "Correct the labels of the node, or set expected_image",
    ),
    FindingId.NODE_IN_TWO_POOLS: Definition(
        Severity.FATAL,
        "Two custom pools select the node. The operator does not update a node in two custom pools.",
        "Remove one of the labels",
    ),
    FindingId.NODE_IMAGE_DIFFERS: Definition(
        Severity.ERROR,
        "The node booted a different image than expected.",
        "Wait for the rollout, or check why the machine-config-daemon did not apply the image",
    ),
    FindingId.NODE_IMAGE_STAGED: Definition(
        Severity.ERROR,
        "The expected image is staged on the node, but a different one is booted.",
        "Reboot the node",
    ),
    FindingId.NODE_NOT_CONTAINER: Definition(
        Severity.ERROR,
        "The booted deployment was not created from a container image.",
        "Wait for the rollout of the pool's image",
    ),
    FindingId.NODE_IMAGE_LOCKED: Definition(
        Severity.ERROR,
        "The expected image is staged on the node, but its deployment is locked: a reboot does not boot it. A "
        "different image is booted.",
        "Find out who locked the deployment; rpm-ostree finalize-deployment unlocks and boots it",
    ),
    FindingId.NODE_PIVOT: Definition(
        Severity.ERROR,
        "The node was pivoted to an image. Only a note in its origin names the image; rpm-ostree did not import it as "
        "a container image.",
        "Wait for the rollout of the pool's image",
    ),
    FindingId.NODE_NO_REFERENCE: Definition(
        Severity.ERROR,
        "The booted deployment does not name its source.",
        "Check rpm-ostree status on the node",
    ),
    FindingId.NODE_REFERENCE_UNREADABLE: Definition(
        Severity.ERROR,
        "The image reference of the booted deployment cannot be parsed.",
        "Check rpm-ostree status on the node, and report the reference",
    ),
    FindingId.NODE_NO_DIGEST: Definition(
        Severity.ERROR,
        "The booted deployment has no digest that can be compared. A tag does not identify an image.",
        "Verify the node again; if the finding remains, check rpm-ostree status on the node",
    ),
    FindingId.NODE_NO_BOOTED_DEPLOYMENT: Definition(
        Severity.ERROR,
        "rpm-ostree reports no booted deployment.",
        "Check rpm-ostree status on the node",
    ),
    FindingId.NODE_NO_DEPLOYMENTS: Definition(
        Severity.ERROR,
        "rpm-ostree reports no deployments.",
        "Check rpm-ostree status on the node",
    ),
    FindingId.NODE_SEVERAL_BOOTED_DEPLOYMENTS: Definition(
        Severity.ERROR,
        "rpm-ostree reports more than one booted deployment.",
        "Check rpm-ostree status on the node",
    ),
    FindingId.NODE_OUTPUT_UNREADABLE: Definition(
        Severity.ERROR,
        "The output of the node is not the JSON of rpm-ostree status.",
        "Run rpm-ostree status --json on the node",
    ),
    FindingId.NODE_UNEXPECTED_ERROR: Definition(
        Severity.ERROR,
        "An error that the collection does not expect ended the verification of this node.",
        "Verify the node again; if the error remains, report it with the message",
    ),
    FindingId.NODE_COMMAND_FAILED: Definition(
        Severity.ERROR,
        "rpm-ostree status failed on the node.",
        "Check the service rpm-ostreed on the node",
    ),
    FindingId.NODE_NOT_OSTREE: Definition(
        Severity.ERROR,
        "The command did not run on a system that was booted with ostree.",
        "Check that host_root is the mount point of the node's file system; a package-based node cannot boot an image",
    ),
    FindingId.NODE_NO_DAEMON_POD: Definition(
        Severity.ERROR,
        "No running machine-config-daemon pod exists on the node.",
        "Check DaemonSet machine-config-daemon",
    ),
    FindingId.NODE_EXEC_FAILED: Definition(
        Severity.ERROR,
        "The command could not be run in the machine-config-daemon pod.",
        "Check that the node is reachable, then verify it again",
    ),
    FindingId.NODE_EXEC_FORBIDDEN: Definition(
        Severity.ERROR,
        "The account is not allowed to run commands in the machine-config-daemon pod.",
        "Grant create and get on pods/exec in namespace openshift-machine-config-operator",
    ),
    FindingId.NODE_NO_RESPONSE: Definition(
        Severity.ERROR,
        "The node did not respond within node_timeout.",
        "Check the node, or raise node_timeout",
    ),
    FindingId.NODE_REBOOTED_DURING_VERIFICATION: Definition(
        Severity.ERROR,
        "The node rebooted during the verification.",
        "Verify the node again after its reboots",
    ),
    FindingId.NODE_HOST_FAILED: Definition(
        Severity.ERROR,
        "The inventory host of the node failed before the node was queried.",
        "Correct the cause that the message names, then verify the node again",
    ),
    FindingId.NODE_NOT_QUERIED: Definition(
        Severity.WARNING,
        "The node itself was not queried. The state that the operator reports proves nothing.",
        "Use transport pod_exec, or set fail_on to mismatch only",
    ),
    FindingId.NODE_REPORTED_IMAGE_DIFFERS: Definition(
        Severity.ERROR,
        "The operator reports that the node booted a different image than expected.",
        "Wait for the rollout, or check why the machine-config-daemon did not apply the image",
    ),
    FindingId.NODE_DELETED: Definition(
        Severity.ERROR,
        "The node was deleted from the cluster during the verification.",
        "Verify the other nodes again",
    ),
    FindingId.NODE_LOCAL_PACKAGES: Definition(
        Severity.ERROR,
        "The node has layered packages.",
        "Install them in the Containerfile, run rpm-ostree reset on the node, or add them to allowed_deviations",
    ),
    FindingId.NODE_PACKAGE_OVERRIDES: Definition(
        Severity.ERROR,
        "Packages of the image are replaced on the node.",
        "Replace them in the Containerfile, run rpm-ostree reset on the node, or add them to allowed_deviations",
    ),
    FindingId.NODE_PACKAGE_REMOVALS: Definition(
        Severity.ERROR,
        "Packages of the image are removed on the node.",
        "Remove them in the Containerfile, run rpm-ostree reset on the node, or add them to allowed_deviations",
    ),
    FindingId.NODE_LIVE_CHANGES: Definition(
        Severity.ERROR,
        "Changes were applied to the running system, so it differs from the booted deployment.",
        "Reboot the node",
    ),
    FindingId.NODE_UNLOCKED: Definition(
        Severity.ERROR,
        "The node's /usr is unlocked, so its files may have changed.",
        "Reboot the node. If the unlock persists across reboots (hotfix), run rpm-ostree reset on the node",
    ),
    FindingId.NODE_INITRAMFS_REGENERATED: Definition(
        Severity.ERROR,
        "The node boots an initramfs that was generated on the node.",
        "Generate it in the Containerfile, run rpm-ostree reset on the node, or add this finding to allowed_deviations",
    ),
    FindingId.NODE_ASSEMBLED_ON_NODE: Definition(
        Severity.ERROR,
        "The booted deployment was assembled on the node, not only imported.",
        "Check rpm-ostree status on the node, and run rpm-ostree reset",
    ),
    FindingId.NODE_DEVIATION_ALLOWED: Definition(
        Severity.WARNING,
        "The node has local changes that allowed_deviations permits.",
        "No action is required. Remove the entry from allowed_deviations to let such a node fail",
    ),
    FindingId.NODE_REQUEST_INACTIVE: Definition(
        Severity.WARNING,
        "A local change is requested on the node, but it is not applied, usually because the image contains the "
        "package already. The booted image is not changed.",
        "No action is required. Remove the request with rpm-ostree uninstall or rpm-ostree override reset on the node, "
        "or from extensions of the MachineConfig that requests it",
    ),
    FindingId.NODE_DIGEST_NOT_IMPORTED: Definition(
        Severity.WARNING,
        "The expected digest is the one that the node requested. The digest of the manifest that it imported is "
        "different or unknown. That is correct for a manifest list, but it rests on the request.",
        "Set expected_image to the digest of the image for the architecture of the node",
    ),
    FindingId.NODE_DEPLOYMENT_STAGED: Definition(
        Severity.WARNING,
        "A deployment other than the booted one is staged for the next boot.",
        "Wait for the rollout, or find out who staged it",
    ),
    FindingId.NODE_DEPLOYMENT_LOCKED: Definition(
        Severity.WARNING,
        "A deployment other than the booted one is staged and locked: a reboot does not boot it.",
        "Find out who locked the deployment; rpm-ostree finalize-deployment unlocks and boots it",
    ),
    FindingId.NODE_TRANSACTION_RUNNING: Definition(
        Severity.WARNING,
        "An rpm-ostree transaction was running during the verification.",
        "Verify the node again after the transaction",
    ),
    FindingId.NODE_END_OF_LIFE: Definition(
        Severity.WARNING,
        "The image is marked as no longer maintained.",
        "Build on a newer base image",
    ),
    FindingId.NODE_REPOSITORY_DIFFERS: Definition(
        Severity.WARNING,
        "The node booted the expected digest from a different repository.",
        "No action is required if that is a mirror or the local storage of the node",
    ),
    FindingId.NODE_ANNOTATION_DISAGREES: Definition(
        Severity.WARNING,
        "The annotations of the node name a different image than the booted one.",
        "Check the machine-config-daemon of the node",
    ),
    FindingId.NODE_MACHINE_CONFIG_NODE_DISAGREES: Definition(
        Severity.WARNING,
        "The MachineConfigNode names a different image or configuration than the node has.",
        "Check the machine-config-daemon of the node",
    ),
    FindingId.CLUSTER_ALLOWED_DEVIATION_UNUSED: Definition(
        Severity.WARNING,
        "An entry of allowed_deviations allowed no local change of any node.",
        "Remove the entry, or correct it. An entry is the name of a package, not of an extension: the extension ipsec "
        "installs libreswan and NetworkManager-libreswan",
    ),
    FindingId.CLUSTER_EXPECTATION_CACHED: Definition(
        Severity.ERROR,
        "The expected image comes from the cache of the inventory and may be outdated, so no node can match.",
        "Refresh the inventory (ansible-playbook --flush-cache), or set expected_image",
    ),
    FindingId.CLUSTER_EXPECTATION_OUTDATED: Definition(
        Severity.ERROR,
        "The inventory read the expected image too long before the play, so the image may be outdated and no node can "
        "match.",
        "Synchronize the inventory right before the play (in Automation Platform, set Update on launch), or set "
        "expected_image",
    ),
    FindingId.CLUSTER_DRAINS_NOT_READABLE: Definition(
        Severity.WARNING,
        "The account cannot read pods or PodDisruptionBudgets, so the cause of a blocked drain is not known.",
        "Grant list and watch on pods and poddisruptionbudgets.policy in all namespaces",
    ),
    FindingId.CLUSTER_EXPECTATION_FORBIDDEN: Definition(
        Severity.ERROR,
        "The pool has no MachineOSConfig, and the account cannot read the MachineConfig that names the expected "
        "image, so no node can match.",
        "Set expected_image, or grant the account the rights in docs/docsite/rbac/rendered-configs.yaml. With them it "
        "can read every file that MachineConfigs write on nodes, including the global pull secret",
    ),
    FindingId.CLUSTER_ORPHANED_CONFIG: Definition(
        Severity.WARNING,
        "A MachineOSConfig names a pool that does not exist. The operator fails to synchronize it, which delays the "
        "builds of other pools and can return their MachineOSConfigs to older builds.",
        "Delete the MachineOSConfig, or create its pool",
    ),
    FindingId.CLUSTER_EXPECTATION_UNPROVEN: Definition(
        Severity.ERROR,
        "Nothing proves that the image in the status of the MachineOSConfig was built from its current spec, so no "
        "node can match. Another client changed the spec, and the operator reused an older build, took over an older "
        "image, or built nothing (OpenShift 4.16 and 4.17).",
        "Change the Containerfile with this collection (a comment is enough), which builds a new image and reboots the "
        "nodes, or set expected_image",
    ),
    FindingId.CLUSTER_EXPECTATION_NOT_CURRENT: Definition(
        Severity.ERROR,
        "The image in the status of the MachineOSConfig was not built from its current spec, so no node can match.",
        "Wait for the build (machineosbuild_wait), or set expected_image",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One fact about an object, with its evidence."""

    id: FindingId
    object: ObjectRef
    message: str
    evidence: str = ""
    own_remedy: str = ""
    """Remedy for this case, in place of the general one in the public table."""

    @property
    def severity(self) -> Severity:
        """Severity from the public table."""
        return FINDINGS[self.id].severity

    @property
    def remedy(self) -> str:
        """What the user can do about it."""
        return self.own_remedy or FINDINGS[self.id].remedy

    @property
    def fatal(self) -> bool:
        """Whether the finding cannot clear by itself."""
        return self.severity is Severity.FATAL

    def as_result(self) -> dict[str, t.Any]:
        """Return the finding as results contain it."""
        return {
            "id": self.id.value,
            "severity": self.severity.value,
            "object": {"kind": self.object.kind, "namespace": self.object.namespace, "name": self.object.name},
            "message": truncate_bytes(self.message, MAX_MESSAGE),
            "evidence": truncate_bytes(self.evidence, MAX_EVIDENCE),
            "remedy": self.remedy,
        }


def first_of(findings: t.Iterable[Finding], ids: t.Collection[str]) -> Finding | None:
    """Return the first finding that *ids* selects, or None. FATAL selects every fatal finding."""
    return next((f for f in findings if {f.id, FINDINGS[f.id].kind_of} & set(ids) or (f.fatal and FATAL in ids)), None)


def unknown_ids(ids: t.Iterable[str]) -> list[str]:
    """Return the ids that are neither a public finding nor FATAL, sorted."""
    return sorted(set(ids) - set(FINDINGS) - {FATAL})


def share_evidence_limit(findings: t.Iterable[Finding], limit: int = MAX_EVIDENCE) -> tuple[Finding, ...]:
    """Return the findings with at most *limit* bytes of evidence in total. The first findings keep theirs."""
    shared = []
    for finding in findings:
        evidence = truncate_bytes(finding.evidence, limit)
        limit -= len(evidence.encode("utf-8"))
        shared.append(replace(finding, evidence=evidence))
    return tuple(shared)


def by_severity(findings: t.Iterable[Finding]) -> list[Finding]:
    """Return the findings sorted by severity, the highest first. Findings of one severity keep their order."""
    return sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity))
