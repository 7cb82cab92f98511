# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble on demand: ``lab scenario NAME`` brings a running lab into a known state, and says how it is undone."""
