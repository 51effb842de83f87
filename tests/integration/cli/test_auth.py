"""`strowger logout`, `auth status` and `auth import`: what there is, its end, and copies. Never a token."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from strowger.auth.issuers import Holder
from strowger.auth.oauth import Tokens
from strowger.auth.stores import Login, LoginStore
from strowger.config.references import Secret
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.issuer_kimi import KimiIssuer
from tests.integration.cli.conftest import Strowger
from tests.integration.cli.logins import DEADLINE, check_no_secret, stored

HOUR = 3600.0


def keep(
    codex: CodexIssuer, name: str = "", *, left: float = HOUR, renewed: float = 0.0, refresh: bool = True
) -> dict[str, str]:
    """A login in our store; `left` and `renewed` are seconds from now. Gives its tokens."""
    granted, now = codex.login(), time.time()
    tokens = Tokens(
        Secret(granted["access_token"]), Secret(granted["refresh_token"]) if refresh else None, expires_at=now + left
    )
    holder = Holder(account_id="acc-1", email="ann@example.test", plan="pro")
    login = Login("codex", tokens, name, holder, obtained_at=now - 5 * HOUR, refreshed_at=now + renewed)
    LoginStore(os.environ).save(login)
    return granted


def codex_has(folder: Path, granted: dict[str, str]) -> Path:
    """Codex's own file with these tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "auth.json"
    tokens = {name: granted[name] for name in ("id_token", "access_token", "refresh_token")}
    file.write_text(json.dumps({"tokens": {**tokens, "account_id": "acc-2"}, "last_refresh": "2026-11-20T00:00:00Z"}))
    return file


# ---- status ----


def test_no_login(strowger: Strowger) -> None:
    """Exit code 1, and how to get one; JSON says the same without words."""
    done = strowger("auth", "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert "`strowger login codex`" in done.stderr
    done = strowger("auth", "status", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"logins": []})


def test_every_login_is_listed(codex: CodexIssuer, strowger: Strowger) -> None:
    """Whose it is, until when, how it is and where; what cannot be read is told, with what to do."""
    keep(codex, renewed=-HOUR)
    keep(codex, "old", left=-HOUR)
    keep(codex, "gone", left=-HOUR, refresh=False)
    keep(codex, "open")
    stored("codex.open").chmod(0o644)
    stored("kimi").write_text("{}")
    stored("kimi").chmod(0o600)
    done = strowger("auth", "status")
    assert done.returncode == 0
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert list(lines) == ["LOGIN", "codex", "codex/gone", "codex/old", "codex/open", "kimi"]
    parts = ("ann@example.test", "pro", "in 59m", "  ok  ", "1h 0m ago", str(stored()))
    assert [part for part in parts if part not in lines["codex"]] == []
    assert "expired, is renewed when used" in lines["codex/old"]
    assert "login needed" in lines["codex/gone"]
    assert "unreadable" in lines["codex/open"]
    assert "login needed" in lines["kimi"]
    assert f"warning: codex/open: the file {stored('codex.open')} is not trusted" in done.stderr
    assert "strowger login kimi" in done.stderr
    told = strowger("auth", "status", "--json")
    logins = {(login["issuer"], login["name"]): login for login in json.loads(told.stdout)["logins"]}
    assert [logins["codex", name]["state"] for name in ("", "old", "gone", "open")] == [
        "ok",
        "expired",
        "login_needed",
        "unreadable",
    ]
    first = logins["codex", ""]
    assert (first["account_id"], first["plan"], first["storage"], first["renewable"]) == ("acc-1", "pro", "file", True)
    assert first["expires_at"].endswith("Z")
    check_no_secret(codex, done.stdout, done.stderr, told.stdout, told.stderr)


