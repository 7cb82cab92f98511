# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless browser without a network, controlled by its debugging protocol."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path
from urllib.request import urlopen

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 60.0
"""Seconds for the browser to start and to respond."""

_FLAGS = (
    "--headless",
    "--no-sandbox",  # without it, Chromium does not run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-port=0",
)


class Browser:
    """One page of a Chromium; ``with Browser() as browser``."""

    def __init__(self) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise FileNotFoundError(f"Could not start a browser: {NAMES[0]} was not found. Install it.")
        self._profile = tempfile.mkdtemp(prefix="browser-")
        self._numbers = itertools.count(1)
        self.events: list[dict[str, t.Any]] = []
        self._process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._socket = websocket.create_connection(self._page(), timeout=TIMEOUT, suppress_origin=True)
        except BaseException:
            self.close()
            raise
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.command(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *dummy: object) -> None:
        self._socket.close()
        self.close()

    def close(self) -> None:
        """End the browser and its processes, and delete its profile."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def command(self, method: str, **parameters: t.Any) -> dict[str, t.Any]:
        """Run a command of the protocol and return its result. Events that arrive meanwhile are kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") != number:
                self.events.append(message)
                continue
            if "error" in message:
                raise RuntimeError(f"{method}: {message['error']['message']}")
            return t.cast("dict[str, t.Any]", message["result"])

    def open(self, file: Path) -> None:
        """Open a file and return when it is loaded."""
        self.events.clear()
        self.command("Page.navigate", url=file.as_uri())
        while "Page.loadEventFired" not in [event["method"] for event in self.events]:
            self.events.append(json.loads(self._socket.recv()))

    def evaluate(self, expression: str) -> t.Any:
        """Return the value of a JavaScript expression in the page. The policy of the page does not apply to it."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", "it threw"))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"ArrowRight": 39, "Tab": 9, " ": 32}[key]
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def show_as(self, width: int = 1280, media: str = "", scheme: str = "light") -> None:
        """Show the page at this width, for the screen or for print, in light or dark colours."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", media=media, features=features)

    def print_to_pdf(self) -> bytes:
        """Return the printed page as PDF."""
        return base64.b64decode(self.command("Page.printToPDF", preferCSSPageSize=False)["data"])

    def events_of(self, method: str) -> list[dict[str, t.Any]]:
        """Return the events of one kind since the page was opened."""
        return [event["params"] for event in self.events if event["method"] == method]

    def _page(self) -> str:
        """Return the address of the debugging protocol of the page."""
        port_file = Path(self._profile) / "DevToolsActivePort"
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            if port_file.exists() and port_file.read_text(encoding="ascii").count("\n"):
                port = port_file.read_text(encoding="ascii").split()[0]
                with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=TIMEOUT) as answer:
                    pages = [target for target in json.load(answer) if target["type"] == "page"]
                if pages:
                    return str(pages[0]["webSocketDebuggerUrl"])
            time.sleep(0.05)
        raise TimeoutError(f"The browser did not start within {TIMEOUT:g} s.")
