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
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection_settings import (
    CREDENTIALS,
    SETTINGS,
    read_settings,
    same_server,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
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
    {"HOST": "https://API.example.com:6443/", "API_KEY": "env-token"},
    {"API_KEY": "env-token", "CERT_FILE": "/env/crt", "KEY_FILE": "/env/key"},
]


WAYS_TO_LOG_IN = [{"api_key"}, {"username", "password"}, {"client_cert", "client_key"}]


def left_to_kubernetes_core(options: t.Mapping[str, t.Any], variables: t.Mapping[str, str]) -> set[str]:
    """Deviations: settings of the environment that kubernetes.core takes and we do not, because they are not for us.

    * An option names a kubeconfig or a context: no host and no credentials of the environment.
    * An option names a host, and the environment another one: no credentials of the environment.
    * An option gives credentials: no credentials of another kind of the environment.
    """
    given = {option for option, value in options.items() if value is not None}
    around = {setting for setting, option in SETTINGS.items() if option not in given}
    left: set[str] = set()
    if options.get("kubeconfig") or options.get("context"):
        left |= CREDENTIALS | {"host"}
    if options.get("host") and variables.get("HOST") and not same_server(options["host"], variables["HOST"]):
        left |= CREDENTIALS
    used = [kind for kind in WAYS_TO_LOG_IN if any(options.get(option) for option in kind)]
    if used:
        left |= {s for s, option in SETTINGS.items() if s in CREDENTIALS and not any(option in kind for kind in used)}
    return left & around


