# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the documentation hold where no linter looks?

What a module's options are is compared by ansible-test. Here it is that they are kubernetes.core's, that the variables
of the environment work, and that results and examples are those of the module.
"""

from __future__ import annotations

import importlib
import os
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.imagemode.openshift.plugins.doc_fragments import wait
from ansible_collections.imagemode.openshift.plugins.doc_fragments.auth import ModuleDocFragment
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect, read_settings
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import attempts
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.diagnosis import diagnose
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.deployment import read_status
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import (
    Expected,
    NodeVerdict,
    Verdict,
    summarize,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.progress import Rollout
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.wait_for_rollout import rollout_result
from ansible_collections.imagemode.openshift.plugins.module_utils._options import CONNECTION, WAIT
from ansible_collections.imagemode.openshift.plugins.module_utils._result import (
    build_result,
    config_result,
    failure_result,
    findings_result,
    node_result,
)
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.specification import specification
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import build_pod
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

COLLECTION = Path(__file__).resolve().parents[3]
PACKAGE = "ansible_collections.imagemode.openshift.plugins.modules"
OWN = "imagemode.openshift."
ALL = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("[a-z]*.py"))
WITHOUT_A_CLUSTER = {
    "check_verdicts",
    "evidence_report",
    "node_image_summary",
    "publish_result",
    "show_summary",
    "validate_variables",
}
STEPS = {"build_image", "check_request", "registry_secrets", "roll_out", "verify_pool"}
"""Call other modules, and return what those return."""
MODULES = [module for module in ALL if module not in WITHOUT_A_CLUSTER]
VARIABLE = re.compile(r"variable E\((K8S_AUTH_\w+)\)")
EXAMPLES = {"proxy": ("http://proxy:3128", "http://proxy:3128")}
"""Of options that have to be more than of their type."""
EXAMPLES_OF_TYPE: dict[str, tuple[str, t.Any]] = {
    "str": ("https://text.example.com", "https://text.example.com"),
    "raw": ("/one", "/one"),
    "path": ("/one", "/one"),
    "bool": ("no", False),
    "list": ("one,two", ["one", "two"]),
    "dict": ("one", "one"),
}
"""Type of an option -> a text of the environment and the value that it stands for; of a dict, one of its entries."""

Tree = dict[str, t.Any]


def documented(module: str, block: str) -> t.Any:
    return yaml.safe_load(getattr(importlib.import_module(f"{PACKAGE}.{module}"), block))


def connection_options() -> Tree:
    return t.cast(Tree, yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"])


def wait_options() -> Tree:
    return t.cast(Tree, yaml.safe_load(wait.ModuleDocFragment.DOCUMENTATION)["options"])


def meaning(spec: t.Mapping[str, t.Any]) -> Tree:
    """An argument spec without what may be written in two ways."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "aliases": sorted(option.get("aliases", [])),
            "no_log": option.get("no_log", False),
            "required": option.get("required", False),
            "default": option.get("default"),
            "choices": option.get("choices"),
            "options": meaning(option.get("options", {})),
        }
        for name, option in spec.items()
    }


