"""Tests of `blastbeat.config_file`: a file is read together with the plugins it wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastbeat.config_file import ConfigFile
from blastbeat.errors import ConfigError, PluginError
from tests.helpers.declaring import Customers

TEXT = """\
[blastbeat]
bind = "127.0.0.1:0"
zmq = "ipc://x"
[plugins]
load = []
[customer.acme]
plan = "gold"
[plan.gold]
[vhost.a]
node = "n"
customer = "acme"
"""


def write(folder: Path, text: str = TEXT) -> Path:
    path = folder / "a.toml"
    path.write_text(text)
    return path


def test_what_plugins_declare_is_part_of_it(tmp_path: Path) -> None:
    source = ConfigFile(write(tmp_path), environ={}, plugins=[Customers()])
    config, problems = source.load()

    assert not problems
    assert [each.name for each in config.tables] == ["acme", "gold"]
    assert config.virtualhosts[0].plugin_values == {"customer": "acme"}
    assert source.manager is not None
    assert source.manager.config().declared.tables.keys() == {"customer", "plan"}


def test_without_the_plugin_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        ConfigFile(write(tmp_path), environ={}).load()
    assert [each.message for each in caught.value.problems] == [
        "unknown section",
        "unknown section",
        "unknown key",
    ]


def test_it_is_read_again_with_the_same_plugins(tmp_path: Path) -> None:
    path = write(tmp_path)
    source = ConfigFile(path, environ={}, plugins=[Customers()])
    source.load()
    manager = source.manager
    write(tmp_path, TEXT.replace("gold", "silver"))
    config, _ = source.load_again({})

    assert config is not None and [each.name for each in config.tables] == ["acme", "silver"]
    assert source.manager is manager


def test_a_plugin_that_fails_is_raised_with_what_its_absence_leaves_unknown(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('out of luck')\n")
    path = write(tmp_path, TEXT.replace("load = []", 'load = []\nfiles = ["broken.py"]'))
    with pytest.raises(ConfigError) as caught:
        ConfigFile(path, environ={}).load()
    first, *others = caught.value.problems
    assert "plugin 'broken'" in first.message
    assert "not active is broken (plugin 'broken'" in others[0].hint

    source = ConfigFile(path, environ={}, plugins=[Customers()])
    with pytest.raises(PluginError, match="out of luck"):
        source.load()
    assert source.load(strict=False)[0].tables
    assert len(source.plugin_problems) == 1
