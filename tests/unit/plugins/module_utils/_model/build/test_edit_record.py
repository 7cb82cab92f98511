# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.edit_record import (
    correction,
    edit_patch,
    has_record_of_its_spec,
    pull_secret_patch,
    reaction_left,
    time_of_server,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import EDIT
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import (
    MAX_PROVEN,
    SpecEdit,
    creation_record,
    merged,
    read_spec_edit,
    spec_hash,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.tests.unit.plugins import v1alpha1_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins import v1alpha1_objects as older
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
    OLD_RENDERED,
    OWN,
    image_of,
    machine_os_build,
    machine_os_config,
)

MORNING = "2026-03-01T08:00:00Z"
PATCH = {"containerFile": [{"containerfileArch": "NoArch", "content": "FROM configs AS final\nRUN other\n"}]}


def config(version: str = "100", **more: t.Any) -> dict[str, t.Any]:
    obj = machine_os_config(**more)
    obj["metadata"]["resourceVersion"] = version
    return obj


def build(name: str = "layered-a", version: str = "50", **more: t.Any) -> dict[str, t.Any]:
    obj = machine_os_build(name, **more)
    obj["metadata"]["resourceVersion"] = version
    return obj


def record_of(body: t.Mapping[str, t.Any]) -> SpecEdit:
    record = read_spec_edit(body["metadata"]["annotations"][OWN + "edit"])
    assert record is not None
    return record


