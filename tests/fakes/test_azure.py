"""The fake Azure, held against OpenAI's own client for the real one."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.fakes.azure import KEY, FakeAzure, filtered

pytestmark = pytest.mark.anyio

ASKED: Any = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def client(fake: FakeAzure, version: str = "2024-10-21", **more: Any) -> openai.AsyncAzureOpenAI:
    return openai.AsyncAzureOpenAI(
        azure_endpoint=fake.base_url, api_version=version, max_retries=0, **({"api_key": KEY} | more)
    )


async def test_the_official_client() -> None:
    """Whole and streamed, at the older addresses."""
    async with FakeAzure() as fake, client(fake) as sdk:
        whole = await sdk.chat.completions.create(**ASKED)
        stream = await sdk.chat.completions.create(**ASKED, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        assert whole.choices[0].message.content == text
        assert fake.requests[0].path == "/openai/deployments/gpt-5/chat/completions"


@pytest.mark.parametrize(
    "version, more, asked, error",
    [
        ("2019-01-01", {}, {}, openai.NotFoundError),
        ("2024-10-21", {"api_key": "wrong"}, {}, openai.AuthenticationError),
        ("2024-10-21", {}, {"model": "other"}, openai.NotFoundError),
        ("2024-10-21", {}, {"max_tokens": 9}, openai.BadRequestError),
    ],
)
async def test_refusals(version: str, more: Any, asked: Any, error: type[Exception]) -> None:
    """Old versions, wrong keys, deployments that are not there, what OpenAI refuses."""
    async with FakeAzure() as fake, client(fake, version, **more) as sdk:
        with pytest.raises(error):
            await sdk.chat.completions.create(**ASKED | asked)


async def test_the_filter() -> None:
    """A prompt that is kept out is a 400 with a code."""
    async with FakeAzure(script=(filtered(),)) as fake, client(fake) as sdk:
        with pytest.raises(openai.BadRequestError) as caught:
            await sdk.chat.completions.create(**ASKED)
        assert caught.value.code == "content_filter"
