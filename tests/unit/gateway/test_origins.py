"""Who signed what."""

from __future__ import annotations

from strowger.gateway.origins import Origins
from strowger.ir.request import Message, Request, Signed, Text, Thinking, ToolCall

OURS = "c2lnbmF0dXJlLW9mLW9uZQ=="
THEIRS = "c2lnbmF0dXJlLW9mLW90aGVy"


def body(signature: str) -> bytes:
    return b'{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature": "%s"}]}]}' % (
        signature.encode()
    )


def request(signature: str) -> Request:
    thinking = Thinking("x", Signed("anthropic", "anthropic:signature", signature))
    return Request("anthropic", "m", (Message("user", (Text("hi"),)), Message("assistant", (thinking,))))


def test_a_signature_that_passed_is_known_by_its_issuer() -> None:
    """Sent to its issuer the body passes, sent elsewhere it must be read."""
    origins = Origins()
    origins.note(Signed("deepseek", "anthropic:signature", THEIRS))
    assert origins.all_from(body(THEIRS), "deepseek")
    assert not origins.all_from(body(THEIRS), "anthropic")


def test_a_signature_from_before_our_time_passes() -> None:
    """Nothing is known of it, so it is the client's word that counts."""
    origins = Origins()
    origins.note(Signed("deepseek", "anthropic:signature", THEIRS))
    assert origins.all_from(body(OURS), "anthropic")
    assert origins.attribute(request(OURS)) == request(OURS)


def test_a_bare_signature_is_given_to_whom_we_know() -> None:
    """The renderer then sends it home, or drops it with a loss."""
    origins = Origins()
    origins.note(Signed("deepseek", "anthropic:signature", THEIRS))
    part = origins.attribute(request(THEIRS)).messages[1].parts[0]
    assert isinstance(part, Thinking)
    assert part.signed == Signed("deepseek", "anthropic:signature", THEIRS)
    assert part.text == "x"


def test_a_message_is_given_the_same_way_in_every_turn() -> None:
    """It is the same object, by which who writes it knows it, until another issuer is known."""
    origins, turn = Origins(), request(THEIRS)
    origins.note(Signed("deepseek", "anthropic:signature", THEIRS))
    first, again = origins.attribute(turn), origins.attribute(turn)
    assert first.messages[0] is turn.messages[0]
    assert first.messages[1] is not turn.messages[1]
    assert again.messages[1] is first.messages[1]
    origins.note(Signed("kimi", "anthropic:signature", THEIRS))
    part = origins.attribute(turn).messages[1].parts[0]
    assert isinstance(part, Thinking)
    assert part.signed == Signed("kimi", "anthropic:signature", THEIRS)
    origins.note(Signed("anthropic", "anthropic:signature", THEIRS))
    assert origins.attribute(turn) is turn


def test_messages_of_many_turns_do_not_pile_up() -> None:
    """What is remembered of them is bounded in bytes."""
    origins = Origins()
    origins.note(Signed("deepseek", "anthropic:signature", THEIRS))
    for number in range(50):
        thinking = Thinking("x" * 200_000, Signed("anthropic", "anthropic:signature", THEIRS))
        said = Message("assistant", (thinking, Text(str(number)), ToolCall(f"c{number}", "ls", "{}")))
        origins.attribute(Request("anthropic", "m", (said,)))
    assert 1_000_000 < origins._given.held <= 4 * 1024 * 1024


def test_state_that_was_refused_is_nobodys() -> None:
    """Another account's: from then on it is not sent to anyone, and there is nothing more to give up."""
    origins = Origins()
    asked = request(OURS)
    assert origins.disown(asked)
    assert not origins.all_from(body(OURS), "anthropic")
    part = origins.attribute(asked).messages[1].parts[0]
    assert isinstance(part, Thinking)
    assert part.signed is not None
    assert part.signed.origin not in ("", "anthropic")
    assert not origins.disown(asked)
    assert not origins.disown(Request("anthropic", "m", (Message("user", (Text("hi"),)),)))


def test_memory_is_bounded() -> None:
    """The oldest is forgotten first."""
    origins = Origins(kept=2)
    for number in range(3):
        origins.note(Signed("deepseek", "anthropic:signature", f"{THEIRS}{number}"))
    assert origins.all_from(body(f"{THEIRS}0"), "anthropic")
    assert not origins.all_from(body(f"{THEIRS}2"), "anthropic")


def test_what_has_no_issuer_or_no_blob_is_not_kept() -> None:
    """Plain thinking has nothing that could be refused."""
    origins = Origins()
    origins.note(Signed("", "anthropic:signature", THEIRS))
    origins.note(Signed("deepseek", "anthropic:signature", ""))
    assert origins.all_from(body(THEIRS), "anthropic")


def test_signatures_are_looked_for_as_long_as_somebody_elses_are_known() -> None:
    """Where all known ones are of one issuer, his need not be looked for; one that changes hands counts once."""
    origins = Origins(kept=2)
    for _ in range(3):
        origins.note(Signed("anthropic", "anthropic:signature", OURS))
    assert origins.all_from(body(OURS), "anthropic")
    assert not origins.all_from(body(OURS), "deepseek")
    origins.note(Signed("deepseek", "anthropic:signature", OURS))
    assert not origins.all_from(body(OURS), "anthropic")
    assert origins.all_from(body(OURS), "deepseek")
    origins.note(Signed("anthropic", "anthropic:signature", THEIRS))
    assert not origins.all_from(body(OURS), "anthropic", (OURS,))
    assert origins.all_from(body(OURS), "anthropic", (THEIRS, ""))
    for blob in (THEIRS, "bmV3", "bmV3ZXI="):  # the other one's is forgotten
        origins.note(Signed("anthropic", "anthropic:signature", blob))
    assert origins.all_from(body(OURS), "anthropic")
