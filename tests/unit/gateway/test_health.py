"""How the accounts are doing."""

from __future__ import annotations

from strowger.config.schema import ProviderConfig
from strowger.gateway.health import Health
from strowger.providers.base import build_provider
from strowger.providers.quota import Reading


def test_last_reading() -> None:
    """The last reading of an account is kept, under the provider's and the account's name."""
    provider = build_provider("p", ProviderConfig(dialect="anthropic", base_url="http://127.0.0.1:1"), env={})
    health = Health()
    health.note(provider, None, Reading(at=1.0))
    health.note(provider, None, Reading(at=2.0))
    assert health.readings[("p", "default")].at == 2.0
