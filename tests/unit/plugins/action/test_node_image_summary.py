# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.imagemode.openshift.plugins.action.node_image_summary import ActionModule

ANSWER = {"nodes": [{"name": "worker-0", "verdict": "match", "pool": "layered"}], "cluster": {"id": "one"}}
HOSTVARS: dict[str, t.Any] = {
    "a": {"answer": ANSWER, "image_mode_cluster": {"id": "one"}},
    "b": {"image_mode_node": "worker-1", "image_mode_cluster": {"id": "one"}},
}


def run(arguments: dict[str, t.Any], all_hosts: t.Sequence[str] = ("b", "a")) -> dict[str, t.Any]:
    task = mock.MagicMock(args=arguments, async_val=0, check_mode=False, diff=False)
    plugin = ActionModule(task, mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), None)
    return plugin.run(task_vars={"hostvars": HOSTVARS, "ansible_play_hosts_all": list(all_hosts)})


def test_every_host_that_the_play_began_with_is_counted():
    done = run({"registered": "answer"})
    assert (done["verdict"], done["changed"]) == ("unknown", False)
    assert [(n["name"], n["verdict"]) for n in done["nodes"]] == [("worker-0", "match"), ("worker-1", "unknown")]


def test_only_the_hosts_that_are_named_are_counted():
    done = run({"registered": "answer", "hosts": ["a"]})
    assert done["summary"] == {"total": 1, "match": 1, "mismatch": 0, "unknown": 0}


def test_a_summary_holds_nothing_that_a_terminal_would_obey(monkeypatch):
    hostile = "a\x1b]0;x\x07\u202e"
    nodes = [{"name": hostile, "verdict": "match", "pool": hostile}]
    monkeypatch.setitem(HOSTVARS, "a", {"answer": {"nodes": nodes, "cluster": {"id": hostile}}})
    assert json.dumps(run({"registered": "answer", "hosts": ["a"]}), ensure_ascii=False).isprintable()


@pytest.mark.parametrize(
    ("arguments", "all_hosts", "reason"),
    [
        ({"registered": "answer", "hosts": []}, ["a"], "the play has no hosts. Set hosts"),
        ({"registered": "answer"}, [], "the play has no hosts. Set hosts"),
        ({"registered": "answer", "hosts": ["z"]}, ["a"], "host z does not exist. Correct hosts"),
    ],
)
def test_a_summary_of_nobody_is_none(arguments, all_hosts, reason):
    with pytest.raises(AnsibleActionFail, match=f"^Could not summarize verdicts: {reason}"):
        run(arguments, all_hosts)
