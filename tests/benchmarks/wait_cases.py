# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the waits of this collection with other tools in the cases where a simple wait never ends or is wrong.

``python tests/benchmarks/wait_cases.py LAB.JSON OC`` prints a table and the output of each tool. Each tool is called as
a careful user calls it, and all tools wait for the same objects at the same time. A result is

``right``  the tool reports done when that is true, ends early with an error that names the cause, or reaches its
           timeout while the build or the rollout is still running
``wrong``  the tool reports done when that is false, or ends with an error that does not name the cause
``hung``   the tool reaches its timeout for something that never happens or happened long ago

First every tool waits for a build and a rollout that are done. The run ends with an error if a tool fails there. The
exit status is 1 if a result of this collection is not right.
"""

from __future__ import annotations

import contextlib
import enum
import re
import subprocess
import sys
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from ansible_run import Ansible, installed_beside_pytest
from lab.api_time import now
from lab.errors import LabError
from lab.facts import Facts
from lab.faults import Fault, FaultProxy
from lab.kube_rest import Api
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.scenario import WaitCase
from lab.scenarios.stage import NODES, POOLS, Stage

GROUP = "machineconfiguration.openshift.io"
_UNASKED = (
    r"couldn't resolve|No module named|unknown flag|resource type|Failed to find API|[Ff]orbidden|[Uu]nauthorized$"
)
"""Output of a tool that could not send its request."""


class Comes(enum.Enum):
    """Whether the awaited state is reached."""

    NEVER = "never"
    IN_TIME = "in time"
    NOT_YET = "not before the tools' time is over"


class Question(t.NamedTuple):
    """The awaited state: the build or the rollout of a pool."""

    pool: str
    rollout: bool


class End(enum.Enum):
    """How a tool ended."""

    DONE = "done"
    TIME_OVER = "time over"
    ERROR = "error"


class Ending(t.NamedTuple):
    """How a tool ended, its output, and its seconds."""

    end: End
    words: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Case:
    """One case: its scenarios, the awaited state, and the expected result.

    :ivar scenarios: name and node of each scenario, in order
    :ivar seconds: the timeout of each tool
    :ivar holds: whether the awaited state is reached now; it gets the time at which the case began
    :ivar names: an error that contains this names what is wrong
    """

    case: WaitCase
    title: str
    question: Question
    scenarios: tuple[tuple[str, str], ...]
    comes: Comes
    seconds: int
    holds: t.Callable[[Stage, str], bool]
    names: str = ""
    undo: tuple[tuple[str, str], ...] = ()
    faults: tuple[Fault, ...] = ()


def _never(stage: Stage, since: str) -> bool:
    del stage, since
    return False


def _built(stage: Stage, since: str = "") -> bool:
    """Whether the build that the operator names is of this case, has succeeded, and is the image of the config."""
    with contextlib.suppress(LabError):
        build = stage.current_build()
        digest = build.get("status", {}).get("digestedImagePushSpec")
        current = stage.config().get("status", {}).get("currentImagePullSpec")
        fresh = str(build["metadata"]["creationTimestamp"]) >= since
        return fresh and "Succeeded" in _true_conditions(build) and digest is not None and digest == current
    return False


def _built_before(stage: Stage, since: str) -> bool:
    del since
    return _built(stage)


def _rolled(stage: Stage, since: str = "") -> bool:
    del since
    image = stage.config().get("status", {}).get("currentImagePullSpec")
    members = [stage.api.get(f"{NODES}/{name}") for name in stage.members()]
    return bool(members) and all(_has_booted(node, image) for node in members)


def _has_booted(node: t.Mapping[str, t.Any], image: str | None) -> bool:
    annotations = node["metadata"]["annotations"]
    done = annotations.get(f"{GROUP}/currentImage") == image and annotations.get(f"{GROUP}/state") == "Done"
    return done and not node["spec"].get("unschedulable", False)


def _true_conditions(found: t.Mapping[str, t.Any]) -> list[str]:
    conditions = found.get("status", {}).get("conditions", [])
    return [str(condition["type"]) for condition in conditions if condition["status"] == "True"]


PLAIN, FAILING, EXPIRED, LOST, CUT = "plain", "failing", "expired", "lost", "cut"
BUILD, ROLLOUT = Question(PLAIN, False), Question(PLAIN, True)

# Those of one pool come one after the other, beside those of the others.
CASES_OF_PLAIN = (
    Case(
        WaitCase.POOL_EMPTY, "pool without nodes", ROLLOUT, (("pool-empty", ""),), Comes.NEVER, 25, _never, r"no node"
    ),
    Case(
        WaitCase.ROLLOUT_NOT_STARTED,
        "node has just joined",
        ROLLOUT,
        (("node-joins", "worker-1"),),
        Comes.IN_TIME,
        120,
        _rolled,
    ),
    Case(
        WaitCase.POOL_PAUSED,
        "pool is paused",
        ROLLOUT,
        (("pool-paused", ""), ("node-joins", "worker-2")),
        Comes.NEVER,
        25,
        _rolled,
        r"paused",
        undo=(("node-joins", "worker-2"), ("pool-paused", "")),
    ),
    Case(
        WaitCase.EVICTION_BLOCKED,
        "budget blocks the drain",
        ROLLOUT,
        (("drain-blocked", "worker-3"), ("node-joins", "worker-3")),
        Comes.NEVER,
        90,
        _rolled,
        r"PodDisruptionBudget|disruption budget",
        undo=(("drain-blocked", "worker-3"),),
    ),
    Case(
        WaitCase.TWO_BUILDS,
        "two builds at once",
        BUILD,
        (("two-builds", ""),),
        Comes.IN_TIME,
        40,
        _built_before,
        undo=(("two-builds", ""),),
    ),
    Case(
        WaitCase.BUILD_NAME_REUSED, "built again, same name", BUILD, (("build-again", ""),), Comes.IN_TIME, 200, _built
    ),
    Case(
        WaitCase.PREVIOUS_BUILD_EXISTS,
        "edited, old build is there",
        BUILD,
        (("config-edited", ""),),
        Comes.IN_TIME,
        200,
        _built,
    ),
    Case(
        WaitCase.POOL_IDLE_DURING_BUILD,
        "build runs, pool not Updating",
        ROLLOUT,
        (("build-hangs", ""),),
        Comes.NOT_YET,
        25,
        _never,
    ),
)
CASES_OF_OTHERS = (
    Case(
        WaitCase.BUILD_FAILED,
        "build failed",
        Question(FAILING, False),
        (),
        Comes.NEVER,
        25,
        _never,
        r"Failed is True|exit status 7",
    ),
    Case(
        WaitCase.PUSH_DENIED,
        "push token expired",
        Question(EXPIRED, False),
        (),
        Comes.NEVER,
        25,
        _never,
        r"Failed is True|unauthorized",
    ),
    Case(
        WaitCase.BUILD_INTERRUPTED,
        "build interrupted",
        Question(LOST, False),
        (("build-interrupted", ""),),
        Comes.NEVER,
        150,
        _never,
        r"[Ii]nterrupted",
    ),
    Case(
        WaitCase.API_INTERRUPTED,
        "API answers 503, cuts streams",
        Question(CUT, False),
        (("config-edited", ""),),
        Comes.IN_TIME,
        200,
        _built,
        faults=(Fault("answer", status=503, seconds=12), Fault("cut", seconds=12)),
    ),
)


@dataclass(frozen=True)
class Asking:
    """A question as it is put to a tool: with which kubeconfig, for how many seconds, in which empty folder."""

    question: Question
    seconds: int
    kubeconfig: Path
    folder: Path

    def of_ansible(self, **task: t.Any) -> tuple[bool, dict[str, t.Any], str]:
        """Run a task; return whether it went well, its result, and everything that was printed."""
        ansible = Ansible(installed_beside_pytest(), self.folder, {"K8S_AUTH_KUBECONFIG": str(self.kubeconfig)})
        run = ansible.run_tasks([{"name": "Wait", **task}])
        if not run.results:
            raise RuntimeError(f"The task did not run: {run.output}")
        return run.rc == 0, run.of("Wait").result, run.output


Tool = t.Callable[[Asking], Ending]


def _ours(asking: Asking) -> Ending:
    module = "machineconfigpool_wait" if asking.question.rollout else "machineosbuild_wait"
    options = {"pool": asking.question.pool, "timeout": asking.seconds}
    well, result, printed = asking.of_ansible(**{f"imagemode.openshift.{module}": options})
    words = str(result.get("msg", printed))
    return _ending(well, f"not done after {asking.seconds} s" in words, words)


def _asked_of_k8s_info(question: Question) -> dict[str, t.Any]:
    if question.rollout:
        return {"api_version": f"{GROUP}/v1", "kind": "MachineConfigPool", "name": question.pool}
    labels = [f"{GROUP}/machine-os-config={question.pool}"]
    return {"api_version": f"{GROUP}/v1", "kind": "MachineOSBuild", "label_selectors": labels}


def _wait_condition(asking: Asking) -> Ending:
    wanted = "Updated" if asking.question.rollout else "Succeeded"
    wait = {"wait": True, "wait_timeout": asking.seconds, "wait_condition": {"type": wanted, "status": "True"}}
    options = {**_asked_of_k8s_info(asking.question), **wait}
    well, result, printed = asking.of_ansible(**{"kubernetes.core.k8s_info": options})
    words = str(result.get("msg", printed))
    return _ending(well, "even after waiting for" in words, words)


def _until(asking: Asking) -> Ending:
    """Ask for the newest build until it has succeeded or failed, for a pool until it is updated or degraded."""
    newest = "(found.resources | default([]) | sort(attribute='metadata.creationTimestamp') | last | default({}))"
    true = f"({newest}.status.conditions | default([]) | selectattr('status', 'eq', 'True') | map(attribute='type'))"
    if asking.question.rollout:
        counts = f"{newest}.status.updatedMachineCount | default(-1) == {newest}.status.machineCount | default(-2)"
        wanted, failed = f"('Updated' in {true} and {counts})", f"'Degraded' in {true}"
    else:
        wanted, failed = f"'Succeeded' in {true}", f"'Failed' in {true} or 'Interrupted' in {true}"
    delay = 5
    retries = asking.seconds // delay
    well, result, printed = asking.of_ansible(
        **{"kubernetes.core.k8s_info": _asked_of_k8s_info(asking.question)},
        register="found",
        until=f"{wanted} or {failed}",
        failed_when=f"not {wanted}",  # With the failure alone it would be well when no attempt is left.
        retries=retries,
        delay=delay,
    )
    found = sorted(result.get("resources", []), key=lambda item: str(item["metadata"]["creationTimestamp"]))
    reasons = [f"{kind} is True" for kind in _true_conditions(found[-1])] if found else []
    words = " ".join(filter(None, [str(result.get("msg", "")), *reasons])) or printed
    return _ending(well, result.get("attempts", 0) >= retries, words)


def _oc_wait(oc: str) -> Tool:
    def ask(asking: Asking) -> Ending:
        pool, rollout = asking.question
        if rollout:
            what = [f"machineconfigpool/{pool}", "--for=condition=Updated"]
        else:
            what = ["machineosbuild", "-l", f"{GROUP}/machine-os-config={pool}", "--for=condition=Succeeded"]
        command = [oc, "--kubeconfig", str(asking.kubeconfig), "wait", *what, f"--timeout={asking.seconds}s"]
        ended = subprocess.run(command, cwd=asking.folder, capture_output=True, text=True, check=False)
        words = ended.stderr or ended.stdout
        return _ending(ended.returncode == 0, "timed out waiting" in words, words)

    return ask


def _ending(well: bool, time_over: bool, words: str) -> Ending:
    if well:
        return Ending(End.DONE, "done")
    return Ending(End.TIME_OVER if time_over else End.ERROR, " ".join(words.split()))


class Answer(t.NamedTuple):
    """How good a tool's ending is."""

    verdict: str
    ending: Ending


