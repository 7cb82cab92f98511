# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
import yaml

from checks.environment import ROOT
from checks.tree import files_of

BEHAVIOR = ROOT / "docs/operator-behavior.md"
PAGES = ("CONTRIBUTING.md", "docs/architecture.md", "docs/operator-behavior.md")
BASES = (ROOT, ROOT / "plugins", ROOT / "plugins/module_utils", ROOT / "plugins/module_utils/_cluster/transports")
CITATION = re.compile(r"operator-behavior\.md(?:, | \()(?P<sections>\"[^\"]+\"(?:(?:,| and) \"[^\"]+\")*)")
PATH = re.compile(r"`(?P<path>[\w./-]+(?:/|\.(?:py|md|rst|yml|yaml|toml|json)))`")


def test_every_cited_section_of_the_operator_behavior_exists():
    titles = set(re.findall(r"^## (.+)$", BEHAVIOR.read_text(encoding="utf-8"), re.MULTILINE))
    wrong = []
    for file in files_of(ROOT):
        if file.suffix not in (".py", ".md", ".yml") or file == BEHAVIOR.relative_to(ROOT):
            continue
        # A citation may continue on the next line, in a comment behind "#".
        text = re.sub(r"\n\s*(?:# )?", " ", (ROOT / file).read_text(encoding="utf-8"))
        for citation in CITATION.finditer(text):
            cited = re.findall(r"\"([^\"]+)\"", citation["sections"])
            wrong += [f"{file}: {section}" for section in cited if section not in titles]
    assert not wrong


def test_every_path_in_the_pages_for_developers_exists():
    missing = []
    for page in PAGES:
        for found in PATH.finditer((ROOT / page).read_text(encoding="utf-8")):
            path = found["path"]
            if "/" in path and not any((base / path).exists() for base in BASES):
                missing.append(f"{page}: {path}")
    assert not missing


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").iterdir()))
def test_readme_of_a_role_lists_each_option_with_its_variable(role: str):
    content = yaml.safe_load((ROOT / "plugins/plugin_utils/_variables/specification.yml").read_text(encoding="utf-8"))
    options = {f"{role}_{v['roles'][role]}": name for name, v in content["variables"].items() if role in v["roles"]}
    readme = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    rows = [row for row in readme.splitlines() if row.startswith(f"| `{role}_")]
    missing = [o for o, name in options.items() if not any(f"`{o}`" in row and f"`{name}`" in row for row in rows)]
    assert not missing


# The headings of the template for certified collections, in its order. Automation Hub renders the page outside the
# repository.
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEADINGS = [
    "Description",
    "Requirements",
    "Installation",
    "Use cases",
    "Testing",
    "Contributing",
    "Support",
    "Release notes and roadmap",
    "Related information",
    "License information",
]


def test_readme_has_the_headings_of_certified_collections():
    assert re.findall(r"^## (.+)$", README, flags=re.MULTILINE) == HEADINGS


def test_readme_links_to_full_addresses_only():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []


def test_readme_links_to_files_that_exist():
    found = re.findall(r"https://github\.com/imagemode/openshift/(?:blob|tree)/main/([^)\s#]+)", README)
    assert found
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_readme_does_not_install_ansible_with_pip():
    assert "pip install" not in README