def as_documented(spec: t.Mapping[str, t.Any]) -> Tree:
    """What documentation says of an argument spec."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "aliases": sorted(option.get("aliases", [])),
            "options": as_documented(option.get("options") or option.get("suboptions") or {}),
        }
        for name, option in spec.items()
    }


def variables(options: Tree, prefix: tuple[str, ...] = ()) -> t.Iterator[tuple[tuple[str, ...], str]]:
    """Each option, by its way, with the variable that its description names."""
    for name, option in options.items():
        for variable in VARIABLE.findall(" ".join(option["description"])):
            yield (*prefix, name), variable
        yield from variables(option.get("suboptions") or {}, (*prefix, name))


def connection(options: Tree) -> tuple[Tree, str, list[str]]:
    """How the API server is reached with these options and the environment, and as whom."""
    of_account = {name: value for name, value in options.items() if name.startswith("impersonate_")}
    made = connect({"host": "https://api.example.com", "api_key": "key", **of_account})
    return read_settings(options, os.environ), made.impersonate_user, list(made.impersonate_groups)


def leaves(results: Tree, way: str = "") -> t.Iterator[tuple[str, Tree]]:
    for name, described in results.items():
        yield f"{way}{name}", described
        yield from leaves(described.get("contains") or {}, f"{way}{name}.")


def ways(value: t.Any, way: str = "") -> set[str]:
    """The name of every entry of a result, by its way; all entries of a list are alike."""
    if isinstance(value, list):
        return ways(value[0], way)
    if not isinstance(value, dict):
        return set()
    return {f"{way}{name}" for name in value}.union(*(ways(value[name], f"{way}{name}.") for name in value))


def tasks(entries: list[Tree]) -> t.Iterator[Tree]:
    for entry in entries:
        yield entry
        for part in ("block", "rescue", "always"):
            yield from tasks(entry.get(part) or [])


def test_the_connection_options_are_those_of_kubernetes_core() -> None:
    ours, theirs = meaning(CONNECTION), meaning(AUTH_ARG_SPEC)
    # A deviation: the name of the certificate can be given without a kubeconfig.
    assert ours.pop("tls_server_name")["type"] == "str"
    # Whether a kubeconfig is hidden whole differs from release to release of theirs; ours hides the secrets in it.
    for options in (ours, theirs):
        del options["kubeconfig"]["no_log"]
    assert ours == theirs


def test_the_documented_connection_options_are_those_that_modules_take() -> None:
    assert as_documented(connection_options()) == as_documented(CONNECTION)


def test_documented_options_of_waits_are_those_of_their_argument_spec() -> None:
    assert meaning(wait_options()) == meaning(WAIT)


def test_a_plugin_takes_the_same_connection_options_from_the_same_variables() -> None:
    options = yaml.safe_load(ModuleDocFragment.PLUGINS)["options"]

    assert as_documented(options) == as_documented(CONNECTION)
    for (name, *entry), variable in variables(connection_options()):
        assert entry or variable in [env["name"] for env in options[name]["env"]]
    in_ini = {name for name, option in options.items() if "ini" in option}
    assert {name for name, option in CONNECTION.items() if option.get("no_log")} & in_ini == set()


def test_every_connection_option_names_the_variable_that_takes_its_place() -> None:
    named = {way[0] for way, dummy in variables(connection_options())}

    assert named == set(CONNECTION)


@pytest.mark.parametrize(("way", "variable"), list(variables(connection_options())), ids=str)
def test_a_documented_variable_takes_the_place_of_its_option(
    way: tuple[str, ...], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("K8S_AUTH_")]:
        monkeypatch.delenv(name)
    text, value = EXAMPLES.get(way[0]) or EXAMPLES_OF_TYPE[CONNECTION[way[0]]["type"]]
    without = connection({})

    by_option = connection({way[0]: value if len(way) == 1 else {way[1]: value}})
    monkeypatch.setenv(variable, text)

    assert connection({}) == by_option != without


@pytest.mark.parametrize("module", MODULES)
def test_every_module_takes_the_connection_options_and_the_defaults_of_the_group(module: str) -> None:
    groups = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]

    fragments = documented(module, "DOCUMENTATION")["extends_documentation_fragment"]

    of_waits = ["imagemode.openshift.wait"] if module.endswith("_wait") else []
    assert fragments == ["imagemode.openshift.auth", "imagemode.openshift.attributes", *of_waits]
    assert module in groups["image_mode"]


@pytest.mark.parametrize("module", ALL)
def test_every_result_is_documented_down_to_its_leaves(module: str) -> None:
    results = dict(leaves(documented(module, "RETURN")))

    vague = [
        way
        for way, described in results.items()
        if not {"description", "returned", "type"} <= set(described)
        or ("sample" not in described and "contains" not in described)
    ]

    assert module in WITHOUT_A_CLUSTER | STEPS or {"schema_version", "cluster.api_url"} <= set(results)
    assert vague == []


@pytest.mark.parametrize("module", ALL)
def test_an_example_uses_options_that_its_module_takes(module: str) -> None:
    shared = {} if module in WITHOUT_A_CLUSTER else connection_options()
    of_waits = wait_options() if module.endswith("_wait") else {}
    options = {**shared, **of_waits, **documented(module, "DOCUMENTATION")["options"]}
    taken = {name for option, spec in options.items() for name in (option, *spec.get("aliases", []))}

    examples = [task[OWN + module] for task in tasks(documented(module, "EXAMPLES")) if OWN + module in task]

    assert len(examples) > 1
    assert [name for example in examples for name in example if name not in taken] == []


CONFIG = {"metadata": {"name": "layered"}, "spec": {"machineConfigPool": {"name": "layered"}}}
FINDING = Finding(FindingId.NODE_IMAGE_STAGED, ObjectRef("Node", "worker-0"), "another image is booted")
NODE = NodeState.from_api({"metadata": {"name": "worker-0"}})
BOOTED = read_status('{"deployments": [{"booted": true}]}').booted
BUILD = build_result(
    MachineOSBuild.from_api({"metadata": {"name": "layered-1"}}),
    attempts=attempts([build_pod()]),
    log_paths=["/logs/a.log"],
    failure=failure_result(diagnose("")),
)
VERDICT = NodeVerdict("worker-0", Verdict.MISMATCH, (FINDING,), BOOTED)


@pytest.mark.parametrize(
    ("module", "result", "value"),
    [
        ("machineosbuild_wait", "build", BUILD),
        ("machineosbuild_wait", "findings", findings_result([FINDING])),
        ("machineosbuild_wait", "machineosconfig", config_result(CONFIG)),
        ("machineosconfig", "machineosconfig", config_result(CONFIG)),
        ("machineconfigpool_wait", "findings", findings_result([FINDING])),
        ("machineconfigpool_wait", "rollout", rollout_result(Rollout({}, (), ""))),
        ("node_image_verify", "nodes", [node_result(NODE, "layered", Expected("", "", "option"), VERDICT, "")]),
        ("node_image_verify", "summary", summarize([])),
    ],
)
def test_a_result_is_what_its_documentation_says(module: str, result: str, value: t.Any) -> None:
    described = documented(module, "RETURN")[result]

    assert ways(value) == {way for way, dummy in leaves(described["contains"])}


# Guides ---------------------------------------------------------------------------------------------------------------

PAGES = sorted((COLLECTION / "docs/docsite/rst").glob("*.rst"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_names_findings_that_exist(page):
    named = set(re.findall(r"``((?:build|cluster|node|pool)\.(?!yml\b)[a-z_]+)``", page.read_text(encoding="utf-8")))
    assert named - {finding.value for finding in FindingId} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_names_variables_that_exist(page):
    named = set(re.findall(r"\bimage_mode_[a-z_]+\b", page.read_text(encoding="utf-8")))
    assert named - {"image_mode_result"} - {variable.name for variable in specification().variables} == set()
