"""Sources over another program's token file, refreshed at a plain issuer, and what `Sources` makes of references."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from strowger.auth import Sources, source_for
from strowger.auth.credential import AuthSource
from strowger.auth.keychain import Keychain
from strowger.auth.sources import resolve
from strowger.config.references import SecretRef, parse_reference
from strowger.errors import ConfigError, CredentialError, LoginNeeded
from tests.fakes.issuer import FORM, JSON, PlainIssuer
from tests.fakes.issuer_codex import CodexIssuer
from tests.integration.auth.refresher import exchange, kept

pytestmark = pytest.mark.anyio

TOKEN = "/token"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Ring:
    """A keychain with one entry."""

    def get_password(self, service: str, username: str) -> str | None:
        return "from the keychain" if (service, username) == ("openai", "me") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nothing is to be stored")

    def delete_password(self, service: str, username: str) -> None:
        raise AssertionError("nothing is to be removed")


def reference(path: Path, issuer: PlainIssuer, **more: str) -> SecretRef:
    table = {"oauth": str(path), "token_url": f"{issuer.base_url}{TOKEN}", "client_id": issuer.client_id, **more}
    return parse_reference(table)


def written(path: Path, issuer: PlainIssuer, *, expires_at: object) -> dict[str, Any]:
    answer = issuer.login()
    content = {"theirs": [1], "access_token": answer["access_token"], "refresh_token": answer["refresh_token"]}
    path.write_text(json.dumps({**content, "expires_at": expires_at, "last": True}, indent=2))
    path.chmod(0o600)
    return content


def source(tmp_path: Path, ref: SecretRef, **more: Any) -> AuthSource:
    return source_for(
        ref, header="authorization", kind="bearer", env={"HOME": str(tmp_path)}, exchange=exchange, **more
    )


@pytest.mark.parametrize("rotates", [True, False])
@pytest.mark.parametrize("speaks, word", [(FORM, "form"), (JSON, "json")])
async def test_an_ended_token_is_refreshed_in_its_file(tmp_path: Path, rotates: bool, speaks: str, word: str) -> None:
    """The token is refreshed as its endpoint wants to be asked, and the file has what came of it, and all that was."""
    path = tmp_path / "creds.json"
    async with PlainIssuer(speaks=speaks, rotates=rotates, client_secret="cs") as issuer:
        before = written(path, issuer, expires_at=time.time() - 5)
        tokens = source(tmp_path, reference(path, issuer, format=word, client_secret="cs"))
        credential = await tokens.credential()
        assert issuer.accepts(credential.value.reveal())
        assert await tokens.credential() is credential
        assert issuer.count(TOKEN) == 1
    after = json.loads(path.read_text())
    assert list(after) == ["theirs", "access_token", "refresh_token", "expires_at", "last"]
    assert after["access_token"] == credential.value.reveal()
    assert (after["refresh_token"] != before["refresh_token"]) is rotates
    assert after["expires_at"] > time.time() + 3000
    assert credential.companions == ()


async def test_a_refused_token_is_looked_for_in_the_file(tmp_path: Path) -> None:
    """When its owner has refreshed meanwhile, nobody is asked."""
    path = tmp_path / "creds.json"
    async with PlainIssuer() as issuer:
        written(path, issuer, expires_at=None)
        tokens = source(tmp_path, reference(path, issuer))
        used = await tokens.credential()
        theirs = written(path, issuer, expires_at=None)
        assert tokens.invalidate(used)
        assert (await tokens.credential()).value.reveal() == theirs["access_token"]
        assert issuer.count(TOKEN) == 0
        assert tokens.invalidate(await tokens.credential())
        assert issuer.accepts((await tokens.credential()).value.reveal())
        assert issuer.count(TOKEN) == 1


async def test_an_end_of_such_a_login(tmp_path: Path) -> None:
    """Whose refresh token is refused has to log in where the file comes from."""
    path = tmp_path / "creds.json"
    async with PlainIssuer() as issuer:
        written(path, issuer, expires_at=1)
        issuer.end_logins()
        with pytest.raises(LoginNeeded) as caught:
            await source(tmp_path, reference(path, issuer), owner="provider x").credential()
    assert caught.value.hint == f"log in again with the program that keeps its tokens in {path}"
    assert caught.value.message.startswith("no credential for provider x: ")


@pytest.mark.parametrize("url", ["http://issuer.example.com/token", "ftp://127.0.0.1/token", "token"])
async def test_where_refresh_tokens_may_travel(tmp_path: Path, url: str) -> None:
    """A token endpoint is https, or on this machine."""
    ref = parse_reference({"oauth": str(tmp_path / "f"), "token_url": url, "client_id": "c"})
    with pytest.raises(CredentialError, match="token_url"):
        source(tmp_path, ref)


async def test_one_source_for_one_login(tmp_path: Path) -> None:
    """Providers that name the same login share its source; other references have their own."""
    sources = Sources({"HOME": str(tmp_path), "K": "k"}, exchange=exchange)
    first = sources(parse_reference("login:codex"), "authorization", "bearer", "provider a")
    assert sources(parse_reference("login:codex"), "authorization", "bearer", "provider b") is first
    assert sources(parse_reference("login:codex/work"), "authorization", "bearer") is not first
    assert sources(parse_reference("login:codex"), "x-api-key", "raw") is not first
    assert sources(parse_reference("env:K"), "x-api-key", "raw") is not sources(
        parse_reference("env:K"), "x-api-key", "raw"
    )


async def test_a_login_by_reference(tmp_path: Path) -> None:
    """`login:codex` leads to the stored login, refreshed at the issuer that the environment names."""
    async with CodexIssuer() as issuer:
        kept(tmp_path, issuer.login(), time.time() - 20 * 86400)
        env = {"HOME": str(tmp_path), "STROWGER_CODEX_ISSUER": issuer.base_url}
        notes: list[str] = []
        async with anyio.create_task_group() as tasks:
            sources = Sources(env, exchange=exchange, spawn=tasks.start_soon, note=notes.append)
            credential = await sources(parse_reference("login:codex"), "authorization", "bearer").credential()
        assert issuer.accepts(credential.value.reveal())
        assert credential.companions == (("ChatGPT-Account-ID", issuer.account.id),)
        assert notes == ["the login codex was refreshed"]
        assert await resolve(parse_reference("login:codex"), env=env) == credential.value


@pytest.mark.parametrize("text", ["login:codex", "login:kimi/work"])
async def test_no_login_by_reference(tmp_path: Path, text: str) -> None:
    """Where there is no such login, the error has the command, whoever asks."""
    env = {"HOME": str(tmp_path)}
    ref = parse_reference(text)
    issuer, _, name = text.removeprefix("login:").partition("/")
    command = f"strowger login {issuer}" + (f" --name {name}" if name else "")
    for attempt in (source(tmp_path, ref).credential(), resolve(ref, env=env)):
        with pytest.raises(LoginNeeded) as caught:
            await attempt
        assert caught.value.hint == command


async def test_a_login_of_nobody(tmp_path: Path) -> None:
    """A login that no issuer grants, or an issuer at an address that is not safe, is an error before any call."""
    with pytest.raises(CredentialError, match="no login for `nope`"):
        source(tmp_path, parse_reference("login:nope"))
    sources = Sources({"HOME": str(tmp_path), "STROWGER_CODEX_ISSUER": "http://example.com"}, exchange=exchange)
    with pytest.raises(ConfigError):
        sources(parse_reference("login:codex"), "authorization", "bearer")


async def test_the_keychain_by_reference(tmp_path: Path) -> None:
    """A key in the keychain is read once, and again after a refusal."""
    sources = Sources({"HOME": str(tmp_path)}, exchange=exchange, keychain=Keychain(Ring()))
    key = sources(parse_reference("keychain:openai/me"), "x-api-key", "raw", "provider x")
    credential = await key.credential()
    assert credential.value.reveal() == "from the keychain"
    assert key.invalidate(credential)
    assert await key.credential() == credential
    other = sources(parse_reference("keychain:openai/you"), "x-api-key", "raw", "provider x")
    with pytest.raises(CredentialError, match="no credential for provider x: the keychain holds nothing"):
        await other.credential()


async def test_tokens_as_they_are(tmp_path: Path) -> None:
    """To look whether a reference leads anywhere, nothing is refreshed."""
    path = tmp_path / "creds.json"
    async with PlainIssuer() as issuer:
        content = written(path, issuer, expires_at=1)
        secret = await resolve(reference(path, issuer), env={"HOME": str(tmp_path)})
        assert secret.reveal() == content["access_token"]
        assert issuer.requests == []
