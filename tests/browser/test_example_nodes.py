"""The manual's configuration and an answering node, seen in a real browser. Needs Debian's `chromium`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.helpers.printing import PrintingProcess

pytestmark = [pytest.mark.debian, pytest.mark.timeout(60)]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["node_answering.py", "node_gevent_answering.py"])
def test_a_browser_gets_its_page(tmp_path: Path, name: str) -> None:
    text = (EXAMPLES / "seed.ini").read_text()
    config = tmp_path / "seed.ini"
    config.write_text(text.replace("0.0.0.0:8080", "127.0.0.1:0").replace("0.0.0.0:5000", "127.0.0.1:*"))
    with PrintingProcess([sys.executable, "-m", "blastbeat", str(config)]) as server:
        ready = re.match(r"ready http://(\S+) zmq (\S+)", server.wait_line("ready "))
        assert ready is not None
        script = tmp_path / name
        script.write_text((EXAMPLES / name).read_text().replace("tcp://0.0.0.0:5000", ready[2]))
        with PrintingProcess([sys.executable, str(script)]) as node:
            node.wait_line("received a message of type ping")
            # What `--connect-to` is for curl: the page asks for port 8000, the connection goes elsewhere.
            rule = f"--host-resolver-rules=MAP localhost:8000 {ready[1]}"
            with Chromium(tmp_path / "profile", [rule]) as browser:
                browser.open("http://localhost:8000/")
                browser.wait_for('document.querySelector("h1")')
                assert browser.evaluate("document.body.innerText.trim()") == "Hello from foobar1"
            node.wait_line("received a message of type end")
