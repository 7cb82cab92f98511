# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import string

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.image_reference import (
    ImageReference,
    parse_deployed,
    parse_image,
)
from hypothesis import given
from hypothesis import strategies as st

HEX = "0123456789abcdef" * 4
DIGEST = "sha256:" + HEX


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest"),
    [
        ("quay.io/org/os:4.20", "quay.io", ["org", "os"], "4.20", ""),
        (f"quay.io/org/os@{DIGEST}", "quay.io", ["org", "os"], "", DIGEST),
        (f"quay.io/org/os:4.20@{DIGEST}", "quay.io", ["org", "os"], "4.20", DIGEST),
        ("registry.svc:5000/ns/os", "registry.svc:5000", ["ns", "os"], "", ""),
        ("registry.svc:5000/ns/os:t", "registry.svc:5000", ["ns", "os"], "t", ""),
        ("registry:5000/os:t", "registry:5000", ["os"], "t", ""),
        ("localhost/os", "localhost", ["os"], "", ""),
        ("org/os", "", ["org", "os"], "", ""),
        ("os", "", ["os"], "", ""),
        ("os:t", "", ["os"], "t", ""),
        ("quay.io/a/b/c/os:t", "quay.io", ["a", "b", "c", "os"], "t", ""),
    ],
)
def test_a_name_is_cut_into_registry_path_tag_and_digest(text, host, path, tag, digest):
    image = parse_image(text)
    assert (image.host, image.path, image.tag, image.digest) == (host, path, tag, digest)
    assert str(image) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":t",
        "@" + DIGEST,
        "quay.io/os@",
        "quay.io/os@sha256:" + HEX[:-1],
        "quay.io/os@sha256:" + HEX.upper(),
        "quay.io/os@sha512:" + HEX * 2,
        f"quay.io/os@{DIGEST}@{DIGEST}",
        f"quay.io/os@{DIGEST}\n",
        "quay.io/",
        "quay.io/os:",
        "quay.io/my os:t",
        "foo://",
    ],
)
def test_what_is_not_the_name_of_an_image_is_refused(text):
    with pytest.raises(ValueError, match="is not"):
        parse_image(text)


@pytest.mark.parametrize(
    ("text", "image"),
    [
        (f"ostree-unverified-registry:quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        ("ostree-unverified-registry:quay.io/os:t", "quay.io/os:t"),
        # A registry may be called as a transport is.
        (f"ostree-unverified-registry:registry:5000/os@{DIGEST}", f"registry:5000/os@{DIGEST}"),
        (f"ostree-unverified-registry:dir:5000/os@{DIGEST}", f"dir:5000/os@{DIGEST}"),
        (f"ostree-unverified-image:registry:quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (f"ostree-unverified-image:docker://quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (f"ostree-unverified-image:containers-storage:quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (
            f"ostree-unverified-image:containers-storage:[overlay@/var/lib/containers+/run:x=y]quay.io/os@{DIGEST}",
            f"quay.io/os@{DIGEST}",
        ),
        (f"ostree-image-signed:registry:quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (f"ostree-image-signed:docker://quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (f"ostree-remote-registry:fedora:quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (f"ostree-remote-image:fedora:registry:quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (f"ostree-remote-image:fedora:docker://quay.io/os:t@{DIGEST}", f"quay.io/os:t@{DIGEST}"),
    ],
)
def test_every_spelling_of_a_deployed_image_names_the_same_image(text, image):
    assert str(parse_deployed(text)) == image


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo://",
        "docker:blah",
        "registry:",
        "foo:bar",
        "ostree-unverified-registry:",
        "ostree-unverified-image:registry:",
        "ostree-unverified-image:docker:quay.io/os",
        "ostree-unverified-image:oci:/var/tmp/os",
        "ostree-unverified-image:oci-archive:/var/tmp/os.tar",
        "ostree-unverified-image:docker-archive:/var/tmp/os.tar",
        "ostree-unverified-image:dir:/var/tmp/os",
        "ostree-unverified-image:docker-daemon:os:latest",
        "ostree-unverified-image:quay.io/os:t",
        # what rpm-ostree does not take for a container: a pivot, a commit, a branch
        f"pivot://quay.io/os@{DIGEST}",
        HEX,
        "fedora:fedora/x86_64/coreos/stable",
        f"quay.io/os@{DIGEST}",
    ],
)
def test_what_is_no_image_of_a_registry_is_not_taken_for_one(text):
    with pytest.raises(ValueError, match=r"is not|does not name|names no"):
        parse_deployed(text)


_SEGMENTS = st.text(string.ascii_lowercase + string.digits + "-_.", min_size=1).filter(lambda s: s[0].isalnum())
_IMAGES = st.builds(
    ImageReference,
    repository=st.builds(
        lambda host, path: "/".join([*host, *path]),
        st.lists(st.sampled_from(["quay.io", "registry.svc:5000", "localhost"]), max_size=1),
        st.lists(_SEGMENTS, min_size=1, max_size=4),
    ),
    tag=st.just("") | st.text(string.ascii_letters + string.digits + "._-", min_size=1),
    digest=st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__),
)


@given(_IMAGES)
def test_a_printed_name_reads_as_it_was(image):
    assert parse_image(str(image)) == image
    assert parse_deployed(f"ostree-unverified-registry:{image}") == image


@given(st.text() | st.text("a:/@."))
def test_whatever_is_accepted_prints_as_it_was_given(text):
    try:
        image = parse_image(text)
    except ValueError:
        return
    assert str(image) == text
