"""One conversation that changes its vendor again and again: what each has signed comes home to it, and to nobody else.

All fakes verify what they signed, and refuse what another has made; so a conversation that ends well has kept every
thinking block, encrypted reasoning and thought signature apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from tests.e2e import clients
from tests.e2e.clients import claude, required
from tests.e2e.codex import codex, codex_home, said
from tests.e2e.exchange import MODELS, TOKEN, Exchange
from tests.fakes.brain import RESULT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# There and back again; at each stop a tool is called.
JOURNEY = ("cloud", "codexb", "gem", "cloud", "gem", "resp", "gpt", "codexb", "cloud", "gem")
SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
ANSWER = f"FAKE-DONE: the tool said «{RESULT}»."


def check(exchange: Exchange, journey: tuple[str, ...]) -> None:
    """Every vendor was asked twice at each stop, and refused nothing; all calls made one way or the other."""
    for provider in set(journey):
        assert len(exchange.upstream(provider)) == 2 * journey.count(provider)
    # Some libraries hang up on the last event, before the end of the body.
    assert {flow["outcome"] for flow in exchange.flows()} <= {"ok", "cancelled"}


def signed(value: Any) -> list[str]:
    """Every signature, encrypted content and thought signature in a body."""
    if isinstance(value, list):
        return [found for each in value for found in signed(each)]
    if not isinstance(value, dict):
        return []
    names = ("signature", "encrypted_content", "thoughtSignature")
    here = [value[name] for name in names if isinstance(value.get(name), str) and value[name]]
    return here + [found for each in value.values() for found in signed(each)]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "body"])
def test_anthropic_sdk(exchange: Exchange, stream: bool) -> None:
    """A client of Anthropic's dialect, with thinking on."""
    client = anthropic.Anthropic(base_url=exchange.base_url, api_key=TOKEN, max_retries=0)
    tools: list[Any] = [{"name": "bash", "description": "Runs a command.", "input_schema": SCHEMA}]
    messages: list[Any] = []

    def ask(model: str) -> anthropic.types.Message:
        call: dict[str, Any] = {"model": model, "max_tokens": 4000, "tools": tools, "messages": messages}
        call["thinking"] = {"type": "adaptive"}
        if not stream:
            whole: anthropic.types.Message = client.messages.create(**call)
            return whole
        with client.messages.stream(**call) as told:
            return told.get_final_message()

    for stop in JOURNEY:
        messages.append({"role": "user", "content": f"At {stop}: RUN_TOOL"})
        answer = ask(MODELS[stop])
        messages.append({"role": "assistant", "content": [block.to_dict() for block in answer.content]})
        calls = [block for block in answer.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in calls]
        assert len(results) == 1
        messages.append({"role": "user", "content": results})
        answer = ask(MODELS[stop])
        messages.append({"role": "assistant", "content": [block.to_dict() for block in answer.content]})
        assert [block.text for block in answer.content if block.type == "text"] == [ANSWER]
    check(exchange, JOURNEY)
    # At its third visit Anthropic sees all that it signed at the first two, and nothing that others did.
    assert len(signed(exchange.upstream("cloud")[-1].body)) >= 5
    assert len(signed(exchange.upstream("gem")[-1].body)) >= 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "body"])
def test_openai_responses_sdk(exchange: Exchange, stream: bool) -> None:
    """A client of OpenAI's Responses, which keeps the conversation itself."""
    client = openai.OpenAI(base_url=f"{exchange.base_url}/v1", api_key=TOKEN, max_retries=0)
    tools: list[Any] = [{"type": "function", "name": "bash", "parameters": SCHEMA, "strict": False}]
    items: list[Any] = []
    # The Codex backend has streams only, and its own clients ask for nothing else.
    journey = JOURNEY if stream else tuple("resp" if stop == "codexb" else stop for stop in JOURNEY)

    def ask(model: str) -> list[Any]:
        call: dict[str, Any] = {"model": model, "input": items, "tools": tools, "store": False}
        call |= {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium", "summary": "auto"}}
        if not stream:
            whole: openai.types.responses.Response = client.responses.create(**call)
            return whole.output
        # The Codex backend tells no output at the end, so clients gather it.
        told = client.responses.create(**call, stream=True)
        return [event.item for event in told if event.type == "response.output_item.done"]

    for stop in journey:
        items.append({"role": "user", "content": f"At {stop}: RUN_TOOL"})
        output = ask(MODELS[stop])
        items.extend(item.to_dict() for item in output)
        calls = [item for item in output if item.type == "function_call"]
        assert len(calls) == 1
        items.append({"type": "function_call_output", "call_id": calls[0].call_id, "output": RESULT})
        output = ask(MODELS[stop])
        items.extend(item.to_dict() for item in output)
        assert [part.text for item in output if item.type == "message" for part in item.content] == [ANSWER]
    check(exchange, journey)
    assert len(signed(exchange.upstream(journey[-3])[-1].body)) >= 3
    assert len(signed(exchange.upstream("cloud")[-1].body)) >= 5


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "body"])
def test_google_sdk(exchange: Exchange, stream: bool) -> None:
    """A client of Gemini's dialect, with thoughts included."""
    client = genai.Client(api_key=TOKEN, http_options=types.HttpOptions(base_url=exchange.base_url))
    declared = types.FunctionDeclaration(name="bash", description="Runs a command.", parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        thinking_config=types.ThinkingConfig(include_thoughts=True),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    contents: list[Any] = []

    def ask(model: str) -> types.Content:
        if not stream:
            whole = client.models.generate_content(model=model, contents=contents, config=config)
            assert whole.candidates
            assert whole.candidates[0].content
            return whole.candidates[0].content
        parts: list[types.Part] = []
        for chunk in client.models.generate_content_stream(model=model, contents=contents, config=config):
            for candidate in chunk.candidates or ():
                parts += candidate.content.parts or () if candidate.content else ()
        return types.Content(role="model", parts=parts)

    for stop in JOURNEY:
        contents.append(types.Content(role="user", parts=[types.Part(text=f"At {stop}: RUN_TOOL")]))
        answer = ask(MODELS[stop])
        contents.append(answer)
        (call,) = (part.function_call for part in answer.parts or () if part.function_call)
        result = types.FunctionResponse(id=call.id, name=call.name, response={"output": RESULT})
        contents.append(types.Content(role="user", parts=[types.Part(function_response=result)]))
        answer = ask(MODELS[stop])
        contents.append(answer)
        assert "".join(part.text or "" for part in answer.parts or () if not part.thought) == ANSWER
    check(exchange, JOURNEY)
    assert len(signed(exchange.upstream("gem")[-1].body)) >= 3
    assert len(signed(exchange.upstream("codexb")[-1].body)) >= 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "body"])
