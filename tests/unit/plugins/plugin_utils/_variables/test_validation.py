# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.problem import Problem
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.secrets import read_secrets
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.specification import specification
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.tags import selects_nothing
from ansible_collections.imagemode.openshift.plugins.plugin_utils._variables.validation import (
    Caller,
    Given,
    first_problem,
)

GOOD: t.Mapping[str, t.Any] = {
    "image_mode_pool": "layered",
    "image_mode_rendered_image_push_spec": "registry.example.com/os/layered:latest",
    "image_mode_rendered_image_push_secret": "os-push",
    "image_mode_containerfile": "FROM configs AS final\n",
}
ENTRY: t.Mapping[str, t.Any] = {"name": "s", "registry": "r", "registry_username": "u"}
APPLY = Caller(playbook="apply")


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def problem_of(caller: Caller, values: t.Mapping[str, t.Any], **environment: str) -> str:
    """Return the problem, which is always one line."""
    problem = first_problem(specification(), caller, Given(values, list(values), read, environment))
    assert "\n" not in problem
    assert not problem or problem.startswith("Could not ")
    return problem


def apply(**values: t.Any) -> str:
    return problem_of(APPLY, {**GOOD, **values}, PASSWORD="correct-horse", EMPTY="")


def test_valid_variables_have_no_problem():
    assert apply() == ""


def test_empty_text_means_not_set():
    names = [variable.name for variable in specification().of_playbook("apply")]
    assert apply(**{name: "" for name in names if name not in GOOD}) == ""


def test_all_missing_variables_are_named_at_once():
    assert problem_of(APPLY, {"image_mode_pool": "layered", "image_mode_rendered_image_push_spec": ""}) == (
        "Could not start playbook apply: image_mode_rendered_image_push_spec, image_mode_rendered_image_push_secret "
        "are not set. Set them in a file (-e @FILE), in the inventory or in the survey."
    )


def test_missing_option_of_a_role_is_named_with_its_playbook_variable():
    assert problem_of(Caller(role="roll_out"), {"roll_out_pool": ""}) == (
        "Could not start role roll_out: roll_out_pool is not set. Set it, or image_mode_pool."
    )


def test_role_names_its_own_option():
    problem = problem_of(Caller(role="roll_out"), {"roll_out_pool": "layered", "roll_out_timeout": "soon"})
    assert problem.startswith("Could not use variable roll_out_timeout: soon is not a number of seconds.")


def test_pool_may_be_missing_where_the_inventory_names_it():
    values = {"verify_nodes_pool": "", "verify_nodes_transport": "connection"}
    assert problem_of(Caller(role="verify_nodes"), values) == ""


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("image_mode_containerfle", "Did you mean image_mode_containerfile?"),
        ("image_mode_zzzzzzzzzzzzzzzzzzzz", "Correct the name, or remove the variable."),
    ],
)
def test_unknown_variable_is_named_with_the_nearest_name(name, remedy):
    assert apply(**{name: 1}) == f"Could not start playbook apply: {name} is not read by any playbook. {remedy}"


