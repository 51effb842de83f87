"""Schemas with members of types that nobody expects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.anthropic.schema import enforceable


@pytest.mark.parametrize("odd", [[], {}, [1], None, "x", 2.5])
def test_an_odd_limit_is_only_described(odd: Any) -> None:
    """What is no number limits nothing, and breaks nothing."""
    changed, _ = enforceable(Raw(json.dumps({"type": "array", "minItems": odd}).encode()))
    assert json.loads(bytes(changed))["description"] == f"minItems: {json.dumps(odd, separators=(',', ':'))}"
