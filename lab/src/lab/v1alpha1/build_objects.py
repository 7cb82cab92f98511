# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one build of this generation: its pod, its ConfigMaps and the copies of old secrets."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.build import OPERATOR_NAMESPACE
from lab.node_annotations import PREFIX
from lab.v1alpha1.objects import (
    BUILD_POD_LABEL,
    BUILDER,
    CANONICAL_LABEL,
    GROUP,
    ORIGINAL_LABEL,
    POOL_LABEL,
    RENDERED_LABEL,
    Object,
    build_name,
    containerfile_map,
    digest_map,
    machine_config_map,
    name_of,
    pod_name,
    pool_of,
)

_BUILDAH_IMAGE = "quay.io/buildah/stable:latest"
_CANONICAL = "-canonical"

# The shipped script cannot be had. This one has its inputs and results: environment, volumes, digest file, exit status.
_BUILD = """\
set -xeu
context="$HOME/context"
mkdir -p "$context/machineconfig"
cp /tmp/dockerfile/Dockerfile "$context/Dockerfile"
cp /tmp/machineconfig/machineconfig.json.gz "$context/machineconfig/machineconfig.json.gz"
buildah bud --storage-driver vfs --authfile "$BASE_IMAGE_PULL_CREDS" --tag "$TAG" \\
    --file "$context/Dockerfile" "$context"
buildah push --storage-driver vfs --authfile "$FINAL_IMAGE_PUSH_CREDS" --digestfile /tmp/done/digestfile "$TAG"
"""
# It is not told that the build failed, and waits on.
_WAIT = f"""\
set -xeu
until [ -s /tmp/done/digestfile ]; do sleep 1; done
oc create configmap "$DIGEST_CONFIGMAP_NAME" --namespace {OPERATOR_NAMESPACE} --from-file=digest=/tmp/done/digestfile
"""

_CONTAINERFILE = """\
FROM {base} AS extract
COPY ./machineconfig/machineconfig.json.gz /tmp/machineconfig.json.gz
RUN mkdir -p /etc/machine-config-daemon && \\
    base64 -d /tmp/machineconfig.json.gz | gunzip -c > /etc/machine-config-daemon/currentconfig

FROM {base} AS configs
COPY --from=extract /etc/machine-config-daemon/currentconfig /etc/machine-config-daemon/currentconfig
RUN exec -a ignition-apply /usr/lib/dracut/modules.d/30ignition/ignition --ignore-unsupported \\
    /etc/machine-config-daemon/currentconfig && ostree container commit
LABEL machineconfig={rendered}
LABEL machineconfigpool={pool}
LABEL releaseversion={version}
LABEL baseOSContainerImage={base}

{content}
"""


class UnusableSecret(Exception):
    """A secret is missing or of another type; the text is what the builder logs."""


@dataclass(frozen=True)
class OptionalMount:
    """An object that is mounted into the build where it exists."""

    name: str
    is_secret: bool
    path: str

    @property
    def annotation(self) -> str:
        """The annotation of a build that it was mounted into."""
        return f"{PREFIX}has-{self.name}"


OPTIONAL_MOUNTS = (
    OptionalMount("etc-pki-entitlement", True, "/etc/pki/entitlement"),
    OptionalMount("etc-yum-repos-d", False, "/etc/yum.repos.d"),
    OptionalMount("etc-pki-rpm-gpg", True, "/etc/pki/rpm-gpg"),
)


@dataclass(frozen=True)
class Secrets:
    """The names of the secrets that a build mounts."""

    base: str
    push: str


@dataclass(frozen=True)
class Request:
    """What a build is made of: the MachineOSConfig, the rendered config, and the release's image and version."""

    config: Object
    rendered: Object
    base_image: str
    release: str
    optional: tuple[OptionalMount, ...] = ()

    @property
    def rendered_name(self) -> str:
        """The name of the rendered config."""
        return name_of(self.rendered)

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The MachineOSConfig's build inputs."""
        inputs: Mapping[str, Any] = self.config["spec"]["buildInputs"]
        return inputs


def machine_os_build(config: Object, rendered: str) -> dict[str, Any]:
    """The MachineOSBuild of a MachineOSConfig: named after the pool, without labels and owner."""
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "MachineOSBuild",
        "metadata": {"name": build_name(pool_of(config), rendered)},
        "spec": {
            "configGeneration": 1,
            "version": 1,
            "desiredConfig": {"name": rendered},
            "machineOSConfig": {"name": name_of(config)},
            "renderedImagePushspec": config["spec"]["buildInputs"]["renderedImagePushspec"],
        },
    }


def pushed_tag(pushspec: str, rendered: str) -> str:
    """The tag that is pushed: the rendered config's name in the repository of ``pushspec``."""
    return f"{repository(pushspec)}:{rendered}"


def repository(pushspec: str) -> str:
    """A push spec without its tag."""
    host, slash, path = pushspec.partition("/")
    return f"{host}{slash}{path.partition(':')[0]}"


