# SPDX-License-Identifier: GPL-3.0-or-later
"""The package's templates."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

# Nothing rendered here is HTML.
_TEMPLATES = Environment(  # noqa: S701
    loader=PackageLoader("lab", "templates"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(template: str, **values: object) -> str:
    """The text of a template; a value it lacks is an error."""
    return _TEMPLATES.get_template(template).render(**values)
