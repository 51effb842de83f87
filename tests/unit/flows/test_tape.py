"""What passes by in one call."""

from __future__ import annotations

import pytest

from strowger.flows.tape import HIDDEN, Tape, is_secret, plain_url


class Clock:
    """Stands where it is put."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pieces_have_their_moments() -> None:
    """Since the call had been read, so an answer can be shown as it came."""
    clock = Clock()
    tape = Tape(100.0, 1000, clock)
    answer = tape.begin("upstream_response", "200", [("Content-Type", "text/event-stream")])
    for clock.now, piece in ((100.5, b"one"), (101.25, b"two")):
        tape.add(answer, piece)
    assert (answer.body, answer.moments, answer.size) == (b"onetwo", [0.5, 1.25], 6)


def test_requests_are_numbered_and_answers_go_with_them() -> None:
    """Which answer was to which request."""
    tape = Tape(0.0, 1000)
    tape.begin("client_request", "POST /v1/messages", (), b"{}")
    for _ in range(2):
        tape.begin("forwarded", "POST https://api.test/v1/messages", (), b"{}")
        tape.begin("upstream_response", "529", ())
    found = [(message.kind, message.number) for message in tape.messages]
    assert found == [
        ("client_request", 0),
        ("forwarded", 0),
        ("upstream_response", 0),
        ("forwarded", 1),
        ("upstream_response", 1),
    ]


def test_a_long_message_is_kept_to_the_limit_and_says_so() -> None:
    """Memory is bounded; what was too much is counted."""
    tape = Tape(0.0, 10)
    answer = tape.begin("upstream_response", "200", ())
    for piece in (b"12345678", b"90ab", b"c"):
        tape.add(answer, piece)
    assert (answer.body, answer.size, answer.cut) == (b"12345678", 13, True)
    request = tape.begin("client_request", "POST /", (), b"x" * 50)
    assert (len(request.body), request.size, request.cut) == (10, 50, True)


def test_many_pieces_are_packed_and_come_back() -> None:
    """A long stream takes little room until it is over, and nothing of it is lost: not a piece, not a moment."""
    clock = Clock()
    tape = Tape(100.0, 1_000_000, clock)
    answer = tape.begin("upstream_response", "200", ())
    pieces = [b'data: {"delta":"word %d"}\n\n' % number for number in range(1000)]
    for number, piece in enumerate(pieces):
        clock.now = 100.0 + number / 8
        tape.add(answer, piece)
    assert len(answer.pieces) < 100
    assert sum(len(fold.content) for fold in answer.folds) < answer.size / 4
    then = answer.so_far()
    tape.add(answer, b"last")
    found = answer.unfolded()
    assert found.body == answer.body == b"".join([*pieces, b"last"])
    assert found.pieces == [*pieces, b"last"]
    assert found.moments == [number / 8 for number in range(1000)] + [999 / 8]
    assert found.kept == found.size == len(found.body)
    assert then.unfolded().pieces == pieces
    assert (found.without_body().pieces, found.without_body().folds) == ([], [])
    answer.forget()
    assert (answer.unfolded().pieces, answer.kept) == ([], 0)


def test_a_long_stream_is_cut_where_its_limit_is() -> None:
    """Also when what came before has been packed."""
    tape = Tape(0.0, 640)
    answer = tape.begin("upstream_response", "200", ())
    for _ in range(65):
        tape.add(answer, b"0123456789")
    assert (answer.pieces, answer.kept, answer.size, answer.cut) == ([], 640, 650, True)
    assert answer.unfolded().body == b"0123456789" * 64


def test_requests_can_be_taken_while_the_answer_comes() -> None:
    """They are large, and the answer may take minutes."""
    tape = Tape(0.0, 1000)
    tape.begin("client_request", "POST /", (), b"{}")
    tape.begin("forwarded", "POST https://api.test/", (), b"{}")
    tape.begin("upstream_response", "200", ())
    assert [message.kind for message in tape.taken()] == ["client_request", "forwarded"]
    assert [message.kind for message in tape.messages] == ["upstream_response"]
    assert tape.taken() == []


@pytest.mark.parametrize(
    "name",
    "Authorization X-Api-Key Proxy-Authorization Cookie Set-Cookie x-goog-api-key X-Amz-Security-Token api-key "
    "x-strowger-token ChatGPT-Account-Id X-My-Secret api_key".split(),
)
def test_what_credentials_travel_in_is_secret(name: str) -> None:
    """None of it is ever on a tape."""
    tape = Tape(0.0, 10)
    message = tape.begin("forwarded", "POST /", [(name, "planted-secret")])
    assert is_secret(name)
    assert "planted" not in str(message.headers)


@pytest.mark.parametrize("name", "Content-Type anthropic-ratelimit-tokens-remaining x-request-id User-Agent".split())
def test_what_else_is_said_stays(name: str) -> None:
    """Limits are counted in tokens, and are what one looks for."""
    assert not is_secret(name)


def test_the_scheme_of_a_credential_stays_to_be_seen() -> None:
    """Whether it was a Bearer token or a key is half of many mistakes."""
    tape = Tape(0.0, 10)
    assert tape.begin("forwarded", "", [("Authorization", "Bearer abc")]).headers[0][1] == f"Bearer {HIDDEN}"
    assert tape.begin("forwarded", "", [("Authorization", "abc")]).headers[0][1] == HIDDEN


def test_a_key_in_an_address_is_hidden() -> None:
    """Google's clients send theirs so."""
    assert plain_url("POST https://g.test/v1?alt=sse&key=abc") == f"POST https://g.test/v1?alt=sse&key={HIDDEN}"
    assert plain_url("/v1?access_token=abc&x=1") == f"/v1?access_token={HIDDEN}&x=1"
    assert plain_url("/v1/messages?beta=true") == "/v1/messages?beta=true"
