"""What is shown or converted means the same: it is read again to an equal configuration."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from blastbeat.config.build import Built, build
from blastbeat.config.convert import convert
from blastbeat.config.files import read_files
from blastbeat.config.model import Config
from blastbeat.config.option import Option
from blastbeat.config.options import PLUGINS_KEYS, ROUTE_KEYS, SERVER_KEYS, VIRTUALHOST_KEYS
from blastbeat.config.rows import Document
from blastbeat.config.show import as_toml, show_config
from blastbeat.config.toml_text import value_text
from blastbeat.config.values import Count, Quantity

WORDS = st.text("abcXYZ089-_./$ {}=é\"\\'", max_size=12)
COMMENTS = st.sampled_from(["", " ; why", " # ü \t x", ' ; "quoted']) | st.builds(" # {}".format, WORDS)
SPECIAL = {
    "node": ["app1", 'app2 weight=3 note="two words"', "app3 file=${X}"],
    "filters": ["headers set=X:y set=Z:q", "limits", "answer body='a; b'", ""],
    "selector": ["hash key=cookie:id", "first", "two-choices"],
    "alias": ["www.a.test, b.test", "*.c.test", "[::1]:80"],
    "bind": ["0.0.0.0:80", "8080 7", "[::]:1 proxy-protocol", ":0"],
    "trusted-proxies": ["10.1.2.3/8 ::1", "127.0.0.1"],
    "error-page": ["503 busy page.html", "404 /srv/none.html"],
    "share": ["10%", "12.345678 %", "0.1%"],
    "path": ["/a%20b", "/%ff/x", "/"],
}


def written(option: Option) -> st.SearchStrategy[str]:
    """Values as one would write them in ini."""
    choices: list[str] = [*SPECIAL.get(option.name, []), option.example]
    plain = option.default_text()
    if plain and not option.unset:
        choices.append(plain)
    values = st.sampled_from(choices)
    low, high = int(option.minimum or 1), int(min(option.maximum or 10**6, 10**6))
    if isinstance(option.kind, Quantity):
        factor = option.kind.plain
        numbers = st.integers(int(low / factor) + 1, max(int(high / factor), int(low / factor) + 1))
        values |= numbers.map(str)
        if not option.kind.whole:
            values |= st.decimals(low + 1, max(high, low + 2), places=7).map(str)
    elif isinstance(option.kind, Count):
        values |= st.integers(low, high).map(str)
    return values


@st.composite
def section(draw: st.DrawFn, header: str, options: dict[str, Option]) -> str:
    lines = [f"[{header}]{draw(COMMENTS)}"]
    names = draw(st.lists(st.sampled_from(sorted(options)), max_size=5))
    for name in dict.fromkeys(names):
        option = options[name]
        values = draw(st.lists(written(option), min_size=1, max_size=3 if option.repeated else 1))
        for value in values if "" not in values else [""]:
            if draw(st.booleans()):
                lines.append(draw(st.sampled_from(["", "; above", "\t# above, too"])))
            key = name.upper() if draw(st.booleans()) else name
            lines.append(f"{key} = {value}{draw(COMMENTS)}")
    return "\n".join(lines) + "\n"


@st.composite
def ini_documents(draw: st.DrawFn) -> str:
    parts = [draw(section("blastbeat", dict(SERVER_KEYS)))]
    for host in draw(st.lists(st.sampled_from(["A.test", "b.test:80", "*", "*.c.test"]), unique=True)):
        parts.append(draw(section(f"blastbeat:{host}", dict(VIRTUALHOST_KEYS))))
        parts += [
            draw(section(f"blastbeat:{host.lower()}/{path}", dict(ROUTE_KEYS)))
            for path in draw(st.lists(st.sampled_from(["api", "a b/c", "ü"]), unique=True, max_size=2))
        ]
    if draw(st.booleans()):
        parts.append(draw(section("plugins", dict(PLUGINS_KEYS))))
    if draw(st.booleans()):
        keys = draw(st.lists(st.sampled_from("abc"), max_size=3))
        values = [draw(WORDS).replace('"', "") for _ in keys]
        parts.append("[plugin:mine]\n" + "".join(f"{k} = {v}\n" for k, v in zip(keys, values, strict=True)))
    return draw(st.sampled_from(["", "; first\n\n# second\n"])) + "\n".join(parts)


def read(path: Path, text: str) -> tuple[Document, Built]:
    path.write_text(text, encoding="utf-8")
    document = read_files(path, {})
    return document, build(document, str(path), {})


def errors(built: Built) -> list[str]:
    return [str(problem) for problem in built.problems if problem.severity == "error"]


def same(config: Config) -> Config:
    """Without what has no meaning: the file, and the order of virtualhosts (one without a key comes last in
    TOML when it has routes)."""
    hosts = tuple(sorted(config.virtualhosts, key=lambda host: host.name))
    return replace(config, file="", virtualhosts=hosts)


@given(ini_documents())
def test_what_is_converted_or_shown_is_read_as_the_same(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document, old = read(folder / "old.ini", text)
        converted, problems = convert(folder / "old.ini")
        if errors(old):
            assert converted == ""
            assert [str(problem) for problem in problems if problem.severity == "error"] == errors(old)
            return
        new_document, new = read(folder / "new.toml", converted)
        assert errors(new) == []
        assert same(new.config) == same(old.config)
        assert converted.count("#") >= text.count("; above")
        _, shown = read(folder / "shown.toml", as_toml(show_config(old, document)))
        assert errors(shown) == []
        assert same(shown.config) == same(old.config)
        _, again = read(folder / "again.toml", as_toml(show_config(new, new_document)))
        assert errors(again) == []
        assert same(again.config) == same(old.config)


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
TABLES = st.recursive(
    st.booleans() | st.text() | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), TABLES, max_size=4))
def test_any_table_of_a_plugin_is_read_as_written(table: dict[str, object]) -> None:
    text = "[plugin]\nmine = " + value_text(table)
    with tempfile.TemporaryDirectory() as name:
        document, built = read(Path(name) / "x.toml", text)
        assert document.problems == []
        assert built.config.plugin_options == {"mine": table}
        _, again = read(Path(name) / "y.toml", as_toml(show_config(built, document)))
        assert again.config.plugin_options == {"mine": table}
