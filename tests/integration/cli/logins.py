"""Logging in from the outside: what a browser does, what is stored, and what must not be shown."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.fakes.issuer import FakeIssuer

DEADLINE = 100.0


def stored(name: str = "codex") -> Path:
    """Where a login is kept."""
    return Path(os.environ["XDG_STATE_HOME"]) / "strowger" / "logins" / f"{name}.json"


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A login that waits, and the address that it printed."""
    command = (sys.executable, "-m", "strowger", "login", *arguments)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def sent_to(page: str) -> str:
    """Where the issuer's page sends the browser, which does not go there."""
    parts = urlsplit(page)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=DEADLINE)) as connection:
        connection.request("GET", f"{parts.path}?{parts.query}")
        return connection.getresponse().headers["location"]


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and page of one request to the listener, or where it leads."""
    response, body = get(url, method, **headers)
    return response.status, response.headers["location"] or body


def get(url: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, str]:
    """One request to the listener: its answer, and the page."""
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection("127.0.0.1", parts.port, timeout=DEADLINE)) as connection:
        headers = {"Host": parts.netloc, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request(method, f"{parts.path}?{parts.query}", headers=headers)
        response = connection.getresponse()
        return response, response.read().decode()


def check_no_secret(issuer: FakeIssuer, *printed: str) -> None:
    """No token that the issuer ever gave is in what was printed."""
    tokens = [token for grant in issuer.grants for token in (grant.refresh, *grant.spent, *grant.access)]
    assert tokens
    assert [token for token in tokens for text in printed if token in text] == []


@contextmanager
def busy(port: int) -> Iterator[None]:
    """Somebody else has the port."""
    with socket.create_server(("127.0.0.1", port)):
        yield
