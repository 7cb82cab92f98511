# SPDX-License-Identifier: GPL-3.0-or-later
"""A demonstration of the collection on one machine. It is not part of the published collection."""
