# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.suspicious_success import (
    MAX_SUSPICIOUS,
    suspicious_lines,
)


@pytest.mark.parametrize(
    "line",
    [
        "dracut: FAILED: cp --reflink=auto --sparse=auto -fL /tmp/initramfs.img /boot/initramfs.img",
        "dracut[E]: FAILED: /usr/lib/dracut/dracut-install -D /var/tmp/dracut.x -a nvme",
        "dracut-install: ERROR: installing 'nvme'",
        "kernel-install: error: Command '/usr/lib/kernel/install.d/50-dracut.install' failed",
        "/usr/sbin/grub2-probe: error: failed to get canonical path of `overlay'.",
        "/usr/bin/grub2-mkconfig: error: cannot open /boot/grub2/grub.cfg",
        "depmod: ERROR: could not open directory /lib/modules/5.14.0-1.el9: No such file or directory",
        "depmod: FATAL: could not search modules: No such file or directory",
        "dracut: Cannot find module directory /lib/modules/5.14.0-1.el9/",
        "dracut: cp: error writing '/var/tmp/x': No space left on device",
        "dracut: dracut: creation of /boot/initramfs-5.14.img failed",
        "dracut: Module 'fips' cannot be found.",
        "grubby fatal error: unable to find a suitable template",
        "/usr/lib/kernel/install.d/50-dracut.install failed with exit status 1.",
        ">>> dracut[F]: cannot write /boot/initramfs-5.14.img",
        ">>> [RPM] %posttrans(kernel-core-6.12.0-1.x86_64) scriptlet failed, exit status 1",
        "kernel-core.posttrans: dracut[E]: FAILED: /usr/lib/dracut/dracut-install -D /var/tmp/dracut.x -a nvme",
        "warning: %posttrans(kernel-core-5.14.0-1.el9.x86_64) scriptlet failed, exit status 1",
        "Error in POSTTRANS scriptlet in rpm package kernel-core",
    ],
)
def test_error_of_a_program_that_prepares_the_boot_is_suspicious(line):
    assert suspicious_lines(f"Installing: x\n{line}\nComplete!\n") == [line]


@pytest.mark.parametrize(
    "line",
    [
        "dracut: *** Creating image file done ***",
        "dracut: Skipping module 'ifcfg', because it has no error handler",
        "  Installing       : dracut-config-rescue-057-1.x86_64",
        "error: something else failed",
        "dracut: dracut module 'busybox' will not be installed, because command 'busybox' could not be found!",
        "dracut[I]: Module 'rngd' will not be installed, because command 'rngd' could not be found!",
        "dracut[W]: Module 'x' cannot be found",
        "depmod: WARNING: could not open modules.order at /lib/modules/5.14: No such file or directory",
        "/usr/share/doc/kernel/install.d/notes failed",
        "warning: %post(vim-enhanced-9.0-1.x86_64) scriptlet failed, exit status 1",
        "echo dracut: failed > /dev/null || true",
        "depmod: WARNING: /lib/modules/x/extra/y.ko needs unknown symbol z",
        "Verifying: grub2-tools-2.06-1.x86_64",
        "COMMIT registry.example.com/os:1",
    ],
)
def test_other_lines_are_not_suspicious(line):
    assert suspicious_lines(line) == []


def test_first_lines_are_quoted_without_credentials():
    line = "dracut: FAILED: curl https://user:hunter2@example.com/firmware"
    found = suspicious_lines("\n".join([line] * 10))
    assert len(found) == MAX_SUSPICIOUS
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    "part",
    ["/", "/dracut", "kernel) ", "dracut: a: ", "[ ", "warning: %post(kernel", ">>> ", "a.post: ", "dracut: will not "],
)
def test_hostile_lines_are_searched_in_linear_time(part):
    """A pattern that backtracks without bound would take hours for these lines."""
    assert suspicious_lines("\n".join([part * (4096 // len(part))] * 1000)) == []
