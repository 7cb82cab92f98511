# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.masking import masked


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


@pytest.mark.parametrize(
    "text",
    [
        "unauthorized: authentication required",
        "no basic auth credentials",
        "Bearer token missing",
        "docker://registry.example.com/os/x:latest",
        "RUN useradd -u 1000 robot",
        "git@github.com: Permission denied",
        "invalid username/password: unauthorized",
        'Error: building at STEP "RUN dnf install -y tcpdump": exit status 1',
    ],
)
def test_what_is_no_credential_stays(text):
    assert masked(text) == text