@pytest.mark.parametrize("variables", VARIABLES, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
def test_settings_are_those_of_kubernetes_core_but_for_what_belongs_to_another_cluster(options, variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(f"K8S_AUTH_{name}", value)
    expected = core._create_auth_spec(Module(options))
    if not expected.get("proxy_headers"):  # always there, mostly empty
        expected.pop("proxy_headers", None)
    if expected.get("host"):  # cut later there
        expected["host"] = expected["host"].rstrip("/")
    for setting in left_to_kubernetes_core(options, variables):
        expected.pop(setting, None)
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
    """A configuration without its loggers, without what renews its credentials, and without what no client reads."""
    renewed = ("refresh_api_key_hook", "api_key", "get_api_key_with_prefix", "_proxy_from_env")
    left_out = (*_LOGGING, *renewed, "kubeconfig", "context", "persist_config")
    return {
        **{name: value for name, value in vars(configuration).items() if name not in left_out},
        "host": configuration.host,
        "proxy": configuration.proxy,
        "proxy_headers": configuration.proxy_headers or None,
    }


def by_kubernetes_core(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What kubernetes.core sets: its settings before a token is asked for, and the token that is then sent."""
    kubernetes.client.Configuration.set_default(None)
    auth = core._create_auth_spec(Module(options))
    configuration = core._create_configuration(auth)
    settings = described(configuration)
    token = configuration.auth_settings().get("BearerToken", {}).get("value")
    basic = configuration.get_basic_auth_token() if configuration.username else ""
    return {**settings, "authorization": token or basic}


def by_us(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    kubernetes.client.Configuration.set_default(None)
    made = connect(options)
    return {**described(made.configuration), "authorization": made.authorization()}


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
        {"context": "basic", "host": "https://TWO.example.com:6443/"},
        {"context": "basic", "validate_certs": True},
        {"context": "token", "validate_certs": False, "ca_cert": "/ca.crt"},
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
    assert ours["host"].lower().endswith(".example.com:6443")


# A deviation: theirs is overwritten by the kubeconfig's when the token is asked for.
@pytest.mark.parametrize(
    ("options", "authorization", "certificate"),
    [
        ({"context": "token", "api_key": "given"}, "Bearer given", None),
        ({"context": "certificate", "api_key": "given"}, "Bearer given", None),
        ({"context": "token", "username": "u", "password": "p"}, "Basic dTpw", None),
        ({"context": "token", "client_cert": "/tls.crt", "client_key": "/tls.key"}, "", "/tls.crt"),
        ({"context": "certificate", "client_cert": "/tls.crt"}, "", "/tls.crt"),
    ],
    ids=range(5),
)
def test_credentials_that_are_given_replace_all_those_of_the_kubeconfig(
    options, authorization, certificate, kubeconfig_file
):
    made = connect({"kubeconfig": kubeconfig_file, **options})
    assert made.authorization() == authorization
    assert (made.configuration.cert_file, made.api_url) == (certificate, "https://one.example.com:6443")


# A deviation: theirs goes to the one address with the credentials for the other.
@pytest.mark.parametrize("form", ["file", "dictionary", "variable", "usual place"])
def test_host_and_credentials_of_a_kubeconfig_for_another_host_are_an_error_that_names_both(
    form, kubeconfig_file, monkeypatch
):
    options: dict[str, t.Any] = {"host": "https://stage.example.com:6443", "context": "token"}
    if form == "file":
        options["kubeconfig"] = kubeconfig_file
    elif form == "dictionary":
        options["kubeconfig"] = kubeconfig()
    elif form == "variable":
        monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig_file)
    else:
        monkeypatch.setattr(kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", kubeconfig_file)
    with pytest.raises(
        OperationError, match=r"host is https://stage\.example.com:6443, but .* https://one\.example"
    ) as refused:
        connect(options)
    assert "sha256" not in str(refused.value)


@pytest.mark.usefixtures("inside_a_cluster")
def test_host_and_the_service_account_of_another_cluster_are_an_error_that_names_both():
    with pytest.raises(
        OperationError, match=r"host is https://x, but .* this pod are for https://172\.30\.0\.1:443\. Set"
    ):
        connect({"host": "https://x"})


@pytest.mark.usefixtures("inside_a_cluster")
@pytest.mark.parametrize("options", [{}, {"validate_certs": False}, {"host": "https://172.30.0.1"}], ids=str)
def test_a_configuration_inside_a_cluster_is_that_of_kubernetes_core(options):
    ours = by_us(options)
    assert ours == by_kubernetes_core(options)
    assert ours["host"] == options.get("host", "https://172.30.0.1:443")


@pytest.mark.usefixtures("inside_a_cluster")
def test_api_key_replaces_the_token_of_the_surrounding_cluster():
    made = connect({"api_key": "given"})
    assert (made.api_url, made.authorization()) == ("https://172.30.0.1:443", "Bearer given")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"host": "https://api", "username": "u"}, "username is given without password"),
        ({"host": "https://api", "password": "hunter2"}, "password is given without username"),
        ({"host": "https://api", "client_key": "/tls.key"}, "client_key is given without client_cert"),
        ({"host": "api.example.com:6443", "api_key": "k"}, "host is not an address"),
        ({"host": "https://u:hunter2@api", "api_key": "k"}, "host is not an address"),
        ({"host": "https://api/?x=hunter2", "api_key": "k"}, "host is not an address"),
        ({"host": "https://api:port", "api_key": "k"}, "host is not an address"),
        ({"host": "ftp://api", "api_key": "k"}, "host is not an address"),
        ({"host": "https://@api", "api_key": "k"}, "host is not an address"),
        ({"host": "https://a\npi", "api_key": "k"}, "host is not an address"),
        ({"host": "https://api/a path", "api_key": "k"}, "host is not an address"),
        # Of the two libraries that look it up, one reads strasse, the other one xn--strae-oqa.
        ({"host": "https://stra\xdfe.example", "api_key": "k"}, "host is not an address"),
        (
            {"host": "https://api", "api_key": "k", "proxy": "u:hunter2@proxy:3128"},
            "the address of the proxy does",
        ),
        (
            {"host": "https://api", "api_key": "k", "proxy": "socks5://u:hunter2@proxy"},
            "the address of the proxy does",
        ),
    ],
)
def test_half_of_a_credential_and_what_is_no_address_are_refused_without_quoting_them(options, reason):
    with pytest.raises(OperationError, match=f"^Could not reach the cluster: {reason}") as refused:
        connect(options)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["host", "kubeconfig", "context"])
def test_an_option_that_is_to_name_a_cluster_and_is_empty_takes_no_other_cluster(name, kubeconfig_file, monkeypatch):
    monkeypatch.setattr(kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", kubeconfig_file)
    monkeypatch.setenv("K8S_AUTH_HOST", "https://env.example.com")
    monkeypatch.setenv("K8S_AUTH_API_KEY", "of-env")
    with pytest.raises(OperationError, match=f"^Could not reach the cluster: {name} is empty"):
        connect({name: ""})


@pytest.mark.parametrize("name", ["KUBECONFIG", "CONTEXT"])
def test_credentials_of_the_environment_are_for_its_kubeconfig_where_it_names_one(name, kubeconfig_file, monkeypatch):
    monkeypatch.setattr(kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", kubeconfig_file)
    monkeypatch.setenv(f"K8S_AUTH_{name}", kubeconfig_file if name == "KUBECONFIG" else "token")
    monkeypatch.setenv("K8S_AUTH_API_KEY", "of-env")
    with pytest.raises(
        OperationError, match=r"host is https://other.example.com, but .* are for https://one.example.com:6443"
    ):
        connect({"host": "https://other.example.com"})
    made = connect({"host": "https://ONE.example.com:6443"})
    assert made.headers() == [("Authorization", "Bearer of-env")]
    assert Path(made.configuration.ssl_ca_cert).read_text(encoding="utf-8") == "authority"
    assert connect({"host": "https://other.example.com", "api_key": "k"}).headers() == [("Authorization", "Bearer k")]


@pytest.mark.parametrize(
    "server", [None, "", "api.example.com:6443", "https://u:hunter2@api", "ftp://api", "https://api/?x=hunter2"]
)
def test_a_server_in_a_kubeconfig_that_is_no_address_is_refused_and_nothing_is_sent_anywhere_else(server):
    content = kubeconfig()
    content["clusters"][0]["cluster"] = {} if server is None else {"server": server}
    with pytest.raises(OperationError, match="the server in the kubeconfig dictionary is not an address") as refused:
        connect({"kubeconfig": content})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("token", ["hunter2\nX-Header: x", "hunter2\r\n x", "\u20achunter2", "hunter2\x00x"])
def test_a_token_that_is_no_value_of_a_header_is_refused_without_quoting_it(token):
    content = kubeconfig()
    content["users"][0]["user"]["token"] = token
    with pytest.raises(OperationError, match="the value of the Authorization header has") as refused:
        connect({"kubeconfig": content}).headers()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("option", [{"impersonate_user": "a\r\nX: y"}, {"impersonate_groups": ["a", "b\nX: y"]}])
def test_who_is_impersonated_cannot_add_a_header(option):
    with pytest.raises(OperationError, match="the value of the Impersonate-"):
        connect({**HOST, **option}).headers()


def test_the_line_end_of_a_file_with_a_token_is_not_sent(tmp_path):
    content = kubeconfig()
    (tmp_path / "token").write_text("of-file\n", encoding="utf-8")
    content["users"][0]["user"] = {"tokenFile": str(tmp_path / "token")}
    assert connect({"kubeconfig": content}).headers() == [("Authorization", "Bearer of-file")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://api.example.com", "https://API.example.com:443/", True),
        ("http://api", "http://api:80", True),
        ("https://api.example.com.:6443", "https://api.example.com:6443", True),
        ("https://[::1]:6443", "https://[::1]:6443/", True),
        ("https://api:6443", "https://api:6444", False),
        ("https://api:6443", "http://api:6443", False),
        ("https://api:6443/a", "https://api:6443/b", False),
        ("https://api.example.com", "https://api.example.com.evil.example", False),
        ("https://[", "https://[", True),
    ],
)
def test_addresses_are_those_of_one_server_whatever_their_spelling(one, other, same):
    assert same_server(one, other) is same


@pytest.mark.usefixtures("inside_a_cluster")
def test_a_kubeconfig_that_is_asked_for_goes_before_the_surrounding_cluster(kubeconfig_file):
    assert by_us({"kubeconfig": kubeconfig_file})["host"] == "https://one.example.com:6443"
    assert by_us({}) == by_kubernetes_core({})


@pytest.mark.parametrize("persist", [None, True, False])
def test_a_renewed_token_is_written_back_only_when_kubernetes_core_would(persist, kubeconfig_file, monkeypatch):
    asked: list[t.Any] = []

    def load(*dummy: t.Any, **options: t.Any) -> None:
        asked.append(bool(options.get("persist_config")))
        if "client_configuration" in options:
            options["client_configuration"].host = "https://one.example.com:6443"

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
    with pytest.raises(
        OperationError,
        match=r"^Could not reach the cluster: no cluster is set, .* the file does not exist\. Set kubeconfig",
    ):
        connect({})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "the file does not exist"),
        ("", "the file is empty"),
        ("token: [hunter2", "line 1 is not valid YAML"),
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
    with pytest.raises(OperationError, match=f"^Could not read kubeconfig {file}: .*{reason}") as refused:
        connect({"kubeconfig": str(file)})
    assert "hunter2" not in str(refused.value)


def test_a_kubeconfig_that_cannot_be_opened_is_named(tmp_path: Path):
    with pytest.raises(OperationError, match=f"kubeconfig {tmp_path}: it is a folder, not a file"):
        connect({"kubeconfig": str(tmp_path)})


def test_a_context_that_does_not_exist_is_named(kubeconfig_file):
    with pytest.raises(OperationError, match="prod"):
        connect({"kubeconfig": kubeconfig_file, "context": "prod"})


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(connections, "MISSING_LIBRARY", "No module named 'kubernetes'")
    with pytest.raises(OperationError, match=r"No module named 'kubernetes'\)\. Install it: pip install kubernetes\.$"):
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
