# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse and evaluate label selectors as for ``oc get -l``.

They are evaluated here instead of by the API server, so that one list of nodes is enough for a selector and for the
pools of the nodes.
"""

from __future__ import annotations

import re
import typing as t

from .resources import Object

_KEY = r"(?P<key>(?:[a-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)"
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_VALUE = rf"(?:{_WORD})?"
_ITEM = rf"\s*(?:{_WORD}\s*)?"
"""Value with surrounding blanks. Blanks match in only one way, so matching never takes exponential time."""
_SET = re.compile(rf"^{_KEY}\s+(?P<operator>in|notin)\s*\((?P<values>{_ITEM}(?:,{_ITEM})*)\)$")
_EQUALITY = re.compile(rf"^{_KEY}\s*(?P<operator>!=|==|=)\s*(?P<value>{_VALUE})$")
_EXISTS = re.compile(rf"^(?P<no>!?)\s*{_KEY}$")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_PARENTHESIS_OR_COMMA = re.compile(r"[(),]")


def parse_selector(text: str) -> list[Object]:
    """Return the requirements of a selector, like ``matchExpressions`` of the API.

    :raises ValueError: the text is not a selector
    """
    return [_parse(part.strip()) for part in _parts(text)]


def _parts(text: str) -> t.Iterator[str]:
    """Yield the parts between commas, ignoring commas in parentheses."""
    began, inside = 0, False
    for found in _PARENTHESIS_OR_COMMA.finditer(text):
        if found[0] != ",":
            inside = found[0] == "("
        elif not inside:
            yield text[began : found.start()]
            began = found.end()
    yield text[began:]


def selector_matches(selector: Object, labels: t.Mapping[str, str]) -> bool:
    """Whether labels match a LabelSelector of the API (``matchLabels`` and ``matchExpressions``).

    A selector that the API server would not store matches nothing.
    """
    plain, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions")
    if not isinstance(plain, dict) or any(labels.get(key) != value for key, value in plain.items()):
        return False
    if not expressions:
        return True
    return isinstance(expressions, list) and all(map(_is_valid, expressions)) and matches(expressions, labels)


def _is_valid(requirement: t.Any) -> bool:
    if not isinstance(requirement, t.Mapping) or not isinstance(requirement.get("values") or [], list):
        return False
    return isinstance(requirement.get("key"), str) and requirement.get("operator") in _OPERATORS


def matches(requirements: t.Iterable[Object], labels: t.Mapping[str, str]) -> bool:
    """Whether labels meet all requirements."""
    return all(meets(r, labels) for r in requirements)


def meets(requirement: Object, labels: t.Mapping[str, str]) -> bool:
    """Whether labels meet one requirement. A missing label is in no set of values."""
    key, operator, values = requirement["key"], requirement["operator"], requirement.get("values") or []
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "In":
        return labels.get(key) in values
    return labels.get(key) not in values


def _parse(part: str) -> Object:
    found = _SET.match(part)
    if found:
        operator = "In" if found["operator"] == "in" else "NotIn"
        values = [v.strip() for v in found["values"].split(",")]
        return {"key": found["key"], "operator": operator, "values": values}
    found = _EQUALITY.match(part)
    if found:
        operator = "NotIn" if found["operator"] == "!=" else "In"
        return {"key": found["key"], "operator": operator, "values": [found["value"]]}
    found = _EXISTS.match(part)
    if found:
        return {"key": found["key"], "operator": "DoesNotExist" if found["no"] else "Exists"}
    raise ValueError(f"{part!r} is not a requirement")
