"""What one rendering of a request for the Responses API carries along."""

from __future__ import annotations

from strowger.dialects.base import Capabilities
from strowger.dialects.job import BaseJob
from strowger.dialects.names import as_written, plain
from strowger.dialects.openai_responses.wire import COMPACTION, NAME, VENDOR, safe_id
from strowger.ir.request import Request


class Job(BaseJob):
    """One call of `render_request`.

    `whole`: the target may get members that not every server of this dialect knows. `native`: it has what only the
    vendor has, such as compaction and the call items of the vendor's tools.
    """

    def __init__(self, request: Request, caps: Capabilities) -> None:
        whole = caps.betas or caps.judges_itself
        native = request.origin == NAME and (whole or caps.origin == VENDOR)
        super().__init__(request, caps, NAME, as_written if native else plain)
        self.whole = whole
        self.native = native
        self.summarises = COMPACTION in request.forms and not native
        """The client wants its conversation made shorter, and the target has to be asked for that in words."""
        self.converted = self.summarises
        """Something of this dialect is asked for in another way, so that the answer has to be translated."""

    def call_id(self, identity: str) -> str:
        """The id under which a tool call is sent: the same one for the call and its result."""
        if self.ours and not self.caps.max_tool_id:
            return identity
        return safe_id(identity, self.caps.max_tool_id) if self.caps.max_tool_id else safe_id(identity)
