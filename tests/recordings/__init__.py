# SPDX-License-Identifier: GPL-3.0-or-later
"""What real programs said, kept for unit tests, and the programs that make them say it again."""
