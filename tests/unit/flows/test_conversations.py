"""The store of answers that are referred to by their id."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec import Raw

from strowger.errors import BadRequest
from strowger.flows.conversations import Conversations, Turn, items_of

pytestmark = pytest.mark.anyio

BROKEN = b"this is no database, but long enough to be looked at" * 400


def turn(name: str, previous: str = "", owner: str = "me", size: int = 1) -> Turn:
    """A turn with one item asked and one answered."""
    asked = f'[{{"asked":"{name}"}}]'.encode()
    answer = f'{{"id":"{name}","output":[{{"answered":"{"x" * size}"}}]}}'.encode()
    return Turn(name, owner, previous, "p", 1, asked, answer)


def store(path: Path | str, *, max_bytes: int = 10**6, max_age: float = 1000.0) -> Conversations:
    """A store at `path`."""
    return Conversations(str(path), max_bytes=max_bytes, max_age=max_age)


def telling(path: Path) -> tuple[Conversations, list[dict[str, Any]]]:
    """A store at `path`, and what it tells."""
    told: list[dict[str, Any]] = []
    return Conversations(str(path), max_bytes=10**6, max_age=1000.0, tell=lambda _, fields: told.append(fields)), told


def aside(folder: Path) -> list[bytes]:
    """The files that were put aside."""
    return [each.read_bytes() for each in folder.glob("r.db.broken-*")]


async def test_turns_survive_the_process(tmp_path: Path) -> None:
    """What was written is there for the next process, in its order."""
    first = store(tmp_path / "a" / "r.db")
    for each in (turn("r1"), turn("r2", "r1"), turn("r3", "r2")):
        first.remember(each)
        await first.write(each)
    first.close()
    second = store(tmp_path / "a" / "r.db")
    chain = await second.chain("r3", "me")
    assert chain is not None
    assert [each.id for each in chain] == ["r1", "r2", "r3"]
    assert chain[0].items() == [Raw(b'{"asked":"r1"}'), Raw(b'{"answered":"x"}')]
    second.close()


async def test_a_turn_is_known_before_it_is_on_disk() -> None:
    """A client refers to the last answer at once, and must not lose a race against the disk."""
    known = store(":memory:")
    known.remember(turn("r1"))
    assert await known.get("r1", "me") is not None


async def test_memory_is_bounded_by_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that say everything again each time would fill it with a few turns; the last is always known."""
    monkeypatch.setattr("strowger.flows.conversations._RECENT_BYTES", 1000)
    known = store(":memory:")
    for name in ("r1", "r2"):
        known.remember(turn(name, size=600))
    assert await known.get("r1", "me") is None
    assert await known.get("r2", "me") is not None
    for _ in range(5):
        known.remember(turn("r3"))  # said again, it is not counted again
    assert await known.get("r2", "me") is not None
    known.remember(turn("r4", size=5000))
    assert await known.get("r4", "me") is not None


async def test_deleted_turns_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that may still be on their way to disk: there are clients that delete each answer."""
    monkeypatch.setattr("strowger.flows.conversations._FORGOTTEN", 1)
    known = store(":memory:")
    for name in ("r1", "r2"):
        known.remember(turn(name))
        await known.forget(name, "me")
    await known.write(turn("r2"))
    assert await known.get("r2", "me") is None
    await known.write(turn("r1"))
    assert await known.get("r1", "me") is not None


async def test_an_id_that_is_used_again_is_the_last_answers() -> None:
    """Some servers give every answer the same one: its items are the last answer's, and it is no loop."""
    known = store(":memory:")
    known.remember(Turn("r", "me", "", "p", 1, b"[]", b'{"id":"r","output":[{"id":"m1"}]}'))
    known.remember(Turn("r", "me", "r", "p", 1, b"[]", b'{"id":"r","output":[{"id":"m2"}]}'))
    assert await known.holder("m1", "me") is None
    assert await known.holder("m2", "me") is not None
    assert await known.chain("r", "me") is None


