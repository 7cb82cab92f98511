# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the result of a verification as report files on the controller."""

from __future__ import annotations

import json
import typing as t
from functools import partial
from pathlib import Path

import yaml

from ..module_utils._errors import OperationError
from ..module_utils._model.objects.timestamp import timestamp_now
from ..plugin_utils._error_boundary import ErrorBoundaryAction
from ..plugin_utils._evidence.document import (
    Document,
    InvalidResult,
    ReportContext,
    as_json,
    document,
    earlier_name,
    file_name,
    is_report_of,
    owner_of,
)
from ..plugin_utils._evidence.files import (
    ForeignFile,
    ReportNotWritten,
    absolute,
    check_replaceable,
    locked,
    read_files,
    report_names,
    write_files,
)
from ..plugin_utils._evidence.junit import as_junit
from ..plugin_utils._evidence.overview import INDEX, as_index, row_of_failure, rows_of
from ..plugin_utils._evidence.page import as_html

FORMATS: t.Mapping[str, tuple[str, t.Callable[[Document], bytes]]] = {
    "html": (".html", as_html),
    "json": (".json", as_json),
    "junit": (".junit.xml", as_junit),
}
"""Format -> file extension and renderer."""

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "result": {"type": "dict"},
    "dir": {"type": "str", "required": True},
    "failed_runs": {"type": "list", "elements": "dict", "default": []},
    "formats": {"type": "list", "elements": "str", "choices": sorted(FORMATS), "default": sorted(FORMATS)},
}

_COLLECTION = Path(__file__).resolve().parents[2]
_INDEXED = frozenset(("html", "json"))
"""Formats without which there is no index: it is made from the JSON and links to the pages."""


class ActionModule(ErrorBoundaryAction):
    """Renders and writes the report on the controller, so that the host of the task needs no Python."""

    _supports_async = False
    _requires_connection = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        context = ReportContext(
            written_at=timestamp_now(),
            host=str(task_vars.get("inventory_hostname", "")),
            check_mode=bool(self._task.check_mode),
            collection_version=collection_version(_COLLECTION),
        )
        # ansible-core 2.19 and later tags strings; other libraries need plain ones.
        result, failed_runs = json.loads(json.dumps([options["result"], options["failed_runs"]], default=str))
        formats = sorted(set(map(str, options["formats"])))
        failure = ""
        written: dict[str, t.Any] = {}
        try:
            folder = absolute(str(options["dir"]))
            paths = _write_report(folder, document(result, context), formats) if result is not None else []
            written["reports"] = [{"format": name, "path": str(path)} for name, path in zip(formats, paths)]
            if result is None or _INDEXED.issubset(formats):
                written["index"] = str(_write_index(folder, failed_runs, context))
        except (ReportNotWritten, ForeignFile) as error:
            failure = str(error)
        except InvalidResult as error:
            reason = f"result is not the result of a verification: {error}"
            failure = str(OperationError("write a report", reason, "Set result to the result of node_image_verify"))
        if failure:
            return {"failed": True, "changed": False, "msg": failure}
        return {"changed": False, **written}


def _write_report(folder: Path, doc: Document, formats: t.Sequence[str]) -> list[Path]:
    """Write the files of a report and return their paths in the order of *formats*."""
    called = earlier_name(doc, report_names(folder, FORMATS["json"][0])) or file_name(doc)
    contents = {called + FORMATS[name][0]: FORMATS[name][1](doc) for name in formats}
    check_replaceable(folder / (called + FORMATS["json"][0]), partial(is_report_of, owner_of(doc)))
    return write_files(folder, contents)


def _write_index(folder: Path, failed_runs: t.Sequence[t.Mapping[str, t.Any]], context: ReportContext) -> Path:
    """Write the index of all reports of a folder, and return its path. The last of several processes has them all."""
    extension = FORMATS["html"][0]
    with locked(folder):
        reports = read_files(folder, FORMATS["json"][0])
        rows = rows_of(reports, report_names(folder, extension))
        rows += [row_of_failure(entry) for entry in failed_runs]
        (path,) = write_files(folder, {INDEX + extension: as_index(rows, context)})
    return path


def collection_version(collection: Path) -> str | None:
    """Return the release of the collection, installed or in source form."""
    manifest, source = collection / "MANIFEST.json", collection / "galaxy.yml"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    if source.exists():
        return str(yaml.safe_load(source.read_text(encoding="utf-8"))["version"])
    return None
