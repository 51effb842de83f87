"""The terms of OpenAI's hosts: what leaves for them, whatever it was that came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from strowger import __version__
from strowger.auth.credential import Credential
from strowger.config.references import Secret
from strowger.config.schema import ProviderConfig
from strowger.dialects.openai_responses.lite import MARK
from strowger.providers import PRESETS, build_provider
from strowger.providers.codex import MEMBERS, READS_MODELS_OF, Codex, Responses
from strowger.providers.terms import Facts
from strowger.upstreams.base import Outgoing, Socket

URL = "https://chatgpt.com/backend-api/codex/responses"
LOGIN = Credential("authorization", Secret("token"), companions=(("ChatGPT-Account-ID", "acct"),))
CALL = Facts(model="gpt-5.5", stream=True, session="s-1", flow="flow_1", dialect="anthropic")
PLAIN: dict[str, Any] = {"model": "gpt-5.5", "input": [], "store": False, "stream": True}


def codex(**more: Any) -> Codex:
    return Codex(ProviderConfig(preset="codex", **more))


def out(body: dict[str, Any] | bytes = b"", url: str = URL, **headers: str) -> Outgoing:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/json", "authorization": "Bearer token", "ChatGPT-Account-ID": "acct"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Outgoing("POST", url, tuple(lines.items()), data)


def sent(terms: Responses, body: dict[str, Any], facts: Facts = CALL, **headers: str) -> Outgoing:
    return terms.outgoing(out(body, **headers), facts, (LOGIN,))


def named(request: Outgoing) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


def test_we_say_who_we_are() -> None:
    """Whatever a client calls itself, the backend is asked by us; the login and its account go along."""
    client: dict[str, Any] = {
        "User_Agent": "codex_cli_rs/0.1",
        "originator": "codex_cli_rs",
        "X_OAI_Attestation": "a",
        "Cookie": "c",
    }
    headers = named(sent(codex(), PLAIN, **client, X_Stainless_OS="Linux"))
    assert headers["originator"] == "strowger"
    assert headers["user-agent"] == f"strowger/{__version__}"
    assert headers["authorization"] == "Bearer token"
    assert headers["chatgpt-account-id"] == "acct"
    assert headers["accept"] == "text/event-stream"
    assert not headers.keys() & {"x-oai-attestation", "cookie", "x-stainless-os"}


def test_configured_headers_travel() -> None:
    """Also those that the backend does not need, except a name that is not ours."""
    extra = (Credential("x-team", Secret("blue"), "raw"), Credential("user-agent", Secret("codex_cli_rs"), "raw"))
    request = out(PLAIN, X_Team="blue", User_Agent="codex_cli_rs")
    headers = named(codex().outgoing(request, CALL, (*extra, LOGIN)))
    assert headers["x-team"] == "blue"
    assert headers["user-agent"] == f"strowger/{__version__}"


def test_conversations_have_ids() -> None:
    """A sub-agent is a thread of its own within the session, under the same id each time."""
    main, sub = (named(sent(codex(), PLAIN, replace(CALL, agent_id=agent))) for agent in (None, "a7"))
    assert (main["session-id"], main["thread-id"], main["x-client-request-id"]) == ("s-1", "s-1", "s-1")
    assert sub["session-id"] == "s-1"
    assert sub["thread-id"] == sub["x-client-request-id"] != "s-1"
    assert named(sent(codex(), PLAIN, replace(CALL, agent_id="a7"))) == sub
    assert "session-id" not in named(sent(codex(), PLAIN, replace(CALL, session=None)))


def test_a_session_that_no_header_can_hold() -> None:
    """Is told by an id that is made of it."""
    headers = named(sent(codex(), PLAIN, replace(CALL, session="line\nbreak, 線")))
    assert headers["session-id"].isascii()
    assert headers["session-id"].isprintable()


def test_a_client_that_names_its_conversation_keeps_the_names() -> None:
    """Codex says more than we know, and it reaches its own backend."""
    given: dict[str, Any] = {
        "session_id": "mine",
        "thread_id": "t",
        "x_codex_window_id": "t:0",
        "x_openai_subagent": "review",
    }
    headers = named(sent(codex(), PLAIN, **given))
    assert (headers["session-id"], headers["thread-id"]) == ("mine", "t")
    assert (headers["x-codex-window-id"], headers["x-openai-subagent"]) == ("t:0", "review")
    assert "x-client-request-id" not in headers


def test_a_body_that_fits_is_not_touched() -> None:
    """Byte for byte."""
    body = b'{ "model":"gpt-5.5", "input":[ ],"store":false ,"stream":true,"service_tier":"flex"}'
    assert codex().outgoing(out(body), CALL, (LOGIN,)).body is body
    assert codex().outgoing(out(b"not JSON"), CALL, (LOGIN,)).body == b"not JSON"


def test_only_what_the_backend_takes_leaves() -> None:
    """Whatever came through on either lane."""
    much = {**PLAIN, "max_output_tokens": 5, "temperature": 1, "metadata": {}, "user": "u", "truncation": "auto"}
    more = {"stream_options": {"include_usage": True}, "service_tier": "auto", "store": True, "stream": False}
    body = json.loads(sent(codex(), {**much, **more}).body)
    assert body == PLAIN
    assert body.keys() <= MEMBERS


def test_the_lite_shape_says_so() -> None:
    """In a header for HTTP and in the body for a socket, whichever of them the request came with."""
    header, label = "x-openai-internal-codex-responses-lite", {MARK: "true"}
    told = sent(codex(), {**PLAIN, "client_metadata": label})
    assert named(told)[header] == "true"
    given: dict[str, Any] = {header.replace("-", "_"): "true"}
    for metadata in ({}, {"client_metadata": {"a": "b"}}):
        request = sent(codex(), {**PLAIN, **metadata}, **given)
        assert json.loads(request.body)["client_metadata"] == {**metadata.get("client_metadata", {}), **label}
    assert header not in named(sent(codex(), PLAIN))


def test_compaction_has_fewer_members() -> None:
    """It is no stream, keeps nothing, and goes over plain HTTP."""
    request = codex().outgoing(out({**PLAIN, "include": []}, url=f"{URL}/compact"), CALL, (LOGIN,))
    assert json.loads(request.body) == {"model": "gpt-5.5", "input": []}
    assert request.socket is None
    assert named(request)["originator"] == "strowger"


def test_the_list_of_models_is_asked_for_in_a_version() -> None:
    """And by us."""
    asked = Outgoing("GET", "https://chatgpt.com/backend-api/codex/models", (), b"")
    request = codex().outgoing(asked, Facts(purpose="models"), (LOGIN,))
    assert request.url.endswith(f"/models?client_version={READS_MODELS_OF}")
    assert named(request)["originator"] == "strowger"
    assert request.socket is None


@pytest.mark.parametrize(
    "transport, session, socket",
    [
        ("auto", "s-1", Socket("s-1\na7")),
        ("auto", None, None),
        ("websocket", "s-1", Socket("s-1\na7", required=True)),
        ("websocket", None, Socket("flow_1", required=True)),
        ("http", "s-1", None),
    ],
)
def test_sockets(transport: Any, session: str | None, socket: Socket | None) -> None:
    """A conversation has a connection of its own, and each of its sub-agents too; without a name there is none."""
    facts = replace(CALL, session=session, agent_id="a7")
    assert sent(codex(transport=transport), PLAIN, facts).socket == socket


def test_continuation_is_asked_for() -> None:
    """It is off unless the configuration says otherwise."""
    request = sent(codex(continuation=True), PLAIN)
    assert request.socket is not None
    assert request.socket.continuation


def test_the_public_api() -> None:
    """Is told nothing of ours, and is spoken to over HTTP unless the configuration wants a socket for its streams."""
    usual = Responses(ProviderConfig(preset="openai-responses"))
    request = out(PLAIN, User_Agent="someone/1")
    assert usual.outgoing(request, CALL, ()) == request
    wanted = Responses(ProviderConfig(preset="openai-responses", transport="websocket"))
    assert wanted.outgoing(request, CALL, ()).socket == Socket("s-1\n", required=True)
    assert wanted.outgoing(request, CALL, ()).headers == request.headers
    assert wanted.outgoing(out({**PLAIN, "stream": False}), CALL, ()).socket is None
    assert wanted.outgoing(request, replace(CALL, purpose="count"), ()) is request


class Answer:
    """The head of an answer, with a mark."""

    headers: Mapping[str, str] = {"x-codex-turn-state": "mark"}


def test_the_mark_of_a_turn_comes_back() -> None:
    """On HTTP, for clients that know nothing of it; Codex brings its own, and a connection needs none."""
    user, call = {"role": "user", "content": "x"}, {"type": "function_call"}
    later = {**PLAIN, "input": [user, call, {"type": "function_call_output"}]}
    own = replace(CALL, headers={"x-codex-window-id": "w"})
    for transport, facts, mark in (("http", CALL, "mark"), ("http", own, None), ("auto", CALL, None)):
        terms = codex(transport=transport)
        sent(terms, {**PLAIN, "input": [user]}, facts)
        terms.incoming(Answer(), facts)  # type: ignore[arg-type]
        assert named(sent(terms, later, replace(facts, flow="flow_2"))).get("x-codex-turn-state") == mark


def test_limits_are_read() -> None:
    """From headers and events alike."""
    terms = codex()
    reading = terms.reading({"x-codex-primary-used-percent": "5"}, 1.0)
    assert reading is not None
    assert reading.left_percent == 95
    event = b'{"type":"codex.rate_limits","rate_limits":{"limit_reached":true}}'
    told = terms.aside(event, 1.0)
    assert told is not None
    assert told.limit_reached


def test_the_preset_has_them() -> None:
    """A provider of the preset asks ChatGPT's backend, with the login that `strowger login codex` makes."""
    preset = PRESETS["codex"]
    config = ProviderConfig(preset="codex", dialect=preset.dialect, base_url=preset.base_url)
    provider = build_provider("codex", config, env={})
    assert isinstance(provider.terms, Codex)
    assert provider.url == URL
    assert (preset.auth, preset.key_env) == ("login:codex", ())
