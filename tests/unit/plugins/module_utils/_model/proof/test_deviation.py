# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.deviation import (
    DEVIATIONS,
    NOTHING_ALLOWED,
    Allowed,
    Deviation,
    LocalChanges,
    local_changes_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import booted_image
from hypothesis import given
from hypothesis import strategies as st

KERNEL = ["kernel-5.14.0-1.el9.x86_64", "kernel", 0, "5.14.0", "1.el9", "x86_64"]
RT_KERNEL = ["kernel-rt-5.14.0-2.el9.x86_64", "kernel-rt", 0, "5.14.0", "2.el9", "x86_64"]


LAYERED = {"base-checksum": "4f1c"}
"""A deployment that was assembled on the node."""


def of(**keys) -> tuple[Deviation, ...]:
    return deviations_of(booted_image("a", **{key.replace("_", "-"): value for key, value in keys.items()}))


def deviations_of(entry) -> tuple[Deviation, ...]:
    return local_changes_of(entry).applied


def requests_of(entry) -> list[str]:
    return [request.shown for request in local_changes_of(entry).inactive]


APPLIED = [
    ({"packages": ["htop"]}, Deviation("node.local_packages", "htop", "packages: htop")),
    ({"modules": ["cri-o:1.2"]}, Deviation("node.local_packages", "cri-o:1.2", "modules: cri-o:1.2")),
    (
        {"base-removals": [KERNEL]},
        Deviation("node.package_removals", "kernel", "base-removals: kernel-5.14.0-1.el9.x86_64"),
    ),
    (
        {"base-local-replacements": [[RT_KERNEL, KERNEL]]},
        Deviation("node.package_overrides", "kernel-rt", "base-local-replacements: kernel-rt-5.14.0-2.el9.x86_64"),
    ),
    (
        {"base-local-replacements": [["podman-5-1.x86_64", "podman", "podman-4-1.x86_64"]]},
        Deviation("node.package_overrides", "podman", "base-local-replacements: podman-5-1.x86_64"),
    ),
    (
        {"base-remote-replacements": {"repo=x": [[RT_KERNEL, KERNEL]]}},
        Deviation("node.package_overrides", "kernel-rt", "base-remote-replacements: kernel-rt-5.14.0-2.el9.x86_64"),
    ),
    (
        {"base-remote-replacements": {"repo=x": [["podman-5-1.x86_64", "podman", "podman-4-1.x86_64"]]}},
        Deviation("node.package_overrides", "podman", "base-remote-replacements: podman-5-1.x86_64"),
    ),
    (
        {"base-remote-replacements": [["repo=x", [[RT_KERNEL, KERNEL]]]]},
        Deviation("node.package_overrides", "kernel-rt", "base-remote-replacements: kernel-rt-5.14.0-2.el9.x86_64"),
    ),
    ({"live-inprogress": "4f1c"}, Deviation("node.live_changes", None, "live-inprogress: 4f1c")),
    ({"live-replaced": "4f1c"}, Deviation("node.live_changes", None, "live-replaced: 4f1c")),
    ({"unlocked": "development"}, Deviation("node.unlocked", None, "unlocked: development")),
    ({"unlocked": "hotfix"}, Deviation("node.unlocked", None, "unlocked: hotfix")),
    ({"unlocked": "transient"}, Deviation("node.unlocked", None, "unlocked: transient")),
    ({"unlocked": ["x", 1]}, Deviation("node.unlocked", None, "unlocked: (list)")),
    ({"unlocked": 0}, Deviation("node.unlocked", None, "unlocked: 0")),
    ({"base-checksum": "4f1c"}, Deviation("node.assembled_on_node", None, "base-checksum: 4f1c")),
    ({"base-checksum": 0}, Deviation("node.assembled_on_node", None, "base-checksum: 0")),
    (
        {"layered-commit-meta": {"rpmostree.clientlayer": True}},
        Deviation("node.assembled_on_node", None, "layered-commit-meta: (dict)"),
    ),
]
"""What is applied, whatever was requested."""

