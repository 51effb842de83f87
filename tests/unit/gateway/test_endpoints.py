"""URL to meaning."""

from __future__ import annotations

import pytest

from strowger.errors import ClientError, UnknownPath
from strowger.gateway.endpoints import Verb, match

ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    "method, path, verb, dialect",
    [
        ("POST", "/v1/messages", Verb.CREATE, "anthropic"),
        ("POST", "/v1/messages/", Verb.CREATE, "anthropic"),
        ("POST", "/v1/messages/count_tokens", Verb.COUNT_TOKENS, "anthropic"),
        ("POST", "/v1/chat/completions", Verb.CREATE, "openai_chat"),
        ("POST", "/chat/completions", Verb.CREATE, "openai_chat"),
        ("POST", "/v1/v1/messages", Verb.CREATE, "anthropic"),
        ("POST", "/v1/v1/chat/completions", Verb.CREATE, "openai_chat"),
        ("HEAD", "/", Verb.HELLO, "openai_chat"),
        ("HEAD", "/api/hello", Verb.HELLO, "openai_chat"),
        ("GET", "/healthz", Verb.HEALTH, "openai_chat"),
    ],
)
def test_paths(method: str, path: str, verb: Verb, dialect: str) -> None:
    """What clients call, with the slips in their base URLs that are common."""
    endpoint = match(method, path, {}, ())
    assert (endpoint.verb, endpoint.dialect) == (verb, dialect)


def test_the_model_list_speaks_the_clients_dialect() -> None:
    """Only Anthropic's clients send a version header."""
    assert match("GET", "/v1/models", ANTHROPIC, ()).dialect == "anthropic"
    assert match("GET", "/v1/models", {}, ()).dialect == "openai_chat"


def test_model_ids_may_hold_slashes() -> None:
    """`openai/gpt-5` is one id."""
    assert match("GET", "/v1/models/openai/gpt-5", {}, ()).name == "openai/gpt-5"


def test_a_path_may_pin_a_provider() -> None:
    """`/groq/v1/…` goes to groq whatever the model; the client's probes work below it too."""
    endpoint = match("POST", "/groq/v1/chat/completions", {}, ("groq",))
    assert (endpoint.provider, endpoint.verb) == ("groq", Verb.CREATE)
    assert match("HEAD", "/groq/api/hello", {}, ("groq",)).verb is Verb.HELLO
    assert match("HEAD", "/groq", {}, ("groq",)).verb is Verb.HELLO


@pytest.mark.parametrize("path", ["/v2/messages", "/v1/files", "/nobody/v1/messages", "/groq/_strowger/status"])
def test_unknown_paths_say_what_is_served(path: str) -> None:
    """The hint is what helps."""
    with pytest.raises(UnknownPath) as caught:
        match("POST", path, {}, ("groq",))
    assert "/v1/messages" in (caught.value.hint or "")


def test_the_wrong_method_is_named() -> None:
    """A GET of a POST endpoint is a mistake of its own."""
    with pytest.raises(ClientError, match="POST, not GET"):
        match("GET", "/v1/messages", {}, ())
