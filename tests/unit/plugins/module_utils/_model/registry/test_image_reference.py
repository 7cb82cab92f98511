# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import string

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.image_reference import (
    DeployedReference,
    ImageReference,
    Transport,
    Verification,
    comparable,
    is_digest,
    parse_deployed,
    parse_image,
)
from hypothesis import given
from hypothesis import strategies as st

HEX = "0123456789abcdef" * 4
DIGEST = "sha256:" + HEX
LONG_DIGEST = "sha512:" + HEX * 2


# Names of images ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "digest"),
    [
        ("quay.io/org/os:4.20", "quay.io", ["org", "os"], "4.20", ""),
        (f"quay.io/org/os@{DIGEST}", "quay.io", ["org", "os"], "", DIGEST),
        (f"quay.io/org/os@{LONG_DIGEST}", "quay.io", ["org", "os"], "", LONG_DIGEST),
        (f"quay.io/org/os:4.20@{DIGEST}", "quay.io", ["org", "os"], "4.20", DIGEST),
        ("registry.svc:5000/ns/os", "registry.svc:5000", ["ns", "os"], "", ""),
        ("registry.svc:5000/ns/os:t", "registry.svc:5000", ["ns", "os"], "t", ""),
        ("registry:5000/os:t", "registry:5000", ["os"], "t", ""),
        ("localhost/os", "localhost", ["os"], "", ""),
        ("org/os", "", ["org", "os"], "", ""),
        ("os", "", ["os"], "", ""),
        ("os.x", "", ["os.x"], "", ""),
        ("localhost", "", ["localhost"], "", ""),
        ("os:t", "", ["os"], "t", ""),
        ("os:" + "t" * 128, "", ["os"], "t" * 128, ""),
        ("quay.io/a/b/c/os:_t.-", "quay.io", ["a", "b", "c", "os"], "_t.-", ""),
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
        "quay.io/os@" + DIGEST[:-1],
        "quay.io/os@" + DIGEST + "0",
        "quay.io/os@sha256:" + HEX.upper(),
        "quay.io/os@sha256:" + HEX * 2,
        "quay.io/os@sha512:" + HEX,
        "quay.io/os@md5:" + HEX[:32],
        f"quay.io/os@{DIGEST}@{DIGEST}",
        f"quay.io/os@{DIGEST}\n",
        "quay.io/",
        "/os",
        "quay.io//os",
        "quay.io/os:",
        "quay.io/os:.t",
        "quay.io/os:t t",
        "os:" + "t" * 129,
        "quay.io/my os:t",
        "quay.io/o\x1bs:t",
        "https://quay.io/os",
        "foo://",
    ],
)
def test_what_is_not_the_name_of_an_image_is_refused(text):
    with pytest.raises(ValueError, match=r"^'.* is not ") as refused:
        parse_image(text)
    assert "None" not in str(refused.value)


def test_a_refusal_says_what_is_wrong_with_the_name():
    with pytest.raises(ValueError, match=r"^'sha256:1' is not a digest \(sha256: and 64 hexadecimal digits\)$"):
        parse_image("os@sha256:1")
    with pytest.raises(ValueError, match=r"^'os:' is not the name of an image: its tag is not valid$"):
        parse_image("os:")
    with pytest.raises(ValueError, match=r"^'/' is not the name of an image$"):
        parse_image("/")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (DIGEST, True),
        (LONG_DIGEST, True),
        ("sha256:" + HEX * 2, False),
        (HEX, False),
        ("x" + DIGEST, False),
        ("", False),
    ],
)
def test_a_digest_names_its_algorithm_and_is_complete(text, is_one):
    assert is_digest(text) is is_one


def test_only_digests_of_one_algorithm_can_be_compared():
    other = "sha256:" + "0" * 64
    assert comparable([DIGEST, LONG_DIGEST, other], DIGEST) == [other, DIGEST]
    assert comparable([DIGEST, ""], LONG_DIGEST) == []


