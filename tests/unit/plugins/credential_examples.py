# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples of credentials in logs for each rule of masking, with the characters that such a credential may have."""

from __future__ import annotations

import string
import typing as t

LETTERS = string.ascii_letters
WORD = "".join(c for c in string.printable if c.isprintable() and c not in "\"'\\ *")
"""What a credential without quotes may consist of; asterisks are left out, since the mask has them."""
PHRASE = WORD + " "
TOKEN = LETTERS + string.digits + "_-"
ALPHANUMERIC = LETTERS + string.digits
CAPITALS = string.ascii_uppercase + string.digits
BASE64 = ALPHANUMERIC + "+/"


class Example(t.NamedTuple):
    """A text with ``{}`` for the credential."""

    text: str
    alphabet: str = WORD
    length: int = 6
    """Characters of the shortest one."""
    fits: t.Callable[[str], bool] = bool
    """Whether a text of the alphabet may be such a credential."""


def _without(characters: str) -> str:
    return "".join(c for c in WORD if c not in characters)


def _has_digit(secret: str) -> bool:
    return any(c.isdigit() for c in secret)


def _no_number(secret: str) -> bool:
    return not secret.isdigit()


def _no_blank_ends(secret: str) -> bool:
    return secret == secret.strip()


EXAMPLES: t.Mapping[str, t.Sequence[Example]] = {
    "url-user": [
        Example("https://robot:{}@registry.example.com/v2/", _without("/")),
        Example("https://{}@registry.example.com/v2/", _without("/")),
        Example("socks5h://u:{}@proxy.example.com:1080", _without("/")),
        Example("postgres://app:{}@db.example.com/app", _without("/")),
    ],
    "url-query": [
        Example("GET https://x.example.com/f?token={}&page=1", _without("&#")),
        Example("https://x.example.com/f?se=2026-01-01&sig={}", _without("&#")),
        Example("https://b.example.com/f?X-Amz-Signature={}&a=b", _without("&#")),
        Example("https://b.example.com/f?X-Amz-Credential={}#a", _without("&#")),
    ],
    "bearer": [
        Example("sent Bearer {}", ALPHANUMERIC + "._~+/=-", 8, _has_digit),
        Example("sent basic {}", BASE64, 8, _has_digit),
    ],
    "header": [
        Example("Authorization: {}", WORD, 6, lambda s: not s.lower().startswith(("bearer", "basic"))),
        Example("proxy-authorization={}", WORD, 6, lambda s: not s.lower().startswith(("bearer", "basic"))),
        Example("> X-Vault-Token: {}"),
        Example("curl -H 'X-Auth-Token: {}' https://x"),
        Example('curl --header "PRIVATE-TOKEN: {}" https://x'),
        Example("JOB-TOKEN: {}"),
        Example("X-Api-Key: {}"),
        Example("X-Amz-Security-Token: {}"),
        Example("Cookie: session={}; path=/"),
        Example("< set-cookie: {}"),
        Example('curl -H "X-JFrog-Art-Api: {}" https://x'),
    ],
    "json": [
        Example('{{"auths":{{"r.example.com":{{"auth":"{}"}}}}}}'),
        Example('{{"auth" : "{}", "email": ""}}', PHRASE),
        Example('"{{\\"auth\\": \\"{}\\"}}"'),
        Example("{{'identitytoken': '{}'}}"),
        Example('"db_password": "{}"', PHRASE),
        Example('"clientSecret": "{}"'),
        Example('"pass": "{}"'),
        Example('"token": {}', string.digits),
    ],
    "yaml": [
        Example("password: {}", _without(",{}[]")),
        Example('  registry_password: "{}"', PHRASE),
        Example("- token: '{}'", PHRASE),
        Example("    auth: {}", BASE64),
        Example(".dockerconfigjson: {}", BASE64),
        Example("activation_key: {}", _without(",{}[]")),
        Example("privateKey: {}", BASE64),
        Example("bindpw: {}", _without(",{}[]")),
    ],
    "option": [
        Example("skopeo copy --dest-creds robot:{} a b"),
        Example("login --password {}"),
        Example("login --password='{}'", PHRASE),
        Example('login --password "{}" r', PHRASE),
        Example("helm registry login --password={} r"),
        Example("subscription-manager register --org 1 --activationkey={}"),
        Example("rhc connect --activation-key {}"),
        Example("curl --pass {} --key k.pem https://x"),
        Example("keytool -importcert -storepass {} -noprompt"),
        Example("tailscale up --auth-key={}"),
        Example("oc login --token={} https://api"),
        Example('RUN ["tool", "--password", "{}"]', PHRASE),
    ],
    "sentence": [
        Example('INFO Login to the console with user: "kubeadmin", and password: "{}"', TOKEN),
        Example('level=info msg="user: \\"kubeadmin\\", and password: \\"{}\\""', TOKEN),
        Example("'password' => '{}'", TOKEN),
        Example("ALTER USER app WITH PASSWORD '{}';", TOKEN),
    ],
    "sentence-word": [
        Example("the password is {} for now", TOKEN, 6, _has_digit),
        Example("user:robot password:{}", TOKEN, 6, _has_digit),
    ],
    "user-and-password": [
        Example("curl -u robot:{} https://x", fits=_no_number),
        Example("curl --user robot:{} https://x", fits=_no_number),
        Example("curl -urobot:{} https://x", fits=_no_number),
        Example("curl -U robot:{} https://x", fits=_no_number),
        Example("curl --proxy-user 'robot:{}' https://x", PHRASE),
        Example('RUN ["curl", "-u", "robot:{}"]', PHRASE),
    ],
    "login": [
        Example("podman login -p {} registry.example.com"),
        Example("docker login -u robot -p{} registry.example.com", fits=lambda s: not s.startswith("=")),
        Example("buildah login --tls-verify=false -u robot -p={} r"),
        Example("skopeo login -p '{}' r", PHRASE),
        Example("oc login -u kubeadmin -p {} https://api"),
        Example("rhc connect -u me -p {}"),
        Example("twine upload -u robot -p {} dist/x.whl"),
        Example('RUN ["podman", "login", "-p", "{}", "r"]', PHRASE),
    ],
    "sshpass": [
        Example("sshpass -p {} ssh host"),
        Example("sshpass -p{} ssh host"),
        Example("sshpass -p '{}' ssh", PHRASE),
    ],
    "user-add": [Example("useradd -m -p {} robot"), Example("usermod -p '{}' root", PHRASE)],
    "ldap": [
        Example("ldapsearch -x -D cn=admin -w {} -b dc=x"),
        Example("ipa-client-install -U -p admin -w {}"),
    ],
    "ssh-keygen": [Example("ssh-keygen -t ed25519 -N '{}' -f k", PHRASE)],
    "archive": [Example("unzip -P {} a.zip"), Example("zip -r -P {} a.zip b")],
    "redis": [Example("redis-cli -h r -a {} ping")],
    "rhc": [Example("rhc connect -o 1 -a {}")],
    "attached": [
        Example("mysql -uroot -p{} app", fits=lambda s: not s.startswith("=")),
        Example("mariadb-dump -p{} app", fits=lambda s: not s.startswith("=")),
    ],
    "7z": [Example("7z x -p{} a.7z"), Example("7za a -t7z -p{} a.7z b")],
    "openssl": [Example("openssl rsa -passin pass:{} -in k"), Example("openssl enc -pass pass:{}")],
    "htpasswd": [
        Example("htpasswd -bBc file robot {}", _without("|;&>")),
        Example("htpasswd -nb robot {}", _without("|;&>")),
        Example('htpasswd -bnBC 10 "" {}', _without("|;&>")),
    ],
    "crypt": [
        Example("usermod -p $(openssl passwd -6 {}) core", TOKEN),
        Example("usermod -p `mkpasswd -m sha-512 {}` core", TOKEN),
    ],
    "kickstart": [Example("rootpw {}", TOKEN), Example("rootpw --iscrypted {}", TOKEN)],
    "chpasswd": [
        Example("echo root:{} | chpasswd", _without("|")),
        Example('echo "root:{}" | sudo chpasswd', _without("|")),
    ],
    "piped": [
        Example("echo {} | podman login -u robot --password-stdin r", _without("|")),
        Example("echo -n '{}' | docker login --password-stdin r", PHRASE.replace("|", ""), 6, _no_blank_ends),
        Example("echo {} | passwd --stdin root", _without("|")),
        Example("echo {} | sudo -S dnf update", _without("|")),
        Example("printf '%s' {} | podman login --password-stdin r", _without("|")),
        Example('printf "%s\\n" "{}" | podman login --password-stdin r', TOKEN),
        Example("echo {} | kinit admin", _without("|")),
    ],
    "here-string": [
        Example("podman login --password-stdin <<< {}"),
        Example('chpasswd <<< "root:{}"', PHRASE),
        Example("kinit admin <<< {}"),
    ],
    "netrc": [
        Example("machine h.example.com login robot password {}"),
        Example("default login robot account a password {}"),
        Example("machine h.example.com password {} login robot"),
    ],
    "netrc-line": [Example("machine h.example.com\n  login robot\n  password {}"), Example("password {}")],
    "set": [
        Example("aws configure set aws_secret_access_key {}"),
        Example("npm config set //r.example.com/:_authToken {}"),
    ],
    "environment": [
        Example("DB_PASSWORD={}", PHRASE, 6, _no_blank_ends),
        Example('export REPO_TOKEN="{}"', PHRASE),
        Example("declare -x SIGNING_KEY={}"),
        Example("MYSQL_PWD={}", PHRASE, 6, _no_blank_ends),
        Example("AWS_SECRET_ACCESS_KEY={}"),
    ],
    "env": [
        Example("ENV API_TOKEN {}"),
        Example("[1/2] STEP 3/5: ENV DB_PASSWORD {}", PHRASE, 6, _no_blank_ends),
    ],
    "short-name": [
        Example("user=a;pwd={};Database=d", TOKEN, 6, _no_number),
        Example("mount -o user=a,pass={} //h/s", TOKEN, 6, _no_number),
        Example("bindpw={}", TOKEN, 6, _no_number),
        Example("psk='{}'", PHRASE),
    ],
    "wireguard": [Example("PrivateKey = {}=", BASE64, 43), Example("PresharedKey={}=", BASE64, 43)],
    "variable": [
        Example("RUN DB_PASS={} ./setup.sh"),
        Example("env MYSQL_PWD='{}' mysql", PHRASE),
        Example("make SIGNING_KEY={} all"),
        Example("env PASS={} make", fits=_no_number),
        Example('ENV API_KEY="{}"', PHRASE),
    ],
    "assignment": [
        Example("ENV A=1 DB_PASSWORD={} B=1", _without("&;")),
        Example("aws_secret_access_key = {}", _without("&;")),
        Example("dnf --setopt=r.password={} install x", _without("&;")),
        Example("mount -o username=u,password={} //h/s", _without("&;")),
        Example("//registry.example.com/:_authToken={}", _without("&;")),
        Example("//registry.example.com/:_auth={}", BASE64, 6, _has_digit),
        Example("_auth = {}", BASE64, 6, _has_digit),
        Example("AccountName=x;AccountKey={};EndpointSuffix=core.windows.net", BASE64),
        Example("vault write auth/approle/login role_id=a secret_id={}", _without("&;")),
        Example("[repo] proxy_password='{}' x", PHRASE),
    ],
    "auth": [Example("config has auth: {} in it", BASE64, 12, _has_digit)],
    "xml": [
        Example("<server><id>x</id><password>{}</password></server>", _without("<")),
        Example("<SecretAccessKey>{}</SecretAccessKey>", _without("<")),
    ],
    "hash": [
        Example("root:$6${}:19000:0:99999:7:::", ALPHANUMERIC + "./", 20),
        Example("password_hash: $y$j9T${}", ALPHANUMERIC + "./", 20),
    ],
    "token": [
        Example("ghp_{}", ALPHANUMERIC, 16),
        Example("gho_{}", ALPHANUMERIC, 16),
        Example("ghs_{}", ALPHANUMERIC, 16),
        Example("github_pat_{}", ALPHANUMERIC + "_", 16),
        Example("glpat-{}", TOKEN, 16),
        Example("gldt-{}", TOKEN, 16),
        Example("glrt-{}", TOKEN, 16),
        Example("glcbt-{}", TOKEN, 16),
        Example("npm_{}", ALPHANUMERIC, 16),
        Example("pypi-{}", TOKEN, 16),
        Example("sha256~{}", TOKEN, 16),
        Example("dckr_pat_{}", TOKEN, 16),
        Example("hvs.{}", TOKEN, 16),
        Example("hvb.{}", TOKEN, 16),
        Example("xoxb-{}", TOKEN, 10),
        Example("xoxp-{}", TOKEN, 10),
        Example("AIza{}", TOKEN, 30),
        Example("ya29.{}", TOKEN, 16),
        Example("sk_live_{}", ALPHANUMERIC, 10),
        Example("SG.abcdefghijklmnopqrst.{}", TOKEN, 16),
        Example("hf_{}", ALPHANUMERIC, 16),
        Example("https://hooks.slack.com/services/{}", ALPHANUMERIC + "/", 20),
    ],
    "aws": [
        Example("AKIA{}", CAPITALS, 16, lambda s: len(s) == 16),
        Example("ASIA{}", CAPITALS, 16, lambda s: len(s) == 16),
        Example("AKIAABCDEFGHIJKLMNOP,{}", BASE64, 40, lambda s: len(s) == 40),
    ],
    "robot": [Example("os+builder:{}", ALPHANUMERIC, 20)],
    "json-in-base64": [
        Example("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}", TOKEN),
        Example("got eyJhbGciOiJIUzI1NiJ9.{}", TOKEN),
        Example("got eyJhdXRocyI6{}", BASE64, 32),
    ],
    "private-key": [
        Example("-----BEGIN RSA PRIVATE KEY----- {} -----END RSA PRIVATE KEY-----", BASE64),
        Example('echo "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----" > k', BASE64),
        Example("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----", BASE64),
        Example("-----BEGIN ENCRYPTED PRIVATE KEY-----\nabc\n{}\nand more words", BASE64),
    ],
}

