"""What one rendering of a request for Gemini carries along."""

from __future__ import annotations

import re

from strowger.dialects.base import Capabilities
from strowger.dialects.gemini.wire import AS_WRITTEN, NAME
from strowger.dialects.job import BaseJob
from strowger.dialects.names import as_written
from strowger.ir.request import Request

_ILLEGAL = re.compile(r"[^A-Za-z0-9_.:-]")


class Job(BaseJob):
    """One call of `render_request`. `as_written`: the target takes whatever the client wrote."""

    def __init__(self, request: Request, caps: Capabilities) -> None:
        super().__init__(request, caps, NAME, as_written if request.origin == NAME else _cleaned)
        self.as_written = self.ours and caps.thinking == AS_WRITTEN
        self.stop: tuple[str, ...] = ()
        """Stop sequences that the target does not take."""


def _cleaned(name: str) -> str:
    """A name of the letters that Google takes, beginning with a letter or an underscore."""
    if name.isascii() and name.isidentifier():  # nearly all
        return name
    clean = _ILLEGAL.sub("_", name)
    return clean if clean[:1].isalpha() or clean.startswith("_") else f"_{clean}"
