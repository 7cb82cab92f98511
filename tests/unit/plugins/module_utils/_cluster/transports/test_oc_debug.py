# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import process_identity
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.kubeconfig import write_kubeconfig
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports import (
    debug_namespace as namespaces,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports import oc_debug, transport
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.oc_debug import OcDebug
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import NAMESPACE
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import CommandResult
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import node
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import Reply, forbidden

NODES = [NodeState.from_api(node(f"worker-{n}")) for n in range(3)]
ACCOUNTS = "/serviceaccounts/default"
NOTE = "imagemode.openshift/"

# A program in the place of oc: notes how it was called, and does what the test says with the script that it was given.
OC = """\
#!/bin/sh
OC_NOTES={folder}
export OC_NOTES
printf '%s\\n' "$@" --- >> "$OC_NOTES/calls"
for script in "$@"; do :; done
rpm_ostree="$OC_NOTES/bin"
PATH="$rpm_ostree:$PATH"
. "$OC_NOTES/acts"
"""


class Oc:
    """What stands in for ``oc``, and for rpm-ostree on the nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "bin/oc").write_text(OC.replace("{folder}", shlex.quote(str(folder))), encoding="utf-8")
        (folder / "bin/oc").chmod(0o755)
        self.acts('/bin/sh -c "$script" 2>&1')
        self.answers('echo "{}"')

    def acts(self, script: str) -> None:
        (self.folder / "acts").write_text(script + "\n", encoding="utf-8")

    def answers(self, script: str) -> None:
        program = self.folder / "bin/rpm-ostree"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        noted = self.folder / "calls"
        text = noted.read_text(encoding="utf-8") if noted.exists() else ""
        return [call.splitlines() for call in text.split("---\n") if call]


@pytest.fixture
def oc(tmp_path, monkeypatch, api) -> Oc:
    stand_in = Oc(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: 0.0)
    api.always_fail(ACCOUNTS, Reply(200, json.dumps({"metadata": {"name": "default"}})))
    return stand_in


# Asks a node by oc debug in a process of its own, so that it can be killed.
A_RUN = """
import sys
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.oc_debug import OcDebug
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import node

session = Session(connect({"host": sys.argv[1], "api_key": "sha256~token"}), patience=5)
list(OcDebug(session, 1, 300).query([NodeState.from_api(node("worker-0"))]))
"""


def kubeconfig_of(connection: t.Any) -> t.Any:
    file = io.StringIO()
    write_kubeconfig(connection, file)
    return json.loads(file.getvalue())


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, f"{file} is not written"
        time.sleep(0.01)


def ask(
    session: t.Any, nodes: t.Sequence[NodeState] = NODES[:1], timeout: float = 30, **more: t.Any
) -> list[CommandResult]:
    answers = OcDebug(session, 2, timeout, **more).query(nodes)
    return [answer for dummy, answer in sorted(answers, key=lambda pair: pair[0].name)]


def left(api: t.Any) -> list[str]:
    made = [request.body["metadata"]["name"] for request in api.writes if request.method == "POST"]
    gone = [request.path.rpartition("/")[2] for request in api.writes if request.method == "DELETE"]
    return sorted(set(made) - set(gone))


def still_running(oc: Oc) -> list[str]:
    """The processes of the group whose number was noted, but for those that only wait to be reaped."""
    group = (oc.folder / "process").read_text(encoding="utf-8").strip()
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, dummy, in_group = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if in_group == group and state != "Z":
                found.append(stat.parent.name)
    return found


def end_of_what_is_running(oc: Oc) -> None:
    """Kill what a run that was killed could not: its oc."""
    home = (oc.folder / "home").read_bytes().strip()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if b"HOME=" + home in environ.read_bytes():
                os.kill(int(environ.parent.name), signal.SIGKILL)


# What is asked -------------------------------------------------------------------------------------------------------


def test_each_node_is_queried_in_a_pod_of_the_runs_namespace(oc, api, session):
    assert ask(session, NODES) == [CommandResult(0, "{}\n", "")] * 3
    created = next(request.body for request in api.writes if request.method == "POST")
    meta = created["metadata"]
    assert sorted(call[2] for call in oc.calls) == ["node/worker-0", "node/worker-1", "node/worker-2"]
    for call in oc.calls:
        assert call[:2] == ["debug", "--quiet"]
        assert call[3:9] == [f"--to-namespace={meta['name']}", "--", "chroot", "/host", "/bin/sh", "-c"]
    assert meta["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert meta["labels"]["imagemode.openshift/debug-run"] == "true"
    assert meta["annotations"]["imagemode.openshift/created-by"] == "imagemode.openshift"
    assert meta["annotations"]["openshift.io/node-selector"] == ""
    assert left(api) == []


def test_every_oc_reads_the_credentials_from_memory(oc, session):
    oc.acts('/bin/sh -c "$script" 2>&1; cat "$KUBECONFIG" > "$OC_NOTES/read-$$"')
    ask(session, NODES)
    read = [json.loads(file.read_text(encoding="utf-8")) for file in oc.folder.glob("read-*")]
    assert [one["users"][0]["user"]["token"] for one in read] == ["sha256~token"] * 3
    assert "sha256~token" not in (oc.folder / "calls").read_text(encoding="utf-8")


def test_killed_run_leaves_no_token_in_a_file(oc, api, tmp_path):
    oc.acts('echo "$HOME" > "$OC_NOTES/home"; sleep 600')
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(Path(oc_debug.__file__).parents[7])}
    with subprocess.Popen([sys.executable, "-c", A_RUN, api.url], env=environment) as run:
        wait_for(oc.folder / "home")
        run.kill()
        run.wait(30)
    left_over = Path((oc.folder / "home").read_text(encoding="utf-8").strip())
    assert left_over.parent == temporary  # it was killed in the middle
    assert [file for file in temporary.rglob("*") if file.is_file() and b"token" in file.read_bytes()] == []
    end_of_what_is_running(oc)
    oc.acts('/bin/sh -c "$script" 2>&1')
    subprocess.run([sys.executable, "-c", A_RUN, api.url], env=environment, check=True, timeout=60)
    assert list(temporary.iterdir()) == []


def test_oc_gets_only_needed_variables_of_the_environment(oc, session, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_API_KEY", "sha256~another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    oc.acts('env > "$OC_NOTES/environment"; /bin/sh -c "$script" 2>&1')
    ask(session)
    names = {line.partition("=")[0] for line in (oc.folder / "environment").read_text(encoding="utf-8").splitlines()}
    assert {"PATH", "HOME", "KUBECONFIG"} <= names
    # The kubeconfig names the proxy, if there is one.
    assert {"K8S_AUTH_API_KEY", "AWS_SECRET_ACCESS_KEY", "https_proxy"}.isdisjoint(names)


def test_kubeconfig_has_all_settings_of_the_connection(tmp_path):
    authority, certificate, key = (tmp_path / name for name in ("ca", "crt", "key"))
    for file in (authority, certificate, key):
        file.touch()
    options = {"host": "https://api.example.com:6443", "api_key": "t", "ca_cert": str(authority)}
    more = {"client_cert": str(certificate), "client_key": str(key), "proxy": "http://proxy:3128"}
    written = kubeconfig_of(connect({**options, **more, "impersonate_user": "bob", "impersonate_groups": ["a"]}))
    assert written["clusters"][0]["cluster"] == {
        "server": "https://api.example.com:6443",
        "certificate-authority": str(authority),
        "proxy-url": "http://proxy:3128",
    }
    assert written["users"][0]["user"] == {
        "token": "t",
        "client-certificate": str(certificate),
        "client-key": str(key),
        "as": "bob",
        "as-groups": ["a"],
    }


def test_kubeconfig_of_an_unverified_connection_is_unverified():
    options = {"host": "https://api.example.com", "username": "u", "password": "p", "validate_certs": False}
    written = kubeconfig_of(connect(options))
    assert written["clusters"][0]["cluster"]["insecure-skip-tls-verify"] is True
    assert written["users"][0]["user"] == {"username": "u", "password": "p"}


# What comes of it ----------------------------------------------------------------------------------------------------


def test_exit_status_is_that_of_the_command_not_of_oc(oc, session):
    oc.answers("echo no >&2; exit 3")
    oc.acts('/bin/sh -c "$script" 2>&1; exit 1')
    assert ask(session) == [CommandResult(3, "", "no")]
    assert len(oc.calls) == 1


def test_stderr_is_not_mixed_into_stdout(oc, session):
    oc.answers("echo '{'; echo warning >&2; echo '}'")
    assert ask(session) == [CommandResult(0, "{\n}\n", "warning")]


def test_truncated_output_is_retried_and_then_fails(oc, session):
    oc.acts('/bin/sh -c "$script" | head -n 2; echo "error: unexpected EOF" >&2; exit 1')
    (answer,) = ask(session)
    assert (answer.stdout, answer.exit_status, answer.failure) == ("", None, "node.exec_failed")
    assert answer.failure_message == "oc debug: error: unexpected EOF"
    assert len(oc.calls) == 3


def test_processes_of_a_hanging_node_are_killed(oc, api, session):
    oc.acts('echo $$ > "$OC_NOTES/process"; sleep 600')
    (answer,) = ask(session, timeout=1.0)
    assert answer.failure == "node.no_response"
    assert answer.failure_message == "Node worker-0 did not answer within 1 s"
    assert still_running(oc) == []
    assert left(api) == []


@pytest.mark.parametrize("script", ["yes", "yes >&2", "yes | head -c 9000000; sleep 600"])
def test_processes_of_a_node_that_writes_without_end_are_killed_at_once(script, oc, api, session):
    oc.acts(f'echo $$ > "$OC_NOTES/process"; {script}')
    (answer,) = ask(session)
    assert answer == CommandResult(failure=FindingId.NODE_OUTPUT_UNREADABLE, failure_message=answer.failure_message)
    assert answer.failure_message == "oc debug wrote more than 2 MiB, or too much to stderr"
    assert len(oc.calls) == 1
    assert still_running(oc) == []
    assert left(api) == []


def test_exit_status_of_5000_digits_is_invalid(oc, session):
    oc.acts('/bin/sh -c "$script" 2>&1 | sed "s/ exit 0 / exit $(printf %05000d 0) /"')
    assert {answer.failure for answer in ask(session, NODES)} == {"node.exec_failed"}


def test_error_message_of_oc_is_limited(oc, session):
    oc.acts("printf 'error: \\033[2J%09999d' 0 >&2; exit 1")
    (answer,) = ask(session)
    assert (answer.failure, len(answer.failure_message)) == ("node.exec_failed", 300)
    assert answer.failure_message.isprintable()


def test_node_that_is_not_ready_gets_no_pod(oc, session):
    (answer,) = ask(session, [NodeState.from_api(node("worker-0", ready="Unknown"))])
    assert (answer.failure, oc.calls) == ("node.not_ready", [])


def test_missing_oc_fails_before_anything_is_created(oc, api, session, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        OperationError, match=r"^Could not query nodes with oc debug: the program oc is not in PATH\. Install the"
    ):
        ask(session)
    assert api.requests == []


def test_account_that_may_not_create_namespaces_gets_an_error(oc, api, session):
    api.fail("namespaces", forbidden("namespaces"))
    with pytest.raises(OperationError, match=r"^Could not create Namespace imagemode-debug-"):
        ask(session)
    assert oc.calls == []


# What is left --------------------------------------------------------------------------------------------------------


def test_nothing_is_left_behind_when_the_caller_stops_early(oc, api, session):
    answers = OcDebug(session, 1, 30).query(NODES)
    next(answers)
    answers.close()
    assert left(api) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_behind_when_the_run_is_interrupted(number, oc, api, session):
    oc.acts('echo $$ > "$OC_NOTES/process"; sleep 600')

    def interrupt() -> None:
        while not (oc.folder / "process").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        ask(session, timeout=60)
    assert left(api) == []
    for thread in threading.enumerate():
        if thread.name.startswith("query"):
            thread.join(30)
    assert still_running(oc) == []


def test_signal_handlers_are_restored(oc, session):
    before = signal.getsignal(signal.SIGTERM)
    ask(session)
    assert signal.getsignal(signal.SIGTERM) is before


# Which namespaces are swept ------------------------------------------------------------------------------------------

NOON, LATER, MUCH_LATER = "2026-03-01T12:00:00Z", "2026-03-01T12:00:59Z", "2026-03-01T12:01:01Z"
GONE = namespaces.this_process().rpartition("/")[0] + "/1"
"""This very process number, begun at another time: a process that is no more."""


def of_a_run(
    created: str = NOON,
    lifetime: str | None = "60",
    process: str = "x/y/1/1",
    ours: bool = True,
    name: str = "imagemode-debug-0123456789",
) -> dict:
    notes = {
        f"{NOTE}created-by": "imagemode.openshift" if ours else "somebody",
        f"{NOTE}lifetime": lifetime,
        f"{NOTE}process": process,
    }
    return {
        "metadata": {
            "name": name,
            "uid": "uid-of-old",
            "creationTimestamp": created,
            "labels": {f"{NOTE}debug-run": "true"},
            "annotations": {name: value for name, value in notes.items() if value is not None},
        }
    }


@pytest.mark.parametrize(
    ("other", "now", "dead"),
    [
        (of_a_run(), LATER, False),
        (of_a_run(), MUCH_LATER, True),
        (of_a_run(process=GONE), NOON, True),
        (of_a_run(process=namespaces.this_process()), LATER, False),
        (of_a_run(process="another-boot/pid:[1]/999999999/1"), LATER, False),
        (of_a_run(process=""), LATER, False),
        (of_a_run(process="", lifetime=None), MUCH_LATER, False),
        (of_a_run(lifetime="for ever"), MUCH_LATER, False),
        (of_a_run(ours=False), MUCH_LATER, False),
        (of_a_run(ours=False, process=GONE), MUCH_LATER, False),
        (of_a_run(process=GONE, name="payments"), MUCH_LATER, False),
        (of_a_run(process="/".join([*GONE.split("/")[:2], "9" * 5000, "1"])), LATER, False),
    ],
    ids=[
        "it may still go on",
        "its lifetime is over",
        "its process is gone",
        "its process goes on",
        "it is another machine's",
        "its process is not known",
        "nothing is known",
        "its lifetime cannot be read",
        "it is somebody else's",
        "it is somebody else's and its process is gone",
        "its name is none that a run generates",
        "its process has a number that no process has",
    ],
)
def test_namespace_is_deleted_only_if_we_created_it_and_its_run_has_certainly_ended(other, now, dead):
    assert namespaces.is_dead(other, of_a_run(created=now)) is dead


def test_process_that_has_ended_and_is_not_reaped_is_gone():
    with subprocess.Popen(["sleep", "600"]) as process:
        boot, space, *dummy = namespaces.this_process().split("/")
        made = of_a_run(process=f"{boot}/{space}/{process.pid}/{process_identity._started(process.pid)}")
        assert not namespaces.is_dead(made, of_a_run(created=LATER))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert namespaces.is_dead(made, of_a_run(created=LATER))


def test_hidden_process_of_another_user_is_not_gone(monkeypatch):
    boot, space, *dummy = namespaces.this_process().split("/")
    made = of_a_run(process=f"{boot}/{space}/{os.getppid()}/12345")

    def read(path: Path, **dummy: t.Any) -> str:
        if path.name == "stat":
            raise FileNotFoundError  # as with the option hidepid of /proc
        return boot

    def kill(dummy: int, number: int) -> None:
        assert number == 0
        raise PermissionError

    assert namespaces.is_dead(made, of_a_run(created=LATER))
    monkeypatch.setattr(process_identity.Path, "read_text", read)
    monkeypatch.setattr(process_identity.os, "kill", kill)
    assert not namespaces.is_dead(made, of_a_run(created=LATER))


def test_time_without_a_zone_does_not_end_a_run():
    made = of_a_run(process="", lifetime="1")
    made["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00"
    assert not namespaces.is_dead(made, of_a_run(created=LATER))


def test_run_deletes_only_the_namespaces_of_ended_runs(oc, api, session):
    dead, alive, foreign = of_a_run(process=GONE), of_a_run(), of_a_run(process=GONE, ours=False)
    alive["metadata"].update(name="imagemode-debug-aaaaaaaaaa", uid="uid-of-alive")
    alive["metadata"]["annotations"][f"{NOTE}lifetime"] = "99999999"
    foreign["metadata"].update(name="mine", uid="uid-of-mine")
    api.keep(NAMESPACE, dead, alive, foreign)
    ask(session)
    kept = [request.path.rpartition("/")[2] for request in api.writes if request.method == "DELETE"]
    assert len(kept) == 2
    assert "imagemode-debug-0123456789" in kept
    assert {"imagemode-debug-aaaaaaaaaa", "mine"}.isdisjoint(kept)


def test_namespace_of_another_name_with_our_label_and_annotations_is_kept(oc, api, session):
    copied = of_a_run(process=GONE, lifetime="1", name="payments")
    also = of_a_run(process=GONE, lifetime="1", name="imagemode-debug-of-the-payments-team")
    also["metadata"]["uid"] = "uid-of-also"
    api.keep(NAMESPACE, copied, also)
    ask(session)
    gone = [request.path.rpartition("/")[2] for request in api.writes if request.method == "DELETE"]
    assert len(gone) == 1
    assert {"payments", "imagemode-debug-of-the-payments-team"}.isdisjoint(gone)


def test_namespace_that_cannot_be_deleted_does_not_stop_a_run(oc, api, session):
    api.keep(NAMESPACE, of_a_run(process=GONE))
    api.always_fail("/namespaces/imagemode-debug-0123456789", forbidden("namespaces"))
    assert ask(session) == [CommandResult(0, "{}\n", "")]


def test_namespace_without_its_service_account_is_deleted(oc, api, session, monkeypatch):
    monkeypatch.setattr(namespaces, "_READY_WITHIN", 0.0)
    api._faults.clear()
    with pytest.raises(OperationError, match="its ServiceAccount default was not created"):
        ask(session)
    assert left(api) == []
