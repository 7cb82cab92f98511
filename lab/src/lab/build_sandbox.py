# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the containers of one build pod; ``python -m lab.build_sandbox`` in mount and process namespaces of its own.

Each container gets the machine's own root, under an overlay that is thrown away, instead of its image: the pod's
volumes are mounted where the pod wants them, and its command runs unchanged. Four programs are laid over the machine's:

``p11-kit``  does nothing: no certificate store is made
``su``       stays who it is: the script it is given still runs
``oc``       hands its call to the build runner, which knows two: create and label a ConfigMap
``buildah``  is the machine's, and not laid over: the build is real

The build runner writes one line of JSON, the pod, and reads lines of JSON: containers that exited, calls of ``oc``.
When its side of the pipe closes, everything here ends.
"""

from __future__ import annotations

import base64
import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lab.container_log import ContainerLog

_REGISTRIES_CONF = "/etc/containers/registries.conf"
_AUTHORITIES = "/etc/containers/certs.d"
_SANDBOX_FOLDER = "run/lab"

_OC = f"""\
#!/bin/bash
printf '%s\\0' "$@" > /{_SANDBOX_FOLDER}/oc.call
{{ read -r code; text="$(cat)"; }} < /{_SANDBOX_FOLDER}/oc.answer
if [[ "$code" == 0 ]]; then echo "$text"; else echo "$text" >&2; fi
exit "$code"
"""
_OVERLAID_PROGRAMS = {
    "usr/bin/p11-kit": "#!/bin/bash\nexit 0\n",
    "usr/bin/su": "#!/bin/bash\nexec /bin/bash\n",
    "usr/bin/oc": _OC,
}
_FOLDERS = ("home/build", "etc/pki/ca-trust/extracted/openssl", "etc/pki/ca-trust/extracted/pem", _SANDBOX_FOLDER)
_MOST_STEPS = 200
# Large and short-lived: on disk, not in memory.
_ON_DISK = ("var/lib/containers", "var/tmp")


@dataclass(frozen=True)
class Mount:
    """A volume in a container; ``sub_path`` names one file or folder of it."""

    volume: str
    path: str
    sub_path: str = ""


@dataclass(frozen=True)
class Container:
    """What to run, and the folder for its log."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[Mount]
    log_folder: str


