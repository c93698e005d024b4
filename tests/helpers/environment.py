"""Fresh Python environments: what a user has who installs BlastBeat and a plugin, in seconds and without a
network.

BlastBeat and the plugin are really built and installed. What BlastBeat depends on (and pytest, mypy, ruff) is
lent by the environment that runs the tests, through a `.pth` file; `.ci/run` installs that, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.helpers.source_tree import ROOT

_PIP = (sys.executable, "-m", "pip")
_OFFLINE = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-build-isolation")


def install_blastbeat(folder: Path) -> Path:
    """Build BlastBeat's wheel and install it into `folder`, for several environments to share."""
    _succeed([*_PIP, "install", *_OFFLINE, "--target", str(folder), str(ROOT)], cwd=folder.parent)
    return folder


class FreshEnvironment:
    """A venv with BlastBeat from `blastbeat` (see `install_blastbeat`), and nothing of this checkout."""

    def __init__(self, folder: Path, blastbeat: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        paths = sysconfig.get_paths("venv", {"base": str(folder), "platbase": str(folder)})
        # Lines of a .pth file are paths; the .pth files in there (our own, editable) are not looked at.
        lent = dict.fromkeys((str(blastbeat), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
        Path(paths["purelib"], "lent.pth").write_text("".join(f"{path}\n" for path in lent))

    def install(self, distribution: Path) -> None:
        """Install a wheel, an sdist or a folder with a `pyproject.toml`."""
        _succeed([*_PIP, "--python", str(self.python), "install", *_OFFLINE, str(distribution)])

    def run(self, module: str, *arguments: str, cwd: Path) -> str:
        """What `python -m MODULE …` prints; it must succeed."""
        return _succeed([str(self.python), "-m", module, *arguments], cwd=cwd)

    def print_value(self, expression: str, cwd: Path) -> str:
        """An expression of BlastBeat's, as text."""
        return _succeed([str(self.python), "-c", f"import blastbeat; print({expression})"], cwd=cwd).strip()


def build(source: Path, folder: Path) -> tuple[Path, Path]:
    """The sdist and the wheel of a distribution, built from a copy without anything that git ignores."""
    copy = folder / "source"
    _succeed(["cp", "-r", str(source), str(copy)])
    _succeed([sys.executable, "-m", "hatchling", "build", "-d", str(folder / "dist")], cwd=copy)
    [sdist] = (folder / "dist").glob("*.tar.gz")
    [wheel] = (folder / "dist").glob("*.whl")
    return sdist, wheel


def _succeed(command: list[str], cwd: Path | None = None) -> str:
    ours = ("PYTHON", "PYTEST", "BLASTBEAT")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    # hypothesis: the same examples each time, however slow the machine is at the moment
    environment["CI"] = "true"
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired as late:
        printed = b"\n".join(part for part in (late.stdout, late.stderr) if part).decode(errors="replace")
        raise AssertionError(f"{' '.join(command)} did not end\n{printed}") from None
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
