# SPDX-License-Identifier: GPL-3.0-or-later
"""All checks, tests and measurements of the project. ``nox --list`` prints them.

``make test`` runs the sessions that are marked in that list. The tags "lint", "quick" and "lab" choose groups of them.
All sessions use the environment ``.cache/venv``, which ``make env`` creates from requirements with hashes; only
``versions`` has an environment for each entry of its matrix.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
import typing as t
from pathlib import Path

import nox
from lab.release import AUGUST_2024, EVERY_RELEASE, JULY_2025, RELEASES

# The program nox does not search this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from checks.cluster import build_lab
from checks.commands import Setting
from checks.environment import (
    CACHE,
    LOCKED,
    ROOT,
    VERSIONS,
    ChecksError,
    find_interpreter_for_environment,
    make_venv,
)
from checks.interpreters import find_interpreter
from checks.machine import provide_a_browser, provide_an_ssh_server, provide_java
from checks.mutation import GROUPS
from checks.reports import read_count
from checks.tree import NEWEST_TREE, Tree, files_of

nox.options.envdir = str(CACHE / "nox")
nox.options.error_on_missing_interpreters = True
nox.options.stop_on_first_error = False

Env = t.Optional[t.Mapping[str, str]]
SETTING = Setting(NEWEST_TREE)
# `python -m checks run` reads the reports of pytest here.
REPORTS = Path(os.environ.get("CHECKS_REPORTS") or CACHE / "reports")
CLIENTS = {file.stem: file for file in sorted((ROOT / "requirements/clients").glob("*.txt"))}

# A test must not depend on the user's settings, nor reach the user's cluster.
_clean = SETTING.environment()
os.environ.clear()
os.environ.update(_clean)


def step(default: bool = True, **options: t.Any) -> t.Callable[[t.Callable[..., None]], t.Any]:
    """Register a session. Print an error of the checks in one line, without a traceback."""

    def register(function: t.Callable[..., None]) -> t.Any:
        @functools.wraps(function)
        def guarded(session: nox.Session, **arguments: t.Any) -> None:
            try:
                function(session, **arguments)
            except ChecksError as error:
                session.error(str(error))

        options.setdefault("venv_backend", "none")
        return nox.session(default=default, **options)(guarded)

    return register


# Linters


@step(tags=["quick", "lint"])
def ruff(session: nox.Session) -> None:
    """Lint Python."""
    _run(session, "ruff", "check", folder=ROOT)


@step(tags=["quick", "lint"], name="format")
def ruff_format(session: nox.Session) -> None:
    """Check the format of Python."""
    _run(session, "ruff", "format", "--check", folder=ROOT)


@step(tags=["quick", "lint"])
def shellcheck(session: nox.Session) -> None:
    """Lint shell scripts."""
    _run(session, "shellcheck", *_shell_scripts(), folder=ROOT)


@step(tags=["quick", "lint"], name="ansible-lint")
def ansible_lint(session: nox.Session) -> None:
    """Lint roles, playbooks and YAML."""
    _run(session, "ansible-lint", "--nocolor", "--offline", "--strict", "--profile", "production")


@step(tags=["quick", "lint"])
def docs(session: nox.Session) -> None:
    """Check the documentation and its references."""
    _run(
        session, "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all",
        "--check-extra-docs-refs", "--disallow-unknown-collection-refs", ".",
        env=_home_of_antsibull(),
    )  # fmt: skip


@step(tags=["quick", "lint"])
def changelog(session: nox.Session) -> None:
    """Check the changelog and its fragments."""
    _run(session, "antsibull-changelog", "lint", env=_home_of_antsibull())


@step(tags=["quick", "lint"])
def imports(session: nox.Session) -> None:
    """Check that imports follow the layers and form no circle."""
    _run(session, "lint-imports", "--no-cache", "--no-logo", folder=ROOT, env={"PYTHONPATH": str(ROOT)})


@step(tags=["quick", "lint"])
def glossary(session: nox.Session) -> None:
    """Find words that the project does not use."""
    _run(session, "python", "-m", "checks.glossary", folder=ROOT)


# Checks without a cluster

_ON_EACH_CORE = "--numprocesses=auto"


@step(tags=["quick"])
def typing(session: nox.Session) -> None:
    """Check types strictly in the collection, the lab, the demonstration and the checks."""
    mypy = ("mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", CACHE / "mypy")
    _run(session, *mypy, "plugins", "extensions", "checks", "demo", "lab/src", "noxfile.py", folder=ROOT)


@step(tags=["quick"])
def unit(session: nox.Session) -> None:
    """Test each part without a cluster."""
    _pytest(session, "tests/unit", _ON_EACH_CORE)


@step(tags=["quick"])
def fuzz(session: nox.Session) -> None:
    """Give hostile input to what reads nodes and the API server; FUZZ_EXAMPLES is the number of new examples."""
    _pytest(session, "tests/fuzz")


@step(tags=["quick"])
@nox.parametrize("version", [nox.param(version, id=version) for version in CLIENTS])
def clients(session: nox.Session, version: str) -> None:
    """Test the connection with an older release of the Kubernetes client."""
    folder = "tests/unit/plugins/module_utils/_cluster"
    names = ("test_named_cluster.py", "test_connection.py", "test_session.py", "test_exec.py")
    env = {"PYTHONPATH": str(_client(session, CLIENTS[version]))}
    _pytest(session, *(f"{folder}/{name}" for name in names), _ON_EACH_CORE, env=env)


@step(tags=["quick"], name="checks-test")
def checks_test(session: nox.Session) -> None:
    """Test the checks themselves."""
    _pytest(session, "checks/tests", folder=ROOT)


@step(tags=["quick"])
def tarball(session: nox.Session) -> None:
    """Build the tarball, check its content, install it and read its documentation."""
    _pytest(session, "checks/published/test_tarball.py", folder=ROOT)


@step(tags=["quick"])
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity on the content of the tarball."""
    _pytest(session, "checks/published/test_sanity.py", "--capture=no", folder=ROOT)


