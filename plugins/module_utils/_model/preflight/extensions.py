# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject extensions and kernel types that no node of the pool would get.

In v1alpha1 neither the build nor the daemon installs what a MachineConfig requests as extension or kernel type. The
Containerfile has to. Whether it does cannot be read from it with certainty, so it is enough that it mentions the name
or a package, in a comment at least. Source: docs/operator-behavior.md ("Limits of v1alpha1").
"""

from __future__ import annotations

import re
import typing as t

from ..objects.resources import Object, metadata_of
from ..objects.values import mapping
from ..text import listed
from .rejection import Rejection

_PACKAGES: t.Mapping[str, tuple[str, ...]] = {
    "ipsec": ("NetworkManager-libreswan", "libreswan"),
    "kerberos": ("krb5-workstation", "libkadm5"),
    "kernel-devel": ("kernel-devel", "kernel-headers"),
    "sandboxed-containers": ("kata-containers",),
    "wasm": ("crun-wasm",),
    "realtime": ("kernel-rt",),
    "64k-pages": ("kernel-64k",),
}
"""Extension or kernel type -> its packages, where their names differ from its own."""
_NO_KERNEL = ("", "default")


def reject_extensions(pool: str, rendered: Object, containerfile: str) -> Rejection | None:
    """Return which extensions or kernel type of a pool its image would not have, or None.

    :param rendered: the rendered MachineConfig of the pool
    """
    spec = mapping(rendered.get("spec"))
    extensions = [str(name) for name in spec.get("extensions") or []]
    kernel = str(spec.get("kernelType") or "")
    missing = [name for name in extensions if not _mentions(containerfile, name)]
    what = [f"extension {name}" for name in missing]
    if kernel not in _NO_KERNEL and not _mentions(containerfile, kernel):
        missing.append(kernel)
        what.append(f"kernel type {kernel}")
    if not missing:
        return None
    config = metadata_of(rendered).get("name", "")
    reason = (
        f"MachineConfig {config} of MachineConfigPool {pool} has {' and '.join(what)}, which v1alpha1 does not install "
        "in the image, and the Containerfile does not mention it"
    )
    packages = [package for name in missing for package in _PACKAGES.get(name, (name,))]
    return Rejection(reason, f"Install {listed(packages)} in the Containerfile, or name it there in a comment")


def _mentions(containerfile: str, name: str) -> bool:
    words = (name, *_PACKAGES.get(name, ()))
    return any(re.search(rf"(?<![\w-]){re.escape(word)}", containerfile) for word in words)
