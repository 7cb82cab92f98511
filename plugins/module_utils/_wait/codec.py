# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn typed frozen dataclasses into JSON and back.

The fields of a dataclass decide: text, numbers, booleans, enums, tuples, mappings with text as key, dataclasses, API
objects (``Object``), and each of them or None. A value of another type, a missing or an unknown field is an error.
So a cursor of another version of the collection, or one that was changed, is never half read.
"""

from __future__ import annotations

import collections.abc
import enum
import json
import sys
import typing as t
from dataclasses import dataclass, fields, is_dataclass
from types import SimpleNamespace

LATEST = 1e11
"""Greatest number of seconds. A larger number is not a time."""
_OPTIONAL = " | None"
_T = t.TypeVar("_T")

_SELECTOR = {
    "matchLabels?": {str: str},
    "matchExpressions?": [{"key": str, "operator": str, "values?": [str]}],
}
_OBJECT = {
    "metadata": {
        "name": str,
        "namespace?": str,
        "uid?": str,
        "labels?": {str: str},
        "annotations?": {str: str},
        "managedFields?": [dict],
        "ownerReferences?": [dict],
        "creationTimestamp?": str,
    },
    "spec?": {"nodeSelector?": _SELECTOR, "selector?": _SELECTOR},
    "status?": {"conditions?": [{"type": str}], "containerStatuses?": [dict], "initContainerStatuses?": [dict]},
}
"""The shape of an API object that the readers rely on."""


def encode(value: t.Any) -> bytes:
    """Return a dataclass as JSON."""
    return json.dumps(value, separators=(",", ":"), default=_plain).encode()


def decode(cls: type[_T], content: t.Any) -> _T:
    """Return the dataclass that was encoded.

    :raises ValueError: the content does not fit the class
    """
    return t.cast(_T, _Field(cls).decode(content))


@dataclass(frozen=True)
class _Field:
    """Type of a field."""

    type: t.Any
    optional: bool = False

    def decode(self, value: t.Any) -> t.Any:
        if self.optional and value is None:
            return None
        return _decode(self.type, value)


def _plain(value: t.Any) -> t.Any:
    """Return a value that the JSON encoder does not know in one that it knows. It does not copy the values inside."""
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, collections.abc.Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be encoded")


def _decode(expected: t.Any, value: t.Any) -> t.Any:
    origin = t.get_origin(expected)
    if origin is tuple:
        return _decode_tuple(t.get_args(expected), value)
    if origin is collections.abc.Mapping:
        return _decode_mapping(t.get_args(expected)[1], value)
    if is_dataclass(expected):
        return _decode_dataclass(t.cast("type[t.Any]", expected), value)
    if isinstance(expected, type) and issubclass(expected, enum.Enum):
        return expected(value)  # raises ValueError
    if expected is float:
        return _decode_number(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise ValueError(f"{expected.__name__} expected")
    return value


def _decode_number(value: t.Any) -> float:
    """Return a number of seconds. NaN, infinity and huge numbers are errors."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LATEST:
        raise ValueError("a number expected")
    return float(value)


def _decode_tuple(items: tuple[t.Any, ...], value: t.Any) -> tuple[t.Any, ...]:
    if not isinstance(value, list):
        raise ValueError("a list expected")
    if items[-1] is Ellipsis:
        return tuple(_decode(items[0], item) for item in value)
    if len(items) != len(value):
        raise ValueError("a list of another length expected")
    return tuple(map(_decode, items, value))


def _decode_mapping(values: t.Any, value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise ValueError("an object expected")
    if values is t.Any:  # Object
        if not _fits(value, _OBJECT):
            raise ValueError("an API object expected")
        return value
    return {key: _decode(values, item) for key, item in value.items()}


def _decode_dataclass(cls: type[t.Any], value: t.Any) -> t.Any:
    expected = _fields(cls)
    if not isinstance(value, dict) or value.keys() != expected.keys():
        raise ValueError(f"the fields of {cls.__name__} expected")
    return cls(**{name: field.decode(value[name]) for name, field in expected.items()})


_FIELDS: dict[type[t.Any], dict[str, _Field]] = {}
"""The fields of each dataclass that was decoded."""


def _fields(cls: type[t.Any]) -> dict[str, _Field]:
    """Return the fields of a dataclass. ``X | None`` is split by hand, because Python 3.9 cannot evaluate it."""
    if cls in _FIELDS:
        return _FIELDS[cls]
    texts = {field.name: str(field.type) for field in fields(cls)}
    annotations = {name: _required(text) for name, text in texts.items()}
    namespace = vars(sys.modules[cls.__module__])
    hints = t.get_type_hints(SimpleNamespace(__annotations__=annotations), namespace)
    _FIELDS[cls] = {name: _Field(hints[name], text.endswith(_OPTIONAL)) for name, text in texts.items()}
    return _FIELDS[cls]


def _required(text: str) -> str:
    return text[: -len(_OPTIONAL)] if text.endswith(_OPTIONAL) else text


def _fits(value: t.Any, shape: t.Any) -> bool:
    """Whether a JSON value has a shape.

    A shape is a type, a list with the shape of all items, or a dictionary: of the shape of all values, with ``str`` as
    the key, or of the shapes of some. The names of optional values end with ``?``.
    """
    if isinstance(shape, type):
        return isinstance(value, shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if not isinstance(value, dict):
        return False
    if str in shape:
        return all(_fits(item, shape[str]) for item in value.values())
    return all(
        _fits(value[name.rstrip("?")], inner) if name.rstrip("?") in value else name.endswith("?")
        for name, inner in shape.items()
    )