@pytest.mark.parametrize("name", ["image_mode_host_root", "image_mode_result", "image_mode_node"])
def test_variable_of_another_playbook_of_the_inventory_or_of_an_earlier_job_is_known(name):
    assert apply(**{name: "x"}) == ""


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        (
            "pool",
            "Layered",
            "Layered is not the name of a Kubernetes object. Use lower case letters, digits",
        ),
        ("pool", ["layered"], "['layered'] is not a string. Use a string"),
        ("create_pool", "perhaps", "perhaps is neither true nor false. Set true or false"),
        ("build_timeout", "soon", "soon is not a number of seconds. Set a whole number, 0 or more"),
        ("build_timeout", -1, "-1 seconds is negative. Set a whole number, 0 or more"),
        ("build_timeout", True, "True is not a number of seconds. Set a whole number, 0 or more"),
        ("progress", "line", "line is not a valid value. Did you mean lines? Set lines or none"),
        ("transport", "ssh", "ssh is not a valid value. Set auto, pod_exec, oc_debug, connection or api"),
        ("fail_on", "mismatch,unknwon", "unknwon is not a valid value. Did you mean unknown? Set mismatch or unknown"),
        ("nodes", {"a": 1}, "{'a': 1} is not a list. Give a list"),
        ("nodes", [["a"]], "entry ['a'] is not a string. Use a list of strings"),
        ("nodes", "worker-0 Worker", "Worker is not the name of a Kubernetes object."),
        ("fail_on_findings", ["node.degraed"], "node.degraed is not the id of a finding. Did you mean node.degraded?"),
        ("max_unavailable", "some", "some is neither a number nor a percentage. Set a number such as 2, or 10%"),
        ("max_unavailable", "0%", "0% allows no node to be updated. Set 1 or more"),
        ("max_build_attempts", "x", "x is not a number of attempts. Set a whole number, 0 or more"),
        ("node_selector", "x", "x is not a dictionary. Give labels as KEY: VALUE"),
        ("expected_image", "registry.example.com/a:1", "registry.example.com/a:1 has no digest"),
        ("allowed_deviations", ["node.nothing"], "node.nothing is not the id of a deviation. Use patterns"),
        (
            "rendered_image_push_spec",
            "registry.example.com/os/layered",
            "registry.example.com/os/layered has no tag. Add one, such as :latest",
        ),
        ("rendered_image_push_spec", "os/layered:1", "os/layered:1 has no registry. Add its host"),
        ("rendered_image_push_spec", f"r.example.com/a@sha256:{'a' * 64}", "has a digest, which the build decides"),
        ("rendered_image_push_spec", "r.example.com/a b:1", "r.example.com/a b:1 is not the name of an image"),
        ("rendered_image_push_spec", "r.example.com/a/b/c:1", "has 2 namespace segments"),
        ("containerfile", "x" * 4097, "the Containerfile has 4097 characters; the limit is 4096"),
        (
            "containerfile",
            "RUN true\n",
            "the Containerfile has no FROM instruction. Start it with FROM configs AS final",
        ),
        ("rendered_image_push_spec", "r.example.com/OS:1", "upper case letters (OS), which registries do not accept"),
        ("containerfile", "", "neither image_mode_containerfile_path nor image_mode_containerfile is set"),
        (
            "containerfile_path",
            "Containerfile",
            "containerfile and image_mode_containerfile_path are both set",
        ),
        ("max_unavailable", 2, "it is for a pool that is created here, and image_mode_create_pool is not true"),
        ("secrets", "{", "it is not a list. Give a list of entries with a name and credentials"),
    ],
)
def test_wrong_value_is_refused_by_the_name_of_its_variable(name, value, problem):
    found = apply(**{f"image_mode_{name}": value})
    assert found.startswith(f"Could not use variable image_mode_{name}: ")
    assert problem in found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("build_timeout", "60"),
        ("create_pool", "true"),
        ("nodes", "worker-0\nworker-1\n"),
        ("fail_on", []),
        ("fail_on", "mismatch"),
        ("node_selector", '{"a": "b"}'),
        ("fail_on_findings", ["fatal", "node.degraded"]),
        ("allowed_deviations", ["kernel-rt*", "node.unlocked"]),
        ("expected_image", f"sha256:{'a' * 64}"),
    ],
)
def test_value_as_a_survey_or_the_command_line_sends_it_is_valid(name, value):
    created = {"image_mode_create_pool": True} if name == "node_selector" else {}
    assert apply(**{**created, f"image_mode_{name}": value}) == ""


def test_containerfile_that_cannot_be_read_is_named(tmp_path):
    def by_path(path: Path) -> str:
        return apply(image_mode_containerfile="", image_mode_containerfile_path=str(path))

    assert f"{tmp_path} is a folder, not a file. Name a file." in by_path(tmp_path)
    assert f"{tmp_path}/no does not exist. Create the file" in by_path(tmp_path / "no")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert f"{tmp_path}/binary is not UTF-8 text" in by_path(tmp_path / "binary")
    (tmp_path / "empty").touch()
    assert "the Containerfile is empty" in by_path(tmp_path / "empty")
    (tmp_path / "Containerfile").write_text("FROM configs AS final\n")
    assert by_path(tmp_path / "Containerfile") == ""


