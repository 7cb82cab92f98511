# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the argument specs of the modules. Shared options are defined once, so they are the same everywhere."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ._errors import REPORT_FIRST_CONTACT, as_line
from ._model.findings import unknown_ids
from ._model.preflight.numbers import RANGES, reject_number
from ._model.secret_options import secret_values, shown_options

Options = t.Mapping[str, t.Mapping[str, t.Any]]

CONNECTION: Options = {
    "kubeconfig": {"type": "raw"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"]},
    "tls_server_name": {"type": "str"},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
    "proxy_headers": {
        "type": "dict",
        "options": {
            "proxy_basic_auth": {"type": "str", "no_log": True},
            "basic_auth": {"type": "str", "no_log": True},
            "user_agent": {"type": "str"},
        },
    },
    "persist_config": {"type": "bool"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
}
"""The connection options of kubernetes.core and ``tls_server_name``; a test holds them equal."""

POOL: Options = {"pool": {"type": "str", "aliases": ["machine_config_pool"], "required": True}}
STATE: Options = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
WAIT: Options = {
    "fail_on_findings": {"type": "list", "elements": "str", "default": ["fatal"]},
    "progress": {"type": "str", "choices": ["lines", "none"], "default": "lines"},
    "window": {"type": "int", "default": 300},
    "cursor": {"type": "str", "no_log": False},
    "waited": {"type": "int", "default": 0},
}
"""The options that all waits share. The action plugin reads ``progress`` and sets ``cursor`` and ``waited``."""
CHECKED_BEFORE = "_imagemode_checked_before"
"""The parameter with which an action plugin says that an earlier step of the same run checked the request."""
INTERNAL = (REPORT_FIRST_CONTACT, CHECKED_BEFORE)
"""Parameters that only action plugins set. They are in no argument spec, because users do not set them."""


class _Module(AnsibleModule):  # type: ignore[misc]  # Ansible carries no types
    """A module that shows its options without secrets, and whose warnings are one printable line each.

    AnsibleModule writes its options to the system's log when it is created. Up to ansible-core 2.20 it also writes them
    to every result, that of a failed validation included. It hides only options that are secret as a whole.
    """

    params: dict[str, t.Any]
    internal: dict[str, t.Any]
    """The values of internal parameters."""

    def _load_params(self) -> None:
        super()._load_params()
        self.internal = {name: self.params.pop(name) for name in INTERNAL if name in self.params}
        self.no_log_values.update(secret_values(self.params))

    def _log_invocation(self) -> None:
        given = self.params
        self.params = shown_options(self.argument_spec, given)
        try:
            super()._log_invocation()
        finally:
            self.params = given

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        given = {name: value for name, value in self.params.items() if name not in INTERNAL}
        self.params = shown_options(self.argument_spec, given)
        super()._return_formatted(kwargs)

    def warn(self, warning: str, **more: t.Any) -> None:
        super().warn(as_line(warning), **more)


def new_module(*options: Options, **rules: t.Any) -> AnsibleModule:
    """Return a module with the connection options and *options*. It supports check mode."""
    spec = {name: dict(option) for group in (CONNECTION, *options) for name, option in group.items()}
    module = _Module(argument_spec=spec, supports_check_mode=True, **rules)
    problem = _problem(spec, module.params)
    if problem:
        module.fail_json(msg=f"Could not read the options: {problem}")
    module.params.update(module.internal)
    return module


def _problem(spec: Options, given: t.Mapping[str, t.Any]) -> str:
    """Return why the options are invalid, or an empty text."""
    for name in RANGES:
        rejection = reject_number(name, given[name]) if name in spec and given[name] is not None else None
        if rejection:
            return f"{name}: {rejection.reason}. {rejection.remedy}."
    for name, option in spec.items():
        if option.get("required") and option["type"] == "str" and not given[name]:
            return f"{name} is empty. Set it to a name."
    if "fail_on_findings" in spec:
        unknown = unknown_ids(given["fail_on_findings"] or [])
        if unknown:
            return f"fail_on_findings names {', '.join(unknown)}, which is not a finding. Use finding ids, or fatal."
    return ""
