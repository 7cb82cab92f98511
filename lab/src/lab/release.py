# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenShift release the lab behaves like: version strings and what is taken from the pinned modules for it."""

from __future__ import annotations

from dataclasses import dataclass

OPERATOR_MODULE = "github.com/openshift/machine-config-operator"
API_MODULE = "github.com/openshift/api"


@dataclass(frozen=True)
class Release:
    """One release of the operator.

    ``version`` must be the same string in the binaries, the FeatureGate, the ClusterVersion and the ControllerConfig:
    the operator refuses to start where one of them differs. The file names are relative to the module they come from.
    """

    version: str
    go_folder: str
    commit: str
    crds: tuple[str, ...]
    feature_gate: str
    operator_manifests: tuple[str, ...]


_PAYLOAD = "payload-manifests/crds"
_CONFIG = f"{_PAYLOAD}/0000_10_config-operator_01"
_MACHINE_CONFIG = f"{_PAYLOAD}/0000_80_machine-config_01"
_CONTROLLER = "manifests/machineconfigcontroller"
_BUILDER = "manifests/machineosbuilder"

JULY_2025 = Release(
    version="4.20.0",
    go_folder="control-plane",
    commit="ab14c8e2843b",
    crds=(
        *(
            f"{_MACHINE_CONFIG}_{kind}.crd.yaml"
            for kind in (
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
            )
        ),
        *(
            f"{_CONFIG}_{kind}.crd.yaml"
            for kind in (
                "apiservers-Default",
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
        ),
        f"{_PAYLOAD}/0000_03_config-operator_01_proxies.crd.yaml",
        "config/v1/zz_generated.crd-manifests/0000_00_cluster-version-operator_01_clusterversions-Default.crd.yaml",
        "config/v1/zz_generated.crd-manifests/0000_00_cluster-version-operator_01_clusteroperators.crd.yaml",
        "machine/v1beta1/zz_generated.crd-manifests/0000_10_machine-api_01_machinesets-Default.crd.yaml",
        # Without a served Route the builder never deletes an image from the registry.
        "route/v1/zz_generated.crd-manifests/routes.crd.yaml",
    ),
    feature_gate="payload-manifests/featuregates/featureGate-SelfManagedHA-Default.yaml",
    operator_manifests=(
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
    ),
)
