"""Reading the login of Codex: what it may look like, and what is said when it is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strowger.auth.codex_file import codex_file, read_codex_file
from strowger.errors import CredentialError
from tests.fakes.issuer_codex import CodexIssuer

SECRET = "planted-secret-0123456789"


def written(tmp_path: Path, content: object) -> Path:
    """A file with this in it."""
    path = tmp_path / "auth.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_where_it_is(tmp_path: Path) -> None:
    """In $CODEX_HOME, else in the home directory."""
    assert codex_file({"CODEX_HOME": str(tmp_path)}) == tmp_path / "auth.json"
    assert codex_file({}) == Path.home() / ".codex" / "auth.json"


def test_a_login(tmp_path: Path) -> None:
    """All tokens, the account, when they were renewed last, and how long they live by their own words."""
    issuer = CodexIssuer(at=1_795_262_400.0)
    login = issuer.login()
    tokens = {name: login[name] for name in ("id_token", "access_token", "refresh_token")}
    file = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {**tokens, "account_id": "acc"},
        "last_refresh": "2026-11-21T12:00:00.123456Z",
        "something": {"new": True},
    }
    copied = read_codex_file(written(tmp_path, file))
    assert copied.tokens.access.reveal() == tokens["access_token"]
    assert copied.tokens.refresh is not None
    assert copied.tokens.refresh.reveal() == tokens["refresh_token"]
    assert (copied.tokens.expires_at, copied.tokens.lifetime) == (1_795_262_400.0 + issuer.lifetime, issuer.lifetime)
    assert (copied.account_id, int(copied.refreshed_at)) == ("acc", 1_795_262_400)


def test_little_is_needed(tmp_path: Path) -> None:
    """An access token alone is a login, for as long as it lasts."""
    copied = read_codex_file(written(tmp_path, {"tokens": {"access_token": SECRET}, "last_refresh": "yesterday"}))
    assert (copied.tokens.refresh, copied.tokens.expires_at, copied.refreshed_at) == (None, None, 0.0)


@pytest.mark.parametrize(
    "content, told",
    [
        ({"OPENAI_API_KEY": SECRET}, "an API key, and no login"),
        ({"OPENAI_API_KEY": SECRET, "tokens": {"access_token": ""}}, "an API key, and no login"),
        ({"tokens": None, "note": SECRET}, "holds no login"),
        ({"tokens": {"access_token": 1, "refresh_token": SECRET}}, "not what Codex writes"),
        (f"[{SECRET}", "not what Codex writes"),
        ("", "not what Codex writes"),
    ],
)
def test_what_is_no_login(tmp_path: Path, content: object, told: str) -> None:
    """The file is named, what is in it is not."""
    path = written(tmp_path, content)
    with pytest.raises(CredentialError, match=told) as caught:
        read_codex_file(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert SECRET not in caught.value.text


def test_nothing_there(tmp_path: Path) -> None:
    """A file that is not there, or is none, is told with what to do instead."""
    with pytest.raises(CredentialError, match="there is no login of Codex") as caught:
        read_codex_file(tmp_path / "auth.json")
    assert "strowger login codex" in (caught.value.hint or "")
    with pytest.raises(CredentialError, match="cannot be read"):
        read_codex_file(tmp_path)
