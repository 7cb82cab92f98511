# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook can count on with a module: each module says how far it holds."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of all modules, and the action group that they are all in."""

    DOCUMENTATION = r"""
attributes:
  action_group:
    description:
      - Takes the defaults that C(module_defaults) sets for the group.
    support: full
    details:
      - Defaults for this group reach the modules of C(kubernetes.core) as well. Defaults for the group of
        C(kubernetes.core) do not reach this module.
    membership:
      - imagemode.openshift.image_mode
  async:
    description:
      - Can run in the background with C(async).
  check_mode:
    description:
      - Can say what it would do without doing it.
  diff_mode:
    description:
      - Shows what is changed, or would be, with C(--diff).
  idempotent:
    description:
      - Changes nothing when what is asked for is there already.
"""
