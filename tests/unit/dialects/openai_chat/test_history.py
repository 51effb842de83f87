"""Messages of another dialect become messages of this one; what a target cannot take is translated or told."""

from __future__ import annotations

from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects import envelope
from strowger.dialects.base import Capabilities
from strowger.dialects.openai_chat.wire import (
    CONTINUE,
    IMAGE_FOLLOWS,
    NO_OUTPUT,
    NO_REASONING,
    NO_RESULT,
    REASONING_DETAILS,
    TOOL_ERROR,
)
from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    Document,
    FileId,
    Image,
    InlineText,
    Message,
    Opaque,
    Part,
    Reasoning,
    Request,
    ServerToolCall,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)
from tests.unit.dialects.openai_chat.talk import Json, losses, parsed, rendered

PLAIN = Capabilities(origin="here")
PNG = Image(Base64("image/png", "AA=="))
ASK = Message("assistant", (ToolCall("1", "f", "{}"),))


def said(*messages: Message, **members: Any) -> Request:
    """A request that came from Anthropic."""
    return Request("anthropic", "m", messages, **members)


def user(*parts: Part) -> Message:
    return Message("user", parts)


def result(identity: str, *content: Any, **members: Any) -> ToolResult:
    return ToolResult(identity, content, **members)


def messages(request: Request, caps: Capabilities = PLAIN) -> list[Json]:
    sent: list[Json] = rendered(request, caps)["messages"]
    return sent


# ---- system ----


def test_system_text_is_one_leading_message() -> None:
    """Its blocks are paragraphs; the attribution block goes nowhere else."""
    request = said(
        user(Text("hi")),
        system=(Opaque("anthropic", "attribution", Raw(b'"x"')), Text("one"), Text(""), Text("two", cache=CacheHint())),
    )
    assert messages(request)[0] == {"role": "system", "content": "one\n\ntwo"}
    assert losses(request, PLAIN) == {"system[0]": "info", "cache_control": "info"}


def test_cache_hints_are_kept_where_they_are_taken() -> None:
    """Then the blocks stay apart."""
    request = said(system=(Text("one"), Text("two", cache=CacheHint("1h"))))
    assert messages(request, replace(PLAIN, cache_hints=True)) == [
        {
            "role": "system",
            "content": [
                {"type": "text", "text": "one"},
                {"type": "text", "text": "two", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ],
        }
    ]


def test_system_messages_in_between_stay_or_become_notes() -> None:
    """In place, in either case."""
    request = said(user(Text("a")), Message("system", (Text("be brief"),)), user(Text("b")))
    assert [message["role"] for message in messages(request)] == ["user", "system", "user"]
    assert messages(request, replace(PLAIN, mid_system=False))[1] == {
        "role": "user",
        "content": "<system-reminder>\nbe brief\n</system-reminder>",
    }


def test_a_leading_system_message_stays_where_none_may_stand_between() -> None:
    """Only those after the first turn are in between."""
    request = parsed(messages=[{"role": "developer", "content": "be"}, {"role": "user", "content": "hi"}])
    assert messages(request, replace(PLAIN, mid_system=False))[0] == {"role": "system", "content": "be"}


def test_the_system_role_is_the_targets() -> None:
    """Plain servers refuse `developer`; where it is wanted, foreign system text gets it."""
    request = said(user(Text("a")), system=(Text("be"),))
    assert messages(request, replace(PLAIN, system_role="developer"))[0]["role"] == "developer"
    own = parsed(messages=[{"role": "developer", "content": "be"}])
    assert messages(own, PLAIN)[0]["role"] == "system"


# ---- users ----


def test_texts_of_a_user_are_paragraphs() -> None:
    """One string: every server takes that."""
    assert messages(said(user(Text("a"), Text(""), Text("b")))) == [{"role": "user", "content": "a\n\nb"}]


def test_pictures_and_documents() -> None:
    """As parts, in their order."""
    pdf = Document(Base64("application/pdf", "AA=="), "a.pdf")
    request = said(user(Text("see"), PNG, pdf, Image(Url("https://x")), Document(InlineText("words"), "t")))
    assert messages(request)[0]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
        {"type": "image_url", "image_url": {"url": "https://x"}},
        {"type": "text", "text": '<document title="t">\nwords\n</document>'},
    ]