ORDINARY = (
    "",
    "unauthorized: authentication required",
    "no basic auth credentials",
    "Bearer token missing",
    "docker://registry.example.com/os/x:latest",
    "docker://registry.example.com/os/x@sha256:8c1f6a4d52d54a3b0c7f1d2f0b6b1f3f9f0b0d5a1f7d3e5c9a2b4c6d8e0f1a2b",
    "RUN useradd -u 1000 robot",
    "podman run -u 1000:1000 -p 8080:80 x",
    "mkdir -p /var/lib/x && cp -p a b",
    "git@github.com: Permission denied",
    "invalid username/password: unauthorized",
    'Error: building at STEP "RUN dnf install -y tcpdump": exit status 1',
    "PASS: test 3",
    "pass 2 of 3",
    "PASS=3 FAIL=0",
    "# pass: 12",
    "PWD=/home/build",
    "pwd=/home/build",
    "pass=12 fail=0",
    "invalid username/password: unauthorized: 401",
    "Error: password is required",
    "password: must not be empty",
    "wrong password for user robot",
    "ENV PATH /usr/local/bin:/usr/bin",
    "the field <imagePullSecret> is required",
    "sshd[12]: Failed password for root from 10.0.0.1",
    "token: expired already, log in again",
    "Error: login attempt to https://quay.example.com/v2/ failed with status: 401 Unauthorized",
    "echo done | tee /tmp/log",
    "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-redhat-release",
    "Public key for foo-1.x86_64.rpm is not installed",
    "https://mirrors.example.org/metalink?repo=epel-9&arch=x86_64",
    "podman login --password-stdin -u robot r.example.com",
    "subscription-manager register --org 1 --name x",
    "b6987943e3d3695cf3d2acc45dbd25f4ecf9bc1dd05d27e1948eacec792fd330",
    "mysql -p app",
    '{"auth": "", "token": null}',
    "authorization failed",
    "auth: authentication required",
    "process failed to start: no such file or directory",
)
"""What is no credential and has to stay readable."""
