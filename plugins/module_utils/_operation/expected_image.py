# SPDX-License-Identifier: GPL-3.0-or-later
"""Expected image of the nodes of a pool, and the Containerfile that it was built from.

It is the user's image, or the image of the pool's MachineOSConfig if it was built from the current spec, or, in a pool
without layering, the image of the rendered MachineConfig. MachineConfigs contain the global pull secret, so not every
account can read them. Without that right the image of such a pool is not known, and no node matches.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._cluster.api_error import ApiError, Forbidden, Unreachable
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.run_spec import ANY_RUN, RunSpec
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosconfig import MachineOSConfig, that_serves
from .._model.objects.resources import MACHINE_CONFIG, MACHINE_OS_BUILD, MACHINE_OS_CONFIG, POOL_LABEL, Object
from .._model.objects.subject import Subject
from .._model.proof.expectation import (
    EXPECTATION_FORBIDDEN,
    NO_EXPECTATION,
    NOT_RENDERED,
    PoolExpectation,
    expectation_of_config,
    image_of_rendered_config,
)
from .._model.proof.verdict import Expected


def expected_by_option(expected_image: str, what: str, run: RunSpec = ANY_RUN) -> Expected:
    """Return the expectation of the option ``expected_image``. It is not current if the run built another image.

    :raises OperationError: it has no digest
    """
    try:
        expected = Expected.of_pull_spec(expected_image, "option")
    except ValueError as error:
        remedy = "Set expected_image to HOST/NAME@sha256:... or sha256:..."
        raise OperationError(what, f"expected_image: {error}", remedy) from None
    if run.image and not expected.is_image(run.image):
        return replace(expected, current=False, why_not=f"the build of this run has the image {run.image}")
    return expected


def expected_by_inventory(expected: t.Any, what: str) -> Expected:
    """Return the expectation that the inventory plugin read from the cluster.

    :param expected: variable ``image_mode_expected`` of the host
    :raises OperationError: it is not valid or has no digest
    """
    remedy = "Set expected_image, or refresh the inventory imagemode.openshift.nodes"
    if not isinstance(expected, t.Mapping) or not isinstance(expected.get("source"), str):
        raise OperationError(what, "the variable image_mode_expected is not valid", remedy)
    if expected["source"] == NO_EXPECTATION.source:
        return NO_EXPECTATION
    if not expected.get("pull_spec"):
        return Expected("", "", str(expected["source"]), current=False)
    try:
        return Expected.of_pull_spec(
            str(expected["pull_spec"]), str(expected["source"]), expected.get("current") is True
        )
    except ValueError as error:
        raise OperationError(what, f"image_mode_expected: {error}", remedy) from None


def expectation_of_pool(
    session: Session, pool: Pool, configs: t.Iterable[Object], run: RunSpec = ANY_RUN
) -> PoolExpectation:
    """Return the image that the cluster expects for the nodes of a pool, and the Containerfile of the pool.

    :param configs: all MachineOSConfigs of the cluster
    :param run: the spec that the run wrote, and the image that was built from it
    :raises OperationError: the pool is not rendered, its image has no digest, or another client changed the spec
    """
    what = f"verify MachineConfigPool {pool.name}"
    obj = that_serves(pool.name, configs)
    config = MachineOSConfig.from_api(obj) if obj else None
    changed = run.changed_by_other(pool.name, config)
    if changed:
        raise OperationError(what, changed, run.REMEDY)
    if config is not None:
        builds = session.list(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool.name}").items
        return expectation_of_config(config, builds, pool, run)
    expected = expected_of_rendered_config(session, pool)
    if expected is NOT_RENDERED:
        reason = f"MachineConfigPool {pool.name} is not rendered yet"
        raise OperationError(what, reason, "Wait until it is rendered, or set expected_image")
    if expected is not EXPECTATION_FORBIDDEN and not expected.digest:
        reason = f"the image of MachineConfig {pool.rendered_config} has no digest"
        raise OperationError(what, reason, "Set expected_image")
    return PoolExpectation(expected)


def optional_expectation(session: Session, pool: Pool, run: RunSpec = ANY_RUN) -> PoolExpectation | None:
    """Return the image and the Containerfile of a pool whose nodes are compared with the user's image.

    Only the Containerfile is used, so it is None if the pool has no MachineOSConfig or the account cannot read it.
    """
    of_pool = Subject(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool.name}")
    try:
        obj = that_serves(pool.name, session.pages(Subject(MACHINE_OS_CONFIG)).items)
        builds = session.pages(of_pool).items if obj else []
        return expectation_of_config(MachineOSConfig.from_api(obj), builds, pool, run) if obj else None
    except (ApiError, Unreachable, ValueError):
        return None


def expected_of_rendered_config(session: Session, pool: Pool) -> Expected:
    """Return the image of a pool's rendered MachineConfig. Its digest is empty if the image has none.

    :raises OperationError: the MachineConfig cannot be read, for another reason than missing rights
    """
    if not pool.rendered_config:
        return NOT_RENDERED
    try:
        image = image_of_rendered_config(session.get(MACHINE_CONFIG, pool.rendered_config))
    except Forbidden:
        return EXPECTATION_FORBIDDEN
    try:
        return Expected.of_pull_spec(image, "machineconfig")
    except ValueError:
        return Expected(image, "", "machineconfig")
