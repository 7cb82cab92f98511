# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the Secrets of a MachineOSConfig before a build needs them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._model.objects.machineosconfig import MachineOSConfig, WantedConfig
from .._model.objects.resources import OPERATOR_NAMESPACE, SECRET
from .._model.preflight.push_token import doubt_about_push_token, reject_push_token
from .._model.preflight.registry_secret import reject_secret
from .._model.preflight.rejection import Rejection


@dataclass(frozen=True)
class PlannedSecrets:
    """The Secrets of a MachineOSConfig as the run leaves it."""

    names: t.Sequence[str]
    """Those to check."""
    push_secret: str
    push_spec: str
    is_v1alpha1: bool

    @classmethod
    def of(cls, config: MachineOSConfig, names: t.Sequence[str]) -> PlannedSecrets:
        """Return the named Secrets of a MachineOSConfig."""
        return cls(names, config.rendered_image_push_secret, config.rendered_image_push_spec, config.is_v1alpha1)

    @classmethod
    def of_new(cls, wanted: WantedConfig) -> PlannedSecrets:
        """Return all Secrets of a MachineOSConfig that is created."""
        push_secret, push_spec = wanted.rendered_image_push_secret or "", wanted.rendered_image_push_spec or ""
        return cls(wanted.secrets(), push_secret, push_spec, wanted.is_v1alpha1)

    def check(self, session: Session, name: str, warn: t.Callable[[str], None]) -> Rejection | None:
        """Return why the operator would start no build with a Secret, or why no build could push. One request.

        :param warn: receives what is possible and not certain
        :raises OperationError: the Secret cannot be read
        """
        secret = session.find(SECRET, name, OPERATOR_NAMESPACE)
        rejection = reject_secret(name, secret, self.is_v1alpha1)
        if rejection or secret is None or name != self.push_secret:
            return rejection
        now = session.time_of_last_response
        doubt = doubt_about_push_token(name, secret, self.push_spec, now)
        if doubt:
            warn(doubt)
        return reject_push_token(name, secret, self.push_spec, now)
