"""Members in either spelling."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.dialects.gemini.members import WRITTEN, Json, Members, Recurring, forget, inner, put, put_back, spelled
from strowger.errors import BadRequest


def test_a_member_is_read_in_either_spelling() -> None:
    """Proto JSON takes both."""
    assert Members(b'{"fileUri":"a"}', "p").text("fileUri") == "a"
    assert Members(b'{"file_uri":"a"}', "p").text("fileUri") == "a"


def test_what_was_written_in_snake_case_is_remembered() -> None:
    """The name stays in the extras with an empty text, which says nothing to other dialects."""
    fields = Members(b'{"file_uri":"a","x":1}', "p")
    fields.text("fileUri")
    assert fields.extras() == {"file_uri": WRITTEN, "x": Raw(b"1")}


def test_a_member_written_twice_is_refused() -> None:
    """Which of the two counts is for nobody to guess."""
    with pytest.raises(BadRequest, match="also there as file_uri"):
        Members(b'{"file_uri":"a","fileUri":"b"}', "p").text("fileUri")


def test_an_explicit_null_stays() -> None:
    """Null is no value; it comes back to its own dialect."""
    fields = Members(b'{"fileUri":null,"file_uri":"a"}', "p")
    assert fields.text("fileUri") == "a"
    assert bytes(fields.extras()["fileUri"]) == b"null"


def test_an_empty_text_stays() -> None:
    """Empty and absent are not written alike."""
    fields = Members(b'{"id":""}', "p")
    assert fields.filled("id") == ""
    assert bytes(fields.extras()["id"]) == b'""'


def test_one_value_may_stand_for_a_list() -> None:
    """Proto JSON takes one value where there may be several."""
    assert [bytes(item) for item in Members(b'{"parts":{"a":1}}', "p").items("parts") or []] == [b'{"a":1}']
    assert [bytes(item) for item in Members(b'{"parts":[1,2]}', "p").items("parts") or []] == [b"1", b"2"]


def test_what_is_left_of_an_object_is_kept_under_its_own_name() -> None:
    """The rest of an object that was read comes back in it."""
    fields = Members(b'{"file_data":{"fileUri":"a","x":1}}', "p")
    held = fields.members("fileData")
    assert held is not None
    assert held.text("fileUri") == "a"
    fields.keep("fileData", held)
    assert bytes(fields.extras()["file_data"]) == b'{"x":1}'


def test_an_empty_object_is_kept_where_it_would_be_forgotten() -> None:
    """`{}` and nothing are not written alike."""
    fields = Members(b'{"generationConfig":{}}', "p")
    held = fields.members("generationConfig")
    assert held is not None
    fields.keep("generationConfig", held, empty=True)
    assert bytes(fields.extras()["generationConfig"]) == b"{}"


def test_members_are_put_back_in_their_spelling() -> None:
    """What the extras remember is how it is written."""
    node: Json = put_back({"file_uri": WRITTEN})
    put(node, "fileUri", "a")
    put(node, "mimeType", "b")
    assert node == {"file_uri": "a", "mimeType": "b"}


def test_a_null_does_not_tell_the_spelling() -> None:
    """A null in snake_case beside a value in camelCase stays a null."""
    node: Json = {"file_uri": Raw(b"null")}
    put(node, "fileUri", "a")
    assert node["fileUri"] == "a"
    assert spelled(node, "fileUri") == "fileUri"


def test_an_object_is_begun_with_what_is_kept_of_it() -> None:
    """Members that have no field come back in the object they stood in."""
    node: Json = {"file_data": Raw(b'{"x":1}')}
    inner(node, "fileData")["y"] = 2
    assert inner(node, "fileData") == {"x": Raw(b"1"), "y": 2}
    assert list(node) == ["file_data"]


def test_a_member_is_forgotten_in_either_spelling() -> None:
    """What an upstream does not take must not go under its other name."""
    node: Json = {"topK": 1, "top_k": 2, "a": 3}
    forget(node, "topK")
    assert node == {"a": 3}


def _take_list(fields: Members, forms: set[str]) -> tuple[str, ...]:
    """Reads `theList`, leaves what is null in it, and notes that it was there."""
    held = fields.need(fields.members("theList"), "theList")
    forms.add("listed")
    words = held.strings("words") or ()
    fields.keep("theList", held)
    return words


def test_a_recurring_member_is_taken_once() -> None:
    """The next time the very same comes of it; what is left of it and the forms are each request's own."""
    recurring = Recurring("theList", _take_list, kept=4, longest=1000)
    found, forms, left = [], [], []
    for more in (b"1", b"2"):
        fields, noted = Members(b'{"theList":{"words":["a"],"x":null},"more":%b}' % more), set[str]()
        found.append(recurring.take(fields, noted))
        forms.append(noted)
        left.append([(key, bytes(raw)) for key, raw in fields.rest.items()])
        fields.rest.clear()
    assert found[0] is found[1]
    assert found[0] == ("a",)
    assert forms == [{"listed"}, {"listed"}]
    assert left == [[("more", more), ("theList", b'{"x":null}')] for more in (b"1", b"2")]


@pytest.mark.parametrize("body", [b'{"the_list":{"words":["a"]}}', b'{"theList":{"words":["a"]},"the_list":null}'])
def test_a_recurring_member_in_another_spelling_is_taken_too(body: bytes) -> None:
    """As it would be by itself."""
    fields, plain = Members(body), Members(body)
    assert Recurring("theList", _take_list, kept=4, longest=1000).take(fields, set()) == _take_list(plain, set())
    assert fields.rest == plain.rest


def test_an_error_of_a_recurring_member_says_where() -> None:
    """Also where the member stands deeper."""
    recurring = Recurring("theList", _take_list, kept=4, longest=1000)
    for path in ("request", "other"):
        with pytest.raises(BadRequest, match=f"{path}.theList.words"):
            recurring.take(Members(b'{"theList":{"words":[1]}}', path), set())
