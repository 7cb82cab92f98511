# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the public surface of the version of galaxy.yml: ``python -m checks.surface``."""

from __future__ import annotations

import sys

from ..environment import ChecksError
from .compatibility import Release
from .facts import public_surface
from .records import present_version, write_record

if __name__ == "__main__":
    try:
        print(f"Wrote {write_record(Release(present_version(), public_surface()))}")
    except ChecksError as error:
        sys.exit(str(error))
