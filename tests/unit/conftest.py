# SPDX-License-Identifier: GPL-3.0-or-later
"""Let tests import the collection by its full name, under pytest alone and under ansible-test."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader

# .../ansible_collections/imagemode/openshift/tests/unit/conftest.py
TREE = Path(__file__).resolve().parents[5]

if not (TREE / "ansible_collections/imagemode/openshift").is_dir():
    pytest.exit(
        "Could not run the unit tests here: they need the collection in its tree. Run `make unit`.", returncode=4
    )

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ansible-test has installed the finder already
    init_plugin_loader([str(TREE)])
