# SPDX-License-Identifier: GPL-3.0-or-later
"""Push the base image and leave its pull spec in the lab's folder. Runs once, inside the lab."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.facts import Facts

RESULT_FILE = "base-image"


def main() -> None:
    from lab import base_image

    facts = Facts.load(sys.argv[1])
    pull_spec = base_image.push(facts)
    unfinished = facts.folder / f"{RESULT_FILE}.tmp"
    unfinished.write_text(pull_spec, encoding="utf-8")
    unfinished.replace(Path(facts.folder / RESULT_FILE))
    print(f"pushed {pull_spec}")


if __name__ == "__main__":
    main()
