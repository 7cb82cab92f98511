# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the value of one variable against its type and its rule."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils._model.findings import FATAL, FINDINGS, unknown_ids
from ...module_utils._model.json_text import read_json
from ...module_utils._model.preflight.max_unavailable import reject_max_unavailable
from ...module_utils._model.preflight.numbers import reject_number
from ...module_utils._model.preflight.push_spec import reject_push_spec
from ...module_utils._model.preflight.rejection import quoted
from ...module_utils._model.proof.deviation import DEVIATIONS, Allowed
from ...module_utils._model.proof.verdict import Expected
from .batches import check_batch_size
from .files import check_folder
from .problem import Problem, nearest
from .specification import Variable

_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 253
_SEPARATORS = re.compile(r"[,\s]+")


def is_empty(value: t.Any) -> bool:
    """Return whether a value means "not set": a survey sends an empty text for a question without an answer."""
    return value is None or (isinstance(value, str) and not value.strip())


def as_list(value: t.Any) -> list[str]:
    """Return a list of texts; a text holds one entry per line, entries separated by commas, or a JSON list (``-e``).

    :raises Problem: the value is neither
    """
    if is_empty(value):
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json_list(value)
    if isinstance(value, str):
        return [entry for entry in _SEPARATORS.split(value) if entry]
    if isinstance(value, t.Mapping) or not isinstance(value, t.Sequence):
        raise Problem(f"{quoted(value)} is not a list", "Give a list")
    for entry in value:
        if isinstance(entry, (t.Mapping, list, tuple)) or entry is None:
            raise Problem(f"entry {quoted(entry)} is not a string", "Use a list of strings")
    return [str(entry) for entry in value]


def _json_list(text: str) -> t.Any:
    try:
        return read_json(text)
    except ValueError:
        raise Problem(
            f"{quoted(text)} is not a list", 'Give names separated by commas, or a list such as ["a", "b"]'
        ) from None


def check_value(variable: Variable, value: t.Any) -> None:
    """Check a value that is not empty.

    :raises Problem: it cannot be used
    """
    if variable.type == "int":
        Problem.check(reject_number(next(iter(variable.roles.values()), ""), value))
    _TYPES[variable.type](value)
    if variable.choices:
        _check_choices(as_list(value), variable.choices)
    rule = _RULES.get(variable.check)
    if rule:
        rule(value)


def check_object_name(name: str) -> None:
    """Check the name of a Kubernetes object.

    :raises Problem: the API would not accept it
    """
    if len(name) > _LONGEST_NAME or not _OBJECT_NAME.fullmatch(name):
        raise Problem(
            f"{quoted(name)} is not the name of a Kubernetes object", "Use lower case letters, digits, - and . only"
        )


def _check_text(value: t.Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Problem(f"{quoted(value)} is not a string", "Use a string")


def _check_bool(value: t.Any) -> None:
    try:
        boolean(value)
    except TypeError:
        raise Problem(f"{quoted(value)} is neither true nor false", "Set true or false") from None


def _check_list(value: t.Any) -> None:
    as_list(value)


def _check_dict(value: t.Any) -> None:
    try:
        check_type_dict(value)
    except (TypeError, ValueError):
        raise Problem(f"{quoted(value)} is not a dictionary", "Give labels as KEY: VALUE") from None


def _check_nothing(dummy_value: t.Any) -> None:
    """Leave the check to a rule."""


def _check_choices(entries: t.Sequence[str], choices: t.Sequence[str]) -> None:
    wrong = [entry for entry in entries if entry not in choices]
    if not wrong:
        return
    like = nearest(wrong[0].lower(), choices)
    known = f"Set {' or '.join([', '.join(choices[:-1]), choices[-1]])}" if len(choices) > 1 else f"Set {choices[0]}"
    raise Problem(f"{quoted(wrong[0])} is not a valid value", f"Did you mean {like}? {known}" if like else known)


def _check_push_spec(value: t.Any) -> None:
    Problem.check(reject_push_spec(str(value)))


def _check_digested_image(value: t.Any) -> None:
    try:
        Expected.of_pull_spec(str(value), "option")
    except ValueError as error:
        raise Problem(
            str(error), "Give the image with its digest, as in NAME@sha256:..., or the digest alone"
        ) from None


def _check_findings(value: t.Any) -> None:
    unknown = unknown_ids(as_list(value))
    if not unknown:
        return
    like = nearest(unknown[0], [*(str(finding) for finding in FINDINGS), FATAL])
    remedy = f"Did you mean {like}? " if like else ""
    raise Problem(f"{quoted(unknown[0])} is not the id of a finding", f"{remedy}Use ids of findings, or fatal")


def _check_deviations(value: t.Any) -> None:
    try:
        Allowed.of(as_list(value))
    except ValueError as error:
        ids = ", ".join(sorted(str(finding) for finding in DEVIATIONS))
        raise Problem(str(error), f"Use patterns of package names, or ids of these findings: {ids}") from None


def _check_quantity(value: t.Any) -> None:
    Problem.check(reject_max_unavailable(value))


def _check_object_names(value: t.Any) -> None:
    for name in as_list(value):
        check_object_name(name)


_TYPES: t.Mapping[str, t.Callable[[t.Any], None]] = {
    "str": _check_text,
    "path": _check_text,
    "bool": _check_bool,
    "int": _check_nothing,
    "list": _check_list,
    "dict": _check_dict,
    "secrets": _check_nothing,
}
_RULES: t.Mapping[str, t.Callable[[t.Any], None]] = {
    "batch_size": check_batch_size,
    "deviations": _check_deviations,
    "digested_image": _check_digested_image,
    "findings": _check_findings,
    "folder": lambda value: check_folder(str(value)),
    "object_name": lambda value: check_object_name(str(value)),
    "object_names": _check_object_names,
    "push_spec": _check_push_spec,
    "quantity": _check_quantity,
}
"""Rules of a single value. ``containerfile``, ``containerfile_path`` and ``secrets`` need files: see validation.py."""
