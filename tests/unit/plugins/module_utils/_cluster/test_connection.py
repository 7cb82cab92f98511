# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import os
import typing as t
from pathlib import Path

import kubernetes
import pytest
import yaml
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import connection as connections
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect, read_settings
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import Refused
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as core

HOST = {"host": "https://api.example.com:6443", "api_key": "sha256~token"}


class Module:
    """What kubernetes.core reads of a module: all its options, those that are not given as None."""

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self.params = options


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch, tmp_path):
    """No variable, kubeconfig or surrounding cluster of the machine, and no configuration left by another test."""
    for name in list(os.environ):
        if name.startswith(("K8S_AUTH_", "KUBE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(
        kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "no-kubeconfig"), raising=True
    )
    kubernetes.client.Configuration.set_default(None)
    yield
    kubernetes.client.Configuration.set_default(None)


def kubeconfig() -> dict[str, t.Any]:
    def data(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "token",
        "clusters": [
            {
                "name": "plain",
                "cluster": {
                    "server": "https://one.example.com:6443",
                    "certificate-authority-data": data("authority"),
                    "tls-server-name": "api",
                },
            },
            {
                "name": "open",
                "cluster": {
                    "server": "https://two.example.com:6443",
                    "insecure-skip-tls-verify": True,
                    "proxy-url": "http://proxy:3128",
                },
            },
        ],
        "users": [
            {"name": "token", "user": {"token": "sha256~one"}},
            {"name": "basic", "user": {"username": "admin", "password": "hunter2"}},
            {
                "name": "certificate",
                "user": {"client-certificate-data": data("certificate"), "client-key-data": data("key")},
            },
        ],
        "contexts": [
            {"name": "token", "context": {"cluster": "plain", "user": "token"}},
            {"name": "basic", "context": {"cluster": "open", "user": "basic"}},
            {"name": "certificate", "context": {"cluster": "plain", "user": "certificate"}},
        ],
    }


@pytest.fixture
def kubeconfig_file(tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig()), encoding="utf-8")
    return str(file)


