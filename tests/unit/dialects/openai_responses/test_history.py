"""Messages become input items: the own as they were, foreign ones in the forms that the API documents."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.envelope import seal
from strowger.dialects.openai_responses.wire import COMPACTION_BLOB, CONTINUE, PLAIN, REASONING, TOOL_ERROR
from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    Citation,
    Document,
    FileId,
    Image,
    InlineText,
    Message,
    Opaque,
    Part,
    Refusal,
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
from tests.unit.dialects.openai_responses.asking import (
    CODEX,
    COMPATIBLE,
    OPENAI,
    Json,
    body,
    foreign,
    items,
    parsed,
    sent,
)

USER = Message("user", (Text("hi"),))
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "done"}
FUNCTION = {"type": "function", "name": "f", "parameters": {}}


def user(*parts: Part) -> list[Json]:
    """The content of the one message that a user's parts become."""
    (message,) = items(Message("user", parts))
    content: list[Json] = message["content"]
    return content


def reasons(request: Request, **caps: object) -> list[str]:
    return [loss.reason for loss in sent(request, replace(OPENAI, **caps))[1]]


# ---- foreign messages ----


def test_a_foreign_conversation() -> None:
    """Text, thinking, calls and results as items, in their order."""
    call = ToolCall("c", "f", '{"a":1}')
    given = items(
        USER,
        Message("assistant", (Text("let me"), call)),
        Message("user", (ToolResult("c", (Text("x"), Text("y"))), Text("go on"))),
    )
    assert given == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "message", "role": "assistant", "content": "let me"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c", "output": "x\n\ny"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go on"}]},
    ]


def test_empty_texts_are_left_out() -> None:
    """Other dialects allow them; whole messages of them too."""
    assert items(Message("user", (Text(""), Text("a"))), Message("assistant", (Text(""),))) == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    ]


def test_leading_system_text_is_the_instructions() -> None:
    """Together with that which stands apart."""
    request = foreign(Message("system", (Text("b"),)), Message("developer", (Text("c"),)), USER, system=(Text("a"),))
    written = sent(request)[0]
    assert written["instructions"] == "a\n\nb\n\nc"
    assert len(written["input"]) == 1


def test_later_system_text_is_a_developers() -> None:
    """In its place; a note of the user's where that cannot be."""
    messages = (USER, Message("system", (Text("mind"),)), USER)
    assert items(*messages)[1]["role"] == "developer"
    noted = items(*messages, caps=replace(OPENAI, mid_system=False))[1]
    assert noted["role"] == "user"
    assert noted["content"][0]["text"] == "<system-reminder>\nmind\n</system-reminder>"


def test_what_only_its_vendor_knows_is_a_loss() -> None:
    """Claude Code's attribution in the system text, opaque parts, what a vendor's own tool did."""
    attribution = Opaque("anthropic", "attribution", Raw(b"{}"))
    request = foreign(
        Message("user", (Opaque("anthropic", "search_result", Raw(b"{}")), Text("hi"))),
        Message("assistant", (ServerToolCall("s", "web_search", "{}"), Text("ok"))),
        system=(attribution,),
    )
    written, losses = sent(request)
    assert "instructions" not in written
    assert [(loss.path, loss.severity) for loss in losses] == [
        ("system[0]", "info"),
        ("messages[0].content[0]", "warning"),
        ("messages[1].content[0]", "warning"),
    ]


def test_what_a_foreign_part_has_beside_its_text_is_a_loss() -> None:
    """Members, citations, cache hints, the speaker's name."""
    text = Text("hi", CacheHint(), (Citation(Raw(b"{}")),), {"later": Raw(b"1")})
    told = reasons(foreign(Message("user", (text,), name="bob")))
    assert len(told) == 4


@pytest.mark.parametrize(
    "part,node",
    [
        (Image(Url("https://x")), {"type": "input_image", "image_url": "https://x", "detail": "auto"}),
        (
            Image(Base64("", "AA=="), "low"),
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
        ),
        (
            Document(Base64("application/pdf", "AA==")),
            {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "document.pdf"},
        ),
        (Document(Url("https://x"), "t"), {"type": "input_file", "file_url": "https://x", "filename": "t"}),
        (
            Document(InlineText("words"), "t"),
            {"type": "input_text", "text": '<document title="t">\nwords\n</document>'},
        ),
        (ToolReference("later"), {"type": "input_text", "text": "Tool later is now available."}),
        (Image(FileId("f")), {"type": "input_text", "text": "[image omitted]"}),
        (Document(FileId("f")), {"type": "input_text", "text": "[document omitted]"}),
        (Audio("AA==", "wav"), {"type": "input_text", "text": "[audio omitted: wav]"}),
    ],
)
def test_a_foreign_part(part: Part, node: Json) -> None:
    """As the API documents it, or a note in its place."""
    assert user(part) == [node]


