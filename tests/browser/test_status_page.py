"""The status page in a real browser: live, honest when the server is gone, usable by keyboard and on a phone.
Needs Debian's `chromium`. With BLASTBEAT_SCREENSHOTS set to a folder, pictures of it are left there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.helpers.server import RunningServer
from tests.helpers.settings import HOST, VHOST_DEFAULTS, Table
from tests.helpers.stage import Stage
from tests.helpers.tls import authority

pytestmark = [pytest.mark.debian, pytest.mark.timeout(60)]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    profile = tmp_path / "profile"
    profile.mkdir()
    with Chromium(profile) as browser:
        yield browser


def serve(stage: Stage, **vhosts: Table) -> RunningServer:
    hosts: dict[str, Table] = {HOST: {**VHOST_DEFAULTS, "alias": ["www.app.test"]}, **vhosts}
    return stage.serve({"stats-bind": "127.0.0.1:0", "ping-freq": 0.1}, vhosts=hosts)


def url(server: RunningServer) -> str:
    return f"http://{server.server.monitoring.address}/"


def open_page(browser: Chromium, server: RunningServer) -> None:
    browser.open(url(server))
    browser.wait_for('document.querySelectorAll("#virtualhosts tbody tr").length > 0')


def text(browser: Chromium, selector: str) -> str:
    found: str = browser.evaluate(f"document.querySelector({selector!r}).innerText")
    return found


def names(browser: Chromium) -> list[str]:
    script = '[...document.querySelectorAll("#virtualhosts tbody th")].map((c) => c.firstChild.textContent)'
    found: list[str] = browser.evaluate(script)
    return found


def keep_picture(browser: Chromium, name: str) -> None:
    picture = browser.screenshot()
    assert picture.startswith(b"\x89PNG")
    folder = os.environ.get("BLASTBEAT_SCREENSHOTS")
    if folder:
        Path(folder, f"{name}.png").write_bytes(picture)


def test_a_certificate_that_expires_soon_is_noticed(stage: Stage, browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "soon.pem"
    until = datetime.now(UTC) + timedelta(days=20, hours=12)
    authority().issue_cert(HOST, not_after=until).private_key_and_cert_chain_pem.write_to_path(path)
    tables = {"bind-ssl": "127.0.0.1:0", "certificate": str(path), "stats-bind": "127.0.0.1:0"}
    open_page(browser, stage.serve(tables))
    assert f"The certificate {path} expires in 20 days." in text(browser, "#notices")


def test_it_follows_what_happens(stage: Stage, browser: Chromium) -> None:
    """A node comes, a request passes, the node falls silent; nobody touches the page."""
    server = serve(stage)
    open_page(browser, server)
    assert text(browser, "#notices") == f"Without an available node: {HOST}"
    assert browser.evaluate("document.title") == "(!) BlastBeat"
    node, client = stage.node(), stage.client()
    client.get()
    sid = node.expect_request().sid
    node.respond(sid, b"ok")
    client.read_response()
    client.close()
    browser.wait_for('document.querySelector("#virtualhosts tbody").innerText.includes("\\t1\\t")')
    browser.wait_for('document.querySelector("#nodes .silent")')  # it answers pings only while it listens
    assert "not heard from for" in text(browser, "#nodes") and f"for {HOST}" in text(browser, "#nodes")
    node.pong()
    server.wait_counter("nodes.up", 2)
    assert text(browser, "#freshness").startswith("as of ")
    keep_picture(browser, "status")


def test_it_says_since_when_it_is_stale(stage: Stage, browser: Chromium) -> None:
    server = serve(stage)
    open_page(browser, server)
    browser.wait_for('document.getElementById("freshness").textContent.startsWith("as of")')
    server.server.stop()
    server.join()
    browser.wait_for('document.body.classList.contains("stale")')
    assert text(browser, "#freshness").startswith("stale since ")
    assert names(browser) == [HOST]  # what was known last stays
    keep_picture(browser, "status-stale")


def test_many_virtualhosts_are_filtered_and_sorted(stage: Stage, browser: Chromium) -> None:
    server = serve(stage, **{f"site{number}.test": {"node": ["app"]} for number in range(600)})
    server.server.counters.tallies.of("site7.test").answers[5] = 42
    open_page(browser, server)
    assert len(names(browser)) == 500
    assert "the first 500 of 601" in text(browser, "#virtualhosts-count")
    browser.evaluate('const box = document.getElementById("search"); box.value = "SITE59"')
    browser.evaluate('document.getElementById("search").dispatchEvent(new Event("input"))')
    browser.wait_for('document.querySelectorAll("#virtualhosts tbody tr").length === 11')
    assert names(browser)[0] == "site59.test"
    assert "11 that match, of 601" in text(browser, "#virtualhosts-count")
    browser.evaluate('document.getElementById("search").value = "site"; refresh()')
    browser.wait_for('document.querySelectorAll("#virtualhosts tbody tr").length > 11')
    buttons = '[...document.querySelectorAll("#virtualhosts thead button")]'
    script = f'{buttons}.find((b) => b.innerText === "5xx").click()'
    browser.evaluate(script)
    assert names(browser)[0] == "site7.test"
    assert browser.evaluate('document.querySelector("#virtualhosts [aria-sort]").innerText') == "5xx"
    browser.evaluate(script)
    assert names(browser)[0] != "site7.test"


def test_what_a_node_says_is_only_text(stage: Stage, browser: Chromium) -> None:
    server = serve(stage)
    server.server.counters.tallies.of(HOST).hit("<img src=x onerror=document.title=1>")
    open_page(browser, server)
    assert "<img src=x" in text(browser, "#limits")
    assert browser.evaluate('document.querySelectorAll("main img").length') == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_and_can_be_read(stage: Stage, browser: Chromium, scheme: str) -> None:
    """Contrast as WCAG 2 AA asks for, 4.5 to 1, wherever there is text."""
    server = serve(stage, **{"down.test": {"node": ["away"]}})
    stage.node()
    open_page(browser, server)
    browser.prefer(scheme)
    for width in (320, 390, 768, 1400):
        browser.resize(width, 1400)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        keep_picture(browser, f"status-{scheme}-{width}")
    assert browser.evaluate(LOW_CONTRAST) == []


def test_it_has_names_for_who_does_not_see_it(stage: Stage, browser: Chromium) -> None:
    open_page(browser, serve(stage))
    unnamed = """[...document.querySelectorAll("input, [role=region], section")].filter((e) =>
        !(e.labels?.length || e.getAttribute("aria-label")
          || document.getElementById(e.getAttribute("aria-labelledby")))).length"""
    assert browser.evaluate(unnamed) == 0
    assert browser.evaluate('document.querySelectorAll("thead th:not([scope=col])").length') == 0
    assert browser.evaluate('document.querySelectorAll("tbody th:not([scope=row])").length') == 0
    assert browser.evaluate('document.getElementById("freshness").getAttribute("role")') == "status"
    assert browser.evaluate('document.querySelectorAll("html[lang]").length') == 1


LOW_CONTRAST = """(() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const paper = (e) => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } };
  const light = (c) => { const [r, g, b] = c.map((v) => v / 255).map((v) =>
    v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
      && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).map((e) => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(paper(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.innerText]; }).filter(([ratio]) => ratio < 4.5);
})()"""
