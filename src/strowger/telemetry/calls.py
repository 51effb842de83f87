"""What metrics and traces want to know of a call: the shape of it, so that they need not know who keeps calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from strowger.dialects.base import Loss
from strowger.ir.events import Finish, Usage


class Try(Protocol):
    """One try at an upstream. `target` is `provider:model`, `reason` a word for what went wrong; what was passed over
    was not `asked`. `begun` counts from when the call had been read; it took `seconds`.
    """

    target: str
    account: str
    lane: str
    status: int
    error: str | None
    reason: str | None
    asked: bool
    begun: float
    seconds: float


class Piece(Protocol):
    """A message that passed by."""

    @property
    def kind(self) -> str:
        """`client_request`, `forwarded`, `upstream_response` or `client_response`."""
        ...

    @property
    def body(self) -> bytes:
        """What is kept of it."""
        ...


class Taped(Protocol):
    """The messages of a call. What takes credentials out of them is slow, and nothing for the loop."""

    @property
    def messages(self) -> Sequence[Piece]:
        """In the order in which they began."""
        ...

    @property
    def masks(self) -> Sequence[Callable[[bytes], bytes]]:
        """What takes credentials out of bytes."""
        ...


class Called(Protocol):
    """A call, from its beginning to its end. `started` is Unix time; `sent`, `upstream_first_byte`, `first_byte` and
    `duration` are seconds that count from there. `trace` is a `traceparent`, or empty.
    """

    id: str
    started: float
    method: str
    path: str
    dialect: str
    agent: str
    session: str | None
    agent_id: str | None
    trace: str
    model: str
    stream: bool
    request_bytes: int
    route: str
    provider: str
    upstream_model: str
    response_model: str
    upstream_dialect: str
    lane: str
    losses: list[Loss]
    status: int
    error_kind: str | None
    error: str | None
    finish: Finish | None
    usage: Usage
    billed: float | None
    sent: float | None
    upstream_first_byte: float | None
    first_byte: float | None
    duration: float
    events: int
    response_bytes: int

    @property
    def program(self) -> str:
        """The client program's short name."""
        ...

    @property
    def account(self) -> str:
        """The account that answered."""
        ...

    @property
    def outcome(self) -> str:
        """`running`, `ok`, `failed`, `cancelled` or `stopped`."""
        ...

    @property
    def billing(self) -> str:
        """`metered`, `plan`, `free`, or empty."""
        ...

    @property
    def attempts(self) -> Sequence[Try]:
        """The tries, in their order."""
        ...

    @property
    def tape(self) -> Taped | None:
        """What passed by, where that is taped, and until the call is over."""
        ...
