# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that cannot work: playbook apply rejects each of them before it writes anything, in check mode too.

Each case is a host of one inventory, so that one run and one run in check mode decide all of them.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from dataclasses import dataclass, field

import pytest
from lab.scenarios.stage import SECRETS, Stage
from pools import containerfile, push_spec

if t.TYPE_CHECKING:
    from ansible_run import Run, TaskResult
    from audit_log import AuditLog, Recording
    from conftest import During, NewAnsible
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import Pools

APPLY = "imagemode.openshift.apply"
PAUSED = "paused-elsewhere"
"""A pool that another client paused."""
SUPERSEDED = "without-nodes"
"""A pool with an older build that the node controller would use."""
OPAQUE = "not-a-pull-secret"
INTERNAL = "image-registry.openshift-image-registry.svc:5000/images/os:latest"
EXPIRED = "expired-token"
"""A push Secret with a token that expired in 2020."""
NODE = "worker-5"
"""A node that the requests name. No request moves it."""


@dataclass(frozen=True)
class Case:
    """A request that cannot work, and why. ``{registry}`` and ``{here}`` are replaced in its texts."""

    message: str
    variables: t.Mapping[str, t.Any] = field(default_factory=dict)
    pool: str = "absent"
    create_pool: bool = True


def wrong(variable: str, value: t.Any, reason: str) -> Case:
    """Return a case with one variable that cannot be used."""
    return Case(f"Could not use variable {variable}: {reason}", {variable: value})


def negative(variable: str, least: int = 0) -> Case:
    """Return a case with a negative duration or count."""
    unit = "attempts" if variable.endswith("_attempts") else "seconds"
    return wrong(variable, -5, f"-5 {unit} is negative. Set a whole number, {least} or more.")


def in_a_file(name: str, reason: str) -> Case:
    """Return a case with the path of a Containerfile that cannot be built."""
    variables = {"image_mode_containerfile": "", "image_mode_containerfile_path": name}
    return Case(f"Could not use variable image_mode_containerfile_path: {reason}", variables)


