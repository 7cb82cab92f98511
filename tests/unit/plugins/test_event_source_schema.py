# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of the arguments of the event source, compared with the options that it describes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.wait import SETTLE
from ansible_collections.imagemode.openshift.plugins.module_utils._options import CONNECTION

_SCHEMA = Path(__file__).resolve().parents[3] / "extensions/eda/plugins/event_source/schemas/pools.json"
_PROPERTIES = json.loads(_SCHEMA.read_text(encoding="utf-8"))["properties"]
_TYPES = {"str": "string", "path": "string", "bool": "boolean", "dict": "object", "list": "array"}


def test_schema_has_the_connection_options_of_the_modules():
    assert _PROPERTIES.keys() - {"pools", "settle"} == CONNECTION.keys()


@pytest.mark.parametrize("name", sorted(CONNECTION.keys() - {"kubeconfig"}))
def test_type_of_a_connection_option_is_that_of_the_modules(name):
    assert _PROPERTIES[name]["type"] == _TYPES[CONNECTION[name]["type"]]


def test_headers_for_a_proxy_are_those_of_the_modules():
    assert _PROPERTIES["proxy_headers"]["properties"].keys() == CONNECTION["proxy_headers"]["options"].keys()


def test_secrets_are_marked_as_such():
    secret = {name for name, option in CONNECTION.items() if option.get("no_log")}
    assert {name for name, described in _PROPERTIES.items() if described.get("writeOnly")} == secret


def test_default_is_that_of_the_source():
    assert _PROPERTIES["settle"]["default"] == SETTLE
