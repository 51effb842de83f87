"""What Azure OpenAI wants besides OpenAI's dialects: with a version of its older API, other addresses.

Its v1 API is OpenAI's. Where the configuration names an `api_version`, calls go to the older one, which has the
deployment in the address of Chat Completions, and the version in every query. Must not know how a key is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from msgspec.structs import replace

from strowger.auth.credential import Credential
from strowger.config.schema import ProviderConfig
from strowger.providers.terms import Facts, Terms
from strowger.upstreams.base import Outgoing

_V1 = "/openai/v1"


class AzureTerms(Terms):
    """The terms of one resource."""

    def __init__(self, config: ProviderConfig) -> None:
        parts = urlsplit(config.base_url or "")
        self._host = f"{parts.scheme}://{parts.netloc}"
        self._version = config.api_version or ""
        self._is_chat = config.dialect == "openai_chat"

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """The request at the address of the version that is configured, if one is."""
        if not self._version:
            return out
        parts = urlsplit(out.url)
        path = parts.path.removeprefix(_V1)
        if facts.purpose == "call" and self._is_chat:
            path = f"/deployments/{quote(facts.model, safe='')}{path}"
        query = "&".join(filter(None, (parts.query, f"api-version={quote(self._version, safe='')}")))
        return replace(out, url=f"{self._host}/openai{path}?{query}")