CASES: t.Mapping[str, Case] = {
    "pool paused by another client": Case(
        f"Could not apply the image of MachineConfigPool {PAUSED}: it was paused by another client (imagemode-lab by "
        f"Update). Find the other manager of spec.paused with oc get machineconfigpool {PAUSED} -o yaml "
        "--show-managed-fields, and unpause it with oc.",
        {"image_mode_nodes": [NODE], "image_mode_allow_node_reboots": True},
        PAUSED,
    ),
    "older build that blocks the rollout": Case(
        f"Could not apply the image of MachineConfigPool {SUPERSEDED}: OpenShift {{version}} uses the older "
        f"MachineOSBuild {SUPERSEDED}-{'0' * 32} instead of the current build, so no node would get the image. Set "
        "image_mode_delete_superseded=true to delete them.",
        {"image_mode_nodes": [NODE]},
        SUPERSEDED,
    ),
    "pool that does not exist": Case(
        "Could not apply the image of MachineConfigPool absent: MachineConfigPool absent does not exist. Check the "
        "name, or create the pool (image_mode_create_pool).",
        create_pool=False,
    ),
    "secret that does not exist": Case(
        "Could not apply the image of MachineConfigPool absent: Secret openshift-machine-config-operator/no-such does "
        "not exist. Create it, for example with image_mode_secrets.",
        {"image_mode_rendered_image_push_secret": "no-such"},
    ),
    "secret of another type": Case(
        f"Could not apply the image of MachineConfigPool absent: Secret openshift-machine-config-operator/{OPAQUE} has "
        "type Opaque. Use a Secret of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg.",
        {"image_mode_base_image_pull_secret": OPAQUE},
    ),
    "push token that has expired": Case(
        "Could not apply the image of MachineConfigPool absent: the token for {registry} in Secret "
        f"openshift-machine-config-operator/{EXPIRED} expired at 2020-01-01T00:00:00Z. Renew the token, for "
        "example with image_mode_secrets.",
        {"image_mode_rendered_image_push_secret": EXPIRED},
    ),
    "namespace of the image does not exist": Case(
        f"Could not apply the image of MachineConfigPool absent: {INTERNAL} is an image of namespace images, which "
        "does not exist. Create the namespace, or use openshift-machine-config-operator, from which the nodes can "
        "pull.",
        {"image_mode_rendered_image_push_spec": INTERNAL},
    ),
    "node that does not exist": Case(
        "Could not add nodes to MachineConfigPool absent: Node worker-99 does not exist. Correct image_mode_nodes; "
        "oc get nodes lists the names.",
        {"image_mode_nodes": [NODE, "worker-99"]},
    ),
    "max_unavailable is a word": wrong(
        "image_mode_max_unavailable",
        "lots",
        "lots is neither a number nor a percentage. Set a number such as 2, or 10%.",
    ),
    "max_unavailable is zero": wrong(
        "image_mode_max_unavailable",
        0,
        "0 allows no node to be updated. Set 1 or more, or pause the pool to update no node.",
    ),
    "negative build timeout": negative("image_mode_build_timeout"),
    "negative build stall timeout": negative("image_mode_build_stall_timeout"),
    "negative replacement grace": negative("image_mode_replacement_grace"),
    "negative number of build attempts": negative("image_mode_max_build_attempts"),
    "negative rollout timeout": negative("image_mode_rollout_timeout"),
    "negative rollout stall timeout": negative("image_mode_rollout_stall_timeout"),
    "negative node timeout": negative("image_mode_node_timeout", least=1),
    "push spec without a tag": wrong(
        "image_mode_rendered_image_push_spec",
        "{registry}/lab/absent",
        "{registry}/lab/absent has no tag. Add one, such as :latest.",
    ),
    "push spec with upper case": wrong(
        "image_mode_rendered_image_push_spec",
        "{registry}/lab/Absent:latest",
        "{registry}/lab/Absent:latest has upper case letters (lab/Absent), which registries do not accept. Use "
        "lab/absent.",
    ),
    "containerfile is too long": wrong(
        "image_mode_containerfile",
        containerfile("true").ljust(7006, "#"),
        "the Containerfile has 7006 characters; the limit is 4096. Shorten it, for example by moving files into a "
        "base image or a package.",
    ),
    "containerfile without FROM": wrong(
        "image_mode_containerfile",
        "RUN true\n",
        "the Containerfile has no FROM instruction. Start it with FROM configs AS final.",
    ),
    "containerfile is not UTF-8": in_a_file("latin-1", "{here}/latin-1 is not UTF-8 text. Save it as UTF-8 text."),
    "containerfile with a NUL byte": in_a_file(
        "with-nul", "the Containerfile contains a NUL byte (line 2). Save it as UTF-8 text without NUL bytes."
    ),
}
FILES = {"latin-1": b"FROM configs AS final\nRUN echo caf\xe9\n", "with-nul": b"FROM configs AS final\nRUN echo \0\n"}
OPTIONS = ("allow_node_reboots", "create_pool", "delete_superseded", "max_unavailable", "node_timeout", "stall_timeout")
"""Names of options of modules, which the user of a playbook does not know."""


@dataclass(frozen=True)
class Rejected:
    """A run of apply for all cases, and the requests that it sent."""

    run: Run
    recording: Recording
    results: t.Collection[str]
    """The lines of the output that begin with ``Result:``, without that."""
    texts: t.Mapping[str, str]
    """What is replaced in the texts of a case."""

    def message(self, case: str) -> str:
        """Return the message that a case expects."""
        return CASES[case].message.format(**self.texts)

    def failed(self, case: str) -> list[TaskResult]:
        """Return the tasks that failed for a case."""
        return [result for result in self.run.results if result.host == host_of(case) and result.failed]

    def entry(self, case: str) -> dict[str, t.Any]:
        """Return what the run published for a case."""
        (entry,) = [entry for entry in self.run.published if entry["host"] == host_of(case)]
        return entry


def host_of(case: str) -> str:
    """Return the host of a case."""
    return case.replace(" ", "-").lower()


