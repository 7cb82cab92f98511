# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the attributes of modules. Each module states its support for them."""

from __future__ import annotations


class ModuleDocFragment:
    """The attributes of all modules, and their action group."""

    DOCUMENTATION = r"""
attributes:
  action_group:
    description:
      - Uses the defaults that C(module_defaults) sets for the group.
    support: full
    details:
      - Defaults for this group apply to the modules of C(kubernetes.core) as well. Defaults for the group of
        C(kubernetes.core) do not apply to this module.
    membership:
      - imagemode.openshift.image_mode
  async:
    description:
      - Can run in the background with C(async).
  check_mode:
    description:
      - Can report its changes without making them.
  diff_mode:
    description:
      - Shows its changes with C(--diff).
  idempotent:
    description:
      - Changes nothing if the requested state exists already.
"""
