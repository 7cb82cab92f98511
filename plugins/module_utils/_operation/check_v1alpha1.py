# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks before a write that only v1alpha1 needs, with the requests for them. With v1 nothing here is called."""

from __future__ import annotations

import typing as t

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosconfig import MachineOSConfig, WantedConfig
from .._model.objects.resources import MACHINE_CONFIG, MACHINE_CONFIG_POOL, Object, metadata_of
from .._model.preflight.extensions import reject_extensions
from .._model.preflight.pull_secret import reject_without_pull_secret
from .._model.preflight.push_spec_v1alpha1 import reject_push_spec_in_v1alpha1
from .._model.preflight.rejection import Rejection
from .._model.preflight.unrendered_pool import reject_unrendered_pool

_INTERVAL = 2.0
"""Seconds between two requests for a pool that is not rendered yet. It takes about five in all."""
_REQUESTS = 30


def reject_values(wanted: WantedConfig, current: Object | None) -> Rejection | None:
    """Return which option v1alpha1 does not accept, or None. No request.

    :param current: the MachineOSConfig of the pool
    """
    push_spec = wanted.rendered_image_push_spec
    rejection = reject_push_spec_in_v1alpha1(push_spec) if push_spec is not None else None
    if rejection is not None or current is None:
        return rejection
    config = MachineOSConfig.from_api(current)
    return reject_without_pull_secret(config.name, config.current_image_pull_secret, wanted.current_image_pull_secret)


def await_rendering(session: Session, pool: Pool) -> Pool:
    """Return a pool when it is rendered, or as it is after a minute.

    Nothing is known of what the operator builds for a pool that is not rendered, and a run can have created it a moment
    ago.
    """
    for dummy in range(_REQUESTS):
        if pool.rendered_config or pool.render_error:
            break
        session.sleep(_INTERVAL)
        served = session.list(MACHINE_CONFIG_POOL).items
        pool = next((Pool.from_api(obj) for obj in served if metadata_of(obj)["name"] == pool.name), pool)
    return pool


def check_extensions(
    session: Session, pool: Pool, containerfile: str, warn: t.Callable[[str], None]
) -> Rejection | None:
    """Return which extensions or kernel type of a pool its image would not have, or None.

    One request, which needs the right to read MachineConfigs. Without it there is a warning.

    :param warn: receives warnings for the user
    """
    try:
        rendered = _rendered_config(session, pool)
    except OperationError as error:
        warn(f"The extensions and the kernel type of MachineConfigPool {pool.name} were not checked: {error.reason}")
        return None
    return reject_extensions(pool.name, rendered, containerfile)


def reject_pool(session: Session, pool: Pool | None, containerfile: str) -> Rejection | None:
    """Return why no build for a pool can work, or None. At most one request.

    What is not known yet is left to the run: a pool that it creates, and one that is not rendered yet.

    :param pool: the pool before the run; None if it does not exist
    """
    if pool is None or (not pool.rendered_config and not pool.render_error):
        return None
    return reject_unrendered_pool(pool) or check_extensions(session, pool, containerfile, lambda dummy: None)


def _rendered_config(session: Session, pool: Pool) -> Object:
    return session.get(MACHINE_CONFIG, pool.rendered_config) if pool.rendered_config else {}
