"""Where the browser comes back to: what it answers, and to whom."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fakes.issuer_codex import CodexIssuer
from tests.integration.cli.conftest import Strowger
from tests.integration.cli.logins import DEADLINE, ask, busy, get, sent_to, started

pytestmark = pytest.mark.usefixtures("login_ports")


def test_strays_do_not_matter(codex: CodexIssuer, strowger: Strowger) -> None:
    """Icons, scanners, other sites and other logins are answered or dropped; then the right browser comes."""
    with started("codex", "--no-browser") as (process, page):
        back = sent_to(page)
        base = back.partition("/auth/callback")[0]
        port = urlsplit(back).port or 0
        idle = socket.create_connection(("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port)) as scanner:
            scanner.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert scanner.recv(100) == b""
        statuses = {
            "icon": ask(f"{base}/favicon.ico")[0],
            "too early": ask(f"{base}/success")[0],
            "another login": ask(back.replace("state=", "state=x"))[0],
            "no state": ask(f"{base}/auth/callback?code=evil")[0],
            "another site's name": ask(back, Host=f"evil.test:{port}")[0],
            "a preview": ask(back, "HEAD")[0],
            "a site that cancels": ask(f"{base}/cancel", Sec_Fetch_Site="cross-site")[0],
        }
        assert statuses == {
            "icon": 404,
            "too early": 404,
            "another login": 400,
            "no state": 400,
            "another site's name": 403,
            "a preview": 405,
            "a site that cancels": 404,
        }
        assert codex.count("/oauth/token") == 0
        assert ask(back) == (302, "/success")
        assert ask(back) == (302, "/success")  # a reload: the code is not used again
        status, shown = ask(f"{base}/success")
        assert (status, "You are logged in" in shown) == (200, True)
        idle.close()
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert stderr.count("warning: a browser came back from another login") == 2
    assert codex.count("/oauth/token") == 1


STRAYS = (
    b"",
    b"\r\n\r\n",
    b"\x00\xff" * 100 + b"\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /auth/callback?%ff%00[= HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n",
    b"GET /auth/callback?state=\xff HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"GET http://localhost:PORT/auth/callback HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"x" * 60_000,
)


def test_anything_may_come_in(codex: CodexIssuer) -> None:
    """Bytes that are no request, requests that are no callback, hang-ups, a crowd: the login stands it all."""
    with started("codex", "--no-browser") as (process, page):
        back = sent_to(page)
        port = urlsplit(back).port or 0
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        for stray in STRAYS:
            with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as caller:
                with suppress(ConnectionResetError, BrokenPipeError):  # it need not read all of it
                    caller.sendall(stray.replace(b"PORT", str(port).encode()))
                    caller.shutdown(socket.SHUT_WR)
                    assert not caller.recv(65536).startswith((b"HTTP/1.1 2", b"HTTP/1.1 3"))
        assert ask(back) == (302, "/success")
        for each in crowd:
            each.close()
        assert process.wait(DEADLINE) == 0


def test_pages_keep_to_themselves(codex: CodexIssuer) -> None:
    """A page loads nothing, is not stored, tells no referrer, and shows what it was given as text."""
    with started("codex", "--no-browser") as (process, page):
        back = sent_to(page)
        state = parse_qs(urlsplit(back).query)["state"][0]
        response, shown = get(f"{back.partition('?')[0]}?error=%3Cscript%3E&state={state}")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert (response.headers["cache-control"], response.headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert "<script" not in shown
        assert "src=" not in shown
        assert process.wait(DEADLINE) == 1


def test_another_program_may_take_over(codex: CodexIssuer) -> None:
    """Codex asks for the port by `/cancel`, as it does with a login of its own."""
    with started("codex", "--no-browser") as (process, page):
        redirect = parse_qs(urlsplit(page).query)["redirect_uri"][0]
        assert ask(redirect.replace("/auth/callback", "/cancel"))[0] == 200
        _, stderr = process.communicate(timeout=DEADLINE)
    assert (process.returncode, "another program ended this login" in stderr) == (1, True)


def test_the_second_port(codex: CodexIssuer, browser: Path, strowger: Strowger) -> None:
    """Where the first port is busy the second is taken; the issuer is told so in both requests."""
    with busy(1455):
        assert strowger("login", "codex").returncode == 0
    (asked,) = [seen for seen in codex.requests if seen.path == "/oauth/authorize"]
    assert parse_qs(asked.query)["redirect_uri"] == ["http://localhost:1457/auth/callback"]


def test_no_port(codex: CodexIssuer, browser: Path, strowger: Strowger) -> None:
    """Where both are busy there are other ways, which the hint names."""
    with busy(1455), busy(1457):
        done = strowger("login", "codex")
    assert done.returncode == 1
    assert "the ports 1455 and 1457 are in use" in done.stderr
    assert "--device or --paste" in done.stderr
    assert codex.requests == []