@pytest.fixture
def inside_a_cluster(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("pod-token", encoding="utf-8")
    (tmp_path / "ca.crt").write_text("authority", encoding="utf-8")
    monkeypatch.setattr(kubernetes.config.incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(kubernetes.config.incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "172.30.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")


# The settings are those of kubernetes.core ---------------------------------------------------------------------------

OPTIONS: list[dict[str, t.Any]] = [
    {},
    HOST,
    {**HOST, "host": "https://api.example.com:6443//"},
    {"kubeconfig": "~/.kube/config", "context": "prod"},
    {"kubeconfig": {"apiVersion": "v1", "clusters": []}},
    {**HOST, "validate_certs": False, "ca_cert": "/ca.crt", "client_cert": "/tls.crt", "client_key": "/tls.key"},
    {**HOST, "validate_certs": True, "proxy": "http://proxy:3128", "no_proxy": ".svc,localhost"},
    {"host": "https://api", "username": "admin", "password": "hunter2", "persist_config": True},
    {**HOST, "proxy_headers": {"proxy_basic_auth": "u:p", "basic_auth": None, "user_agent": "x"}},
    {**HOST, "proxy_headers": {}},
    {"api_key": "", "host": "", "validate_certs": None},
]
VARIABLES: list[dict[str, str]] = [
    {},
    {"HOST": "https://env.example.com/", "API_KEY": "env-token"},
    {"KUBECONFIG": "/env/kubeconfig", "CONTEXT": "env"},
    {"VALIDATE_CERTS": "no"},
    {"VALIDATE_CERTS": "False"},
    {"VALIDATE_CERTS": "0"},
    {"VALIDATE_CERTS": "off"},
    {"VALIDATE_CERTS": "yes"},
    {"VALIDATE_CERTS": ""},
    {"VERIFY_SSL": "false"},
    {"VERIFY_SSL": "true", "VALIDATE_CERTS": "false"},
    {"SSL_CA_CERT": "/env/ca", "CERT_FILE": "/env/crt", "KEY_FILE": "/env/key"},
    {"CA_CERT": "/env/ca", "CLIENT_CERT": "/env/crt", "CLIENT_KEY": "/env/key"},
    {"USERNAME": "env", "PASSWORD": "env-password", "PERSIST_CONFIG": "true"},
    {"PERSIST_CONFIG": "no"},
    {"PROXY": "http://env:3128", "NO_PROXY": "env.local"},
    {"PROXY_HEADERS_BASIC_AUTH": "u:p", "PROXY_HEADERS_USER_AGENT": "agent"},
    {"PROXY_HEADERS_PROXY_BASIC_AUTH": "u:p"},
    {"HOST": "", "CONTEXT": ""},
]


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
def test_settings_are_those_of_kubernetes_core(options, variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(f"K8S_AUTH_{name}", value)
    expected = core._create_auth_spec(Module(options))
    if not expected.get("proxy_headers"):  # always there, mostly empty
        expected.pop("proxy_headers", None)
    if expected.get("host"):  # cut later there
        expected["host"] = expected["host"].rstrip("/")
    settings = read_settings(options, os.environ)
    assert {name: value for name, value in settings.items() if value != {}} == expected


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ({}, {}),
        ({"impersonate_user": "bob"}, {}),
        ({"impersonate_user": "bob", "impersonate_groups": ["a", "b"]}, {}),
        ({"impersonate_groups": ["a"]}, {"IMPERSONATE_GROUPS": "c"}),
        ({"impersonate_groups": []}, {"IMPERSONATE_GROUPS": "c"}),
        ({"impersonate_user": ""}, {"IMPERSONATE_USER": "eve"}),
        ({}, {"IMPERSONATE_USER": "eve", "IMPERSONATE_GROUPS": "a,,b,"}),
        ({"impersonate_user": "bob"}, {"IMPERSONATE_USER": "eve"}),
        ({}, {"IMPERSONATE_USER": "", "IMPERSONATE_GROUPS": ""}),
    ],
)
def test_who_is_impersonated_is_as_with_kubernetes_core(options, variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(f"K8S_AUTH_{name}", value)
    expected = core._create_headers(Module(options))
    headers = connect({**HOST, **options}).headers()
    assert [v for n, v in headers if n == "Impersonate-User"] == [
        v for n, v in expected.items() if n == "Impersonate-User"
    ]
    assert [v for n, v in headers if n == "Impersonate-Group"] == expected.get("Impersonate-Group", [])


# So is the client's configuration ------------------------------------------------------------------------------------

_LOGGING = ("logger", "logger_stream_handler", "logger_file_handler", "logger_formatter", "_Configuration__logger_file")


def described(configuration: t.Any) -> dict[str, t.Any]:
    """A configuration without its loggers, and of a hook only which one it is, for each loader makes its own."""
    settings = {name: value for name, value in vars(configuration).items() if name not in _LOGGING}
    return {
        **{name: value.__qualname__ if callable(value) else value for name, value in settings.items()},
        "host": configuration.host,
        "credentials": configuration.auth_settings(),
        "proxy_headers": configuration.proxy_headers or None,
    }


def by_kubernetes_core(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kubernetes.client.Configuration.set_default(None)
    auth = core._create_auth_spec(Module(options))
    return described(core._create_configuration(auth))


def by_us(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kubernetes.client.Configuration.set_default(None)
    return described(connect(options).configuration)


@pytest.mark.parametrize(
    "options",
    [
        HOST,
        {**HOST, "host": "https://api.example.com:6443/"},
        {**HOST, "validate_certs": False},
        {**HOST, "ca_cert": "/ca.crt", "client_cert": "/tls.crt", "client_key": "/tls.key"},
        {"host": "https://api", "client_cert": "/tls.crt", "client_key": "/tls.key"},
        {"host": "https://api", "username": "admin", "password": "hunter2"},
        {**HOST, "proxy": "http://proxy:3128", "no_proxy": ".svc"},
        {**HOST, "proxy": "http://proxy:3128", "proxy_headers": {"proxy_basic_auth": "u:p", "user_agent": "x"}},
        {**HOST, "persist_config": True, "context": "ignored"},
    ],
    ids=range(9),
)
def test_a_configuration_from_options_is_that_of_kubernetes_core(options):
    assert by_us(options) == by_kubernetes_core(options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"context": "token"},
        {"context": "basic"},
        {"context": "certificate"},
        {"context": "basic", "host": "https://elsewhere:6443"},
        {"context": "basic", "validate_certs": True},
        {"context": "token", "validate_certs": False, "ca_cert": "/ca.crt"},
        {"api_key": "other"},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["file", "dictionary", "variable", "usual place"])
def test_a_configuration_from_a_kubeconfig_is_that_of_kubernetes_core(options, form, kubeconfig_file, monkeypatch):
    if form == "file":
        options = {**options, "kubeconfig": kubeconfig_file}
    elif form == "dictionary":
        options = {**options, "kubeconfig": kubeconfig()}
    elif form == "variable":
        monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig_file)
    else:
        monkeypatch.setattr(kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", kubeconfig_file)
    ours = by_us(options)
    assert ours == by_kubernetes_core(options)
    assert ours["host"].endswith(".example.com:6443") or ours["host"] == options.get("host")


@pytest.mark.usefixtures("inside_a_cluster")
@pytest.mark.parametrize(
    "options", [{}, {"validate_certs": False}, {"api_key": "other"}, {"host": "https://x"}], ids=str
)
def test_a_configuration_inside_a_cluster_is_that_of_kubernetes_core(options):
    ours = by_us(options)
    assert ours == by_kubernetes_core(options)
    assert ours["host"] == options.get("host", "https://172.30.0.1:443")


@pytest.mark.usefixtures("inside_a_cluster")
def test_a_kubeconfig_that_is_asked_for_goes_before_the_surrounding_cluster(kubeconfig_file):
    assert by_us({"kubeconfig": kubeconfig_file})["host"] == "https://one.example.com:6443"
    assert by_us({}) == by_kubernetes_core({})


@pytest.mark.parametrize("persist", [None, True, False])
def test_a_renewed_token_is_written_back_only_when_kubernetes_core_would(persist, kubeconfig_file, monkeypatch):
    asked: list[t.Any] = []

    def load(*dummy: t.Any, **options: t.Any) -> None:
        asked.append(bool(options.get("persist_config")))

    monkeypatch.setattr(kubernetes.config, "load_kube_config", load)
    options = {"kubeconfig": kubeconfig_file, "persist_config": persist}
    by_us(options)
    by_kubernetes_core(options)
    assert asked == [bool(persist)] * 2


# How we say who we are -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "authorization"),
    [
        (HOST, "Bearer sha256~token"),
        ({"host": "https://api", "username": "admin", "password": "hunter2"}, "Basic YWRtaW46aHVudGVyMg=="),
        ({"host": "https://api", "client_cert": "/tls.crt", "client_key": "/tls.key"}, None),
        ({**HOST, "username": "admin", "password": "hunter2"}, "Bearer sha256~token"),
    ],
)
def test_credentials_become_one_header(options, authorization):
    said = [value for name, value in connect(options).headers() if name == "Authorization"]
    assert said == ([authorization] if authorization else [])


def test_each_impersonated_group_is_a_header_of_its_own():
    options = {**HOST, "impersonate_user": "bob", "impersonate_groups": ["a", "b"]}
    assert connect(options).headers()[1:] == [
        ("Impersonate-User", "bob"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
    ]


def test_the_address_has_no_slash_at_its_end():
    assert connect({**HOST, "host": "https://api.example.com:6443//"}).api_url == "https://api.example.com:6443"


# What stands in the way ----------------------------------------------------------------------------------------------


def test_without_any_cluster_the_reader_learns_how_to_name_one():
    with pytest.raises(Refused, match=r"^Could not reach the cluster: no cluster is named \(.*\)\. Give kubeconfig"):
        connect({})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No configuration found"),
        ("", "Invalid kube-config"),
        ("token: [hunter2", "cannot be used"),
        ("apiVersion: v1\nclusters: hunter2", "Invalid kube-config"),
        (yaml.safe_dump({**kubeconfig(), "current-context": "gone"}), "gone"),
        (yaml.safe_dump({**kubeconfig(), "clusters": []}), "plain"),
    ],
    ids=range(6),
)
def test_a_kubeconfig_that_is_of_no_use_is_named_and_not_quoted(content, reason, tmp_path):
    file = tmp_path / "broken"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(Refused, match=f"^Could not reach the cluster: kubeconfig {file}: .*{reason}") as refused:
        connect({"kubeconfig": str(file)})
    assert "hunter2" not in str(refused.value)


def test_a_kubeconfig_that_cannot_be_opened_is_named(tmp_path: Path):
    with pytest.raises(Refused, match=f"kubeconfig {tmp_path}: Is a directory"):
        connect({"kubeconfig": str(tmp_path)})


def test_a_context_that_does_not_exist_is_named(kubeconfig_file):
    with pytest.raises(Refused, match="prod"):
        connect({"kubeconfig": kubeconfig_file, "context": "prod"})


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(connections, "MISSING_LIBRARY", "No module named 'kubernetes'")
    with pytest.raises(Refused, match=r"No module named 'kubernetes'\)\. Install it: pip install kubernetes\.$"):
        connect(HOST)


def test_one_cluster_leaves_nothing_behind_for_the_next(kubeconfig_file):
    connect({"kubeconfig": kubeconfig_file, "context": "certificate"}, {})
    second = connect(HOST, {})
    assert second.configuration.cert_file is None
    assert second.configuration.ssl_ca_cert is None
    assert second.headers() == [("Authorization", "Bearer sha256~token")]


def test_another_environment_than_that_of_the_process_can_be_read(monkeypatch):
    monkeypatch.setenv("K8S_AUTH_HOST", "https://one")
    monkeypatch.setenv("K8S_AUTH_IMPERSONATE_USER", "somebody")
    made = connect({}, {"K8S_AUTH_HOST": "https://two", "K8S_AUTH_API_KEY": "k"})
    assert (made.api_url, made.impersonate_user) == ("https://two", "")
