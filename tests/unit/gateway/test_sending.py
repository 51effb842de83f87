"""One request to a provider, over a transport that only notes what it is given."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from strowger.auth.credential import Credential
from strowger.config.references import Secret
from strowger.gateway.sending import Sender, mask
from strowger.providers.base import Account, Provider
from strowger.providers.quota import Reading
from strowger.providers.terms import Facts, Terms
from strowger.upstreams.base import Headers, Incoming, Outgoing

CALL = Outgoing(
    "POST", "http://127.0.0.1/v1", (("X-Own", "1"), ("Authorization", "Bearer client"), ("x-account", "theirs")), b"{}"
)


class Answer:
    """An answer without a body."""

    ended = True

    def __init__(self, status: int) -> None:
        self.status = status
        self.closed = False
        self.headers: Mapping[str, str] = {"x-left": "9"}
        self.header_items: Headers = (("x-left", "9"),)

    async def read(self) -> bytes:
        return b""

    async def read_all(self, limit: int) -> bytes:
        return b""

    def close(self) -> None:
        self.closed = True


class Wire:
    """Answers with these statuses, one after another."""

    def __init__(self, *statuses: int) -> None:
        self.sent: list[Outgoing] = []
        self.answers = [Answer(status) for status in statuses]

    async def open(self, out: Outgoing) -> Incoming:
        self.sent.append(out)
        if out.aside is not None:
            out.aside(b'{"left": 5}')
        return self.answers[len(self.sent) - 1]

    async def aclose(self) -> None:
        """Nothing is open."""


class Turning:
    """A source that has another secret after each refusal, `times` times."""

    def __init__(self, times: int) -> None:
        self._left = times
        self._number = 0

    async def credential(self) -> Credential:
        return Credential("authorization", Secret(f"secret-{self._number}"), companions=(("X-Account", "me"),))

    def invalidate(self, used: Credential) -> bool:
        if not self._left:
            return False
        self._left -= 1
        self._number += 1
        return True

    def known(self) -> Credential | None:
        return None


class Marking(Terms):
    """Terms that can be seen."""

    def outgoing(self, out: Outgoing, facts: Facts, used: object) -> Outgoing:
        return Outgoing(out.method, out.url + "?marked", out.headers, out.body, aside=out.aside)

    def reading(self, headers: Mapping[str, str], now: float) -> Reading | None:
        return Reading(at=now, plan=f"head {headers['x-left']}")

    def aside(self, event: bytes, now: float) -> Reading | None:
        return Reading(at=now, plan=f"aside {event.decode()}")


def provider(source: Turning, terms: Terms) -> Provider:
    url = "http://127.0.0.1/v1"
    return Provider(
        name="p",
        dialect="openai_chat",
        base_url=url,
        url=url,
        models_url=url,
        count_tokens_url="",
        accounts=(Account("default", source),),
        terms=terms,
        default_headers=(("x-version", "7"),),
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    "statuses, changes, expected",
    [((200,), 1, 200), ((401, 200), 1, 200), ((401, 401), 5, 401), ((401,), 0, 401), ((403,), 5, 403)],
)
async def test_replay(statuses: tuple[int, ...], changes: int, expected: int) -> None:
    """After a 401 a request goes out once more, if there may be another credential; the first answer is closed."""
    wire = Wire(*statuses)
    sent = await Sender(wire, lambda *_: None).open(provider(Turning(changes), Terms()), CALL, Facts())
    assert sent.incoming.status == expected
    assert len(wire.sent) == len(statuses)
    assert all(answer.closed for answer in wire.answers[:-1])
    assert sent.masked(b"it was secret-1 or secret-0") == (
        b"it was *** or secret-0" if len(statuses) == 2 else b"it was secret-1 or ***"
    )


@pytest.mark.anyio
async def test_what_leaves() -> None:
    """The provider's credential takes the place of any other, with what goes along; the terms have the last word."""
    wire = Wire(200)
    notes: list[tuple[str, str | None]] = []
    sender = Sender(
        wire, lambda provider, account, reading: notes.append((account.name if account else "", reading.plan))
    )
    await sender.open(provider(Turning(0), Marking()), CALL, Facts())
    assert wire.sent[0].url == CALL.url + "?marked"
    assert wire.sent[0].headers == (
        ("X-Own", "1"),
        ("x-version", "7"),
        ("authorization", "Bearer secret-0"),
        ("X-Account", "me"),
    )
    assert notes == [("default", 'aside {"left": 5}'), ("default", "head 9")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sent, left",
    [
        ("a-2025-01-01, redact-thinking-2026-02-12,b", ["a-2025-01-01,b"]),
        ("redact-thinking-2026-02-12", []),
        ("a-2025-01-01", ["a-2025-01-01"]),
    ],
)
async def test_betas_that_the_user_does_not_want(sent: str, left: list[str]) -> None:
    """They are taken out of the client's list, by globs; the rest of it and all other headers stay."""
    wire = Wire(200)
    lines = (("X-Own", "redact-thinking-1"), ("Anthropic-Beta", sent))
    wanted = replace(provider(Turning(0), Terms()), without_betas=("Redact-Thinking-*",))
    await Sender(wire, lambda *_: None).open(wanted, replace(CALL, headers=lines), Facts())
    found = dict(wire.sent[0].headers)
    assert found["X-Own"] == "redact-thinking-1"
    assert [value for name, value in wire.sent[0].headers if name.lower() == "anthropic-beta"] == left


