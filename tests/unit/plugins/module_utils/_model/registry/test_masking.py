# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.masking import (
    MASK,
    RULES,
    WINDOW,
    inside_keys,
    masked,
    masked_instructions,
    masked_part,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.credential_examples import (
    BASE64,
    EXAMPLES,
    ORDINARY,
    WORD,
    Example,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

RECORDINGS = Path(__file__).parents[5] / "recordings" / "build_failures"
EVERY = [(rule, example) for rule, examples in EXAMPLES.items() for example in examples]
NAMED = [f"{rule}: {example.text}" for rule, example in EVERY]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2hunter2",
        "authorization: hunter2",
        "proxy-authorization=hunter2",
        "> Authorization: Basic aHVudGVyMg==hunter2",
        "https://robot:hunter2@registry.example.com/v2/",
        "https://hunter2@registry.example.com/v2/",
        'socks5h://u:hunter2@proxy.example.com:1080"',
        '{"auths":{"r.example.com":{"auth":"hunter2"}}}',
        '"{\\"auth\\": \\"hunter2\\"}"',
        '{"identitytoken": "hunter2"}',
        "subscription-manager register --org 1 --activationkey=hunter2",
        "skopeo copy --dest-creds robot:hunter2 a b",
        "login --password hunter2",
        "login --password='hunter2'",
        "curl -u robot:hunter2 https://x",
        "curl --user robot:hunter2 https://x",
        "curl -urobot:hunter2 https://x",
        "export REPO_TOKEN=hunter2",
        "ENV DB_PASSWORD=hunter2 A=1",
        "aws_secret_access_key = hunter2",
        "GET https://x/?access_token=hunter2&page=1",
        "token eyJhbGciOiJIUzI1NiJ9.hunter2hunter2.hunter2",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
    ],
)
def test_a_credential_is_not_shown(text):
    shown = masked(text)
    assert "hunter2" not in shown
    assert "***" in shown


def test_the_password_of_kubeadmin_is_not_shown():
    assert masked("kubeadmin XaB3c-bCd4e-fGh5i-jKl6m") == "kubeadmin ***"
    for other in ("alpha-bravo-delta-gamma", "XaB3c-bCd4e-fGh5i-jKl6m-nOp7q", "8c1f6-4d52d-54a3b-0c7f1"):
        assert masked(other) == other


def test_every_rule_of_the_table_has_examples():
    assert set(EXAMPLES) == {rule.name for rule in RULES}


@pytest.mark.parametrize(("name", "example"), EVERY, ids=NAMED)
def test_each_rule_finds_its_examples(name, example):
    """Each rule itself, not only some other one."""
    secret = ("Zx7" + example.alphabet[-1]) * 20 if set("Zx7") <= set(example.alphabet) else example.alphabet * 4
    text = example.text.format(secret[: max(example.length, 16)])
    pattern = next(rule.pattern for rule in RULES if rule.name == name)
    assert any(pattern.search(line) for line in text.split("\n"))


_TEXTS = [
    line for path in sorted(RECORDINGS.glob("run-*.log")) for line in path.read_text("utf-8", "replace").split("\n")
]
_AROUND = st.lists(st.sampled_from([line for line in (*_TEXTS, *ORDINARY) if "level=debug" not in line]), max_size=3)


def secrets(example: Example) -> st.SearchStrategy[str]:
    longest = example.length if example.length in (16, 40) and example.text.startswith("A") else example.length + 30
    return st.text(example.alphabet, min_size=example.length, max_size=longest).filter(example.fits)


@pytest.mark.parametrize("example", [example for dummy, example in EVERY], ids=NAMED)
@settings(max_examples=4)
@given(data=st.data())
def test_no_credential_survives_in_whatever_log_it_stands(example, data):
    secret = data.draw(secrets(example).filter(lambda s: s.strip()))
    before, after = data.draw(_AROUND), data.draw(_AROUND)
    context = "\n".join((*before, example.text, *after))
    assume(secret not in context)
    shown = masked("\n".join((*before, example.text.format(secret), *after)))
    assert secret not in shown
    assert MASK in shown
    assert masked(shown) == shown
    for line in (*before, *after):
        assert line in shown


@pytest.mark.parametrize("text", ORDINARY)
def test_what_is_no_credential_stays(text):
    assert masked(text) == text


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.log")), ids=lambda path: path.stem)
def test_the_logs_of_real_builds_stay_as_they_are(path):
    """All but the one that prints credentials."""
    text = path.read_text("utf-8", "replace")
    assert (masked(text) == text) is (path.stem != "secrets-printed")


@settings(max_examples=30)
@given(
    st.text(WORD)
    | st.lists(st.sampled_from(["--password", "=", "x", " ", '"', "\n", "auth", ":", "\\", "login -p"])).map("".join)
)
def test_masking_twice_changes_nothing_more(text):
    assert masked(masked(text)) == masked(text)


