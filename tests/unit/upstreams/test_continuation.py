"""When a request only adds to the last one: what clients may change of an answer they repeat, and what they may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from strowger.upstreams.continuation import Asked, Heard, Said, added, news, taken_apart

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
MORE = {"type": "message", "role": "user", "content": "and now?"}
THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "gA",
}
ANSWER = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "phase": "commentary",
    "content": [{"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}],
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "ls",
    "arguments": '{"path": "/", "all": true}',
    "status": "completed",
}
PATCH = {
    "type": "custom_tool_call",
    "id": "ctc_1",
    "call_id": "call_2",
    "name": "patch",
    "input": "x",
    "status": "completed",
}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "a b"}


def asked(*items: Any, **more: Any) -> Asked:
    """A request, as it comes off the line."""
    body = {"model": "gpt-5.5", "stream": True, "store": False, "input": list(items), **more}
    apart = taken_apart(msgspec.json.decode(msgspec.json.encode(body), type=dict[str, msgspec.Raw]))
    assert apart is not None
    return apart


def answered(request: Asked, *output: Any, last: str = "response.completed", repeats: Any = ()) -> Said | None:
    """What is remembered of a request and the events of its answer."""
    heard = Heard(request)
    for index, item in enumerate(output):
        event = {"type": "response.output_item.done", "output_index": index, "item": item}
        heard.event("response.output_item.done", msgspec.json.encode(event))
    heard.event(last, msgspec.json.encode({"type": last, "response": {"id": "resp_1", "output": list(repeats)}}))
    return heard.said()


def without(item: dict[str, Any], *names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names} | more


@pytest.mark.parametrize(
    "output, repeated",
    [
        ((ANSWER,), (ANSWER,)),
        ((ANSWER,), (without(ANSWER, "id", "status", "phase"),)),
        ((ANSWER,), ({"role": "assistant", "content": "hello"},)),
        ((ANSWER,), (without(ANSWER, content=[{"type": "output_text", "text": "hello"}]),)),
        ((CALL,), (without(CALL, "id", "status"),)),
        ((CALL,), (without(CALL, arguments='{"all":true,"path":"/"}'),)),
        ((CALL,), (without(CALL, internal_chat_message_metadata_passthrough={"turn_id": "t"}),)),
        ((PATCH,), (without(PATCH, "id", "status"),)),
        ((THOUGHT, CALL), (THOUGHT, CALL)),
        ((THOUGHT, CALL), (without(THOUGHT, content=None), CALL)),
        ((THOUGHT, CALL), (without(THOUGHT, "id", summary=[]), CALL)),
        ((THOUGHT, CALL), (CALL,)),
        ((THOUGHT, ANSWER, THOUGHT | {"id": "rs_2"}, CALL), (ANSWER, CALL)),
        ((SEARCH, ANSWER), (without(SEARCH, "status"), ANSWER)),
        ((), ()),
    ],
    ids=str,
)
def test_repeated(output: tuple[Any, ...], repeated: tuple[Any, ...]) -> None:
    """An answer that is repeated as the API would read it alike: only what is new has to be sent."""
    said = answered(asked(USER), *output)
    again = asked(USER, *repeated, MORE)
    start = news(said, again)
    assert start == 1 + len(repeated)
    assert said is not None
    told = msgspec.json.decode(msgspec.json.encode(added(said, again, start)))
    assert told == {
        "model": "gpt-5.5",
        "stream": True,
        "store": False,
        "previous_response_id": "resp_1",
        "input": [MORE],
    }


@pytest.mark.parametrize(
    "output, repeated",
    [
        ((ANSWER,), ()),
        ((ANSWER,), (without(ANSWER, content="hello!"),)),
        ((ANSWER,), (without(ANSWER, "content"),)),
        ((ANSWER,), (without(ANSWER, id="msg_2"),)),
        ((ANSWER,), (without(ANSWER, phase="final_answer"),)),
        ((ANSWER,), (without(ANSWER, role="user"),)),
        (
            (ANSWER,),
            (without(ANSWER, content=[{"type": "output_text", "text": "hel"}, {"type": "output_text", "text": "lo"}]),),
        ),
        ((CALL,), (without(CALL, name="rm"),)),
        ((CALL,), (without(CALL, namespace="x"),)),
        ((CALL,), (without(CALL, arguments="{}"),)),
        ((CALL,), (without(CALL, arguments="not json"),)),
        ((CALL,), (without(CALL, "arguments"),)),
        ((CALL,), (without(CALL, extra=1),)),
        ((PATCH,), (without(PATCH, input="y"),)),
        ((THOUGHT, CALL), (without(THOUGHT, encrypted_content="gB"), CALL)),
        ((THOUGHT, CALL), (without(THOUGHT, "id", "encrypted_content"), CALL)),
        ((CALL, THOUGHT), (CALL, without(THOUGHT, encrypted_content="gB"))),
        ((CALL, ANSWER), (ANSWER, CALL)),
        ((SEARCH, ANSWER), (ANSWER,)),
        ((SEARCH, ANSWER), (without(SEARCH, action={"type": "search", "query": "r"}), ANSWER)),
        ((ANSWER,), (ANSWER, ANSWER)),
        ((CALL,), ({"id": "fc_1"},)),
        ((CALL,), ("text",)),
    ],
    ids=str,
)
def test_changed(output: tuple[Any, ...], repeated: tuple[Any, ...]) -> None:
    """An answer that the client has changed, or that may mean something else: everything has to be sent."""
    assert news(answered(asked(USER), *output), asked(USER, *repeated, MORE)) is None


def test_the_past_must_be_the_same() -> None:
    """A changed, shortened or reordered past is another conversation."""
    said = answered(asked(USER, MORE), ANSWER)
    for items in ((MORE, USER, ANSWER, MORE), (USER, ANSWER, MORE), (USER,), ()):
        assert news(said, asked(*items)) is None
    assert news(said, asked(USER, MORE, ANSWER, RESULT)) == 3


def test_something_must_be_new() -> None:
    """Asking the same again, or after the answer without a word, is asked in full."""
    said = answered(asked(USER), ANSWER)
    assert news(said, asked(USER)) is None
    assert news(said, asked(USER, ANSWER)) is None


@pytest.mark.parametrize(
    "more", [{"model": "gpt-5.4"}, {"tools": []}, {"instructions": "x"}, {"reasoning": None}], ids=str
)
def test_members_must_be_the_same(more: dict[str, Any]) -> None:
    """A member that came, went or changed: the upstream would go on from something else."""
    said = answered(asked(USER), ANSWER)
    assert news(said, asked(USER, ANSWER, MORE, **more)) is None
    assert news(answered(asked(USER, **more), ANSWER), asked(USER, ANSWER, MORE)) is None
    assert news(answered(asked(USER, **more), ANSWER), asked(USER, ANSWER, MORE, **more)) == 2


def test_labels_may_change() -> None:
    """`client_metadata` has the turn and the time in it, and Codex goes on with another one each time."""
    said = answered(asked(USER, client_metadata={"turn": "1"}), ANSWER)
    assert news(said, asked(USER, ANSWER, MORE, client_metadata={"turn": "2"})) == 2


@pytest.mark.parametrize(
    "own", [{"previous_response_id": "resp_0"}, {"conversation": "c"}, {"generate": False}], ids=str
)
def test_own_way(own: dict[str, Any]) -> None:
    """A client that goes on by itself, or asks for no answer, is left to it."""
    assert answered(asked(USER, **own), ANSWER) is None
    assert news(answered(asked(USER), ANSWER), asked(USER, ANSWER, MORE, **own)) is None


def test_only_from_a_complete_answer() -> None:
    """Of an answer that failed, broke off or was told in two ways nothing is remembered."""
    assert answered(asked(USER), ANSWER, last="response.incomplete") is None
    assert answered(asked(USER), ANSWER, last="response.failed") is None
    assert answered(asked(USER), ANSWER, repeats=(ANSWER,)) is not None
    assert answered(asked(USER), ANSWER, repeats=(THOUGHT, ANSWER)) is None
    assert Heard(asked(USER)).said() is None


@pytest.mark.parametrize("event", [b"{", b"[]", b'{"item":{}}', b'{"output_index":0,"item":3}', b"\xff"])
def test_doubtful_events(event: bytes) -> None:
    """An event that cannot be understood leaves nothing to go on from."""
    heard = Heard(asked(USER))
    heard.event("response.output_item.done", event)
    heard.event("response.completed", b'{"response":{"id":"resp_1"}}')
    assert heard.said() is None


def test_the_same_place_twice() -> None:
    """Two items at one place: which is it?"""
    heard = Heard(asked(USER))
    for _ in range(2):
        heard.event("response.output_item.done", msgspec.json.encode({"output_index": 0, "item": ANSWER}))
    heard.event("response.completed", b'{"response":{"id":"resp_1"}}')
    assert heard.said() is None


def test_no_list_of_items() -> None:
    """A request without a list of items is not taken apart."""
    for raw in (b'"hi"', b"null", b"{}", b'{"'):
        assert taken_apart({"input": msgspec.Raw(raw)}) is None
    assert taken_apart({}) is None


def test_nothing_is_shown() -> None:
    """Neither a request nor what is remembered of one is printed with its words."""
    said = answered(asked(USER), ANSWER)
    assert "hello" not in repr(said)
    assert "hi" not in repr(asked(USER))
