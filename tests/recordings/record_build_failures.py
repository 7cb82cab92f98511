# SPDX-License-Identifier: GPL-3.0-or-later
"""Have real builds fail, and keep what they say: ``python -m recordings.record_build_failures --lab NAME [CASE ...]``.

``--buildah PROGRAM`` takes another buildah than the machine's, and ``--folder NAME`` another folder for the recordings.

A build pod of the running lab is the pattern: its shipped command, environment and volumes, run by the lab's own build
sandbox with the machine's buildah. Each case changes what makes it fail, and nothing else. Per case the folder
``build_failures`` gets ``CASE.log`` (what ``oc logs`` shows of container image-build), ``CASE.Containerfile`` (the
user's) and a line in ``ends.json``. Credentials are the lab's, made anew at each start.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.server
import json
import resource
import shutil
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from lab.build_runner import BuildPod, Volumes
from lab.build_sandbox import Container, Mount, Pod
from lab.cache import lab_folder
from lab.facts import Facts
from lab.kube_rest import Api, ApiError

RECORDINGS = Path(__file__).parent
FOLDER = "build_failures"
PATTERN = "recorded"
_API = "/apis/machineconfiguration.openshift.io/v1"
_PODS = "/api/v1/namespaces/openshift-machine-config-operator/pods"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USER_PART = "FROM configs AS final\nRUN true\n"
_PATTERN_PART = "FROM configs AS final\nRUN sleep 30\n"
"""The user's part of the build that is the pattern. It takes long enough for its pod to be read."""

# What dnf and registries print where the lab has none of them: scripted, word for word as they print it.
_NO_PACKAGE = """\
FROM configs AS final
RUN echo "Updating and loading repositories:" >&2; \\
    echo "No match for argument: tcpdmp" >&2; \\
    echo "Error: Unable to find a match: tcpdmp" >&2; \\
    exit 1
"""
_NO_PACKAGE_RPM_OSTREE = """\
FROM configs AS final
RUN echo "Enabled rpm-md repositories: baseos appstream"; \\
    echo "error: Packages not found: tcpdmp" >&2; \\
    exit 1
"""
_NO_REPOSITORY = """\
FROM configs AS final
RUN echo "Updating Subscription Management repositories."; \\
    echo "Unable to read consumer identity"; \\
    echo "This system is not registered with an entitlement server."; \\
    echo "Error: There are no enabled repositories in \\"/etc/yum.repos.d\\", \\"/etc/yum/repos.d\\"." >&2; \\
    exit 1
"""
_REPOSITORY_FORBIDDEN = """\
FROM configs AS final
RUN echo "Errors during downloading metadata for repository 'rhel-9-for-x86_64-baseos-rpms':" >&2; \\
    echo "  - Status code: 403 for https://cdn.example.com/baseos/os/repodata/repomd.xml (IP: 192.0.2.7)" >&2; \\
    echo "Error: Failed to download metadata for repo 'rhel-9-for-x86_64-baseos-rpms': Cannot download repomd.xml:" \\
      "Cannot download repodata/repomd.xml: All mirrors were tried" >&2; \\
    exit 1
"""
_QUOTA = "denied: requested access to the resource is denied: quota exceeded for namespace lab"
_SECRETIVE = """\
FROM configs AS final
RUN echo "curl -u robot:hunter2 --password hunter3 https://robot:hunter4@files.example.com/x" >&2; \\
    echo "> Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.aHVudGVyNQ.c2lnbmF0dXJl" >&2; \\
    echo '{"auths":{"registry.example.com":{"auth":"aHVudGVyNjpodW50ZXI2"}}}' >&2; \\
    exit 22
"""


@dataclass(frozen=True)
class Case:
    """What is changed of a build so that it fails."""

    name: str
    user: str = _USER_PART
    base: str = ""
    """Pull spec in place of the base image."""
    tag: str = ""
    """Where to push, in place of where the operator wants it."""
    pull_auth: str = ""
    push_auth: str = ""
    """Text of the credential file in place of the Secret's."""
    registries: str | None = None
    """Text of registries.conf in place of the lab's."""
    megabytes: int = 0
    """Size of the file system for layers; 0 for as large as the machine's."""
    scripted: bool = False
    """Whether the telling words are printed by the RUN itself."""