@step(tags=["quick"], name="execution-environment")
def execution_environment(session: nox.Session) -> None:
    """Check the definitions of execution environments, and run the collection with the packages of one."""
    venv = CACHE / "execution-environment"
    make_venv(venv, find_interpreter_for_environment(), [ROOT / "requirements/execution-environment.txt"])
    tests = ("checks/published/test_execution_environment.py", "checks/published/test_run.py")
    _pytest(session, *tests, f"--programs={venv / 'bin'}", folder=ROOT)


# Unit tests of what calls most of ansible-core.
_OF_ANSIBLE_CORE = ("tests/unit/plugins/action", "tests/unit/plugins/inventory")


@step(tags=["quick"])
def oldest(session: nox.Session) -> None:
    """Run the collection with the oldest ansible-core, kubernetes.core and client: a short form of `versions`."""
    leg = next(leg for leg in VERSIONS["matrix"] if leg["name"] == "oldest")
    # `versions` requires the Python of the entry. Its other requirements install on later ones as well.
    interpreter = find_interpreter(leg["python"]) or find_interpreter_for_environment()
    venv = CACHE / "oldest"
    make_venv(venv, interpreter, [ROOT / "requirements/matrix/oldest.txt"])
    tree = Tree(CACHE / f"collections-{leg['kubernetes_core']}")
    tree.refresh(leg["kubernetes_core"])
    _pytest(session, "checks/published/test_run.py", f"--programs={venv / 'bin'}", f"--tree={tree.root}", folder=ROOT)
    _pytest(
        session, *_OF_ANSIBLE_CORE,
        folder=tree.collection, env=Setting(tree, venv).environment(), python=venv / "bin/python",
    )  # fmt: skip


# Tests against a lab


@step(name="lab-build")
@nox.parametrize("release", [nox.param(release, id=release) for release in EVERY_RELEASE])
def lab_build(session: nox.Session, release: str) -> None:
    """Build a release of the lab."""
    build_lab(SETTING, release)


_NEWEST_LAB = f"lab-build({JULY_2025.train})"
_OLDEST_LAB = f"lab-build({AUGUST_2024.train})"
_ALL_LABS = [f"lab-build({release})" for release in RELEASES]
_EVERY_LAB = [f"lab-build({release})" for release in EVERY_RELEASE]
# A test in a lab mostly waits for the operator, so there are more processes than cores. Each has a lab of its own;
# tests/integration/scheduling.py distributes the tests.
_IN_PARALLEL = ("--numprocesses=4", "--dist=loadscope", "--no-loadscope-reorder")
_INTEGRATION = "tests/integration"
_OF_RELEASES = f"{_INTEGRATION}/releases"
_INTERFACES = tuple(
    f"{_INTEGRATION}/test_{subject}.py" for subject in ("guides", "jobs", "event_source", "rulebooks", "molecule")
)
_RULEBOOK = CACHE / "rulebook"


@step(name="lab-test", tags=["lab"], requires=_EVERY_LAB)
def lab_test(session: nox.Session) -> None:
    """Test the lab itself."""
    _pytest(session, "lab/tests", "--numprocesses=3", "--dist=loadfile", folder=ROOT)


@step(tags=["lab"], requires=[_NEWEST_LAB])
def integration(session: nox.Session) -> None:
    """Test modules, roles and playbooks in labs of v1."""
    others = (f"--ignore={file}" for file in _INTERFACES)
    _integration(session, SETTING.programs, NEWEST_TREE, _INTEGRATION, *others, "-k", f"not {AUGUST_2024.train}")


