"""Short ways to say what goes to a Gemini upstream, for tests that read like transcripts."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Raw

from strowger.dialects.base import Capabilities, Loss, Rendered, Spot
from strowger.dialects.gemini import FAITHFUL
from strowger.dialects.gemini.render import render_request
from strowger.dialects.gemini.request import parse_request
from strowger.ir.request import Message, Part, Request, Text, ToolCall, ToolResult

Json = dict[str, Any]

SPOT = Spot("gemini-3.5-flash", stream=True)
GEMINI_3 = Capabilities(
    origin="google",
    image_urls=False,
    tool_result_images=True,
    hosted_tools=True,
    web_search="googleSearch",
    web_fetch="urlContext",
    code_execution="codeExecution",
    remote_mcp=True,
    max_output_tokens=65536,
    max_stop_sequences=5,
    thinking="level",
    efforts=("minimal", "low", "medium", "high"),
    thought_signatures=True,
)
GEMINI_2 = Capabilities(
    origin="google",
    image_urls=False,
    hosted_tools=True,
    web_search="googleSearch",
    max_stop_sequences=5,
    thinking="budget",
    search_with_tools=False,
    structured_with_tools=False,
    tool_schema="openapi",
)

HELLO: Json = {"role": "user", "parts": [{"text": "hello"}]}


def dumps(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def raw(value: object) -> Raw:
    """JSON that has not been read."""
    return Raw(dumps(value))


def parse(body: object, spot: Spot = SPOT) -> Request:
    """What a client's body says."""
    return parse_request(dumps(body), spot)


def asked(contents: list[Json] | None = None, **members: Any) -> Request:
    """The request of a body with these contents (a greeting by default)."""
    return parse({"contents": [HELLO] if contents is None else contents, **members})


def again(body: object, caps: Capabilities = FAITHFUL, spot: Spot = SPOT) -> Any:
    """A client's body as it reaches an upstream of the same dialect."""
    request = parse(body, spot)
    return json.loads(render_request(request, request.model, caps).body)


def comes_back(**members: Any) -> bool:
    """Whether a body with these members comes back equal, and without a loss."""
    body = {"contents": [HELLO], **members}
    request = parse(body)
    rendered = render_request(request, request.model, FAITHFUL)
    return json.loads(rendered.body) == body and not rendered.losses


def part_comes_back(part: Json, role: str = "model") -> bool:
    """Whether a content with this one part comes back equal."""
    return comes_back(contents=[HELLO, {"role": role, "parts": [part]}])


def rendered(request: Request, caps: Capabilities = GEMINI_3) -> Rendered:
    """A request as it goes out."""
    return render_request(request, "gemini-x", caps)


def sent(request: Request, caps: Capabilities = GEMINI_3) -> Any:
    """The body of a request as it goes out."""
    return json.loads(rendered(request, caps).body)


def lost(request: Request, caps: Capabilities = GEMINI_3) -> list[tuple[str, str]]:
    """Path and severity of everything that does not go out."""
    return [(loss.path, loss.severity) for loss in losses(request, caps)]


def losses(request: Request, caps: Capabilities = GEMINI_3) -> tuple[Loss, ...]:
    """Everything that does not go out."""
    return rendered(request, caps).losses


def said(*messages: Message, **members: Any) -> Request:
    """A request of another dialect."""
    return Request("anthropic", "m", messages or (user("hello"),), **members)


def user(*parts: Part | str) -> Message:
    """A message of the user."""
    return Message("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def model(*parts: Part | str) -> Message:
    """A message of the model."""
    return Message("assistant", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def call(identity: str, name: str = "look", arguments: str = '{"at":1}') -> ToolCall:
    """A tool call."""
    return ToolCall(identity, name, arguments)


def gave(identity: str, *content: str, **members: Any) -> ToolResult:
    """What a tool gave."""
    return ToolResult(identity, tuple(Text(text) for text in content), **members)
