# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection doing its whole job on one machine, for somebody who sees it for the first time. Never shipped."""
