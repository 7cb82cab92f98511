# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image should the nodes of a pool have booted?

The caller's, or the one of the pool's MachineOSConfig while it answers for its present spec, or, in a pool that is not
layered, the one of the rendered MachineConfig.
"""

from __future__ import annotations

from .._cluster.session import Session
from .._errors import Refused
from .._model.build_progress import Outcome, build_progress
from .._model.machineosbuild import POOL_LABEL, MachineOSBuild
from .._model.machineosconfig import MachineOSConfig, that_serves
from .._model.pool import Pool
from .._model.resources import MACHINE_CONFIG, MACHINE_OS_BUILD, MACHINE_OS_CONFIG
from .._model.verdict import Expected

EXPECTED_OF_NOBODY = Expected("", "", "none", current=False)
"""Of a node that no pool drives, or that two custom pools select."""


def expected_by_option(expected_image: str, what: str) -> Expected:
    """Return the caller's expectation.

    :raises Refused: it names no digest
    """
    try:
        return Expected.of_pull_spec(expected_image, "option")
    except ValueError as error:
        raise Refused(what, f"expected_image: {error}", "Give it as HOST/NAME@sha256:... or sha256:...") from None


def expected_of_pool(session: Session, pool: Pool, what: str) -> Expected:
    """Return what the cluster expects of a pool's nodes.

    :raises Refused: the pool names no image
    """
    config = that_serves(pool.name, session.list(MACHINE_OS_CONFIG).items)
    if config is None:
        return _of_rendered_config(session, pool, what)
    wanted = MachineOSConfig.from_api(config)
    builds = session.list(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool.name}").items
    progress = build_progress(wanted, [MachineOSBuild.from_api(b) for b in builds], pool.rendered_config)
    current = progress.outcome is Outcome.SUCCEEDED
    if not wanted.current_image_pull_spec:
        return Expected("", "", "machineosconfig", current=False)
    return Expected.of_pull_spec(wanted.current_image_pull_spec, "machineosconfig", current)


def _of_rendered_config(session: Session, pool: Pool, what: str) -> Expected:
    if not pool.rendered_config:
        raise Refused(what, f"MachineConfigPool {pool.name} is not rendered yet", "Wait for it, or give expected_image")
    rendered = session.get(MACHINE_CONFIG, pool.rendered_config)
    image = str((rendered.get("spec") or {}).get("osImageURL", ""))
    try:
        return Expected.of_pull_spec(image, "machineconfig")
    except ValueError:
        reason = f"MachineConfig {pool.rendered_config} names no image with a digest"
        raise Refused(what, reason, "Give expected_image") from None
