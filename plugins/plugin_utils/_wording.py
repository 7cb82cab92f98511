# SPDX-License-Identifier: GPL-3.0-or-later
"""Name options in messages as the user sets them where he is: in a playbook its variables, in a role its options.

Modules name their own options, because a user can call them by themselves. Where a step of a playbook or a role calls
them, the names are replaced here, with the table of specification.yml.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ._variables.specification import specification
from ._variables.validation import Caller

_ENVIRONMENT: t.Mapping[str, str] = {
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "validate_certs": "K8S_AUTH_VERIFY_SSL",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    **{name: f"K8S_AUTH_{name.upper()}" for name in (
        "kubeconfig", "context", "host", "api_key", "username", "password", "tls_server_name", "proxy", "no_proxy",
        "proxy_headers", "impersonate_user", "impersonate_groups",
    )},
}  # fmt: skip
"""Connection option -> the variable that sets it for a playbook, in the environment or of a host."""

_BY_MODULE: t.Mapping[str, str] = {
    "machineconfigpool_nodes": "image_mode_nodes",
    "registry_secret": "image_mode_secrets",
}
"""Module that a message recommends -> the variable with which a playbook calls it."""

_WITH_ENVIRONMENT = re.compile(r"\b\w+ \((K8S_AUTH_\w+)\)")
_RUN_MODULE = re.compile(r"\bRun \w+ \((image_mode_\w+)(=\w+)? in the playbooks\)")
_OPTION_OF_BOTH = re.compile(r"\b\w+ \((image_mode_\w+)(=\w+)? in the playbooks\)")
_MODULE_OF_BOTH = re.compile(r"\(\w+(?:,|;)(?: or)? (image_mode_\w+)(=\w+)? in the playbooks\)")
_VERBS = "[Ss]et|[Rr]aise|[Cc]orrect|[Oo]mit|[Uu]se|[Ll]eave|from"
"""Words before an option whose name is an ordinary word, such as timeout."""


@dataclass(frozen=True)
class Wording:
    """Replaces names of options in messages.

    :ivar names: option -> what the user sets
    :ivar variables: variables of the playbook, empty in a role
    """

    names: t.Mapping[str, str]
    variables: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        """Return an error or a remedy with the names that the user knows."""
        if self.variables:
            text = self._of_playbook(text)
        for option, name in self.names.items():
            text = _replaced(text, option, name)
        return text

    def result(self, result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return a result with the names that the user knows.

        They are replaced in its message, in the remedies of its findings, and in the lines of a forecast.
        """
        worded = dict(result)
        for name in ("msg", "failure"):
            if isinstance(worded.get(name), str):
                worded[name] = self.text(worded[name])
        if isinstance(worded.get("findings"), list):
            worded["findings"] = [self._finding(finding) for finding in worded["findings"]]
        if isinstance(worded.get("nodes"), list):
            worded["nodes"] = [self.result(node) if isinstance(node, dict) else node for node in worded["nodes"]]
        if isinstance(worded.get("lines"), list):
            worded["lines"] = [self.text(line) if isinstance(line, str) else line for line in worded["lines"]]
        if isinstance(worded.get("forecast"), dict):
            worded["forecast"] = self.result(worded["forecast"])
        return worded

    def _finding(self, finding: t.Any) -> t.Any:
        if not isinstance(finding, dict) or not isinstance(finding.get("remedy"), str):
            return finding
        return {**finding, "remedy": self.text(finding["remedy"])}

    def _of_playbook(self, text: str) -> str:
        text = _WITH_ENVIRONMENT.sub(r"\1", text)
        text = _RUN_MODULE.sub(lambda match: self._known(match, f"Set {match[1]}{match[2] or ''}"), text)
        text = _OPTION_OF_BOTH.sub(lambda match: self._known(match, f"{match[1]}{match[2] or ''}"), text)
        text = _MODULE_OF_BOTH.sub(lambda match: self._known(match, f"({match[1]}{match[2] or ''})"), text)
        for module, variable in _BY_MODULE.items():
            if variable in self.variables:
                text = text.replace(f"({module})", f"({variable})").replace(f"with {module}", f"with {variable}")
        return text

    def _known(self, match: re.Match[str], replacement: str) -> str:
        return replacement if match[1] in self.variables else match[0]


def wording_of(caller: Caller, role: str = "") -> Wording:
    """Return the wording for the user of a playbook, or of a role on its own.

    :param role: role of the task in a playbook, because roles have options of the same name, such as timeout
    """
    spec = specification()
    first = caller.role or role
    known = caller.variables(spec) if caller.playbook else spec.variables
    names: dict[str, str] = {}
    for of_role in (first, *(name for name in spec.roles if name != first)):
        for variable in known:
            if of_role in variable.roles:
                is_own = of_role == caller.role
                names.setdefault(variable.roles[of_role], variable.option(of_role) if is_own else variable.name)
    if caller.role:
        return Wording(names)
    return Wording({**names, **_ENVIRONMENT}, frozenset(variable.name for variable in known))


def _replaced(text: str, option: str, name: str) -> str:
    """Return a text with an option named *name*. Of an ordinary word, only what follows certain verbs is an option."""
    if "_" in option:
        return re.sub(rf"(?<![\w./-]){option}(?![\w(/])", name, text)
    return re.sub(rf"\b({_VERBS}) {option}(?=$|[.,=;]| to\b| or\b| out\b)", rf"\1 {name}", text)
