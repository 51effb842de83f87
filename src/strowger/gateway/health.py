"""How the accounts of the providers are doing: what each provider last said of its limits.

In memory, for as long as the gateway runs. Must not send anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strowger.providers.base import Account, Provider
from strowger.providers.quota import Reading


class Health:
    """One for each gateway; every call looks here and leaves what it has learnt."""

    def __init__(self) -> None:
        self._readings: dict[tuple[str, str], Reading] = {}

    def note(self, provider: Provider, account: Account | None, reading: Reading) -> None:
        """A provider has told the state of its limits for an account."""
        self._readings[provider.name, account.name if account else "default"] = reading

    @property
    def readings(self) -> Mapping[tuple[str, str], Reading]:
        """The last reading by the names of provider and account."""
        return MappingProxyType(self._readings)
