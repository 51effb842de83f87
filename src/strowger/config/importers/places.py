"""Where other programs keep their configuration. Computes paths; whether there is anything is seen by who asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def usual_places(env: Mapping[str, str], here: Path) -> list[tuple[str, Path]]:
    """Each system and a file that it may have, the likelier ones first. `here` is the current directory."""
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    return [
        ("claude-code-router", home / ".claude-code-router" / "config.json"),
        ("litellm", here / "litellm_config.yaml"),
        ("litellm", here / "litellm-config.yaml"),
        ("litellm", home / ".ccproxy" / "config.yaml"),
    ]
