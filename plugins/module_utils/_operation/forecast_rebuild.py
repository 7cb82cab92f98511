# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecast the rebuild of an image on OpenShift 4.16 and 4.17, where an edit alone starts no build.

The forecast is the rebuild itself, which in check mode ends before its first write. So both list the same deletions and
fail for the same reasons.
"""

from __future__ import annotations

import typing as t

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineosconfig import patched
from .._model.objects.resources import Object
from .check_secrets import PlannedSecrets
from .check_v1alpha1 import reject_pool
from .forecast_inputs import ForecastRequest, PlannedConfig, PlannedPool
from .reboot_consent import CONSENT, require_reboot_consent
from .rebuild_pod_build import Rebuild, RebuildRequest, rebuild_pod_build
from .rejections import raise_rejection


def forecast_rebuild(
    session: Session, request: ForecastRequest, config: PlannedConfig, pool: PlannedPool
) -> Rebuild | None:
    """Return what a rebuild would do, or None if the run makes none.

    :raises OperationError: the rebuild would fail
    """
    if config.current is None or config.wanted is None or not config.is_v1alpha1:
        return None

    def prepare(current: Object, patch: t.Mapping[str, t.Any]) -> list[str]:
        after = patched(current, patch)
        check_secrets(session, request, PlannedSecrets.of(after, after.secrets))
        raise_rejection(request.what, reject_pool(session, pool.before, after.containerfile))
        return require_consent(request, pool)

    rebuild = RebuildRequest(config.wanted, True, prepare, warn=lambda dummy: None)
    return rebuild_pod_build(session, config.current, rebuild)


def check_secrets(session: Session, request: ForecastRequest, secrets: PlannedSecrets) -> None:
    """Check Secrets, except those that the same run creates or updates.

    What is uncertain, and a Secret that cannot be read, is left to module machineosconfig, which warns of it.

    :raises OperationError: one does not exist, has the wrong type, or is of no use
    """
    for name in secrets.names:
        if name in request.new_secrets:
            continue
        try:
            rejection = secrets.check(session, name, warn=lambda dummy: None)
        except OperationError:
            continue
        raise_rejection(request.what, rejection)


def require_consent(request: ForecastRequest, pool: PlannedPool) -> list[str]:
    """Return the nodes that a new image reboots.

    A pause would be no remedy: the same run would have to end it.

    :raises OperationError: nodes would reboot without consent
    """
    if pool.before is None:
        return []
    return require_reboot_consent(request.what, pool.before, list(pool.present), request.allow_node_reboots, CONSENT)
