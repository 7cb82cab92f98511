# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that was named, the credentials that were given: what two API servers hear, over all ways to say it.

``python -m checks run clients`` runs this with several releases of the Kubernetes client.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes
import pytest
import urllib3
import yaml
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.api_error import ApiError, Unreachable
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import Connection, connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exec import ExecFailed, run_in_container
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.kubeconfig import kubeconfig_of
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.inventory import cluster_of, environment_for
from ansible_collections.imagemode.openshift.tests.unit.plugins.certificates import LOOPBACK, Authority
from ansible_collections.imagemode.openshift.tests.unit.plugins.proxy_server import ProxyServer
from ansible_collections.imagemode.openshift.tests.unit.plugins.recording_server import RecordingServer
from cryptography import x509

VARIABLES = {
    "validate_certs": "VERIFY_SSL",
    "ca_cert": "SSL_CA_CERT",
    "client_cert": "CERT_FILE",
    "client_key": "KEY_FILE",
}
"""Option -> its variable of the environment, where it has another name."""


@dataclass
class Clusters:
    """Two API servers, one that a kubeconfig knows and another one, and what is needed to reach each of them."""

    known: RecordingServer
    other: RecordingServer
    called_otherwise: RecordingServer
    """Its certificate is for the name api.internal alone."""
    proxy: ProxyServer
    authority: Path
    strange_authority: Path
    client: Path
    client_of_kubeconfig: Path

    def forget(self) -> None:
        """Begin anew with what was heard."""
        for server in (self.known, self.other, self.called_otherwise):
            server.heard.clear()
        self.proxy.asked.clear()

    @property
    def proxy_url(self) -> str:
        """The address of the proxy."""
        return f"http://{self.proxy.address}"

    @property
    def tunnels(self) -> list[str]:
        """The addresses to which the proxy connected."""
        return [lines[0].split()[1] for lines in self.proxy.asked]


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Clusters]:
    folder = tmp_path_factory.mktemp("certificates")
    authority, of_clients, strange = (Authority.new(folder / name) for name in ("servers", "clients", "strange"))
    known, other = (RecordingServer(authority.signed(n, LOOPBACK), of_clients.file) for n in ("known", "other"))
    otherwise = authority.signed("otherwise", x509.DNSName("api.internal"))
    made = Clusters(
        known,
        other,
        RecordingServer(otherwise, of_clients.file),
        ProxyServer(),
        authority.file,
        strange.file,
        of_clients.signed("given"),
        of_clients.signed("of-kubeconfig"),
    )
    yield made
    for server in (made.known, made.other, made.called_otherwise, made.proxy):
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clusters: Clusters) -> None:
    for name in list(os.environ):
        if name.startswith(("K8S_AUTH_", "KUBE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    kubernetes.client.Configuration.set_default(None)
    clusters.forget()


# What is given, and what must come of it ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Options beside a source of credentials, and what the API servers must hear.

    :ivar options: what is given; a text in braces is an attribute of the clusters
    :ivar cluster: changes of the kubeconfig's cluster
    :ivar user: the kubeconfig's user, where it is not a token
    :ivar server: the one that must be asked, empty if nothing may be sent
    """

    options: t.Mapping[str, t.Any]
    server: str
    authorization: str | None = "Bearer of-source"
    certificate: str = ""
    cluster: t.Mapping[str, t.Any] = field(default_factory=dict)
    user: t.Mapping[str, t.Any] = field(default_factory=lambda: {"token": "of-source"})
    proxied: bool = False
    names_both: bool = False


GIVEN_CERTIFICATE = {"client_cert": "{client}", "client_key": "{client}"}
CERTIFICATE_USER = {"client-certificate": "{client_of_kubeconfig}", "client-key": "{client_of_kubeconfig}"}
INSECURE = {"certificate-authority": None, "insecure-skip-tls-verify": True}
STRANGE = {"certificate-authority": "{strange_authority}"}
BASIC = "Basic " + base64.b64encode(b"user:word").decode()

CASES = {
    "nothing": Case({}, "known"),
    "nothing, certificate": Case({}, "known", "", "of-kubeconfig", user=CERTIFICATE_USER),
    "host of another": Case({"host": "{other.url}"}, "", names_both=True),
    "host of another, its authority": Case({"host": "{other.url}", "ca_cert": "{authority}"}, "", names_both=True),
    "host of another, unverified": Case({"host": "{other.url}", "validate_certs": False}, "", names_both=True),
    "host of another, certificate": Case({"host": "{other.url}"}, "", user=CERTIFICATE_USER, names_both=True),
    "host and key of another": Case(
        {"host": "{other.url}", "api_key": "given", "ca_cert": "{authority}"}, "other", "Bearer given"
    ),
    "host and certificate of another": Case(
        {"host": "{other.url}", "ca_cert": "{authority}", **GIVEN_CERTIFICATE}, "other", "", "given"
    ),
    "host of the same": Case({"host": "{known.url}/"}, "known"),
    "api_key": Case({"api_key": "given"}, "known", "Bearer given"),
    "api_key, certificate": Case({"api_key": "given"}, "known", "Bearer given", user=CERTIFICATE_USER),
    "username": Case({"username": "user", "password": "word"}, "known", BASIC),
    "client_cert": Case(GIVEN_CERTIFICATE, "known", "", "given"),
    "validate_certs, insecure": Case({"validate_certs": True}, "", cluster=INSECURE),
    "validate_certs off": Case({"validate_certs": False}, "known", cluster=STRANGE),
    "ca_cert": Case({"ca_cert": "{authority}"}, "known", cluster=STRANGE),
    "strange ca_cert": Case({"ca_cert": "{strange_authority}"}, ""),
    "proxy": Case({"proxy": "{proxy_url}"}, "known", proxied=True),
    "proxy, not for this one": Case({"proxy": "{proxy_url}", "no_proxy": "127.0.0.1"}, "known"),
    "tls_server_name": Case({"tls_server_name": "localhost"}, ""),
}


def combinations() -> t.Iterator[tuple[str, str, str]]:
    """Source, way and case, without those that cannot be."""
    for source in ("file", "dictionary", "variable", "usual place", "pod"):
        for way in ("option", "environment", "inventory entry"):
            for name, case in CASES.items():
                # A service account has a token and an authority, and no other form.
                if source == "pod" and (case.cluster or "token" not in case.user):
                    continue
                # An option that names a kubeconfig goes before the environment: a test of its own.
                if (source, way) == ("dictionary", "environment"):
                    continue
                # An entry of an inventory that has a host does not see a kubeconfig of the environment.
                if (source, way, name) == ("variable", "inventory entry", "host of the same"):
                    continue
                yield source, way, name


@dataclass
class World:
    """Where a source of credentials is put, and how options reach the connection."""

    clusters: Clusters
    monkeypatch: pytest.MonkeyPatch
    folder: Path

    def filled(self, value: t.Any) -> t.Any:
        """Return a value with the names of the clusters' attributes replaced."""
        if isinstance(value, str) and "{" in value:
            return value.format(**vars(self.clusters), proxy_url=self.clusters.proxy_url)
        return value

    def kubeconfig(self, case: Case) -> dict[str, t.Any]:
        cluster = {"server": self.clusters.known.url, "certificate-authority": "{authority}", **case.cluster}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {k: self.filled(v) for k, v in cluster.items() if v is not None}}],
            "users": [{"name": "u", "user": {k: self.filled(v) for k, v in case.user.items()}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }

    def offer(self, source: str, case: Case) -> dict[str, t.Any]:
        """Put the source in its place, and return the option that names it, if one does."""
        file = self.folder / "kubeconfig"
        file.write_text(yaml.safe_dump(self.kubeconfig(case)), encoding="utf-8")
        if source == "pod":
            self._surround()
        elif source == "variable":
            self.monkeypatch.setenv("K8S_AUTH_KUBECONFIG", str(file))
        elif source == "usual place":
            self.monkeypatch.setattr(kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        elif source == "dictionary":
            return {"kubeconfig": self.kubeconfig(case)}
        else:
            return {"kubeconfig": str(file)}
        return {}

    def _surround(self) -> None:
        token = self.folder / "token"
        token.write_text("of-source", encoding="utf-8")
        self.monkeypatch.setattr(kubernetes.config.incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
        authority = str(self.clusters.authority)
        self.monkeypatch.setattr(kubernetes.config.incluster_config, "SERVICE_CERT_FILENAME", authority)
        self.monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        self.monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(self.clusters.known.port))

    def connect(self, way: str, named: t.Mapping[str, t.Any], case: Case) -> Connection:
        """Return the connection where the case's options are given in one of the three ways."""
        options = {name: self.filled(value) for name, value in case.options.items()}
        if way == "option":
            return connect({**named, **options})
        if way == "inventory entry":
            asked = cluster_of({**named, **options}, {})
            return connect(asked.options, environment_for(asked, os.environ, {}))
        for name, value in options.items():
            self.monkeypatch.setenv(f"K8S_AUTH_{VARIABLES.get(name, name.upper())}", str(value))
        if named:
            self.monkeypatch.setenv("K8S_AUTH_KUBECONFIG", named["kubeconfig"])
        return connect({})


@pytest.fixture
def world(clusters: Clusters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(clusters, monkeypatch, tmp_path)


# How requests are sent -----------------------------------------------------------------------------------------------


def by_rest(connection: Connection) -> None:
    Session(connection).request_once("GET", "/rest")


def by_watch(connection: Connection) -> None:
    Session(connection).open("GET", "/watch", {"watch": "true"}).close()


def by_logs(connection: Connection) -> None:
    Session(connection).open("GET", "/api/v1/namespaces/n/pods/p/log", {"follow": "true"}).close()


def by_exec(connection: Connection) -> None:
    assert run_in_container(connection, "n", "p", "c", ["true"], 10).exit_status == 0


def by_oc(connection: Connection) -> None:
    """Do what ``oc`` does with the kubeconfig that it is given."""
    written = kubeconfig_of(connection)
    cluster, user = written["clusters"][0]["cluster"], written["users"][0]["user"]
    trust = {
        "cert_reqs": "CERT_NONE" if cluster.get("insecure-skip-tls-verify") else "CERT_REQUIRED",
        "ca_certs": cluster.get("certificate-authority"),
        "cert_file": user.get("client-certificate"),
        "key_file": user.get("client-key"),
    }
    if cluster.get("tls-server-name"):
        trust["server_hostname"] = cluster["tls-server-name"]
    headers = {"Authorization": f"Bearer {user['token']}"} if user.get("token") else {}
    if user.get("username"):
        headers = urllib3.util.make_headers(basic_auth=f"{user['username']}:{user['password']}")
    proxy = cluster.get("proxy-url")
    account = urllib3.util.make_headers(proxy_basic_auth=urlsplit(proxy or "").netloc.rpartition("@")[0] or None)
    pool = urllib3.ProxyManager(proxy, proxy_headers=account, **trust) if proxy else urllib3.PoolManager(**trust)
    with pool:
        pool.request("GET", cluster["server"] + "/oc", headers=headers, retries=False)


TRANSPORTS = {"rest": by_rest, "watch": by_watch, "logs": by_logs, "exec": by_exec, "oc": by_oc}
NOTHING_SENT = (OperationError, ApiError, Unreachable, ExecFailed, urllib3.exceptions.HTTPError)


def settings(connection: Connection) -> dict[str, t.Any]:
    return {n: str(v) for n, v in vars(connection.configuration).items() if "logger" not in n}


def check(case: Case, connection: Connection, transports: t.Iterable[str], clusters: Clusters) -> None:
    """Send a request each way, and see that it was the one expected."""
    before = settings(connection)
    for transport in transports:
        clusters.forget()
        with pytest.raises(NOTHING_SENT) if not case.server else contextlib.nullcontext():
            TRANSPORTS[transport](connection)
        everything = [*clusters.known.heard, *clusters.other.heard, *clusters.called_otherwise.heard]
        if not case.server:
            assert everything == []
            continue
        server: RecordingServer = getattr(clusters, case.server)
        assert [(h.authorization.lower(), h.certificate) for h in server.heard] == [
            (str(case.authorization).lower(), case.certificate)
        ]
        assert everything == server.heard
        assert connection.api_url == server.url
        assert clusters.tunnels == [urlsplit(server.url).netloc] * case.proxied
    assert settings(connection) == before


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", CASES)
def test_an_option_beside_a_kubeconfig_is_what_every_transport_uses(
    name: str, transport: str, world: World, clusters: Clusters
) -> None:
    case = CASES[name]
    named = world.offer("file", case)
    if case.names_both:
        with pytest.raises(OperationError, match=f"host is {clusters.other.url}, but .* are for {clusters.known.url}"):
            world.connect("option", named, case)
        return
    check(case, world.connect("option", named, case), [transport], clusters)


@pytest.mark.parametrize(("source", "way", "name"), list(combinations()))
def test_an_option_is_what_is_used_however_it_and_the_credentials_are_given(
    source: str, name: str, way: str, world: World, clusters: Clusters
) -> None:
    case = CASES[name]
    named = world.offer(source, case)
    if case.names_both:
        with pytest.raises(OperationError, match=clusters.other.url) as refused:
            world.connect(way, named, case)
        # An entry of an inventory that has a host does not see the variables of another cluster.
        assert clusters.known.url in str(refused.value) or (way, source) == ("inventory entry", "variable")
        assert (clusters.known.heard, clusters.other.heard) == ([], [])
        return
    check(case, world.connect(way, named, case), ["rest", "exec", "rest"], clusters)


@pytest.mark.parametrize("form", ["file", "dictionary"])
def test_a_kubeconfig_that_a_task_names_goes_before_host_and_credentials_of_the_environment(
    form: str, world: World, clusters: Clusters
) -> None:
    case = CASES["nothing"]
    named = world.offer(form, case)
    world.monkeypatch.setenv("K8S_AUTH_HOST", clusters.other.url)
    world.monkeypatch.setenv("K8S_AUTH_API_KEY", "of-another-cluster")
    check(case, connect(named), TRANSPORTS, clusters)


def test_credentials_of_the_environment_are_for_the_host_of_the_environment(world: World, clusters: Clusters) -> None:
    world.monkeypatch.setenv("K8S_AUTH_HOST", clusters.known.url)
    world.monkeypatch.setenv("K8S_AUTH_API_KEY", "of-known")
    trust = {"ca_cert": str(clusters.authority)}
    with pytest.raises(OperationError, match=f"no credentials are set for host {clusters.other.url}"):
        connect({"host": clusters.other.url, **trust})
    check(Case({}, "known", "Bearer of-known"), connect({"host": clusters.known.url, **trust}), TRANSPORTS, clusters)


def test_a_certificate_for_another_name_is_trusted_under_that_name_alone(clusters: Clusters) -> None:
    options = {"host": clusters.called_otherwise.url, "api_key": "given", "ca_cert": str(clusters.authority)}
    check(Case({}, ""), connect(options), TRANSPORTS, clusters)
    check(
        Case({}, "called_otherwise", "Bearer given"),
        connect({**options, "tls_server_name": "api.internal"}),
        TRANSPORTS,
        clusters,
    )


def test_the_account_for_the_proxy_goes_to_the_proxy_and_nowhere_else(world: World, clusters: Clusters) -> None:
    named = world.offer("file", CASES["proxy"])
    options = {"proxy": clusters.proxy_url, "proxy_headers": {"proxy_basic_auth": "user:word"}}
    for transport in TRANSPORTS.values():
        clusters.forget()
        transport(connect({**named, **options}))
        headers = [line.lower() for lines in clusters.proxy.asked for line in lines]
        assert headers.count(f"proxy-authorization: {BASIC}".lower()) == 1
        assert [h.authorization.lower() for h in clusters.known.heard] == ["bearer of-source"]


# What is renewed -----------------------------------------------------------------------------------------------------


def exec_user(folder: Path) -> dict[str, t.Any]:
    """A user whose plugin gives another token, already expired, each time it runs."""
    runs = folder / "runs"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "of-run-$n", "expirationTimestamp": "2020-01-01T00:00:00Z"},
    }
    script = f"echo >> {runs}; n=$(wc -l < {runs}); cat <<END\n{json.dumps(credential)}\nEND"
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "args": ["-c", script]}
    return {"exec": {**plugin, "interactiveMode": "Never"}}


