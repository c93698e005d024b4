"""Installs BlastBeat and plugins as their users do, by a complete `pip install` into fresh environments, and
runs what they bring: `fresh_install.py`. Needs an index of packages, unlike the tests.

First a plugin of each kind, made by `blastbeat new-plugin` in an empty folder, with its tests and linters;
then each distribution in plugins-contrib, alone, with its tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("encoder", "selector", "authenticator", "node-authenticator", "filter")


def main() -> int:
    # Nothing of ours on the path, and hypothesis the same on every run.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    os.environ.clear()
    os.environ.update(clean, CI="true")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        contrib = sorted(path.parent for path in (ROOT / "plugins-contrib").glob("*/pyproject.toml"))
        run(
            *find_pip(),
            "wheel",
            "-q",
            "--no-deps",
            "-w",
            str(place / "wheels"),
            str(ROOT),
            *map(str, contrib),
        )
        [blastbeat] = (place / "wheels").glob("blastbeat-[0-9]*.whl")
        try_new_plugins(place / "new", blastbeat)
        for source in contrib:
            try_distribution(source, place, blastbeat)
    return 0


def try_new_plugins(place: Path, blastbeat: Path) -> None:
    begun = time.monotonic()
    environment = Environment(place, blastbeat)
    environment.install()
    folders = []
    for kind in KINDS:
        environment.output("blastbeat", "new-plugin", f"made-{kind}", "--kind", kind, cwd=place)
        folders.append(place / f"blastbeat-made-{kind}")
    environment.install(*(f"{folder}[test,lint]" for folder in folders))
    for folder in folders:
        environment.run("ruff", "check", ".", cwd=folder)
        environment.run("mypy", "--cache-dir", str(place / "cache"), cwd=folder)
        environment.run("blastbeat", "check", "--strict", "blastbeat.toml", cwd=folder)
        environment.run("pytest", "-q", cwd=folder)
    say(f"a plugin of each kind: good, after {time.monotonic() - begun:.0f} s")


def try_distribution(source: Path, place: Path, blastbeat: Path) -> None:
    begun = time.monotonic()
    environment = Environment(place / source.name, blastbeat)
    [wheel] = (place / "wheels").glob(f"{source.name.replace('-', '_')}-*.whl")
    environment.install(f"{source.name}[test] @ {wheel.as_uri()}")
    alone = place / source.name / "alone"
    # Without its source: what is tested is what was installed.
    shutil.copytree(source, alone, ignore=shutil.ignore_patterns("src", ".*", "__pycache__"))
    [plugin] = tomllib.loads((source / "pyproject.toml").read_text())["project"]["entry-points"]["blastbeat"]
    listed = environment.output("blastbeat", "plugins", cwd=alone)
    if f"{plugin}: active ({source.name} " not in listed:
        raise SystemExit(f"{source.name} is installed, and its plugin is not active:\n{listed}")
    environment.run("pytest", "-q", cwd=alone)
    say(f"{source.name}: good, after {time.monotonic() - begun:.0f} s")


class Environment:
    """A fresh one, for BlastBeat from its wheel and what that needs from the index."""

    def __init__(self, place: Path, blastbeat: Path) -> None:
        place.mkdir()
        self._blastbeat = f"blastbeat[testing] @ {blastbeat.as_uri()}"
        # Where the system's venv comes without pip, another pip fills it.
        venv.create(place / "venv", with_pip=False, symlinks=True)
        self._python = str(place / "venv" / "bin" / "python")

    def install(self, *requirements: str) -> None:
        """Together with BlastBeat, so that no other of its name can take its place; all must fit together."""
        pip = (*find_pip(), "--python", self._python)
        run(*pip, "install", "-q", self._blastbeat, *requirements)
        run(*pip, "check")

    def run(self, module: str, *arguments: str, cwd: Path) -> None:
        run(self._python, "-m", module, *arguments, cwd=cwd)

    def output(self, module: str, *arguments: str, cwd: Path) -> str:
        command = [self._python, "-m", module, *arguments]
        return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE).stdout


def find_pip() -> tuple[str, ...]:
    """This environment's pip, or the system's where this one has none."""
    for python in (sys.executable, "python3"):
        command = (python, "-m", "pip")
        if subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
            return command
    raise SystemExit("there is no pip: python3 -m ensurepip, or your system's package python3-pip")


def run(*command: str, cwd: Path | None = None) -> None:
    say("$", *command)
    if code := subprocess.run(command, cwd=cwd).returncode:
        raise SystemExit(f"exit {code}: {' '.join(command)}")


def say(*words: str) -> None:
    sys.stdout.write(f"{' '.join(words)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
