# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import re
import sys
import zipfile
from pathlib import Path

import pytest

from checks import environment
from checks.environment import ROOT, VERSIONS, ChecksError, make_venv

FILES = sorted((ROOT / "requirements").rglob("*.txt"))
_PINNED = re.compile(r"[a-z0-9._-]+==\S+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+")
_NAME = re.compile(r"[a-z0-9._-]+")
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / "requirements")))


def _requirements(text: str) -> list[str]:
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and not line.lstrip().startswith("#")]


@each_file
def test_every_requirement_is_pinned_with_hashes(file):
    requirements = _requirements(file.read_text(encoding="utf-8"))
    assert requirements
    assert [line for line in requirements if not _PINNED.fullmatch(line)] == []


@pytest.mark.parametrize(
    "line", ["six==1.17.0", "six>=1 --hash=sha256:" + "0" * 64, "-r other.txt", "six==1 ; a == 'b'"]
)
def test_requirement_without_hash_or_exact_version_is_found(line):
    assert not _PINNED.fullmatch(line)


@each_file
def test_source_and_header_name_the_command_that_writes_the_list(file):
    source, name = file.with_suffix(".in"), file.relative_to(ROOT).with_suffix("")
    commands = re.findall(r"^#   (uv pip compile .*)$", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(commands) == 1
    assert "--generate-hashes --only-binary :all:" in commands[0]
    assert f" {name}.in " in commands[0]
    assert commands[0].endswith(f" -o {name}.txt")
    assert file.read_text(encoding="utf-8").splitlines()[1] == f"#    {commands[0]}"


@each_file
def test_list_contains_the_requirements_of_its_source(file):
    listed = {line.split("==")[0] for line in _requirements(file.read_text(encoding="utf-8"))}
    exact = {line.split(" ")[0] for line in _requirements(file.read_text(encoding="utf-8"))}
    for wanted in _requirements(file.with_suffix(".in").read_text(encoding="utf-8")):
        assert wanted in exact if "==" in wanted else _NAME.match(wanted.lower())[0] in listed


def test_every_source_has_a_list():
    assert sorted(source.with_suffix(".txt") for source in (ROOT / "requirements").rglob("*.in")) == FILES


def test_every_entry_of_the_matrix_has_a_list():
    lists = [file.stem for file in FILES if file.parent.name == "matrix"]
    assert sorted(leg["name"] for leg in VERSIONS["matrix"]) == lists


def test_every_version_of_kubernetes_core_has_a_list():
    versions = {leg["kubernetes_core"] for leg in VERSIONS["matrix"]} | {VERSIONS["kubernetes_core"]}
    assert sorted(versions) == [file.stem for file in FILES if file.parent.name == "kubernetes-core"]


def test_every_python_of_modules_has_a_list():
    assert sorted(VERSIONS["modules_python"]) == [file.stem for file in FILES if file.parent.name == "modules"]


@pytest.mark.parametrize("leg", VERSIONS["matrix"], ids=lambda leg: leg["name"])
def test_matrix_and_requirements_name_the_same_python(leg):
    source = (ROOT / f"requirements/matrix/{leg['name']}.in").read_text(encoding="utf-8")
    assert f" --python-version {leg['python']} " in source


def test_package_with_another_hash_is_not_installed(tmp_path, monkeypatch, capfd):
    good, other = _wheel(tmp_path, "good"), _wheel(tmp_path, "other")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    requirements = tmp_path / "requirements.txt"
    digest = hashlib.sha256(good.read_bytes()).hexdigest()

    def installed(text: str) -> list[str]:
        requirements.write_text(text, encoding="utf-8")
        make_venv(tmp_path / "venv", Path(sys.executable).resolve(), [requirements])
        return [file.name for file in tmp_path.glob("venv/lib/*/site-packages/planted_*.py")]

    assert installed(f"good==1 --hash=sha256:{digest}\n") == ["planted_good.py"]
    for wrong in ("other==1\n", f"other==1 --hash=sha256:{digest}\n"):
        with pytest.raises(ChecksError):
            installed(wrong)
        assert "hash" in capfd.readouterr().err.lower()
    assert hashlib.sha256(other.read_bytes()).hexdigest() != digest


def _wheel(folder: Path, name: str) -> Path:
    wheel = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"planted_{name}.py", "")
        archive.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.dist-info/RECORD", "")
    return wheel
