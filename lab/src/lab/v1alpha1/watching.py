# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches and work in threads of their own. A thread that fails ends its program, which the lab starts again."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from lab.kube_rest import Api, Change
from lab.v1alpha1.objects import Object

log = logging.getLogger(__name__)


def in_thread(work: Callable[[], None], name: str) -> None:
    """Run ``work``, which must not return, in a thread of its own."""

    def run() -> None:
        try:
            work()
        except Exception:
            log.exception("%s failed", name)
        os._exit(1)

    threading.Thread(target=run, name=name, daemon=True).start()


def follow_in_thread(
    api: Api, path: str, changed: Callable[[Object], None], gone: Callable[[Object], None], **query: str
) -> None:
    """Call ``changed`` for each object at ``path`` and each change of it, and ``gone`` for a deleted one."""

    def follow() -> None:
        for event in api.follow(path, **query):
            (gone if event.change is Change.GONE else changed)(event.object)

    in_thread(follow, path)
