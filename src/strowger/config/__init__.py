"""The configuration: its shape, its layers, its file. Values only; nothing here builds, fetches or connects."""

from strowger.config.layers import InvalidConfig, Loaded, Origin, load
from strowger.config.references import Secret, SecretRef
from strowger.config.schema import Config, Preset, Presets, ProviderConfig

__all__ = [
    "Config",
    "InvalidConfig",
    "Loaded",
    "Origin",
    "Preset",
    "Presets",
    "ProviderConfig",
    "Secret",
    "SecretRef",
    "load",
]