@given(
    st.text("ab \"'=:\\-", max_size=60),
    st.text(BASE64, min_size=12, max_size=40),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_a_part_of_a_line_shows_nothing_that_the_line_does_not(around, secret, start, end):
    assume(secret not in around)
    line = f"{around} --password {secret} {around}"
    shown = masked_part(line, min(start, len(line)), min(max(start, end), len(line)))
    assert not any(secret[n : n + 4] in shown and secret[n : n + 4] not in around for n in range(len(secret) - 4))


@pytest.mark.parametrize("place", [WINDOW - 20, WINDOW, 3 * WINDOW - 30])
def test_no_credential_is_shown_of_a_line_that_is_too_long_to_be_looked_at_whole(place):
    filling = "x " * (2 * WINDOW)
    line = f"{filling[:place]} --password  hunter2hunter2  {filling[place:]}"
    assert "hunter2" not in masked(line)
    assert "ter2" not in masked(line)


# Keys of several lines -----------------------------------------------------------------------------------------------

BODY = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ{n:02}+/aBcDeFgHiJk" for n in range(25)]
KEY = ["-----BEGIN PRIVATE KEY-----", *BODY, "QQ==", "-----END PRIVATE KEY-----"]
LOG = ["+ cat key", "some words", "Error: exit status 1"]


def hides(lines: list[str]) -> list[str]:
    numbers = inside_keys(lines)
    return [line for n, line in enumerate(lines) if n in numbers]


@pytest.mark.parametrize("begin", range(0, len(KEY), 3))
@pytest.mark.parametrize("end", [len(KEY), len(KEY) - 1, 20])
def test_whatever_is_left_of_a_private_key_is_hidden(begin, end):
    shown = masked("\n".join(("words", *KEY[begin:end], *LOG)))
    assert not any(line[:20] in shown for line in BODY)
    assert "words" in shown
    assert "Error: exit status 1" in shown


@pytest.mark.parametrize("prefix", ["", "    ", "> ", "2026-01-01T00:00:00Z ", "#12 0.345 "])
def test_the_lines_of_a_key_may_have_something_in_front(prefix):
    shown = masked("\n".join(prefix + line for line in KEY))
    assert not any(line in shown for line in BODY)


def test_the_headers_of_an_old_key_are_a_part_of_it():
    lines = ["-----BEGIN RSA PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,0A", "", "c2VjcmV0"]
    assert "c2VjcmV0" not in masked("\n".join((*lines, "-----END RSA PRIVATE KEY-----")))


def test_a_key_without_an_end_hides_nothing_that_follows_it():
    shown = masked('RUN echo "-----BEGIN PRIVATE KEY-----" > x\nError: it failed\nexit status 1')
    assert shown.endswith("Error: it failed\nexit status 1")


def test_a_file_in_base64_is_hidden_and_a_list_of_digests_is_not():
    assert hides(BODY) == BODY
    digests = ["8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b", "/usr/share/" + "a" * 60, "-" * 80]
    assert hides(digests) == []


# What a hostile build may print --------------------------------------------------------------------------------------

UNITS = [
    *("a-a.", "password ", " --a-password", "login ", "http://a", 'password="', "token ", " -u a", "x-a-token"),
    *("-----BEGIN PRIVATE KEY-----", '"auth": ', "a:", "echo ", "cookie: '", "A"),
    *("+a:", "7z ", "7z x", "htpasswd -b ", "<token>", "password is ", "ENV a", "echo %s "),
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", UNITS)
def test_masking_takes_time_in_proportion_to_the_text(unit):
    """A quadratic rule would take minutes for a line of that length, and hours for such a text."""
    line = (unit * (4 * WINDOW))[: 2 * WINDOW]
    masked(line)
    inside_keys([line[:70]] * 20000)


# Instructions of a Containerfile -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "RUN login --password hunter2",
        "RUN login \\\n    --password \\\n    hunter2",
        "RUN login            \\\n            --password            \\\n            hunter2 && true",
        "RUN login --password \\\r\n    hunter2\r\nRUN true",
        "RUN login --password \\\n# the password\n\n    hunter2",
        "# escape=`\nRUN login --password `\n    hunter2",
        "RUN curl -u \\\n    robot:hunter2 https://x",
        "ENV A=1 \\\n    DB_PASSWORD=hunter2",
        "RUN <<EOF\nexport REPO_TOKEN=hunter2\nEOF",
        "COPY <<EOF /key\n-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\nEOF",
    ],
)
def test_credential_in_a_containerfile_is_not_shown(text):
    shown = masked_instructions(text)
    assert "hunter2" not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FROM configs AS final\nRUN dnf install -y \\\n    tcpdump \\\n    strace && \\\n    ostree container commit\n",
        "FROM configs AS final\r\nRUN true\r\n",
        "RUN useradd --password-stdin \\\n# comment\n\n  x\n\n\n",
    ],
)
def test_containerfile_without_a_credential_stays_as_it_is(text):
    assert masked_instructions(text) == text


def test_only_the_credential_of_an_instruction_is_masked():
    text = "FROM configs AS final\nRUN login --password \\\n    hunter2 host\nRUN true\n"
    assert masked_instructions(text) == f"FROM configs AS final\nRUN login --password \\\n    {MASK} host\nRUN true\n"


@given(st.text(st.sampled_from("ab \t\n\\`#\r='\"{}"), max_size=200))
def test_joined_lines_are_masked_at_their_own_place(text):
    assert masked_instructions(f"{text}\n\nENV DB_PASSWORD=hunter2\n\n{text}").count("hunter2") == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", [" ", "\\\n", " \\\n", "#\n", "\n", "`\n ", "\t\\\n#", "--password \\\n"])
def test_joining_takes_time_in_proportion_to_the_text(unit):
    masked_instructions("RUN a" + unit * (20_000 // len(unit)))
