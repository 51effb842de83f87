"""What is written of flows, and how little of it."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from strowger.flows import reading, retention
from strowger.flows.archive import Archive
from strowger.flows.bodies import DEEPEST
from strowger.flows.flow import Flow
from strowger.flows.writer import Entry, Writer
from tests.fakes.flows import ANSWER, REQUEST, answered, begun, bodies_of, call

SECRET = b"sk-secret-0123456789"


def masked(data: bytes) -> bytes:
    """Takes the secret out."""
    return data.replace(SECRET, b"***")


def noise(size: int, seed: int) -> bytes:
    """What cannot be packed."""
    return random.Random(seed).randbytes(size)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """A new file."""
    made = Writer(tmp_path / "flows.db", {})
    yield made
    made.close()


def whole(flow: Flow) -> Entry:
    """All that is known of a flow, to be written at once."""
    assert flow.tape is not None
    return Entry(flow, flow.tape.messages, flow.tape.masks, flow.outcome != "running")


def kept(writer: Writer, flow: Flow) -> dict[tuple[str, int], bytes]:
    """The bodies of a flow as the file has them."""
    return bodies_of(reading.messages_of(writer.base, flow.id))


def count(writer: Writer, table: str) -> int:
    """The rows of a table."""
    return int(writer.base.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def stored(writer: Writer) -> int:
    """The bytes of all long requests in the file."""
    return int(writer.base.execute("SELECT COALESCE(SUM(length(content)), 0) FROM contents").fetchone()[0])


def test_all_messages_come_back_as_they_were(writer: Writer) -> None:
    """In the order of the call, with their heads, pieces and moments."""
    flow = call()
    before = [*flow.tape.messages] if flow.tape else []
    writer.write([whole(flow)])
    again = reading.messages_of(writer.base, flow.id)
    assert [message.kind for message in again] == [message.kind for message in before]
    for message, old in zip(again, before, strict=True):
        assert (message.line, message.headers, message.pieces) == (old.line, old.headers, old.pieces)
        assert message.moments == pytest.approx(old.moments, abs=0.0001)
        assert (message.size, message.cut) == (old.size, old.cut)
    assert dict(again[0].headers)["authorization"] == "Bearer ***"


@pytest.mark.parametrize("secret", [b"", SECRET], ids=["clean", "with a secret"])
def test_a_long_stream_comes_back_as_it_was(writer: Writer, secret: bytes) -> None:
    """Piece by piece, also what was packed while it came; and without what is secret in it."""
    pieces = [b"data: word %d %b\n\n" % (number, secret if number == 70 else b"") for number in range(200)]
    flow = answered(begun(), pieces)
    assert flow.tape is not None
    assert all(message.folds for message in flow.tape.messages[-2:])
    writer.write([Entry(flow, flow.tape.messages, [masked], True)])
    *_, upstream, client = reading.messages_of(writer.base, flow.id)
    assert upstream.pieces == client.pieces == [masked(piece) for piece in pieces]
    assert len(upstream.moments) == len(client.moments) == 200


def test_a_flow_may_be_written_in_two_parts(writer: Writer) -> None:
    """Its requests when the answer begins, the rest when it is over: one row."""
    flow = begun()
    assert flow.tape is not None
    writer.write([Entry(flow, flow.tape.taken(), [], False)])
    assert writer.base.execute("SELECT seq, outcome FROM flows").fetchall() == [(1, "running")]
    answered(flow)
    writer.write([whole(flow)])
    assert writer.base.execute("SELECT seq, change, outcome FROM flows").fetchall() == [(1, 2, "ok")]
    assert kept(writer, flow)["client_request", 0] == REQUEST
    assert kept(writer, flow)["client_response", 0] == b"".join(ANSWER)


def test_what_is_carried_verbatim_costs_nothing_twice(writer: Writer) -> None:
    """The request to the provider is the client's, the client's answer is the provider's."""
    body, answer = noise(10_000, 1), noise(10_000, 2)
    flow = answered(begun(body), [answer])
    writer.write([whole(flow)])
    assert count(writer, "bodies") == 1
    assert stored(writer) < 10_200
    (sheet,) = writer.base.execute("SELECT length(content) FROM sheets").fetchone()
    assert sheet < 11_000
    assert list(kept(writer, flow).values()) == [body, body, answer, answer]


