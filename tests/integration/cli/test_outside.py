"""Commands in a company's network: logins go out by its proxy and with its authority; a wrong name for one is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.fakes.authority import Authority
from tests.fakes.issuer_codex import CodexIssuer
from tests.integration.cli.conftest import Strowger
from tests.integration.cli.logins import stored


def configure(text: str) -> None:
    """Write the user's configuration."""
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "strowger"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def test_a_login_trusts_whom_the_configuration_trusts(
    strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `ca_file` the issuer is not believed; with it the login is made, and ended."""
    authority = Authority()
    with CodexIssuer(tls=authority).in_thread() as issuer:
        issuer.interval = "0.05"
        monkeypatch.setenv("STROWGER_CODEX_ISSUER", issuer.base_url)
        untrusted = strowger("login", "codex", "--device")
        configure(f'[network]\nca_file = "{authority.bundle(tmp_path)}"\n')
        trusted = strowger("login", "codex", "--device")
        assert (untrusted.returncode, "ca_file" in untrusted.stderr) == (1, True)
        assert (trusted.returncode, stored().exists()) == (0, True)
        ended = strowger("logout", "codex")
    assert (ended.returncode, "could not be ended" in ended.stderr) == (0, False)
    assert "/oauth/revoke" in {seen.path for seen in issuer.requests}


def test_a_mistake_elsewhere_is_no_hindrance(codex: CodexIssuer, strowger: Strowger) -> None:
    """Who logs in may not have come to the rest of the file yet."""
    configure("[server]\nprot = 1\n")
    assert strowger("login", "codex", "--device").returncode == 0
    assert stored().exists()


@pytest.mark.parametrize(
    "arguments", [("serve", "--port", "0", "--demo"), ("run", "--demo", sys.executable, "--", "-V")]
)
def test_a_bundle_that_is_not_there(
    arguments: tuple[str, ...], strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is started: every call would fail, and look like the upstream's fault."""
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(tmp_path / "gone.pem"))
    done = strowger(*arguments)
    assert done.returncode == 2
    assert f"NODE_EXTRA_CA_CERTS leads to no certificates: {tmp_path}/gone.pem: no such file" in done.stderr
    assert "hint: it should name a file of one or more certificates in PEM form" in done.stderr


def test_a_proxy_that_is_none(strowger: Strowger) -> None:
    """The key is named, and its value is not repeated: it may hold a password."""
    configure('[network]\nproxy = "socks5://mary:secret-9b@proxy:1080"\n[providers.demo]\npreset = "demo"\n')
    done = strowger("serve", "--port", "0")
    assert done.returncode == 2
    assert "network.proxy names a proxy of a kind that is not supported: socks5" in done.stderr
    assert "secret-9b" not in done.stderr + strowger("config", "show").stdout
