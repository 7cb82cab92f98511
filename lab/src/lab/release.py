# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenShift releases the lab behaves like: version strings and what is taken from the pinned modules for each."""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import LabError

OPERATOR_MODULE = "github.com/openshift/machine-config-operator"
API_MODULE = "github.com/openshift/api"
V1 = "v1"
V1ALPHA1 = "v1alpha1"


@dataclass(frozen=True)
class Release:
    """One release of the operator.

    ``version`` must be the same string in the binaries, the FeatureGate, the ClusterVersion and the ControllerConfig:
    the operator refuses to start where one of them differs. The file names are relative to the module they come from.
    ``go_folder`` holds the module that pins both. ``also_enabled`` are feature gates that the release's default leaves
    off and image mode needs. ``api`` is the version in which MachineOSConfig and MachineOSBuild are served; the
    CRDs and the FeatureGate are of the module in ``api_folder``.
    """

    version: str
    go_folder: str
    commit: str
    crds: tuple[str, ...]
    operator_manifests: tuple[str, ...]
    feature_gate: str = "payload-manifests/featuregates/featureGate-SelfManagedHA-Default.yaml"
    also_enabled: tuple[str, ...] = ()
    api: str = V1
    api_folder: str = ""
    operator_programs: tuple[str, ...] = ("machine-config-controller", "machine-os-builder")

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

_V1_MANIFESTS = "machineconfiguration/v1/zz_generated.crd-manifests"
_V1ALPHA1_MANIFESTS = "machineconfiguration/v1alpha1/zz_generated.crd-manifests"
_VERSION_MANIFESTS = "config/v1/zz_generated.crd-manifests/0000_00_cluster-version-operator_01"
_TECH_PREVIEW = "TechPreviewNoUpgrade"

AUGUST_2024 = Release(
    version="4.16.0",
    # The operator of that time cannot be downloaded. Of this one only the controllers run that the API's version does
    # not concern.
    go_folder="control-plane",
    commit="ab14c8e2843b",
    crds=(
        *(
            f"{_V1_MANIFESTS}/0000_80_machine-config_01_{kind}.crd.yaml"
            for kind in (
                "containerruntimeconfigs",
                f"controllerconfigs-{_TECH_PREVIEW}",
                "kubeletconfigs",
                f"machineconfigpools-{_TECH_PREVIEW}",
                "machineconfigs",
            )
        ),
        *(
            f"{_V1ALPHA1_MANIFESTS}/0000_80_machine-config_01_{kind}-{_TECH_PREVIEW}.crd.yaml"
            for kind in ("machineconfignodes", "machineosbuilds", "machineosconfigs", "pinnedimagesets")
        ),
        f"operator/v1/zz_generated.crd-manifests/0000_80_machine-config_01_machineconfigurations-{_TECH_PREVIEW}.crd.yaml",
        *(
            f"{_PAYLOAD}/0000_10_config-operator_01_{kind}.crd.yaml"
            # No Scheduler: the node controller waits for its list and does nothing. See lab.v1alpha1.
            for kind in (
                "apiservers",
                "dnses",
                "featuregates",
                "images",
                "imagedigestmirrorsets",
                "imagetagmirrorsets",
                "imagecontentsourcepolicies",
                f"infrastructures-{_TECH_PREVIEW}",
                "ingresses",
                "networks",
                "nodes",
            )
        ),
        *(
            f"config/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_{kind}-{_TECH_PREVIEW}.crd.yaml"
            for kind in ("clusterimagepolicies", "imagepolicies")
        ),
        f"{_PAYLOAD}/0000_03_config-operator_01_proxies.crd.yaml",
        f"{_VERSION_MANIFESTS}_clusterversions-{_TECH_PREVIEW}.crd.yaml",
        f"{_VERSION_MANIFESTS}_clusteroperators.crd.yaml",
        "machine/v1beta1/zz_generated.crd-manifests/0000_10_machine-api_01_machinesets.crd.yaml",
    ),
    operator_manifests=_OPERATOR_MANIFESTS,
    feature_gate=f"payload-manifests/featuregates/featureGate-SelfManagedHA-{_TECH_PREVIEW}.yaml",
    api=V1ALPHA1,
    api_folder="api-v1alpha1",
    operator_programs=("machine-config-controller",),
)
"""The generation before v1: image mode as a technology preview, with its builder, node side and operator scripted."""

RELEASES = {release.train: release for release in (JULY_2025, MARCH_2025)}
"""The releases that serve MachineOSConfig v1."""

EVERY_RELEASE = {**RELEASES, AUGUST_2024.train: AUGUST_2024}


def release_for(train: str | None, api: str | None) -> Release:
    """Return the release that the options name. Raises LabError if the release serves another version of the API."""
    if train is None:
        return AUGUST_2024 if api == V1ALPHA1 else JULY_2025
    release = EVERY_RELEASE[train]
    if api not in (None, release.api):
        raise LabError(
            f"Could not use API {api} with release {train}: it serves {release.api}. Remove --api or --release."
        )
    return release