REQUESTED = [
    (
        {"requested-packages": ["usbguard"]},
        Deviation("node.local_packages", "usbguard", "requested-packages: usbguard"),
    ),
    (
        {"requested-local-packages": ["my-tool-1.0-2.el9.x86_64"]},
        Deviation("node.local_packages", "my-tool", "requested-local-packages: my-tool-1.0-2.el9.x86_64"),
    ),
    (
        {"requested-local-fileoverride-packages": ["x.rpm"]},
        Deviation("node.local_packages", "x.rpm", "requested-local-fileoverride-packages: x.rpm"),
    ),
    (
        {"requested-modules": ["cri-o"]},
        Deviation("node.local_packages", "cri-o", "requested-modules: cri-o"),
    ),
    (
        {"requested-modules-enabled": ["cri-o"]},
        Deviation("node.local_packages", "cri-o", "requested-modules-enabled: cri-o"),
    ),
    (
        {"requested-base-removals": ["kernel-core"]},
        Deviation("node.package_removals", "kernel-core", "requested-base-removals: kernel-core"),
    ),
    (
        {"requested-base-local-replacements": ["kernel-rt-5.14.0-2.el9.x86_64"]},
        Deviation(
            "node.package_overrides",
            "kernel-rt",
            "requested-base-local-replacements: kernel-rt-5.14.0-2.el9.x86_64",
        ),
    ),
    (
        {"requested-base-remote-replacements": {"repo=x": ["kernel"]}},
        Deviation("node.package_overrides", "kernel", "requested-base-remote-replacements: kernel"),
    ),
    (
        {"requested-base-remote-replacements": [["repo=x", ["kernel"]]]},
        Deviation("node.package_overrides", "kernel", "requested-base-remote-replacements: kernel"),
    ),
    ({"regenerate-initramfs": True}, Deviation("node.initramfs_regenerated", None, "regenerate-initramfs: True")),
    (
        {"initramfs-args": ["--add", "x"]},
        Deviation("node.initramfs_regenerated", None, "initramfs-args: --add x"),
    ),
    ({"initramfs-etc": ["/etc/x"]}, Deviation("node.initramfs_regenerated", None, "initramfs-etc: /etc/x")),
    ({"cliwrap": True}, Deviation("node.assembled_on_node", None, "cliwrap: True")),
]
"""What is requested, and is a deviation only if it is applied."""

LISTED_BY = {
    "requested-packages": "packages",
    "requested-modules": "modules",
    "requested-base-removals": "base-removals",
    "requested-base-local-replacements": "base-local-replacements",
    "requested-base-remote-replacements": "base-remote-replacements",
}


@pytest.mark.parametrize(("change", "deviation"), APPLIED)
def test_what_changes_the_image_on_the_node_is_named(change, deviation):
    assert local_changes_of(booted_image("a", **change)) == LocalChanges((deviation,), ())


@pytest.mark.parametrize(("request_", "shown"), [(change, d.shown) for change, d in REQUESTED])
def test_request_of_a_deployment_that_was_only_imported_changes_nothing(request_, shown):
    entry = booted_image("a", **request_)
    assert deviations_of(entry) == ()
    assert requests_of(entry) == [shown]


@pytest.mark.parametrize(("request_", "deviation"), REQUESTED)
def test_request_of_an_assembled_deployment_is_applied_if_nothing_lists_what_is_applied(request_, deviation):
    assert local_changes_of(booted_image("a", **LAYERED, **request_)) == LocalChanges((deviation,), ())


@pytest.mark.parametrize(("request_", "deviation"), [r for r in REQUESTED if set(r[0]) & set(LISTED_BY)])
@pytest.mark.parametrize("nothing", [[], {}])
def test_request_that_the_list_of_what_is_applied_leaves_out_is_inactive(request_, deviation, nothing):
    (key,) = request_
    found = local_changes_of(booted_image("a", **LAYERED, **request_, **{LISTED_BY[key]: nothing}))
    assert [d.finding for d in found.applied] == ["node.assembled_on_node"]
    assert found.inactive == (deviation,)


def test_assembled_deployment_separates_what_is_applied_from_what_the_image_has_already():
    found = local_changes_of(
        booted_image("a", **LAYERED, **{"requested-packages": ["htop", "NetworkManager-ovs"], "packages": ["htop"]})
    )
    assert [d.shown for d in found.applied] == ["packages: htop"]
    assert [d.shown for d in found.inactive] == ["requested-packages: NetworkManager-ovs"]


@pytest.mark.parametrize(
    "fulfilled",
    [
        {"requested-packages": ["htop"], "packages": ["htop"]},
        {"requested-modules": ["cri-o"], "modules": ["cri-o"]},
        {"requested-base-removals": ["kernel"], "base-removals": [KERNEL]},
        {"requested-base-removals": ["kernel-5.14.0-1.el9.x86_64"], "base-removals": [KERNEL]},
        {
            "requested-base-local-replacements": ["kernel-rt-5.14.0-2.el9.x86_64"],
            "base-local-replacements": [[RT_KERNEL, KERNEL]],
        },
        {
            "requested-base-remote-replacements": [["repo=updates", ["podman"]]],
            "base-remote-replacements": {"repo=updates": [["podman-5-1.x86_64", "podman", "podman-4-1.x86_64"]]},
        },
    ],
)
@pytest.mark.parametrize("base", [{}, LAYERED])
def test_request_that_is_applied_is_named_once(fulfilled, base):
    found = local_changes_of(booted_image("a", **fulfilled, **base))
    assert (len(found.applied), found.inactive) == (1, ())


