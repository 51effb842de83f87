"""Google's Gemini API, public and behind Code Assist."""

from __future__ import annotations

from strowger.dialects.gemini.wire import FAITHFUL

__all__ = ["FAITHFUL"]
