# SPDX-License-Identifier: GPL-3.0-or-later
"""The public surface of the collection: what it is, its records, and which changes of it a release may make."""
