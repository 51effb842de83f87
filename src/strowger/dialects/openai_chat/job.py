"""What one rendering of a request for a Chat server carries along."""

from __future__ import annotations

from strowger.dialects.base import Capabilities
from strowger.dialects.job import BaseJob
from strowger.dialects.names import as_written, plain, shortened
from strowger.dialects.openai_chat.wire import NAME
from strowger.ir.request import Request


class Job(BaseJob):
    """One call of `render_request`."""

    def __init__(self, request: Request, caps: Capabilities) -> None:
        taken = request.origin == NAME or caps.max_tool_name == 0
        super().__init__(request, caps, NAME, as_written if taken else plain)
        self.keeps_cache_hints = caps.cache_hints  # some servers take Anthropic's marks from any client

    def call_id(self, identity: str) -> str:
        """The id under which a tool call is sent: the same one for the call and its result."""
        limit = self.caps.max_tool_id
        if limit == 0 or len(identity) <= limit:
            return identity
        return shortened(identity, identity, limit)