def test_the_token_of_an_exec_plugin_is_renewed_and_nothing_else_changes(world: World, clusters: Clusters) -> None:
    case = Case({}, "known", user=exec_user(world.folder))
    named = world.offer("file", case)
    connection = connect({**named, "validate_certs": False, "proxy": clusters.proxy_url})
    before = settings(connection)
    for transport in TRANSPORTS.values():
        transport(connection)
    tokens = [heard.authorization for heard in clusters.known.heard]
    assert len(set(tokens)) == len(tokens) == len(TRANSPORTS)
    assert all(token.startswith("Bearer of-run-") for token in tokens)
    assert (settings(connection), len(clusters.tunnels)) == (before, len(TRANSPORTS))


def test_the_token_of_an_exec_plugin_is_not_sent_where_api_key_is_given(world: World, clusters: Clusters) -> None:
    case = Case({"api_key": "given"}, "known", "Bearer given", user=exec_user(world.folder))
    check(case, world.connect("option", world.offer("file", case), case), TRANSPORTS, clusters)


def test_a_token_that_cannot_be_renewed_is_an_error_that_names_its_kubeconfig(world: World) -> None:
    case = Case({}, "known", user=exec_user(world.folder))
    connection = connect(world.offer("file", case))

    def fail(dummy: t.Any) -> t.NoReturn:
        raise ssl.SSLError("sha256~secret")

    # What an exec plugin, a token file or an identity provider does when it is away.
    source = connection.authorization.__self__  # type: ignore[attr-defined]
    source.loaded.refresh_api_key_hook = fail
    with pytest.raises(
        OperationError, match=r"the token of kubeconfig .*/kubeconfig could not be renewed .SSLError"
    ) as refused:
        connection.headers()
    assert "sha256" not in str(refused.value)
