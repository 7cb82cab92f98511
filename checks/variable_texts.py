# SPDX-License-Identifier: GPL-3.0-or-later
"""What all texts share that are generated from the specification of the variables."""

from __future__ import annotations

import re
import typing as t

import yaml

NOTICE = "# Written by `make variables` from plugins/plugin_utils/_variables/specification.yml; change it there.\n"
MARKUP = re.compile(r"[A-Z]\(([^)]*)\)")
"""Markup of Ansible's documentation, such as ``C(text)``."""
_YAML_WIDTH = 94
"""PyYAML breaks a line behind the word that goes beyond it."""


class _Dumper(yaml.SafeDumper):
    """Indents lists, as ansible-lint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def dump(content: t.Any) -> str:
    """Return *content* as YAML."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=_YAML_WIDTH, allow_unicode=True))


def plain(text: str, prefix: str) -> str:
    """Return a text of the specification without markup; *prefix* is how the names of options begin."""
    return MARKUP.sub(r"\1", text.replace("{prefix}", prefix))
