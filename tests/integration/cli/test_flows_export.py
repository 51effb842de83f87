"""`strowger flows dump` and `export`: files for other programs, other people, and tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strowger.dialects.base import DecoderSetup
from strowger.gateway.app import DIALECTS
from strowger.ir.request import Text
from strowger.ir.response import fold
from tests.integration.cli.conftest import SECRET, Flows


def test_calls_become_a_har_file(flows: Flows, tmp_path: Path) -> None:
    """On standard output or in a file of the user's own; clean where that is asked for."""
    log = json.loads(flows("dump", "--where", "session:s-1")[1])["log"]
    assert [page["id"][-1] for page in log["pages"]] == ["1", "2", "3"]
    assert [entry["response"]["status"] for entry in log["entries"]] == [200, 200, 503, 503, 200, 200, 529]
    assert SECRET in json.dumps(log)
    target = tmp_path / "calls.har"
    code, out, err = flows("dump", "last", "--clean", "-o", str(target))
    assert (code, out, err) == (0, "", f"wrote 1 call to {target}\n")
    assert target.stat().st_mode & 0o777 == 0o600
    assert len(json.loads(target.read_text())["log"]["entries"]) == 2
    assert SECRET not in target.read_text()
    assert flows("dump", "--where", "model:none")[0] == 1
    nowhere = tmp_path / "none" / "calls.har"
    code, _, err = flows("dump", "-o", str(nowhere))
    assert (code, err) == (1, f"error: {nowhere} cannot be written: No such file or directory\n")


def test_a_page_has_nothing_secret(flows: Flows, tmp_path: Path) -> None:
    """Not in what was asked, nor in the pieces of the answer, nor in heads; what was found is told."""
    target = tmp_path / "calls.html"
    code, _, err = flows("export", "--html", "--where", "session:s-1", "-n", "9", "-o", str(target))
    assert code == 0
    assert "look at it before you send it" in err
    assert "credentials that were taken out: " in err
    page = target.read_text()
    assert "Zm9v" not in page
    assert "YmFy" not in page
    assert "anna" not in page
    assert page.count("<section") == 3
    assert "I am in ~; my key is sk-***." in page
    assert "It is sk-*** o&#x27;clock." in page
    assert "opus → p:big" in page
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_case_can_be_a_test(flows: Flows, tmp_path: Path) -> None:
    """Its request parses, its stream decodes; nothing secret is in it, also where the stream had it in pieces."""
    code, _, err = flows("export", "--case", "0000000000000001", "-o", str(tmp_path / "case"))
    assert code == 0
    assert "wrote request.json, client.json, stream.sse, notes.md to" in err
    dialect = DIALECTS["anthropic"]
    request = dialect.client.parse_request((tmp_path / "case" / "request.json").read_bytes())
    assert request.model == "big"
    decoder = dialect.upstream.decoder(DecoderSetup("anthropic", lambda prefix: prefix))
    stream = (tmp_path / "case" / "stream.sse").read_bytes()
    response = fold([*decoder.feed(stream), *decoder.close()])
    assert response.parts == (Text("It is sk-*** o'clock."),)
    every = b"".join(path.read_bytes() for path in (tmp_path / "case").iterdir())
    assert b"Zm9v" not in every
    assert b"anna" not in every


def test_what_is_exported_is_said(flows: Flows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name for it, it goes to where one is, under the call's own; `-` is standard output."""
    monkeypatch.chdir(tmp_path)
    assert flows("export")[0] == 2
    assert flows("export", "--case", "-n", "2")[0] == 2
    assert flows("export", "--html", "--where", "model:none")[0] == 1
    assert flows("export", "--html")[0] == 0
    assert (tmp_path / "strowger-00000000.html").is_file()
    assert flows("export", "--html", "-o", "-")[1].startswith("<!doctype html>")


def test_a_session_becomes_files(flows: Flows, tmp_path: Path) -> None:
    """A directory for each call in their order, a file for each message, clean like all that is given away."""
    code, out, _ = flows("export", "--traffic", "s-", str(tmp_path / "traffic"))
    assert code == 0
    assert [Path(line).name[:4] for line in out.splitlines()] == ["0001", "0002", "0003"]
    written = sorted(path for path in (tmp_path / "traffic").rglob("*") if path.is_file())
    assert not [path for path in written if b"Zm9v" in path.read_bytes() or b"anna" in path.read_bytes()]
    events = next(path for path in written if path.name.endswith("upstream-response-0.events.jsonl"))
    moments = [json.loads(line)["at_ms"] for line in events.read_text().splitlines()]
    assert len(moments) == 7
    assert moments == sorted(set(moments))
    assert flows("export", "--traffic", "none", str(tmp_path))[0] == 1
    assert flows("export", "--traffic", "s-1")[0] == 2


def test_a_session_that_there_is_not(flows: Flows, tmp_path: Path) -> None:
    """It is named, and who lists them."""
    code, _, err = flows("export", "--traffic", "nobody", str(tmp_path / "out"))
    assert (code, "there is no session nobody" in err) == (1, True)
    assert not (tmp_path / "out").exists()
