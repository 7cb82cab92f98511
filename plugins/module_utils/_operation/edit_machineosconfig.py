# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the spec of a MachineOSConfig, with the record that identifies the builds of the new spec.

See docs/operator-behavior.md ("Build identity").
"""

from __future__ import annotations

import typing as t

from .._cluster.api_error import Conflict
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.edit_record import (
    correction,
    edit_patch,
    has_record_of_its_spec,
    reaction_left,
    time_of_server,
)
from .._model.objects.resources import (
    CONFIG_LABEL,
    EDIT,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    Object,
    annotations_of,
    metadata_of,
)

_CORRECTIONS = 5
"""Attempts to correct the record of an edit."""


def find_config(session: Session, name: str) -> Object | None:
    """Return a MachineOSConfig, or None if it does not exist. The right to list them is needed anyway."""
    return next(iter(session.list(MACHINE_OS_CONFIG, field_selector=f"metadata.name={name}").items), None)


def read_config(session: Session, name: str) -> Object:
    """Return a MachineOSConfig.

    :raises OperationError: it does not exist any more
    """
    found = find_config(session, name)
    if found is None:
        raise OperationError(f"read MachineOSConfig {name}", "it was deleted meanwhile", "Run it again")
    return found


def try_edit(session: Session, current: Object, patch: t.Mapping[str, t.Any]) -> Object:
    """Return the MachineOSConfig as it would be after an edit, from a dry run.

    :param current: the MachineOSConfig as it was read
    :param patch: merge patch of its spec
    """
    return _write(session, current, patch, dry_run=True)


def edit(
    session: Session,
    current: Object,
    patch: t.Mapping[str, t.Any],
    has_orphans: bool,
    warn: t.Callable[[str], None],
) -> Object:
    """Change the spec and return the MachineOSConfig.

    The operator builds the spec of each change, 5 s after it. A change within this time would be followed by a build of
    the spec before it, so the edit waits until the operator has reacted to the last change.

    :param current: the MachineOSConfig as it was read
    :param patch: merge patch of its spec
    :param has_orphans: whether there is a MachineOSConfig without its pool
    :param warn: receives warnings for the user
    :raises Conflict: the MachineOSConfig was changed since, or the operator has had time to react now
    """
    now, left = _reaction_left(session, current, patch)
    if left > 0:
        session.sleep(left)
        remedy = "Run it again when no other client changes it"
        raise Conflict(f"change MachineOSConfig {_name(current)}", "it was changed a moment ago", remedy)
    try:
        written = _write(session, current, patch, now=now, has_orphans=has_orphans)
    except Conflict as conflict:
        if conflict.after_loss:
            _correct_hash(session, _name(current), warn)
        raise
    return _corrected(session, written, _builds(session, _name(current)), warn)


def seconds_to_settle(session: Session, current: Object, patch: t.Mapping[str, t.Any]) -> float:
    """Return the seconds until the operator has had time to react to the last change. Nothing is written.

    :param current: the MachineOSConfig as it was read
    :param patch: merge patch of its spec, which the API server validates in a dry run
    """
    return _reaction_left(session, current, patch)[1]


def edit_settled(
    session: Session, current: Object, patch: t.Mapping[str, t.Any], warn: t.Callable[[str], None]
) -> Object:
    """Change the spec after the operator has had time to react to the last change, and return the MachineOSConfig.

    :param current: the MachineOSConfig as it was read
    :param patch: merge patch of its spec
    :param warn: receives warnings for the user
    :raises Conflict: the MachineOSConfig was changed since
    """
    written = _write(session, current, patch)
    return _corrected(session, written, _builds(session, _name(current)), warn)


def _reaction_left(session: Session, current: Object, patch: t.Mapping[str, t.Any]) -> tuple[str, float]:
    """Return the time of the API server, and the seconds until the operator has had time to react."""
    now = time_of_server(try_edit(session, current, patch))
    return now, reaction_left(current, _builds(session, _name(current)), now)


def _write(
    session: Session,
    current: Object,
    patch: t.Mapping[str, t.Any],
    dry_run: bool = False,
    **moment: t.Any,
) -> Object:
    """Write a change of the spec together with its record, and return the MachineOSConfig."""
    name = _name(current)
    try:
        body = edit_patch(current, patch, _builds(session, name), **moment)
    except ValueError as error:
        what, remedy = f"change MachineOSConfig {name}", "Delete MachineOSBuilds that are not needed any more"
        raise OperationError(what, str(error), remedy) from None
    return session.patch(MACHINE_OS_CONFIG, name, body, dry_run=dry_run)


def _correct_hash(session: Session, name: str, warn: t.Callable[[str], None]) -> None:
    """Correct the spec hash in the record of an edit whose response was lost.

    The version of the edit is not known, so nothing tells which builds existed before it, except those of the list
    that was read a moment before.
    """
    written = find_config(session, name)
    if written is not None and has_record_of_its_spec(written):
        _corrected(session, written, [], warn)


def _corrected(session: Session, written: Object, builds: t.Iterable[Object], warn: t.Callable[[str], None]) -> Object:
    """Correct the record of an edit if it is not right, and return the MachineOSConfig."""
    name, latest = _name(written), written
    record = correction(written, builds)
    for dummy in range(_CORRECTIONS if record else 0):
        version = {"resourceVersion": metadata_of(latest)["resourceVersion"]}
        try:
            return session.patch(MACHINE_OS_CONFIG, name, {"metadata": {**version, "annotations": {EDIT: record}}})
        except Conflict:
            latest = read_config(session, name)
        if annotations_of(latest).get(EDIT) != annotations_of(written).get(EDIT):
            return latest  # there is a later edit, with a record of its own
    if record:
        warn(f"MachineOSConfig {name} was changed, but the record of the change (annotation {EDIT}) is not complete")
    return latest


def _builds(session: Session, config: str) -> list[Object]:
    return session.list(MACHINE_OS_BUILD, label_selector=f"{CONFIG_LABEL}={config}").items


def _name(config: Object) -> str:
    return str(metadata_of(config)["name"])