def test_a_body_that_differs_in_a_word_costs_a_word(writer: Writer) -> None:
    """As where only the model is another upstream."""
    rest = noise(10_000, 1)
    flow = answered(begun(b'{"model":"opus"}' + rest, forwarded=b'{"model":"big"}' + rest), [])
    writer.write([whole(flow)])
    assert stored(writer) < 10_200
    assert kept(writer, flow)["forwarded", 0] == b'{"model":"big"}' + rest


def test_a_conversation_costs_what_is_new_in_each_turn(writer: Writer) -> None:
    """However long it has become, also where marks move and each call has a number of its own behind the rest."""
    said, tools = noise(20_000, 1), noise(20_000, 2)
    flows, raw, sent = [], 0, []
    for turn in range(40):
        said += noise(300, 10 + turn)
        sent.append(said + b"<mark>" + tools + f"<call {turn}>".encode())
        raw += 2 * len(sent[-1])
        flows.append(call(sent[-1]))
        writer.write([whole(flows[-1])])
    assert [kept(writer, flow)["client_request", 0] for flow in flows] == sent
    assert stored(writer) < raw / 10


def test_a_translation_stands_on_the_one_before(writer: Writer) -> None:
    """It begins and ends otherwise than what the client said, which holds all of its words; the first is kept on that,
    and each one after it costs what is new.
    """
    said = [noise(300, number).hex().encode() for number in range(20)]
    costs = []
    for turn in range(4):
        asked = b"{" + b",".join(said) + b",turn %d}" % turn
        forwarded = b"[" + b";".join(reversed(said)) + b";turn %d]" % turn
        before = stored(writer)
        flow = answered(begun(asked, forwarded=forwarded))
        writer.write([whole(flow)])
        costs.append(stored(writer) - before)
        assert kept(writer, flow)["forwarded", 0] == forwarded
    assert max(costs[1:]) < 200


def test_no_tower_is_higher_than_its_bound(writer: Writer) -> None:
    """To read a body all below it are read; the same body again is none above, and a body is never stored twice."""
    body = noise(2_000, 1)
    for turn in range(3 * DEEPEST):
        body += noise(10, turn)
        writer.write([whole(answered(begun(b"{}" + body, forwarded=b"{forwarded}" + body), []))])
    bases = dict(writer.base.execute("SELECT id, base FROM bodies").fetchall())

    def height(body: int) -> int:
        return 0 if bases[body] is None else 1 + height(bases[body])

    assert max(map(height, bases)) == DEEPEST + 1
    assert sum(base is None for base in bases.values()) == 3


def test_retries_stand_beside_each_other(writer: Writer) -> None:
    """Each request to an upstream with its answer."""
    flow = begun(b"x" * 1000)
    assert flow.tape is not None
    flow.tape.begin("upstream_response", "429 Too Many Requests", (), b"wait")
    flow.tape.begin("forwarded", "POST https://q.example/", (), b"y" * 1000)
    answered(flow, [b"fine"])
    writer.write([whole(flow)])
    again = reading.messages_of(writer.base, flow.id)
    assert [(message.kind, message.number, message.body[:4]) for message in again] == [
        ("client_request", 0, b"xxxx"),
        ("forwarded", 0, b"xxxx"),
        ("upstream_response", 0, b"wait"),
        ("forwarded", 1, b"yyyy"),
        ("upstream_response", 1, b"fine"),
        ("client_response", 1, b"fine"),
    ]


def test_what_was_not_kept_is_told(writer: Writer) -> None:
    """A body over the limit is cut, one that was dropped is missing; both tell how long they were."""
    flow = answered(begun(b"x" * 100, limit=60), [])
    assert flow.tape is not None
    flow.tape.messages[1].pieces = []
    writer.write([whole(flow)])
    client, forwarded, *_ = reading.messages_of(writer.base, flow.id)
    assert (client.body, client.size, client.cut) == (b"x" * 60, 100, True)
    assert (forwarded.pieces, forwarded.size) == ([], 100)