@step(tags=["lab"], requires=[_NEWEST_LAB])
def molecule(session: nox.Session) -> None:
    """Test the roles with molecule in a lab."""
    _run(session, "python", "-m", "checks.molecule", folder=ROOT)


@step(default=False, tags=["lab"], requires=[_NEWEST_LAB])
def interfaces(session: nox.Session) -> None:
    """Test the examples of the guides and for molecule, the jobs of Automation Platform, and events in labs of v1."""
    of_v1 = ("-k", f"not {AUGUST_2024.train}")
    _integration(session, SETTING.programs, NEWEST_TREE, *_INTERFACES, _rulebook_option(), *of_v1)


@step(default=False, tags=["lab"], requires=[_OLDEST_LAB])
def v1alpha1(session: nox.Session) -> None:
    """Test modules, roles and playbooks in labs of v1alpha1, as on OpenShift 4.16."""
    _integration(session, SETTING.programs, NEWEST_TREE, _INTEGRATION, "-k", AUGUST_2024.train)


@step(default=False, tags=["lab"], requires=_ALL_LABS)
def releases(session: nox.Session) -> None:
    """Test the behavior of the operator and of the waits on each release of the lab."""
    in_parallel = (f"--numprocesses={len(RELEASES)}", "--dist=loadscope", "--no-loadscope-reorder")
    _pytest(session, _OF_RELEASES, *in_parallel, "--timeout=1800", f"--ansible={SETTING.programs}")


# Not part of `make test`


@step(default=False, tags=["versions"], venv_backend="venv")
@nox.parametrize("python, leg", [nox.param(leg["python"], leg, id=leg["name"]) for leg in VERSIONS["matrix"]])
def versions(session: nox.Session, leg: dict[str, t.Any]) -> None:
    """Test a combination of ansible-core, kubernetes.core, client and Python; the oldest one whole in a lab."""
    session.install(*LOCKED, "--requirement", str(ROOT / f"requirements/matrix/{leg['name']}.txt"))
    tree = Tree(CACHE / f"collections-{leg['kubernetes_core']}")
    tree.refresh(leg["kubernetes_core"])
    env = Setting(tree, Path(session.virtualenv.location)).environment()
    of_leg = (f"--programs={session.bin}", f"--tree={tree.root}", "--capture=no")
    _run_all(
        session,
        [
            lambda: _pytest(session, "tests/unit", folder=tree.collection, env=env),
            lambda: _pytest(session, "tests/fuzz", folder=tree.collection, env=env),
            lambda: _pytest(session, "checks/published/test_sanity.py", *of_leg, folder=ROOT, python=_PYTHON),
            lambda: _pytest(session, "checks/published/test_run.py", *of_leg, folder=ROOT, python=_PYTHON),
            lambda: _in_lab(session, leg["lab"], Path(session.bin), tree),
        ],
    )


@step(default=False, tags=["versions"], name="modules-python")
@nox.parametrize("version", [nox.param(version, id=version) for version in VERSIONS["modules_python"]])
def modules_python(session: nox.Session, version: str) -> None:
    """Run modules on an older Python than the one of Ansible, also in a lab."""
    interpreter = find_interpreter(version)
    if interpreter is None:
        session.error(f"Could not run modules on Python {version}: it is not installed. Install python{version}-venv.")
    venv = CACHE / f"modules-{version}"
    make_venv(venv, interpreter, [ROOT / f"requirements/modules/{version}.txt"])
    by_it = f"--interpreter={venv / 'bin/python'}"
    _run_all(
        session,
        [
            lambda: _pytest(session, "checks/published/test_run.py", by_it, folder=ROOT),
            lambda: _in_lab(session, "exec", SETTING.programs, NEWEST_TREE, by_it),
        ],
    )


@step(default=False)
def bench(session: nox.Session) -> None:
    """Measure requests, seconds and memory beside kubectl and oc. Arguments: names of scripts of tests/benchmarks."""
    _run(session, "python", "-m", "checks.bench", *session.posargs, folder=ROOT)


@step(default=False)
@nox.parametrize("group", [nox.param(group, id=group) for group in GROUPS])
def mutation(session: nox.Session, group: str) -> None:
    """Change the code of decisions, one place at a time, and count the changes that tests detect."""
    _run(session, "python", "-m", "checks.mutation", group, folder=ROOT)


@step(default=False)
def findings(session: nox.Session) -> None:
    """Write the page of findings in the documentation."""
    _run(session, "python", "-m", "checks.findings_page", folder=ROOT)


@step(default=False)
def variables(session: nox.Session) -> None:
    """Write what is generated from the specification of the variables."""
    _run(session, "python", "-m", "checks.variable_pages", folder=ROOT)


@step(default=False)
def surface(session: nox.Session) -> None:
    """Record the public surface of the version that is being prepared."""
    _run(session, "python", "-m", "checks.surface", folder=ROOT)


