# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import re
import sys
import zipfile
from pathlib import Path

import pytest

from checks import environment
from checks.environment import ROOT, NotPossible, make_venv
from noxfile import MATRIX

FILES = sorted((ROOT / "requirements").rglob("*.txt"))
_PINNED = re.compile(r"[a-z0-9._-]+==\S+( ; [^#]+?)?( --hash=sha256:[0-9a-f]{64})+")
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
def test_a_requirement_without_hash_or_exact_version_is_found(line):
    assert not _PINNED.fullmatch(line)


@each_file
def test_the_source_beside_a_list_names_the_command_that_writes_it_with_hashes(file):
    source, name = file.with_suffix(".in"), file.relative_to(ROOT).with_suffix("")
    commands = re.findall(r"^#   (uv pip compile .*)$", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(commands) == 1
    assert "--generate-hashes --only-binary :all:" in commands[0]
    assert f" {name}.in " in commands[0]
    assert commands[0].endswith(f" -o {name}.txt")


@each_file
def test_a_list_holds_what_its_source_asks_for(file):
    listed = {line.split("==")[0] for line in _requirements(file.read_text(encoding="utf-8"))}
    exact = {line.split(" ")[0] for line in _requirements(file.read_text(encoding="utf-8"))}
    for wanted in _requirements(file.with_suffix(".in").read_text(encoding="utf-8")):
        assert wanted in exact if "==" in wanted else wanted.lower() in listed


def test_every_source_has_its_list():
    assert sorted(source.with_suffix(".txt") for source in (ROOT / "requirements").rglob("*.in")) == FILES


def test_every_leg_of_the_matrix_has_its_list():
    legs = {leg.args[1] for leg in MATRIX}
    assert legs == {file.stem for file in FILES if file.parent.name == "matrix"}
    assert [leg.id for leg in MATRIX] == [leg.args[1] for leg in MATRIX]


def test_a_package_that_differs_from_its_hash_is_not_installed(tmp_path, monkeypatch, capfd):
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
    for refused in ("other==1\n", f"other==1 --hash=sha256:{digest}\n"):
        with pytest.raises(NotPossible):
            installed(refused)
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