@pytest.mark.parametrize(
    "part,caps,note",
    [
        (Image(Base64("image/gif", "AA==")), {"images": False}, "[image omitted: image/gif]"),
        (Image(Url("https://x")), {"image_urls": False}, "[image omitted: https://x]"),
        (Document(Base64("", "AA==")), {"documents": False}, "[document omitted: unknown type]"),
    ],
)
def test_what_the_target_cannot_see(part: Part, caps: Json, note: str) -> None:
    """A note says what was there, and the loss is an error."""
    written, losses = sent(foreign(Message("user", (part,))), replace(OPENAI, **caps))
    assert written["input"][0]["content"] == [{"type": "input_text", "text": note}]
    assert losses[0].severity == "error"


def test_the_models_own_messages_are_text() -> None:
    """Refusals are; pictures that other models make cannot come back."""
    given = items(USER, Message("assistant", (Refusal("no"), Image(Base64("image/png", "AA==")), Text("ok"))), USER)
    assert [item["content"] for item in given[1:4]] == ["no", "[image omitted]", "ok"]


def test_a_failed_tool_says_so() -> None:
    """There is no member for it."""
    call = Message("assistant", (ToolCall("c", "f", ""),))
    failed = items(USER, call, Message("tool", (ToolResult("c", (Text("x"),), is_error=True),)))
    assert failed[1]["arguments"] == "{}"
    assert failed[2]["output"] == f"{TOOL_ERROR}x"
    picture = ToolResult("c", (Image(Url("https://x")), Text("")), is_error=True)
    shown = items(USER, call, Message("tool", (picture,)))[2]["output"]
    assert [part.get("text") for part in shown] == [TOOL_ERROR.strip(), None]
    assert items(USER, call, Message("tool", (ToolResult("c"),)))[2]["output"] == "(no output)"


def test_ids_and_names_are_made_to_fit() -> None:
    """The same for call and result; the names are told, so that they can be restored."""
    call = ToolCall("i" * 80, "mcp.tool", "{}")
    request = foreign(USER, Message("assistant", (call,)), Message("tool", (ToolResult("i" * 80),)))
    written = sent(request)[0]["input"]
    assert written[1]["call_id"] == written[2]["call_id"]
    assert len(written[1]["call_id"]) <= 64
    assert written[1]["name"] == "mcp__tool"


def test_free_text_calls() -> None:
    """As custom calls where there are such, else as functions with one input."""
    messages = (
        USER,
        Message("assistant", (ToolCall("c", "p", "x", kind="custom"),)),
        Message("tool", (ToolResult("c"),)),
    )
    assert [item["type"] for item in items(*messages)[1:]] == ["custom_tool_call", "custom_tool_call_output"]
    plain = items(*messages, caps=COMPATIBLE)[1:]
    assert [item["type"] for item in plain] == ["function_call", "function_call_output"]
    assert plain[0]["arguments"] == '{"input":"x"}'


def test_a_message_that_the_model_shall_continue() -> None:
    """Where it does not, it is asked to."""
    messages = (USER, Message("assistant", (Text("once"),)))
    assert items(*messages)[-1]["content"] == "once"
    asked, losses = sent(foreign(*messages), replace(OPENAI, prefill=False))
    assert asked["input"][-1]["content"][0]["text"] == CONTINUE
    assert losses[-1].path == "messages[1]"


# ---- thinking ----


@pytest.mark.parametrize(
    "thought,item",
    [
        (
            Thinking("hm", Signed("openai", REASONING, "x", "rs_1")),
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "x",
            },
        ),
        (
            Thinking("", Signed("openai", REASONING, "x")),
            {"type": "reasoning", "summary": [], "encrypted_content": "x"},
        ),
        (Thinking("", Signed("openai", PLAIN, "", "rs_1")), {"type": "reasoning", "id": "rs_1", "summary": []}),
        (
            Thinking("", Signed("openai", COMPACTION_BLOB, "x", "cmp_1")),
            {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
        ),
    ],
)
def test_thinking_goes_home(thought: Thinking, item: Json) -> None:
    """Through whichever client it came."""
    assert items(USER, Message("assistant", (thought, Text("ok"))))[1] == item


