"""What systemd is to a server: a socket that is told how it is, and sockets bound for it."""

from __future__ import annotations

import os
import select
import socket
import sys
from pathlib import Path
from typing import Any

from tests.helpers.server import PATIENCE

Message = dict[str, str]


class FakeManager:
    """Listens on a notify socket; `path` may begin with ``@``."""

    def __init__(self, path: Path | str) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self._socket.settimeout(PATIENCE)
        if not self.address.startswith("@"):
            os.chmod(self.address, 0o777)  # as systemd's is
        self.messages: list[Message] = []

    def receive(self) -> Message:
        """The next message."""
        lines = self._socket.recv(4096).decode().split("\n")
        self.messages.append(dict(line.split("=", 1) for line in lines))
        return self.messages[-1]

    def wait_for(self, name: str) -> Message:
        """The first message from here on that says `name`."""
        while name not in (message := self.receive()):
            pass
        return message

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing is said within `seconds`; what is said is received."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return True
        self.receive()
        return False

    def close(self) -> None:
        self._socket.close()


# What a manager does between fork and exec: the descriptors from 3 on, and whom they are for.
_PASS_ON = """\
import os, sys
passed = [os.dup(int(number)) for number in sys.argv[1].split(",")]
for number, descriptor in enumerate(passed):
    os.dup2(descriptor, 3 + number)
    os.set_inheritable(3 + number, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES="web")
os.execv(sys.argv[2], sys.argv[2:])
"""


def passing_on(*sockets: socket.socket) -> dict[str, Any]:
    """Options of `ServerProcess` that pass on these listening sockets."""
    descriptors = [each.fileno() for each in sockets]
    listed = ",".join(map(str, descriptors))
    return {"prefix": [sys.executable, "-c", _PASS_ON, listed], "descriptors": descriptors}
