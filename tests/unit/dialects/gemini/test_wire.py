"""Words of the dialect."""

from __future__ import annotations

import pytest

from strowger.dialects.gemini.wire import FAITHFUL, FINISH_REASONS, STOP_REASONS, VENDOR, plain_model, snake
from strowger.ir.events import StopReason


@pytest.mark.parametrize(
    "camel, other",
    [
        ("fileData", "file_data"),
        ("parametersJsonSchema", "parameters_json_schema"),
        ("topP", "top_p"),
        ("text", "text"),
    ],
)
def test_names_have_another_spelling(camel: str, other: str) -> None:
    """Google's JSON is read in camelCase and in snake_case alike."""
    assert snake(camel) == other


@pytest.mark.parametrize("name", ["x", "models/x", "publishers/google/models/x", "projects/p/locations/l/models/x"])
def test_a_model_is_known_without_its_collection(name: str) -> None:
    """Routes are made for names of models; the collection is of the URL."""
    assert plain_model(name) == "x"


def test_a_tuned_model_keeps_its_collection() -> None:
    """`tunedModels` is another collection, and its name is needed."""
    assert plain_model("tunedModels/x") == "tunedModels/x"


def test_every_reason_has_a_word() -> None:
    """A reason without a word could not be told to a client; words that are told can be read."""
    assert FINISH_REASONS.keys() == set(StopReason)
    assert set(FINISH_REASONS.values()) <= STOP_REASONS.keys()


def test_the_faithful_upstream_is_googles() -> None:
    """Bare signatures are Google's, so they go back under it."""
    assert FAITHFUL.origin == VENDOR
