"""gpt.ge's client against bodies of the seeds, served over real sockets by a vendor that misbehaves."""

import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from imaging import errors, results
from imaging.gptge import GptGe
from imaging.operations import Colorize, Cutout, Enhance, IdPhoto, Operation
from imaging.provider import Task
from tests.imaging.vendor import (
    TASK_ID,
    Behaviour,
    Vendor,
    body,
    hangs,
    picture,
    resets,
    says,
    task,
    truncates,
    upload,
)

KEY = "sk-very-secret"
QUICK = httpx.Timeout(connect=1, read=0.2, write=1, pool=1)
RESULT = "/result?Signature=a%2Fb%2B%3D&Expires=1"


@pytest.fixture
async def client(vendor: Vendor) -> AsyncIterator[GptGe]:
    provider = GptGe(vendor.url, SecretStr(KEY), timeout=QUICK)
    yield provider
    await provider.aclose()


@pytest.mark.parametrize(
    ("operation", "path"),
    [(Colorize(), "colorization"), (Enhance(), "scale"), (IdPhoto(), "idphoto"), (Cutout(), "segmentation")],
)
async def test_a_photo_goes_there_and_its_result_back(
    vendor: Vendor, client: GptGe, operation: Operation, path: str
) -> None:
    """Each operation posts to its path with key, fields and bytes, and reads the seed's own answer."""
    vendor.will("POST", says(body(f"gptge_{path}")))
    sent = picture("JPEG", (300, 200))
    done = await client.submit(operation, upload(sent), sync=True)
    post = vendor.received[0]
    assert (post.method, post.path) == ("POST", f"/task/pic/{path}")
    assert post.headers["Authorization"] == f"Bearer {KEY}"
    assert post.files == {"image_file": ("photo.jpg", "image/jpeg", sent)}
    assert post.fields == {**operation.fields(), "sync": "1"}
    assert done.done
    assert done.progress == 100
    result = await client.fetch(done)
    (one,) = result.files
    assert (one.format, one.width, one.height, one.role) == ("png", 30, 40, "image")
    assert one.file.read() == picture()
    assert one.size == len(picture())
    result.close()
    assert vendor.received[-1].path == RESULT
    assert "Authorization" not in vendor.received[-1].headers


async def test_asynchronous_submission_and_query(vendor: Vendor, client: GptGe) -> None:
    """Without sync the task is asked for at the one query path; the callback's URL goes along."""
    created = await client.submit(Colorize(), upload(), callback_url="https://bot.example/cb/x")
    assert vendor.received[0].fields["callback_url"] == "https://bot.example/cb/x"
    assert vendor.received[0].fields["sync"] == "0"
    assert not created.done
    assert not created.failed
    asked = await client.query(Colorize(), created.task_id)
    assert vendor.received[1].path == f"/task/{TASK_ID}"
    assert asked.done


async def test_a_bare_reply_is_enough(vendor: Vendor, client: GptGe) -> None:
    """All but status, task_id and state may be missing."""
    vendor.will("POST", says({"status": 200, "data": {"task_id": "t", "state": 4}}))
    assert await client.submit(Colorize(), upload()) == Task("t", 4)


async def test_strange_task_ids_stay_one_segment(vendor: Vendor, client: GptGe) -> None:
    """A task_id is data: it cannot climb out of its path."""
    vendor.will("GET", says(task(0, "../a?b")))
    assert (await client.query(Colorize(), "../a?b")).task_id == "../a?b"
    assert vendor.received[0].path == "/task/..%2Fa%3Fb"


