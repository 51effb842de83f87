"""What a foreign member costs."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.dialects.base import Loss
from strowger.dialects.losses import extras_losses, refuse_extras, thinking_loss, unique
from strowger.errors import Unsupported
from strowger.ir.request import Signed, Thinking


def test_each_foreign_member_is_one_loss_with_its_path() -> None:
    """Unknown members may change the answer; book-keeping is known not to."""
    lost = extras_losses({"metadata": Raw(b'{"a":1}'), "seed": Raw(b"1")}, "messages[0]")
    assert [(loss.path, loss.severity) for loss in lost] == [
        ("messages[0].metadata", "info"),
        ("messages[0].seed", "warning"),
    ]


def test_pages_beside_an_answer_are_told_in_it() -> None:
    """But the same word elsewhere asks for something."""
    pages = {"citations": Raw(b'["https://a.test"]'), "search_results": Raw(b'[{"url":"https://a.test"}]')}
    assert extras_losses(pages, "") == []
    assert [loss.severity for loss in extras_losses({"citations": Raw(b'{"enabled":true}')}, "p")] == ["warning"]


def test_members_that_say_nothing_are_no_loss() -> None:
    """Null, an empty list and an empty object carry nothing."""
    assert extras_losses({"a": Raw(b"null"), "b": Raw(b"[]"), "c": Raw(b"{}")}, "") == []


def test_a_member_of_the_top_has_its_bare_name() -> None:
    """There is no dot where there is nothing before it."""
    assert extras_losses({"seed": Raw(b"1")}, "", "why")[0] == Loss("seed", "why", "warning")


def test_the_same_loss_is_told_once() -> None:
    """Order is kept."""
    a, b = Loss("a", "x"), Loss("b", "x")
    assert unique([b, a, b]) == (b, a)


def test_settings_that_are_grouped_in_an_object_are_a_loss_each() -> None:
    """Gemini groups its settings; each says something of its own, and some say what everyone does anyway."""
    lost = extras_losses({"generationConfig": Raw(b'{"candidateCount":1,"topA":2,"speechConfig":{}}')}, "")
    assert [loss.path for loss in lost] == ["generationConfig.topA"]


@pytest.mark.parametrize(
    "key, value",
    [
        ("n", b"2"),
        ("modalities", b'["audio"]'),
        ("generationConfig", b'{"candidateCount":2}'),
        ("generation_config", b'{"candidate_count":3}'),
        ("cachedContent", b'"cachedContents/x"'),
        ("background", b"true"),
        ("conversation", b'"conv_1"'),
        ("previous_response_id", b'"resp_1"'),
        ("prompt", b'{"id":"pmpt_1"}'),
    ],
)
def test_what_cannot_be_dropped_without_a_lie_is_refused(key: str, value: bytes) -> None:
    """Several answers, spoken answers, a prompt of which a part is kept elsewhere."""
    with pytest.raises(Unsupported):
        refuse_extras({key: Raw(value)}, "This provider")


def test_what_asks_for_nothing_special_is_not_refused() -> None:
    """One answer is what everyone gives."""
    extras = {"n": Raw(b"1"), "generationConfig": Raw(b'{"candidateCount":1}')}
    refuse_extras(extras, "This provider")
    assert extras_losses(extras, "") == []
    refuse_extras({"background": Raw(b"false"), "conversation": Raw(b"null")}, "This provider")


def test_a_conversation_that_only_its_vendor_can_read_is_a_serious_loss() -> None:
    """Thinking of others is dropped without harm; what a vendor compacted was the conversation itself."""
    thought = Thinking("", Signed("openai", "openai_responses:reasoning", "b"))
    compacted = Thinking("", Signed("openai", "openai_responses:compaction", "b"))
    assert thinking_loss(thought, "p") == Loss(
        "p", "thinking that was not signed by this provider (but by openai)", "info"
    )
    assert thinking_loss(compacted, "p").severity == "error"
    assert "nobody" in thinking_loss(Thinking("t"), "p").reason
