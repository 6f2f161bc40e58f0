"""PicWish's client: its header and paths, and results as URL, base64 and bare bytes."""

import base64
import json
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from imaging import errors, inline, results
from imaging.operations import Colorize, Cutout, Enhance, IdPhoto, Operation
from imaging.picwish import PicWish
from imaging.wire import ReturnType
from tests.imaging.vendor import TASK_ID, Behaviour, Vendor, body, picture, says, upload

KEY = "wx-secret"


@pytest.fixture
async def clients(vendor: Vendor) -> AsyncIterator[dict[ReturnType, PicWish]]:
    made = {kind: PicWish(vendor.url, SecretStr(KEY), return_type=kind) for kind in ReturnType}
    yield made
    for one in made.values():
        await one.aclose()


@pytest.mark.parametrize(
    ("operation", "path"),
    [(Colorize(), "colorization"), (Enhance(), "scale"), (IdPhoto(), "idphoto"), (Cutout(), "segmentation")],
)
async def test_the_documented_way(
    vendor: Vendor, clients: dict[ReturnType, PicWish], operation: Operation, path: str
) -> None:
    """Create answers with a task_id alone; the query goes to the same path; the URL is fetched."""
    client = clients[ReturnType.URL]
    vendor.will("POST", says(body("picwish_created")))
    vendor.will("GET", says(body("picwish_done")))
    created = await client.submit(operation, upload())
    assert not created.done
    assert not created.failed
    done = await client.query(operation, created.task_id)
    result = await client.fetch(done)
    assert result.files[0].width == 30
    result.close()
    post, query, _ = vendor.received
    assert (post.path, query.path) == (f"/api/tasks/visual/{path}", f"/api/tasks/visual/{path}/{TASK_ID}")
    assert post.headers["X-API-KEY"] == query.headers["X-API-KEY"] == KEY
    assert post.fields["return_type"] == "1"


@pytest.mark.parametrize(
    ("operation", "kind", "sync", "sent"),
    [
        (Colorize(), ReturnType.BASE64, False, "2"),
        (Colorize(), ReturnType.BINARY, True, "3"),
        (Colorize(), ReturnType.BINARY, False, "1"),
        (IdPhoto(), ReturnType.BINARY, True, "1"),
        (Cutout(), ReturnType.BINARY, True, "3"),
        (Cutout(output=1), ReturnType.BINARY, True, "1"),
        (Cutout(output=3), ReturnType.BINARY, True, "1"),
        (IdPhoto(), ReturnType.BASE64, True, "2"),
    ],
)
async def test_return_type_sent(
    vendor: Vendor,
    clients: dict[ReturnType, PicWish],
    operation: Operation,
    kind: ReturnType,
    sync: bool,  # noqa: FBT001  a row of the table
    sent: str,
) -> None:
    """A binary body is only asked for where the contract has one."""
    await clients[kind].submit(operation, upload(), sync=sync)
    assert vendor.received[0].fields["return_type"] == sent


async def test_base64(vendor: Vendor, clients: dict[ReturnType, PicWish]) -> None:
    """Image and mask inside the answer are decoded, also with slashes escaped as PHP does."""
    image, mask = picture("PNG", (400, 300)), picture("PNG", (30, 40), "white")
    text = json.dumps(
        body("picwish_done", image=base64.b64encode(image).decode(), mask=base64.b64encode(mask).decode())
    )
    vendor.will("POST", says(text.replace("/", "\\/").encode()))
    done = await clients[ReturnType.BASE64].submit(Cutout(output=1), upload(), sync=True)
    assert done.task_id == TASK_ID
    result = await clients[ReturnType.BASE64].fetch(done)
    assert [(one.role, one.file.read()) for one in result.files] == [("image", image), ("mask", mask)]
    result.close()