def cases(facts: Facts, tls_host: str, plain_host: str) -> list[Case]:
    """Return every failure there is to record."""
    host = facts.registry_host
    return [
        Case("run-failed", user="# needed\nFROM configs AS final\n\nRUN true\nRUN echo no such luck >&2; exit 7\n"),
        Case(
            "run-failed-over-lines",
            user="FROM configs AS final\nRUN echo one && \\\n    # in between\n    echo two && \\\n"
            "    false\nRUN true\n",
        ),
        Case(
            "run-failed-twice-the-same",
            user="FROM configs AS one\nRUN true\nFROM configs AS final\nRUN test -e /flag || { touch /flag; true; }\n"
            "RUN rm /flag\nRUN rm /flag\n",
        ),
        Case(
            "run-failed-in-an-earlier-stage",
            user="FROM configs AS tools\nRUN cat /no/such/file\n"
            "FROM configs AS final\nCOPY --from=tools /bin/sh /bin/sh2\n",
        ),
        Case(
            "run-failed-beside-an-unused-stage",
            user="FROM configs AS unused\nRUN exit 4\nFROM configs AS final\nRUN true\nRUN exit 6\n",
        ),
        Case("run-failed-without-from", user="RUN echo early && exit 3\n"),
        Case(
            "run-failed-in-a-here-document",
            user="FROM configs AS final\nRUN <<EOT\necho in the document\nexit 5\nEOT\n",
        ),
        Case(
            "run-failed-in-a-here-document-of-several-lines",
            user="FROM configs AS final\nRUN <<EOT\nset -e\necho one\nfalse\necho two\nEOT\n",
        ),
        Case(
            "run-failed-in-the-second-of-two-here-documents",
            user="FROM configs AS final\nRUN <<EOT\nset -e\necho one\nEOT\nRUN <<EOT\nset -e\ncat /no/such/file\nEOT\n",
        ),
        Case(
            "run-failed-in-the-first-of-two-here-documents",
            user="FROM configs AS final\nRUN <<EOT\nset -e\ncat /no/such/file\nEOT\nRUN <<EOT\nset -e\necho one\nEOT\n",
        ),
        Case(
            "run-failed-after-here-documents",
            user="FROM configs AS final\nCOPY <<a <<b /etc/\nkey one\na\nkey two\nb\n"
            "RUN cat <<'EOT' > /x && (exit 3)\nwords\nEOT\n",
        ),
        Case(
            "command-not-found-in-a-here-document",
            user="FROM configs AS final\nRUN <<EOT\nset -e\ntcpdmp --version\nEOT\n",
        ),
        Case("here-document-without-an-end", user="FROM configs AS final\nRUN <<EOT\necho one\n  EOT\n"),
        Case("command-not-found", user="FROM configs AS final\nRUN tcpdmp --version\n"),
        Case("command-not-found-exec-form", user='FROM configs AS final\nRUN ["/usr/bin/tcpdmp", "--version"]\n'),
        Case("copy-source-missing", user="FROM configs AS final\nCOPY motd /etc/motd\n"),
        Case("killed-in-run", user="FROM configs AS final\nRUN kill -9 $$\n"),
        Case("killed-buildah", user="FROM configs AS final\nRUN kill -9 $(busybox pidof buildah)\n"),
        Case("no-space", user="FROM configs AS final\nRUN true\n", megabytes=9),
        Case("no-space-in-run", user="FROM configs AS final\nRUN cat /dev/zero > /filler\n", megabytes=60),
        Case("syntax-unknown-instruction", user="FROM configs AS final\nRUN true\nRNU dnf install -y tcpdump\n"),
        Case("syntax-arguments", user="FROM configs AS final\nCOPY motd\n"),
        Case("syntax-flag", user="FROM configs AS final\nRUN --mout=type=cache,target=/x true\n"),
        Case("stage-not-found", user="FROM configs AS final\nCOPY --from=toolz /a /b\n"),
        Case("base-refused", pull_auth="{}"),
        Case("base-refused-wrong-password", pull_auth=_auth(host, "puller", "wrong")),
        Case("base-not-found", base=f"{host}/lab/rhel-coreos:4.99.0"),
        Case("base-not-found-repository", base=f"{host}/lab/no-such-repository:latest"),
        Case("user-base-not-found", user=f"FROM configs AS final\nCOPY --from={host}/lab/tools:9 /bin/sh /x\n"),
        Case(
            "user-from-not-found",
            user=f"FROM {host}/lab/tools:9 AS tools\nRUN true\nFROM configs AS final\nCOPY --from=tools /x /x\n",
        ),
        Case("registry-unreachable", base="127.0.0.1:9/lab/rhel-coreos:4.20.0"),
        Case("registry-name-unknown", base="registry.invalid/lab/rhel-coreos:4.20.0"),
        Case("http-for-https", base=f"{plain_host}/lab/rhel-coreos:4.20.0", registries=""),
        Case("unknown-ca", base=f"{tls_host}/lab/rhel-coreos:4.20.0", registries=""),
        Case("push-refused", push_auth="{}"),
        Case("push-refused-wrong-password", push_auth=_auth(host, "pusher", "wrong")),
        Case("push-unreachable", tag="127.0.0.1:9/lab/os:layered"),
        Case("push-unknown-ca", tag=f"{tls_host}/lab/os:layered"),
        Case("package-not-found-dnf", user=_NO_PACKAGE, scripted=True),
        Case("package-not-found-rpm-ostree", user=_NO_PACKAGE_RPM_OSTREE, scripted=True),
        Case("repository-none", user=_NO_REPOSITORY, scripted=True),
        Case("repository-forbidden", user=_REPOSITORY_FORBIDDEN, scripted=True),
        Case("secrets-printed", user=_SECRETIVE, scripted=True),
    ]


