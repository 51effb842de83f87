"""Messages of another dialect become messages of this one; what a target cannot take is translated or told."""

from __future__ import annotations

from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.dialects.openai_chat.wire import (
    CONTINUE,
    NO_OUTPUT,
    NO_REASONING,
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


def test_pictures_of_a_result_stay_where_they_are_taken() -> None:
    """Moonshot's servers do; that it is an error is a part of its own then."""
    able = replace(PLAIN, tool_result_images=True)
    request = said(ASK, user(result("1", Text("seen"), PNG, is_error=True)))
    assert [part["type"] for part in messages(request, able)[1]["content"]] == ["text", "text", "image_url"]


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


def test_servers_that_insist_on_thinking_get_a_blank() -> None:
    """On every turn that has none, unless thinking is off."""
    caps = replace(REPLAY, thinking_required_in_tool_loops=True)
    request = said(user(Text("a")), ASK, user(result("1", Text("out"))))
    assert messages(request, caps)[1]["reasoning_content"] == NO_REASONING
    assert "reasoning_content" not in messages(replace(request, reasoning=Reasoning("disabled")), caps)[1]
    assert messages(thought(OWN), caps)[1]["reasoning_content"] == "own"


# ---- texts that are empty ----


def test_empty_texts_are_left_out_where_they_are_refused() -> None:
    """Beside a call, among parts, as a whole message; a result says that there was no output."""
    caps = Capabilities(origin="here", empty_text=False)
    ours = parsed(
        messages=[
            {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "go"}]},
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "1", "content": ""},
            {"role": "assistant", "content": "\n"},
            {"role": "user", "content": "on"},
        ]
    )
    assert messages(ours, caps) == [
        {"role": "user", "content": [{"type": "text", "text": "go"}]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": NO_OUTPUT},
        {"role": "user", "content": "on"},
    ]
    theirs = said(user(Text("go")), Message("assistant", (Text("\n"), *ASK.parts)), user(result("1")))
    assert messages(theirs, caps)[1:] == [
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": NO_OUTPUT},
    ]
    assert messages(ours)[2]["content"] == ""


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