@pytest.mark.parametrize(
    "thought",
    [
        Thinking("hm"),
        Thinking("hm", Signed("anthropic", "anthropic:signature", "x")),
        Thinking("hm", Signed("openai", "openai_chat:reasoning_details", "x")),
        Thinking("hm", Signed("openai", "openai_responses:new", "x")),
        Thinking("hm", Signed("elsewhere", REASONING, "x")),
        Thinking("", Signed("", "damaged", "")),
    ],
)
def test_thinking_of_others_stays_behind(thought: Thinking) -> None:
    """Nobody else could read it, and the vendor refuses what it did not write."""
    written, losses = sent(foreign(USER, Message("assistant", (thought, Text("ok")))))
    assert [item["type"] for item in written["input"]] == ["message", "message"]
    assert [loss.severity for loss in losses] == ["info"]


# ---- messages of this dialect, for targets that do not take all of it ----


def test_bare_thinking_goes_to_the_vendor_only() -> None:
    """A compatible server did not write it."""
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    request = parsed(body({"role": "user", "content": "hi"}, reasoning))
    assert reasoning in sent(request)[0]["input"]
    assert len(sent(request, COMPATIBLE)[0]["input"]) == 1


def test_an_envelope_in_an_own_body_is_opened() -> None:
    """And its state given to its issuer."""
    sealed = seal(Signed("openai", REASONING, "x", "rs_1"))
    reasoning = {"type": "reasoning", "id": "rs_0", "summary": [], "encrypted_content": sealed}
    (item,) = sent(parsed(body(reasoning)))[0]["input"]
    assert (item["encrypted_content"], item["id"]) == ("x", "rs_1")


def test_system_messages_where_only_developers_speak() -> None:
    """The ChatGPT backend refuses the role."""
    request = parsed(body({"role": "system", "content": "mind"}))
    assert sent(request)[0]["input"][0]["role"] == "developer"
    assert sent(request, COMPATIBLE)[0]["input"][0]["role"] == "system"


def test_ids_of_another_server_are_left_out() -> None:
    """The vendor refuses an id that does not begin as its own do; without one it takes the item."""
    request = parsed(body({**CALL, "id": "76f8b89e"}, {**CALL, "id": "fc_1"}, {**CALL, "id": None}))
    assert [item.get("id", "gone") for item in sent(request, CODEX)[0]["input"]] == ["gone", "fc_1", None]
    assert sent(request)[0]["input"][0]["id"] == "76f8b89e"


def test_the_vendors_own_items_as_what_all_know() -> None:
    """Calls of its client-run tools become those of functions, groups a name, found tools a text."""
    request = parsed(
        body(
            {"type": "local_shell_call", "call_id": "a", "action": {"command": ["ls"]}},
            {"type": "local_shell_call_output", "call_id": "a", "output": "x"},
            {"type": "tool_search_call", "call_id": "b", "execution": "client", "arguments": {"query": "f"}},
            {"type": "tool_search_output", "call_id": "b", "tools": [FUNCTION]},
            {**CALL, "namespace": "g"},
            OUTPUT,
            {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "d", "output": "done"},
        )
    )
    written = sent(request, COMPATIBLE)[0]
    assert [item["type"] for item in written["input"]] == ["function_call", "function_call_output"] * 4
    assert [item["name"] for item in written["input"][::2]][:2] == ["local_shell", "tool_search"]
    assert json.loads(written["input"][0]["arguments"]) == {"command": ["ls"]}
    assert written["input"][3]["output"] == "Tool f is now available."
    assert written["input"][4]["name"] == "g__f"
    assert written["input"][6]["arguments"] == '{"input":"x"}'
    assert [tool["name"] for tool in written["tools"]] == ["f"]


def test_own_pictures_that_the_target_cannot_see() -> None:
    """A note stands in their place, also in a result."""
    picture = {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"}
    request = parsed(body({"role": "user", "content": [picture]}, CALL, {**OUTPUT, "output": [picture]}))
    written = sent(request, replace(OPENAI, images=False))[0]["input"]
    note = [{"type": "input_text", "text": "[image omitted: https://x/y.png]"}]
    assert (written[0]["content"], written[2]["output"]) == (note, note)


# ---- compaction where the target is no compactor ----


def test_a_compaction_is_asked_for_in_words() -> None:
    """A compatible server knows neither the item nor the endpoint."""
    request = parsed(
        body({"role": "user", "content": "hi"}, {"type": "compaction_trigger", "id": "ct"}, tools=[FUNCTION])
    )
    written = sent(request, COMPATIBLE)[0]
    assert "hand-over summary" in written["input"][-1]["content"]
    assert "id" not in written["input"][-1]
    assert written["tool_choice"] == "none"
    assert sent(request)[0]["input"][-1] == {"type": "compaction_trigger", "id": "ct"}
