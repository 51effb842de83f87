"""The calls of Code Assist around inference: who the user is, what is left of the quota. Knows no socket."""

from __future__ import annotations

from typing import Any

from tests.fakes.gemini_errors import Denied
from tests.fakes.gemini_proto import read
from tests.fakes.refusal import Json

PROJECT = "fake-project"
_TIER = {"id": "standard-tier", "name": "Standard", "description": "A fake tier."}
_FREE = {"id": "free-tier", "name": "Free", "description": "A fake tier."}
_OPERATION = "operations/onboard"


class Assist:
    """A user of Code Assist: known already, or to be taken in by `onboardUser`, which takes one poll."""

    def __init__(self, package: str, *, onboarded: bool) -> None:
        self._package = package
        self._onboarded = onboarded
        self._calls = 0

    def answer(self, method: str, body: Any) -> Json | None:
        """The answer to a call; None for a method that there is not."""
        match method:
            case "loadCodeAssist":
                read(body, "LoadCodeAssistRequest", self._package)
                return self._loaded()
            case "onboardUser":
                return self._onboard(read(body, "OnboardUserRequest", self._package))
            case "retrieveUserQuota":
                read(body, "RetrieveUserQuotaRequest", self._package)
                return {"buckets": [_bucket("gemini-2.5-pro"), _bucket("gemini-2.5-flash")]}
            case "listExperiments":
                read(body, "ListExperimentsRequest", self._package)
                return {"experimentIds": [], "flags": []}
            case _:
                return None

    def operation(self, name: str) -> Json:
        """How far a long-running operation is: finished with the second question."""
        if name != _OPERATION:
            raise Denied("Requested entity was not found.", "NOT_FOUND")
        self._calls += 1
        if self._calls < 2:
            return {"name": _OPERATION, "done": False}
        self._onboarded = True
        project = {"id": PROJECT, "name": PROJECT, "projectNumber": "1"}
        return {"name": _OPERATION, "done": True, "response": {"cloudaicompanionProject": project}}

    def _loaded(self) -> Json:
        tiers = [{**_FREE, "isDefault": True}, {**_TIER, "userDefinedCloudaicompanionProject": True}]
        if not self._onboarded:
            return {"allowedTiers": tiers, "gcpManaged": False}
        return {"currentTier": _TIER, "allowedTiers": tiers, "cloudaicompanionProject": PROJECT, "gcpManaged": False}

    def _onboard(self, request: Json) -> Json:
        tier, project = request.get("tierId"), request.get("cloudaicompanionProject")
        if tier not in ("free-tier", "standard-tier", "legacy-tier"):
            raise Denied("Invalid tier id.")
        if tier == "free-tier" and project:
            raise Denied("Precondition check failed.", "FAILED_PRECONDITION")
        return self.operation(_OPERATION)


def _bucket(model: str) -> Json:
    return {"modelId": model, "tokenType": "REQUESTS", "remainingFraction": 0.5, "resetTime": "2026-11-22T00:00:00Z"}
