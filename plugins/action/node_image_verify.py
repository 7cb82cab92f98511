# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify the booted image of nodes: by the module of the same name, or over Ansible's connection to the host itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ..module_utils._cluster.transports.host_connection import HostConnection
from ..module_utils._cluster.transports.registry import create_transport
from ..module_utils._cluster.transports.transport import Access
from ..module_utils._errors import OperationError
from ..module_utils._model.findings import Finding
from ..module_utils._model.proof.deviation import Allowed
from ..module_utils._model.proof.expectation import NO_EXPECTATION
from ..module_utils._model.proof.expectation_age import doubt_about_expectation
from ..module_utils._model.proof.verdict import Expected, Verdict
from ..module_utils._model.text import all_printable
from ..module_utils._operation.expected_image import expected_by_inventory, expected_by_option
from ..module_utils._operation.verify_host import HostVerificationRequest, verify_host
from ..module_utils._options import CONNECTION
from ..modules.node_image_verify import OPTIONS
from ..plugin_utils._api_action import ApiAction

_INVENTORY_VARIABLES = (
    "image_mode_node", "image_mode_pool", "image_mode_cluster", "image_mode_expected", "image_mode_read_at",
    "image_mode_cached",
)  # fmt: skip
"""Variables of a host that the inventory imagemode.openshift.nodes sets."""


@dataclass(frozen=True)
class _Host:
    """A host of the play.

    :ivar known: what the inventory states of it
    :ivar started: start of the play, if it is known
    """

    name: str
    known: t.Mapping[str, t.Any]
    started: datetime | None


class ActionModule(ApiAction):
    """Runs the module, or for transport ``connection`` the command itself.

    With transport ``connection`` the node needs no Python, and no request is sent to the API.
    """

    MODULE = "imagemode.openshift.node_image_verify"

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the verdicts."""
        if self._task.args.get("transport") != HostConnection.name:
            return super().run_task(task_vars)
        spec = {name: dict(option) for name, option in {**CONNECTION, **OPTIONS}.items()}
        dummy, options = self.validate_argument_spec(argument_spec=spec)
        known = {name: self._templar.template(task_vars[name]) for name in _INVENTORY_VARIABLES if name in task_vars}
        self._check_options(options, known)
        host = _Host(str(task_vars.get("inventory_hostname", "")), known, _started(task_vars))
        done = self._verify(options, host)
        return t.cast("dict[str, t.Any]", all_printable(done))

    def _check_options(self, options: t.Mapping[str, t.Any], known: t.Mapping[str, t.Any]) -> None:
        if self._task.async_val:
            raise AnsibleActionFail("Could not verify Node: transport connection cannot be async. Leave async out.")
        if not options["expected_image"] and known.get("image_mode_expected") is None:
            raise AnsibleActionFail(
                "Could not verify Node: transport connection does not read the expected image from the cluster, and "
                "the inventory does not set image_mode_expected. Set expected_image."
            )
        if options["label_selector"] or len(options["nodes"] or []) > 1:
            raise AnsibleActionFail(
                "Could not verify Node: transport connection verifies the host that the task runs on. "
                "Leave label_selector out, and set nodes only to the name of this node."
            )

    def _verify(self, options: t.Mapping[str, t.Any], host: _Host) -> dict[str, t.Any]:
        known = host.known
        name = str(options["nodes"][0] if options["nodes"] else known.get("image_mode_node") or host.name)
        expected, doubt = _expected(options, host, name)
        try:
            allowed = Allowed.of(options["allowed_deviations"])
        except ValueError as error:
            raise OperationError(f"verify Node {name}", f"allowed_deviations: {error}", "Correct the entry") from None
        access = Access(
            run_on_host=self._run_on_host,
            node_timeout=options["node_timeout"],
            host_root=options["host_root"] or "",
        )
        request = HostVerificationRequest(
            name=name,
            pool=str(options["pool"] or known.get("image_mode_pool") or ""),
            expected=expected,
            allowed=allowed,
            fail_on=frozenset(map(Verdict, options["fail_on"])),
            doubt=doubt,
            cluster=known.get("image_mode_cluster"),
        )
        return verify_host(create_transport(HostConnection.name, access), request)

    def _run_on_host(self, command: str) -> dict[str, t.Any]:
        """Run a command over the connection. A terminal mixes stderr into stdout, so only a become password gets one.

        :raises OSError: the connection failed
        """
        try:
            ended = self._low_level_execute_command(command, sudoable=self._connection.become is not None)
        except AnsibleConnectionFailure as error:
            raise OSError(str(error)) from None
        return t.cast("dict[str, t.Any]", ended)


def _expected(options: t.Mapping[str, t.Any], host: _Host, name: str) -> tuple[Expected, Finding | None]:
    """Return the expected image of the option, else of the inventory, and why that one may be outdated."""
    what, known = f"verify Node {name}", host.known
    if options["expected_image"]:
        return expected_by_option(str(options["expected_image"]), what), None
    expected, read_at = expected_by_inventory(known["image_mode_expected"], what), known.get("image_mode_read_at")
    if expected is NO_EXPECTATION:
        return expected, None
    now = datetime.now(timezone.utc)
    doubt = doubt_about_expectation(name, read_at, bool(known.get("image_mode_cached")), host.started or now, now)
    return replace(expected, read_at=str(read_at or "")), doubt


def _started(task_vars: t.Mapping[str, t.Any]) -> datetime | None:
    """Return the start of a playbook of this collection, or None in another play."""
    started = (task_vars.get("validate_variables_result") or {}).get("started_at")
    return datetime.fromtimestamp(started, timezone.utc) if isinstance(started, int) else None