def test_logins_of_which_none_is_any_good(codex: CodexIssuer, strowger: Strowger) -> None:
    """Exit code 1: a script that asks wants to know whether somebody is logged in."""
    keep(codex, "open")
    stored("codex.open").chmod(0o644)
    keep(codex, "gone", left=-HOUR, refresh=False)
    assert strowger("auth", "status").returncode == 1
    assert strowger("auth", "status", "--json").returncode == 1
    keep(codex, "old", left=-HOUR)
    assert strowger("auth", "status").returncode == 0


def test_logins_are_put_to_the_test(codex: CodexIssuer, strowger: Strowger) -> None:
    """With --check what is due is renewed, once; what the issuer takes no more needs a login."""
    keep(codex, "due", left=60)
    keep(codex, "good")
    keep(codex, "dead", left=-HOUR)
    codex.grants[2].end = "expired"
    done = strowger("auth", "status", "--check")
    assert done.returncode == 0
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "  ok  " in lines["codex/due"]
    assert "in 9d 23h" in lines["codex/due"]
    assert re.search(r" \d+s ago ", lines["codex/due"])
    assert "  ok  " in lines["codex/good"]
    assert "login needed" in lines["codex/dead"]
    assert "(strowger login codex --name dead)" in done.stderr
    assert codex.count("/oauth/token") == 2
    check_no_secret(codex, done.stdout, done.stderr)


