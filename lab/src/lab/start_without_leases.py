# SPDX-License-Identifier: GPL-3.0-or-later
"""Become a program after removing the leases a predecessor may have left: KUBECONFIG NAMESPACE/[NAME] COMMAND...

Kept to the standard library: it runs at every start of three components, and importing a client would take longer than
all it does. Without a reachable API it fails, so that the supervisor tries again later, as the program would need.
"""

from __future__ import annotations

import base64
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

import yaml

TIMEOUT = 10


def main() -> None:
    kubeconfig, lease, *command = sys.argv[1:]
    namespace, _, name = lease.partition("/")
    try:
        _delete(Path(kubeconfig), f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}".rstrip("/"))
    except OSError as error:
        sys.exit(f"Could not remove lease {lease}: {error}. Waiting for the API server.")
    os.execv(command[0], command)  # noqa: S606


def _delete(kubeconfig: Path, path: str) -> None:
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster = document["clusters"][0]["cluster"]
    token = document["users"][0]["user"]["token"]
    trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    request = urllib.request.Request(  # noqa: S310
        cluster["server"] + path, method="DELETE", headers={"Authorization": f"Bearer {token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    try:
        opener.open(request, timeout=TIMEOUT).close()
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise


if __name__ == "__main__":
    main()
