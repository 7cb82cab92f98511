# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import process_identity
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.scratch_folder import scratch_folder


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """What is the system's folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def name_of(process: subprocess.Popen[bytes] | None = None, machine: str = "") -> str:
    """Return the name of a folder, of this process unless it is said of which."""
    with scratch_folder() as folder:
        prefix, own, number, started, dummy = folder.name.split("-", 4)
    if process:
        number, started = str(process.pid), process_identity._started(process.pid)
    return "-".join([prefix, machine or own, number, started, "x"])


def of_a_killed_run(**more: t.Any) -> str:
    with subprocess.Popen(["sleep", "600"]) as process:
        name = name_of(process, **more)
        process.kill()
    return name


def swept(parent: Path) -> list[str]:
    """Return what is left after a run."""
    with scratch_folder() as folder:
        assert folder.parent == parent
    return sorted(os.listdir(parent))


def test_a_folder_is_for_this_user_alone_and_gone_afterwards(temporary):
    with scratch_folder() as folder:
        assert (folder.parent, folder.stat().st_mode & 0o777) == (temporary, 0o700)
        (folder / "cache").write_text("x", encoding="utf-8")
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next(temporary):
    folder = temporary / of_a_killed_run()
    folder.mkdir(mode=0o700)
    (folder / "cache").mkdir()
    (folder / "cache" / "file").write_text("x", encoding="utf-8")
    assert swept(temporary) == []


def test_the_folder_of_a_run_that_goes_on_stays(temporary):
    with subprocess.Popen(["sleep", "600"]) as process:
        folder = temporary / name_of(process)
        folder.mkdir(mode=0o700)
        assert swept(temporary) == [folder.name]
        process.kill()


def test_what_others_can_enter_is_not_removed(temporary):
    folder = temporary / of_a_killed_run()
    folder.mkdir()
    folder.chmod(0o755)
    assert swept(temporary) == [folder.name]


def test_what_another_user_made_is_not_removed(temporary, monkeypatch):
    folder = temporary / of_a_killed_run()
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert swept(temporary) == [folder.name]


def test_a_link_with_the_name_of_a_folder_leads_nowhere(temporary, tmp_path_factory):
    precious = tmp_path_factory.mktemp("precious")
    precious.chmod(0o700)
    (precious / "file").write_text("x", encoding="utf-8")
    link = temporary / of_a_killed_run()
    link.symlink_to(precious)
    assert swept(temporary) == [link.name]
    assert (precious / "file").exists()


def test_a_link_in_a_folder_is_removed_and_not_what_it_leads_to(temporary, tmp_path_factory):
    precious = tmp_path_factory.mktemp("precious")
    (precious / "file").write_text("x", encoding="utf-8")
    folder = temporary / of_a_killed_run()
    folder.mkdir(mode=0o700)
    (folder / "link").symlink_to(precious)
    assert swept(temporary) == []
    assert (precious / "file").exists()


@pytest.mark.parametrize("kind", ["a file", "of another machine", "of another program", "of no process"])
def test_whatever_else_there_is_stays(kind, temporary):
    killed = of_a_killed_run(machine="0" * 16 if kind == "of another machine" else "")
    others = {"of another program": f"x{killed}", "of no process": f"imagemode-{'0' * 16}-1-x"}
    found = temporary / others.get(kind, killed)
    if kind == "a file":
        found.write_text("x", encoding="utf-8")
        found.chmod(0o700)
    else:
        found.mkdir(mode=0o700)
    assert swept(temporary) == [found.name]


A_RUN = """
import sys, time
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
user = {"client-certificate-data": "Y2VydGlmaWNhdGU=", "client-key-data": "a2V5IG9mIGEgY2xpZW50"}
made = connect({"kubeconfig": {
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "https://api.example.com"}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "users": [{"name": "u", "user": user}],
}})
print(open(made.configuration.key_file).read(), flush=True)
if sys.argv[1:]:
    time.sleep(600)
"""


def test_client_keys_that_a_killed_run_left_in_files_are_removed_by_the_next(tmp_path):
    collections = Path(process_identity.__file__).parents[6]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(collections)}
    run = [sys.executable, "-c", A_RUN]
    with subprocess.Popen([*run, "and wait"], env=environment, stdout=subprocess.PIPE) as killed:
        assert killed.stdout
        assert killed.stdout.readline() == b"key of a client\n"
        killed.kill()
        killed.wait(30)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    subprocess.run(run, env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert list(tmp_path.iterdir()) == []
