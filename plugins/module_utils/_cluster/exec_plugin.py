# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect that an exec credential plugin of a kubeconfig failed.

The kubernetes client logs such a failure and continues without credentials. The API server then treats the requests as
anonymous, and its error does not mention the plugin.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import typing as t

from .._model.registry.masking import masked
from .._model.text import legible

_CLIENT_FUNCTION = "_load_from_exec_plugin"
"""The function of the kubernetes client that runs a plugin and logs its failure."""


class PluginFailures:
    """The failures of exec plugins that one thread logged."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        """The reasons, oldest first; each is one line without credentials."""


@contextlib.contextmanager
def plugin_failures() -> t.Iterator[PluginFailures]:
    """Yield the failures that the client logs inside the context, and keep its log messages off stderr."""
    failures = PluginFailures()
    handler = _Handler(failures)
    logger = logging.getLogger()
    logger.addHandler(handler)
    try:
        yield failures
    finally:
        logger.removeHandler(handler)


class _Handler(logging.Handler):
    """Collects the failures of plugins."""

    def __init__(self, failures: PluginFailures) -> None:
        super().__init__(logging.ERROR)
        self._failures = failures
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.funcName != _CLIENT_FUNCTION or record.thread != self._thread:
            return
        message = masked(record.getMessage()).removeprefix("exec: ").strip()
        self._failures.reasons.append(legible(message.partition("\n")[0]).rstrip("."))


def plugin_command(config: t.Any, context: str = "") -> str:
    """Return the command of the exec plugin that a kubeconfig uses, or an empty text.

    :param config: the content of the kubeconfig
    :param context: the name of a context; by default the current one
    """
    user_name = _entry(config, "contexts", context or _field(config, "current-context"), "context").get("user")
    plugin = _entry(config, "users", user_name, "user").get("exec")
    command = _field(plugin, "command")
    return command if isinstance(command, str) else ""


def _entry(config: t.Any, group: str, name: t.Any, content: str) -> dict[str, t.Any]:
    """Return the content of a named entry of a kubeconfig, or an empty dictionary."""
    entries = _field(config, group)
    for entry in entries if isinstance(entries, list) else []:
        if name and _field(entry, "name") == name:
            found = _field(entry, content)
            return found if isinstance(found, dict) else {}
    return {}


def _field(value: t.Any, name: str) -> t.Any:
    return value.get(name) if isinstance(value, dict) else None