@dataclass
class Pattern:
    """A build pod of the lab, to be run again with changes."""

    pod: BuildPod
    volumes: t.Mapping[str, t.Mapping[str, str]]
    other_environment: t.Mapping[str, str] = field(default_factory=dict)
    """What another buildah than the machine's needs."""
    container: t.Mapping[str, t.Any] = field(init=False)

    def __post_init__(self) -> None:
        spec = self.pod.object["spec"]
        found = [*spec.get("initContainers", []), *spec["containers"]]
        self.container = next(c for c in found if c["name"] == "image-build")

    @property
    def environment(self) -> dict[str, str]:
        """What the operator sets for the container."""
        return {item["name"]: item.get("value", "") for item in self.container.get("env", [])}


def main() -> None:
    """Record the cases named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--buildah", type=Path, help="a buildah that is not the machine's; not below /tmp or /run")
    parser.add_argument("--folder", default=FOLDER)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    facts = Facts.load(lab_folder(options.lab))
    pattern = _pattern(facts)
    if options.buildah:
        pattern.other_environment = _other_buildah(options.buildah.resolve())
    folder = RECORDINGS / options.folder
    folder.mkdir(exist_ok=True)
    ends = json.loads((folder / "ends.json").read_text()) if (folder / "ends.json").exists() else {}
    with tempfile.TemporaryDirectory(prefix="recording-") as scratch:
        for case in cases(facts, _serve_tls(), _serve_plain_http()):
            if options.cases and case.name not in options.cases:
                continue
            end = _record(pattern, case, facts, Path(scratch))
            ends[case.name] = {"exit_code": end["exit_code"], "scripted": case.scripted}
            print(f"{case.name}: exit {end['exit_code']}, {len(end['log'])} bytes", flush=True)
            (folder / f"{case.name}.log").write_bytes(_without_debug(end["log"]))
            (folder / f"{case.name}.Containerfile").write_text(case.user)
            (folder / "ends.json").write_text(json.dumps(ends, indent=1, sort_keys=True) + "\n")


def _pattern(facts: Facts) -> Pattern:
    """Return the pod of a build that the operator started for us."""
    api = Api(facts.kubeconfigs.admin)
    pool = {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfigPool",
        "metadata": {"name": PATTERN},
        "spec": {
            "machineConfigSelector": {
                "matchExpressions": [
                    {"key": "machineconfiguration.openshift.io/role", "operator": "In", "values": ["worker", PATTERN]}
                ]
            },
            "nodeSelector": {"matchLabels": {f"node-role.kubernetes.io/{PATTERN}": ""}},
        },
    }
    config = {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineOSConfig",
        "metadata": {"name": PATTERN},
        "spec": {
            "machineConfigPool": {"name": PATTERN},
            "imageBuilder": {"imageBuilderType": "Job"},
            "renderedImagePushSpec": f"{facts.registry_host}/lab/{PATTERN}:latest",
            "renderedImagePushSecret": {"name": "push"},
            "containerFile": [{"content": _PATTERN_PART}],
        },
    }
    with contextlib.suppress(ApiError):
        api.create(f"{_API}/machineconfigpools", pool)
    # The pod goes when its build succeeds, so an earlier run's is of no use.
    with contextlib.suppress(ApiError):
        api.delete(f"{_API}/machineosconfigs/{PATTERN}")
        time.sleep(10)
    api.create(f"{_API}/machineosconfigs", config)
    while True:
        for item in api.get(_PODS, labelSelector="job-name")["items"]:
            pod = BuildPod(item)
            if pod.runs and f"build-{PATTERN}-" in pod.name:
                return Pattern(pod, Volumes(api, pod).read())
        time.sleep(0.5)


def _other_buildah(program: Path) -> dict[str, str]:
    """Return the environment for another buildah. It raises limits, which a machine may not allow."""
    limits = {"nofile": resource.getrlimit(resource.RLIMIT_NOFILE), "nproc": resource.getrlimit(resource.RLIMIT_NPROC)}
    ulimits = [f"{name}={soft}:{hard}" for name, (soft, hard) in limits.items()]
    settings = program.with_name("containers.conf")
    settings.write_text(f"[containers]\ndefault_ulimits = {json.dumps(ulimits)}\n")
    return {"PATH": f"{program.parent}:{_PATH}", "CONTAINERS_CONF": str(settings)}


def _record(pattern: Pattern, case: Case, facts: Facts, folder: Path) -> dict[str, t.Any]:
    scratch = folder / case.name
    scratch.mkdir()
    logs = folder / f"{case.name}.logs"
    spec = pattern.container
    environment = {**pattern.environment, "HOSTNAME": pattern.pod.name, **pattern.other_environment}
    if case.tag:
        environment["TAG"] = case.tag
    mounts = [Mount(m["name"], m["mountPath"], m.get("subPath", "")) for m in spec.get("volumeMounts", [])]
    command = [*spec.get("command", []), *spec.get("args", [])]
    container = Container("image-build", command, environment, mounts, str(logs))
    pod = Pod(str(scratch), _changed(pattern.volumes, case, facts), [container])
    containers = _containers_folder(folder / f"{case.name}.containers", case, facts)
    small = f"mount -t tmpfs -o size={case.megabytes}m tmpfs {scratch} && " if case.megabytes else ""
    bind = f"{small}mount --bind {containers} /etc/containers"
    sandbox = subprocess.Popen(
        [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            f"{bind} && exec {sys.executable} -m lab.build_sandbox",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sandbox.stdin is not None
    assert sandbox.stdout is not None
    sandbox.stdin.write(pod.to_line())
    sandbox.stdin.flush()
    end = next(m for m in (json.loads(line) for line in sandbox.stdout) if m["event"] == "exited")
    sandbox.wait(timeout=30)
    shutil.rmtree(scratch, ignore_errors=True)
    return {**end, "log": _as_logs_show(logs / "0.log")}


def _containers_folder(folder: Path, case: Case, facts: Facts) -> Path:
    """Write what stands in for /etc/containers: the machine's, and trust in the lab's registry."""
    shutil.copytree("/etc/containers", folder, dirs_exist_ok=True)
    text = (facts.folder / "registries.conf").read_text() if case.registries is None else case.registries
    (folder / "registries.conf").write_text(text)
    authorities = folder / "certs.d" / facts.registry_host
    authorities.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(facts.ca_cert, authorities / "ca.crt")
    return folder


def _changed(volumes: t.Mapping[str, t.Mapping[str, str]], case: Case, facts: Facts) -> dict[str, dict[str, str]]:
    changed = {name: dict(files) for name, files in volumes.items()}
    for name, files in changed.items():
        for path, content in files.items():
            text = base64.b64decode(content).decode("utf-8", "replace")
            if path == "Containerfile":
                generated = text.replace(_PATTERN_PART, case.user) if _PATTERN_PART in text else ""
                assert generated, "the operator's Containerfile does not hold the user's text"
                generated = generated.replace(facts.base_image, case.base) if case.base else generated
                files[path] = _encode(generated)
            if case.pull_auth and "base" in name and path.endswith("json"):
                files[path] = _encode(case.pull_auth)
            if case.push_auth and "final" in name and path.endswith("json"):
                files[path] = _encode(case.push_auth)
    return changed


def _as_logs_show(log: Path) -> bytes:
    """Return what ``oc logs`` shows of a runtime's log: without its times and streams, long lines put together."""
    shown = b""
    for line in log.read_bytes().splitlines(keepends=True):
        dummy, dummy, whole, text = line.split(b" ", 3)
        shown += text if whole == b"F" else text.rstrip(b"\n")
    return shown


def _without_debug(log: bytes) -> bytes:
    """Leave out what buildah says at level debug, which is half a megabyte, except near the end.

    The last 4096 bytes stay as they were, so that a kubelet's message, the last 2048, can be cut from the file.
    """
    head, tail = log[:-4096], log[-4096:]
    whole, newline, begun = head.rpartition(b"\n")
    kept = b"".join(line for line in (whole + newline).splitlines(keepends=True) if b" level=debug " not in line)
    return kept + begun + tail


class _PlainHttp(socketserver.BaseRequestHandler):
    """Answers TLS as an HTTP server written in Go does."""

    def handle(self) -> None:
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")


def _serve_plain_http() -> str:
    """Serve HTTP without TLS, and return the address."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _PlainHttp)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


def _serve_tls() -> str:
    """Serve TLS with a certificate of an authority that nobody here knows, and return the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


def _auth(host: str, user: str, password: str) -> str:
    return json.dumps({"auths": {host: {"auth": _encode(f"{user}:{password}")}}})


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


if __name__ == "__main__":
    main()
