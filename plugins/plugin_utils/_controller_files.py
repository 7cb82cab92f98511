# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files on the machine that runs Ansible, decrypted where Ansible Vault encrypted them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible.errors import AnsibleError

from ._variables.files import Reader


def reader(loader: t.Any) -> Reader:
    """Return a function that reads a file.

    :param loader: the DataLoader of an action plugin, which has the vault passwords
    """

    def read(path: str) -> bytes:
        try:
            decrypted = loader.get_real_file(path, decrypt=True)
        except AnsibleError as error:
            raise ValueError("the file cannot be decrypted") from error
        try:
            return Path(decrypted).read_bytes()
        finally:
            if decrypted != path:
                loader.cleanup_tmp_file(decrypted)

    return read
