"""Tokens in the file of another program: found where the configuration says, written back to the same places."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from strowger.auth.oauth import Tokens
from strowger.auth.oauth_file import OAuthFile, moment, written
from strowger.auth.stores import Login
from strowger.config.references import Secret, TokenFile
from strowger.errors import CredentialError

NESTED = TokenFile(
    token_url="https://issuer.test/token",
    client_id="c",
    access="tokens.access",
    refresh="tokens.refresh",
    expires="tokens.expires",
)
FLAT = TokenFile(token_url="https://issuer.test/token", client_id="c")


def shelf(tmp_path: Path, content: str, fields: TokenFile = NESTED, mode: int = 0o600) -> OAuthFile:
    path = tmp_path / "creds.json"
    path.write_text(content)
    path.chmod(mode)
    return OAuthFile(path, fields, locks=tmp_path / "locks")


def saved(tmp_path: Path, file: OAuthFile, tokens: Tokens) -> str:
    file.save(msgspec.structs.replace(file.load(), tokens=tokens))
    return (tmp_path / "creds.json").read_text()


NEW = Tokens(Secret("a1"), Secret("r1"), expires_at=1_800_000_000.0)


def test_reading(tmp_path: Path) -> None:
    """The tokens are where the paths say."""
    file = shelf(tmp_path, '{"tokens": {"access": "a0", "refresh": "r0", "expires": 1700000000}}')
    assert file.load().tokens == Tokens(Secret("a0"), Secret("r0"), expires_at=1_700_000_000.0)
    flat = shelf(tmp_path, '{"access_token": "a0"}', FLAT)
    assert flat.load().tokens == Tokens(Secret("a0"))


INDENTED = """{
    "version": 1.00,
    "tokens": {
        "id": "\\u00e9\\/x",
        "access": "a0",
        "extra": {
            "big": 123456789012345678901234567890,
            "tiny": 1e-400
        },
        "refresh": "r0",
        "expires": 1700000000
    },
    "list": [
        1,
        2
    ]
}
"""


@pytest.mark.parametrize(
    "content",
    [
        INDENTED,
        INDENTED.replace("    ", "  "),
        INDENTED.rstrip("\n"),
        '{"version":1.00,"tokens":{"access":"a0","refresh":"r0","expires":1700000000},"z":[1,{"y":null}]}',
        '{"z": 1, "tokens": {"access": "a0", "refresh": "r0", "expires": 1700000000}, "a": 2}\n',
    ],
)
def test_everything_else_stays(tmp_path: Path, content: str) -> None:
    """Members, their order, the way numbers and texts are written, the indentation and the last line end stay."""
    file = shelf(tmp_path, content)
    expected = content.replace('"a0"', '"a1"').replace('"r0"', '"r1"').replace("1700000000", "1800000000")
    assert saved(tmp_path, file, NEW) == expected


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_mode_stays(tmp_path: Path, mode: int) -> None:
    """The file is as open as its owner had it."""
    file = shelf(tmp_path, '{"access_token": "a0"}', FLAT, mode)
    saved(tmp_path, file, NEW)
    assert stat.S_IMODE((tmp_path / "creds.json").stat().st_mode) == mode


def test_what_was_not_there_is_added(tmp_path: Path) -> None:
    """A place that is missing is made; an empty path is no place; a refresh token that did not come is not erased."""
    assert msgspec.json.decode(saved(tmp_path, shelf(tmp_path, '{"tokens": {"access": "a0"}}'), NEW)) == {
        "tokens": {"access": "a1", "refresh": "r1", "expires": 1_800_000_000}
    }
    elsewhere = msgspec.structs.replace(NESTED, access="access", refresh="deep.er", expires="")
    written_back = saved(tmp_path, shelf(tmp_path, '{"access": "a0", "deep": 5}', elsewhere), NEW)
    assert msgspec.json.decode(written_back) == {"access": "a1", "deep": {"er": "r1"}}
    kept = saved(tmp_path, shelf(tmp_path, '{"access_token": "a0", "refresh_token": "r0"}', FLAT), Tokens(Secret("a1")))
    assert msgspec.json.decode(kept) == {"access_token": "a1", "refresh_token": "r0", "expires_at": None}


def test_what_its_owner_wrote_meanwhile_stays(tmp_path: Path) -> None:
    """The file is read again just before it is written."""
    file = shelf(tmp_path, '{"access_token": "a0"}', FLAT)
    login = msgspec.structs.replace(file.load(), tokens=NEW)
    shelf(tmp_path, '{"access_token": "a0", "theirs": 1}', FLAT)
    file.save(login)
    assert '"theirs": 1' in (tmp_path / "creds.json").read_text()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Where the user has a link, what it leads to is replaced."""
    shelf(tmp_path, '{"access_token": "a0"}', FLAT)
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "creds.json")
    file = OAuthFile(link, FLAT, locks=tmp_path / "locks")
    file.save(Login("oauth", NEW))
    assert link.is_symlink()
    assert file.path == tmp_path / "creds.json"
    assert file.load().tokens == NEW


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ('{"planted": ', "is not a JSON object"),
        ("[" * 9999, "is not a JSON object"),
        ("{}", "has no string at `access_token`"),
        ('{"access_token": {"planted": 1}}', "has no string at `access_token`"),
    ],
)
def test_a_file_without_tokens(tmp_path: Path, content: str, message: str) -> None:
    """What is wrong with the file is told without what is in it."""
    with pytest.raises(CredentialError, match=message) as caught:
        shelf(tmp_path, content, FLAT).load()
    assert "planted" not in caught.value.text


