# SPDX-License-Identifier: GPL-3.0-or-later
"""Find a cluster and an account in a kubeconfig or in the service account of the pod that Ansible runs in.

The kubernetes client loads both. It returns a configuration that reloads itself whenever its token is requested, and
reloading overwrites values that were set in it. So connections copy the values once and request only the token later.
"""

from __future__ import annotations

import contextlib
import threading
import typing as t
from dataclasses import dataclass, field
from functools import partial

from .._errors import OperationError
from .connection_settings import Settings, has_own_credentials
from .exec_plugin import plugin_command, plugin_failures
from .kubeconfig_file import merged_kubeconfig, why_unreadable
from .scratch_folder import own_temporary_files

try:
    import kubernetes
except ImportError:  # connect() reports a missing library
    pass

_WHAT = "reach the cluster"
_NAME_CLUSTER = "Set kubeconfig (K8S_AUTH_KUBECONFIG), or host (K8S_AUTH_HOST) and api_key (K8S_AUTH_API_KEY)"


@dataclass(frozen=True)
class CredentialSource:
    """A kubeconfig or a service account that names a cluster and an account.

    :ivar name: the source as error messages name it
    :ivar loaded: the ``kubernetes.client.Configuration`` that the client loaded from it
    :ivar plugin: returns the command of its exec credential plugin, or an empty text
    """

    name: str
    loaded: t.Any = field(repr=False)
    plugin: t.Callable[[], str] = str
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def host(self) -> str:
        """The address of the API server."""
        return str(self.loaded.host).rstrip("/")

    def authorization(self) -> str:
        """Return the value of the Authorization header, empty for an account that has only a client certificate.

        An expired token is renewed: an exec plugin runs again, the file of a service account is read again.

        :raises OperationError: the token cannot be renewed
        """
        failure = ""
        with self._lock, plugin_failures() as failures:
            try:
                setting = self.loaded.auth_settings().get("BearerToken") or {}
                token = str(setting.get("value") or "")
            except Exception as error:  # noqa: BLE001 - exec plugins, files and YAML can raise anything
                failure = type(error).__name__
        if failures.reasons:
            raise _plugin_failed(self.name, self.plugin(), failures.reasons[0])
        if failure:
            reason = f"the token of {self.name} could not be renewed ({failure})"
            raise OperationError(_WHAT, reason, "Log in again")
        return token


def find_source(settings: Settings) -> CredentialSource:
    """Return the given kubeconfig, else the service account of this pod, else the default kubeconfig.

    :raises OperationError: no source exists, or it cannot be used
    """
    is_given = bool(settings.get("kubeconfig") or settings.get("context"))
    if not is_given:
        surrounding = _surrounding_cluster()
        if surrounding is not None:
            return surrounding
    return _from_kubeconfig(settings, is_given)


def _surrounding_cluster() -> CredentialSource | None:
    loaded = kubernetes.client.Configuration()
    with contextlib.suppress(kubernetes.config.ConfigException, OSError):
        kubernetes.config.load_incluster_config(client_configuration=loaded)
        return CredentialSource("the service account of this pod", loaded)
    return None


def _from_kubeconfig(settings: Settings, is_given: bool) -> CredentialSource:
    kubeconfig, context = settings.get("kubeconfig"), settings.get("context")
    loaded = kubernetes.client.Configuration()
    loaded.host = ""  # some releases of the client use http://localhost for a kubeconfig without a server
    with plugin_failures() as failures:
        reason = _load(loaded, settings)
    name = _name(kubeconfig, context)
    if reason and not is_given:
        raise OperationError(_WHAT, _nothing_found(settings, reason), _NAME_CLUSTER)
    if reason:
        raise OperationError(f"read {name}", reason, "Correct the file, or set kubeconfig to another one")
    plugin = partial(_plugin_command, kubeconfig, context)
    if failures.reasons and not has_own_credentials(settings):
        raise _plugin_failed(name, plugin(), failures.reasons[0])
    return CredentialSource(name, loaded, plugin)


def _load(loaded: t.Any, settings: Settings) -> str:
    """Load a kubeconfig into a configuration of the client, and return why that failed, or an empty text."""
    kubeconfig = settings.get("kubeconfig")
    into = {"context": settings.get("context"), "client_configuration": loaded}
    persist = bool(settings.get("persist_config"))
    try:
        with own_temporary_files():  # the client writes keys and certificates of a kubeconfig into files
            if isinstance(kubeconfig, dict):
                kubernetes.config.load_kube_config_from_dict(kubeconfig, **into)
            else:
                kubernetes.config.load_kube_config(kubeconfig, persist_config=persist, **into)
        return ""
    except kubernetes.config.ConfigException as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except Exception as error:  # noqa: BLE001 - the client passes on what YAML, base64 and exec plugins raise
        reason = f"it cannot be used ({type(error).__name__})"
    return reason if isinstance(kubeconfig, dict) else why_unreadable(_paths(kubeconfig)) or reason


def _paths(kubeconfig: t.Any) -> str:
    return str(kubeconfig or kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION)


def _name(kubeconfig: t.Any, context: t.Any) -> str:
    name = "the kubeconfig dictionary" if isinstance(kubeconfig, dict) else f"kubeconfig {_paths(kubeconfig)}"
    return f"{name} (context {context})" if context else name


def _plugin_command(kubeconfig: t.Any, context: t.Any) -> str:
    content = kubeconfig if isinstance(kubeconfig, dict) else merged_kubeconfig(_paths(kubeconfig))
    return plugin_command(content, str(context or ""))


def _plugin_failed(source: str, command: str, reason: str) -> OperationError:
    what = f"get credentials for {source}"
    plugin = f"the exec plugin {command}" if command else "its exec plugin"
    return OperationError(what, f"{plugin} failed ({reason})", "Run the command by hand to check it, or set api_key")


def _nothing_found(settings: Settings, reason: str) -> str:
    default = f"kubeconfig {_paths(None)}: {reason}"
    if settings.get("host"):
        return f"no credentials are set for host {settings['host']}, and the default {default}"
    return f"no cluster is set, and the default {default}"