# What rpm-ostree says it deployed -----------------------------------------------------------------------------------

REGISTRY, STORAGE = Transport.REGISTRY, Transport.CONTAINERS_STORAGE
NONE, POLICY, REMOTE = Verification.NONE, Verification.POLICY, Verification.REMOTE


@pytest.mark.parametrize(
    ("text", "verification", "transport", "remote", "canonical"),
    [
        ("ostree-unverified-registry:{}", NONE, REGISTRY, "", "ostree-unverified-registry:{}"),
        ("ostree-unverified-image:registry:{}", NONE, REGISTRY, "", "ostree-unverified-registry:{}"),
        ("ostree-unverified-image:docker://{}", NONE, REGISTRY, "", "ostree-unverified-registry:{}"),
        (
            "ostree-unverified-image:containers-storage:{}",
            NONE,
            STORAGE,
            "",
            "ostree-unverified-image:containers-storage:{}",
        ),
        ("ostree-image-signed:registry:{}", POLICY, REGISTRY, "", "ostree-image-signed:docker://{}"),
        ("ostree-image-signed:docker://{}", POLICY, REGISTRY, "", "ostree-image-signed:docker://{}"),
        ("ostree-remote-registry:fedora:{}", REMOTE, REGISTRY, "fedora", "ostree-remote-image:fedora:docker://{}"),
        (
            "ostree-remote-image:fedora:registry:{}",
            REMOTE,
            REGISTRY,
            "fedora",
            "ostree-remote-image:fedora:docker://{}",
        ),
        (
            "ostree-remote-image:fedora:docker://{}",
            REMOTE,
            REGISTRY,
            "fedora",
            "ostree-remote-image:fedora:docker://{}",
        ),
    ],
)
@pytest.mark.parametrize(
    "name",
    # A registry may be called as a transport or a scheme is.
    [f"quay.io/os@{DIGEST}", f"quay.io/os:t@{DIGEST}", "quay.io/os:t", f"registry:5000/os@{DIGEST}", "dir:5000/os:t"],
)
def test_every_spelling_of_a_deployed_image_names_the_same_image(
    text, verification, transport, remote, canonical, name
):
    reference = parse_deployed(text.format(name))
    assert reference == DeployedReference(verification, transport, name, remote)
    assert str(reference.image) == name
    assert str(reference) == canonical.format(name)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        (f"[overlay@/var/lib/containers+/run:x=y]quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (f"[a]quay.io/os@{DIGEST}", f"quay.io/os@{DIGEST}"),
        (HEX, None),
        (DIGEST, None),
        (f"@{HEX}", None),
        (f"[overlay@/var]@{HEX}", None),
        (f"[overlay@/var]{HEX}", None),
    ],
)
def test_a_place_or_a_number_in_the_container_storage_is_no_part_of_the_name(name, image):
    text = f"ostree-unverified-image:containers-storage:{name}"
    reference = parse_deployed(text)
    assert (str(reference.image) if reference.image else None) == image
    assert str(reference) == text


@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive", "dir", "docker-daemon"])
def test_an_image_that_came_as_a_file_has_no_name_in_a_registry(transport):
    text = f"ostree-unverified-image:{transport}:/var/tmp/os:latest"
    reference = parse_deployed(text)
    assert (reference.name, reference.image, str(reference)) == ("/var/tmp/os:latest", None, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo://",
        "docker:blah",
        "registry:",
        "foo:bar",
        "ostree-unverified-registry",
        "ostree-unverified-registry:",
        "ostree-unverified-registry:quay.io/",
        "ostree-unverified-image:registry:",
        "ostree-unverified-image:docker://",
        "ostree-unverified-image:containers-storage:",
        "ostree-unverified-image:dir:",
        "ostree-unverified-image:docker:quay.io/os",
        "ostree-unverified-image:quay.io/os:t",
        "ostree-unverified-image:dir:/o\x1bs",
        "ostree-unverified-image:dir:" + "x" * 1025,
        "ostree-image-signed:quay.io/os:t",
        f"ostree-remote-registry::quay.io/os@{DIGEST}",
        "ostree-remote-registry:fedora",
        "ostree-remote-image:fedora:quay.io/os:t",
        # what rpm-ostree does not take for a container: a pivot, a commit, a branch
        f"pivot://quay.io/os@{DIGEST}",
        HEX,
        "fedora:fedora/x86_64/coreos/stable",
        f"quay.io/os@{DIGEST}",
    ],
)
def test_what_is_no_container_reference_is_not_taken_for_one(text):
    with pytest.raises(ValueError, match=r"^'.*(is not|does not name|names no)"):
        parse_deployed(text)