def test_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file is a file, not a folder." in apply(image_mode_report_dir=str(tmp_path / "file"))
    assert apply(image_mode_report_dir=str(tmp_path / "new")) == ""


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("s", "image_mode_secrets[0] is not a dictionary"),
        ({}, "image_mode_secrets[0] has no name"),
        ({**ENTRY, "name": "A"}, "A is not the name of a Kubernetes object"),
        ({**ENTRY, "password": "correct-horse"}, "has the key password, which would be printed"),
        ({**ENTRY, "password_file": "x"}, "unknown key password_file. Use registry_password_file instead"),
        ({**ENTRY, "zzz": "x"}, "has the unknown key zzz. Use only name, registry"),
        ({**ENTRY, "registry": ["r"]}, "registry of image_mode_secrets[0] is not a string"),
        ({"name": "s"}, "needs exactly one of registry_password_file, registry_password_env, dockerconfigjson_file"),
        (
            {**ENTRY, "registry_password_env": "PASSWORD", "registry_password_file": "x"},
            "and has registry_password_file and registry_password_env. Set one of them",
        ),
        ({**ENTRY, "dockerconfigjson_file": "x"}, "registry or registry_username beside dockerconfigjson_file"),
        (
            {"name": "s", "registry_password_env": "PASSWORD"},
            "has a password without registry and registry_username",
        ),
        (
            {**ENTRY, "registry_password_env": "EMPTY"},
            "variable EMPTY of image_mode_secrets[0] (s) is empty",
        ),
        ({**ENTRY, "registry_password_env": "NOT_SET"}, "NOT_SET of image_mode_secrets[0] (s) is not set"),
        (
            {**ENTRY, "registry_password_file": "/"},
            "registry_password_file of image_mode_secrets[0] (s): / is a folder, not a file",
        ),
    ],
)
def test_wrong_secret_is_refused_without_its_value(entry, problem):
    found = apply(image_mode_secrets=[entry])
    assert found.startswith("Could not use variable image_mode_secrets: ")
    assert problem in found
    assert "correct-horse" not in found


def test_two_secrets_cannot_have_the_same_name():
    entry = {**ENTRY, "registry_password_env": "PASSWORD"}
    assert "two entries have the name s" in apply(image_mode_secrets=[entry, entry])


def test_credentials_are_read_from_file_and_environment(tmp_path):
    (tmp_path / "password").write_text(" blank counts \r\n")
    (tmp_path / "config.json").write_text('{"auths": {}}\n')
    secrets = [
        {**ENTRY, "registry_password_file": str(tmp_path / "password"), "dockerconfigjson_file": ""},
        {**ENTRY, "name": "t", "registry_password_env": "PASSWORD"},
        {"name": "u", "dockerconfigjson_file": str(tmp_path / "config.json")},
    ]
    account = {"registry": "r", "registry_username": "u"}
    assert read_secrets(secrets, "secrets", read, {"PASSWORD": "p"}) == [
        {"name": "s", **account, "registry_password": " blank counts "},
        {"name": "t", **account, "registry_password": "p"},
        {"name": "u", "dockerconfigjson": '{"auths": {}}'},
    ]


def test_secrets_of_a_survey_are_a_text_in_yaml():
    text = "- {name: s, registry: r, registry_username: u, registry_password_env: PASSWORD}"
    assert [secret["name"] for secret in read_secrets(text, "secrets", read, {"PASSWORD": "p"})] == ["s"]


def test_empty_file_of_credentials_is_refused(tmp_path):
    (tmp_path / "password").write_text("\n")
    with pytest.raises(Problem, match="the file is empty"):
        read_secrets([{**ENTRY, "registry_password_file": str(tmp_path / "password")}], "secrets", read, {})


def test_file_that_the_vault_password_does_not_open_is_named(tmp_path):
    def locked(dummy_path: str) -> bytes:
        raise ValueError

    (tmp_path / "password").write_text("$ANSIBLE_VAULT;1.1;AES256\n")
    with pytest.raises(Problem, match="cannot be decrypted"):
        read_secrets([{**ENTRY, "registry_password_file": str(tmp_path / "password")}], "secrets", locked, {})


@pytest.mark.parametrize(
    ("tags", "requested", "nothing"),
    [
        (["always"], ["all"], False),
        (["always"], ["deploy"], True),
        (["always", "deploy"], ["deploy"], False),
        (["always", "deploy"], ["tagged"], False),
        (["always"], ["tagged"], True),
        (["always"], ["untagged"], False),
        (["always", "deploy"], ["untagged"], True),
    ],
)
def test_tags_that_select_no_task_are_recognized(tags, requested, nothing):
    assert selects_nothing(tags, requested) is nothing


@pytest.mark.parametrize(
    ("tags", "requested", "skipped", "nothing"),
    [
        (["always"], ["all"], ["all"], True),
        (["always"], ["all"], ["untagged"], True),
        (["always"], ["all"], ["deploy"], False),
        (["always", "os"], ["all"], ["os"], True),
        (["always", "os"], ["os"], ["deploy"], False),
        (["always", "os"], ["all"], ["tagged"], True),
        (["always", "os"], ["all"], ["untagged"], False),
        (["always", "never"], ["all"], [], True),
        (["always", "never"], ["never"], [], False),
    ],
)
def test_skipped_tags_that_leave_no_task_are_recognized(tags, requested, skipped, nothing):
    assert selects_nothing(tags, requested, skipped) is nothing
