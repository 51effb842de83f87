"""`strowger login` as a user has it: a terminal, a browser, and an issuer that is strict."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fakes.authority import Authority
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.issuer_kimi import KimiIssuer
from tests.integration.cli.conftest import Strowger
from tests.integration.cli.logins import DEADLINE, busy, check_no_secret, sent_to, started, stored

pytestmark = pytest.mark.usefixtures("login_ports")


# ---- the browser ----


def test_login_by_browser(codex: CodexIssuer, browser: Path, strowger: Strowger) -> None:
    """The page opens, the browser comes back, and the user sees whose login is kept where, and what to do next."""
    done = strowger("login", "codex")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith(f"{codex.base_url}/oauth/authorize?")
    parts = ("logged in to ChatGPT (Codex) as ann@example.test", codex.account.id, "pro", "in 9d 23h", str(stored()))
    assert [part for part in parts if part not in done.stderr] == []
    assert "OpenAI's terms apply" in done.stderr
    assert "You can close this window" in browser.read_text()
    kept = json.loads(stored().read_text())
    assert codex.accepts(kept["access_token"])
    assert kept["account_id"] == codex.account.id
    assert stat.S_IMODE(stored().stat().st_mode) == 0o600
    assert stat.S_IMODE(stored().parent.stat().st_mode) == 0o700
    check_no_secret(codex, done.stdout, done.stderr)
    (asked,) = [seen for seen in codex.requests if seen.path == "/oauth/authorize"]
    assert parse_qs(asked.query)["originator"] == ["strowger"]


def test_a_waiting_provider_is_named(codex: CodexIssuer, browser: Path, strowger: Strowger, tmp_path: Path) -> None:
    """Where the configuration already asks for this login, there is nothing to be written; else it is said what."""
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "strowger"
    folder.mkdir(parents=True)
    provider = 'dialect = "openai_responses"\nbase_url = "http://127.0.0.1:9/v1"\nauth = "login:codex/work"\n'
    (folder / "config.toml").write_text(f"[providers.office]\n{provider}")
    done = strowger("login", "codex", "--name", "work")
    assert done.returncode == 0
    assert "(codex/work)" in done.stderr
    assert "The provider `office` is ready" in done.stderr
    assert stored("codex.work").exists()
    done = strowger("login", "codex", "--name", "home")
    assert '[providers.codex-home]\n    preset = "codex"\n    auth = "login:codex/home"' in done.stderr


def test_a_new_login_takes_the_place_of_the_old(codex: CodexIssuer, browser: Path, strowger: Strowger) -> None:
    """Logging in again is no error."""
    tokens = []
    for _ in range(2):
        assert strowger("login", "codex").returncode == 0
        tokens.append(json.loads(stored().read_text())["access_token"])
    assert tokens[0] != tokens[1]


def test_a_no_is_a_no(codex: CodexIssuer, browser: Path, strowger: Strowger) -> None:
    """The browser and the terminal both say so, and nothing is kept."""
    codex.user = "denies"
    done = strowger("login", "codex")
    assert (done.returncode, "error: the login was denied" in done.stderr) == (1, True)
    assert "You are not logged in" in browser.read_text()
    assert not stored().exists()


def test_a_code_that_is_not_taken(codex: CodexIssuer, browser: Path, strowger: Strowger) -> None:
    """What the issuer says to the exchange is told on both, in words."""
    codex.fails("/oauth/token", 400, b'{"error":{"code":"invalid_grant","message":"no"}}')
    done = strowger("login", "codex")
    assert done.returncode == 1
    assert "does not take the code" in done.stderr
    assert "hint: start the login again" in done.stderr
    assert "does not take the code" in browser.read_text()
    assert not stored().exists()


def test_an_issuer_that_breaks(codex: CodexIssuer, browser: Path, strowger: Strowger) -> None:
    """A connection that is lost at the last step is told with its cause."""
    codex.loses = 1
    done = strowger("login", "codex")
    assert done.returncode == 1
    assert "error: ChatGPT (Codex) cannot be reached\n  because: " in done.stderr


def test_ctrl_c_leaves_nothing(codex: CodexIssuer) -> None:
    """Exit code 130, no login, and the port is free again."""
    with started("codex", "--no-browser") as (process, page):
        port = urlsplit(parse_qs(urlsplit(page).query)["redirect_uri"][0]).port or 0
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert "error" not in stderr
    assert list(stored().parent.glob("*")) == []
    with busy(port):
        assert not stored().exists()


def test_nobody_comes(codex: CodexIssuer, strowger: Strowger) -> None:
    """A login does not wait for ever."""
    done = strowger("login", "codex", "--no-browser", "--timeout", "1")
    assert (done.returncode, "nobody logged in within 1s" in done.stderr) == (1, True)


# ---- pasting ----


def test_pasting(codex: CodexIssuer) -> None:
    """The address that the browser could not show is pasted; no port is needed."""
    with busy(1455), busy(1457), started("codex", "--paste") as (process, page):
        _, stderr = process.communicate(f"\n{sent_to(page)}\n", timeout=DEADLINE)
    assert process.returncode == 0
    assert "copy the address" in stderr
    assert codex.accepts(json.loads(stored().read_text())["access_token"])


def test_nothing_is_pasted(codex: CodexIssuer, strowger: Strowger) -> None:
    """An end of the input is told as such."""
    with started("codex", "--paste") as (process, _):
        _, stderr = process.communicate("", timeout=DEADLINE)
    assert (process.returncode, "error: nothing was pasted" in stderr) == (1, True)


def test_pasting_is_given_up(codex: CodexIssuer) -> None:
    """Ctrl-C while the terminal waits for a line."""
    with started("codex", "--paste") as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
    assert not stored().exists()


# ---- device codes ----


def test_codex_device(codex: CodexIssuer, strowger: Strowger) -> None:
    """Page and code are on standard output; the rest goes by itself."""
    done = strowger("login", "codex", "--device")
    assert done.returncode == 0
    page, code = done.stdout.split()
    assert page == f"{codex.base_url}/codex/device"
    assert len(code) == 9
    assert codex.accepts(json.loads(stored().read_text())["access_token"])


def test_codex_device_is_not_allowed(codex: CodexIssuer, strowger: Strowger) -> None:
    """The account may have it switched off."""
    codex.devices = False
    done = strowger("login", "codex", "--device")
    assert (done.returncode, "does not allow logging in with a device code" in done.stderr) == (1, True)
    assert "log in with the browser" in done.stderr


def test_kimi_knows_devices_only(kimi: KimiIssuer, browser: Path, strowger: Strowger) -> None:
    """It is the device flow, whose page opens here; every login and refresh comes from the same device."""
    kimi.patience = 1
    for name in ("home", "work"):
        done = strowger("login", "kimi", "--name", name)
        assert (done.returncode, "Moonshot AI's terms apply" in done.stderr) == (0, True)
        assert "user_code=" in done.stdout
    assert len({seen.header("X-Msh-Device-Id") for seen in kimi.requests if seen.path.startswith("/api/")}) == 1
    assert {seen.header("X-Msh-Platform") for seen in kimi.requests if seen.path.startswith("/api/")} == {"strowger"}
    assert {grant.device for grant in kimi.grants} == {json.loads(stored("kimi.work").read_text())["device_id"]}
    assert kimi.count("/device") == 2


def test_kimi_is_denied_or_forgotten(kimi: KimiIssuer, strowger: Strowger) -> None:
    """A no, and a code that grew old, are told apart."""
    kimi.user = "denies"
    done = strowger("login", "kimi")
    assert (done.returncode, "error: the login was denied" in done.stderr) == (1, True)
    kimi.user, kimi.device_lifetime = "waits", 0.2
    done = strowger("login", "kimi")
    assert (done.returncode, "before the code expired" in done.stderr) == (1, True)
    assert "hint: start again: strowger login kimi" in done.stderr
    assert not stored("kimi").exists()


# ---- where it lies, and how it gets there ----


def test_the_keychain(
    codex: CodexIssuer, browser: Path, strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --keychain the file says only whose login it is; ending the login empties the keychain."""
    ring = tmp_path / "ring.json"
    (tmp_path / "ringing.py").write_text(_RING.replace("PATH", repr(str(ring))))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "ringing.Ring")
    done = strowger("login", "codex", "--keychain")
    assert (done.returncode, "the system's keychain" in done.stderr) == (0, True)
    check_no_secret(codex, stored().read_text())
    assert codex.grants[0].refresh in ring.read_text()
    assert "keychain" in strowger("auth", "status").stdout
    assert strowger("logout", "codex").returncode == 0
    assert json.loads(ring.read_text()) == {}
    assert codex.grants[0].end == "revoked"