def test_openai_chat_sdk(exchange: Exchange, stream: bool) -> None:
    """A client of Chat, which has no place for what others sign; so nobody gets any of it."""
    exchange.reasoning_comes_home(False)
    client = openai.OpenAI(base_url=f"{exchange.base_url}/v1", api_key=TOKEN, max_retries=0)
    tools: list[Any] = [{"type": "function", "function": {"name": "bash", "parameters": SCHEMA}}]
    messages: list[Any] = []

    def ask(model: str) -> Any:
        if not stream:
            return client.chat.completions.create(model=model, messages=messages, tools=tools).choices[0].message
        with client.chat.completions.stream(model=model, messages=messages, tools=tools) as told:
            return told.get_final_completion().choices[0].message

    def sent_back(answer: Any) -> dict[str, Any]:
        """The message without what the library adds of its own."""
        message = {"role": "assistant", "content": answer.content}
        if not answer.tool_calls:
            return message
        calls = [call.to_dict() for call in answer.tool_calls]
        kept = [
            {key: call[key] for key in ("id", "type", "function", "extra_content") if key in call} for call in calls
        ]
        for call in kept:
            call["function"].pop("parsed_arguments", None)
        return {**message, "tool_calls": kept}

    for stop in JOURNEY:
        messages.append({"role": "user", "content": f"At {stop}: RUN_TOOL"})
        answer = ask(MODELS[stop])
        messages.append(sent_back(answer))
        assert len(answer.tool_calls) == 1
        messages.append({"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": RESULT})
        answer = ask(MODELS[stop])
        messages.append(sent_back(answer))
        assert answer.content == ANSWER
    check(exchange, JOURNEY)


@pytest.mark.client
def test_claude_code(exchange: Exchange, home: Path) -> None:
    """Claude Code, whose session is resumed with another model each time."""
    program = required(clients.claude_329(), "claude-2.1.329")
    journey = ("cloud", "codexb", "gem", "cloud")
    names = {"cloud": "claude-opus-5-5", "codexb": "claude-codexb-gpt-5.5", "gem": "claude-gem-gemini-3-flash-preview"}
    resume: tuple[str, ...] = ()
    for stop in journey:
        ran = claude(program, home, exchange.base_url, f"At {stop}: RUN_TOOL", "--model", names[stop], *resume)
        assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
        assert RESULT in ran.result["result"]
        resume = ("--resume", ran.result["session_id"])
    for provider in names:
        assert len(exchange.upstream(provider)) == 2 * journey.count(provider)


@pytest.mark.client
def test_codex(exchange: Exchange, home: Path) -> None:
    """Codex, whose session is resumed with another model each time, over a WebSocket."""
    program = required(clients.codex(), "codex")
    journey = ("codexb", "cloud", "gem", "codexb", "gpt", "cloud")
    resume: tuple[str, ...] = ()
    for stop in journey:
        codex_home(home, exchange.base_url, MODELS[stop], sockets=True)
        ran = codex(program, home, f"At {stop}: RUN_TOOL", *resume)
        assert ran.code == 0, ran.out
        assert RESULT in said(ran)
        resume = ("resume", next(line["thread_id"] for line in ran.lines if line["type"] == "thread.started"))
    for provider in set(journey):
        assert len(exchange.upstream(provider)) == 2 * journey.count(provider)
