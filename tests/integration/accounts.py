# SPDX-License-Identifier: GPL-3.0-or-later
"""Service accounts with the least privilege that the manifests of the collection grant."""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml
from lab.kube_rest import ApiError

if t.TYPE_CHECKING:
    from audit_log import ApiRequest, Recording
    from lab.facts import Facts
    from lab.kube_rest import Api

MANIFESTS = Path(__file__).resolve().parents[2] / "docs/docsite/rbac"
HOME = "imagemode"
"""The namespace of the accounts."""
SECRETS = ["push", "unborn", "played", "unused"]
"""The Secrets of the tests. They replace the examples in the manifests, as a user of the manifests does."""
_EXAMPLES = {"os-push", "os-base", "os-pull"}

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ROLES = ("ClusterRole", "Role")


class Permission(t.NamedTuple):
    """One verb on one resource, in one namespace or, where that is empty, in all and on what has none."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    @property
    def refusal(self) -> str:
        """The part of the API server's message that names the permission."""
        return f'cannot {self.verb} resource "{self.resource}" in API group "{self.group}"'

    def covers(self, request: ApiRequest) -> bool:
        """Whether the request used the permission."""
        used = (request.verb, "/".join(filter(None, (request.resource, request.subresource))), request.group)
        return (self.verb, self.resource, self.group) == used and self.namespace in ("", request.namespace)


_MCO = "machineconfiguration.openshift.io"
OPERATOR_NAMESPACE = "openshift-machine-config-operator"

CREATE_EXEC = Permission("create", "pods/exec", "", OPERATOR_NAMESPACE)
"""Required from OpenShift 4.22 on, while the lab is older; ``auto`` requires both verbs on every release."""

OPTIONAL = {
    Permission("get", "clusterversions", "config.openshift.io"),
    Permission("get", "infrastructures", "config.openshift.io"),
    Permission("list", "machineconfignodes", _MCO),
}
"""Permissions for additional information, which nothing requires."""

EXPLAINS = {
    Permission("list", "pods"),
    Permission("watch", "pods"),
    Permission("watch", "pods", "", OPERATOR_NAMESPACE),
    Permission("watch", "machineconfignodes", "machineconfiguration.openshift.io"),
    Permission("list", "poddisruptionbudgets", "policy"),
    Permission("watch", "poddisruptionbudgets", "policy"),
    Permission("get", "pods/log", "", OPERATOR_NAMESPACE),
    Permission("get", "clusteroperators", "config.openshift.io"),
    Permission("get", "jobs", "batch", OPERATOR_NAMESPACE),
    Permission("get", "namespaces"),
}
"""Permissions that explain why a drain or a build takes long, or why it would fail."""


@dataclass(frozen=True)
class Account:
    """A service account and its credentials."""

    user: str
    token: str
    kubeconfig: Path


def manifest(name: str) -> list[dict[str, t.Any]]:
    """Return the objects of a manifest."""
    content = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8"))
    objects = t.cast("list[dict[str, t.Any]]", content["items"])
    for rule in (rule for obj in objects for rule in obj.get("rules", [])):
        if rule["resources"] == ["secrets"] and "resourceNames" in rule:
            others = [name for name in rule["resourceNames"] if name not in _EXAMPLES]
            rule["resourceNames"] = [*SECRETS, *others]
    return objects


def manifests(*names: str) -> list[dict[str, t.Any]]:
    """Return the objects of manifests that are applied together."""
    return [obj for name in names for obj in manifest(name)]


def granted(objects: t.Iterable[t.Mapping[str, t.Any]]) -> set[Permission]:
    """Return what the roles among the objects grant."""
    return {
        Permission(verb, resource, group, role["metadata"].get("namespace", ""))
        for role in objects
        if role["kind"] in _ROLES
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def unused(permissions: t.Iterable[Permission], requests: t.Iterable[ApiRequest]) -> set[Permission]:
    """Return the permissions that no request used; one for a namespace counts before one for all namespaces."""
    known = sorted(permissions, key=lambda permission: not permission.namespace)
    taken = {next((p for p in known if p.covers(request)), None) for request in requests}
    return set(known) - taken


def forbidden(recording: Recording, account: Account) -> list[str]:
    """Return the requests of an account that the API server has denied."""
    return [f"{r.verb} {r.uri}" for r in recording.by(user=account.user) if r.code == 403]


def without(objects: t.Iterable[dict[str, t.Any]], missing: Permission, name: str) -> list[dict[str, t.Any]]:
    """Return the objects under other names and without one permission, in any namespace.

    :param name: the name of the account
    """
    less = copy.deepcopy(list(objects))
    for obj in less:
        if obj["kind"] in _ROLES:
            obj["rules"] = [kept for rule in obj["rules"] for kept in _split(rule, missing)]
        if obj["kind"] == "ServiceAccount":
            obj["metadata"]["name"] = name
        elif obj["kind"] != "Namespace":
            obj["metadata"]["name"] = f"{name}-{obj['metadata']['name']}"
        if "roleRef" in obj:
            obj["roleRef"]["name"] = f"{name}-{obj['roleRef']['name']}"
            obj["subjects"][0]["name"] = name
    return less


def _split(rule: dict[str, t.Any], missing: Permission) -> t.Iterator[dict[str, t.Any]]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            lost = missing.verb if (group, resource) == (missing.group, missing.resource) else ""
            verbs = [verb for verb in rule["verbs"] if verb != lost]
            if verbs:
                yield {**rule, "apiGroups": [group], "resources": [resource], "verbs": verbs}


def make_account(api: Api, lab: Facts, objects: t.Sequence[dict[str, t.Any]], folder: Path) -> Account:
    """Create the objects of a manifest, and return its service account with a token."""
    for obj in objects:
        _create(api, obj)
    (name,) = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "ServiceAccount"]
    path = f"/api/v1/namespaces/{HOME}/serviceaccounts/{name}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    token = api.create(path, request)["status"]["token"]
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [
            {"name": "c", "cluster": {"server": lab.api_url, "certificate-authority": str(lab.ca_cert)}},
        ],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    kubeconfig = folder / f"kubeconfig-{name}"
    kubeconfig.write_text(json.dumps(content), encoding="utf-8")
    return Account(f"system:serviceaccount:{HOME}:{name}", token, kubeconfig)


def _create(api: Api, obj: dict[str, t.Any]) -> None:
    """Create an object, or update the one of an earlier run."""
    namespace = obj["metadata"].get("namespace")
    root = "/api/v1" if obj["apiVersion"] == "v1" else _RBAC
    path = f"{root}/{f'namespaces/{namespace}/' if namespace else ''}{obj['kind'].lower()}s"
    try:
        api.create(path, obj)
    except ApiError as error:
        if error.status != 409:
            raise
        api.patch(f"{path}/{obj['metadata']['name']}", obj)
