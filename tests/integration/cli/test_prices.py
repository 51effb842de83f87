"""`strowger prices`: the lists there are, and fetching one."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strowger.cli import main
from strowger.routing.pricelists import packaged

Run = Callable[..., tuple[int, str, str]]

OPUS = {
    "litellm_provider": "anthropic",
    "mode": "chat",
    "input_cost_per_token": 3e-06,
    "output_cost_per_token": 2e-05,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without anything."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("STROWGER_CONFIG", raising=False)
    (tmp_path / "strowger").mkdir()
    return tmp_path / "strowger"


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `strowger prices`: exit code, output, errors."""

    def ran(*arguments: str) -> tuple[int, str, str]:
        code = main.run(("prices", *arguments))
        return code, *capfd.readouterr()

    return ran


class Host:
    """A web server that answers everything with one body, and counts."""

    def __init__(self, status: int, body: bytes) -> None:
        host = self
        self.asked = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked += 1
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/prices.json"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


Serve = Callable[[int, bytes], Host]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts web servers."""
    hosts: list[Host] = []

    def started(status: int, body: bytes) -> Host:
        hosts.append(Host(status, body))
        return hosts[-1]

    yield started
    for host in hosts:
        host.server.shutdown()
        host.server.server_close()


def test_the_packaged_list(run: Run) -> None:
    """Without anything the packaged prices are shown, with the day on which they were read."""
    code, told, _ = run()
    assert code == 0
    assert told.splitlines()[0].split()[:3] == ["MODEL", "INPUT", "OUTPUT"]
    assert f"packaged: read on {packaged().read}" in told


def test_one_model(run: Run) -> None:
    """A model is found by the name that a provider has for it, with its long prompts; an unknown one is not."""
    code, told, _ = run("list", "gpt-6-sol-2026-09-22")
    lines = told.splitlines()
    assert code == 0
    assert lines[1].split()[:3] == ["gpt-6-sol", "2", "10"]
    assert lines[2].split()[:4] == ["above", "272,000", "tokens", "4"]
    code, told, _ = run("list", "--json", "claude-opus-5-5")
    (price,) = json.loads(told)["prices"]
    assert (price["from"], price["input"], price["cache_write_1h"]) == ("packaged", 4, 8)
    code, _, errors = run("list", "unheard-of")
    assert code == 1
    assert "prices.toml" in errors


def test_the_users_own_list(run: Run, home: Path) -> None:
    """What the user writes is shown, and a mistake in it is told with its place."""
    (home / "prices.toml").write_text('[[prices]]\nmodel = "house-*"\ninput = 1\noutput = 2\n')
    code, told, _ = run("list", "house-7b")
    assert (code, told.splitlines()[1].split()) == (0, ["house-*", "1", "2", "-", "-", "-", "-", "own"])
    (home / "prices.toml").write_text('[[prices]]\nmodel = "house-*"\ninput = 1\n')
    code, _, errors = run("list")
    assert code == 2
    assert "prices.toml" in errors


def test_fetching_a_list(run: Run, serve: Serve, home: Path) -> None:
    """It is fetched when asked for; what changes is shown, and from then on it goes before the packaged one."""
    host = serve(200, json.dumps({"claude-opus-5-5": OPUS, "claude-opus-77": OPUS, "x": 3}).encode())
    assert run("list")[0] == 0
    assert host.asked == 0
    code, told, _ = run("update", "--from", host.url, "--dry-run")
    assert (code, host.asked, (home / "prices.json").exists()) == (0, 1, False)
    assert "claude-opus-5-5: input 4 → 3" in told
    code, told, _ = run("update", "--from", host.url)
    assert (code, "2 models, 1 change" in told) == (0, True)
    code, told, _ = run("list", "--json", "claude-opus-5-5")
    assert [(price["from"], price["input"]) for price in json.loads(told)["prices"]] == [
        ("fetched", 3),
        ("packaged", 4),
    ]
    code, told, _ = run("update", "--from", host.url)
    assert "2 models, 0 changes" in told
    assert sorted(path.name for path in home.iterdir()) == ["prices.json"]


@pytest.mark.parametrize(
    "status, body, word",
    [
        (404, b"not here", "answered 404"),
        (200, b"<html>log in to the company's network</html>", "no price table"),
        (200, b'{"claude-opus-5-5": {"litellm_provider": "anthropic"', "no price table"),
        (200, b"{}", "no model"),
    ],
)
def test_what_cannot_be_used_changes_nothing(
    run: Run, serve: Serve, home: Path, status: int, body: bytes, word: str
) -> None:
    """A missing list, a proxy's page, half a file: an error, and the list that was there stays."""
    (home / "prices.json").write_text('{"read": "2026-01-01"}')
    code, _, errors = run("update", "--from", serve(status, body).url)
    assert code != 0
    assert word in errors
    assert (home / "prices.json").read_text() == '{"read": "2026-01-01"}'


def test_from_a_file_and_over_a_broken_one(run: Run, home: Path, tmp_path: Path) -> None:
    """A file does as well, also one of ours; a fetched list that is broken is mended by fetching one."""
    (home / "prices.json").write_text("{")
    assert run("list")[0] == 2
    ours = tmp_path / "ours.json"
    ours.write_text('{"vendors": [{"vendor": "us", "prices": [{"model": "m", "input": 1, "output": 1}]}]}')
    assert run("update", "--from", str(ours))[0] == 0
    assert run("list", "m")[0] == 0
    code, _, errors = run("update", "--from", str(tmp_path / "none.json"))
    assert code != 0
    assert "none.json" in errors
    ours.write_text('{"vendors": [{"vendor": "us", "prices": [{"model": "m", "input": -1, "output": 1}]}]}')
    assert run("update", "--from", str(ours))[0] != 0
    assert run("list", "m")[0] == 0
