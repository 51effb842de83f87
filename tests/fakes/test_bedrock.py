"""The fake Bedrock, held against Anthropic's own client for the real one."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp
import anthropic
import pytest
import yarl
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec.json import encode

from tests.fakes.bedrock import PROFILE, TOKEN, FakeBedrock, refuse
from tests.fakes.script import Call, Delivery, Reply, Say, Think

pytestmark = pytest.mark.anyio

PATH = f"/model/{quote(PROFILE, safe='')}/invoke"
BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
KEYS = {"AKIAFAKE": "secret/+=of-mine"}
ASKED: dict[str, Any] = {"model": PROFILE, "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def by_token(fake: FakeBedrock, token: str = TOKEN) -> anthropic.AsyncAnthropicBedrock:
    return anthropic.AsyncAnthropicBedrock(api_key=token, aws_region="us-east-1", base_url=fake.base_url, max_retries=0)


async def post(fake: FakeBedrock, body: dict[str, Any], **headers: str) -> tuple[int, str]:
    """A request by hand, with the path as it is."""
    url = yarl.URL(f"{fake.base_url}{PATH}", encoded=True)
    async with aiohttp.ClientSession() as session, session.post(url, data=encode(body), headers=headers) as response:
        return response.status, await response.text()


def signed(fake: FakeBedrock, body: dict[str, Any], secret: str, session: str) -> dict[str, str]:
    """The headers by which botocore signs such a request."""
    request = AWSRequest("POST", fake.base_url + PATH, data=encode(body))
    SigV4Auth(Credentials("AKIAFAKE", secret, session), "bedrock", "us-east-1").add_auth(request)
    return dict(request.headers)


async def test_the_official_client() -> None:
    """Whole and streamed, by a token."""
    async with FakeBedrock() as fake, by_token(fake) as client:
        fake.script(*(Reply(parts=(Think("hm"), Say("grüße"), Call("f", {"a": 1}))) for _ in range(2)))
        whole = await client.messages.create(**ASKED)
        async with client.messages.stream(**ASKED) as stream:
            streamed = await stream.get_final_message()
        assert [block.type for block in whole.content] == ["thinking", "text", "tool_use"]
        assert [block.type for block in streamed.content] == ["thinking", "text", "tool_use"]
        assert fake.inferences()[1].path.endswith("/invoke-with-response-stream")


@pytest.mark.parametrize(
    "secret, session, words",
    [
        (KEYS["AKIAFAKE"], "s1", '"type":"message"'),
        ("another", "s1", "signature we calculated"),
        (KEYS["AKIAFAKE"], "s0", "expired"),
    ],
)
async def test_signatures(secret: str, session: str, words: str) -> None:
    """A request that botocore has signed is right; a wrong secret and an old session are not."""
    async with FakeBedrock(secrets=KEYS, session="s1") as fake:
        assert words in (await post(fake, BODY, **signed(fake, BODY, secret, session)))[1]


@pytest.mark.parametrize("more", [{"model": PROFILE}, {"stream": True}])
async def test_what_belongs_into_the_address(more: dict[str, Any]) -> None:
    """Is refused in a body."""
    async with FakeBedrock() as fake:
        status, text = await post(fake, {**BODY, **more}, authorization=f"Bearer {TOKEN}")
        assert status == 400
        assert "extraneous key" in text


async def test_errors() -> None:
    """Before a stream and inside it, as the client reads them."""
    async with FakeBedrock() as fake, by_token(fake) as client:
        fake.script(
            refuse("ThrottlingException", "Too many tokens"),
            Reply(
                parts=(Say("x"),), delivery=Delivery(cut="error", cut_after=2, error=("throttlingException", "slow"))
            ),
        )
        with pytest.raises(anthropic.RateLimitError, match="Too many tokens"):
            await client.messages.create(**ASKED)
        with pytest.raises(anthropic.APIError, match="slow"):
            async with client.messages.stream(**ASKED) as stream:
                await stream.get_final_message()


@pytest.mark.parametrize(
    "more, words",
    [
        ({"extra_headers": {"anthropic-beta": "oauth-2025-04-20"}}, "invalid beta flag"),
        ({"extra_body": {"anthropic_version": "2023-06-01"}}, "anthropic_version"),
        ({"model": "meta.llama"}, "model identifier is invalid"),
    ],
)
async def test_refusals(more: dict[str, Any], words: str) -> None:
    """What the real one refuses."""
    async with FakeBedrock() as fake, by_token(fake) as client:
        with pytest.raises(anthropic.BadRequestError, match=words):
            await client.messages.create(**{**ASKED, **more})


async def test_a_wrong_token() -> None:
    """Is a 403 there."""
    async with FakeBedrock() as fake, by_token(fake, "wrong") as client:
        with pytest.raises(anthropic.PermissionDeniedError, match="API Key is valid"):
            await client.messages.create(**ASKED)
