"""The fake Vertex, held against Anthropic's own client for the real one."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.fakes.vertex import PROJECT, TOKEN, FakeVertex

pytestmark = pytest.mark.anyio

ASKED: dict[str, Any] = {
    "model": "claude-sonnet-4-5@20250929",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def client(fake: FakeVertex, token: str = TOKEN, project: str = PROJECT) -> anthropic.AsyncAnthropicVertex:
    return anthropic.AsyncAnthropicVertex(
        region="us-east5", project_id=project, access_token=token, base_url=fake.base_url + "/v1", max_retries=0
    )


async def test_the_official_client() -> None:
    """Whole, streamed and counted."""
    async with FakeVertex() as fake, client(fake) as sdk:
        assert (await sdk.messages.create(**ASKED)).content
        async with sdk.messages.stream(**ASKED) as stream:
            assert (await stream.get_final_message()).content
        asked = {key: value for key, value in ASKED.items() if key != "max_tokens"}
        assert (await sdk.messages.count_tokens(**asked)).input_tokens


@pytest.mark.parametrize(
    "token, project, more, error, words",
    [
        ("old", PROJECT, {}, anthropic.AuthenticationError, "authentication credentials"),
        (TOKEN, "other", {}, anthropic.PermissionDeniedError, "denied on resource"),
        (TOKEN, PROJECT, {"extra_headers": {"anthropic-beta": "oauth-1"}}, anthropic.BadRequestError, "Unexpected val"),
        (TOKEN, PROJECT, {"extra_body": {"anthropic_version": "x"}}, anthropic.BadRequestError, "anthropic_version"),
    ],
)
async def test_refusals(token: str, project: str, more: Any, error: type[Exception], words: str) -> None:
    """What the real one refuses."""
    async with FakeVertex() as fake, client(fake, token, project) as sdk:
        with pytest.raises(error, match=words):
            await sdk.messages.create(**ASKED, **more)
