# SPDX-License-Identifier: GPL-3.0-or-later
"""How properties are searched: without a clock, so that a busy machine fails nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "without-a-clock", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("without-a-clock")
