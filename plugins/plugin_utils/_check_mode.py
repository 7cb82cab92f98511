# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step of playbook apply knows in check mode from the steps before it."""

from __future__ import annotations

import typing as t

CHECKED = "check_request_result"
"""The variable with the result of the first step, which checks the request and makes the forecast."""
_BUILD = "build_image_result"


def is_checked(task_vars: t.Mapping[str, t.Any]) -> bool:
    """Return whether an earlier step checked the request, named nodes included."""
    checked = task_vars.get(CHECKED) or {}
    return bool(checked.get("cluster")) and not checked.get("failed")


def forecast_of(task_vars: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """Return the forecast, empty if there is none."""
    return t.cast("t.Mapping[str, t.Any]", (task_vars.get(CHECKED) or {}).get("forecast") or {})


def changes_image(task_vars: t.Mapping[str, t.Any]) -> bool:
    """Return whether the step before would change the image, so that the state of the nodes is no forecast."""
    build = task_vars.get(_BUILD) or {}
    return bool(build.get("changes"))
