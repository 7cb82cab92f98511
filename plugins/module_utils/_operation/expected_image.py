# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image should the nodes of a pool have booted?

The caller's, or the one of the pool's MachineOSConfig while it answers for its present spec, or, in a pool that is not
layered, the one of the rendered MachineConfig. MachineConfigs contain the global pull secret, so not every account may
read them. Without that right the image of such a pool is not known, and nothing matches it.
"""

from __future__ import annotations

import typing as t

from .._cluster.api_error import Forbidden
from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosbuild import POOL_LABEL
from .._model.objects.machineosconfig import that_serves
from .._model.objects.resources import MACHINE_CONFIG, MACHINE_OS_BUILD, MACHINE_OS_CONFIG
from .._model.proof.expectation import (
    EXPECTATION_FORBIDDEN,
    NO_EXPECTATION,
    expected_of_config,
    image_of_rendered_config,
)
from .._model.proof.verdict import Expected


def expected_by_option(expected_image: str, what: str) -> Expected:
    """Return the caller's expectation.

    :raises OperationError: it names no digest
    """
    try:
        return Expected.of_pull_spec(expected_image, "option")
    except ValueError as error:
        raise OperationError(
            what, f"expected_image: {error}", "Give it as HOST/NAME@sha256:... or sha256:..."
        ) from None


def expected_by_inventory(said: t.Any, what: str) -> Expected:
    """Return what the inventory of nodes read of the cluster.

    :param said: the host's variable ``image_mode_expected``
    :raises OperationError: it cannot be read, or names no digest
    """
    remedy = "Give expected_image, or read the inventory imagemode.openshift.nodes anew"
    if not isinstance(said, t.Mapping) or not isinstance(said.get("source"), str):
        raise OperationError(what, "the variable image_mode_expected is not what that inventory writes", remedy)
    if said["source"] == NO_EXPECTATION.source:
        return NO_EXPECTATION
    if not said.get("pull_spec"):
        return Expected("", "", str(said["source"]), current=False)
    try:
        return Expected.of_pull_spec(str(said["pull_spec"]), str(said["source"]), said.get("current") is True)
    except ValueError as error:
        raise OperationError(what, f"image_mode_expected: {error}", remedy) from None


def expected_of_pool(session: Session, pool: Pool, what: str) -> Expected:
    """Return what the cluster expects of a pool's nodes.

    :raises OperationError: the pool names no image
    """
    config = that_serves(pool.name, session.list(MACHINE_OS_CONFIG).items)
    if config is None:
        return _of_rendered_config(session, pool, what)
    builds = session.list(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool.name}").items
    return expected_of_config(config, builds, pool)


def _of_rendered_config(session: Session, pool: Pool, what: str) -> Expected:
    if not pool.rendered_config:
        raise OperationError(
            what, f"MachineConfigPool {pool.name} is not rendered yet", "Wait for it, or give expected_image"
        )
    image = rendered_image(session, pool)
    if image is None:
        return EXPECTATION_FORBIDDEN
    try:
        return Expected.of_pull_spec(image, "machineconfig")
    except ValueError:
        reason = f"MachineConfig {pool.rendered_config} names no image with a digest"
        raise OperationError(what, reason, "Give expected_image") from None


def rendered_image(session: Session, pool: Pool) -> str | None:
    """Return the image that a pool's rendered MachineConfig names, or None when the account may not read it.

    :raises OperationError: the MachineConfig cannot be read for another reason
    """
    try:
        return image_of_rendered_config(session.get(MACHINE_CONFIG, pool.rendered_config))
    except Forbidden:
        return None
