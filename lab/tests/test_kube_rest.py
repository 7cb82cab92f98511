# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pytest

from lab.kube_rest import Api, ApiError, Change


def _object(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid of {name}", "resourceVersion": str(version)}}


class _Scripted(Api):
    """Answers lists and watches one after the other; an exception among them is raised."""

    def __init__(self, lists: list[Any], watches: list[list[Any]]) -> None:
        self._lists = iter(lists)
        self._watches = iter(watches)
        self.watched_from: list[str] = []

    def _ask(self, *_: Any, **__: Any) -> dict[str, Any]:
        answer = next(self._lists)
        if isinstance(answer, Exception):
            raise answer
        version, *items = answer
        return {"metadata": {"resourceVersion": version}, "items": items}

    def _stream(self, path: str, query: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
        self.watched_from.append(query["resourceVersion"])
        for event in next(self._watches):
            if isinstance(event, Exception):
                raise event
            yield event


def _first(api: Api, count: int) -> list[tuple[Change, str]]:
    return [(event.change, event.name) for event in islice(api.follow("/nodes"), count)]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("lab.kube_rest.time.sleep", pauses.append)
    return pauses


def test_what_is_there_comes_first_and_then_what_changes() -> None:
    api = _Scripted([("7", _object("a", 3))], [[("ADDED", _object("b", 8)), ("DELETED", _object("a", 9))]])
    assert _first(api, 3) == [(Change.SET, "a"), (Change.SET, "b"), (Change.GONE, "a")]


def test_a_watch_that_ends_goes_on_from_its_last_event_without_a_list() -> None:
    bookmark = ("BOOKMARK", {"metadata": {"resourceVersion": "12"}})
    api = _Scripted([("7",)], [[("ADDED", _object("a", 8)), bookmark], [("MODIFIED", _object("a", 13))]])
    assert _first(api, 2) == [(Change.SET, "a"), (Change.SET, "a")]
    assert api.watched_from == ["7", "12"]


def test_after_an_expired_watch_only_what_differs_is_told_and_what_went_is_gone() -> None:
    expired = ("ERROR", {"kind": "Status", "code": 410})
    lists = [("7", _object("a", 3), _object("b", 4), _object("c", 5)), ("20", _object("a", 3), _object("b", 11))]
    api = _Scripted(lists, [[expired]])
    assert _first(api, 5) == [
        (Change.SET, "a"),
        (Change.SET, "b"),
        (Change.SET, "c"),
        (Change.GONE, "c"),
        (Change.SET, "b"),
    ]


def test_an_object_made_again_under_its_name_is_gone_and_there() -> None:
    again = {"metadata": {"name": "a", "uid": "another", "resourceVersion": "15"}}
    api = _Scripted([("7", _object("a", 3)), ("20", again)], [[ApiError(0, "broken")]])
    assert _first(api, 3) == [(Change.SET, "a"), (Change.GONE, "a"), (Change.SET, "a")]


def test_an_api_server_that_is_away_is_asked_again_with_growing_pauses(no_pauses: list[float]) -> None:
    away = [ApiError(0, "refused"), ApiError(503, "not yet"), ApiError(0, "refused")]
    api = _Scripted([*away, ("7", _object("a", 3))], [])
    assert _first(api, 1) == [(Change.SET, "a")]
    assert len(no_pauses) == len(away)
    assert no_pauses == sorted(no_pauses)