def test_what_the_model_cannot_see_is_named_in_its_place() -> None:
    """And is an error for those who want to know: the answer will be about something else."""
    blind = replace(PLAIN, images=False, documents=False, audio=False)
    request = said(
        user(PNG, Document(Base64("application/pdf", "AA==")), Audio("AA==", "wav"), Image(Url("https://x")))
    )
    assert messages(request, blind)[0]["content"] == (
        "[image omitted: image/png]\n\n[document omitted: application/pdf]\n\n[audio omitted: wav]\n\n"
        "[image omitted: https://x]"
    )
    assert set(losses(request, blind).values()) == {"error"}


def test_files_of_another_provider_cannot_be_had() -> None:
    """An id means nothing elsewhere; a URL is fetched where the provider does so."""
    request = said(user(Image(FileId("file_1")), Document(FileId("file_2")), Document(Url("https://x/a.pdf"))))
    assert (
        messages(request)[0]["content"]
        == "[image omitted]\n\n[document omitted]\n\n[document omitted: https://x/a.pdf]"
    )
    picture = said(user(Image(Url("https://x"))))
    assert messages(picture, replace(PLAIN, image_urls=False))[0]["content"] == "[image omitted: https://x]"


def test_foreign_nodes_are_dropped_with_a_loss() -> None:
    """Extras by their names, opaque parts whole."""
    request = said(user(Text("a", extras={"odd": Raw(b"1")}), Opaque("anthropic", "search_result", Raw(b"{}"))))
    assert messages(request) == [{"role": "user", "content": "a"}]
    assert losses(request, PLAIN) == {"messages[0].content[0].odd": "warning", "messages[0].content[1]": "warning"}


def test_a_message_of_nothing_is_not_sent() -> None:
    """Servers refuse it."""
    assert messages(said(user(Opaque("anthropic", "x", Raw(b"{}"))), user(Text("a")))) == [
        {"role": "user", "content": "a"}
    ]


# ---- results ----


