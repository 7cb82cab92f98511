#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.resources import OPERATOR_NAMESPACE
from ..module_utils._operation.apply_secret import Ask, apply_secret, wanted_credentials
from ..module_utils._options import STATE, new_module


def main() -> None:
    module = new_module(
        STATE,
        {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "default": OPERATOR_NAMESPACE},
            "registry": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "dockerconfigjson": {"type": "str", "no_log": True},
        },
        mutually_exclusive=[("registry", "dockerconfigjson")],
        required_if=[("state", "present", ("registry", "dockerconfigjson"), True)],
        required_by={"registry": ("username", "password"), "username": ("registry",)},
    )
    asked = module.params

    def work() -> dict:
        what = f"apply Secret {asked['namespace']}/{asked['name']}"
        credentials = wanted_credentials(
            what, asked["dockerconfigjson"], asked["registry"], asked["username"], asked["password"]
        )
        ask = Ask(asked["state"] == "present", asked["name"], asked["namespace"], credentials, module.check_mode)
        return apply_secret(open_session(asked), ask)

    finish(module, work)


if __name__ == "__main__":
    main()
