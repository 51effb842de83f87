"""Documents of Anthropic clients, as a Chat upstream gets them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects.anthropic import DIALECT as ANTHROPIC
from strowger.dialects.base import Capabilities
from strowger.dialects.openai_chat import DIALECT


@pytest.mark.parametrize("title, filename", [(None, "document.pdf"), ("Report", "Report")])
def test_a_file_has_a_name(title: str | None, filename: str) -> None:
    """OpenAI refuses inline bytes without a file name, which Anthropic's clients need not give."""
    document: dict[str, Any] = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    }
    if title is not None:
        document["title"] = title
    body = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": [document]}]}
    request = ANTHROPIC.client.parse_request(json.dumps(body).encode())
    sent = json.loads(DIALECT.upstream.render_request(request, "m", Capabilities()).body)
    file = {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": filename}
    assert sent["messages"][0]["content"] == [{"type": "file", "file": file}]