async def test_turns_belong_to_their_client() -> None:
    """Another client can neither read nor delete them."""
    kept = store(":memory:")
    kept.remember(turn("r1"))
    await kept.write(turn("r1"))
    assert await kept.get("r1", "you") is None
    assert not await kept.forget("r1", "you")
    assert await kept.get("r1", "me") is not None


async def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    """Also when it is written only after that."""
    kept = store(tmp_path / "r.db")
    kept.remember(turn("r1"))
    assert await kept.forget("r1", "me")
    await kept.write(turn("r1"))
    assert await kept.get("r1", "me") is None
    assert not await kept.forget("r1", "me")
    kept.close()


async def test_a_conversation_with_a_gap_is_unknown() -> None:
    """Half of what was said would be taken for all of it."""
    kept = store(":memory:")
    kept.remember(turn("r2", "r1"))
    assert await kept.chain("r2", "me") is None
    assert await kept.chain("r9", "me") is None


async def test_old_turns_expire(tmp_path: Path) -> None:
    """After their time they are not found, whether or not they still are in the file."""
    kept = store(tmp_path / "r.db", max_age=0.0)
    await kept.write(turn("r1"))
    assert await kept.get("r1", "me") is None
    kept.close()


async def test_the_file_is_bounded(tmp_path: Path) -> None:
    """What has not been used for longest goes first."""
    kept = store(tmp_path / "r.db", max_bytes=50_000)
    for number in range(101):
        await kept.write(turn(f"r{number}", size=1000))
    found = [number for number in range(101) if await kept.get(f"r{number}", "me") is not None]
    assert found == list(range(found[0], 101))
    assert 30 <= len(found) <= 60
    kept.close()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
