"""What Gemini CLI asks around its calls when it speaks to Code Assist: who the user is, which tier, what is left.

There is no account behind a gateway, and the answers say so: one tier, no project of Google's, no quota.
"""

from __future__ import annotations

from strowger.errors import UnknownPath

_TIER = {"id": "standard-tier", "name": "Strowger", "description": "a local gateway", "isDefault": True}
_PROJECT = "strowger"

_ANSWERS: dict[str, dict[str, object]] = {
    "loadCodeAssist": {"currentTier": _TIER, "allowedTiers": [_TIER], "cloudaicompanionProject": _PROJECT},
    "onboardUser": {"done": True, "response": {"cloudaicompanionProject": {"id": _PROJECT, "name": _PROJECT}}},
    "retrieveUserQuota": {"buckets": []},
    "listExperiments": {"experimentIds": [], "flags": []},
    "fetchAdminControls": {},
    "recordCodeAssistMetrics": {},
    "recordClientMetrics": {},
}


def answer(method: str) -> dict[str, object]:
    """The answer to a method of `v1internal`. Raises UnknownPath."""
    found = _ANSWERS.get(method)
    if found is None:
        raise UnknownPath(
            f"the Code Assist method {method[:100]} is not served here", hint="served are " + ", ".join(_ANSWERS)
        )
    return found