def judge(case: Case, ending: Ending, holds: bool) -> str:
    """Return right, wrong or hung.

    :param holds: whether the awaited state was reached when the tool ended
    """
    if ending.end is End.DONE:
        return "right" if holds else "wrong"
    if ending.end is End.ERROR:
        return "right" if case.names and re.search(case.names, ending.words) else "wrong"
    return "right" if case.comes is Comes.NOT_YET else "hung"


class Bench:
    """A lab, and the tools that wait for its objects."""

    def __init__(self, facts: Facts, tools: t.Mapping[str, Tool]) -> None:
        self.facts = facts
        self.api = Api(facts.kubeconfigs.admin)
        self.tools = tools
        self.through_faults = facts.folder / "kubeconfig-through-faults"

    def stage(self, pool: str, node: str = "") -> Stage:
        """Return where a scenario is played."""
        return Stage(self.facts, self.api, pool, node)

    def prepare(self) -> None:
        """Bring every pool where its cases want it, one node of PLAIN rolled out."""
        starts = ((PLAIN, "config-edited"), (FAILING, "build-fails"), (EXPIRED, "push-denied"), (LOST, "build-hangs"))
        for pool, scenario in starts:
            SCENARIOS[scenario].play(self.stage(pool))
        wanted = {PLAIN: "Succeeded", FAILING: "Failed", EXPIRED: "Failed", LOST: "Building"}
        for pool, condition in wanted.items():
            _wait(f"build of {pool} is {condition}", lambda: condition in self._build_of(pool))  # noqa: B023
        _wait(f"{PLAIN} has its image", lambda: _built(self.stage(PLAIN)))
        SCENARIOS["node-joins"].play(self.stage(PLAIN, "worker-0"))
        _wait(f"{PLAIN} is rolled out", lambda: _rolled(self.stage(PLAIN)))
        _wait(f"{PLAIN} says Updated", lambda: "Updated" in _true_conditions(self._pool(PLAIN)))

    def control(self) -> None:
        """Let every tool wait for what is done. Raises RuntimeError for a tool that fails."""
        for question, kubeconfig in (
            (BUILD, self.facts.kubeconfigs.admin),
            (BUILD, self.through_faults),
            (ROLLOUT, self.facts.kubeconfigs.admin),
        ):
            for name, tool in self.tools.items():
                ending = self._ask(tool, question, 30, kubeconfig)
                if ending.end is not End.DONE:
                    raise RuntimeError(f"{name} failed: {question} is done, and the tool reports: {ending.words}")

    def play(self, case: Case) -> dict[str, Answer]:
        """Play a case, ask every tool about it at once, take it back, and return their answers."""
        since = now()
        for scenario, node in case.scenarios:
            SCENARIOS[scenario].play(self.stage(case.question.pool, node))
        stage = self.stage(case.question.pool)
        if not case.question.rollout:
            # Other tools need a build that the operator names.
            _wait(f"a build of {case.question.pool}", stage.named_build)
        kubeconfig = self.through_faults if case.faults else self.facts.kubeconfigs.admin

        def ask(tool: Tool) -> Answer:
            ending = self._ask(tool, case.question, case.seconds, kubeconfig)
            return Answer(judge(case, ending, case.holds(stage, since)), ending)

        with ThreadPoolExecutor() as threads:
            asked = {name: threads.submit(ask, tool) for name, tool in self.tools.items()}
            if case.faults:
                time.sleep(8)  # Every tool has begun.
                with FaultProxy(self.facts).having(*case.faults):
                    time.sleep(12)
            answers = {name: future.result() for name, future in asked.items()}
        self._check(case, answers, came=case.holds(stage, since))
        for scenario, node in case.undo:
            undo = SCENARIOS[scenario].undo
            if undo is not None:
                undo(self.stage(case.question.pool, node))
        return answers

    def _check(self, case: Case, answers: t.Mapping[str, Answer], came: bool) -> None:
        if came is not (case.comes is Comes.IN_TIME):
            raise RuntimeError(f"Case {case.case.name} did not occur: {case.title}, true at its end: {came}")
        for name, answer in answers.items():
            if answer.verdict == "wrong" and re.search(_UNASKED, answer.ending.words):
                raise RuntimeError(f"{name} failed: {answer.ending.words}")

    def _ask(self, tool: Tool, question: Question, seconds: int, kubeconfig: Path) -> Ending:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            ending = tool(Asking(question, seconds, kubeconfig, Path(folder)))
            return ending._replace(seconds=time.monotonic() - began)

    def _build_of(self, pool: str) -> list[str]:
        try:
            return _true_conditions(self.stage(pool).current_build())
        except LabError:
            return []

    def _pool(self, pool: str) -> dict[str, t.Any]:
        return self.api.get(f"{POOLS}/{pool}")