@pytest.mark.anyio
@pytest.mark.parametrize("status, wanted, read", [(200, True, 1), (200, False, 0), (429, False, 1)])
async def test_headers_about_limits_are_read_when_wanted(status: int, wanted: bool, read: int) -> None:
    """They come with each answer and cost time, so a fresh reading is enough; a refusal is always read."""
    notes: list[str | None] = []
    sender = Sender(Wire(status), lambda _, __, reading: notes.append(reading.plan), lambda *_: wanted)
    await sender.open(provider(Turning(0), Marking()), CALL, Facts())
    assert notes.count("head 9") == read


def test_mask() -> None:
    """A secret is taken out of an answer with and without its scheme; short texts are left, being words."""
    masked = mask([Secret("Bearer abcdefgh"), Secret("abc")])
    assert masked(b"Bearer abcdefgh, abcdefgh, abc") == b"Bearer ***, ***, abc"


def test_half_a_secret_is_noticed() -> None:
    """The other half may stand elsewhere; short ones are looked for as a whole, as their halves are words."""
    masked = mask([Secret("abcdefghijkl"), Secret("abacus")])
    for data in (b"-abcdefghijkl-", b"-abcdef", b"ghijkl-", b"-abcde fghijkl", b"-abacus-"):
        assert masked.may_be_in(data)
    for data in (b"", b"abcde", b"hijkl", b"aba", b"cus"):
        assert not masked.may_be_in(data)


def test_the_same_secrets_give_the_same_mask() -> None:
    """What has gone through it need not go through it again: bodies are large, and repeat themselves."""
    assert mask([Secret("abcdefgh"), Secret("12345678")]) is mask(iter([Secret("12345678"), Secret("abcdefgh")]))
    assert mask([Secret("abcdefgh")]) is not mask([Secret("12345678")])


@pytest.mark.parametrize("quoted", ["ab/cd+ef=", r"ab\/cd+ef=", "ab%2Fcd%2Bef%3D", r"ab/cd\u002bef\u003d"])
def test_mask_of_what_is_quoted_in_another_spelling(quoted: str) -> None:
    """Some servers escape a slash in JSON, or quote what they were sent as it would stand in an address."""
    assert mask([Secret("ab/cd+ef=")])(f"<{quoted}>".encode()) == b"<***>"