@dataclass(frozen=True)
class Pod:
    """A pod to run. ``volumes`` hold base64 content by path, and nothing where they start empty.

    ``scratch`` is a folder of the caller's, who removes it afterwards.
    """

    scratch: str
    volumes: Mapping[str, Mapping[str, str]]
    containers: Sequence[Container]

    def to_line(self) -> str:
        """This pod as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Pod:
        """Read what ``to_line`` made."""
        read = json.loads(line)
        containers = [
            Container(**{**container, "mounts": [Mount(**mount) for mount in container["mounts"]]})
            for container in read["containers"]
        ]
        return cls(read["scratch"], read["volumes"], containers)


class Runner:
    """The build runner at the other end of the pipe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[threading.Event, list[dict[str, Any]]]] = {}

    def tell(self, **message: Any) -> None:
        """Send one message."""
        with self._lock:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send one message and wait for its answer."""
        number, arrived, answers = next(self._numbers), threading.Event(), list[dict[str, Any]]()
        self._waiting[number] = (arrived, answers)
        self.tell(number=number, **message)
        arrived.wait()
        return answers[0]

    def listen(self) -> None:
        """Hand answers out; ends the whole sandbox when the build runner is gone."""
        for line in sys.stdin:
            answer = json.loads(line)
            arrived, answers = self._waiting.pop(answer["number"])
            answers.append(answer)
            arrived.set()
        os._exit(1)


def main() -> None:
    """Run the pod that standard input names."""
    pod = Pod.from_line(sys.stdin.readline())
    runner = Runner()
    threading.Thread(target=runner.listen, daemon=True).start()
    scratch = Path(pod.scratch)
    memory = scratch / "memory"
    memory.mkdir(parents=True)
    # An overlay's upper folder must not lie on another overlay; and secrets stay off the disk.
    _mount("-t", "tmpfs", "-o", "mode=0700", "tmpfs", str(memory))
    volumes = memory / "volumes"
    for name, files in pod.volumes.items():
        _write_volume(volumes / name, files)
    running = [
        threading.Thread(
            target=_run, args=(container, memory / container.name, scratch / container.name, volumes, runner)
        )
        for container in pod.containers
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    sys.stdout.flush()
    os._exit(0)


def _write_volume(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(content))


def _run(container: Container, memory: Path, disk: Path, volumes: Path, runner: Runner) -> None:
    started = datetime.now(timezone.utc)
    log = ContainerLog(Path(container.log_folder))
    try:
        root = _make_root(memory, disk)
        for mount in container.mounts:
            _mount_volume(mount, volumes, root)
        threading.Thread(target=_serve_oc, args=(root, runner), daemon=True).start()
        exit_code = _run_command(container, root, log)
        reason = "Completed" if exit_code == 0 else "Error"
    except (OSError, subprocess.SubprocessError) as error:
        words = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        log.write(f"the lab could not start this container: {words}".encode(), "stderr")
        exit_code, reason = 128, "StartError"
    log.end()
    runner.tell(
        event="exited",
        container=container.name,
        exit_code=exit_code,
        reason=reason,
        last_words=log.last_words,
        started=started.isoformat(),
        finished=datetime.now(timezone.utc).isoformat(),
    )


def _make_root(memory: Path, disk: Path) -> Path:
    root, upper, work = memory / "root", memory / "upper", memory / "work"
    for folder in (root, upper, work):
        folder.mkdir(parents=True)
    _mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", "overlay", str(root))
    _mount("-t", "proc", "proc", str(root / "proc"))
    for devices in ("dev", "sys"):
        _mount("--rbind", f"/{devices}", str(root / devices))
    _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(root / "tmp"))
    for path in _ON_DISK:
        (disk / path).mkdir(parents=True)
        _bind(disk / path, root / path)
    for path in _FOLDERS:
        (root / path).mkdir(parents=True, exist_ok=True)
    for path, text in _OVERLAID_PROGRAMS.items():
        # Written beside and renamed: on the machine it may be a link out of the overlay.
        program = root / path
        program.with_suffix(".lab").write_text(text, encoding="utf-8")
        program.with_suffix(".lab").chmod(0o755)
        program.with_suffix(".lab").replace(program)
    for call in ("oc.call", "oc.answer"):
        os.mkfifo(root / _SANDBOX_FOLDER / call)
    # An overlay shows what lies under a mount of the machine, so the files mounted there are mounted again. The pod
    # lays the cluster's registries.conf over the machine's.
    for file in ("/etc/hosts", "/etc/resolv.conf"):
        if Path(file).exists():
            _bind(Path(file), root / file.lstrip("/"))
    shutil.copyfile(_REGISTRIES_CONF, root / _SANDBOX_FOLDER / "registries.conf")
    if Path(_AUTHORITIES).exists():
        shutil.copytree(_AUTHORITIES, root / _AUTHORITIES.lstrip("/"), dirs_exist_ok=True)
    return root


def _mount_volume(mount: Mount, volumes: Path, root: Path) -> None:
    source = volumes / mount.volume / mount.sub_path if mount.sub_path else volumes / mount.volume
    if mount.sub_path and not source.exists():
        # As a kubelet does for a path that an optional volume does not have.
        source.mkdir(parents=True)
    _bind(source, place_in(root, mount.path))


def place_in(root: Path, path: str) -> Path:
    """Where a path of a container lies on this machine: a link on the way, such as /var/run, stays in the root."""
    place, pending = root, _parts(path)
    for _ in range(_MOST_STEPS):
        if not pending:
            return place
        part = pending.pop(0)
        step = place.parent if part == ".." else place / part
        if part == ".." and place == root:
            continue
        if not step.is_symlink():
            place = step
            continue
        target = os.readlink(step)
        place = root if target.startswith("/") else place
        pending = [*_parts(target), *pending]
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _bind(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file():
            target.unlink(missing_ok=True)
            target.touch()
    _mount("--bind", str(source), str(target))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


def _run_command(container: Container, root: Path, log: ContainerLog) -> int:
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        # As the image of buildah sets it.
        "BUILDAH_ISOLATION": "chroot",
        **container.environment,
        "CONTAINERS_REGISTRIES_CONF": f"/{_SANDBOX_FOLDER}/registries.conf",
    }
    process = subprocess.Popen(
        ["chroot", str(root), *container.command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    assert process.stderr is not None  # noqa: S101 - it is a pipe
    pumps = [
        threading.Thread(target=log.copy, args=(process.stdout, "stdout"), daemon=True),
        threading.Thread(target=log.copy, args=(process.stderr, "stderr"), daemon=True),
    ]
    for pump in pumps:
        pump.start()
    code = process.wait()
    for pump in pumps:
        # A process that the command left behind may hold its output open.
        pump.join(timeout=2)
    return code if code >= 0 else 128 - code


def _serve_oc(root: Path, runner: Runner) -> None:
    folder = root / _SANDBOX_FOLDER
    while True:
        argv = (folder / "oc.call").read_bytes().decode("utf-8").split("\0")[:-1]
        try:
            answer = runner.ask(event="oc", **parse_oc(argv, root))
        except ValueError as error:
            answer = {"exit_code": 1, "text": f"error: {error}"}
        (folder / "oc.answer").write_text(f"{answer['exit_code']}\n{answer['text']}\n", encoding="utf-8")


def parse_oc(argv: Sequence[str], root: Path) -> dict[str, Any]:
    """The two calls the shipped script makes; raises ValueError for any other."""
    words, options = _split(argv)
    name = words[2] if len(words) > 2 else ""
    if words[:2] == ["create", "configmap"] and len(words) == 3:
        key, _, path = options.get("from-file", "").partition("=")
        file = root / path.lstrip("/")
        if not path or not file.is_file():
            raise ValueError(f"error reading {path}: no such file or directory")
        data = {key: file.read_text(encoding="utf-8")}
        return {"verb": "create", "name": name, "namespace": options.get("namespace", ""), "data": data}
    if words[:2] == ["label", "configmap"] and len(words) > 3:
        labels = dict(word.split("=", 1) for word in words[3:])
        return {"verb": "label", "name": name, "namespace": options.get("namespace", ""), "data": labels}
    raise ValueError(f"the lab's oc does not know: {' '.join(argv)}")


def _split(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    words: list[str] = []
    options: dict[str, str] = {}
    rest = iter(argv)
    for word in rest:
        if not word.startswith("--"):
            words.append(word)
            continue
        option, equals, value = word[2:].partition("=")
        options[option] = value if equals else next(rest, "")
    return words, options


if __name__ == "__main__":
    main()
