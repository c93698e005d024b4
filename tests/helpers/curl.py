"""A curl command line, run by curl where it is installed, else by the few lines of it that tests use.

Knows curl's options `--connect-to`, `--max-time`, `--no-buffer`, `--silent`; nothing of the server.
"""

from __future__ import annotations

import argparse
import http.client
import shlex
import shutil
import subprocess
from urllib.parse import urlsplit

TIMED_OUT = 28
"""curl's exit code when `--max-time` is over."""


def curl(command: str) -> tuple[int, str]:
    """The exit code of `curl …` and what it wrote to standard output."""
    name, *arguments = shlex.split(command)
    assert name == "curl"
    if shutil.which("curl") is None:
        return _imitate(arguments)
    done = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", *arguments], stdout=subprocess.PIPE, text=True
    )
    return done.returncode, done.stdout


def _imitate(arguments: list[str]) -> tuple[int, str]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--connect-to")
    parser.add_argument("--max-time", type=float, default=10)
    parser.add_argument("--no-buffer", action="store_true")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("urls", nargs="+")
    options = parser.parse_args(arguments)
    asked = urlsplit(options.urls[0])
    host, port = (options.connect_to or f"::{asked.netloc}").split(":")[2:]
    connection = http.client.HTTPConnection(host, int(port), timeout=options.max_time)
    output = ""
    try:
        for url in options.urls:
            parts = urlsplit(url)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Host": parts.netloc, "User-Agent": "curl"})
            output += connection.getresponse().read().decode()
    except TimeoutError:
        return TIMED_OUT, output
    finally:
        connection.close()
    return 0, output
