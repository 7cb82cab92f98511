# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig, or the service account of the pod that Ansible runs in: what it says of a cluster and an account.

The kubernetes client loads both. It hands out a configuration that loads itself again whenever it is asked for its
token, and then undoes what was set in it. So its configuration stays here: connections take values out of it once, and
ask it for the token alone.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t
from dataclasses import dataclass, field

from .._errors import OperationError
from .connection_settings import Settings
from .scratch_folder import temporary_files_of_ours

try:
    import kubernetes
except ImportError:  # connect() says so
    pass

_WHAT = "reach the cluster"
_LOG_IN = "Give kubeconfig, or host and api_key, or set K8S_AUTH_KUBECONFIG"


@dataclass(frozen=True)
class CredentialSource:
    """Where a cluster and an account were found.

    :ivar name: the source, as an error calls it
    :ivar loaded: the ``kubernetes.client.Configuration`` that the client made of it
    """

    name: str
    loaded: t.Any = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def host(self) -> str:
        """The address of its API server."""
        return str(self.loaded.host).rstrip("/")

    def authorization(self) -> str:
        """Return the value of the header Authorization, empty if a certificate says who asks.

        A token that has expired is renewed: an exec plugin runs again, the file of a service account is read again.

        :raises OperationError: it cannot be renewed
        """
        failure = ""
        with self._lock:
            try:
                setting = self.loaded.auth_settings().get("BearerToken") or {}
                return str(setting.get("value") or "")
            except Exception as error:  # noqa: BLE001 - plugins, files and YAML of others raise whatever they like
                failure = type(error).__name__
        raise OperationError(_WHAT, f"the token of {self.name} cannot be renewed ({failure})", "Log in again")


def find_source(settings: Settings) -> CredentialSource:
    """Return the kubeconfig that is asked for, else the surrounding cluster, else the kubeconfig in its usual place.

    :raises OperationError: there is none, or it cannot be used
    """
    asked = bool(settings.get("kubeconfig") or settings.get("context"))
    if not asked:
        surrounding = _surrounding_cluster()
        if surrounding is not None:
            return surrounding
    return _kubeconfig(settings, asked)


def _surrounding_cluster() -> CredentialSource | None:
    loaded = kubernetes.client.Configuration()
    with contextlib.suppress(kubernetes.config.ConfigException, OSError):
        kubernetes.config.load_incluster_config(client_configuration=loaded)
        return CredentialSource("the service account of this pod", loaded)
    return None


def _kubeconfig(settings: Settings, asked: bool) -> CredentialSource:
    kubeconfig, context = settings.get("kubeconfig"), settings.get("context")
    loaded = kubernetes.client.Configuration()
    loaded.host = ""  # else a kubeconfig without a server is one for http://localhost, on some releases of the client
    into = {"context": context, "client_configuration": loaded}
    reason = ""
    persist = bool(settings.get("persist_config"))
    try:
        with temporary_files_of_ours():  # the client writes keys and certificates of a kubeconfig into files
            if isinstance(kubeconfig, dict):
                kubernetes.config.load_kube_config_from_dict(kubeconfig, **into)
            else:
                kubernetes.config.load_kube_config(kubeconfig, persist_config=persist, **into)
    except kubernetes.config.ConfigException as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except Exception as error:  # noqa: BLE001 - the client hands on whatever its YAML, base64 and exec plugins raise
        reason = f"it cannot be used ({type(error).__name__})"
    name = _name(kubeconfig, context)
    if not reason:
        return CredentialSource(name, loaded)
    if not asked:
        raise OperationError(_WHAT, _nothing_found(settings, reason), _LOG_IN)
    raise OperationError(_WHAT, f"{name}: {reason}", _LOG_IN)


def _name(kubeconfig: t.Any, context: t.Any) -> str:
    place = kubeconfig or kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION
    name = "the kubeconfig given as a dictionary" if isinstance(kubeconfig, dict) else f"kubeconfig {place}"
    return f"{name} (context {context})" if context else name


def _nothing_found(settings: Settings, reason: str) -> str:
    if settings.get("host"):
        return f"no credentials for host {settings['host']} are given ({reason})"
    return f"no cluster is named ({reason})"