_RING = """
import json, pathlib
from keyring.backend import KeyringBackend

path = pathlib.Path(PATH)

class Ring(KeyringBackend):
    priority = 1
    def _all(self):
        return json.loads(path.read_text()) if path.exists() else {}
    def get_password(self, service, username):
        return self._all().get(username)
    def set_password(self, service, username, password):
        path.write_text(json.dumps({**self._all(), username: password}))
    def delete_password(self, service, username):
        path.write_text(json.dumps({name: value for name, value in self._all().items() if name != username}))
"""


def test_no_keychain_is_told_first(
    codex: CodexIssuer, browser: Path, strowger: Strowger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody has to log in."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    done = strowger("login", "codex", "--keychain")
    assert (done.returncode, "there is no keychain here" in done.stderr) == (1, True)
    assert codex.requests == []


def test_over_tls(strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issuer's certificate is verified, against the bundle that the environment names."""
    authority = Authority()
    with CodexIssuer(tls=authority).in_thread() as issuer:
        issuer.interval = "0.05"
        monkeypatch.setenv("STROWGER_CODEX_ISSUER", issuer.base_url)
        untrusted = strowger("login", "codex", "--device")
        monkeypatch.setenv("SSL_CERT_FILE", authority.bundle(tmp_path))
        trusted = strowger("login", "codex", "--device")
    assert (untrusted.returncode, "certificate is not trusted" in untrusted.stderr) == (1, True)
    assert (trusted.returncode, stored().exists()) == (0, True)


def test_an_issuer_elsewhere_has_to_be_safe(strowger: Strowger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes and tokens do not go to another machine in the clear."""
    monkeypatch.setenv("STROWGER_CODEX_ISSUER", "http://auth.example.test")
    done = strowger("login", "codex")
    assert (done.returncode, "must be an https URL" in done.stderr) == (2, True)


def test_nobody_there(strowger: Strowger, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is told with its cause."""
    monkeypatch.setenv("STROWGER_KIMI_ISSUER", "http://127.0.0.1:9")
    done = strowger("login", "kimi")
    assert done.returncode == 1
    assert "error: Kimi Code cannot be reached\n  because: no connection to http://127.0.0.1:9" in done.stderr


def test_a_wrong_clock(codex: CodexIssuer, strowger: Strowger) -> None:
    """Tokens end by the issuer's clock: the user is told when this machine's is another."""
    codex.clock.forward(3700)
    done = strowger("login", "codex", "--device")
    assert done.returncode == 0
    assert "the clock of this machine is 1h 1m behind ChatGPT (Codex)'s" in done.stderr


# ---- wrong usage ----


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("codx",), "did you mean `codex`?"),
        (("chatgpt",), "did you mean `codex`?"),
        (("Kimi",), "did you mean `kimi`?"),
        (("copilot",), "there are `codex` and `kimi`"),
        (("claude",), "ANTHROPIC_API_KEY"),
        (("gemini",), "GEMINI_API_KEY"),
        (("codex", "--device", "--paste"), "exclude each other"),
        (("kimi", "--paste"), "there is no --paste"),
    ],
)
def test_wrong_usage(strowger: Strowger, arguments: tuple[str, ...], told: str) -> None:
    """Exit code 2, and what was probably meant."""
    done = strowger("login", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert not stored().parent.exists()