def expired_push_secret(lab: Facts) -> dict[str, t.Any]:
    """Return a Secret like those of service accounts, whose token expired."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1577836800}).encode()).decode().rstrip("=")
    login = base64.b64encode(f"builder:header.{claims}.signature".encode()).decode()
    content = json.dumps({"auths": {lab.registry_host: {"auth": login}}})
    kind = "kubernetes.io/dockerconfigjson"
    meta = {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": EXPIRED}}
    return {**meta, "stringData": {".dockerconfigjson": content}}


@pytest.fixture(scope="module")
def blocked(api: Api, lab: Facts, pools: Pools, during: During) -> t.Iterator[None]:
    """The objects of the cluster that make requests impossible."""
    stage = Stage(lab, api, PAUSED)
    stage.ensure_pool(paused=True)
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": OPAQUE}}
    stage.ensure(SECRETS, secret)
    stage.ensure(SECRETS, expired_push_secret(lab))
    pools.built(SUPERSEDED)
    with during("older-build-first", SUPERSEDED):
        yield


@pytest.fixture(scope="module", params=[(), ("--check",)], ids=["run", "check mode"])
def rejected(
    request: pytest.FixtureRequest, blocked: None, new_ansible: NewAnsible, lab: Facts, audit: AuditLog
) -> Rejected:
    """Apply for all cases at once."""
    ansible = new_ansible()
    for name, content in FILES.items():
        (ansible.scratch / name).write_bytes(content)
    texts = {"registry": lab.registry_host, "here": str(ansible.scratch), "version": lab.release}
    inventory = ansible.scratch / "inventory.json"
    hosts = {host_of(name): variables_of(lab, case, texts) for name, case in CASES.items()}
    inventory.write_text(json.dumps({"cases": {"hosts": hosts}}), encoding="utf-8")
    with audit.recording() as recording:
        run = ansible.run_playbook(APPLY, "-i", str(inventory), *request.param, variables={"image_mode_hosts": "cases"})
    shown = "  Result: check mode: " if "--check" in request.param else "  Result: "
    results = {line.partition(shown)[2] for line in run.stdout.splitlines() if line.startswith(shown)}
    return Rejected(run, recording, results, texts)


def variables_of(lab: Facts, case: Case, texts: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the variables of a case: an image that could be built, but for what is wrong."""
    variables = {
        "image_mode_pool": case.pool,
        "image_mode_create_pool": case.create_pool,
        "image_mode_containerfile": containerfile(f"echo {case.pool} > /etc/pool"),
        "image_mode_rendered_image_push_spec": push_spec(lab, case.pool),
        "image_mode_rendered_image_push_secret": "push",
        **case.variables,
    }
    return {k: v.format(**texts) if isinstance(v, str) else v for k, v in variables.items()}


@pytest.mark.parametrize("case", CASES)
def test_request_that_cannot_work_fails_in_one_line(rejected: Rejected, case: str) -> None:
    (failed,) = rejected.failed(case)
    assert failed.msg == rejected.message(case)
    assert re.fullmatch(r"Could not [a-z].+: .+\. [A-Z].+\.", failed.msg)
    assert not [name for name in OPTIONS if re.search(rf"(?<![\w]){name}\b", failed.msg)]


@pytest.mark.parametrize("case", CASES)
def test_rejected_request_is_published_with_its_reason(rejected: Rejected, case: str) -> None:
    entry = rejected.entry(case)
    message = rejected.message(case)
    assert (entry["failure"], entry["message"]) == (message, message)
    assert (entry["verdict"], entry["changed"], entry["forecast"]) == ("unknown", [], None)
    assert message in rejected.results


def test_each_rejected_request_counts_as_failed(rejected: Rejected) -> None:
    assert rejected.run.rc == 2
    recap = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=(\d+)", rejected.run.stdout, re.M)
    assert {host: counts for host, *counts in recap} == {host_of(case): ["0", "1"] for case in CASES}
    assert "Traceback" not in rejected.run.output


def test_rejected_requests_write_nothing(rejected: Rejected) -> None:
    assert {request.resource for request in rejected.recording.ours} >= {"machineconfigpools", "machineosbuilds"}
    assert [request for request in rejected.recording.ours if request.is_write] == []
