# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from lab.machine_config import needs_reboot


def _spec(files: dict[str, str], **rest: Any) -> dict[str, Any]:
    listed = [{"path": path, "contents": {"source": content}} for path, content in files.items()]
    return {"osImageURL": "image", "config": {"ignition": {}, "storage": {"files": listed}}, **rest}


PULL_SECRET = "/var/lib/kubelet/config.json"


@pytest.mark.parametrize(
    ("new", "reboot"),
    [
        (_spec({"/etc/a": "1", PULL_SECRET: "1"}), False),
        (_spec({PULL_SECRET: "1", "/etc/a": "1"}), False),
        (_spec({"/etc/a": "1", PULL_SECRET: "2"}), False),
        (_spec({"/etc/a": "1"}), False),
        (_spec({"/etc/a": "2", PULL_SECRET: "2"}), True),
        (_spec({"/etc/a": "1", "/etc/b": "1", PULL_SECRET: "1"}), True),
        (_spec({"/etc/a": "1", PULL_SECRET: "1"}, kernelArguments=["x"]), True),
    ],
)
def test_only_a_change_of_the_pull_secret_alone_takes_no_reboot(new: dict[str, Any], reboot: bool) -> None:
    assert needs_reboot(_spec({"/etc/a": "1", PULL_SECRET: "1"}), new) is reboot
