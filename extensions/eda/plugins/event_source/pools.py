# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source for ansible-rulebook: transitions of MachineConfigPools in image mode."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import json
import logging
import sys
import threading
import typing as t
from functools import partial
from pathlib import Path

import jsonschema

DOCUMENTATION = r"""
---
short_description: Report transitions of MachineConfigPools in image mode
description:
  - Watches the pools of a cluster with their nodes, MachineOSConfigs and MachineOSBuilds, and sends an event for each
    transition.
  - The types of events are C(config_edited), C(build_failed), C(build_succeeded), C(node_joined), C(node_left),
    C(rollout_blocked), C(rollout_done) and C(image_differs).
  - Events contain names and one finding, no objects of the API. The guide on Event-Driven Ansible describes them.
  - Transitions follow from the state of the cluster. After an interruption the state is listed again, and each
    transition that happened in between is reported once.
  - When the source starts, a failed build, a blocked rollout and a different image are reported. Everything else is the
    state from which transitions start.
  - The source continues through outages of the API server. It ends with an error of one line if the API server denies
    the account.
  - It writes nothing to the cluster.
  - The options of the connection are those of the modules of this collection, without aliases. Each can be set by an
    environment variable instead, such as E(K8S_AUTH_KUBECONFIG). The schema of the arguments lists them.
extends_documentation_fragment: imagemode.openshift.auth
options:
  pools:
    description:
      - Names of the MachineConfigPools to watch.
      - Without it all pools are watched, including those that are created later.
    type: list
    elements: str
  settle:
    description:
      - Seconds for which a problem has to last before C(rollout_blocked) or C(image_differs) is sent.
    type: float
    default: 30
requirements:
  - kubernetes >= 24.2.0
  - websocket-client >= 1.0.0
"""

EXAMPLES = r"""
# The cluster is the one of the environment (K8S_AUTH_KUBECONFIG, or K8S_AUTH_HOST and K8S_AUTH_API_KEY).
- imagemode.openshift.pools:

- imagemode.openshift.pools:
    pools: [layered, gpu]
    kubeconfig: /etc/eda/kubeconfig
    settle: 60
"""


def _make_collection_importable() -> None:
    """Let Python find this collection: ansible-rulebook runs this file by its path, without Ansible's own importer."""
    collections = Path(__file__).absolute().parents[6]
    if str(collections.parent) not in sys.path:
        sys.path.append(str(collections.parent))
    package = importlib.import_module(collections.name)
    if str(collections) not in package.__path__:  # a package of this name is installed elsewhere too
        package.__path__.append(str(collections))


_make_collection_importable()

from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import open_session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError, attempt
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.wait import (
    SETTLE,
    PoolsWaitOptions,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.watch_pools import watch_pools

SCHEMA = Path(__file__).absolute().parent / "schemas/pools.json"
_OF_RULEBOOK = "eda_feedback_queue"
"""An argument that ansible-rulebook adds by itself."""
_logger = logging.getLogger(__name__)


async def main(queue: asyncio.Queue[dict[str, t.Any]], args: dict[str, t.Any]) -> None:
    """Send an event for each transition, until the task is cancelled.

    :raises OperationError: the arguments are invalid, or the API server denies the account
    """
    options = _checked(args)
    stopped = threading.Event()
    ended: concurrent.futures.Future[OperationError | None] = concurrent.futures.Future()
    send = partial(_put, asyncio.get_running_loop(), queue, stopped)
    work = partial(_send_events, options, send, stopped)
    # A daemon, so that it never keeps the process from ending.
    threading.Thread(target=_run, args=(work, ended), name="watch pools", daemon=True).start()
    try:
        outcome = await asyncio.wrap_future(ended)
    finally:
        stopped.set()
    if outcome is not None:
        _logger.debug("%s", outcome.traceback)
        raise outcome.with_traceback(None)  # ansible-rulebook prints its frames


def _run(work: t.Callable[[], None], ended: concurrent.futures.Future[OperationError | None]) -> None:
    ended.set_running_or_notify_cancel()  # from here on, a result can be set also after a cancellation
    ended.set_result(attempt(work))


def _send_events(
    options: dict[str, t.Any], send: t.Callable[[dict[str, t.Any]], None], stopped: threading.Event
) -> None:
    pools = PoolsWaitOptions(tuple(options.pop("pools", ())), float(options.pop("settle", SETTLE)))
    for event in watch_pools(open_session(options), pools, report=_logger.warning):
        if stopped.is_set():
            return
        if event is not None:
            send(event)


def _put(
    loop: asyncio.AbstractEventLoop,
    queue: asyncio.Queue[dict[str, t.Any]],
    stopped: threading.Event,
    event: dict[str, t.Any],
) -> None:
    """Put an event into the queue of another thread. Wait until it has room: events are not stored here."""
    put = asyncio.run_coroutine_threadsafe(queue.put(event), loop)
    while not stopped.is_set():
        try:
            return put.result(timeout=1)
        except concurrent.futures.TimeoutError:
            continue
    put.cancel()
    return None


def _checked(args: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the arguments, if they fit the schema. An error names the argument and not its value.

    :raises OperationError: they do not fit
    """
    given = {name: value for name, value in args.items() if name != _OF_RULEBOOK}
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    problem = next(iter(sorted(validator.iter_errors(given), key=str)), None)
    if problem is None:
        return given
    unknown = ", ".join(sorted(given.keys() - validator.schema["properties"].keys()))
    where = ".".join(map(str, problem.absolute_path))
    reason = f"{where} does not fit the schema ({problem.validator}: {problem.validator_value})" if where else ""
    what = "read the arguments of imagemode.openshift.pools"
    remedy = "Correct the source in the rulebook. schemas/pools.json beside the plugin describes the arguments"
    raise OperationError(what, reason or f"{unknown} is unknown", remedy)
