"""Chromium for tests of pages: one look at a page, or a session that drives it over a pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
           "--force-device-scale-factor=1")  # fmt: skip
ENDLESS = 120  # seconds

# The browser reads commands from descriptor 3 and answers on 4; this moves two ends of pipes there.
START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""


def found() -> str:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, f"there is none of {', '.join(NAMES)}"
    return path


def chromium(*arguments: str, width: int = 1000, height: int = 2400) -> str:
    """What Chromium prints, as for ``--dump-dom`` or ``--screenshot=…`` and a page's address."""
    command = [found(), *OPTIONS, f"--window-size={width},{height}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ENDLESS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


class Browser:
    """A running Chromium with one tab, which obeys the DevTools protocol on two pipes.

    ``events`` are what it told of since the last page was opened: requests, errors, messages.
    """

    def __init__(self, profile: Path, width: int = 1280, height: int = 860) -> None:
        to_read, self._writing = os.pipe()
        self._reading, to_write = os.pipe()
        own = (f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank")
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(to_read), str(to_write), found(), *OPTIONS, *own],
            pass_fds=(to_read, to_write),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._rest = b""
        self._count = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        tab = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=tab, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.ask(f"{domain}.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)
        self.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        self.size(width, height)

    def close(self) -> None:
        try:
            self._session = None
            self.ask("Browser.close")
        finally:
            os.close(self._writing)
            os.close(self._reading)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command; what comes before it goes to ``events``."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._reading, 1 << 20)
            assert piece, "Chromium has gone"
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, address: str) -> None:
        """Go to a page, and wait until its scripts ran."""
        self.events.clear()
        loader = self.ask("Page.navigate", url=address).get("loaderId")
        while loader and not self._loaded(loader):  # a new #hash alone loads nothing
            self.events.append(self._next())

    def _loaded(self, loader: str) -> bool:
        stages = [e["params"] for e in self.events if e.get("method") == "Page.lifecycleEvent"]
        return any(stage["loaderId"] == loader and stage["name"] == "load" for stage in stages)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key goes down and up; ``code`` is the virtual key's number."""
        keys = {"key": key, "windowsVirtualKeyCode": code}
        if text:
            self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **keys)
        else:
            self.ask("Input.dispatchKeyEvent", type="rawKeyDown", **keys)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **keys)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """``"Pressed"``, ``"Released"``, ``"Moved"`` (with the left button down) or ``"Wheel"``."""
        button = {} if kind == "Wheel" else {"button": "left", "buttons": 1, "clickCount": 1}
        self.ask("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **button, **more)

    def click(self, x: float, y: float) -> None:
        self.mouse("Pressed", x, y)
        self.mouse("Released", x, y)

    def size(self, width: int, height: int) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)  # fmt: skip

    def screenshot(self, path: Path) -> None:
        path.write_bytes(b64decode(self.ask("Page.captureScreenshot")["data"]))

    def scheme(self, name: str) -> None:
        """``"dark"`` or ``"light"``, as the reader's system would have it."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def tree(self) -> list[tuple[str, str]]:
        """Roles and names of what assistive technology is told of."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        told = [node for node in nodes if not node.get("ignored")]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in told]

    def complaints(self) -> list[Any]:
        """Errors of scripts and of the page's policy since it was opened."""
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """Addresses that the page asked for since it was opened."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]