async def test_another_task_than_asked_for_is_refused(vendor: Vendor, client: GptGe) -> None:
    """Nobody gets another person's photo, whatever the provider mixes up."""
    vendor.will("GET", says(task(1, "somebody-elses")))
    with pytest.raises(errors.BadReply):
        await client.query(Colorize(), TASK_ID)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (says({"status": 400, "message": "size"}, 400), errors.Rejected),
        (says({"status": 401, "message": f"Invalid key {KEY}"}, 401), errors.KeyRefused),
        (says({"status": 401, "message": "no"}), errors.KeyRefused),
        (says({"status": 402}, 402), errors.OutOfCredit),
        (says({"error": {"code": "insufficient_user_quota"}}, 403), errors.OutOfCredit),
        (says(b"<html>not here</html>", 404), errors.Rejected),
        (says({"status": 413}, 413), errors.PictureTooLarge),
        (says({"status": 429}, 429), errors.Busy),
        (says(b"", 307, {"Location": "https://elsewhere.example/"}), errors.Rejected),
        (says({"status": 500}, 500), errors.OutcomeUnknown),
        (says(b"<html>bad gateway</html>", 502), errors.OutcomeUnknown),
        (says({"status": 500, "message": "busy"}), errors.OutcomeUnknown),
        (says(b"<html>login</html>"), errors.OutcomeUnknown),
        (says(b"\x00\xff garbage"), errors.OutcomeUnknown),
        (says({"status": 200, "data": {"state": 0}}), errors.OutcomeUnknown),
        (says({"status": 200, "data": []}), errors.OutcomeUnknown),
        (says(b" " * (2**20 + 7)), errors.OutcomeUnknown),
        (says(task(0, "x" * 300)), errors.OutcomeUnknown),
        (resets, errors.OutcomeUnknown),
        (hangs, errors.OutcomeUnknown),
    ],
)
async def test_refused_posts(vendor: Vendor, client: GptGe, behaviour: Behaviour, expected: type[Exception]) -> None:
    """A POST fails as one class of the tree; only answers that leave it open whether it was taken are unknown."""
    vendor.will("POST", behaviour)
    with pytest.raises(expected) as caught:
        await client.submit(Colorize(), upload())
    assert type(caught.value) is expected
    assert KEY not in str(caught.value)
    assert vendor.url not in str(caught.value)
    assert vendor.count("POST") == 1


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (says({"status": 404}, 404), errors.TaskLost),
        (says({"status": 404, "message": "gone"}), errors.TaskLost),
        (says({"status": 500}, 500), errors.Unavailable),
        (says(b"<html>login</html>"), errors.BadReply),
        (resets, errors.Unavailable),
        (hangs, errors.Unavailable),
    ],
)
async def test_refused_queries(vendor: Vendor, client: GptGe, behaviour: Behaviour, expected: type[Exception]) -> None:
    """A query costs nothing, so nothing about it is an unknown outcome."""
    vendor.will("GET", behaviour)
    with pytest.raises(expected) as caught:
        await client.query(Colorize(), TASK_ID)
    assert type(caught.value) is expected


async def test_retry_after(vendor: Vendor, client: GptGe) -> None:
    """A 429's Retry-After arrives in seconds, also from a date; nonsense counts as nothing said."""
    dates = {"7": 7.0, "Wed, 21 Oct 2015 07:28:00 GMT": 0.0, "soon": None, "nan": None, "99999999": 3600.0, "-1": None}
    for text, seconds in dates.items():
        vendor.will("POST", says({"status": 429}, 429, {"Retry-After": text}))
        with pytest.raises(errors.Busy) as caught:
            await client.submit(Colorize(), upload())
        assert caught.value.retry_after == seconds


