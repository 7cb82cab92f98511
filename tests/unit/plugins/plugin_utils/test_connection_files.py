# SPDX-License-Identifier: GPL-3.0-or-later
"""Relative paths of kubeconfigs and certificates."""

from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._connection_files import (
    absolute_arguments,
    absolute_environment,
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The folder in which ansible-playbook was started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["kubeconfig", "ca_cert", "ssl_ca_cert", "client_cert", "client_key"])
def test_relative_path_of_an_option_starts_where_ansible_was_started(here, name):
    assert absolute_arguments({name: "sub/file", "pool": "sub/file"}, "/playbooks") == {
        name: f"{here}/sub/file",
        "pool": "sub/file",
    }


@pytest.mark.parametrize("value", ["/one", "~/one", "", {"apiVersion": "v1"}, None])
def test_other_values_of_an_option_are_kept(value):
    assert absolute_arguments({"kubeconfig": value}, "/playbooks") == {"kubeconfig": value}


def test_file_beside_the_playbook_is_found_if_there_is_none_here(here):
    folder = here / "playbooks"
    folder.mkdir()
    (folder / "ca.crt").touch()
    assert absolute_arguments({"ca_cert": "ca.crt"}, str(folder)) == {"ca_cert": f"{folder}/ca.crt"}
    (here / "ca.crt").touch()
    assert absolute_arguments({"ca_cert": "ca.crt"}, str(folder)) == {"ca_cert": f"{here}/ca.crt"}


def test_only_relative_paths_of_the_environment_are_changed(here):
    environment = {
        "KUBECONFIG": "one:/two:three",
        "K8S_AUTH_KUBECONFIG": "/absolute",
        "K8S_AUTH_SSL_CA_CERT": "../ca.crt",
        "K8S_AUTH_HOST": "relative",
        "PATH": "relative",
    }
    assert absolute_environment(environment) == {
        "KUBECONFIG": f"{here}/one:/two:{here}/three",
        "K8S_AUTH_SSL_CA_CERT": str(here.parent / "ca.crt"),
    }
