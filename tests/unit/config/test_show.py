"""The configuration in force: every key, where each value comes from, and what is not set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blastbeat.config.build import build
from blastbeat.config.declared import Declared, HostKeys, TableKind
from blastbeat.config.files import read_files
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.show import Shown, ShownSection, as_data, as_toml, show_config, written_value
from blastbeat.validators import secret, several, text

TEXT = """include = "more/*.toml"
[blastbeat]
bind = [
    "127.0.0.1:80",
    "${PLACE}:81",
]
zmq = "ipc://x"
timeout = "7m"
max-body = 1234567
[vhost."a.test"]
node = { name = "app", weight = 3 }
filters = []
[vhost."a.test".route."/api"]
share = "10%"
[vhost."a.test".route.beta]
method = "GET"
linger-time = 0.123456789123
[plugin.mine]
colour = "${COLOUR:-green}"
"""


def shown(folder: Path, text: str = TEXT, environ: dict[str, str] | None = None) -> list[ShownSection]:
    path = folder / "x.toml"
    path.write_text(text)
    document = read_files(path, {"PLACE": "127.0.0.2"} if environ is None else environ)
    built = build(document, str(path), {"log-level": "debug"})
    assert built.problems == []
    return show_config(built, document)


def keys(folder: Path, header: str) -> dict[str, Shown]:
    section = next(section for section in shown(folder) if section.header == header)
    return {each.key: each for each in section.keys}


def test_each_section_has_every_key_of_the_reference_in_its_order(tmp_path: Path) -> None:
    found = {section.header: [each.key for each in section.keys] for section in shown(tmp_path)}
    assert found == {
        "blastbeat": list(SERVER_KEYS),
        "plugins": list(PLUGINS_KEYS),
        "plugin.mine": ["colour"],
        'vhost."a.test"': list(VIRTUALHOST_KEYS),
        'vhost."a.test".route."/api"': list(ROUTE_KEYS),
        'vhost."a.test".route."beta"': list(ROUTE_KEYS),
    }


def test_sources_of_the_servers_keys(tmp_path: Path) -> None:
    found = keys(tmp_path, "blastbeat")
    assert found["bind"] == Shown("bind", ["127.0.0.1:80", "127.0.0.2:81"], "x.toml:4, x.toml:5, ${PLACE}")
    assert found["zmq"] == Shown("zmq", "ipc://x", "x.toml:7")
    assert found["log-level"] == Shown("log-level", "debug", "command line")
    assert found["ping-freq"] == Shown("ping-freq", "3s", "default")
    assert found["control"] == Shown("control", None, "default", "off")
    assert found["idle-timeout"] == Shown("idle-timeout", "7m", "x.toml:8 (timeout)")


def test_a_virtualhost_inherits_with_the_source(tmp_path: Path) -> None:
    found = keys(tmp_path, 'vhost."a.test"')
    assert found["node"] == Shown("node", {"name": "app", "weight": 3}, "x.toml:11")
    assert found["filters"] == Shown("filters", [], "x.toml:12")
    assert found["max-body"] == Shown("max-body", "1234567B", "x.toml:9")
    assert found["zmq"].value is None  # its own, of which it has none


def test_a_route_inherits_from_both(tmp_path: Path) -> None:
    found = keys(tmp_path, 'vhost."a.test".route."/api"')
    assert found["path"] == Shown("path", "/api", "its name")
    assert found["share"] == Shown("share", "10%", "x.toml:14")
    assert found["node"].source == "x.toml:11"
    assert found["filters"].source == "x.toml:12"
    assert found["max-body"].source == "x.toml:9"
    other = keys(tmp_path, 'vhost."a.test".route."beta"')
    assert other["path"] == Shown("path", "/", "default")
    assert other["linger-time"].value == 0.123456789123


def test_a_plugins_table_with_the_environment(tmp_path: Path) -> None:
    assert keys(tmp_path, "plugin.mine")["colour"] == Shown("colour", "green", "x.toml:19, ${COLOUR}")


def test_a_value_of_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.toml").write_text('[vhost."b.test"]\nnode = "app"\n')
    assert keys(tmp_path, 'vhost."b.test"')["node"].source == f"{Path('more') / 'b.toml'}:2"


def test_many_places_are_not_all_told(tmp_path: Path) -> None:
    nodes = ",\n".join(f'"app{number}"' for number in range(9))
    text = f'[blastbeat]\nbind = ":0"\nzmq = "ipc://x"\n[vhost.a]\nnode = [\n{nodes}\n]\n'
    section = shown(tmp_path, text)[-1]
    assert section.keys[0].source == "x.toml:6, x.toml:7, x.toml:8 and 6 more"


def test_as_toml(tmp_path: Path) -> None:
    text = as_toml(shown(tmp_path))
    assert 'zmq = "ipc://x"  # x.toml:7\n' in text
    assert "# control is not set: off\n" in text
    assert '\n\n[vhost."a.test".route."/api"]\n' in text


def test_as_data(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = as_data(shown(tmp_path))
    route = told[-1]
    assert (route["kind"], route["name"], route["route"]) == ("route", "a.test", "beta")
    assert route["keys"]["method"] == {"value": "GET", "source": "x.toml:16", "unset": ""}
    assert told[0]["keys"]["uid"]["value"] is None


def test_a_number_without_a_unit_that_fits_is_told_as_it_is() -> None:
    option = VIRTUALHOST_KEYS["response-timeout"]
    assert written_value(option, 90.0) == "90s"
    assert written_value(option, 0.1 + 0.2) == 0.1 + 0.2


DECLARED = Declared(
    {"plan": TableKind("plan", {"rate": several(text), "token": secret(text)}, "policy")},
    (HostKeys({"customer": text, "zones": text}, (), "policy"),),
)
DECLARING = """\
[blastbeat]
bind = "127.0.0.1:0"
zmq = "ipc://x"
customer = "rest"
[plan."a b"]
rate = ["1", "${RATE}"]
token = "hidden"
[plan.bare]
[vhost."a.test"]
node = "app"
zones = "x"
[vhost."a.test".route."/api"]
"""


def shown_with_plugins(folder: Path) -> list[ShownSection]:
    path = folder / "x.toml"
    path.write_text(DECLARING)
    document = read_files(path, {"RATE": "2"})
    built = build(document, str(path), {}, lambda config: DECLARED)
    assert not built.problems
    return show_config(built, document)


def test_what_plugins_declared_is_shown_with_its_places(tmp_path: Path) -> None:
    sections = {each.header: each for each in shown_with_plugins(tmp_path)}
    server, host = (
        {each.key: each for each in sections[name].keys} for name in ("blastbeat", 'vhost."a.test"')
    )

    assert server["customer"] == Shown("customer", "rest", "x.toml:4")
    assert server["zones"] == Shown("zones", None, "default", "none (plugin policy)")
    assert host["customer"] == Shown("customer", "rest", "x.toml:4")
    assert host["zones"] == Shown("zones", "x", "x.toml:11")
    assert sections['plan."a b"'].keys == (
        Shown("rate", ["1", "2"], "x.toml:6, ${RATE}"),
        Shown("token", None, "x.toml:7", "a secret and not shown"),
    )
    assert [each.unset for each in sections["plan.bare"].keys] == ["none (plugin policy)"] * 2
    assert "customer" not in {each.key for each in sections['vhost."a.test".route."/api"'].keys}


def test_what_plugins_declared_can_be_read_again(tmp_path: Path) -> None:
    text = as_toml(shown_with_plugins(tmp_path))
    again = tmp_path / "again.toml"
    again.write_text(text)
    built = build(read_files(again, {}), str(again), {}, lambda config: DECLARED)

    assert not built.problems
    assert built.config.virtualhosts[0].plugin_keys == {"customer": "rest", "zones": "x"}
    assert built.config.tables[0].written == {"rate": ["1", "2"]}
    assert "hidden" not in text and "# token is a secret and not shown  # x.toml:7" in text
