# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the fuzz tests: few examples by default, as many as FUZZ_EXAMPLES says with ``make fuzz``."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from hypothesis import HealthCheck, settings

# .../ansible_collections/imagemode/openshift/tests/fuzz/conftest.py
TREE = Path(__file__).resolve().parents[5]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))

if not (TREE / "ansible_collections/imagemode/openshift").is_dir():
    pytest.exit(
        "Could not run the fuzz tests here: they need the collection in its tree. Run `make fuzz`.", returncode=4
    )

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES or 50,
    derandomize=not EXAMPLES,  # without a number, the same examples every time; with one, new examples in each run
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
settings.load_profile("fuzz")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ansible-test has installed the finder already
    init_plugin_loader([str(TREE)])
