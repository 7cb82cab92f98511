# SPDX-License-Identifier: GPL-3.0-or-later
"""The Containerfile that a user gives, as a path or as text."""

from __future__ import annotations

from ...module_utils._model.preflight.containerfile import reject_containerfile
from .files import Reader, read_text
from .problem import Problem


def containerfile_text(text: str, path: str, names: tuple[str, str], read: Reader) -> str:
    """Return the text of the Containerfile.

    :param names: the names of the two variables, that of the text first
    :raises Problem: not exactly one of the two is set, it cannot be read, or it cannot be built
    """
    own, of_path = names
    if text and path:
        raise Problem(f"{own} and {of_path} are both set", f"Set only one of them; an empty {own} is not set")
    if not text and not path:
        raise Problem(f"neither {of_path} nor {own} is set", f"Set {of_path} to the path of the Containerfile")
    content = read_text(path, read) if path else text
    Problem.check(reject_containerfile(content))
    return content