async def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """Conversations are the user's own."""
    kept = store(tmp_path / "new" / "r.db")
    await kept.write(turn("r1"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    kept.close()
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


async def test_a_file_that_cannot_be_used_holds_nothing_up(tmp_path: Path) -> None:
    """Turns are then known from memory, and the problem is told once, as is its end."""
    (tmp_path / "r.db").mkdir()
    kept, told = telling(tmp_path / "r.db")
    for each in (turn("r1"), turn("r2")):
        kept.remember(each)
        await kept.write(each)
    assert await kept.get("r1", "me") is not None
    assert await kept.get("r3", "me") is None
    assert [list(fields) for fields in told] == [["problem"]]
    assert "r.db" in told[0]["problem"]
    (tmp_path / "r.db").rmdir()
    await kept.write(turn("r4"))
    assert [list(fields) for fields in told] == [["problem"], ["note"]]
    kept.close()


async def test_a_broken_file_is_put_aside(tmp_path: Path) -> None:
    """The user is told, and what comes from then on is there for the next process."""
    path = tmp_path / "r.db"
    path.write_bytes(BROKEN)
    kept, told = telling(path)
    await kept.write(turn("r2"))
    kept.close()
    assert aside(tmp_path) == [BROKEN]
    assert ["was broken and is now" in fields["problem"] for fields in told] == [True]
    again = store(path)
    assert await again.get("r2", "me") is not None
    again.close()


async def test_a_file_that_breaks_while_it_is_open_is_put_aside_once(tmp_path: Path) -> None:
    """Where it opens and then cannot be read, nobody tries for ever."""
    path = tmp_path / "r.db"
    kept, told = telling(path)

    def unreadable(_: sqlite3.Connection) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    await kept.write(turn("r1"))
    assert kept._with(unreadable, None) is None
    assert ["was broken" in fields["problem"] for fields in told] == [True, False]
    await kept.write(turn("r2"))
    assert await kept.get("r2", "me") is not None
    assert "note" in told[-1]
    kept.close()


async def test_a_file_that_another_gateway_has_begun_anew_is_left_alone(tmp_path: Path) -> None:
    """Both had the broken one open: the second must not put the first one's new file aside."""
    path = tmp_path / "r.db"
    kept, told = telling(path)
    await kept.write(turn("r1"))
    old = kept._base
    assert old is not None
    old.close()
    broken = tmp_path / "elsewhere.db"
    broken.write_bytes(BROKEN)
    kept._base = sqlite3.connect(broken, check_same_thread=False)
    await kept.write(turn("r2"))
    assert await kept.get("r1", "me") is not None
    assert await kept.get("r2", "me") is not None
    assert told == []
    kept.close()


async def test_many_at_once(tmp_path: Path) -> None:
    """Writers of many calls do not get into each other's way."""
    kept, told = telling(tmp_path / "r.db")
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(kept.write, turn(f"r{number}"))
    assert all([await kept.get(f"r{number}", "me") is not None for number in range(50)])
    assert told == []
    kept.close()


async def test_the_items_of_an_input() -> None:
    """A bare string is one message of the user; what is neither string nor list is refused by name."""
    assert items_of(Raw(b'"hi"')) == [Raw(b'{"type":"message","role":"user","content":"hi"}')]
    assert items_of(Raw(b'[{"a":1}]')) == [Raw(b'{"a":1}')]
    with pytest.raises(BadRequest, match="input"):
        items_of(Raw(b"7"))


def named(name: str, *items: str, owner: str = "me") -> Turn:
    """A turn whose answer has items with ids."""
    output = ",".join(f'{{"id":"{item}"}}' for item in items)
    return Turn(name, owner, "", "p", 1, b"[]", f'{{"id":"{name}","output":[{output}]}}'.encode())


async def test_the_turn_of_an_item(tmp_path: Path) -> None:
    """An item is found by its own id, before and after it is on disk, by its client only, and until it is forgotten."""
    kept = store(tmp_path / "r.db")
    for each in (named("r1", "m1", "m2"), named("r2", "m3")):
        kept.remember(each)
        found = await kept.holder("m2", "me")
        await kept.write(each)
        assert found is not None
        assert found.item("m2") == Raw(b'{"id":"m2"}')
    kept.close()
    again = store(tmp_path / "r.db")
    later = await again.holder("m3", "me")
    assert later is not None
    assert later.id == "r2"
    assert await again.holder("m3", "you") is None
    assert await again.forget("r2", "me")
    assert await again.holder("m3", "me") is None
    again.close()


async def test_items_go_with_their_turns(tmp_path: Path) -> None:
    """Out of memory with the turn, and out of the file."""
    kept = store(tmp_path / "r.db", max_bytes=0)
    kept.remember(named("r1", "m1"))
    await kept.write(named("r1", "m1"))
    assert await kept.forget("r1", "me")
    assert await kept.holder("m1", "me") is None
    for i in range(300):
        kept.remember(named(f"r{i}", f"m{i}"))
    assert await kept.holder("m0", "me") is None
    assert await kept.holder("m299", "me") is not None
    kept.close()


async def test_ids_that_are_no_text() -> None:
    """Nobody can refer to them; the turn is kept all the same."""
    kept = store(":memory:")
    odd = Turn("r1", "me", "", "p", 1, b"[]", b'{"id":"r1","output":[{"id":7}]}')
    kept.remember(odd)
    await kept.write(odd)
    assert await kept.get("r1", "me") is not None


@pytest.mark.parametrize(
    "response, pending, background",
    [
        (b'{"status":"queued","background":true}', True, True),
        (b'{"status":"in_progress"}', True, False),
        (b'{"status":"completed","background":true}', False, True),
        (b'{"status":7}', False, False),
        (b"{}", False, False),
    ],
)
def test_what_state_an_answer_is_in(response: bytes, pending: bool, background: bool) -> None:
    """One that is made in the background is not there at once."""
    kept = Turn("r", "me", "", "p", 1, b"[]", response)
    assert (kept.is_pending(), kept.is_background()) == (pending, background)
