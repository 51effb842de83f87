"""Vertex's addresses and errors, at their edges. What they are for is shown on real sockets."""

from __future__ import annotations

import pytest

from strowger.config.schema import ProviderConfig
from strowger.providers.google import VertexClaudeTerms, VertexTerms
from strowger.providers.terms import Facts
from strowger.upstreams.base import Outgoing
from tests.unit.providers.test_unwrapping import Pieces

BASE = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic"
CLAUDE = VertexClaudeTerms(ProviderConfig(base_url=BASE + "/"))
GEMINI = VertexTerms(ProviderConfig(base_url=BASE.replace("anthropic", "google")))
OUT = Outgoing("POST", "https://x.test", (("a", "b"),), b"{}")


@pytest.mark.parametrize(
    "model, path", [("claude-x@1", "claude-x@1"), ("../../x:predict?y", "..%2F..%2Fx%3Apredict%3Fy")]
)
def test_a_name_stays_in_its_place(model: str, path: str) -> None:
    """In the address it can neither leave the publisher's models nor name another method."""
    assert CLAUDE.outgoing(OUT, Facts(model=model), ()).url == f"{BASE}/models/{path}:rawPredict"


def test_lists_are_no_projects() -> None:
    """They are the publisher's."""
    host = "https://us-east5-aiplatform.googleapis.com/v1beta1/publishers"
    facts = Facts(purpose="models")
    assert CLAUDE.outgoing(OUT, facts, ()).url == f"{host}/anthropic/models?pageSize=1000"
    assert GEMINI.outgoing(OUT, facts, ()).url == f"{host}/google/models?pageSize=1000"
    assert GEMINI.outgoing(OUT, Facts(), ()) is OUT


def test_what_is_no_object_goes_as_it_is() -> None:
    """For Vertex to say what is wrong."""
    out = Outgoing("POST", "https://x.test", (), b"[1]")
    assert CLAUDE.outgoing(out, Facts(model="m"), ()).body == b"[1]"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body, expected",
    [
        (b"<html>", b"<html>"),
        (b"[]", b"[]"),
        (
            b'{"type":"error","error":{"type":"x","message":"m"}}',
            b'{"type":"error","error":{"type":"x","message":"m"}}',
        ),
        (
            b'[{"error":{"code":499,"message":"m","status":"X"}}]',
            b'{"type":"error","error":{"type":"invalid_request_error","message":"m"}}',
        ),
    ],
)
async def test_errors(body: bytes, expected: bytes) -> None:
    """Google's own are said again, all others stay."""
    assert await CLAUDE.incoming(Pieces(body), Facts()).read() == expected


@pytest.mark.anyio
async def test_a_list_that_is_none() -> None:
    """Stays what it is, for whoever reads lists to refuse."""
    pieces = Pieces(b"[1]")
    pieces.status = 200
    assert await GEMINI.incoming(pieces, Facts(purpose="models")).read() == b"[1]"
