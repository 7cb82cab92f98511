# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what was proven as files that one can keep. It runs where Ansible runs, and is never a change."""

from __future__ import annotations

import json
import typing as t
from functools import partial
from pathlib import Path

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._errors import OperationError, run_action
from ..module_utils._model.objects.timestamp import timestamp_now
from ..plugin_utils._evidence.document import (
    Document,
    NotAResult,
    Occasion,
    as_json,
    document,
    file_name,
    is_report_of,
    owner_of,
)
from ..plugin_utils._evidence.files import AnothersReport, CouldNotWrite, absolute, refuse_to_replace, write_files
from ..plugin_utils._evidence.junit import as_junit
from ..plugin_utils._evidence.page import as_html

FORMATS: t.Mapping[str, tuple[str, t.Callable[[Document], bytes]]] = {
    "html": (".html", as_html),
    "json": (".json", as_json),
    "junit": (".junit.xml", as_junit),
}
"""Format -> the ending of its file, and what makes its content."""

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "result": {"type": "dict", "required": True},
    "dir": {"type": "str", "required": True},
    "formats": {"type": "list", "elements": "str", "choices": sorted(FORMATS), "default": sorted(FORMATS)},
}

_COLLECTION = Path(__file__).resolve().parents[2]


class ActionModule(ActionBase):
    """Renders the report here and writes it here, so that neither a node nor a Python of its own is needed."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        return run_action(lambda: self._run(task_vars or {}), Display().vvv, AnsibleError)

    def _run(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, asked = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        occasion = Occasion(
            written_at=timestamp_now(),
            host=str(task_vars.get("inventory_hostname", "")),
            check_mode=bool(self._task.check_mode),
            collection_version=collection_version(_COLLECTION),
        )
        # Since 2.19 ansible-core's texts carry tags; what other libraries get is plain.
        result = json.loads(json.dumps(asked["result"], default=str))
        formats = sorted(set(map(str, asked["formats"])))
        failure = ""
        paths: list[Path] = []
        try:
            doc = document(result, occasion)
            contents = {file_name(doc) + FORMATS[name][0]: FORMATS[name][1](doc) for name in formats}
            folder = absolute(str(asked["dir"]))
            refuse_to_replace(folder / (file_name(doc) + FORMATS["json"][0]), partial(is_report_of, owner_of(doc)))
            paths = write_files(folder, contents)
        except (CouldNotWrite, AnothersReport) as error:
            failure = str(error)
        except NotAResult as error:
            reason = f"result is not that of a verification, {error}"
            failure = str(OperationError("write a report", reason, "Give what node_image_verify returned"))
        if failure:
            return {"failed": True, "changed": False, "msg": failure}
        return {
            "changed": False,
            "reports": [{"format": name, "path": str(path)} for name, path in zip(formats, paths)],
        }


def collection_version(collection: Path) -> str | None:
    """Return the release of an installed collection, or the one that its source is going to be."""
    manifest, source = collection / "MANIFEST.json", collection / "galaxy.yml"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    if source.exists():
        return str(yaml.safe_load(source.read_text(encoding="utf-8"))["version"])
    return None
