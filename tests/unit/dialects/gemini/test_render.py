"""The middle form to a body, in the envelope where that is spoken."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Spot
from strowger.errors import Unsupported
from tests.unit.dialects.gemini.asking import GEMINI_3, HELLO, asked, lost, parse, said, sent, user

ASSIST = replace(GEMINI_3, code_assist=True, project="mine", cache_key=True)
ENVELOPE: Any = {
    "model": "gemini-2.5-pro",
    "project": "theirs",
    "user_prompt_id": "u",
    "request": {"contents": [HELLO], "session_id": "s"},
}


def test_the_public_api_wants_no_model() -> None:
    """The URL has it, as it has whether the answer is streamed."""
    assert sent(said(user("a"), stream=True)) == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}


def test_code_assist_wants_an_envelope() -> None:
    """With the model, the project and the conversation."""
    assert sent(said(user("a"), cache_key="k"), ASSIST) == {
        "model": "gemini-x",
        "project": "mine",
        "request": {"contents": [{"role": "user", "parts": [{"text": "a"}]}], "session_id": "k"},
    }


def test_an_envelope_for_another_project() -> None:
    """The client's own stays, but for the model and the project that the route names."""
    request = parse(ENVELOPE, Spot(form="code_assist"))
    assert sent(request, ASSIST) == {**ENVELOPE, "model": "gemini-x", "project": "mine"}
    assert sent(request, replace(ASSIST, project=""))["project"] == "theirs"


def test_an_envelope_is_taken_off_for_the_public_api() -> None:
    """Which knows neither project nor session."""
    assert sent(parse(ENVELOPE, Spot(form="code_assist"))) == {"contents": [HELLO]}


def test_a_public_body_goes_into_an_envelope() -> None:
    """The other way round."""
    assert sent(asked(), ASSIST) == {"model": "gemini-x", "project": "mine", "request": {"contents": [HELLO]}}


@pytest.mark.parametrize(
    "tier, tiers, found", [("flex", ("flex",), "flex"), ("default", ("standard",), "standard"), ("priority", (), None)]
)
def test_tiers(tier: str, tiers: tuple[str, ...], found: str | None) -> None:
    """In Google's words, where the provider has them."""
    caps = replace(GEMINI_3, service_tiers=tiers)
    assert sent(said(tier=tier), caps).get("serviceTier") == found
    assert lost(said(tier=tier), caps) == ([] if found else [("service_tier", "info")])


def test_an_own_tier_that_the_provider_lacks_is_not_sent() -> None:
    """In either spelling."""
    assert sent(asked(service_tier="flex")).keys() == {"contents"}


@pytest.mark.parametrize(
    "extras", [{"n": Raw(b"2")}, {"modalities": Raw(b'["text","audio"]')}, {"previous_response_id": Raw(b'"r"')}]
)
def test_what_would_be_a_lie_is_refused(extras: Any) -> None:
    """Several answers, a spoken one, a conversation that is kept elsewhere."""
    with pytest.raises(Unsupported):
        sent(said(extras=extras))


def test_members_of_others_are_told() -> None:
    """Each by its name."""
    assert lost(said(extras={"logit_bias": Raw(b'{"1":2}'), "metadata": Raw(b'{"a":1}')})) == [
        ("logit_bias", "warning"),
        ("metadata", "info"),
    ]


def test_own_members_stay() -> None:
    """Whatever Google may know."""
    body: Any = {"safetySettings": [{"category": 10}], "labels": {"a": "b"}, "new": 1}
    assert sent(asked(**body)) == {"contents": [HELLO], **body}
