"""The file that `strowger config init` writes: a few lines, commented, fit for the keys and logins that are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from strowger.config.environment import inferred, logged_in
from strowger.config.private import replace_file
from strowger.config.schema import Presets
from strowger.errors import ConfigError

_HEAD = """\
# Configuration of Strowger. `strowger config check` looks for mistakes,
# `strowger config show --origin` says where each value in force came from.

[server]
port = 4000

# A provider that has the name of a preset needs nothing but its key, or a login.
"""

_TAIL = """\

# Any other service: the dialect that it speaks, and its address.
# [providers.company]
# dialect = "openai_chat"            # or "anthropic", "openai_responses", "gemini"
# base_url = "https://llm.example.com/v1"
# auth = "file:~/.secrets/company"   # or "env:NAME", "command:pass show company"
# models = ["company-*"]

# Models go to the provider whose names they have. Routes say otherwise, the first that fits:
# [[routes]]
# match = { model = "claude-haiku-*" }
# to = "deepseek:deepseek-v4-flash"
# fallback = ["anthropic"]

# [aliases]
# fast = "groq:llama-3.3-70b-versatile"
"""


def starter(env: Mapping[str, str], presets: Presets) -> str:
    """The text of a first configuration. Providers are there for which there is a login, or a key in its variable; else
    Anthropic's alone.
    """
    found, _ = inferred(env, presets)
    paid = {**logged_in(env, presets), **{name: f"env:{variable}" for name, variable in found.items()}}
    blocks = [f'[providers.{name}]\nauth = "{auth}"\n' for name, auth in paid.items()]
    usual = (
        [f'[providers.anthropic]\nauth = "env:{presets["anthropic"].key_env[0]}"\n'] if "anthropic" in presets else []
    )
    return _HEAD + "\n".join(blocks or usual) + _TAIL


def write_new(path: Path, text: str, *, force: bool = False) -> None:
    """Write a file that only its owner can read, whole or not at all. Raises ConfigError, also when it is there."""
    try:
        path = path.resolve()  # a link stays a link
        if path.exists() and not force:
            raise ConfigError(f"{path} is there already", hint="`--force` replaces it")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="check the folder and its rights"
        ) from None