def config_maps(request: Request) -> list[dict[str, Any]]:
    """The rendered config and the Containerfile, in the order of their creation."""
    plain = json.dumps(request.rendered).encode()
    packed = base64.b64encode(gzip.compress(plain)).decode()
    return [
        _config_map(request, machine_config_map(request.rendered_name), {"machineconfig.json.gz": packed}),
        _config_map(request, containerfile_map(request.rendered_name), {"Dockerfile": containerfile(request)}),
    ]


def _config_map(request: Request, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(request, name), "data": dict(data)}


def containerfile(request: Request) -> str:
    """The generated Containerfile. Only content for every architecture is used."""
    files = request.inputs.get("containerFile") or []
    content = next((item["content"] for item in files if item.get("containerfileArch", "noarch") == "noarch"), "")
    return _CONTAINERFILE.format(
        base=request.inputs.get("baseOSImagePullspec") or request.base_image,
        rendered=request.rendered_name,
        pool=pool_of(request.config),
        version=request.inputs.get("releaseVersion") or request.release,
        content=content,
    )


def pod(request: Request, secrets: Secrets) -> dict[str, Any]:
    """The bare pod that builds and pushes."""
    rendered = request.rendered_name
    done = {"name": "done", "mountPath": "/tmp/done"}  # noqa: S108 - a path in the pod
    creds = {"BASE_IMAGE_PULL_CREDS": "base-image-pull-creds", "FINAL_IMAGE_PUSH_CREDS": "final-image-push-creds"}
    variables = {
        "DIGEST_CONFIGMAP_NAME": digest_map(rendered),
        "HOME": "/home/build",
        "TAG": pushed_tag(str(request.inputs["renderedImagePushspec"]), rendered),
        **{variable: f"/tmp/{volume}/config.json" for variable, volume in creds.items()},  # noqa: S108
    }
    mounts = [
        *(
            {"name": name, "mountPath": f"/tmp/{name}"}  # noqa: S108
            for name in ("dockerfile", "machineconfig", *creds.values())
        ),
        done,
        {"name": "buildah-cache", "mountPath": "/home/build/.local/share/containers"},
        *({"name": optional.name, "mountPath": optional.path} for optional in request.optional),
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(request, pod_name(rendered)),
        "spec": {
            "serviceAccountName": BUILDER,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "containers": [
                _container("image-build", _BUILDAH_IMAGE, _BUILD, variables, mounts),
                _container("wait-for-done", request.base_image, _WAIT, variables, [done]),
            ],
            "volumes": _volumes(request, secrets),
        },
    }


def _container(
    name: str, image: str, script: str, variables: Mapping[str, str], mounts: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Always",
        "command": ["/bin/bash", "-c", script],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "volumeMounts": mounts,
        "securityContext": {"runAsUser": 1000, "runAsGroup": 1000},
        "terminationMessagePolicy": "File",
    }


def _volumes(request: Request, secrets: Secrets) -> list[dict[str, Any]]:
    def credentials(name: str, secret: str) -> dict[str, Any]:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        return {"name": name, "secret": {"secretName": secret, "items": items}}

    rendered = request.rendered_name
    return [
        {"name": "dockerfile", "configMap": {"name": containerfile_map(rendered)}},
        {"name": "machineconfig", "configMap": {"name": machine_config_map(rendered)}},
        credentials("base-image-pull-creds", secrets.base),
        credentials("final-image-push-creds", secrets.push),
        {"name": "done", "emptyDir": {"medium": "Memory"}},
        {"name": "buildah-cache", "emptyDir": {}},
        *(
            {"name": optional.name, "secret": {"secretName": optional.name}}
            if optional.is_secret
            else {"name": optional.name, "configMap": {"name": optional.name}}
            for optional in request.optional
        ),
    ]


def _metadata(request: Request, name: str) -> dict[str, Any]:
    marks = {optional.annotation: "" for optional in request.optional}
    return {
        "name": name,
        "namespace": OPERATOR_NAMESPACE,
        "labels": {
            BUILD_POD_LABEL: "",
            RENDERED_LABEL: request.rendered_name,
            POOL_LABEL: pool_of(request.config),
        },
        "annotations": {f"{PREFIX}pool": "", **marks},
    }


def canonical_secret(secret: Object) -> dict[str, Any] | None:
    """The copy of a secret of the old form, or None for one that can be mounted as it is.

    Raises UnusableSecret for a secret that is no registry credential.
    """
    kind = secret.get("type", "Opaque")
    if kind == "kubernetes.io/dockerconfigjson":
        return None
    if kind != "kubernetes.io/dockercfg":
        raise UnusableSecret(f"unknown secret type {kind}")
    name = name_of(secret)
    try:
        content = json.loads(base64.b64decode(secret["data"][".dockercfg"]))
    except (KeyError, ValueError) as error:
        raise UnusableSecret(f"could not read .dockercfg of secret {name}: {error}") from error
    if "auths" in content:
        return None
    packed = base64.b64encode(json.dumps({"auths": content}).encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}{_CANONICAL}", "labels": {CANONICAL_LABEL: "", ORIGINAL_LABEL: name}},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": packed},
    }


def original_name(secret: Object) -> str:
    """The secret that a canonical copy was made of, or the secret itself."""
    labels = secret["metadata"].get("labels") or {}
    return str(labels.get(ORIGINAL_LABEL) or name_of(secret))
