"""What was said in a call that is kept, read by the dialect that its client spoke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strowger.flows.tape import Message
from strowger.gateway import said
from strowger.gateway.app import DIALECTS
from strowger.gateway.said import Read


def read(flow: Mapping[str, Any], messages: Sequence[Message]) -> Read:
    """Read a call's own messages: those of the client's side."""
    return said.read(DIALECTS, flow, messages)