def edited(current: dict[str, t.Any], *builds: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the MachineOSConfig after an edit."""
    body = edit_patch(current, PATCH, builds)
    metadata = {**current["metadata"], "generation": current["metadata"]["generation"] + 1, "resourceVersion": "200"}
    metadata["annotations"] = {**metadata["annotations"], **body["metadata"]["annotations"]}
    return {**current, "metadata": metadata, "spec": merged(current["spec"], body["spec"])}


PULL_SECRET: t.Mapping[str, t.Any] = {"currentImagePullSecret": {"name": "os-nodes"}}


def in_v1alpha1(**metadata: t.Any) -> dict[str, t.Any]:
    obj = as_v1(v1alpha1_objects.machine_os_config())
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": "100", **metadata}}


def after_pull_secret(current: dict[str, t.Any]) -> MachineOSConfig:
    """Return the MachineOSConfig after another Secret was named for the pull by the nodes."""
    body = pull_secret_patch(current, PULL_SECRET)
    assert body["metadata"]["resourceVersion"] == "100"
    assert body["spec"] == PULL_SECRET
    meta = {**current["metadata"], **body["metadata"], "generation": current["metadata"]["generation"] + 1}
    return MachineOSConfig.from_api({**current, "metadata": meta, "spec": {**current["spec"], **PULL_SECRET}})


def test_record_of_an_edit_outlives_another_secret_of_the_nodes():
    generation = 4
    edit = SpecEdit(generation, spec_hash(in_v1alpha1()["spec"]), frozenset({"b/1"}), config_uid="uid-of-layered")
    current = in_v1alpha1(generation=generation, annotations={EDIT: edit.annotation()})
    after = after_pull_secret(current)
    assert after.edit == replace(edit, generation=generation + 1)


@pytest.mark.parametrize("recorded", [False, True], ids=["by another client", "by this collection"])
def test_config_that_was_never_edited_counts_as_one_after_another_secret_of_the_nodes(recorded):
    spec = in_v1alpha1()["spec"]
    current = in_v1alpha1(annotations={EDIT: creation_record(spec)} if recorded else {})
    after = after_pull_secret(current)
    assert after.edit is not None
    assert (after.edit.builds, after.edit.is_settled) == (frozenset(), True)


def test_no_record_is_made_up_for_an_edit_of_another_client():
    current = in_v1alpha1(generation=3)
    assert "annotations" not in pull_secret_patch(current, PULL_SECRET)["metadata"]
    assert after_pull_secret(current).edit is None


def test_edit_is_written_for_the_version_that_was_read():
    body = edit_patch(config(), PATCH, [])
    assert body["metadata"]["resourceVersion"] == "100"
    assert body["spec"] == PATCH


def test_record_is_valid_for_the_spec_after_the_edit():
    after = MachineOSConfig.from_api(edited(config(image=image_of("a")), build()))
    assert after.edit is not None
    assert (after.edit.generation, after.edit.spec_hash) == (2, after.spec_hash)
    assert after.edit.image == image_of("a")


def test_record_names_all_builds_of_the_config_whatever_their_state():
    builds = [build(f"layered-{n}", state=state) for n, state in enumerate(["", "Building", "Failed", "Succeeded"])]
    foreign = build("other-a", config="other")
    record = record_of(edit_patch(config(), PATCH, [*builds, foreign]))
    names = {identity.partition("/")[0] for identity in record.builds}
    assert names == {"layered-0", "layered-1", "layered-2", "layered-3"}


def test_record_names_the_builds_that_were_proven_for_the_replaced_spec():
    before = config()
    other_config = build("layered-b", rendered=OLD_RENDERED)
    record = record_of(edit_patch(before, PATCH, [build(), other_config]))
    assert [(p.build.partition("/")[0], p.image) for p in record.proven] == [
        ("layered-a", image_of("a")),
        ("layered-b", image_of("b")),
    ]
    assert {p.spec_hash for p in record.proven} == {MachineOSConfig.from_api(before).spec_hash}


def test_proven_builds_of_earlier_specs_stay_in_the_record_while_they_exist():
    first = config()
    second = edited(first, build("layered-a"), build("layered-z"))
    record = record_of(edit_patch(second, {}, [build("layered-a"), build("layered-b", state="Failed", created=LATER)]))
    hashes = {MachineOSConfig.from_api(obj).spec_hash: name for name, obj in (("first", first), ("second", second))}
    assert [(p.build.partition("/")[0], hashes[p.spec_hash]) for p in record.proven] == [
        ("layered-a", "first"),
        ("layered-b", "second"),
    ]


def test_image_of_a_proven_build_that_succeeded_late_is_recorded():
    running = edited(config(), build(state="Building"))
    assert read_spec_edit(running["metadata"]["annotations"][OWN + "edit"]).proven[0].image == ""
    assert record_of(edit_patch(running, {}, [build()])).proven[0].image == image_of("a")


def test_build_that_is_not_proven_is_not_recorded_as_proven():
    """Another client changed the spec at noon."""
    by_other = config(generation=2, edits=[("kubectl-edit", NOON)])
    record = record_of(edit_patch(by_other, PATCH, [build(created=MORNING), build("layered-b", created=LATER)]))
    assert [p.build.partition("/")[0] for p in record.proven] == ["layered-b"]


def test_record_keeps_the_latest_proven_builds():
    many = [build(f"layered-{n:03}") for n in range(MAX_PROVEN + 5)]
    record = record_of(edit_patch(config(), PATCH, many))
    assert len(record.proven) == MAX_PROVEN
    assert record.proven[-1].build.startswith(f"layered-{MAX_PROVEN + 4:03}")


@pytest.mark.parametrize(("version", "is_before"), [("199", True), ("201", False), ("", True), ("x", True)])
def test_build_between_the_list_and_the_edit_is_added_to_the_record(version, is_before):
    written = edited(config(), build())
    late = build("layered-b", version=version)
    corrected = correction(written, [build(), late])
    assert bool(corrected) is is_before
    if is_before:
        assert "layered-b/uid-of-layered-b" in read_spec_edit(corrected).builds


def test_build_of_another_config_is_not_added_to_the_record():
    assert correction(edited(config()), [build("other-a", config="other")]) == ""


def test_record_follows_a_spec_that_the_api_server_completed():
    written = edited(config())
    written["spec"]["aLaterField"] = "default"
    corrected = {**written, "metadata": {**written["metadata"], "annotations": {OWN + "edit": correction(written, [])}}}
    assert MachineOSConfig.from_api(written).edit is None
    assert MachineOSConfig.from_api(corrected).edit is not None


def test_nothing_is_corrected_without_a_record():
    assert correction(config(), [build()]) == ""


def test_record_is_one_of_the_spec_until_another_client_changes_it():
    written = edited(config())
    assert has_record_of_its_spec(written)
    assert not has_record_of_its_spec(config())
    assert not has_record_of_its_spec({**written, "metadata": {**written["metadata"], "generation": 3}})


@pytest.mark.parametrize("version", ["", "opaque"])
def test_build_without_a_comparable_version_counts_as_one_from_before_the_edit(version):
    """A build too much in the record costs a build, and one too few can prove the wrong one."""
    corrected = read_spec_edit(correction(edited(config()), [build("layered-b", version=version)]))
    assert corrected is not None
    assert "layered-b/uid-of-layered-b" in corrected.builds


# Whether the operator had reacted ----------------------------------------------------------------------------------

AFTERNOON = "2026-03-01T15:00:00Z"


def is_settled(current: dict[str, t.Any], *builds: dict[str, t.Any], **more: t.Any) -> bool:
    return record_of(edit_patch(current, PATCH, builds, **{"now": AFTERNOON, **more})).is_settled


def test_edit_is_settled_if_the_replaced_spec_has_a_build():
    assert is_settled(config(), build(state=""))
    assert is_settled(config(generation=2, builds_before=["layered-z/1"]), build())


def test_edit_is_not_settled_if_the_operator_has_not_reacted_to_the_replaced_spec():
    assert not is_settled(config())
    assert not is_settled(config(generation=2, builds_before=["layered-a/uid-of-layered-a"]), build())


def test_edit_of_a_spec_with_a_reused_build_is_settled_once_the_operator_names_it():
    spec = MachineOSConfig.from_api(config()).spec_hash
    proven = {"specHash": spec, "build": "layered-a/uid-of-layered-a", "image": image_of("a")}
    back = {"generation": 3, "builds_before": ["layered-a/uid-of-layered-a"], "proven": [proven]}
    assert is_settled(config(build="layered-a", **back), build())
    assert not is_settled(config(build="layered-b", **back), build())


@pytest.mark.parametrize(
    ("created", "settled"), [(NOON, True), ("2026-03-01T14:59:00Z", True), ("2026-03-01T14:59:01Z", False)]
)
def test_edit_after_one_that_was_not_settled_is_settled_by_an_old_build(created, settled):
    before = config(generation=2, builds_before=[], settled=False)
    assert is_settled(before, build(created=created)) is settled
    assert not is_settled(before, build(created=created), now="")


@pytest.mark.parametrize(("observed", "settled"), [(1, False), (2, True)])
def test_edit_of_a_spec_of_another_client_is_settled_by_a_status_of_its_generation(observed, settled):
    by_other = config(generation=2, observed_generation=observed, edits=[("argocd", NOON)])
    assert is_settled(by_other, build(created=MORNING)) is settled


def test_edit_is_not_settled_while_a_config_has_no_pool():
    assert not is_settled(config(), build(), has_orphans=True)


def test_builds_of_a_spec_that_was_not_settled_are_not_recorded_as_proven():
    before = config(generation=2, builds_before=[], settled=False)
    assert record_of(edit_patch(before, PATCH, [build()])).proven == ()


@pytest.mark.parametrize(("now", "left"), [("2026-03-01T12:00:04Z", 11.0), ("2026-03-01T12:00:15Z", 0.0), ("", 0.0)])
def test_edit_waits_until_the_operator_has_had_time_to_react(now, left):
    assert max(0.0, reaction_left(config(edits=[("argocd", NOON)]), [], now)) == left


def test_edit_waits_for_the_reaction_that_created_a_build():
    assert reaction_left(config(), [build(created=LATER)], "2026-03-01T12:00:35Z") == 10.0
    assert reaction_left(config(), [build("other-a", config="other", created=LATER)], LATER) == -15.0


def test_time_of_the_server_is_the_time_of_our_last_write():
    fields = [{"manager": "imagemode.openshift", "time": NOON}, {"manager": "argocd", "time": LATER}]
    assert time_of_server({"metadata": {"managedFields": fields}}) == NOON
    assert time_of_server({"metadata": {}}) == ""


def test_edit_is_settled_where_single_pods_build():
    """The operator does not repeat reactions with an old spec there."""
    current = as_v1(older.machine_os_config())
    current["metadata"]["resourceVersion"] = "100"
    assert record_of(edit_patch(current, PATCH, [])).is_settled
    build_of_pod = as_v1(older.machine_os_build(true="Building"))
    assert record_of(edit_patch(current, PATCH, [build_of_pod])).is_settled


def test_builds_of_an_operator_before_an_upgrade_settle_nothing():
    """After the upgrade to 4.18 the operator builds with Jobs, and repeats its reactions."""
    current = as_v1(older.machine_os_config())
    current["metadata"].update({"resourceVersion": "100", "generation": 2})
    before = as_v1(older.machine_os_build(true="Succeeded"))
    after = as_v1(older.machine_os_build(name="layered-966b8892b0c378291caf890a998624e7"))
    assert not record_of(edit_patch(current, PATCH, [before, after])).is_settled
    assert reaction_left(current, [before, after], after["metadata"]["creationTimestamp"]) == 15.0
    assert reaction_left(current, [before], before["metadata"]["creationTimestamp"]) == 5.0


def test_edit_of_an_early_4_18_is_settled_by_a_build_only():
    """It serves v1alpha1 too and builds with Jobs."""
    current = as_v1(older.machine_os_config())
    current["metadata"].update({"resourceVersion": "100", "generation": 2})
    other = as_v1(older.machine_os_build(name="layered-966b8892b0c378291caf890a998624e7"))
    assert not record_of(edit_patch(current, PATCH, [other])).is_settled
