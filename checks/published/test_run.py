# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the installed collection without a cluster, by the Ansible and the Python that the options name."""

from __future__ import annotations

import json
import shutil
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from checks.environment import ROOT
from tests.unit.plugins.certificates import Authority
from tests.unit.plugins.loopback_server import LoopbackServer

MODULES = sorted(file.stem for file in (ROOT / "plugins/modules").glob("*.py") if file.stem != "__init__")


TOKEN = "not-a-token"


class Rejecting(BaseHTTPRequestHandler):
    """Answers every request as an API server does that does not know the token, and keeps what it was sent."""

    server: RejectingServer

    def do_GET(self):
        self.server.authorizations.append(self.headers["Authorization"])
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401, "reason": "Unauthorized"}
        body = json.dumps({**status, "message": "Unauthorized"}).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *dummy):
        """Print nothing."""


class RejectingServer(LoopbackServer):
    def __init__(self, tls):
        self.authorizations = []
        super().__init__(Rejecting, tls)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.new(tmp_path_factory.mktemp("certificates") / "authority")


@pytest.fixture(scope="module")
def api_server(authority):
    """Run an API server that rejects every token."""
    server = RejectingServer(authority.server())
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def interpreter(pytestconfig, setting):
    return pytestconfig.getoption("interpreter") or setting.programs / "python"


@pytest.fixture(scope="module")
def run_playbook(run_installed, interpreter, tmp_path_factory):
    """Return a function that runs a playbook on localhost and returns its exit status, results and output."""
    folder = tmp_path_factory.mktemp("run")
    inventory = folder / "inventory.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": str(interpreter)}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": host}}}), encoding="utf-8")
    callbacks = shutil.copytree(ROOT / "tests/integration/callback_plugins", folder / "callbacks")

    def run(playbook, *options, **variables):
        record = folder / f"{Path(playbook).name}.jsonl"
        recording = {
            "ANSIBLE_CALLBACK_PLUGINS": str(callbacks),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "RECORD_RESULTS": str(record),
        }
        command = ("ansible-playbook", "--inventory", inventory, playbook, *options)
        ended = run_installed(*command, **recording, **variables)
        assert record.exists(), ended.stdout
        return ended.returncode, [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()], ended

    return run


@pytest.fixture(scope="module")
def results(run_playbook, api_server, authority, tmp_path_factory):
    """Run modules with wrong options and a wrong token; return their results by the names of the tasks."""
    cluster = {"host": api_server.url, "ca_cert": str(authority.file), "api_key": TOKEN}
    tasks = {
        "python": ("ansible.builtin.setup", {"gather_subset": ["!all", "!min", "python"]}),
        "unknown option": ("imagemode.openshift.node_image_verify", {"pool": "layered", "images": "all"}),
        "missing option": ("imagemode.openshift.machineosconfig", {"state": "present"}),
        "read": ("imagemode.openshift.node_image_verify", {**cluster, "pool": "layered"}),
        "write": ("imagemode.openshift.machineconfigpool", {**cluster, "pool": "layered"}),
    }
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "ignore_errors": True,
        "tasks": [{"name": name, module: arguments} for name, (module, arguments) in tasks.items()],
    }
    playbook = tmp_path_factory.mktemp("play") / "play.yml"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    dummy, recorded, ended = run_playbook(playbook)
    found = {result["task"]: result for result in recorded}
    assert list(found) == list(tasks), ended.stdout
    return found


def test_documentation_of_every_module_is_read(run_installed):
    names = [f"imagemode.openshift.{module}" for module in MODULES]
    ended = run_installed("ansible-doc", "--json", "--type", "module", *names)
    assert ended.returncode == 0, ended.stdout
    read = json.loads(ended.stdout[ended.stdout.index("{\n") :])
    assert [name for name in names if read[name]["doc"]["options"]] == names


def test_modules_run_with_the_chosen_python(results, interpreter):
    assert results["python"]["result"]["ansible_facts"]["ansible_python"]["executable"] == str(interpreter)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("unknown option", "Unsupported parameters for (imagemode.openshift.node_image_verify) module: images"),
        ("missing option", "missing required arguments: pool"),
    ],
)
def test_wrong_options_are_rejected(results, task, message):
    assert results[task]["outcome"] == "failed"
    assert message in results[task]["result"]["msg"]


@pytest.mark.parametrize("task", ["read", "write"])
def test_rejected_token_reaches_the_cluster_and_is_not_shown(results, api_server, task):
    message = results[task]["result"]["msg"]
    assert results[task]["outcome"] == "failed"
    assert message.startswith("Could not "), message
    assert "\n" not in message
    assert f"{api_server.url} does not accept the credentials" in message
    assert set(api_server.authorizations) == {f"Bearer {TOKEN}"}
    assert TOKEN not in json.dumps(results[task])


def test_playbook_publishes_its_failure(run_playbook, api_server, authority):
    cluster = {
        "K8S_AUTH_HOST": api_server.url,
        "K8S_AUTH_SSL_CA_CERT": str(authority.file),
        "K8S_AUTH_API_KEY": TOKEN,
    }
    verify = ("imagemode.openshift.verify", "--extra-vars", "image_mode_pool=layered")
    status, recorded, ended = run_playbook(*verify, **cluster)
    assert status != 0, ended.stdout
    published = [result["result"]["ansible_stats"] for result in recorded if "ansible_stats" in result["result"]]
    ((entry,),) = [stats["data"]["image_mode_result"] for stats in published]
    assert entry["verdict"] == "unknown"
    assert f"{api_server.url} does not accept the credentials" in entry["message"], ended.stdout
    assert TOKEN not in ended.stdout
