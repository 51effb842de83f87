"""Where other programs keep their configuration. Computes paths; whether there is anything is seen by who asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def usual_places(env: Mapping[str, str], here: Path) -> list[tuple[str, Path]]:
    """Each system and a file that it may have, the likelier ones first. `here` is the current directory."""
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    roaming = Path(env["APPDATA"]) if env.get("APPDATA") else config
    own = Path(env["CCP_CONFIG_DIR"]) if env.get("CCP_CONFIG_DIR") else roaming / "claude-code-proxy"
    starbaser = Path(env["CCPROXY_CONFIG_DIR"]) if env.get("CCPROXY_CONFIG_DIR") else config / "ccproxy"
    return [
        ("ccode", config / "ccode" / "config.yaml"),
        ("ccode", home / ".ccode" / "config.yaml"),
        ("claude-code-router", home / ".claude-code-router" / "config.json"),
        ("claude-code-proxy", own / "config.json"),
        ("ccproxy-api", here / ".ccproxy.toml"),
        ("ccproxy-api", here / "ccproxy.toml"),
        ("ccproxy-api", config / "ccproxy" / "config.toml"),
        ("ccproxy", starbaser / "ccproxy.yaml"),
        ("ccproxy", home / ".ccproxy" / "ccproxy.yaml"),
        ("litellm", here / "litellm_config.yaml"),
        ("litellm", here / "litellm-config.yaml"),
        ("litellm", home / ".ccproxy" / "config.yaml"),
    ]