async def test_base64_mode_survives_urls(vendor: Vendor, clients: dict[ReturnType, PicWish]) -> None:
    """A provider that answers with a URL all the same is understood."""
    vendor.will("GET", says(body("picwish_done", mask="")))
    done = await clients[ReturnType.BASE64].query(Colorize(), TASK_ID)
    (await clients[ReturnType.BASE64].fetch(done)).close()


async def test_binary(vendor: Vendor, clients: dict[ReturnType, PicWish]) -> None:
    """A bare picture as the answer is the result itself, without a task."""
    vendor.will("POST", says(picture("JPEG")))
    done = await clients[ReturnType.BINARY].submit(Colorize(), upload(), sync=True)
    assert (done.task_id, done.done) == ("", True)
    result = await clients[ReturnType.BINARY].fetch(done)
    assert result.files[0].file.read() == picture("JPEG")
    result.close()


@pytest.mark.parametrize("kind", [ReturnType.BASE64, ReturnType.BINARY])
@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (says({"status": 429}, 429), errors.Busy),
        (says(b"<html>", 502), errors.OutcomeUnknown),
        (says(b"<html>"), errors.OutcomeUnknown),
        (says(b""), errors.OutcomeUnknown),
        (says(picture()[:-20]), errors.OutcomeUnknown),
        (says({"status": 200, "data": {"task_id": "t", "image": "***not base64***"}}), errors.OutcomeUnknown),
    ],
)
async def test_bad_answers(
    vendor: Vendor,
    clients: dict[ReturnType, PicWish],
    kind: ReturnType,
    behaviour: Behaviour,
    expected: type[Exception],
) -> None:
    """What is neither JSON nor a whole picture leaves the outcome of the paid POST unknown."""
    vendor.will("POST", behaviour)
    with pytest.raises(expected) as caught:
        await clients[kind].submit(Colorize(), upload(), sync=True)
    assert type(caught.value) is expected


@pytest.mark.parametrize("kind", list(ReturnType))
@pytest.mark.parametrize("answer", [b"<html>login</html>", b"", picture()[:-20]], ids=["html", "nothing", "cut"])
async def test_garbage_instead_of_a_task(
    vendor: Vendor, clients: dict[ReturnType, PicWish], kind: ReturnType, answer: bytes
) -> None:
    """What is no answer to a question says nothing about the task, which is asked for again and not made anew."""
    vendor.will("GET", says(answer))
    with pytest.raises(errors.BadReply):
        await clients[kind].query(Colorize(), TASK_ID)


async def test_pictures_inside_answers_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Base64 without end is cut off, and so is JSON."""
    monkeypatch.setattr(results, "MAX_RESULT", 100)
    with pytest.raises(errors.ResultLost):
        await inline.split(b'{"image": "' + b"AAAA" * 100, _pieces([]))
    monkeypatch.undo()
    with pytest.raises(errors.BadReply):  # each limited, but any number of them
        await inline.split(b'{"image": "AAAAAAAA", "image": "AAAAAAAA"}', _pieces([]))
    with pytest.raises(errors.BadReply):
        await inline.split(b" " * (2**20 + 200), _pieces([]))


async def _pieces(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@given(st.binary(min_size=9, max_size=200), st.lists(st.integers(1, 300), max_size=8), st.booleans())
async def test_cuts_between_pieces_do_not_matter(data: bytes, cuts: list[int], mask: bool) -> None:  # noqa: FBT001  drawn
    """However the body is cut, the same bytes and the same JSON come out."""
    values = {"image": base64.b64encode(data).decode()} | ({"mask": "https://a.example/b"} if mask else {})
    text = json.dumps({"status": 200, "data": values, "message": "x"}).encode()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    parts = [text[a:b] for a, b in pairwise(places)]
    rest, pictures = await inline.split(parts[0], _pieces(parts[1:]))
    assert json.loads(rest)["data"] == {**values, "image": ""}
    ((role, spool),) = pictures
    spool.seek(0)
    assert (role, spool.read()) == ("image", data)
    spool.close()