def test_a_key_without_a_name_does_not_stand_for_a_list_of_what_is_applied():
    entry = {**booted_image("a", **LAYERED, **{"requested-local-packages": ["x-1-1.noarch"]}), "": ["x"]}
    assert [d.package for d in deviations_of(entry)] == ["x"]


def test_list_of_what_is_applied_that_is_null_is_no_list():
    found = local_changes_of({**booted_image("a", **LAYERED, **{"requested-packages": ["htop"]}), "packages": None})
    assert [d.package for d in found.applied] == ["htop"]


@pytest.mark.parametrize("key", ["packages", "base-removals", "base-local-replacements", "modules"])
def test_only_what_is_listed_by_source_can_have_an_empty_source(key):
    assert len(deviations_of(booted_image("a", **{key: [["kernel", []]]}))) == 1


@pytest.mark.parametrize("nothing", [[["repo=x", []]], {"repo=x": []}, [], {}])
def test_source_without_a_package_replaces_nothing(nothing):
    changes = {"requested-base-remote-replacements": nothing, "base-remote-replacements": nothing}
    assert local_changes_of(booted_image("a", **changes)) == LocalChanges()


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"unlocked": None},
        {"unlocked": ""},
        {"requested-packages": None},
        {"packages": []},
        {"base-remote-replacements": {}},
        {"requested-base-remote-replacements": {"repo=x": []}},
        {"base-checksum": ""},
        {"layered-commit-meta": {}},
        {"live-replaced": ""},
        {"regenerate-initramfs": False},
        {"initramfs-args": []},
        {"cliwrap": False},
    ],
)
def test_a_plain_image_has_no_deviations(nothing):
    assert local_changes_of({**booted_image("a"), **nothing}) == LocalChanges()


@pytest.mark.parametrize("base", [{}, LAYERED])
@pytest.mark.parametrize("key", ["requested-packages", "base-removals", "base-local-replacements"])
@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        ([7], "7"),
        (7, "7"),
        ([None], "(NoneType)"),
        ([{"a": 1}], "(dict)"),
        ({"repo": 7}, "7"),
        ([[]], "(list)"),
        ([["nevra"]], "nevra"),
        ([["nevra", 7]], "(list)"),
    ],
)
def test_what_cannot_be_read_is_still_a_deviation_that_no_name_allows(key, odd, shown, base):
    found = local_changes_of(booted_image("a", **base, **{key: odd}))
    is_inactive = key.startswith("requested-") and not base
    (deviation,), other = (found.inactive, found.applied) if is_inactive else (found.applied, found.inactive)
    assert (deviation.package, deviation.shown, other) == (None, f"{key}: {shown}", ())
    assert not Allowed.of(["*"]).covers(deviation)


def test_request_that_cannot_be_read_is_applied_even_beside_a_list_of_what_is_applied():
    """Nothing can tell it from what the list leaves out."""
    entry = booted_image("a", **LAYERED, **{"requested-packages": [7, "htop"], "packages": ["htop"]})
    assert [d.shown for d in deviations_of(entry)] == ["packages: htop", "requested-packages: 7"]


def test_a_name_that_no_package_has_is_still_a_deviation_that_no_name_allows():
    (deviation,) = deviations_of(booted_image("a", packages=["x" * 9999]))
    assert (deviation.package, len(deviation.shown)) == (None, len("packages: ") + 2048)
    assert not Allowed.of(["*"]).covers(deviation)


def test_more_deviations_than_a_node_has_are_an_error_and_never_left_out():
    allowed = [f"p{number}" for number in range(5000)]
    assert len(deviations_of(booted_image("a", packages=allowed))) == 5000
    with pytest.raises(ValueError, match="more than 5000 local changes"):
        deviations_of(booted_image("a", packages=[*allowed, "kernel"]))


def test_more_requests_than_a_node_has_are_an_error_too():
    requested = [f"p{number}" for number in range(5001)]
    with pytest.raises(ValueError, match="more than 5000 local changes"):
        local_changes_of(booted_image("a", **{"requested-packages": requested}))


