"""Who serves: a dialect, a host, a credential and the quirks of its models."""

from strowger.providers.base import Provider, build_provider, build_providers
from strowger.providers.presets import PRESETS

__all__ = ["PRESETS", "Provider", "build_provider", "build_providers"]
