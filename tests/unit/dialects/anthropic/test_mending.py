"""Arguments that mean nothing and are refused."""

from __future__ import annotations

import pytest

from strowger.dialects.anthropic.mending import may_need_mending, mended


@pytest.mark.parametrize("pages", ['""', '" "', r'"\n"'])
def test_an_empty_page_range_is_left_out(pages: str) -> None:
    """And what stands beside it stays as it was written."""
    asked = f'{{"file_path": "/a \\u00e9", "limit": 2e3, "pages": {pages}, "offset": 0}}'
    assert mended("Read", asked) == '{"file_path":"/a \\u00e9","limit":2e3,"offset":0}'


@pytest.mark.parametrize(
    "asked",
    [
        '{"file_path": "/a.pdf", "pages": "1-5"}',
        '{"file_path": "/a"}',
        '{"pages": 3}',
        '{"pages": null}',
        '{"file_path": "/a", "pages": ""',
        '[{"pages": ""}]',
        '{"notes": {"pages": ""}}',
        '{"file_path": "\ud800", "pages": ""}',
        "",
    ],
)
def test_all_else_is_left_alone(asked: str) -> None:
    """Also what was cut short, is no text, or stands deeper: that is the model's own word."""
    assert mended("Read", asked) is asked


@pytest.mark.parametrize("tool", ["Write", "read", "mcp__books__Read"])
def test_other_tools_mean_what_they_say(tool: str) -> None:
    """An empty text is an empty file to `Write`."""
    asked = '{"pages": ""}'
    assert not may_need_mending(tool)
    assert mended(tool, asked) is asked
