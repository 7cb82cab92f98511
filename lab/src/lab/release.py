# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenShift releases the lab behaves like: version strings and what is taken from the pinned modules for each."""

from __future__ import annotations

from dataclasses import dataclass

OPERATOR_MODULE = "github.com/openshift/machine-config-operator"
API_MODULE = "github.com/openshift/api"


@dataclass(frozen=True)
class Release:
    """One release of the operator.

    ``version`` must be the same string in the binaries, the FeatureGate, the ClusterVersion and the ControllerConfig:
    the operator refuses to start where one of them differs. The file names are relative to the module they come from.
    ``go_folder`` holds the module that pins both. ``also_enabled`` are feature gates that the release's default leaves
    off and image mode needs.
    """

    version: str
    go_folder: str
    commit: str
    crds: tuple[str, ...]
    operator_manifests: tuple[str, ...]
    feature_gate: str = "payload-manifests/featuregates/featureGate-SelfManagedHA-Default.yaml"
    also_enabled: tuple[str, ...] = ()

    @property
    def train(self) -> str:
        """The release as users name it: ``4.20``."""
        return self.version.rpartition(".")[0]


_PAYLOAD = "payload-manifests/crds"
_CONTROLLER = "manifests/machineconfigcontroller"
_BUILDER = "manifests/machineosbuilder"

# Byte for byte the same in both releases, but for rules of the builder's cluster role.
_OPERATOR_MANIFESTS = (
    *(
        f"{_CONTROLLER}/{name}.yaml"
        for name in (
            "sa",
            "clusterrole",
            "clusterrolebinding",
            "events-clusterrole",
            "events-rolebinding-default",
            "events-rolebinding-target",
            "custom-machine-config-pool-selector-validatingadmissionpolicy",
            "custom-machine-config-pool-selector-validatingadmissionpolicybinding",
            "machineconfiguration-guards-validatingadmissionpolicy",
            "machineconfiguration-guards-validatingadmissionpolicybinding",
        )
    ),
    *(
        f"{_BUILDER}/{name}.yaml"
        for name in (
            "sa",
            "clusterrole",
            "clusterrolebinding-service-account",
            "events-clusterrole",
            "events-rolebinding-default",
            "events-rolebinding-target",
        )
    ),
    "manifests/machineconfigdaemon/sa.yaml",
    "manifests/machine-os-puller/sa.yaml",
    "manifests/master.machineconfigpool.yaml",
    "manifests/worker.machineconfigpool.yaml",
)


def _crds(machine_config: tuple[str, ...], api_servers: str, routes: str) -> tuple[str, ...]:
    """The files of the CRDs a lab serves: the releases differ in the suffixes of a few."""
    config = (
        api_servers,
        "dnses",
        "featuregates",
        "images-Default",
        "imagedigestmirrorsets",
        "imagetagmirrorsets",
        "imagecontentsourcepolicies",
        "infrastructures-Default",
        "ingresses",
        "networks",
        "nodes-Default",
        "schedulers-Default",
    )
    versions = "config/v1/zz_generated.crd-manifests/0000_00_cluster-version-operator_01"
    return (
        *(f"{_PAYLOAD}/0000_80_machine-config_01_{kind}.crd.yaml" for kind in machine_config),
        *(f"{_PAYLOAD}/0000_10_config-operator_01_{kind}.crd.yaml" for kind in config),
        f"{_PAYLOAD}/0000_03_config-operator_01_proxies.crd.yaml",
        f"{versions}_clusterversions-Default.crd.yaml",
        f"{versions}_clusteroperators.crd.yaml",
        "machine/v1beta1/zz_generated.crd-manifests/0000_10_machine-api_01_machinesets-Default.crd.yaml",
        # Without a served Route the builder of 4.20 never deletes an image from the registry.
        f"route/v1/zz_generated.crd-manifests/{routes}.crd.yaml",
    )


JULY_2025 = Release(
    version="4.20.0",
    go_folder="control-plane",
    commit="ab14c8e2843b",
    crds=_crds(
        (
            "containerruntimeconfigs",
            "controllerconfigs-Default",
            "kubeletconfigs",
            "machineconfignodes",
            "machineconfigpools",
            "machineconfigs",
            "machineconfigurations",
            "machineosbuilds",
            "machineosconfigs",
            "pinnedimagesets",
        ),
        api_servers="apiservers-Default",
        routes="routes",
    ),
    operator_manifests=_OPERATOR_MANIFESTS,
)
"""The first release, which a lab is unless another is asked for."""

MARCH_2025 = Release(
    version="4.19.0",
    go_folder="control-plane-4.19",
    commit="53e78f3692ee",
    crds=_crds(
        (
            "containerruntimeconfigs",
            "controllerconfigs-Default",
            "kubeletconfigs",
            "machineconfignodes-TechPreviewNoUpgrade",
            "machineconfigpools-Default",
            "machineconfigs",
            "machineconfigurations",
            "machineosbuilds-TechPreviewNoUpgrade",
            "machineosconfigs-TechPreviewNoUpgrade",
            "pinnedimagesets-TechPreviewNoUpgrade",
        ),
        api_servers="apiservers",
        routes="routes-Default",
    ),
    operator_manifests=_OPERATOR_MANIFESTS,
    also_enabled=("OnClusterBuild",),
)
"""The release before, with the operator's behaviour up to 4.19."""

RELEASES = {release.train: release for release in (JULY_2025, MARCH_2025)}
