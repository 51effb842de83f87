"""Bedrock's envelope, at its edges. What it is for is shown on real sockets in the integration tests."""

from __future__ import annotations

import json

import pytest

from strowger.config.schema import ProviderConfig
from strowger.providers.bedrock import BedrockTerms
from strowger.providers.terms import Facts
from strowger.upstreams.base import Outgoing
from tests.fakes import bedrock as fake
from tests.unit.providers.test_unwrapping import Pieces

BASE = "https://bedrock-runtime.eu-west-1.amazonaws.com"
TERMS = BedrockTerms(ProviderConfig(base_url=BASE))


def sent(body: bytes, facts: Facts, *headers: tuple[str, str]) -> Outgoing:
    return TERMS.outgoing(Outgoing("POST", f"{BASE}/v1/messages", headers, body), facts, ())


@pytest.mark.parametrize(
    "model, path",
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("arn:aws:bedrock:r:1:inference-profile/x", "arn:aws:bedrock:r:1:inference-profile%2Fx"),
        ("../../x?y#z", "..%2F..%2Fx%3Fy%23z"),
    ],
)
def test_addresses(model: str, path: str) -> None:
    """A name cannot leave its place in the path."""
    assert sent(b"{}", Facts(model=model)).url == f"{BASE}/model/{path}/invoke"
    assert sent(b'{"stream": true}', Facts(model=model)).url == f"{BASE}/model/{path}/invoke-with-response-stream"


def test_models_are_asked_of_another_host() -> None:
    """The one that manages them, in the same region."""
    out = sent(b"", Facts(purpose="models"))
    assert out.url == "https://bedrock.eu-west-1.amazonaws.com/inference-profiles?maxResults=1000"


@pytest.mark.parametrize("body", [b"[1]", b"nonsense", b'"x"'])
def test_what_is_no_object_goes_as_it_is(body: bytes) -> None:
    """For Bedrock to say what is wrong."""
    assert sent(body, Facts(model="m")).body == body


def test_betas_of_both_places() -> None:
    """Those of a body stay, in front; none is there twice."""
    body = b'{"anthropic_beta":["x-1","effort-2025-11-24"],"anthropic_version":"own"}'
    out = sent(body, Facts(model="m"), ("Anthropic-Beta", "effort-2025-11-24, oauth-1, compact-2026-01-12"))
    assert json.loads(out.body) == {
        "anthropic_beta": ["x-1", "effort-2025-11-24", "compact-2026-01-12"],
        "anthropic_version": "own",
    }
    odd = sent(b'{"anthropic_beta":"x"}', Facts(model="m"), ("anthropic-beta", "compact-1"))
    assert json.loads(odd.body)["anthropic_beta"] == "x"


@pytest.mark.anyio
async def test_messages_of_other_kinds() -> None:
    """An error without a payload is told; what is no chunk, or holds no event, is passed over."""
    stream = Pieces(
        fake.message(b"{}", event_type="initial-response", message_type="event")
        + fake.message(b"not json", event_type="chunk", message_type="event")
        + fake.chunk(b'event: ping\ndata: {"type":"ping"}\n\n')
        + fake.message(b"", error_code="InternalError", error_message="sorry", message_type="error")
    )
    stream.status = 200
    stream.header_items = (("content-type", "application/vnd.amazon.eventstream"),)
    answer = TERMS.incoming(stream, Facts())
    assert await answer.read_all(1000) == (
        b'event: ping\ndata: {"type":"ping"}\n\n'
        b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"sorry"}}\n\n'
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body, expected",
    [
        (b"<html>", b"<html>"),
        (
            b'{"__type":"com.amazon#ThrottlingException","Message":"slow"}',
            b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}',
        ),
        (b"{}", b'{"type":"error","error":{"type":"api_error","message":"no reason was given"}}'),
    ],
)
async def test_errors_without_a_name(body: bytes, expected: bytes) -> None:
    """A proxy's page stays a page; where no header names the error, the body may."""
    assert await TERMS.incoming(Pieces(body), Facts()).read() == expected
