"""The helper that finds recordings tells what it found, or why it found nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import shared


def test_absence_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without recordings, parametrized tests are one skip that says what to set."""
    monkeypatch.setattr(shared, "CORPUS", tmp_path)
    monkeypatch.delenv("STROWGER_SHARED", raising=False)
    (only,) = shared.cases("openai_chat")
    assert "STROWGER_SHARED" in only.marks[0].kwargs["reason"]


def test_named_but_absent_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who names a folder wants its recordings read: then their absence is no reason to skip."""
    monkeypatch.setattr(shared, "CORPUS", tmp_path)
    monkeypatch.setenv("STROWGER_SHARED", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="index"):
        shared.cases("openai_chat")


def test_reconstructed_streams_get_frames() -> None:
    """Events that were kept without framing are framed as their dialect frames them."""
    response = shared.RecordedResponse(200, {}, "reconstructed", events=[{"type": "ping"}, {"id": "é"}])
    assert response.content == 'event: ping\ndata: {"type":"ping"}\n\ndata: {"id":"é"}\n\n'.encode()


@shared.needs_shared
@pytest.mark.parametrize("dialect", ["anthropic_messages", "openai_chat"])
def test_recordings_are_read(dialect: str) -> None:
    """Each dialect has recordings of streams and of whole answers, with their requests."""
    found = shared.corpus(dialect)
    streamed = next(r for r in found if r.stream and r.framing == "raw" and r.status == 200)
    whole = next(r for r in found if not r.stream and r.response.body is not None and r.request is not None)
    assert streamed.response.content.count(b"data: ") > 1
    assert b'"model"' in (whole.request or pytest.fail("no request")).content
    assert shared.recording(whole.id) == whole
