"""The library as a whole: what importing it loads, and that its reference is written from its docstrings."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

from tests.helpers.source_tree import ROOT

REFERENCE = ROOT / "docs" / "reference"


def test_importing_it_loads_nothing_of_the_server() -> None:
    script = (
        "import json, sys, blastbeat.node as node, blastbeat.node.blocking\n"
        "for name in node.__all__: getattr(node, name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(subprocess.check_output([sys.executable, "-c", script], text=True)))
    assert "blastbeat.node.session" in loaded
    assert not loaded & {
        "h11",
        "wsproto",
        "pluggy",
        "tomli",
        "tomllib",
        "blastbeat.server",
        "blastbeat.config",
    }


def test_the_reference_is_what_the_docstrings_say() -> None:
    spec = importlib.util.spec_from_file_location("make_node_library", REFERENCE / "make_node_library.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (REFERENCE / "node-library.md").read_text(encoding="utf-8")
    assert module.page() == written, "run python docs/reference/make_node_library.py"
