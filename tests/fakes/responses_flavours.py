"""What differs between those who speak Responses: OpenAI's public API and ChatGPT's Codex backend. Data only."""

from __future__ import annotations

from msgspec import Struct

from tests.fakes.refusal import words


class ResponsesFlavour(Struct, frozen=True):
    """What a vendor of this dialect does its own way.

    `members`: the only members of a request that it takes; None = all that the public API knows. `detail`: troubles of
    the request as a whole come as `{"detail": …}`. `stateless`: store has to be false and stream true, and nothing is
    kept for later. `system`: input may have system messages. `text_input`: input may be a string. `whole`: the terminal
    event repeats all output; else its list is empty. `early_overflow`: a full context is a 400, else it fails inside
    the stream. `root`: the path before `/responses`.
    """

    name: str
    members: frozenset[str] | None = None
    detail: bool = False
    stateless: bool = False
    system: bool = True
    text_input: bool = True
    whole: bool = True
    early_overflow: bool = True
    root: str = "/v1"


OPENAI = ResponsesFlavour("openai")
CODEX = ResponsesFlavour(
    "codex",
    members=words(
        "model input instructions tools tool_choice parallel_tool_calls reasoning store stream include service_tier"
        " prompt_cache_key text client_metadata stream_options"
    ),
    detail=True,
    stateless=True,
    system=False,
    text_input=False,
    whole=False,
    early_overflow=False,
    root="/backend-api/codex",
)
FLAVOURS = {flavour.name: flavour for flavour in (OPENAI, CODEX)}
