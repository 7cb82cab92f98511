# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe what a wait watches, and how the objects of a kind are reduced and parsed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resources import Kind, Object

T = t.TypeVar("T")


@dataclass(frozen=True)
class Reader(t.Generic[T]):
    """How a wait reads the objects of one kind.

    :ivar kind: the kind
    :ivar reduced: returns the part of an object that the cursor carries
    :ivar parse: turns a reduced object into the type that the model uses; it runs once for each change of an object
    """

    kind: Kind
    reduced: t.Callable[[Object], Object]
    parse: t.Callable[[Object], T]

    def subject(
        self,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        part: str = "",
        optional: bool = False,
    ) -> Subject:
        """Return a subject whose objects are read by this reader. The parameters are those of :class:`Subject`."""
        return Subject(self.kind, namespace, label_selector, field_selector, part, optional, self)


@dataclass(frozen=True)
class Subject:
    """A collection to watch: the objects of a kind, or those that the selectors match."""

    kind: Kind
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    part: str = ""
    """Distinguishes several subjects of one kind."""
    optional: bool = False
    """Whether the wait continues without the subject if it is forbidden or not served."""
    reader: Reader[t.Any] | None = None
    """None keeps the objects as the API server sends them."""

    @property
    def key(self) -> str:
        """Kind and part. Events and the cursor identify the subject by it."""
        return f"{self.kind.name} {self.part}".rstrip()
