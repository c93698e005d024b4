"""10,000 virtualhosts: what is done for them grows as their number does, not as its square.

Counted are function calls, of Python's own functions too; time is for `python -m bench hosts`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from blastbeat.config.build import build
from blastbeat.config.check import check
from blastbeat.config.files import read_files
from blastbeat.config.show import as_toml, show_config
from blastbeat.vhosts import MAX_REMEMBERED, HostTable
from tests.helpers.settings import Table
from tests.helpers.stage import Stage

FEW, MANY = 40, 400

HEAD = '[blastbeat]\nbind = "127.0.0.1:80"\nzmq = "ipc://x"\n'
INI_HEAD = "[blastbeat]\nbind = 127.0.0.1:80\nzmq = ipc://x\n"


def toml(number: int) -> str:
    own = f'alias = ["w{number}.test", "*.c{number}.test"]\nselector = "first"\nzmq = "ipc://x{number}"\n'
    route = f'[vhost."h{number}.test".route."/api"]\nnode = "api"\n'
    return f'[vhost."h{number}.test"]\nnode = "app{number}"\n{own if number % 2 else route}'


SHAPES: dict[str, Callable[[int], tuple[str, str]]] = {
    "mixed": lambda count: ("x.toml", HEAD + "".join(map(toml, range(count)))),
    "ini": lambda count: (
        "x.ini",
        INI_HEAD + "".join(f"[blastbeat:h{n}.test]\nnode = a\nnode = b\n" for n in range(count)),
    ),
    "one name on many addresses": lambda count: (
        "x.toml",
        HEAD
        + "".join(
            f'[vhost."h{n}.test"]\nnode = "a"\nalias = "same.test"\nbind = "127.0.0.1:{n + 1000}"\n'
            for n in range(count)
        ),
    ),
    "one name for all": lambda count: (
        "x.toml",
        HEAD + "".join(f'[vhost."h{n}.test"]\nnode = "a"\nalias = "same.test"\n' for n in range(count)),
    ),
    "unknown keys": lambda count: (
        "x.toml",
        HEAD + "".join(f'[vhost."h{n}.test"]\nnode = "a"\nselectr = "x"\n' for n in range(count)),
    ),
    "routes of nobody": lambda count: (
        "x.ini",
        INI_HEAD
        + "".join(f"[blastbeat:h{n}.test]\nnode = a\n[blastbeat:g{n}/api]\nnode = a\n" for n in range(count)),
    ),
}


class Counter:
    calls = 0


@contextmanager
def counting() -> Iterator[Counter]:
    counter = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        counter.calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield counter
    finally:
        sys.setprofile(before)


def calls_for(folder: Path, shape: Callable[[int], tuple[str, str]], count: int) -> dict[str, int]:
    name, text = shape(count)
    path = folder / name
    path.write_text(text)
    with counting() as reading:
        document = read_files(path, {})
    with counting() as building:
        built = build(document, str(path), {})
    with counting() as checking:
        check(built)
    with counting() as showing:
        as_toml(show_config(built, document))
    assert len(built.virtualhosts) == count
    return {
        "read": reading.calls,
        "build": building.calls,
        "check": checking.calls,
        "show": showing.calls,
    }


@pytest.mark.parametrize("name", SHAPES)
def test_ten_times_as_many_are_ten_times_the_work(tmp_path: Path, name: str) -> None:
    few = calls_for(tmp_path, SHAPES[name], FEW)
    many = calls_for(tmp_path, SHAPES[name], MANY)
    for what, calls in many.items():
        assert calls <= few[what] * MANY / FEW * 1.1, what


def test_as_many_included_files_as_there_may_be(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(f'include = "conf.d/*.toml"\n{HEAD}')
    (tmp_path / "conf.d").mkdir()

    def calls(count: int) -> int:
        for number in range(count):
            (tmp_path / "conf.d" / f"{number}.toml").write_text(toml(number))
        with counting() as counter:
            document = read_files(tmp_path / "x.toml", {})
        assert len(document.sections) >= count and not document.problems
        return counter.calls

    assert calls(FEW) * 11 >= calls(FEW * 10)


def table(count: int) -> HostTable[int]:
    made: HostTable[int] = HostTable()
    for number in range(count):
        aliases = (f"w{number}.test", f"*.c{number}.test:8080", f"*.d{number}.test")
        made.add(f"h{number}.test", number, aliases=aliases)
    return made


def calls_of_lookups(count: int) -> int:
    """Of ever new hosts, so that nothing is remembered of them."""
    hosts = table(count)
    asked = [
        (f"{label}{number % count}.test".encode(), number % count)
        for number in range(MAX_REMEMBERED + 500)
        for label in ("h", "w", "a.b.c", f"x{number}.d")
    ]
    with counting() as counter:
        found = [hosts.find(authority, 80) for authority, _ in asked]
    wrong = [
        authority
        for (authority, number), value in zip(asked, found, strict=True)
        if value != (None if authority.startswith(b"a.b.c") else number)
    ]
    assert wrong == []
    return counter.calls


def test_matching_a_host_does_not_get_slower_with_their_number() -> None:
    # With few hosts some are remembered, which is less work; never is it more with more of them.
    assert calls_of_lookups(10_000) <= calls_of_lookups(MAX_REMEMBERED + 500) * 1.05


def test_ten_thousand_are_served(stage: Stage) -> None:
    named = {0: "first", 5000: "middle", 9999: "last"}
    hosts: dict[str, Table] = {
        f"h{number}.test": {"node": named.get(number, f"app{number}"), "alias": f"w{number}.test"}
        for number in range(10_000)
    }
    stage.serve(vhosts=hosts)
    for name in named.values():
        stage.app(name, lambda request, name=name: name.encode())  # type: ignore[misc]
    client = stage.client()
    for number, name in named.items():
        for host in (f"h{number}.test", f"W{number}.TEST"):
            client.get(host=host)
            assert client.read_response().body == name.encode()
    client.get(host="h10000.test")
    assert client.read_response().status == 404
