"""Error pages: which files are read, what they are, and everything that may be wrong with one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blastbeat.config.model import Config, ErrorPage, Origin, RouteConfig, VirtualHostConfig
from blastbeat.errors import ConfigError
from blastbeat.pages import MAX_PAGE_SIZE, NO_PAGES, Page, find_page_problems, load_pages


def page(folder: Path, name: str, body: bytes = b"<p>busy") -> str:
    path = folder / name
    path.write_bytes(body)
    return str(path)


def with_pages(*pages: ErrorPage, offline: str = "", **more: object) -> VirtualHostConfig:
    return VirtualHostConfig("a.test", error_pages=pages, offline=offline, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("busy.html", b"<p>b\xc3\xbcsy", b"text/html; charset=utf-8"),
        ("busy.HTM", b"busy", b"text/html; charset=utf-8"),
        ("latin.html", b"b\xfcsy", b"text/html"),
        ("busy.txt", b"", b"text/plain; charset=utf-8"),
        ("busy.json", b"{}", b"application/json"),
        ("busy.xml", b"<x/>", b"text/xml; charset=utf-8"),
        ("busy.svg", b"<svg/>", b"image/svg+xml"),
    ],
)
def test_the_name_says_what_it_is(tmp_path: Path, name: str, body: bytes, expected: bytes) -> None:
    config = with_pages(ErrorPage(503, page(tmp_path, name, body)))
    assert load_pages(Config(virtualhosts=(config,))).of(config).by_status == {503: Page(expected, body)}


def test_without_any_there_is_nothing_to_read() -> None:
    config = with_pages()
    assert load_pages(Config(virtualhosts=(config,))).of(config) is NO_PAGES and not NO_PAGES


def test_routes_and_the_server_have_pages_of_their_own(tmp_path: Path) -> None:
    shared, own = page(tmp_path, "shared.html"), page(tmp_path, "own.html", b"own")
    route = RouteConfig("/api", with_pages(offline=own))
    host = with_pages(ErrorPage(502, shared), routes=(route,))
    defaults = with_pages(ErrorPage(404, shared))
    table = load_pages(Config(virtualhosts=(host,), defaults=defaults))
    assert table.of(route.policy).offline == Page(b"text/html; charset=utf-8", b"own")
    assert set(table.of(host).by_status) == {502} and table.of(host).offline is None
    assert table.of(defaults).by_status[404] is table.of(host).by_status[502], "a file is read once"


def test_one_byte_too_long(tmp_path: Path) -> None:
    good = with_pages(offline=page(tmp_path, "good.txt", b"x" * MAX_PAGE_SIZE))
    assert find_page_problems(Config(virtualhosts=(good,))) == []
    bad = with_pages(offline=page(tmp_path, "bad.txt", b"x" * (MAX_PAGE_SIZE + 1)))
    (problem,) = find_page_problems(Config(virtualhosts=(bad,)))
    assert problem.message == "the page is longer than 1 MiB" and problem.key == "offline"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.html", "the page cannot be read: No such file or directory"),
        ("folder", "it is no file"),
        ("pipe", "it is no file"),
        ("busy", "its name does not tell what it is; it must end in .html, .txt, .json or the like"),
        ("busy.html.gz", "its name does not tell what it is; it must end in .html, .txt, .json or the like"),
    ],
)
def test_what_is_no_page(tmp_path: Path, name: str, message: str) -> None:
    """A pipe that nobody writes to is not waited for."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    page(tmp_path, "busy")
    page(tmp_path, "busy.html.gz")
    config = with_pages(ErrorPage(503, str(tmp_path / name)))
    (problem,) = find_page_problems(Config(virtualhosts=(config,)))
    assert (problem.message, problem.key) == (message, "error-page")
    assert problem.value == str(tmp_path / name)


def test_a_problem_is_told_once_and_where_it_was_written(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.html")
    inherited = {"offline": Origin("server.toml", 3, "blastbeat")}
    hosts = tuple(
        with_pages(offline=missing, origins=inherited, memory=number, file="hosts.toml", line=number)
        for number in range(3)
    )
    other = with_pages(ErrorPage(502, missing), file="hosts.toml", line=9, section='vhost."a.test"')
    with pytest.raises(ConfigError) as caught:
        load_pages(Config(virtualhosts=(*hosts, other)))
    first, second = caught.value.problems
    assert (first.file, first.line, first.section, first.key) == ("server.toml", 3, "blastbeat", "offline")
    assert (second.file, second.line, second.key) == ("hosts.toml", 9, "error-page")


def test_a_status_has_one_page(tmp_path: Path) -> None:
    file = page(tmp_path, "busy.html")
    config = with_pages(ErrorPage(503, file), ErrorPage(502, file), ErrorPage(503, f"{file}2"))
    (problem,) = find_page_problems(Config(virtualhosts=(config,)))
    assert problem.message == f"503 has a page already: {file}" and problem.value == f"503 {file}2"
