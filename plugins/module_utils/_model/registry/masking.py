# SPDX-License-Identifier: GPL-3.0-or-later
"""Mask parts of foreign text that may be credentials, before it is shown.

A log contains the output of commands, and commands print their arguments. RULES describes the forms of credentials; the
tests contain examples of each rule. A rule matches one line. :func:`inside_keys` finds keys of several lines.

The text may be hostile, so each rule takes time in proportion to the length of the line: every repetition in the middle
of a rule is bounded. Only the value at its end is not.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

MASK = "***"

WINDOW = 32 << 10
"""Characters at each end of a line that rules search. Half of it is longer than any credential with its context."""

_NAME = (
    r"(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|activation[_-]?key"
    r"|account[_-]?key|auth[_-]?key|encryption[_-]?key|secret[_-]?id"
    r"|credentials?|creds)"
)
_VALUE = r"""(?:
    \\{0,3}\"[^\"\n]{1,1024}\"      # in quotes, which may be escaped
    | \\{0,3}'[^'\n]{1,1024}'
    # a word, perhaps behind a quote without an end
    | (?:\\{0,3}[\"'])?(?:[^\s\"'\\]|\\[^\"'\s])(?:[^\s\"'\\]|\\[^\"'\n])*
)"""
_SEPARATOR = r"""(?:=|[ \t]{1,8}|\\{0,3}[\"'][ \t]{0,8},[ \t]{0,8}(?=\\{0,3}[\"']))"""
"""Separator between an option and its value, in a shell or in a list of quoted words."""
_TO_END = r"[^\"'\s](?:[^\"'\n]{0,4096}[^\"'\s])?"
"""Text up to the end of the line or of its quotation."""


@dataclass(frozen=True)
class Rule:
    """One form of credentials."""

    name: str
    pattern: t.Pattern[str]
    """The group that matched is masked. Without groups, the whole match is masked."""


def _rule(name: str, pattern: str, ignore_case: bool = True) -> Rule:
    return Rule(name, re.compile(pattern, re.VERBOSE | (re.IGNORECASE if ignore_case else 0)))


def _option(name: str, command: str, option: str) -> Rule:
    """Return the rule for a command with a short option for a credential, perhaps after other arguments."""
    return _rule(
        name, rf"\b(?:{command})\b[^|;&\n]{{0,256}}?[\s\"']{option}{_SEPARATOR}?(?P<secret>{_VALUE})", ignore_case=False
    )


_B64 = r"[A-Za-z0-9+/]"

RULES: t.Sequence[Rule] = (
    # https://user:password@host, and a token in place of both
    _rule("url-user", r"://(?P<secret>[^\s\"'/]{1,1024})@"),
    # ?token=x&sig=x
    _rule(
        "url-query",
        rf"[?&](?:[\w.-]{{0,40}}?(?:{_NAME}|signature|credential)|sig|key|auth|jwt)=(?P<secret>[^\s\"'&\#]+)",
    ),
    # Authorization: Bearer x, also without the name of the header
    _rule("bearer", r"\b(?:bearer|basic)[ \t]{1,8}(?=[^\s0-9=]*[0-9=])(?P<secret>[a-z0-9._~+/=-]{8,})"),
    _rule(
        "header",
        rf"""\b(?:(?:proxy-)?authorization
            | x-[\w-]{{0,40}}?(?:token|key|secret|auth|password)(?:-[\w-]{{1,40}})?
            | x-jfrog-art-api
            | (?:private|job|deploy|circle)-token
            | ocp-apim-subscription-key
            | api-?key
            | (?:set-)?cookie
            )[ \t]{{0,8}}[:=][ \t]{{0,8}}(?:\\{{0,3}}[\"'])?
            (?:(?:bearer|basic|token|negotiate)[ \t]{{1,8}}(?=[^\s0-9=]*[0-9=]))?
            (?!(?:bearer|basic)\b)(?P<secret>{_TO_END})""",
    ),
    # "auth": "x" in JSON, whose quotes may be escaped
    _rule(
        "json",
        rf"""(?:(?:\b|_)(?:auth|pass|pwd)|{_NAME})\\{{0,3}}[\"'][ \t]{{0,8}}:[ \t]{{0,8}}
            (?: \"(?P<secret>[^\"\\]+(?:\\.[^\"\\]*)*|(?:\\.[^\"\\]*)+)
            | \\{{0,3}}[\"'](?P<escaped>[^\"'\\]+)
            | (?!(?:true|false|null)\b)(?P<bare>[^\s\"'\\,{{}}\[\]]+))""",
    ),
    # password: x as a line of YAML
    _rule(
        "yaml",
        r"""^[\s{-]{0,64}[\w.-]{0,64}?(?:_?auth|password|passwd|passphrase|pass(?!:\s{0,8}\d{1,6}\s{0,8}$)|pwd|token
            | (?:api|access|secret|private|account|activation|encryption)_?key|client_?secret|bindpw
            | dockerconfigjson):[ \t]{1,8}
            (?P<secret>\"[^\"\n]{1,4096}\"|'[^'\n]{1,4096}'|[^\s\"',]+)[\s,}]{0,8}$""",
    ),
    # --password x, --password=x, curl --pass x, keytool -storepass x
    _rule("option", rf"(?<![^\s\"'(\[])--?[\w-]{{0,64}}?(?:{_NAME}|pass){_SEPARATOR}(?P<secret>{_VALUE})"),
    # password: "x", password => "x", password "x" and password is "x" in a sentence
    _rule(
        "sentence",
        r"""\b(?:password|passwd|passphrase)(?:\\{0,3}[\"'])?
            (?:[ \t]{0,8}(?:=>|->|:)[ \t]{0,8}|[ \t]{1,8}is[ \t]{1,8}|[ \t]{1,8}|\()
            (?: \\{0,3}\"(?P<secret>[^\"\\\s]+) | \\{0,3}'(?P<quoted>[^'\\\s]+))""",
    ),
    # The same without quotes: only words with a digit, since other words say what is wrong with it
    _rule(
        "sentence-word",
        r"""(?<!/)\b(?:password|passwd|passphrase)(?:[ \t]{0,8}(?:=>|->|:)[ \t]{0,8}|[ \t]{1,8}is[ \t]{1,8})
            (?=[^\s0-9\"'(:]*[0-9])(?P<secret>[^\s\"'(:]{6,})""",
    ),
    # -u user:password
    _rule(
        "user-and-password",
        rf"""(?<![^\s\"'(\[])(?:-u|-U|--user|--proxy-user){_SEPARATOR}?
            (?: \\{{0,3}}\"[^\s:\"']{{1,256}}:(?P<secret>[^\"\n]{{1,1024}})
            | \\{{0,3}}'[^\s:\"']{{1,256}}:(?P<quoted>[^'\n]{{1,1024}})
            | [^\s:\"']{{1,256}}:(?!\d{{1,10}}(?![^\s\"']))(?P<bare>[^\s\"']+))""",  # 1000:1000 are numbers of a user
        ignore_case=False,
    ),
    _option("login", "login|rhc[ \\t]{1,8}connect|az|twine|mongo", "-p"),
    _option("sshpass", "sshpass", "-p"),
    _option("user-add", "useradd|usermod|groupadd", "-p"),
    _option("ldap", "ldap(?:search|add|modify|delete|passwd|whoami)|ipa-client-install", "-w"),
    _option("ssh-keygen", "ssh-keygen", "-N"),
    _option("archive", "zip|unzip|ipmitool", "-P"),
    _option("redis", "redis-cli", "-a"),
    _option("rhc", "rhc[ \\t]{1,8}connect", "-a"),
    # mysql -px: with a blank, what follows is the name of a database
    _rule(
        "attached",
        rf"\b(?:mysql(?:dump|admin|import|check)?|mariadb(?:-dump|-admin)?)\b[^|;&\n]{{0,256}}?\s-p(?P<secret>{_VALUE})",
        ignore_case=False,
    ),
    _rule("7z", rf"\b7za?[ \t]{{1,8}}[a-z][^|;&\n]{{0,256}}?\s-p(?P<secret>{_VALUE})", ignore_case=False),
    # openssl -passin pass:x
    _rule("openssl", rf"-(?:pass|passin|passout)[ \t]{{1,8}}pass:(?P<secret>{_VALUE})"),
    _rule("htpasswd", r"\bhtpasswd[ \t]{1,8}-\w{0,8}b\w{0,8}[ \t]{1,8}(?P<secret>[^|;&>\n]+)"),
    # usermod -p $(openssl passwd -6 x)
    _rule("crypt", r"\b(?:openssl[ \t]{1,8}passwd|mkpasswd)[ \t]{1,8}(?!-stdin)(?P<secret>[^|;&>)`\n]+)"),
    # rootpw x, rootpw --plaintext x in a kickstart file
    _rule("kickstart", r"\brootpw[ \t]{1,8}(?:--\w{1,20}[ \t]{1,8}){0,4}(?P<secret>(?!--)\S+)"),
    # echo user:x | chpasswd; the name begins a word, so that each word is read once
    _rule(
        "chpasswd",
        r"(?<![^\s\"'])[\w.-]{1,64}:(?P<secret>[^\s\"'|]{1,256})[\"']?[ \t]{0,8}"
        r"\|[ \t]{0,8}(?:sudo[ \t]{1,8})?chpasswd",
    ),
    # echo x | podman login --password-stdin
    _rule(
        "piped",
        r"\b(?:echo|printf)[ \t]{1,8}(?:-\w{1,4}[ \t]{1,8})?(?:[\"']?%s(?:\\n)?[\"']?[ \t]{1,8})?"
        r"[\"']?(?P<secret>[^\s\"'|][^\"'|\n]{0,255})[\"']?[ \t]{0,8}\|[^|;&\n]{0,128}?"
        r"(?:--password-stdin|passwd[ \t]{1,8}--stdin|--with-token|sudo[ \t]{1,8}-S|\bkinit\b|\bcryptsetup\b)",
    ),
    _rule(
        "here-string",
        rf"(?:-stdin|chpasswd|--with-token|\bkinit[ \t]{{1,8}}\S{{1,128}})[ \t]{{0,8}}<<<"
        rf"[ \t]{{0,8}}(?P<secret>{_VALUE})",
    ),
    # machine h login u password x, in one line or in several
    _rule("netrc", r"\b(?:login|machine|account)[ \t]{1,20}\S{1,256}[ \t]{1,20}password[ \t]{1,20}(?P<secret>\S+)"),
    _rule("netrc-line", r"^[ \t]{0,20}password[ \t]{1,20}(?P<secret>\S+)\s{0,20}$", ignore_case=False),
    # aws configure set aws_secret_access_key x, npm config set //registry/:_authToken x
    _rule("set", rf"\bset[ \t]{{1,8}}\S{{0,128}}?{_NAME}[ \t]{{1,8}}(?P<secret>{_VALUE})"),
    # A line of an environment: its value ends with the line
    _rule(
        "environment",
        r"^\s{0,20}(?:export[ \t]{1,8}|declare[ \t]-\w{1,4}[ \t]{1,8})?[A-Z_0-9]{0,64}?"
        r"(?:PASSWORD|PASSWD|PASSPHRASE|_PASS|_PWD|_PW|_PSW|SECRET|TOKEN|_KEY|_CREDS|_CREDENTIALS)="
        r"(?P<secret>\S(?:.*\S)?)",
        ignore_case=False,
    ),
    # ENV API_TOKEN x: the form without an equals sign
    _rule(
        "env",
        rf"\bENV[ \t]{{1,8}}\w{{0,64}}?(?:{_NAME}|_PASS|_PWD|_PW|_KEY)[ \t]{{1,8}}(?P<secret>{_TO_END})",
    ),
    # SOME_PASS=x, _KEY=x in capitals
    _rule(
        "variable",
        rf"(?:_PASS|_PWD|_PW|_PSW|_KEY|(?<![A-Za-z0-9_])PASS(?!=\d+(?!\S)))=(?P<secret>{_VALUE})",
        ignore_case=False,
    ),
    # pass=x, bindpw=x, dbpass=x in small letters: neither a number of tests nor a path
    _rule(
        "short-name",
        rf"(?<![A-Za-z0-9])(?:(?:db|bind|root|user|admin|ssh)?_?(?:pass|pwd|pw)|psk)=(?!\d{{1,9}}(?!\S)|[/.$])(?P<secret>{_VALUE})",
    ),
    # PrivateKey = x of WireGuard
    _rule(
        "wireguard",
        rf"\b(?:Private|Preshared)Key[ \t]{{0,8}}=[ \t]{{0,8}}(?P<secret>{_B64}{{16,}}={{0,2}})",
        ignore_case=False,
    ),
    # some_token=x, token = x
    _rule(
        "assignment",
        rf"""(?:{_NAME}|(?<![a-z0-9])_?auth(?=[ \t]{{0,8}}=[ \t]{{0,8}}[^\s0-9=]*[0-9=]))[ \t]{{0,8}}=[ \t]{{0,8}}
            (?P<secret>\\{{0,3}}\"[^\"\n]{{1,1024}}\" | \\{{0,3}}'[^'\n]{{1,1024}}'
            | (?:\\{{0,3}}[\"'])?(?:[^\s\"'&;\\]|\\[^\"'\n])+)""",
    ),
    # auth: x with the look of base64
    _rule("auth", rf"\b_?auth[ \t]{{0,8}}:[ \t]{{0,8}}(?={_B64}{{0,64}}[0-9=])(?P<secret>{_B64}{{12,}}={{0,2}})"),
    # <password>x</password> in the settings of Maven
    _rule("xml", rf"<[\w.:-]{{0,64}}?{_NAME}>[ \t]{{0,8}}(?P<secret>[^<\n]{{1,1024}})</"),
    # A hash of a password, as in /etc/shadow
    _rule("hash", r"\$(?:1|5|6|7|y|gy|2[abxy])\$[./A-Za-z0-9$=,]{20,}", ignore_case=False),
    # Tokens of common forges and clouds, anywhere in a line
    _rule(
        "token",
        r"""(?<![A-Za-z0-9])(?:
            gh[pousr]_[A-Za-z0-9]{16,}
            | github_pat_\w{16,}
            | gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct|rtr)-[\w.-]{16,}
            | (?:npm|hf|glsa|shpat|dop_v1|dckr_[po]at|lin_api)_[\w-]{16,}
            | pypi-[\w-]{16,}
            | sha256~[\w-]{16,}
            | hv[sbr]\.[\w-]{16,}
            | x(?:ox[a-z]|app)-[\w-]{10,}
            | AIza[\w-]{30,}
            | ya29\.[\w.-]{16,}
            | [srp]k_(?:live|test)_\w{10,}
            | sk-[\w-]{20,}
            | SG\.[\w-]{16,}\.[\w-]{16,}
            | AT(?:ATT3|BB)[\w=-]{16,}
            | (?<=hooks\.slack\.com/services/)[\w/]{20,}
            # the password that the installer gives to kubeadmin
            | (?<![_-])(?=[\w-]{0,22}[A-Z])(?=[\w-]{0,22}[a-z])(?=[\w-]{0,22}[0-9])
              [A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){3}(?![\w-])
            | AGE-SECRET-KEY-1[A-Z0-9]{16,}
        )""",
        ignore_case=False,
    ),
    # Id of an AWS key, and the key itself if it follows
    _rule(
        "aws",
        r"(?<![A-Za-z0-9])A[KSBC][IC]A[A-Z0-9]{16}(?:[\s,:]{1,4}[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/]))?(?![A-Za-z0-9])",
        ignore_case=False,
    ),
    # namespace+robot:x of Quay
    _rule("robot", r"\+[a-z0-9_.-]{1,128}:(?P<secret>[A-Za-z0-9]{20,})"),
    # JSON web token, and other JSON in base64
    _rule("json-in-base64", r"\bey[JI][\w+/-]{5,}\.[\w-]+(?:\.[\w-]*)?|\bey[JI][\w+/-]{32,}={0,2}", ignore_case=False),
    _rule(
        "private-key",
        r"-{4,5}[ ]?BEGIN[ ][A-Z0-9 ]{0,40}PRIVATE[ ]KEY[A-Z ]{0,10}-{4,5}"
        r"(?:(?!-{4,5}[ ]?END[ ])[A-Za-z0-9+/=\s:,\\.-])*(?:-{4,5}[ ]?END[ ][A-Z0-9 ]{0,50}-{4,5})?",
        ignore_case=False,
    ),
)

_CONTINUED = re.compile(r"(?:[ \t]|[\\`][ \t\r]*\n(?:[ \t]*(?:#[^\n]*)?\n)*)+")
"""Blanks between two words of an instruction, with an escaped line end and the comments after it among them. The escape
character can be a backslash or, with a directive, a backtick."""
_ROUNDS = 4
"""Maximum passes. A mask can make the text beside it match another rule, but rarely twice."""
_QUOTED = re.compile(r"(?s)(\\{0,3}[\"'])(.+)\1")

Span = tuple[int, int]


def masked(text: str) -> str:
    """Return the text with all credentials masked, repeated until no rule matches."""
    for dummy in range(_ROUNDS):
        lines = text.split("\n")
        hidden = inside_keys(lines)
        shown = "\n".join(MASK if n in hidden else masked_part(line) for n, line in enumerate(lines))
        if shown == text:
            break
        text = shown
    return text


def masked_instructions(text: str) -> str:
    """Return the text of a Containerfile with all credentials masked.

    An option and its value can be on two lines of one instruction, so rules search joined lines as well.
    """
    joined, places = _joined(text)
    shown: list[str] = []
    place = start = 0
    for line in joined.split("\n"):
        for begins, ends in secrets_in(line):
            shown += (text[place : places[start + begins]], MASK)
            place = places[start + ends - 1] + 1
        start += len(line) + 1
    return masked("".join((*shown, text[place:])))


def masked_part(line: str, start: int = 0, end: int | None = None, secrets: t.Sequence[Span] | None = None) -> str:
    """Return a part of one line with the credentials of the whole line masked.

    The middle of a line that is longer than two windows is always masked.

    :param secrets: result of :func:`secrets_in` for the line, if known
    """
    end = len(line) if end is None else end
    shown: list[str] = []
    place = start
    for begins, ends in secrets_in(line) if secrets is None else secrets:
        if ends <= place or begins >= end:
            continue
        shown += (line[place : max(place, begins)], MASK)
        place = min(ends, end)
    return "".join((*shown, line[place:end]))


def secrets_in(line: str) -> list[Span]:
    """Return the positions of credentials in a line, in order and without overlaps.

    They include the middle of a very long line, which no rule searches.
    """
    if len(line) <= 2 * WINDOW:
        return _merged(_found(line, 0))
    rest = len(line) - WINDOW
    # The meaning of the first words of a window may depend on the text before it.
    unknown = (WINDOW, rest + WINDOW // 2)
    return _merged([*_found(line[:WINDOW], 0), unknown, *_found(line[rest:], rest)])


def _joined(text: str) -> tuple[str, list[int]]:
    """Return the text with one blank between the words of an instruction, and the place of each character before."""
    parts: list[str] = []
    places: list[int] = []
    end = 0
    for blank in _CONTINUED.finditer(text):
        parts += (text[end : blank.start()], " ")
        places += (*range(end, blank.start()), blank.start())
        end = blank.end()
    parts.append(text[end:])
    places += range(end, len(text))
    return "".join(parts), places


def _found(text: str, offset: int) -> list[Span]:
    spans = []
    for rule in RULES:
        for match in rule.pattern.finditer(text):
            begins, ends = _span(match)
            spans.append((begins + offset, ends + offset))
    return spans


def _span(match: t.Match[str]) -> Span:
    """Return the position of the group that matched, without quotes, or of the whole match."""
    begins, ends = next((match.span(name) for name in match.re.groupindex if match[name] is not None), match.span())
    quoted = _QUOTED.fullmatch(match.string, begins, ends)
    return quoted.span(2) if quoted else (begins, ends)


def _merged(spans: t.Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for begins, ends in sorted(spans):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ends, merged[-1][1]))
        else:
            merged.append((begins, ends))
    return merged


# Keys of several lines -----------------------------------------------------------------------------------------------

LONGEST_KEY = 400
"""Lines of a private key; one of 16384 bits has 200."""
_BEGIN = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_END = re.compile(r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY")
_HEADER = r"(?:Proc-Type|DEK-Info|Version|Comment): .{1,256}"
_BODY = re.compile(rf"[\s\"'>|#*+$]{{0,64}}(?:[A-Za-z0-9+/]{{0,1024}}={{0,2}}|{_HEADER})[\s\"',\\]{{0,64}}")
_PREFIXED_BODY = re.compile(r"\s{0,20}(?:\S{1,64}\s{1,8}){1,3}[A-Za-z0-9+/]{32,1024}={0,2}[\s\"',\\]{0,64}")
_FULL = 48
"""Characters of a line of a key, at least, but for its last one."""
_BLOCK = re.compile(r"(?=[a-z0-9+/=]*[A-Z])(?=[A-Z0-9+/=]*[a-z])(?=[A-Za-z+/=]*[0-9])[A-Za-z0-9+/]{60,}={0,2}")
"""A line of a key or of a file in base64. A digest has no capitals, a path other characters too."""


def inside_keys(lines: t.Sequence[str]) -> set[int]:
    """Return the numbers of the lines that belong to a private key, or are base64 as one is written.

    A key may be cut off: one that only ends hides what comes before its end, and one that neither begins nor ends
    is recognized by its full lines of base64. Any other line ends a key, so that a key without an end hides no more.
    """
    hidden: set[int] = set()
    since: int | None = None
    for n, line in enumerate(lines):
        if "PRIVATE KEY" in line and _END.search(line):
            # The rules mask the line itself.
            hidden.update(_before(lines, n) if since is None and not _BEGIN.search(line) else ())
            since = None
        elif "PRIVATE KEY" in line and _BEGIN.search(line):
            since = n
        elif since is not None and n - since <= LONGEST_KEY and _is_body(line):
            hidden.add(n)
        else:
            since = None
            if len(line) >= 60 and _BLOCK.fullmatch(line.strip()):
                hidden.add(n)
    return hidden


def _before(lines: t.Sequence[str], end: int) -> t.Iterator[int]:
    for n in range(end - 1, max(-1, end - 1 - LONGEST_KEY), -1):
        if not _is_body(lines[n]) or (n < end - 1 and len(lines[n].strip()) < _FULL):
            return
        yield n


def _is_body(line: str) -> bool:
    return len(line) <= 1200 and bool(_BODY.fullmatch(line) or _PREFIXED_BODY.fullmatch(line))
