# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a label selector, as users write it for ``oc get -l``, match?

Evaluated here and not by the API server, so that one list of nodes serves the selector and the pools' membership.
"""

from __future__ import annotations

import re
import typing as t

from .resources import Object

_KEY = r"(?P<key>(?:[a-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)"
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_VALUE = rf"(?:{_WORD})?"
_ITEM = rf"\s*(?:{_WORD}\s*)?"
"""A value with blanks around it. Blanks alone match in one way only, so that no text takes exponential time."""
_SET = re.compile(rf"^{_KEY}\s+(?P<operator>in|notin)\s*\((?P<values>{_ITEM}(?:,{_ITEM})*)\)$")
_EQUALITY = re.compile(rf"^{_KEY}\s*(?P<operator>!=|==|=)\s*(?P<value>{_VALUE})$")
_EXISTS = re.compile(rf"^(?P<no>!?)\s*{_KEY}$")
_PARENTHESIS_OR_COMMA = re.compile(r"[(),]")


def parse_selector(text: str) -> list[Object]:
    """Return the requirements of a selector, in the shape of the API's ``matchExpressions``.

    :raises ValueError: the text is not a selector
    """
    return [_parse(part.strip()) for part in _parts(text)]


def _parts(text: str) -> t.Iterator[str]:
    """Return what commas outside parentheses separate."""
    began, inside = 0, False
    for found in _PARENTHESIS_OR_COMMA.finditer(text):
        if found[0] != ",":
            inside = found[0] == "("
        elif not inside:
            yield text[began : found.start()]
            began = found.end()
    yield text[began:]


def selector_matches(selector: Object, labels: t.Mapping[str, str]) -> bool:
    """Whether labels match a LabelSelector of the API (``matchLabels`` and ``matchExpressions``)."""
    plain = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return plain and matches(selector.get("matchExpressions") or [], labels)


def matches(requirements: t.Iterable[Object], labels: t.Mapping[str, str]) -> bool:
    """Whether labels meet all the requirements."""
    return all(meets(r, labels) for r in requirements)


def meets(requirement: Object, labels: t.Mapping[str, str]) -> bool:
    """Whether labels meet one requirement; a label that is absent is not in any set of values."""
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
