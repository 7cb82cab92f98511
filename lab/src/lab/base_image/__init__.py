# SPDX-License-Identifier: GPL-3.0-or-later
"""The operating system image that the lab's nodes start with: a shell, its tools, and stand-ins for RHEL CoreOS' own.

It carries what the operator's generated Containerfile calls. The programs are the machine's own static ones, so that
nothing has to be pulled from anywhere.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.facts import Facts

# Fixed, so that one version of the image has one digest in every lab.
_CREATED = 1753315200
VERSION = "9.6.20250724-0"

_OS_RELEASE = f"""\
NAME="Lab Enterprise Linux CoreOS"
ID="rhcos"
ID_LIKE="rhel fedora"
VERSION="{VERSION}"
VERSION_ID="9.6"
VARIANT="CoreOS"
VARIANT_ID=coreos
PRETTY_NAME="Lab Enterprise Linux CoreOS {VERSION}"
OSTREE_VERSION="{VERSION}"
"""

_CONTAINERFILE = f"""\
FROM scratch
COPY rootfs /
ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin
LABEL org.opencontainers.image.version="{VERSION}"
LABEL version="{VERSION}"
LABEL ostree.bootable="true"
LABEL containers.bootc="1"
CMD ["/bin/bash"]
"""

_FOLDERS = (
    "etc/pki/ca-trust/source/anchors",
    "etc/yum.repos.d",
    "etc/containers",
    "root",
    "run",
    "tmp",
    "usr/bin",
    "usr/lib/tmpfiles.d",
    "usr/share",
    "var/tmp",
)
_LINKS = {"bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib", "usr/sbin": "bin", "usr/bin/dnf": "rpm-ostree"}


@dataclass(frozen=True)
class StaticProgram:
    """A program that runs without libraries, and the Debian package it comes in."""

    package: str
    candidates: tuple[str, ...]

    def find(self) -> Path:
        """The program on this machine. Raises LabError with the command that installs it."""
        for candidate in map(Path, self.candidates):
            if candidate.is_file() and _is_static(candidate):
                return candidate
        raise LabError(
            f"Could not build the base image: no static program {self.candidates[0]} on this machine. "
            f"Run 'apt-get install {self.package}'."
        )


BASH = StaticProgram("bash-static", ("/bin/bash-static", "/usr/bin/bash-static"))
BUSYBOX = StaticProgram("busybox-static", ("/bin/busybox", "/usr/bin/busybox"))


def push(facts: Facts) -> str:
    """Build the base image, push it to the lab's registry and return its pull spec by digest.

    Raises LabError where a program is missing or buildah fails; its last words are in the text.
    """
    folder = facts.folder / "base-image-build"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        write_context(folder / "context", BASH.find(), BUSYBOX.find())
        return _build_and_push(folder, facts.base_image_tag, facts.registry_auth_files.pusher)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_context(context: Path, bash: Path, busybox: Path) -> None:
    """Write the Containerfile and everything it copies."""
    rootfs = context / "rootfs"
    for folder in _FOLDERS:
        (rootfs / folder).mkdir(parents=True, exist_ok=True)
    (rootfs / "tmp").chmod(0o1777)
    (rootfs / "var/tmp").chmod(0o1777)
    programs = rootfs / "usr/bin"
    shutil.copyfile(bash, programs / "bash")
    shutil.copyfile(busybox, programs / "busybox")
    for program in ("bash", "busybox"):
        (programs / program).chmod(0o755)
    listed = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in listed:
        if not (programs / applet).exists():
            (programs / applet).symlink_to("busybox")
    # The generated Containerfile is written for bash and calls it sh.
    (programs / "sh").unlink(missing_ok=True)
    (programs / "sh").symlink_to("bash")
    _copy_stand_ins(rootfs)
    for link, target in _LINKS.items():
        (rootfs / link).unlink(missing_ok=True)
        (rootfs / link).symlink_to(target)
    (rootfs / "usr/lib/os-release").write_text(_OS_RELEASE, encoding="utf-8")
    (rootfs / "etc/os-release").symlink_to("../usr/lib/os-release")
    (context / "Containerfile").write_text(_CONTAINERFILE, encoding="utf-8")


def _copy_stand_ins(rootfs: Path) -> None:
    source = Path(__file__).with_name("rootfs")
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        target = rootfs / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(file, target)
        target.chmod(0o755)


def _build_and_push(folder: Path, tag: str, auth_file: Path) -> str:
    digest_file = folder / "digest"
    buildah = ("buildah", "--storage-driver", "vfs", "--root", str(folder / "root"), "--runroot", str(folder / "run"))
    build = ("--isolation", "chroot", "--timestamp", str(_CREATED), "--tag", tag, str(folder / "context"))
    _run(folder, *buildah, "bud", *build)
    _run(folder, *buildah, "push", "--authfile", str(auth_file), "--digestfile", str(digest_file), tag)
    return f"{tag.rpartition(':')[0]}@{digest_file.read_text(encoding='utf-8').strip()}"


def _run(folder: Path, *command: str) -> None:
    try:
        done = subprocess.run(
            command,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except FileNotFoundError:
        raise LabError("Could not build the base image: no buildah on this machine. Install buildah.") from None
    if done.returncode:
        words = " ".join(done.stderr.split()[-60:])
        raise LabError(f"Could not build and push the base image: {words}. Look at the registry's log.")


def _is_static(program: Path) -> bool:
    with program.open("rb") as file:
        head = file.read(4096)
    return head.startswith(b"\x7fELF") and b"/ld-" not in head
