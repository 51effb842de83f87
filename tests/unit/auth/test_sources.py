"""Fetching secrets: variables, files, JSON in them, and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from strowger.auth.credential import Credential
from strowger.auth.sources import ReferenceSource, client_credentials, resolve, unreadable
from strowger.config import load
from strowger.config.references import SecretRef, literal, parse_reference
from strowger.errors import CredentialError


def fetched(reference: object, env: Mapping[str, str] | None = None) -> str:
    ref = reference if isinstance(reference, SecretRef) else parse_reference(reference)

    async def main() -> str:
        return (await resolve(ref, env=env or {})).reveal()

    return anyio.run(main)


def test_variable() -> None:
    """A variable is read without blanks around it."""
    assert fetched("env:K", {"K": " key\n"}) == "key"


@pytest.mark.parametrize("env", [{}, {"K": ""}, {"K": "  "}])
def test_missing_variable(env: dict[str, str]) -> None:
    """A variable that is not set, or empty, is named in the error, with the remedy."""
    with pytest.raises(CredentialError) as caught:
        fetched("env:K", env)
    assert caught.value.message == "the environment variable K is not set"
    assert caught.value.hint == "export K=…, then start again"


def test_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read without blanks around it, `~` being the home."""
    (tmp_path / "key").write_text("key\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetched(f"file:{tmp_path}/key") == "key"
    assert fetched("file:~/key") == "key"


def test_path_in_json(tmp_path: Path) -> None:
    """A path leads through tables and lists."""
    (tmp_path / "c.json").write_text('{"a": {"b": [{"c": "key"}]}}')
    assert fetched(f"file:{tmp_path}/c.json#a.b.0.c") == "key"


@pytest.mark.parametrize(
    "content, path, message",
    [
        (b"", "", "is empty"),
        (b" \n", "", "is empty"),
        (b"\xff\xfe", "", "is not text"),
        (b"planted", "a", "is not JSON"),
        (b'{"a": 1}', "a", "has no string at `a`"),
        (b'{"a": ""}', "a", "has no string at `a`"),
        (b'{"a": "planted"}', "a.b", "has no string at `a.b`"),
        (b'{"a": ["planted"]}', "a.1", "has no string at `a.1`"),
        (b"x" * (1024 * 1024 + 1), "", "too large"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, path: str, message: str) -> None:
    """What is wrong with a file is told without what is in it."""
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(CredentialError) as caught:
        fetched({"file": f"{tmp_path}/f", "path": path})
    assert message in caught.value.message
    assert "planted" not in caught.value.text.replace(str(tmp_path), "")


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(CredentialError, match="cannot be read: No such file"):
        fetched(f"file:{tmp_path}/nope")


def test_literal_and_client() -> None:
    """A literal is its own secret; the client's credential is nowhere but in the client's request."""
    assert fetched(literal("key")) == "key"
    with pytest.raises(CredentialError):
        fetched("client")


def source(reference: str, env: Mapping[str, str] | None = None, owner: str = "") -> ReferenceSource:
    return ReferenceSource(
        parse_reference(reference), header="x-api-key", kind="raw", env={} if env is None else env, owner=owner
    )


def test_a_file_is_read_again_after_a_refusal(tmp_path: Path) -> None:
    """After the upstream has refused what stood in a file, the file is read again."""
    file = tmp_path / "key"

    async def main() -> None:
        file.write_text("old")
        keys = source(f"file:{file}")
        assert keys.known() is None
        first = await keys.credential()
        assert await keys.credential() is first
        assert keys.invalidate(first)
        assert keys.known() is None
        file.write_text("new")
        second = await keys.credential()
        assert second.value.reveal() == "new"
        # A call that comes late with the old credential must not throw away the new one.
        assert keys.invalidate(first)
        assert keys.known() == second

    anyio.run(main)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path, in_place: bool) -> None:
    """A file that was written to or replaced is read again without anybody's refusal."""
    file = tmp_path / "key"

    async def main() -> None:
        file.write_text("old")
        keys = source(f"file:{file}")
        assert (await keys.credential()).value.reveal() == "old"
        if in_place:
            file.write_text("newer")
        else:
            (tmp_path / "fresh").write_text("new")
            (tmp_path / "fresh").replace(file)
        assert (await keys.credential()).value.reveal() == ("newer" if in_place else "new")

    anyio.run(main)


@pytest.mark.parametrize("content", [None, "", "{", '{"a": 1}'])
def test_a_file_being_written_does_not_interrupt(tmp_path: Path, content: str | None) -> None:
    """While a file is gone, empty or half written, what it held is used on; as soon as it is whole it counts."""
    file = tmp_path / "key"

    async def main() -> None:
        file.write_text('{"a": "old"}')
        keys = source(f"file:{file}#a")
        first = await keys.credential()
        if content is None:
            file.unlink()
        else:
            file.write_text(content)
        assert await keys.credential() is first
        file.write_text('{"a": "newer"}')
        assert (await keys.credential()).value.reveal() == "newer"

    anyio.run(main)


def test_what_cannot_change_is_not_tried_again() -> None:
    """After a refusal a variable or a literal would be the same: no replay."""

    async def main() -> None:
        for keys in (source("env:K", {"K": "k"}), source("planted")):
            assert not keys.invalidate(await keys.credential())
            assert keys.known() is not None

    anyio.run(main)


def test_many_callers_one_fetch(tmp_path: Path) -> None:
    """Callers that come at the same time get what one fetch brought."""
    file = tmp_path / "key"
    file.write_text("key")
    found: list[Credential] = []

    async def main() -> None:
        keys = source(f"file:{file}")

        async def call() -> None:
            found.append(await keys.credential())

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(call)

    anyio.run(main)
    assert len(found) == 5
    assert all(credential is found[0] for credential in found)


def test_failures_are_not_remembered() -> None:
    """A variable that was missing is looked for again, and the error says for whom it was."""
    env: dict[str, str] = {}

    async def main() -> None:
        keys = source("env:K", env, owner="provider x")
        with pytest.raises(
            CredentialError, match="no credential for provider x: the environment variable K is not set"
        ):
            await keys.credential()
        env["K"] = "k"
        assert (await keys.credential()).value.reveal() == "k"

    anyio.run(main)


def test_a_source_can_be_printed() -> None:
    """Its repr shows the reference."""
    assert repr(source("planted")) == "ReferenceSource(*** → x-api-key)"


def test_client_credentials() -> None:
    """Both headers of a client are taken whole, and empty ones are none."""
    found = client_credentials({"authorization": "Bearer t", "x-api-key": "k", "cookie": "c"})
    assert [(credential.header, credential.value.reveal(), credential.kind) for credential in found] == [
        ("authorization", "Bearer t", "client"),
        ("x-api-key", "k", "client"),
    ]
    assert client_credentials({"x-api-key": ""}) == ()


def test_unreadable_references_have_places(tmp_path: Path) -> None:
    """Every reference that leads nowhere is told with the line where it stands; those that do are not."""
    path = tmp_path / "c.toml"
    path.write_text(
        '[server]\nclient_token = "env:T"\n[providers.x]\ndialect = "openai_chat"\nbase_url = "http://localhost"\n'
        'auth = "file:/nope"\nheaders = { a = "env:H" }\n'
    )

    async def main() -> None:
        loaded = load(path, env={}, presets={})
        found = await unreadable(loaded, {"H": "h"})
        assert [(problem.where, problem.path) for problem in found] == [
            (f"{path}:2", ("server", "client_token")),
            (f"{path}:6", ("providers", "x", "auth")),
        ]

    anyio.run(main)


@pytest.mark.parametrize(
    "key, url, problems",
    [
        (
            "sk-ant-api03-x",
            "https://elsewhere.test",
            ["an Anthropic credential may not be sent to https://elsewhere.test"],
        ),
        ("sk-ant-api03-x", "https://api.anthropic.com", []),
        ("sk-x", "https://elsewhere.test", []),
    ],
)
def test_a_key_that_may_not_be_sent_there_is_told_beforehand(
    tmp_path: Path, key: str, url: str, problems: list[str]
) -> None:
    """Else each call would fail, and nobody who looks for mistakes would know."""
    path = tmp_path / "c.toml"
    path.write_text(f'[providers.x]\ndialect = "anthropic"\nbase_url = "{url}"\nauth = "env:K"\n')

    async def main() -> None:
        found = await unreadable(load(path, env={}, presets={}), {"K": key})
        assert [problem.message for problem in found] == [f"`providers.x.auth`: {each}" for each in problems]

    anyio.run(main)
