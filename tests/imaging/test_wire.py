"""Reading bodies leniently, and building them for the engine."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging import wire
from imaging.errors import BadReply
from tests.imaging.vendor import BODIES

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
OPTIONAL = sorted(set(wire.TaskBody.model_fields) - {"state"})


@pytest.mark.parametrize("name", sorted(path.stem for path in BODIES.glob("*.json")))
def test_the_seeds_bodies(name: str) -> None:
    """Every body of the seeds is read whole; what is known of it comes out again as it went in."""
    raw = (BODIES / f"{name}.json").read_bytes()
    reply = wire.read_reply(raw)
    assert reply.status == 200
    assert reply.data is not None
    assert reply.data.task_id
    given = {key: value for key, value in json.loads(raw)["data"].items() if value != ""}
    written = json.loads(reply.dump())["data"]
    assert {key: value for key, value in written.items() if key in given} == {
        key: value for key, value in given.items() if key in wire.TaskBody.model_fields
    }


@given(st.dictionaries(st.sampled_from(OPTIONAL), JSON))
def test_optional_fields_never_break_a_reply(odd: dict[str, Any]) -> None:
    """Whatever stands in the fields beside status and state, the reply is read."""
    reply = wire.read_reply(json.dumps({"status": 200, "data": {**odd, "state": 4}}).encode())
    assert reply.data is not None
    assert reply.data.state == 4


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_a_bad_reply(raw: bytes) -> None:
    """Any bytes are a reply or a BadReply, never another exception."""
    with suppress(BadReply):
        wire.read_reply(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"status": 200, "data": {"task_id": "x", "state": "done"}}',
        b'{"data": {"task_id": "x", "state": 1}}',
        b"null",
        b"<html>",
        b'{"status": 200' + b" " * wire.MAX_BODY + b"}",
    ],
)
def test_wrong_shapes(raw: bytes) -> None:
    """A body without a readable status or state, or too long, is a BadReply that does not repeat it."""
    with pytest.raises(BadReply) as caught:
        wire.read_reply(raw)
    assert "html" not in str(caught.value)


def test_errors_may_carry_empty_data() -> None:
    """PHP writes an empty object as a list."""
    assert wire.read_reply(b'{"status": 401, "message": "no", "data": []}').data is None


def test_numbers_in_quotes() -> None:
    """Numbers as text are read as numbers, where they can be."""
    raw = b'{"status":"200","data":{"task_id":5,"state":"-7","progress":"99.5","image_width":1e400}}'
    data = wire.read_reply(raw).data
    assert data is not None
    assert (data.task_id, data.state, data.progress, data.image_width) == ("5", -7, 99, None)


def test_an_answer_of_the_engine() -> None:
    """What is not known is left out, and the client reads what the engine wrote."""
    body = wire.Reply(status=200, data=wire.TaskBody(task_id="t", state=wire.State.DONE, progress=100))
    assert json.loads(body.dump()) == {"status": 200, "data": {"task_id": "t", "state": 1, "progress": 100}}
    assert wire.read_reply(body.dump()) == body
