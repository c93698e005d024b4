"""A headless Chromium, driven over its debugging pipe: open a page, run a script in it, take a picture.

Knows nothing of the server. Needs Debian's `chromium`.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 20.0
"""Seconds an answer may take, waits for a page included."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Chromium:
    """One browser with one page, a context manager. `profile` is an empty folder of its own."""

    def __init__(self, profile: Path, flags: Sequence[str] = ()) -> None:
        assert shutil.which("chromium"), "these tests need Debian's chromium: apt install chromium"
        their_input, self._commands = os.pipe()
        self._answers, their_output = os.pipe()
        # The browser reads commands on descriptor 3 and writes on 4; ours must not lie there themselves.
        high_input, high_output = _above_standard(their_input), _above_standard(their_output)

        def place() -> None:
            os.dup2(high_input, 3)
            os.dup2(high_output, 4)

        self._process = subprocess.Popen(
            ["chromium", *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=place,
        )
        os.close(high_input)
        os.close(high_output)
        self._received = b""
        self._count = 0
        self._session = ""

    def open(self, url: str, width: int = 1100, height: int = 1400) -> None:
        """Show `url`; returns when the browser has begun to load it."""
        targets = self._call("Target.getTargets")["targetInfos"]
        target = next(info["targetId"] for info in targets if info["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.resize(width, height)
        failure = self._call("Page.navigate", url=url).get("errorText")
        assert not failure, f"{url}: {failure}"

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, awaited when it is a promise."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until the JavaScript `condition` holds; the test's own timeout ends a wait that lasts."""
        look = f"const look = () => ({condition}) ? done() : setTimeout(look, 20); look()"
        self.evaluate(f"new Promise((done) => {{ {look} }})")

    def resize(self, width: int, height: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def prefer(self, scheme: str) -> None:
        """`scheme`: "light" or "dark"."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self) -> bytes:
        """The page as it is shown, as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot")["data"])

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Told to close, a browser also ends its helper processes; killed, it might leave some.
        os.close(self._commands)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        command: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session and not method.startswith("Target."):
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            answer = json.loads(self._next())
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer}"
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> bytes:
        while b"\0" not in self._received:
            readable, _, _ = select.select([self._answers], [], [], PATIENCE)
            assert readable, "the browser says nothing"
            data = os.read(self._answers, 1 << 16)
            assert data, "the browser has gone"
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        return message


def _above_standard(descriptor: int) -> int:
    """The same file under a number from 10 up."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved
