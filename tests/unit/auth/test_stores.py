"""Stored logins: what is in their files, whom they are kept from, and logins in the keychain."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from strowger.auth.issuers import Holder
from strowger.auth.keychain import Keychain
from strowger.auth.oauth import Tokens
from strowger.auth.stores import Login, LoginStore, check_name, login_command
from strowger.config.paths import logins_dir
from strowger.config.references import Secret
from strowger.errors import CredentialError, LoginNeeded
from tests.unit.auth.test_keychain import Ring

TOKENS = Tokens(
    Secret("planted-a"), Secret("planted-r"), Secret("planted-i"), expires_at=2000.0, lifetime=900.0, scope="s"
)
LOGIN = Login(
    "codex",
    TOKENS,
    holder=Holder("acc", "u", "a@b.test", "pro", True),
    obtained_at=1000.0,
    refreshed_at=1100.0,
    device_id="d1",
)


@pytest.fixture
def store(tmp_path: Path) -> LoginStore:
    return LoginStore({"HOME": str(tmp_path)}, keychain=Keychain(Ring()))


def test_a_login_comes_back(store: LoginStore) -> None:
    """A login is read as it was stored; one of another name is another."""
    work = msgspec.structs.replace(LOGIN, name="work", tokens=Tokens(Secret("other")))
    store.save(LOGIN)
    store.save(work)
    assert store.load("codex") == LOGIN
    assert store.load("codex", "work") == work
    assert [entry.label for entry in store.list()] == ["codex", "codex/work"]
    assert [entry.login for entry in store.list()] == [LOGIN, work]


def test_where_it_lies(store: LoginStore, tmp_path: Path) -> None:
    """A login is a file of its own in the state directory, for its owner alone."""
    store.save(LOGIN)
    store.save(msgspec.structs.replace(LOGIN, name="work"))
    directory = logins_dir({"HOME": str(tmp_path)})
    assert store.directory == directory
    assert sorted(path.name for path in directory.iterdir()) == ["codex.json", "codex.work.json"]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_members_of_others_stay(store: LoginStore) -> None:
    """What somebody else has put into the file survives a refresh, in its place."""
    store.save(LOGIN)
    path = store.path("codex")
    table = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({"mine": [1, None], **table, "note": "x"}))
    store.save(msgspec.structs.replace(LOGIN, tokens=Tokens(Secret("new"))))
    after = msgspec.json.decode(path.read_bytes())
    assert (after["mine"], after["note"]) == ([1, None], "x")
    assert next(iter(after)) == "mine"
    assert store.load("codex").tokens == Tokens(Secret("new"))


def test_no_login(store: LoginStore) -> None:
    """Where there is none, the error says how to come by one."""
    with pytest.raises(LoginNeeded) as caught:
        store.load("codex", "work")
    assert caught.value.text == "there is no login for codex/work (hint: strowger login codex --name work)"
    assert store.list() == []
    assert store.shelf("codex").stamp() is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"access_token": 5}',
        b'{"access_token": "a", "plan": 1}',
        b'{"a": "\xff"}',
        b"[" * 9999,
    ],
)
def test_a_damaged_file(store: LoginStore, content: bytes) -> None:
    """A file that makes no sense asks for a new login, which replaces it."""
    store.save(LOGIN)
    store.path("codex").write_bytes(content)
    with pytest.raises(LoginNeeded, match="cannot be understood"):
        store.load("codex")
    (entry,) = store.list()
    assert entry.login is None
    assert isinstance(entry.problem, LoginNeeded)
    store.save(LOGIN)
    assert store.load("codex") == LOGIN


def test_a_file_that_others_can_read(store: LoginStore) -> None:
    """Such a file is neither believed nor overwritten; the error says how to mend it."""
    store.save(LOGIN)
    path = store.path("codex")
    path.chmod(0o644)
    for action in (lambda: store.load("codex"), lambda: store.save(LOGIN), lambda: store.delete("codex")):
        with pytest.raises(CredentialError, match="others may read or write it") as caught:
            action()
        assert str(path) in (caught.value.hint or "")
    assert isinstance(store.list()[0].problem, CredentialError)


def test_a_link_in_place_of_a_login(store: LoginStore, tmp_path: Path) -> None:
    """A link is not followed, neither to read nor to write."""
    store.save(LOGIN)
    target = tmp_path / "target"
    target.write_bytes(store.path("codex").read_bytes())
    target.chmod(0o600)
    store.path("codex").unlink()
    store.path("codex").symlink_to(target)
    with pytest.raises(CredentialError, match="symbolic link"):
        store.load("codex")
    with pytest.raises(CredentialError, match="symbolic link"):
        store.save(msgspec.structs.replace(LOGIN, tokens=Tokens(Secret("new"))))
    assert b"planted-a" in target.read_bytes()


def test_an_open_directory_is_closed(store: LoginStore) -> None:
    """The directory is made private again when a login is stored."""
    store.save(LOGIN)
    store.directory.chmod(0o755)
    store.save(LOGIN)
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700


def test_forgetting(store: LoginStore) -> None:
    """A login that was deleted is gone; to delete one that is not there says so."""
    store.save(LOGIN)
    assert store.delete("codex")
    assert not store.delete("codex")
    assert store.list() == []


def test_nothing_of_a_forgotten_login_stays(store: LoginStore) -> None:
    """Neither what a writer who was killed has left of it; other logins keep theirs."""
    store.save(LOGIN)
    left, other = (store.directory / f".{name}.x.tmp" for name in ("codex.json", "codex.work.json"))
    left.write_text("tokens")
    other.write_text("tokens")
    assert store.delete("codex")
    assert not left.exists()
    assert other.exists()


def test_what_is_listed(store: LoginStore) -> None:
    """Only logins of issuers that we know are listed, whatever else lies there."""
    store.save(LOGIN)
    for name in ("nope.json", "codex.json.lock", ".codex.json.x.tmp", "device_id", "codex.-x.json"):
        (store.directory / name).write_text("x")
    assert [entry.label for entry in store.list()] == ["codex"]


def test_a_device_is_known_again(store: LoginStore) -> None:
    """The id of this machine is made once; a damaged one is replaced."""
    first = store.device_id()
    assert store.device_id() == first
    assert len(first) == 36
    path = store.directory / "device_id"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("nonsense\n")
    assert store.device_id() not in {first, "nonsense"}


@pytest.mark.parametrize("name", ["", "-x", ".x", "a/b", "../x", "a b", "é", "x" * 65])
def test_names(name: str) -> None:
    """A name is part of a file's name: what could lead elsewhere is refused."""
    with pytest.raises(CredentialError, match="cannot name a login"):
        check_name(name)


def test_labels() -> None:
    """A login is written as in the configuration."""
    assert LOGIN.label == "codex"
    assert login_command("kimi", "work") == "strowger login kimi --name work"


def test_nothing_is_shown(store: LoginStore) -> None:
    """Neither a login nor a list of them shows a token."""
    store.save(LOGIN)
    assert "planted" not in repr((LOGIN, store.list(), store.shelf("codex").load()))


def left_by_a_killed_process(store: LoginStore, login: Login, *, whole: bool = True) -> Path:
    """What is there when a process dies between writing and renaming."""
    left = store.directory / ".codex.json.abcd1234.tmp"
    before = store.path("codex").read_bytes()
    store.save(login)
    data = store.path("codex").read_bytes()
    left.write_bytes(data if whole else data[:-20])
    left.chmod(0o600)
    store.path("codex").write_bytes(before)
    return left


LATER = msgspec.structs.replace(LOGIN, tokens=Tokens(Secret("later")), refreshed_at=1200.0)


def test_what_was_written_whole_is_not_lost(store: LoginStore) -> None:
    """A login that a killed process had written, but not put in its place, is put there."""
    store.save(LOGIN)
    left = left_by_a_killed_process(store, LATER)
    store.shelf("codex").recover()
    assert store.load("codex") == LATER
    assert not left.exists()


@pytest.mark.parametrize("why", ["older", "half", "open", "logged out"])
def test_what_is_not_put_in_place(store: LoginStore, why: str) -> None:
    """Neither an older login, nor half of one, nor one that others could have written; nor does a logout end."""
    store.save(LOGIN)
    older = msgspec.structs.replace(LATER, refreshed_at=1100.0)
    left = left_by_a_killed_process(store, older if why == "older" else LATER, whole=why != "half")
    if why == "open":
        left.chmod(0o666)
    if why == "logged out":
        store.path("codex").unlink()
    store.recover("codex")
    assert left.exists()
    if why == "logged out":
        assert not store.path("codex").exists()
    else:
        assert store.load("codex") == LOGIN


# ---- keychain ----


def in_keychain(login: Login = LOGIN) -> Login:
    return msgspec.structs.replace(login, storage="keychain")


@pytest.fixture
def ring() -> Ring:
    return Ring()


@pytest.fixture
def locked_away(tmp_path: Path, ring: Ring) -> LoginStore:
    return LoginStore({"HOME": str(tmp_path)}, keychain=Keychain(ring))


def test_a_login_in_the_keychain(locked_away: LoginStore, ring: Ring) -> None:
    """The tokens are in the keychain, and nowhere in the file, which says whose they are."""
    locked_away.save(in_keychain())
    assert locked_away.load("codex") == in_keychain()
    content = locked_away.path("codex").read_bytes()
    assert b"planted" not in content
    assert b"a@b.test" in content
    assert any("planted-r" in value for value in ring.kept.values())


def test_a_refresh_leaves_one_generation(locked_away: LoginStore, ring: Ring) -> None:
    """Each time a login is stored the file changes, and the tokens before it leave the keychain."""
    locked_away.save(in_keychain())
    stamp = locked_away.shelf("codex").stamp()
    locked_away.save(msgspec.structs.replace(in_keychain(), tokens=Tokens(Secret("new"))))
    assert locked_away.load("codex").tokens.access == Secret("new")
    assert locked_away.shelf("codex").stamp() != stamp
    assert not any("planted" in value for value in ring.kept.values())


def test_a_keychain_write_that_is_cut_short(locked_away: LoginStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the file cannot be written after the keychain was, the old login is still whole."""
    locked_away.save(in_keychain())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("strowger.auth.stores.replace_file", fail)
        with pytest.raises(OSError, match="No space"):
            locked_away.save(msgspec.structs.replace(in_keychain(), tokens=Tokens(Secret("new"))))
    assert locked_away.load("codex") == in_keychain()


def test_moving_between_file_and_keychain(locked_away: LoginStore, ring: Ring) -> None:
    """A login moves from one place to the other, and leaves nothing where it was."""
    locked_away.save(LOGIN)
    locked_away.save(in_keychain())
    assert b"planted" not in locked_away.path("codex").read_bytes()
    locked_away.save(LOGIN)
    assert ring.kept == {}
    assert locked_away.load("codex") == LOGIN


def test_forgetting_a_login_in_the_keychain(locked_away: LoginStore, ring: Ring) -> None:
    """A login is removed from both."""
    locked_away.save(in_keychain())
    assert locked_away.delete("codex")
    assert ring.kept == {}
    assert locked_away.list() == []


def test_an_emptied_keychain(locked_away: LoginStore, ring: Ring) -> None:
    """When the keychain has lost it, a new login is asked for."""
    locked_away.save(in_keychain())
    ring.kept.clear()
    with pytest.raises(LoginNeeded):
        locked_away.load("codex")