@step(default=False)
def copy(session: nox.Session) -> None:
    """Update the copy of the collection that the tests use."""
    NEWEST_TREE.refresh()
    session.log(f"ANSIBLE_COLLECTIONS_PATH={NEWEST_TREE.root}")


# How sessions run commands

_PYTHON = SETTING.programs / "python"


def _run(session: nox.Session, *command: str | Path, folder: Path | None = None, env: Env = None) -> None:
    """Run a command in *folder*, by default the copy of the collection."""
    NEWEST_TREE.refresh()
    with session.chdir(folder or NEWEST_TREE.collection):
        session.run(*map(str, command), env=env, external=True, interrupt_timeout=60, terminate_timeout=10)


def _run_all(session: nox.Session, steps: t.Iterable[t.Callable[[], None]]) -> None:
    """Run all steps, also after one failed; fail if any of them failed."""
    failed = 0
    for one in steps:
        try:
            one()
        except nox.command.CommandFailed:
            failed += 1
    if failed:
        session.error(f"{failed} steps failed")


def _pytest(
    session: nox.Session,
    *arguments: str | Path,
    folder: Path | None = None,
    env: Env = None,
    python: str | Path = "python",
) -> None:
    """Run pytest and store its report. A skipped test proves nothing and fails the session."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    number = len(list(REPORTS.glob("*.xml")))
    report = REPORTS / f"{number:02}-{session.name}.xml"
    options = ("-o", f"cache_dir={CACHE / 'pytest'}", f"--junit-xml={report}")
    _run(session, python, "-m", "pytest", *options, *arguments, folder=folder, env=env)
    skipped = read_count(report).skipped
    if skipped:
        raise nox.command.CommandFailed(f"{skipped} tests were skipped")


# A whole run of the playbook apply, and a verification of two nodes. Both run commands on nodes.
_EXEC_IN_LAB = (
    "tests/integration/test_playbooks.py::test_new_pool_gets_its_image_and_its_node_is_verified",
    "tests/integration/test_node_image_verify.py::test_each_node_matches_by_the_digest_it_booted",
)


def _in_lab(session: nox.Session, extent: str, ansible: Path, tree: Tree, *options: str) -> None:
    """Run tests in a lab with the ansible-playbook of the folder *ansible*.

    :param extent: "all", or "exec" for a run of the playbook apply and a verification
    """
    build_lab(SETTING, JULY_2025.train)
    if extent == "all":
        build_lab(SETTING, AUGUST_2024.train)
        _integration(session, ansible, tree, _INTEGRATION, _rulebook_option())
        return
    _pytest(
        session, *_EXEC_IN_LAB, "--timeout=1800", f"--ansible={ansible}", *options,
        folder=tree.collection, env=Setting(tree).environment(), python=_PYTHON,
    )  # fmt: skip


def _integration(session: nox.Session, ansible: Path, tree: Tree, *selection: str) -> None:
    """Run integration tests with the ansible-playbook of the folder *ansible*."""
    provide_a_browser()
    provide_an_ssh_server()
    _run(session, SETTING.programs / "lab", "build", "--oc", folder=ROOT)
    options = ("--timeout=1800", f"--ignore={_OF_RELEASES}", f"--ansible={ansible}")
    _pytest(
        session, *selection, *_IN_PARALLEL, *options,
        folder=tree.collection, env=Setting(tree).environment(), python=_PYTHON,
    )  # fmt: skip


def _rulebook_option() -> str:
    """Install ansible-rulebook, and return the option of the tests with its folder."""
    provide_java()
    make_venv(_RULEBOOK, find_interpreter_for_environment(), [ROOT / "requirements/rulebook.txt"])
    return f"--rulebook={_RULEBOOK / 'bin'}"


def _shell_scripts() -> list[Path]:
    return [file for file in files_of(ROOT) if _first_line(ROOT / file).rstrip().endswith(("bash", "/sh"))]


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        first = file.readline(80)
    return first.decode("utf-8", errors="replace") if first.startswith(b"#!") else ""


def _home_of_antsibull() -> dict[str, str]:
    """Give antsibull a home of its own, because it writes a log there."""
    home = CACHE / "antsibull"
    home.mkdir(parents=True, exist_ok=True)
    return {"HOME": str(home)}


def _client(session: nox.Session, requirements: Path) -> Path:
    """Install a release of the Kubernetes client into a folder of its own, unless it is up to date."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    folder = CACHE / "clients" / requirements.stem
    stamp = folder / "made-from"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        shutil.rmtree(folder, ignore_errors=True)
        pip = ("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *LOCKED)
        _run(session, *pip, "--target", folder, "--requirement", requirements, folder=ROOT)
        stamp.write_text(digest, encoding="utf-8")
    return folder