def _wait(what: str, holds: t.Callable[[], t.Any], seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)


def main(facts_file: str, oc: str) -> int:
    """Play every case on a running lab, print the table, and return 0 where this collection is always right."""
    ours = "imagemode.openshift"
    tools: dict[str, Tool] = {
        ours: _ours,
        "k8s_info until": _until,
        "k8s_info wait_condition": _wait_condition,
        "oc wait": _oc_wait(oc),
    }
    bench = Bench(Facts.load(Path(facts_file).parent), tools)
    bench.prepare()
    bench.control()
    print("Every tool says done of a build and a rollout that are done. The cases, as they end:", flush=True)

    def play(cases: t.Sequence[Case]) -> list[tuple[Case, dict[str, Answer]]]:
        played = []
        for case in cases:
            played.append((case, bench.play(case)))
            print(f"\n{case.title}", flush=True)
            for name, answer in played[-1][1].items():
                print(
                    f"   {name:<24} {answer.verdict}, {answer.ending.end.value}: {answer.ending.words[:300]}",
                    flush=True,
                )
        return played

    with ThreadPoolExecutor() as threads:
        rows = [row for rows in threads.map(play, (CASES_OF_PLAIN, CASES_OF_OTHERS)) for row in rows]
    print("\n" + f"{'case':<36}" + "".join(f"{name:<25}" for name in tools))
    for case, answers in sorted(rows, key=lambda row: list(WaitCase).index(row[0].case)):
        results = (f"{answer.verdict} {answer.ending.seconds:.0f} s" for answer in answers.values())
        print(f"{case.title:<36}" + "".join(f"{words:<25}" for words in results))
    for verdict in ("right", "wrong", "hung"):
        counts = (sum(answers[name].verdict == verdict for dummy, answers in rows) for name in tools)
        print(f"{verdict:<36}" + "".join(f"{count:<25}" for count in counts))
    return 0 if all(answers[ours].verdict == "right" for dummy, answers in rows) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
