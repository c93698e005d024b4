"""An application is restarted under load and no request fails. Many more requests: `make soak`."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.helpers.source_tree import ROOT


def restart(how: str, requests: int, patience: float) -> None:
    command = [sys.executable, "-m", "bench", "rolling-restart", "--how", how, "--requests", str(requests)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=patience)
    told = re.match(
        r"(\d+) requests, (\d+) restarts of an instance, (\d+) processes answered: 0 failed", done.stdout
    )
    assert told is not None and done.returncode == 0, done.stdout
    assert int(told[1]) >= requests and int(told[2]) >= 2
    assert int(told[3]) >= 3, "requests were answered by workers from before and after"


@pytest.mark.parametrize("how", ["signal", "commands"])
def test_no_request_fails(how: str) -> None:
    restart(how, 300, 19)


@pytest.mark.soak
@pytest.mark.parametrize("how", ["signal", "commands"])
def test_no_request_of_many_fails(how: str) -> None:
    restart(how, 10_000, 600)
