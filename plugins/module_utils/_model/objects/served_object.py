# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a served object has the shape that all Kubernetes objects share.

A Kubernetes API server sends nothing else. This is the boundary for a hostile server: names become parts of REST paths,
and the code behind this check reads the common fields without checking their types.
"""

from __future__ import annotations

import typing as t

from .resources import Object

_LONGEST_NAME = 253
_TEXTS = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_TABLES = ("labels", "annotations")
_LISTS: t.Mapping[str, t.Sequence[str]] = {
    "metadata": ("ownerReferences", "managedFields"),
    "status": ("conditions", "containerStatuses", "initContainerStatuses"),
}


def checked_object(value: t.Any, is_named: bool = False) -> Object:
    """Return *value* if it is a Kubernetes object.

    :param is_named: whether it must have a name, as all stored objects have
    :raises ValueError: it is not; the message does not quote it
    """
    obj = _mapping(value, "the object")
    for field in ("metadata", "spec", "status"):
        part = _mapping(obj.get(field), field)
        for name in _LISTS.get(field, ()):
            _list_of_mappings(part.get(name), f"{field}.{name}")
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if not text_of(condition.get("type"), "the type of a condition"):
            raise ValueError("a condition has no type")
    _check_metadata(obj.get("metadata") or {}, is_named)
    return obj


def checked_items(value: t.Any) -> list[Object]:
    """Return the items of a list if all are objects with a name.

    :raises ValueError: they are not
    """
    if value is not None and not isinstance(value, list):
        raise ValueError("items is not a list")
    return [checked_object(item, is_named=True) for item in value or []]


def text_of(value: t.Any, what: str) -> str:
    """Return *value* if it is text, and an empty text for None.

    :raises ValueError: it is not
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{what} is not text")
    return value


def _check_metadata(meta: Object, is_named: bool) -> None:
    for name in _TEXTS:
        text_of(meta.get(name), f"metadata.{name}")
    for name in ("name", "namespace"):
        _check_name(meta.get(name) or "", f"metadata.{name}")
    if is_named and not meta.get("name"):
        raise ValueError("metadata.name is missing")
    for name in _TABLES:
        table = _mapping(meta.get(name), f"metadata.{name}")
        if not all(isinstance(text, str) for text in table.values()):
            raise ValueError(f"metadata.{name} has values that are not text")


def _check_name(name: str, what: str) -> None:
    """Accept only what the API allows in a path segment, so that a name cannot redirect a request to another path."""
    if name in (".", "..") or "/" in name or "%" in name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"{what} is not a valid name")


def _mapping(value: t.Any, what: str) -> t.Mapping[str, t.Any]:
    if value is None and what != "the object":
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    return value


def _list_of_mappings(value: t.Any, what: str) -> None:
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"{what} is not a list of objects")
