"""What Gemini CLI asks around its calls."""

from __future__ import annotations

import pytest

from strowger.errors import UnknownPath
from strowger.gateway.code_assist import answer


def test_the_user_has_a_tier_and_a_project() -> None:
    """Without them Gemini CLI would begin to enrol the user with Google."""
    loaded = answer("loadCodeAssist")
    assert loaded["currentTier"]
    assert loaded["cloudaicompanionProject"]


def test_what_is_not_served_is_said() -> None:
    """With the methods that are."""
    with pytest.raises(UnknownPath, match="launchRocket") as caught:
        answer("launchRocket")
    assert "loadCodeAssist" in (caught.value.hint or "")
