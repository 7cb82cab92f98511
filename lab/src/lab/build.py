# SPDX-License-Identifier: GPL-3.0-or-later
"""Building the control plane's binaries from the pinned Go modules, once.

What is built lies in parts. A part's folder is named after a hash of everything it is built from, so an existing folder
is by definition current, and changing one source builds one part again. A part appears under its name by a rename, when
it is complete: whatever else lies in the cache is the rest of a build that was killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.cache import build_folder, lab_sources, locked
from lab.errors import LabError
from lab.go_toolchain import find_go
from lab.release import API_MODULE, JULY_2025, OPERATOR_MODULE, Release

Say = Callable[[str], None]
HEARTBEAT = 15.0
# Raised when the way the manifests are taken from the modules changes.
_MANIFEST_FORMAT = "2"
_VERSION_PACKAGE = f"{OPERATOR_MODULE}/pkg/version"
_OPERATOR_TAGS = (
    "containers_image_openpgp",
    "exclude_graphdriver_devicemapper",
    "exclude_graphdriver_btrfs",
    "containers_image_ostree_stub",
)
_STAGES = (
    "kustomize/stage/node/fast/node-initialize.yaml",
    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "kustomize/stage/pod/fast/pod-ready.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
)
OPERATOR_NAMESPACE = "openshift-machine-config-operator"


@dataclass(frozen=True)
class GoPart:
    """Binaries that one ``go build`` makes from one module folder."""

    name: str
    module: str
    packages: tuple[str, ...]
    binaries: tuple[str, ...]
    tags: tuple[str, ...] = ()
    link_variables: tuple[tuple[str, str], ...] = ()

    @property
    def flags(self) -> list[str]:
        """The flags of ``go build``."""
        linker = ["-s", "-w", *(word for key, value in self.link_variables for word in ("-X", f"{key}={value}"))]
        tags = ["-tags", " ".join(self.tags)] if self.tags else []
        return [*tags, "-ldflags", " ".join(linker)]

    def key(self, modules: Path) -> str:
        """A hash over everything the binaries are built from."""
        folder = modules / self.module
        sources = [folder / "go.mod", folder / "go.sum"]
        for package in self.packages:
            if package.startswith("."):
                sources += sorted((folder / package).glob("*.go"))
        return _hash([platform.machine(), *self.packages, *self.flags], sources)


@dataclass(frozen=True)
class Build:
    """A finished build: where each binary lies, and the files taken from the modules."""

    binaries: Path
    manifests: Path


def go_parts(release: Release = JULY_2025) -> tuple[GoPart, ...]:
    """Everything a lab of ``release`` runs that is written in Go."""
    kubernetes = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return (
        GoPart("etcd", "etcd", (".",), ("etcd",)),
        GoPart("kubernetes", "control-plane", tuple(f"./cmd/{name}" for name in kubernetes), kubernetes),
        GoPart(
            "operator",
            release.go_folder,
            tuple(f"{OPERATOR_MODULE}/cmd/{name}" for name in release.operator_programs),
            release.operator_programs,
            _OPERATOR_TAGS,
            ((f"{_VERSION_PACKAGE}.Raw", release.version), (f"{_VERSION_PACKAGE}.Hash", release.commit)),
        ),
        GoPart("kubelet-front", "control-plane", ("./cmd/kubelet-front",), ("kubelet-front",)),
        GoPart("fault-proxy", "control-plane", ("./cmd/fault-proxy",), ("fault-proxy",)),
        GoPart("kwok", "kwok", ("sigs.k8s.io/kwok/cmd/kwok",), ("kwok",)),
        GoPart("registry", "registry", ("github.com/distribution/distribution/v3/cmd/registry",), ("registry",)),
    )


OC = GoPart("oc", "oc", ("github.com/openshift/oc/cmd/oc",), ("oc",), ("containers_image_openpgp",))
"""The client of OpenShift. No lab runs it, so it is only built when somebody asks for it."""


def build_oc(say: Say) -> Path:
    """Make sure that ``oc`` is built, and return it. Safe when two run at once. Raises LabError as ``build()`` does."""
    modules = lab_sources() / "go"
    cache = build_folder()
    folder = cache / f"{OC.name}-{OC.key(modules)}"
    if not folder.is_dir():
        with locked(cache / "build.lock", "another build is running; waiting for it", say):
            if not folder.is_dir():
                go = find_go()
                _remove_unfinished(cache)
                _build_part(go, OC, modules, folder, say)
    return folder / "oc"


def build(say: Say, release: Release = JULY_2025) -> Build:
    """Make sure everything is built, and say what is being built and how long it took.

    Safe when two run at once: the second waits. Raises LabError when Go is missing or a build fails.
    """
    modules = lab_sources() / "go"
    cache = build_folder()
    parts = go_parts(release)
    folders = {part: cache / f"{part.name}-{part.key(modules)}" for part in parts}
    manifests = cache / f"manifests-{_manifests_key(modules, release)}"
    whole = cache / f"bin-{_hash([folder.name for folder in folders.values()], [])}"
    if all(folder.is_dir() for folder in (*folders.values(), manifests, whole)):
        return Build(whole, manifests)

    with locked(cache / "build.lock", "another build is running; waiting for it", say):
        missing = [part for part in parts if not folders[part].is_dir()]
        if missing or not manifests.is_dir():
            go = find_go()
            began = time.monotonic()
            _remove_unfinished(cache)
            if missing:
                names = ", ".join(part.name for part in missing)
                say(f"building {names} from the pinned Go modules; once, about 10 minutes when nothing is cached")
            for part in missing:
                _build_part(go, part, modules, folders[part], say)
            if not manifests.is_dir():
                _copy_manifests(go, modules, release, manifests)
            say(f"built in {time.monotonic() - began:.0f} s into {cache}")
        if not whole.is_dir():
            _link_binaries(folders, whole)
    return Build(whole, manifests)


def _build_part(go: Path, part: GoPart, modules: Path, folder: Path, say: Say) -> None:
    began = time.monotonic()
    unfinished = _unfinished(folder)
    unfinished.mkdir(parents=True)
    command = [str(go), "build", "-v", *part.flags, "-o", f"{unfinished}/", *part.packages]
    say(f"building {part.name} ...")
    with subprocess.Popen(
        command,
        cwd=modules / part.module,
        env=_go_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        output = _follow(process, part.name, say)
    if process.returncode:
        shutil.rmtree(unfinished)
        raise LabError(
            f"Could not build {part.name}: go ended with {process.returncode}.\n"
            + "\n".join(output[-15:])
            + "\nCheck the network to the Go module proxy, or the source, then run 'lab build' again."
        )
    os.replace(unfinished, folder)
    say(f"built {part.name} in {time.monotonic() - began:.0f} s")


def _follow(process: subprocess.Popen[str], name: str, say: Say) -> list[str]:
    """Read what ``go build -v`` prints (a line a package or download) and give a sign of life now and then."""
    lines: list[str] = []
    done = threading.Event()
    began = time.monotonic()

    def report() -> None:
        while not done.wait(HEARTBEAT):
            downloads = sum(line.startswith("go: downloading") for line in lines)
            compiled = len(lines) - downloads
            say(
                f"  {name}: {time.monotonic() - began:.0f} s, {downloads} modules downloaded, "
                f"{compiled} packages compiled"
            )

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    for line in process.stderr or ():
        lines.append(line.rstrip("\n"))
    process.wait()
    done.set()
    reporter.join()
    return lines


def _go_environment() -> dict[str, str]:
    # Every module is fixed by the committed go.sum; the checksum database adds nothing and cannot always be reached.
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GONOSUMDB": "*", "GOTOOLCHAIN": "local"}
    return {**os.environ, **settings, "GOWORK": "off"}


def _manifests_key(modules: Path, release: Release) -> str:
    folders = sorted({release.go_folder, _api_folder(release), "kwok"})
    sources = [modules / folder / name for folder in folders for name in ("go.mod", "go.sum")]
    return _hash([_MANIFEST_FORMAT, repr(release), *_STAGES], sources)


def _api_folder(release: Release) -> str:
    return release.api_folder or release.go_folder


def _copy_manifests(go: Path, modules: Path, release: Release, folder: Path) -> None:
    """Take what the lab applies from the module folders, as JSON where it is only sent to the API (quick to read)."""
    operator = _module_folder(go, modules / release.go_folder, OPERATOR_MODULE)
    api = _module_folder(go, modules / _api_folder(release), API_MODULE)
    kwok = _module_folder(go, modules / "kwok", "sigs.k8s.io/kwok")
    unfinished = _unfinished(folder)
    unfinished.mkdir(parents=True)
    _write_json(unfinished / "crds.json", [item for name in release.crds for item in _documents(api / name)])
    gate = _documents(api / release.feature_gate)[0]
    _write_json(unfinished / "feature-gate.json", with_gates(gate, release.also_enabled))
    _write_json(
        unfinished / "operator.json",
        [item for name in release.operator_manifests for item in _documents(operator / name)],
    )
    stages = [item for name in _STAGES for item in _documents(kwok / name)]
    _write_json(unfinished / "stages.json", stages)
    # The module cache is read-only; a copy that cannot be removed would be a nuisance.
    shutil.copytree(operator / "templates", unfinished / "templates", copy_function=shutil.copyfile)
    for path in (unfinished, *unfinished.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    os.replace(unfinished, folder)


def with_gates(gate: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """A FeatureGate with these gates moved from the disabled to the enabled ones, for each version its status names."""
    status = gate.get("status") or {}
    versions = [
        {
            **version,
            "enabled": [*version["enabled"], *(item for item in version["disabled"] if item["name"] in names)],
            "disabled": [item for item in version["disabled"] if item["name"] not in names],
        }
        for version in status.get("featureGates", [])
    ]
    return {**gate, "status": {**status, "featureGates": versions}} if versions else gate


def _documents(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8").replace("{{.TargetNamespace}}", OPERATOR_NAMESPACE)
    return [document for document in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if document]


def _module_folder(go: Path, folder: Path, module: str) -> Path:
    found = _downloaded_folder(go, folder, module)
    if found is None:
        # Nothing was built from it, so nothing has downloaded it.
        _go(go, folder, module, "mod", "download", module)
        found = _downloaded_folder(go, folder, module)
    if found is None:
        raise LabError(f"Could not find Go module {module}: it was not downloaded. Run 'lab build' again.")
    return found


def _downloaded_folder(go: Path, folder: Path, module: str) -> Path | None:
    listed = json.loads(_go(go, folder, module, "list", "-m", "-json", module))
    place = (listed.get("Replace") or listed).get("Dir")
    return Path(place) if place else None


def _go(go: Path, folder: Path, module: str, *arguments: str) -> str:
    command = [str(go), *arguments]
    answer = subprocess.run(command, cwd=folder, env=_go_environment(), capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LabError(f"Could not find Go module {module}: {answer.stderr.strip()}. Run 'lab build' again.")
    return answer.stdout


def _link_binaries(folders: dict[GoPart, Path], whole: Path) -> None:
    unfinished = _unfinished(whole)
    unfinished.mkdir()
    for part, folder in folders.items():
        for name in part.binaries:
            (unfinished / name).symlink_to(Path("..") / folder.name / name)
    os.replace(unfinished, whole)


def _unfinished(folder: Path) -> Path:
    return folder.with_name(f"unfinished-{folder.name}")


def _remove_unfinished(cache: Path) -> None:
    for left in cache.glob("unfinished-*"):
        shutil.rmtree(left)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, default=str), encoding="utf-8")


def _hash(words: list[str], files: list[Path]) -> str:
    digest = hashlib.sha256()
    for word in words:
        digest.update(word.encode() + b"\0")
    for path in files:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
