"""What is known of Claude Code's features: every one has an answer in every version, and "unknown" is one."""

from __future__ import annotations

from typing import get_args

import pytest

from strowger.launcher.features import Feature, Survival, Version, features, remote_control

NAMES = ["tool search", "fine-grained tool streaming", "1M context", "Remote Control", "auto mode", "hosted MCP"]


def of(version: tuple[int, ...] | None, name: str) -> Feature:
    """One feature in a version."""
    return next(feature for feature in features(version) if feature.name == name)


@pytest.mark.parametrize("version", [None, (1, 0, 0), (2, 1, 139), (2, 1, 197), (2, 1, 278), (2, 1, 329), (3, 0)])
def test_nothing_is_left_out(version: tuple[int, ...] | None) -> None:
    """All features, each with a reason; whatever a setting brings back says which."""
    found = list(features(version))
    assert [feature.name for feature in found] == NAMES
    for feature in found:
        modes = {feature.run, feature.token, feature.client}
        assert modes <= set(get_args(Survival))
        assert feature.why
        assert feature.setting or "off" not in modes


def test_versions_matter() -> None:
    """Tool search came back by itself, and nobody knows when; what nobody looked at is unknown."""
    versions = ((2, 1, 197), (2, 1, 250), (2, 1, 329))
    assert [of(version, "tool search").token for version in versions] == ["off", "unknown", "yes"]
    assert [of(version, "tool search").run for version in versions] == ["partly", "partly", "yes"]
    assert {feature.run for feature in features(None)} == {"unknown"}
    assert of((2, 1, 277), "auto mode").run == "unknown"


def test_remote_control_is_the_vendors_to_allow() -> None:
    """No mode has it since 2.1.196, no setting brings it back, and none is made up."""
    for version in ((2, 1, 196), (2, 1, 329)):
        remote = of(version, "Remote Control")
        assert {remote.run, remote.token, remote.client} == {"no"}
        assert remote.setting is None
        assert "plain `claude`" in remote.why
    assert of((2, 1, 195), "Remote Control").client == "unknown"


@pytest.mark.parametrize(
    "version, gateway, says",
    [
        (
            (2, 1, 329),
            True,
            "note: no Remote Control in this session of Claude Code 2.1.329: Claude Code itself refuses it",
        ),
        (
            (2, 1, 150),
            True,
            "note: no Remote Control in this session of Claude Code 2.1.150: Claude Code refuses it where",
        ),
        ((2, 1, 100), True, "note: whether Claude Code 2.1.100 allows Remote Control through a gateway is not known"),
        (None, True, "note: whether this Claude Code allows"),
        ((2, 1, 329), False, "note: Claude Code 2.1.329 allows Remote Control only where it goes to Anthropic's own"),
    ],
)
def test_the_truth_on_remote_control(version: Version | None, gateway: bool, says: str) -> None:
    """What the version that was found makes of Remote Control, neither more nor less than is known of it."""
    assert remote_control(version, gateway=gateway).startswith(says)