def test_files_that_are_not_trusted(tmp_path: Path) -> None:
    """A file that others can read is refused with the remedy; one that is not there is named."""
    with pytest.raises(CredentialError, match="others may read") as caught:
        shelf(tmp_path, '{"access_token": "a0"}', FLAT, 0o644).load()
    assert caught.value.hint == f"chmod 600 {tmp_path}/creds.json"
    (tmp_path / "creds.json").unlink()
    with pytest.raises(CredentialError, match="is not there"):
        OAuthFile(tmp_path / "creds.json", FLAT, locks=tmp_path).load()


def test_a_file_that_became_something_else(tmp_path: Path) -> None:
    """When the file has been emptied meanwhile, it is not filled with tokens alone."""
    file = shelf(tmp_path, '{"access_token": "a0"}', FLAT)
    login = file.load()
    shelf(tmp_path, "", FLAT)
    with pytest.raises(CredentialError, match="not a JSON object any more"):
        file.save(login)
    assert (tmp_path / "creds.json").read_text() == ""


def test_one_lock_for_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names the same file, by whatever path, takes the same lock, and it is not beside the file."""
    shelf(tmp_path, "{}", FLAT)
    (tmp_path / "link").symlink_to(tmp_path / "creds.json")
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = [tmp_path / "creds.json", tmp_path / "link", Path("~/creds.json"), tmp_path / "x" / ".." / "creds.json"]
    locks = {OAuthFile(path, FLAT, locks=tmp_path / "locks").lock_path for path in paths}
    assert len(locks) == 1
    assert locks.pop().parent == tmp_path / "locks"


@pytest.mark.parametrize(
    "value, seconds",
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000.5, 1_700_000_000.5),
        (1_700_000_000_500, 1_700_000_000.5),
        ("1700000000", 1_700_000_000.0),
        ("1700000000500", 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20.500Z", 1_700_000_000.5),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000.0),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
        (None, None),
        (True, None),
        ("soon", None),
        ("", None),
        ([], None),
    ],
)
def test_an_expiry_is_written_in_many_ways(value: object, seconds: float | None) -> None:
    """Seconds, milliseconds, as numbers or text, and ISO dates; without an offset they are in UTC."""
    assert moment(value) == seconds


@pytest.mark.parametrize(
    "like, value",
    [
        (1_700_000_000, 1_800_000_000),
        (1_700_000_000_123, 1_800_000_000_000),
        ("1700000000", "1800000000"),
        ("1700000000123", "1800000000000"),
        ("2023-11-14T22:13:20Z", "2027-01-15T08:00:00Z"),
        (None, 1_800_000_000),
        (True, 1_800_000_000),
        ([], 1_800_000_000),
    ],
)
def test_an_expiry_is_written_as_it_was(like: object, value: object) -> None:
    """The new expiry is in the spelling of the old one, so its owner can read it."""
    assert written(1_800_000_000.0, like=like) == value
    assert moment(value) == 1_800_000_000.0
    assert written(None, like=like) is None
