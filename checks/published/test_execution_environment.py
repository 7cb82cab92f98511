# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions of execution and decision environments, read by ansible-builder, and what they install."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from checks.commands import Setting
from checks.environment import CACHE, ROOT, find_interpreter_for_environment, make_venv

FOLDER = ROOT / "extensions/execution_environment"
DEFINITIONS = sorted(file.name for file in FOLDER.glob("*-environment*.yml"))
# The programs of this environment run test_run.py as well.
LIST = ROOT / "requirements/execution-environment.in"


def definition(name):
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def requirements_in(text):
    return sorted(line for line in text.splitlines() if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def build(setting, installed, tmp_path_factory):
    """Return a function that runs ansible-builder."""
    venv = CACHE / "builder"
    make_venv(venv, find_interpreter_for_environment(), [ROOT / "requirements/builder.txt"])
    folder = tmp_path_factory.mktemp("builder")

    def run(*arguments):
        ended = Setting(installed, venv).output("ansible-builder", *arguments, folder=folder)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    return run


@pytest.fixture(scope="module")
def contexts(build, tmp_path_factory):
    """Make the build context of each definition; return their folders."""
    folder = tmp_path_factory.mktemp("contexts")
    for name in DEFINITIONS:
        # The default name of the file follows the programs of this machine.
        names = ("--output-filename", "Containerfile", "--file", FOLDER / name, "--context", folder / name)
        build("create", *names)
    return {name: folder / name for name in DEFINITIONS}


@pytest.fixture(scope="module")
def metadata(build, installed):
    """Return what the builder finds in the metadata of the installed collections."""
    return introspected(build, installed)


def introspected(build, installed, *options):
    """Return what the builder finds in the metadata of the installed collections: requirement -> collections."""
    text = build("introspect", *options, installed.root)
    content = yaml.safe_load(text[text.index("---\n") :])
    found = {}
    for kind in ("python", "system"):
        for line in content.get(kind) or ():
            requirement, dummy, collection = line.partition("  # from collection ")
            found.setdefault(kind, {}).setdefault(requirement.strip(), set()).add(collection)
    return found


def test_builder_finds_the_requirements_of_this_collection(metadata):
    ours = {kind: {r for r, owners in metadata[kind].items() if "imagemode.openshift" in owners} for kind in metadata}
    assert ours == {
        "python": {"kubernetes>=24.2.0,!=36.0.0,!=36.0.1", "websocket-client>=1.0.0"},
        "system": {"openssh-client [platform:dpkg]", "openssh-clients [platform:rpm]"},
    }


@pytest.mark.parametrize("name", DEFINITIONS)
def test_builder_accepts_each_definition(contexts, name):
    context = contexts[name]
    containerfile = (context / "Containerfile").read_text(encoding="utf-8")
    assert definition(name)["images"]["base_image"]["name"] in containerfile
    assert definition(name)["dependencies"]["ansible_core"]["package_pip"] in containerfile
    collections = yaml.safe_load((context / "_build/requirements.yml").read_text(encoding="utf-8"))["collections"]
    assert [collection["name"] for collection in collections] == ["imagemode.openshift"]


def test_images_install_no_client_from_a_package(contexts, build, installed):
    excluded = [context / "_build/exclude-bindep.txt" for context in contexts.values()]
    assert len({file.read_text(encoding="utf-8") for file in excluded}) == 1
    system = introspected(build, installed, "--exclude-bindep-reqs", excluded[0])["system"]
    assert set(system) == {"openssh-client [platform:dpkg]", "openssh-clients [platform:rpm]"}


def test_definition_with_oc_is_the_plain_one_and_a_copy_of_oc(contexts):
    plain, with_oc = definition("execution-environment.yml"), definition("execution-environment-oc.yml")
    steps = with_oc.pop("additional_build_steps")
    assert with_oc == plain
    containerfile = (contexts["execution-environment-oc.yml"] / "Containerfile").read_text(encoding="utf-8")
    last_stage = containerfile.split("\nFROM ")[-1]
    assert all(step in last_stage for step in steps["append_final"])
    assert re.search(r"^COPY --from=\S+ /usr/bin/oc /usr/bin/oc$", last_stage, flags=re.MULTILINE)


def test_decision_environment_has_ansible_rulebook_and_java(contexts):
    context = contexts["decision-environment.yml"]
    assert "ansible-rulebook" in (context / "_build/requirements.txt").read_text(encoding="utf-8")
    assert "java-17-openjdk-headless [platform:rpm]" in (context / "_build/bindep.txt").read_text(encoding="utf-8")
    assert "ENV JAVA_HOME=/usr/lib/jvm/jre-17" in (context / "Containerfile").read_text(encoding="utf-8")


def test_tested_packages_are_those_that_the_definition_installs(metadata):
    own = definition("execution-environment.yml")["dependencies"]
    wanted = {own["ansible_core"]["package_pip"], own["ansible_runner"]["package_pip"]}
    by_name = {}
    for requirement in metadata["python"]:
        by_name.setdefault(re.split(r"[<>=!]", requirement)[0], []).append(requirement)
    # Two collections may require the same package. The longer requirement contains the shorter one.
    wanted |= {max(requirements, key=len) for requirements in by_name.values()}
    assert requirements_in(LIST.read_text(encoding="utf-8")) == sorted(wanted)


def test_collection_runs_under_ansible_runner(setting, run_installed, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    playbook = [{"import_playbook": "imagemode.openshift.verify", "vars": {"image_mode_pool": "Not a pool"}}]
    (project / "verify.yml").write_text(json.dumps(playbook), encoding="utf-8")
    ended = run_installed(
        setting.programs / "ansible-runner", "run", tmp_path, "--playbook", "verify.yml", "--ident", "job"
    )
    artifacts = tmp_path / "artifacts/job"
    assert (artifacts / "status").read_text(encoding="utf-8") == "failed", ended.stdout
    events = [json.loads(file.read_text(encoding="utf-8")) for file in (artifacts / "job_events").glob("*.json")]
    stats = [event for event in events if event["event"] == "playbook_on_stats"]
    ((entry,),) = [event["event_data"]["artifact_data"]["image_mode_result"] for event in stats]
    assert "image_mode_pool" in entry["failure"]