@pytest.mark.parametrize("before", [True, False], ids=["after one without", "alone"])
@pytest.mark.parametrize("where", [0, 9_990, 10_000, 20_000], ids=str)
def test_secrets_are_not_written(writer: Writer, where: int, before: bool) -> None:
    """Wherever they stand in a body, also where most of it has been looked at before."""
    clean = noise(20_000, 1)
    body = clean[:where] + SECRET + clean[where:]
    if before:
        flow = call(clean)
        assert flow.tape is not None
        flow.tape.masks.append(masked)
        writer.write([whole(flow)])
    flow = answered(begun(body), [SECRET[:5], SECRET[5:], b"more"])
    assert flow.tape is not None
    flow.tape.masks.append(masked)
    flow.tape.begin("forwarded", "GET https://q.example/?key=" + SECRET.decode(), [("x", SECRET.decode())], b"")
    writer.write([whole(flow)])
    again = kept(writer, flow)
    assert again["client_request", 0] == clean[:where] + b"***" + clean[where:]
    assert again["client_response", 0] == b"***more"
    dumped = "\n".join(writer.base.iterdump()).encode()
    assert SECRET not in dumped
    assert SECRET.hex().upper().encode() not in dumped


class Mask:
    """Takes the secret out, and notices half of it."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, data: bytes) -> bytes:
        self.asked += 1
        return masked(data)

    def may_be_in(self, data: bytes) -> bool:
        return SECRET[:10] in data or SECRET[10:] in data


def stream(*texts: bytes) -> list[bytes]:
    """An answer that says these texts, an event for each."""
    event = b'event: delta\ndata:  {"type": "delta", "index": 0, "delta": {"text": "%s"}}\n\n'
    return [event % text for text in texts]


def of_stream(
    writer: Writer, request: bytes, pieces: list[bytes], mask: Mask, *, in_parts: bool = False
) -> list[bytes]:
    """The pieces of an answer as they are kept."""
    flow = begun(request)
    assert flow.tape is not None
    flow.tape.masks.append(mask)
    if in_parts:  # it takes its time
        writer.write([Entry(flow, flow.tape.taken(), flow.tape.masks, final=False)])
    flow = answered(flow, pieces)
    writer.write([whole(flow)])
    (answer,) = [each for each in reading.messages_of(writer.base, flow.id) if each.kind == "client_response"]
    assert len(answer.moments) == len(answer.pieces)
    return answer.pieces


def test_a_secret_in_two_events_is_not_written(writer: Writer) -> None:
    """The text is cleaned that they spell together, which is in pieces still; other events stay as they were sent."""
    pieces = stream(b"It is ", SECRET[:13], SECRET[13:] + b".", b"Good.")
    kept = of_stream(writer, REQUEST, pieces, Mask())
    assert [kept[0], kept[3]] == [pieces[0], pieces[3]]
    assert len(kept) == 4
    said = [json.loads(piece.partition(b"data: ")[2])["delta"]["text"] for piece in kept]
    assert "".join(said) == "It is ***.Good."


@pytest.mark.parametrize("in_parts", [False, True], ids=["short", "long"])
@pytest.mark.parametrize("size", [0, 5_000], ids=["on the sheet", "apart"])
def test_what_a_model_was_told_it_may_repeat_word_by_word(writer: Writer, size: int, in_parts: bool) -> None:
    """So the answer to a request with a secret in it is read whole, however small its pieces are."""
    request = b'{"messages": "my key is ' + SECRET + b" " + noise(size, 1).hex().encode() + b'"}'
    pieces = stream(*(SECRET[at : at + 3] for at in range(0, len(SECRET), 3)))
    kept = of_stream(writer, request, pieces, Mask(), in_parts=in_parts)
    said = [json.loads(piece.partition(b"data: ")[2])["delta"]["text"] for piece in kept if b"data: " in piece]
    assert "".join(said) == "***"
    assert len(kept) == len(pieces)
    assert not writer._telling


def test_without_a_trace_of_a_secret_nothing_is_looked_at(writer: Writer) -> None:
    """A request and its answer are asked about once, and stay as they are."""
    mask = Mask()
    pieces = stream(b"It is ", SECRET[:5], b"Good.")
    assert of_stream(writer, REQUEST, pieces, mask) == pieces
    assert mask.asked <= 1


def test_a_secret_that_becomes_known_later_is_not_stood_upon(writer: Writer) -> None:
    """A body that was kept before anybody knew what was secret in it is none that another may stand on unseen."""
    body = noise(5_000, 1) + SECRET + noise(5_000, 2)
    writer.write([whole(call(body))])
    flow = call(body)
    assert flow.tape is not None
    flow.tape.masks.append(masked)
    writer.write([whole(flow)])
    assert SECRET not in kept(writer, flow)["client_request", 0]


def test_nothing_of_a_batch_that_breaks_is_there(writer: Writer) -> None:
    """And what comes after it stands on nothing that was not written."""
    body = noise(5_000, 1)
    bad = call(body)
    bad.events = 2**70
    with pytest.raises(OverflowError):
        writer.write([whole(call(body)), whole(bad)])
    assert [count(writer, table) for table in ("flows", "sheets", "bodies", "contents", "samples")] == [0] * 5
    flow = call(body)
    writer.write([whole(flow)])
    assert kept(writer, flow)["client_request", 0] == body


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_base_that_was_deleted_is_stood_upon_no_more(writer: Writer, tmp_path: Path, elsewhere: bool) -> None:
    """Somebody else cleared the file, or it was trimmed."""
    body = noise(5_000, 1)
    writer.write([whole(call(body))])
    if elsewhere:
        Archive(tmp_path / "flows.db").clear()
    else:
        retention.delete(writer.base, "1", [], usage=False)
        writer.rest()
    flow = call(body + b"more")
    writer.write([whole(flow)])
    assert kept(writer, flow)["client_request", 0] == body + b"more"


def test_what_holds_a_body_is_counted(writer: Writer) -> None:
    """By each call that has it and each body that stands on it."""
    body = noise(5_000, 1)
    for each in (body, body, body + b"more"):
        writer.write([whole(answered(begun(each), []))])
    assert writer.base.execute("SELECT refs FROM bodies ORDER BY id").fetchall() == [(2 + 1,), (1,)]


def test_a_row_that_is_gone_is_written_anew(writer: Writer) -> None:
    """It was cleared while the call was under way."""
    flow = begun()
    writer.write([Entry(flow, [], [], False)])
    writer.base.execute("DELETE FROM flows")
    writer.write([whole(answered(flow))])
    assert writer.base.execute("SELECT outcome FROM flows").fetchall() == [("ok",)]


def test_what_dead_writers_left_open_is_lost(tmp_path: Path, writer: Writer) -> None:
    """Whoever begins to write closes it; what living ones have open stays so."""
    dead, living = begun(), begun()
    writer.write([Entry(dead, [], [], False), Entry(living, [], [], False)])
    writer.base.execute("INSERT INTO writers VALUES (99, ?, NULL, 0)", (2**22 + 1,))
    writer.base.execute("UPDATE flows SET writer = 99 WHERE id = ?", (dead.id,))
    Writer(tmp_path / "flows.db", {}).close()
    rows = dict(writer.base.execute("SELECT id, outcome FROM flows").fetchall())
    assert rows == {dead.id: "lost", living.id: "running"}


def test_samples_are_bounded(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be more kinds of clients than are worth it; their heads are kept all the same."""
    monkeypatch.setattr("strowger.flows.writer._SAMPLES", 6)
    flows = []
    for number in range(10):
        flow = call()
        flow.provider = f"p{number}"
        flows.append(flow)
    writer.write([whole(flow) for flow in flows])
    assert count(writer, "samples") == 7  # six kinds, and one for all the rest
    assert all(reading.messages_of(writer.base, flow.id)[0].line == "POST /v1/messages" for flow in flows)


def test_a_file_that_was_taken_away_is_noticed(writer: Writer, tmp_path: Path) -> None:
    """SQLite would write on into nothing."""
    assert not writer.is_stale()
    (tmp_path / "flows.db").rename(tmp_path / "elsewhere.db")
    assert writer.is_stale()
    sqlite3.connect(tmp_path / "flows.db").close()
    assert writer.is_stale()
