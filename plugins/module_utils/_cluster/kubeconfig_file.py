# SPDX-License-Identifier: GPL-3.0-or-later
"""Read kubeconfig files, and explain why one cannot be read. No explanation quotes the content of a file."""

from __future__ import annotations

import os
import typing as t

try:
    import yaml
except ImportError:  # connect() reports a missing library
    pass


def why_unreadable(paths: str) -> str:
    """Return why no kubeconfig can be read, or an empty text.

    :param paths: the paths of one or more kubeconfig files, joined by a colon. Of several files, some may be missing.
    """
    files = _files(paths)
    existing = [path for path in files if os.path.exists(path)]
    if files and not existing:
        return "the file does not exist" if len(files) == 1 else "none of the files exists"
    for path in existing:
        reason = _why_file_unreadable(path)
        if reason:
            return reason if len(files) == 1 else f"{path}: {reason}"
    return ""


def merged_kubeconfig(paths: str) -> dict[str, t.Any]:
    """Return contexts, users and the current context of one or more kubeconfig files; unreadable files are ignored."""
    merged: dict[str, t.Any] = {"contexts": [], "users": []}
    for path in _files(paths):
        content = {} if not os.path.exists(path) or _why_file_unreadable(path) else _load(path)
        merged["current-context"] = merged.get("current-context") or content.get("current-context")
        for group in ("contexts", "users"):
            entries = content.get(group)
            merged[group] += entries if isinstance(entries, list) else []
    return merged


def _files(paths: str) -> list[str]:
    return [os.path.expanduser(path) for path in paths.split(os.pathsep) if path]


def _why_file_unreadable(path: str) -> str:
    if os.path.isdir(path):
        return "it is a folder, not a file"
    try:
        content = _load(path)
    except OSError as error:
        return f"the file cannot be read ({error.strerror or type(error).__name__})"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return f"line {mark.line + 1} is not valid YAML" if mark else "it is not valid YAML"
    except ValueError:
        return "it is not a string file"
    if content is None:
        return "the file is empty"
    return "" if isinstance(content, dict) else "it is not a kubeconfig"


def _load(path: str) -> t.Any:
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)
