# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete what the operator of OpenShift 4.16 and 4.17 leaves of a deleted MachineOSConfig.

It deletes the build of the pool's rendered config, if it runs at that moment. All else stays, and would keep a later
MachineOSConfig of the pool from being built. See docs/operator-behavior.md ("Rebuild in v1alpha1").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.api_error import Forbidden
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.build_objects import COPY_LABEL, Deletion, all_objects, builds_of_pool, copied_secrets
from .._model.build.pod_build import is_built_by_pod
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosconfig import MachineOSConfig, that_serves
from .._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    OPERATOR_NAMESPACE,
    SECRET,
    Object,
    labels_of,
    metadata_of,
)
from .delete_build_objects import delete_or_forecast, read_build_pods, read_builds, require_rights


@dataclass(frozen=True)
class LeftObjects:
    """What is left when a MachineOSConfig is deleted."""

    what: str = ""
    """Verb, kind and name for errors."""
    objects: tuple[Deletion, ...] = ()
    copies: tuple[str, ...] = ()
    """Secrets that may be copies by the operator."""

    def require_rights(self, session: Session) -> None:
        """Check the rights before anything is deleted.

        :raises OperationError: a right is missing
        """
        if self.objects:
            require_rights(session, self.what)

    def has_rights(self, session: Session, warn: t.Callable[[str], None]) -> bool:
        """Whether the account may delete them. Without a MachineOSConfig it is only a warning if it may not."""
        try:
            self.require_rights(session)
        except OperationError as error:
            warn(f"Objects of earlier builds were not searched for: {error.reason}")
            return False
        return True

    def delete(self, session: Session, check_mode: bool, warn: t.Callable[[str], None]) -> list[str]:
        """Delete everything, and return what existed."""
        deleted = delete_or_forecast(session, self.what, self.objects, check_mode)
        return [*deleted, *(ref for name in self.copies for ref in _delete_copy(session, name, check_mode, warn))]


def left_objects(session: Session, pool: str, config: Object | None, others: t.Iterable[Object]) -> LeftObjects:
    """Return what is left of a MachineOSConfig that is deleted, or was.

    :param config: the MachineOSConfig, or None if it does not exist any more
    :param others: all other MachineOSConfigs of the cluster
    """
    others = list(others)
    if that_serves(pool, others) is not None:
        return LeftObjects()  # the builds are those of the other one
    pools = session.list(MACHINE_CONFIG_POOL).items
    obj = next((p for p in pools if metadata_of(p)["name"] == pool), None)
    all_builds = read_builds(session)
    if config is not None and not is_built_by_pod(MachineOSConfig.from_api(config), all_builds):
        return LeftObjects()  # Jobs build, and the operator deletes them
    builds, pods = builds_of_pool(pool, all_builds), read_build_pods(session, pool) or ()
    rendered = Pool.from_api(obj).rendered_config if obj else ""
    copies = copied_secrets(config, others) if config else []
    name = metadata_of(config)["name"] if config else pool
    return LeftObjects(f"delete MachineOSConfig {name}", all_objects(rendered, builds, pods), tuple(copies))


def _delete_copy(session: Session, name: str, check_mode: bool, warn: t.Callable[[str], None]) -> list[str]:
    """Delete a Secret that the operator created, and return it. A Secret of another client with such a name stays."""
    try:
        secret = session.find(SECRET, name, OPERATOR_NAMESPACE)
        if secret is None or COPY_LABEL not in labels_of(secret):
            return []
        uid = str(metadata_of(secret).get("uid", ""))
        session.delete(SECRET, name, OPERATOR_NAMESPACE, uid=uid, dry_run=check_mode)
    except Forbidden as error:
        warn(f"Secret {OPERATOR_NAMESPACE}/{name}, a copy by the operator, was not deleted: {error.reason}")
        return []
    return [f"Secret {OPERATOR_NAMESPACE}/{name}"]