def test_a_refusal_says_what_is_wrong_with_the_reference():
    with pytest.raises(ValueError, match=r"^'ostree-remote-image::dir:/os' does not name the remote that verifies it$"):
        parse_deployed("ostree-remote-image::dir:/os")
    with pytest.raises(ValueError, match=r"^'foo:bar' does not name a container image$"):
        parse_deployed("foo:bar")
    with pytest.raises(ValueError, match=r"^'os:t' does not name a way to fetch an image$"):
        parse_deployed("ostree-image-signed:os:t")
    with pytest.raises(ValueError, match=r"^'ostree-unverified-image:dir:' names no image$"):
        parse_deployed("ostree-unverified-image:dir:")


def test_the_longest_name_is_still_one():
    assert len(parse_deployed("ostree-unverified-image:dir:" + "x" * 1024).name) == 1024


# Whatever the text --------------------------------------------------------------------------------------------------

_SEGMENTS = st.text(string.ascii_lowercase + string.digits + "-_.", min_size=1)
_DIGESTS = st.one_of(
    st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__),
    st.text("0123456789abcdef", min_size=128, max_size=128).map("sha512:".__add__),
)
_IMAGES = st.builds(
    ImageReference,
    repository=st.builds(
        lambda host, path: "/".join([*host, *path]),
        st.lists(st.sampled_from(["quay.io", "registry.svc:5000", "localhost"]), max_size=1),
        st.lists(_SEGMENTS, min_size=1, max_size=4),
    ),
    tag=st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True),
    digest=st.just("") | _DIGESTS,
)
_REFERENCES = st.builds(
    lambda verification, transport, image, remote: DeployedReference(
        verification, transport, str(image), remote if verification is REMOTE else ""
    ),
    st.sampled_from(Verification),
    st.sampled_from(Transport),
    _IMAGES,
    st.text(string.ascii_lowercase, min_size=1),
)


@given(_IMAGES)
def test_a_printed_name_reads_as_it_was(image):
    assert parse_image(str(image)) == image
    assert parse_deployed(f"ostree-unverified-registry:{image}").image == image


@given(_REFERENCES)
def test_a_printed_reference_reads_as_it_was(reference):
    assert parse_deployed(str(reference)) == reference


@given(st.text() | st.text("a:/@."))
def test_whatever_is_accepted_prints_as_it_was_given(text):
    try:
        image = parse_image(text)
    except ValueError:
        return
    assert str(image) == text


_SCHEMES = st.sampled_from(["ostree-unverified-registry:", *(f"{v.value}:" for v in Verification), ""])
_WAYS = st.sampled_from(["registry:", "docker:", "x:", "", *(way.value for way in Transport)])


@given(_SCHEMES, _WAYS, st.text() | st.text("a:/@.[]") | _IMAGES.map(str))
def test_whatever_reference_is_accepted_has_one_canonical_spelling(scheme, way, name):
    try:
        reference = parse_deployed(f"{scheme}{way}{name}")
    except ValueError:
        return
    assert parse_deployed(str(reference)) == reference
    assert str(parse_deployed(str(reference))) == str(reference)