def test_a_package_is_named_once_in_a_list():
    found = of(packages=["htop", "htop", "strace"], base_removals=[KERNEL, KERNEL], base_checksum="4f1c")
    assert [(d.finding, d.package) for d in found] == [
        ("node.local_packages", "htop"),
        ("node.local_packages", "strace"),
        ("node.package_removals", "kernel"),
    ]


@pytest.mark.parametrize(
    "reason", [{"requested_packages": ["htop"]}, {"regenerate_initramfs": True}, {"cliwrap": True}]
)
def test_a_deployment_with_a_base_is_explained_by_what_was_changed(reason):
    assert len(of(base_checksum="4f1c", **reason)) == 1


@pytest.mark.parametrize("reason", [{"unlocked": "hotfix"}, {"live_replaced": "4f1c"}])
def test_what_happened_to_a_running_system_does_not_explain_how_its_deployment_was_made(reason):
    assert [d.finding for d in of(base_checksum="4f1c", **reason)][-1] == "node.assembled_on_node"
    assert len(of(base_checksum="4f1c", **reason)) == 2


# What is allowed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "package", "covered"),
    [
        ([], "usbguard", False),
        (["usbguard"], "usbguard", True),
        (["usbguard"], "usbguard-tools", False),
        (["kernel"], "kernel-rt-core", False),
        (["kernel-rt*"], "kernel-rt-core", True),
        (["a", "kernel-rt*"], "kernel-rt-core", True),
        (["KERNEL*"], "kernel-rt-core", False),
        (["node.local_packages"], "usbguard", True),
        (["node.package_removals"], "usbguard", False),
    ],
)
def test_packages_are_allowed_by_patterns_of_their_names_or_all_together(entries, package, covered):
    assert Allowed.of(entries).covers(Deviation("node.local_packages", package, "x")) is covered


@pytest.mark.parametrize(
    ("entries", "covered"), [(["node.unlocked"], True), (["node.live_changes"], False), (["*"], False)]
)
def test_what_is_about_no_package_is_allowed_by_its_id(entries, covered):
    assert Allowed.of(entries).covers(Deviation("node.unlocked", None, "unlocked: hotfix")) is covered


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (["node.unlockd"], "node.unlockd is not the id of a deviation"),
        (["node.image_differs", "node.unlocked"], "node.image_differs is not the id of a deviation"),
        (["usbguard", ""], "an entry is empty"),
        ([" "], "an entry is empty"),
    ],
)
def test_an_entry_that_can_allow_nothing_is_refused(entries, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        Allowed.of(entries)


@pytest.mark.parametrize(
    ("used", "unused"),
    [
        ([], None),
        ([None, None], None),
        ([frozenset()], ["ipsec", "kernel*", "node.unlocked"]),
        ([frozenset(), None], ["ipsec", "kernel*", "node.unlocked"]),
        ([frozenset(["kernel*"]), frozenset(["node.unlocked"])], ["ipsec"]),
        ([frozenset(["kernel*", "node.unlocked", "ipsec"])], []),
    ],
)
def test_entry_that_allowed_nothing_on_any_node_is_unused(used, unused):
    assert Allowed.of(["node.unlocked", "ipsec", "kernel*", "ipsec"]).unused(used) == unused


def test_every_entry_that_allows_a_change_is_used():
    allowed = Allowed.of(["kernel*", "kernel-rt", "usb*", "node.package_overrides", "node.unlocked"])
    change = Deviation("node.package_overrides", "kernel-rt", "x")
    assert list(allowed.entries_for(change)) == ["node.package_overrides", "kernel*", "kernel-rt"]


def test_nothing_is_allowed_unless_it_is_said():
    assert NOTHING_ALLOWED == Allowed.of([]) == Allowed((), frozenset())


def test_every_kind_of_deviation_is_a_public_finding_that_is_no_mere_warning():
    assert {FINDINGS[kind].severity.value for kind in DEVIATIONS} == {"error"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    ["requested-packages", "requested-local-packages", "base-removals", "base-local-replacements", "live-replaced"]
)


@given(st.dictionaries(_KEYS, _JSON, min_size=1), st.booleans())
def test_whatever_a_key_holds_that_is_not_nothing_is_reported(entry, is_assembled):
    found = local_changes_of({**entry, **(LAYERED if is_assembled else {})})
    holds_something = any(value for value in entry.values() if not isinstance(value, dict))
    reported = [*found.applied, *found.inactive]
    assert not holds_something or reported
    assert all(d.finding in DEVIATIONS for d in reported)
    assert found.applied or not is_assembled
