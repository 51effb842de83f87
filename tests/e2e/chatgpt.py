"""A real gateway with a stored ChatGPT login, in front of fakes of the Codex backend and its issuer, and of one more
provider to which calls may move.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from strowger.auth.issuers import CODEX, holder_of
from strowger.auth.oauth import Reply, read_tokens
from strowger.auth.stores import Login, LoginStore
from tests.e2e.exchange import TOKEN, Started, clean_env, started
from tests.fakes.chat import KEY, FakeChat
from tests.fakes.codex import FakeCodex
from tests.fakes.flavours import OPENAI
from tests.fakes.issuer_codex import CodexIssuer

HOUR = 3600.0

CONFIG = """
[server]
port = 0
client_token = "env:E2E_TOKEN"
[limits]
heartbeat_seconds = 1
[retries]
attempts = 2
first_delay_seconds = 0.05
longest_delay_seconds = 0.5
[providers.codex]
base_url = "{codex}"
auth = "login:codex"
continuation = {continuation}
transport = "{transport}"
[providers.other]
preset = "openai"
base_url = "{other}/v1"
auth = "env:E2E_CHAT_KEY"
[[routes]]
match = {{ model = "claude-*" }}
to = "codex:gpt-5.5"
fallback = ["other:gpt-5.5"]
"""


class Subscription(Struct):
    """A gateway, the backend and the issuer of its login, and the other provider."""

    gateway: Started
    codex: FakeCodex
    issuer: CodexIssuer
    other: FakeChat

    def flows(self) -> list[dict[str, Any]]:
        """The flows of calls."""
        return [flow for flow in self.gateway.flows() if flow["method"] == "POST"]

    def refused(self) -> list[str]:
        """What the backend refused, in its words."""
        return [seen.refused for seen in self.codex.inferences() if seen.refused]


def log_in(home: Path, issuer: CodexIssuer) -> str:
    """A login in the store of a gateway that has this home, as `strowger login codex` leaves it; gives its token."""
    now = time.time()
    tokens = read_tokens(CODEX, Reply(200, {}, msgspec.json.encode(issuer.login())), now=now)
    assert tokens.id_token is not None
    holder = holder_of(CODEX, tokens.id_token.reveal(), tokens.access.reveal())
    login = Login("codex", tokens, holder=holder, obtained_at=now, refreshed_at=now)
    LoginStore(clean_env(home)).save(login)
    return tokens.access.reveal()


@contextmanager
def subscribed(
    home: Path, *, continuation: bool = True, transport: str = "auto", lite: tuple[str, ...] = ()
) -> Iterator[Subscription]:
    """Somebody who is logged in, with a gateway in a home of its own. `lite`: models that want Responses Lite."""
    home = home / "gateway"
    home.mkdir()
    with ExitStack() as stack:
        issuer = stack.enter_context(CodexIssuer(lifetime=HOUR).in_thread())
        codex = stack.enter_context(FakeCodex(issuer=issuer, lite=lite).in_thread())
        other = stack.enter_context(FakeChat(OPENAI).in_thread())
        config = home / "config.toml"
        addresses = {"codex": codex.root, "other": other.base_url}
        config.write_text(CONFIG.format(**addresses, continuation=str(continuation).lower(), transport=transport))
        secret = log_in(home, issuer)
        env = {
            **clean_env(home),
            "E2E_TOKEN": TOKEN,
            "E2E_CHAT_KEY": KEY,
            "STROWGER_CODEX_ISSUER": issuer.base_url,
        }
        gateway = stack.enter_context(started(config, home, env, (TOKEN, KEY, secret)))
        yield Subscription(gateway, codex, issuer, other)
