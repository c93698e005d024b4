"""Distributions that are installed but broken: `check` and `plugins` name them and do all else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BROKEN = {
    "import-error": "import there_is_no_such_module\n",
    "syntax-error": "def (:\n",
    "system-exit": "raise SystemExit(3)\n",
    "no-hook": "from blastbeat import hookimpl\n@hookimpl\ndef blastbeat_no_such_hook(register): pass\n",
    "factory-exits": "from blastbeat import hookimpl\n@hookimpl\ndef blastbeat_register_filters(register):\n"
    "    register('exits', lambda options: exit(4))\n",
}
CONFIG = """[blastbeat]
bind = "127.0.0.1:0"
zmq = "ipc://x.ipc"
[vhost."a.test"]
node = "app"
selector = "no-such-selector"
filters = ["exits"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installer leaves behind, for each of them, so that no network is needed."""
    site = tmp_path_factory.mktemp("site")
    for name, source in BROKEN.items():
        module = f"broken_{name.replace('-', '_')}"
        (site / f"{module}.py").write_text(source)
        info = site / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: broken-{name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[blastbeat]\n{name} = {module}\n")
    info = site / "garbled-3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: garbled\nVersion: 3\n")
    (info / "entry_points.txt").write_text("[blastbeat]\nthis is no entry point\n")
    (site / "x.toml").write_text(CONFIG)
    return site


def blastbeat(site: Path, *arguments: str) -> tuple[int, Any, str]:
    done = subprocess.run(
        [sys.executable, "-m", "blastbeat", *arguments, "--json", "x.toml"],
        cwd=site,
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_check_names_each_and_checks_all_else(installed: Path) -> None:
    code, told, _ = blastbeat(installed, "check")
    assert code == 78
    messages = [problem["message"] for problem in told["problems"] if problem["section"] == "plugins"]
    for name in ("import-error", "syntax-error", "system-exit", "no-hook", "garbled"):
        assert any(f"plugin '{name}'" in message for message in messages), name
    by_line = {problem["line"]: problem for problem in told["problems"] if problem["key"]}
    assert by_line[6]["key"] == "selector" and "no selector of this name" in by_line[6]["message"]
    assert by_line[7]["key"] == "filters" and "'factory-exits'" in by_line[7]["message"]


def test_plugins_lists_each_with_its_reason(installed: Path) -> None:
    code, told, said = blastbeat(installed, "plugins")
    assert code == 0
    listed = {plugin["name"]: plugin for plugin in told}
    for name in ("import-error", "syntax-error", "system-exit", "no-hook"):
        assert listed[name]["state"] == "failed" and listed[name]["reason"]
        assert listed[name]["origin"] == f"broken-{name}" and listed[name]["version"] == "1.2"
        assert f"plugin '{name}'" in said
    assert "entry_points.txt" in listed["garbled"]["reason"]
    assert listed["least-connections"]["state"] == "active"
    assert listed["factory-exits"]["registered"] == [
        {"kind": "filter", "name": "exits", "options": [], "replaced_by": None}
    ]
