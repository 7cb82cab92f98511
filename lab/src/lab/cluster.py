# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's API as ``lab up`` uses it: creating what must exist, and reading how far the controllers are."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, ResourceNotFoundError

from lab.api_time import now
from lab.build import OPERATOR_NAMESPACE
from lab.facts import Facts
from lab.rendering import render

_POOLS = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NODES = "/api/v1/nodes"
_DAEMON_PODS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"
_DAEMON_LABEL = "k8s-app%3Dmachine-config-daemon"
_TIMEOUT = 10
_WRITERS = 8
_STARTS_WITHIN = 15
"""Seconds within which KWOK sets a pod to Running, also with a thousand nodes."""
# Answers that mean "not yet" while the cluster comes up.
NOT_YET = (OSError, urllib3.exceptions.HTTPError, client.ApiException, ResourceNotFoundError)


@dataclass(frozen=True)
class PoolState:
    """What a MachineConfigPool says. ``rendered`` is empty until its first rendered config exists."""

    name: str
    rendered: str
    machines: int
    updated: int


class Cluster:
    """A lab's API, as its administrator."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        settings = client.Configuration()
        config.load_kube_config(str(facts.kubeconfigs.admin), client_configuration=settings)
        # The lab is on loopback; a proxy of the user's environment must not come between.
        settings.proxy = None
        settings.retries = False
        self._api = client.ApiClient(settings)
        self._dynamic: DynamicClient | None = None

    def is_ready(self) -> bool:
        """True when the API server says so."""
        return self._raw("/readyz", timeout=2) == b"ok"

    def create_crds(self, crds: list[dict[str, Any]]) -> bool:
        """Create CustomResourceDefinitions, the quickest way. True when all exist."""
        return self._create_all(_CRDS, crds)

    def create_nodes(self, nodes: list[dict[str, Any]]) -> bool:
        """Create nodes with their status, the quickest way: there may be hundreds. True when all exist."""
        return self._create_all(_NODES, nodes)

    def established_crds(self) -> int:
        """How many CustomResourceDefinitions are served."""
        found = json.loads(self._raw(_CRDS))["items"]
        return sum(
            condition["type"] == "Established" and condition["status"] == "True"
            for crd in found
            for condition in crd.get("status", {}).get("conditions") or []
        )

    def create(self, *documents: dict[str, Any]) -> bool:
        """Create objects, in this order, with their status. What exists already is left as it is. True when all exist.

        Raises one of NOT_YET at the first that is refused; calling again goes on there.
        """
        for document in documents:
            resource = self._discovered().resources.get(api_version=document["apiVersion"], kind=document["kind"])
            namespace = document["metadata"].get("namespace")
            with suppress(ConflictError):
                resource.create(body=document, namespace=namespace, _request_timeout=_TIMEOUT)
            if "status" in document and "status" in getattr(resource, "subresources", {}):
                body = {
                    "apiVersion": document["apiVersion"],
                    "kind": document["kind"],
                    "metadata": {"name": document["metadata"]["name"]},
                    "status": document["status"],
                }
                resource.subresources["status"].patch(
                    body=body,
                    name=document["metadata"]["name"],
                    namespace=namespace,
                    content_type="application/merge-patch+json",
                    _request_timeout=_TIMEOUT,
                )
        return True

    def pools(self) -> dict[str, PoolState]:
        """The pools by name."""
        return {pool.name: pool for pool in map(_pool_state, json.loads(self._raw(_POOLS))["items"])}

    def ready_nodes(self) -> set[str]:
        """The names of the nodes that are Ready."""
        return {
            node["metadata"]["name"]
            for node in json.loads(self._raw(_NODES))["items"]
            if any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in node["status"].get("conditions") or []
            )
        }

    def running_daemons(self) -> int:
        """How many pods of the machine-config-daemon run."""
        return sum(pod["status"].get("phase") == "Running" for pod in self._daemon_pods())

    def delete_stuck_daemons(self) -> None:
        """Delete pods of the machine-config-daemon that KWOK has missed; the DaemonSet creates them again.

        KWOK misses a pod that is bound just before KWOK holds the lease of the node.
        """
        for pod in self._daemon_pods():
            if is_stuck(pod, datetime.now(timezone.utc)):
                path = f"{_DAEMON_PODS}/{pod['metadata']['name']}"
                self._call("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})

    def _daemon_pods(self) -> list[dict[str, Any]]:
        pods: list[dict[str, Any]] = json.loads(self._raw(f"{_DAEMON_PODS}?labelSelector={_DAEMON_LABEL}"))["items"]
        return pods

    def _create_all(self, path: str, documents: list[dict[str, Any]]) -> bool:
        with ThreadPoolExecutor(_WRITERS) as threads:
            return all(threads.map(lambda document: self._post(path, document), documents))

    def _post(self, path: str, document: dict[str, Any]) -> bool:
        try:
            self._call("POST", path, document)
        except client.ApiException as error:
            if error.status != 409:
                raise
        return True

    def _discovered(self) -> DynamicClient:
        if self._dynamic is None:
            self._dynamic = DynamicClient(self._api, cache_file=str(self._facts.folder / "tmp" / "discovery.json"))
        return self._dynamic

    def _raw(self, path: str, timeout: float = _TIMEOUT) -> bytes:
        return self._call("GET", path, None, timeout)

    def _call(self, verb: str, path: str, body: Any, timeout: float = _TIMEOUT) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = self._api.param_serialize(verb, path, header_params=headers, body=body, auth_settings=["BearerToken"])
        answer = self._api.call_api(*request, _request_timeout=timeout)
        content = bytes(answer.read())
        if not 200 <= answer.status < 300:
            raise client.ApiException(status=answer.status, reason=content.decode(errors="replace")[:500])
        return content


def is_stuck(pod: dict[str, Any], now: datetime) -> bool:
    """Whether a scheduled pod has been Pending for longer than KWOK takes to set it to Running."""
    status = pod.get("status", {})
    bound = [c for c in status.get("conditions", []) if c["type"] == "PodScheduled" and c["status"] == "True"]
    if status.get("phase") != "Pending" or not bound:
        return False
    since = datetime.fromisoformat(bound[0]["lastTransitionTime"].replace("Z", "+00:00"))
    return (now - since).total_seconds() > _STARTS_WITHIN


def _pool_state(pool: dict[str, Any]) -> PoolState:
    status = pool.get("status", {})
    return PoolState(
        pool["metadata"]["name"],
        pool["spec"].get("configuration", {}).get("name", ""),
        status.get("machineCount", 0),
        status.get("updatedMachineCount", 0),
    )


def initial_objects(facts: Facts, manifests: Path) -> list[dict[str, Any]]:
    """Everything that must exist before the operator's controllers start, in the order of creation."""
    rendered = _render("cluster.yaml.j2", facts)
    namespaces = [document for document in rendered if document["kind"] == "Namespace"]
    rest = [document for document in rendered if document["kind"] != "Namespace"]
    gate = json.loads((manifests / "feature-gate.json").read_text(encoding="utf-8"))
    # The release payload fills the version in when it is built.
    gate["status"]["featureGates"][0]["version"] = facts.release
    gate["metadata"].pop("creationTimestamp", None)
    shipped: list[dict[str, Any]] = json.loads((manifests / "operator.json").read_text(encoding="utf-8"))
    return [*namespaces, gate, *shipped, *rest, *_render("daemon.yaml.j2", facts)]


def _render(template: str, facts: Facts) -> list[dict[str, Any]]:
    release_digest = hashlib.sha256(facts.release.encode()).hexdigest()
    text = render(
        template,
        facts=facts,
        operator_namespace=OPERATOR_NAMESPACE,
        cluster_id=uuid.uuid4(),
        release_digest=release_digest,
        release_image=f"{facts.registry_host}/lab/release@sha256:{release_digest}",
        now=now(),
        authority=base64.b64encode(facts.ca_cert.read_bytes()).decode(),
        puller_auth=base64.b64encode(facts.registry_auth_files.puller.read_bytes()).decode(),
        pusher_auth=base64.b64encode(facts.registry_auth_files.pusher.read_bytes()).decode(),
    )
    return [document for document in yaml.safe_load_all(text) if document]
