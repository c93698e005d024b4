"""The nodes in PHP and JavaScript of the README of blastbeat-json-encoder, where the languages are there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.helpers.contrib import CONTRIB
from tests.helpers.languages import Missing, prepare
from tests.helpers.printing import PrintingProcess
from tests.helpers.stage import Stage

README = CONTRIB / "blastbeat-json-encoder" / "README.md"

# Preparing one may install packages; the waits of the tests have their own bounds.
pytestmark = [pytest.mark.timeout(60), pytest.mark.debian]


@pytest.mark.parametrize(("language", "file"), [("php", "node.php"), ("nodejs", "node.js")])
def test_a_node_of_the_readme(
    language: str, file: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        program, example = prepare(language)
    except Missing as error:
        pytest.skip(str(error))
    found = re.search(rf"^```\w+ {file}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    folder = tmp_path
    if language == "nodejs":  # its libraries were installed there
        folder = Path(example).parent
    (folder / f"readme-{file}").write_text(found[1])
    monkeypatch.syspath_prepend(README.parent / "src")
    server = stage.serve(
        server={"ping-freq": 0.05},
        vhost={"hold": 10, "request-encoder": "json"},
        plugins=[import_module("blastbeat_json_encoder")],
    )
    with PrintingProcess([program, str(folder / f"readme-{file}"), server.endpoint, "app"]):
        client = stage.client()
        for path in ("/", "/caf%C3%A9", "/caf%C3%A9"):
            client.get(path)
            response = client.read_response()
            assert response.status == 200
            assert response.body == f"GET {path.replace('%C3%A9', chr(0xE9))}\n".encode()