def test_results_stand_right_behind_their_calls() -> None:
    """In the order of the calls; what the user said with them follows."""
    both = Message("assistant", (Text("go"), ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}")))
    request = said(user(Text("a")), both, user(Text("note"), result("2", Text("two")), result("1", Text("one"))))
    assert messages(request)[2:] == [
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
        {"role": "user", "content": "note"},
    ]


def test_results_in_two_turns_are_brought_together() -> None:
    """Anthropic takes neighbouring user turns as one."""
    both = Message("assistant", (ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}")))
    request = said(both, user(result("1", Text("one")), Text("a")), user(result("2", Text("two")), Text("b")))
    assert [message["role"] for message in messages(request)] == ["assistant", "tool", "tool", "user"]
    assert messages(request)[-1]["content"] == "a\n\nb"


def test_a_call_without_a_result_gets_a_note() -> None:
    """At the end, before the next turn, and before the user speaks."""
    for rest in ([], [user(Text("go on"))], [Message("assistant", (Text("hm"),))]):
        request = said(ASK, *rest)
        assert messages(request)[1] == {"role": "tool", "tool_call_id": "1", "content": NO_RESULT}
        assert "warning" in losses(request, PLAIN).values()


def test_a_result_without_a_call_becomes_text() -> None:
    """So does a second result for the same call."""
    request = said(user(result("9", Text("lost"))), ASK, user(result("1", Text("one")), result("1", Text("again"))))
    sent = messages(request)
    assert sent[0] == {"role": "user", "content": "[result of tool call 9]\n\nlost"}
    assert sent[2] == {"role": "tool", "tool_call_id": "1", "content": "one"}
    assert sent[3] == {"role": "user", "content": "[result of tool call 1]\n\nagain"}


def test_what_a_result_says() -> None:
    """Errors in words, nothing as a word, several texts as paragraphs, a loaded tool by its name."""
    for content, is_error, expected in (
        ((Text("a"), Text("b")), None, "a\n\nb"),
        ((Text("bad"),), True, f"{TOOL_ERROR}bad"),
        ((), None, NO_OUTPUT),
        ((Text(""),), None, NO_OUTPUT),
        ((), True, TOOL_ERROR + NO_OUTPUT),
        ((ToolReference("mcp__x"),), None, "Tool mcp__x is now available."),
    ):
        request = said(ASK, user(ToolResult("1", content, is_error)))
        assert messages(request)[1]["content"] == expected


def test_pictures_of_a_result_follow_in_a_user_message() -> None:
    """With a label, before what the user said; behind all results."""
    both = Message("assistant", (ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}")))
    request = said(both, user(result("1", Text("seen"), PNG), result("2", Text("two")), Text("so?")))
    sent = messages(request)
    assert sent[1]["content"] == f"seen\n\n{IMAGE_FOLLOWS}"
    assert sent[2]["content"] == "two"
    assert [part["type"] for part in sent[3]["content"]] == ["text", "image_url", "text"]
    assert sent[3]["content"][0]["text"] == "[from the result of tool call 1]"


def test_pictures_of_a_result_stay_where_they_are_taken() -> None:
    """Moonshot's servers do; that it is an error is a part of its own then."""
    able = replace(PLAIN, tool_result_images=True)
    request = said(ASK, user(result("1", Text("seen"), PNG, is_error=True)))
    assert [part["type"] for part in messages(request, able)[1]["content"]] == ["text", "text", "image_url"]


def test_pictures_in_results_of_this_dialect_move_too() -> None:
    """Before the next message, or at the end."""
    ask = {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}],
    }
    picture = {"type": "image_url", "image_url": {"url": "https://x"}}
    answered = {"role": "tool", "tool_call_id": "1", "content": [picture]}
    for rest in ([], [{"role": "assistant", "content": "hm"}], [{"role": "user", "content": "so?"}]):
        sent = messages(parsed(messages=[ask, answered, *rest]))
        assert sent[1]["content"] == [{"type": "text", "text": IMAGE_FOLLOWS}]
        assert sent[2]["role"] == "user"
        assert picture in sent[2]["content"]


def test_long_ids_are_shortened_alike_in_call_and_result() -> None:
    """And differently for different ids."""
    calls = Message("assistant", tuple(ToolCall(f"toolu_{'x' * 50}{i}", "f", "{}") for i in (1, 2)))
    answers = user(*(result(call.id, Text("out")) for call in calls.parts if isinstance(call, ToolCall)))
    for limit in (9, 40):
        asked, *replies = messages(said(calls, answers), replace(PLAIN, max_tool_id=limit))
        sent = [call["id"] for call in asked["tool_calls"]]
        assert sent == [reply["tool_call_id"] for reply in replies]
        assert len(set(sent)) == 2
        assert all(len(identity) <= limit for identity in sent)
        assert limit == 40 or all(identity.isalnum() for identity in sent)  # Mistral takes nine letters and digits


# ---- assistants ----


def test_words_of_an_assistant_are_one_text() -> None:
    """Its blocks are stretches of one answer; beside calls alone the content is null."""
    request = said(user(Text("a")), Message("assistant", (Text("one "), Text("two"))))
    assert messages(request)[1]["content"] == "one two"
    assert messages(said(ASK))[0]["content"] is None


def test_a_turn_of_thinking_alone_is_not_sent() -> None:
    """There is no such message here."""
    request = said(user(Text("a")), Message("assistant", (Thinking("hm"),)), user(Text("b")))
    assert [message["role"] for message in messages(request)] == ["user", "user"]


def test_what_a_vendors_own_tool_did_is_told_once() -> None:
    """A history is full of it."""
    request = said(*(Message("assistant", (Text("a"), ServerToolCall("s", "web_search", "{}"))) for _ in range(3)))
    assert list(losses(request, PLAIN).values()) == ["warning"]


def test_prefill() -> None:
    """Where the model does not continue its own words, it is asked to."""
    request = said(user(Text("a")), Message("assistant", (Text("The answer is"),)))
    assert messages(request)[-1]["role"] == "assistant"
    assert messages(request, replace(PLAIN, prefill=False))[-1] == {"role": "user", "content": CONTINUE}


# ---- thinking ----

SIGNED = Thinking("hm", Signed("anthropic", "anthropic:signature", "sig"))
OWN = Thinking("own", Signed("here", "openai_chat:reasoning", ""))
REPLAY = replace(PLAIN, thinking_replay="reasoning_content")


def thought(*parts: Part) -> Request:
    return said(user(Text("a")), Message("assistant", (*parts, Text("t"))), user(Text("b")))


def test_thinking_is_dropped_where_it_is_not_taken_back() -> None:
    """Once told, without effect on the answer."""
    request = thought(SIGNED, OWN)
    assert messages(request)[1] == {"role": "assistant", "content": "t"}
    assert list(losses(request, PLAIN).values()) == ["info"]


def test_thinking_goes_back_as_words() -> None:
    """Whoever thought it; a foreign signature stays behind and is told."""
    assert messages(thought(OWN, OWN), REPLAY)[1]["reasoning_content"] == "ownown"
    assert losses(thought(OWN), REPLAY) == {}
    assert messages(thought(SIGNED, OWN), REPLAY)[1]["reasoning_content"] == "hm\n\nown"
    assert list(losses(thought(SIGNED), REPLAY).values()) == ["info"]


def test_reasoning_details_go_back_to_their_issuer_only() -> None:
    """Exactly as they came; the words of others beside them."""
    details = '[{"type":"reasoning.encrypted","data":"x"}]'
    caps = replace(PLAIN, thinking_replay="reasoning_details")
    own = messages(thought(Thinking("own", Signed("here", REASONING_DETAILS, details)), SIGNED), caps)[1]
    assert own["reasoning_details"] == [{"type": "reasoning.encrypted", "data": "x"}]
    assert own["reasoning"] == "own\n\nhm"
    other = messages(thought(Thinking("", Signed("there", REASONING_DETAILS, details))), caps)[1]
    assert "reasoning_details" not in other


def test_envelopes_come_home() -> None:
    """What a client of this dialect brought back is state again, each signature with its own stretch of the text."""
    first, second = Signed("anthropic", "anthropic:signature", "1"), Signed("anthropic", "anthropic:signature", "2")
    redacted = Signed("anthropic", "anthropic:redacted", "3")
    details = [
        {"type": "reasoning.text", "signature": envelope.seal(first), "length": 2},
        {"type": "reasoning.encrypted", "data": envelope.seal(redacted)},
        {"type": "reasoning.text", "signature": envelope.seal(second), "length": 3},
    ]
    body = {"role": "assistant", "content": "t", "reasoning_content": "abcde", "reasoning_details": details}
    (message,) = parsed(messages=[body]).messages
    assert [(part.text, part.signed) for part in message.parts if isinstance(part, Thinking)] == [
        ("ab", first),
        ("", redacted),
        ("cde", second),
    ]


def test_a_single_signature_needs_no_length() -> None:
    """A client that keeps only what it knows of a detail loses nothing."""
    signed = Signed("anthropic", "anthropic:signature", "1")
    details = [{"type": "reasoning.text", "signature": envelope.seal(signed)}]
    body = {"role": "assistant", "content": "t", "reasoning_content": "hm", "reasoning_details": details}
    assert parsed(messages=[body]).messages[0].parts[0] == Thinking("hm", signed, "reasoning_content")


def test_a_text_that_was_changed_has_no_signature() -> None:
    """A signature of other words would be refused."""
    signed = Signed("anthropic", "anthropic:signature", "1")
    details = [{"type": "reasoning.text", "signature": envelope.seal(signed), "length": 2}] * 2
    body = {"role": "assistant", "content": "t", "reasoning_content": "cut", "reasoning_details": details}
    assert parsed(messages=[body]).messages[0].parts[0] == Thinking("cut", form="reasoning_content")


def test_servers_that_insist_on_thinking_get_a_blank() -> None:
    """On every turn that has none, unless thinking is off."""
    caps = replace(REPLAY, thinking_required_in_tool_loops=True)
    request = said(user(Text("a")), ASK, user(result("1", Text("out"))))
    assert messages(request, caps)[1]["reasoning_content"] == NO_REASONING
    assert "reasoning_content" not in messages(replace(request, reasoning=Reasoning("disabled")), caps)[1]
    assert messages(thought(OWN), caps)[1]["reasoning_content"] == "own"
