"""The command line with a plugin that declares tables and keys: all commands treat them like ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from blastbeat.cli import main
from tests.helpers.stage import Stage

PLUGIN = """\
from blastbeat import hookimpl
from blastbeat.interfaces import Answer, Filter
from blastbeat.validators import secret, text

plans = {}


class Tell(Filter):
    def __init__(self, options):
        self.plan = options["plan"]

    def on_request(self, view):
        return Answer(200, plans[self.plan]["greeting"].encode())


@hookimpl
def blastbeat_register_options(register):
    print("not part of any answer")
    register.tables("plan", {"greeting": text, "token": secret(text)}, receive)
    register.virtualhost_keys({"plan": text}, filters="tell")


def receive(tables):
    plans.clear()
    plans.update(tables)


@hookimpl
def blastbeat_register_filters(register):
    register("tell", Tell, options={"plan": text})


@hookimpl
def blastbeat_examine_config(config):
    for host in config.virtualhosts:
        plan = host.values.get("plan")
        if plan is not None and plan not in config.tables["plan"]:
            yield host.problem(f"there is no [plan.{plan}]", key="plan", value=plan)
"""
CONFIG = """\
[blastbeat]
bind = "127.0.0.1:0"
zmq = "ipc://{folder}/nodes"
control = "{folder}/s"
access-log = "off"
[plugins]
files = ["plans.py"]
[plan.gold]
greeting = "hello"
token = "hidden"
[vhost."app.test"]
node = "app"
plan = "gold"
"""


@pytest.fixture
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("c")  # a socket's path is short
    (folder / "plans.py").write_text(PLUGIN)
    path = folder / "a.toml"
    path.write_text(CONFIG.format(folder=folder))
    return path


def blastbeat(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blastbeat", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


def test_check_show_convert_explain_and_plugins(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str | Path, code: int = 0) -> str:
        assert main([*map(str, arguments)]) == code
        return capsys.readouterr().out

    assert told("check", config) == f"{config}: 0 errors, 0 warnings, 0 notes\n"

    shown = told("config", "show", config)
    assert '[plan.gold]\ngreeting = "hello"  # a.toml:9\n' in shown
    assert 'plan = "gold"  # a.toml:13\n' in shown and "hidden" not in shown
    part = json.loads(told("config", "show", config, "--json", "--section", "plan.gold"))
    assert part["sections"][0]["keys"]["greeting"] == {"value": "hello", "source": "a.toml:9", "unset": ""}

    assert "tell plan=gold: not asked here" in told("explain", "http://app.test/", "--config", config)

    listed = told("plugins", config)
    assert "    declares   [plan.NAME] greeting, token\n               [vhost.HOST] plan" in listed

    ini = config.with_suffix(".ini")
    ini.write_text(
        "[blastbeat]\nbind = 127.0.0.1:0\nzmq = ipc://x\n[plugins]\nfiles = plans.py\n"
        "[plan:gold]\ngreeting = hello\n[blastbeat:app.test]\nnode = app\nplan = gold\n"
    )
    converted = told("config", "convert", ini)
    assert '[plan.gold]\ngreeting = "hello"\n' in converted
    (config.parent / "b.toml").write_text(converted)
    told("check", config.parent / "b.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('plan = "gold"', 'plan = "tin"', "a.toml:13: error: [vhost.\"app.test\"] plan = 'tin': there is no"),
        ('plan = "gold"', "plan = 5", "a.toml:13: error: [vhost.\"app.test\"] plan = '5': is not a text"),
        (
            "greeting",
            "greetign",
            "a.toml:9: error: [plan.gold] greetign = 'hello': unknown key; did",
        ),
        ('"hidden"', "4711", "a.toml:10: error: [plan.gold] token = '(secret)': is not a text"),
        ("[plan.gold]", "[plam.gold]", "a.toml:8: error: plam: unknown section; did you mean 'plan'?"),
        (
            'files = ["plans.py"]',
            'files = ["plans.py"]\ndisabled = "plans"',
            "if it is a plugin's table: not active is plans (disabled by the configuration)",
        ),
        (
            'files = ["plans.py"]',
            "",
            "is the plugin installed that it is for?",
        ),
    ],
)
def test_what_is_wrong_is_told_alike_by_check_and_serve(
    config: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    config.write_text(config.read_text().replace(old, new))
    assert main(["check", str(config)]) == 78
    checked = capsys.readouterr().out
    assert main(["serve", str(config)]) == 78
    served = capsys.readouterr().err

    assert said in checked and said in served
    assert "4711" not in checked + served


def test_a_reload_is_compared_refused_and_taken_over(stage: Stage, config: Path) -> None:
    process = stage.serve_process(config)
    port = process.wait_ready()
    before = config.read_text()

    def greeting() -> bytes:
        client = stage.client(address=("127.0.0.1", port))
        client.get("/", host="app.test")
        return client.read_response().body

    assert greeting() == b"hello"
    config.write_text(before.replace("hello", "good day").replace("hidden", "other"))
    lines = ['~ [plan.gold] greeting: "hello" -> "good day"', "~ [plan.gold] token: changed"]
    dry = blastbeat("reload", config, "--dry-run")
    assert dry.stdout.splitlines() == [*lines, "nothing was changed: this was a dry run"]
    as_json = json.loads(blastbeat("reload", config, "--dry-run", "--json").stdout)
    assert as_json["tables"][0]["changes"][1] == {"key": "token", "old": "", "new": "", "restart": False}
    assert greeting() == b"hello"

    done = blastbeat("reload", config)
    assert done.stdout.splitlines() == [*lines, "taken over; configuration 2 is in force"]
    assert greeting() == b"good day"

    config.write_text(before.replace('plan = "gold"', 'plan = "tin"').replace("greeting =", "greetign ="))
    refused = blastbeat("reload", config)
    assert refused.returncode == 78
    checked = [line for line in blastbeat("check", config).stdout.splitlines() if ": error: " in line]
    assert refused.stderr.splitlines()[:-1] == checked[:1]
    assert greeting() == b"good day"