async def test_nobody_there() -> None:
    """A refused connection surely sent nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        provider = GptGe(f"http://127.0.0.1:{taken.getsockname()[1]}", SecretStr(KEY), timeout=QUICK)
        with pytest.raises(errors.Unsent):
            await provider.submit(Colorize(), upload())
        with pytest.raises(errors.Unavailable):
            await provider.check()
        await provider.aclose()


async def test_check_reads_404_as_a_good_key(vendor: Vendor, client: GptGe) -> None:
    """A key is tested without paying, by asking for a task that cannot exist."""
    vendor.will("GET", says({"status": 404}, 404), says({"status": 401}, 401))
    await client.check()
    with pytest.raises(errors.KeyRefused):
        await client.check()


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (says(b"<html>expired</html>", 403), errors.ResultLost),
        (says(b"", 404), errors.ResultLost),
        (says(b""), errors.ResultLost),
        (says(b"<html>not a picture</html>", 200, {"Content-Type": "image/png"}), errors.ResultLost),
        (says(b"\x89PNG\r\n\x1a\n no picture IEND"), errors.ResultLost),
        (says(picture()[:-20]), errors.ResultLost),
        (says(picture("JPEG")[:-20]), errors.ResultLost),
        (truncates, errors.Unavailable),
        (says(b"", 429), errors.Busy),
        (says(b"", 503), errors.Unavailable),
        (says(b"", 302, {"Location": "/result"}), errors.ResultLost),
        (says(b"", 302, {"Location": "http://169.254.169.254/latest"}), errors.ResultLost),
        (says(b"", 302, {"Location": "file:///etc/passwd"}), errors.ResultLost),
        (says(b"", 302, {"Location": "http://localhost:1/"}), errors.ResultLost),
        (hangs, errors.Unavailable),
    ],
)
async def test_bad_results(vendor: Vendor, client: GptGe, behaviour: Behaviour, expected: type[Exception]) -> None:
    """What is no whole picture from a permitted address is not a result; what may pass is told apart."""
    vendor.will("result", behaviour)
    with pytest.raises(expected) as caught:
        await client.fetch(Task(TASK_ID, 1, image=vendor.url + RESULT))
    assert type(caught.value) is expected
    assert "Signature" not in str(caught.value)


async def test_results_are_limited(vendor: Vendor, client: GptGe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result without end is cut off."""
    monkeypatch.setattr(results, "MAX_RESULT", 1000)
    vendor.will("result", says(picture() + bytes(1000)))
    with pytest.raises(errors.ResultLost):
        await client.fetch(Task(TASK_ID, 1, image=vendor.url + RESULT))


async def test_one_redirect_is_followed(vendor: Vendor, client: GptGe) -> None:
    """Storage may send on, within the limit."""
    vendor.will("result", says(b"", 302, {"Location": "/result/b"}), says(picture("JPEG")))
    result = await client.fetch(Task(TASK_ID, 1, image=vendor.url + RESULT))
    assert result.files[0].format == "jpg"
    result.close()


@pytest.mark.parametrize("url", ["http://10.0.0.1/x.png", "ftp://example.org/x", "http://[::1]/", "no url"])
async def test_private_result_urls_are_refused(client: GptGe, url: str) -> None:
    """A provider cannot make the bot fetch from inside."""
    with pytest.raises(errors.ResultLost):
        await client.fetch(Task(TASK_ID, 1, image=url))


async def test_done_without_a_picture(client: GptGe) -> None:
    """A task that is done and has nothing to show lost its result."""
    with pytest.raises(errors.ResultLost):
        await client.fetch(Task(TASK_ID, 1))


@pytest.mark.parametrize(
    ("output", "given", "roles"),
    [
        (1, {"image": "RESULT", "mask": "RESULT"}, ["image", "mask"]),
        (2, {"image": "RESULT", "mask": "RESULT"}, ["image"]),
        (2, {"image": "RESULT", "mask": ""}, ["image"]),
        (3, {"image": "RESULT", "mask": "RESULT"}, ["mask"]),
        (3, {"image": "", "mask": "RESULT"}, ["mask"]),
        (3, {"image": "RESULT", "mask": ""}, ["image"]),
    ],
)
async def test_masks(vendor: Vendor, client: GptGe, output: int, given: dict[str, str], roles: list[str]) -> None:
    """A cutout brings what was asked for, however the provider fills the two fields."""
    vendor.will("GET", says(task(1, **given)))
    operation = Cutout.model_validate({"output": output})
    result = await client.fetch(await client.query(operation, TASK_ID))
    assert [one.role for one in result.files] == roles
    result.close()


async def test_an_upload_is_rewound(vendor: Vendor, client: GptGe) -> None:
    """A second attempt sends the whole file again."""
    photo = upload()
    await client.submit(Colorize(), photo)
    await client.submit(Colorize(), photo)
    assert vendor.received[0].files == vendor.received[1].files


async def test_signed_result_urls_stay_whole(vendor: Vendor, client: GptGe) -> None:
    """A signed query arrives byte for byte."""
    query = "/result/a%2fb?Signature=%2b%2F%3d&x=~%7e+1"
    (await client.fetch(Task(TASK_ID, 1, image=vendor.url + query))).close()
    assert vendor.received[0].path == query
