# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files of the user on the machine that runs Ansible."""

from __future__ import annotations

import os
import typing as t

from .problem import Problem

Reader = t.Callable[[str], bytes]
"""Returns the content of a file, decrypted where Ansible Vault encrypted it. Raises OSError or ValueError."""


def absolute(path: str) -> str:
    """Return the absolute path; a relative one starts at the folder in which Ansible was started."""
    return os.path.abspath(os.path.expanduser(path))


def read_text(path: str, read: Reader) -> str:
    """Return the text of a file.

    :raises Problem: it is not a file that can be read as text
    """
    where = absolute(path)
    if os.path.isdir(where):
        raise Problem(f"{where} is a folder, not a file", "Name a file")
    if not os.path.exists(where):
        raise Problem(
            f"{where} does not exist", "Create the file, or correct the path; a relative path starts at the folder in "
            "which ansible-playbook was started",
        )  # fmt: skip
    try:
        return read(where).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(f"{where} is not UTF-8 text", "Save it as UTF-8 text") from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise Problem(f"{where} cannot be read ({reason})", "Give the user who runs Ansible access to it") from None
    except ValueError:
        raise Problem(
            f"{where} cannot be decrypted", "Give ansible-playbook the vault password (--ask-vault-pass)"
        ) from None


def check_folder(path: str) -> None:
    """Check that a path can be a folder.

    :raises Problem: it is something else
    """
    where = absolute(path)
    if os.path.exists(where) and not os.path.isdir(where):
        raise Problem(f"{where} is a file, not a folder", "Name a folder")