def test_an_issuer_that_cannot_answer_ends_nothing(
    codex: CodexIssuer, strowger: Strowger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --check a login that cannot be renewed now is told of, and stays what it is."""
    keep(codex, left=-HOUR)
    codex.fails("/oauth/token", 503, times=9)
    done = strowger("auth", "status", "--check")
    assert (done.returncode, "expired, is renewed when used" in done.stdout) == (0, True)
    assert "warning: codex: the issuer cannot answer now (HTTP 503)\n" in done.stderr


# ---- logout ----


def test_logout_ends_it_everywhere(codex: CodexIssuer, strowger: Strowger) -> None:
    """At the issuer and here; another login stays."""
    keep(codex)
    keep(codex, "work")
    done = strowger("logout", "codex")
    assert (done.returncode, done.stdout) == (0, "")
    assert "logged out of ChatGPT (Codex)" in done.stderr
    assert "warning" not in done.stderr
    assert [grant.end for grant in codex.grants] == ["revoked", ""]
    assert (stored().exists(), stored("codex.work").exists()) == (False, True)
    assert strowger("logout", "codex", "--name", "work").returncode == 0
    assert codex.grants[1].end == "revoked"


@pytest.mark.parametrize("trouble", ["refuses", "hangs up", "is not there"])
def test_logout_does_not_depend_on_the_issuer(
    codex: CodexIssuer, strowger: Strowger, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Where the issuer does not end it, it is gone here all the same, and the user is told."""
    keep(codex)
    if trouble == "is not there":
        monkeypatch.setenv("STROWGER_CODEX_ISSUER", "http://127.0.0.1:9")
    else:
        codex.fails("/oauth/revoke", 500 if trouble == "refuses" else 0)
    done = strowger("logout", "codex")
    assert done.returncode == 0
    assert "warning: it could not be ended at ChatGPT (Codex), where it goes on until it runs out" in done.stderr
    assert not stored().exists()
    check_no_secret(codex, done.stderr)


def test_kimi_cannot_be_ended_there(kimi: KimiIssuer, strowger: Strowger) -> None:
    """An issuer that offers no such thing is told of."""
    LoginStore(os.environ).save(Login("kimi", Tokens(Secret("at"), Secret("rt"))))
    done = strowger("logout", "kimi")
    assert (done.returncode, "offers no way to end it there" in done.stderr) == (0, True)
    assert (stored("kimi").exists(), kimi.requests) == (False, [])


def test_a_login_that_nobody_understands(codex: CodexIssuer, strowger: Strowger) -> None:
    """It can be taken away all the same."""
    keep(codex)
    stored().write_text("{broken")
    done = strowger("logout", "codex")
    assert (done.returncode, "it was not ended at ChatGPT (Codex)" in done.stderr) == (0, True)
    assert not stored().exists()


def test_a_shared_login_stays_with_codex(
    codex: CodexIssuer, strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of Codex's login is not revoked: that would log Codex out."""
    codex_has(tmp_path / "codex", keep(codex))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    done = strowger("logout", "codex")
    assert (done.returncode, "Codex uses the same login" in done.stderr) == (0, True)
    assert (codex.grants[0].end, codex.count("/oauth/revoke"), stored().exists()) == ("", 0, False)


def test_nothing_to_log_out_of(codex: CodexIssuer, strowger: Strowger) -> None:
    """An error, with what was probably meant."""
    done = strowger("logout", "codex")
    assert (done.returncode, done.stderr) == (1, "error: there is no login for codex\n")
    keep(codex, "work")
    done = strowger("logout", "codex", "--name", "wrk")
    assert (done.returncode, "did you mean `codex/work`?" in done.stderr) == (1, True)


def test_an_unknown_issuer(strowger: Strowger) -> None:
    """As for `login`."""
    done = strowger("logout", "codx")
    assert (done.returncode, "did you mean `codex`?" in done.stderr) == (2, True)


# ---- import ----


@pytest.mark.parametrize("how", ["CODEX_HOME", "home", "--from"])
def test_import(
    codex: CodexIssuer, strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Codex's login is copied after a warning; its file is not touched, and nothing is asked of the issuer."""
    granted = codex.login()
    file = codex_has(Path(os.environ["HOME"]) / ".codex" if how == "home" else tmp_path, granted)
    if how == "CODEX_HOME":
        monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    before, stamp = file.read_bytes(), file.stat()
    done = strowger("auth", "import", "codex", "--yes", *(("--from", str(file)) if how == "--from" else ()))
    assert done.returncode == 0
    assert "share one refresh token" in done.stderr
    assert "logged in to ChatGPT (Codex) as ann@example.test" in done.stderr
    kept = json.loads(stored().read_text())
    assert {name: kept[name] for name in ("access_token", "refresh_token", "id_token")} == {
        name: granted[name] for name in ("access_token", "refresh_token", "id_token")
    }
    assert kept["account_id"] == codex.account.id
    after = file.stat()
    assert file.read_bytes() == before
    assert (after.st_mtime_ns, after.st_mode, after.st_ino) == (stamp.st_mtime_ns, stamp.st_mode, stamp.st_ino)
    assert codex.requests == []
    check_no_secret(codex, done.stdout, done.stderr)


def test_import_asks(codex: CodexIssuer, strowger: Strowger, tmp_path: Path) -> None:
    """Where nobody can be asked, --yes has to be said."""
    file = codex_has(tmp_path, codex.login())
    command = (sys.executable, "-m", "strowger", "auth", "import", "codex", "--from", str(file))
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert (done.returncode, "say --yes" in done.stderr) == (2, True)
    assert not stored().exists()


@pytest.mark.parametrize("answer, code", [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_import_takes_a_no(codex: CodexIssuer, tmp_path: Path, answer: bytes, code: int) -> None:
    """On a terminal the user is asked, and a no, or nothing, is a no."""
    file = codex_has(tmp_path, codex.login())
    command = (sys.executable, "-m", "strowger", "auth", "import", "codex", "--from", str(file))
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"Copy it all the same?" not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, answer)
        with suppress(OSError):  # how Linux tells that the other side has gone
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        assert process.wait(DEADLINE) == code
    assert stored().exists() is (code == 0)
    assert (b"nothing was copied" in shown) is (code == 1)


def test_nothing_to_import(strowger: Strowger) -> None:
    """No file, and no other program."""
    done = strowger("auth", "import", "codex", "--yes")
    assert (done.returncode, "there is no login of Codex at" in done.stderr) == (1, True)
    assert strowger("auth", "import", "claude", "--yes").returncode == 2
