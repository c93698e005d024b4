"""The ini notation as TOML: order, comments, words of the author."""

from __future__ import annotations

from pathlib import Path

from blastbeat.config.convert import convert
from blastbeat.config.declared import Declared, HostKeys, TableKind
from blastbeat.validators import several, text

INI = """; the shop's server
#   of 2012

[blastbeat]
BIND = 0.0.0.0:8080 10   ; everybody
bind = [::]:8080
zmq = tcp://0.0.0.0:5000

; in seconds
timeout = 1800
max-body = "10 MiB"
trusted-proxies = 10.0.0.1, ::1
; half a thought

[blastbeat:Shop.example]   # first
node = app1
; slower
node = app2 weight=2
filters =
[blastbeat:shop.example/api]
strip-prefix = on

[plugin:my.plugin]
colour = ${green}
way = a
way = b
; the end
"""

TOML = """# the shop's server
# of 2012

[blastbeat]
bind = ["0.0.0.0:8080", "[::]:8080"]  # everybody
zmq = "tcp://0.0.0.0:5000"
# in seconds
timeout = 1800
max-body = "10 MiB"
trusted-proxies = ["10.0.0.1", "::1"]
# half a thought

[vhost."Shop.example"]  # first
# slower
node = ["app1", { name = "app2", weight = "2" }]
filters = []

[vhost."Shop.example".route."/api"]
strip-prefix = true

[plugin."my.plugin"]
colour = "$${green}"
way = ["a", "b"]
# the end
"""


def test_what_an_author_would_have_written(tmp_path: Path) -> None:
    (tmp_path / "old.ini").write_text(INI)
    text, problems = convert(tmp_path / "old.ini")
    assert text == TOML
    assert [(problem.line, problem.severity) for problem in problems] == [(5, "warning")]
    assert "PRIORITY" in problems[0].message


def test_the_seeds_example() -> None:
    text, problems = convert(Path(__file__).parents[3] / "examples" / "seed.ini")
    assert problems == []
    assert text == (
        '[blastbeat]\nbind = "0.0.0.0:8080"\nzmq = "tcp://0.0.0.0:5000"\n\n'
        '[vhost."localhost:8000"]\nnode = "foobar1"\n'
    )


def test_a_bad_file_is_not_converted(tmp_path: Path) -> None:
    (tmp_path / "bad.ini").write_text("[blastbeat]\nbind = nowhere:x\nfrobnicate = 1\n")
    text, problems = convert(tmp_path / "bad.ini")
    assert text == ""
    assert [problem.line for problem in problems] == [2, 3]


def test_a_file_that_is_toml_already(tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text("")
    text, [problem] = convert(tmp_path / "new.toml")
    assert text == "" and problem.severity == "error"


def test_comments_hold_nothing_that_toml_forbids(tmp_path: Path) -> None:
    (tmp_path / "old.ini").write_text("; a\x01b\tü ;\n[blastbeat]\r\n;\nping-freq = 3\n")
    text, _ = convert(tmp_path / "old.ini")
    assert text == "# a b ü ;\n[blastbeat]\n#\nping-freq = 3\n"


def test_what_plugins_declared_is_converted_as_text(tmp_path: Path) -> None:
    declared = Declared(
        {"plan": TableKind("plan", {"rate": text, "zones": several(text)}, "policy")},
        (HostKeys({"customer": text}, (), "policy"),),
    )
    path = tmp_path / "a.ini"
    path.write_text(
        "[blastbeat]\nbind = 127.0.0.1:80\nzmq = ipc://x\ncustomer = rest ; all\n"
        "; the cheap one\n[Plan:a b] ; see below\nRate = 5\nzones = x\nzones = y ; two\n"
        "[blastbeat:a.test]\nnode = n\ncustomer = acme\n"
    )
    converted, problems = convert(path, lambda config: declared)

    assert not problems
    assert converted == (
        '[blastbeat]\nbind = "127.0.0.1:80"\nzmq = "ipc://x"\ncustomer = "rest"  # all\n\n'
        '# the cheap one\n[plan."a b"]  # see below\nrate = "5"\nzones = ["x", "y"]  # two\n\n'
        '[vhost."a.test"]\nnode = "n"\ncustomer = "acme"\n'
    )
    assert convert(path)[0] == "" and len(convert(path)[1]) == 3
