# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the collection right? Builds it, checks it, tests it; ``python -m checks --help`` says how. Never shipped."""
