"""gpt.ge's client against bodies of the seeds, served over real sockets by a vendor that misbehaves."""

import asyncio
import re
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from imaging import errors, refusals
from imaging.gptge import GptGe
from imaging.operations import Colorize, Cutout, Enhance, IdPhoto, Operation
from imaging.provider import Task
from tests.imaging.vendor import (
    EASY,
    TASK_ID,
    Behaviour,
    Vendor,
    body,
    hangs,
    hurry,
    picture,
    resets,
    says,
    task,
    upload,
)

KEY = "sk-very-secret"
RESULT = "/result?Signature=a%2Fb%2B%3D&Expires=1"


@pytest.fixture
async def client(vendor: Vendor) -> AsyncIterator[GptGe]:
    provider = GptGe(vendor.url, SecretStr(KEY), timeout=EASY)
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
        (says({"status": 400, "message": "no\n[info] forged \x1b[31m"}, 400), errors.Rejected),
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
    hurry(client, behaviour)
    with pytest.raises(expected) as caught:
        await client.submit(Colorize(), upload())
    assert type(caught.value) is expected
    logged = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in logged
    assert vendor.url not in logged
    assert not re.search(r"\n\[info\]|\x1b", logged)
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
    hurry(client, behaviour)
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


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_date_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """HTTP's oldest form of a date names no zone and means UTC, wherever the machine stands."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        wait = refusals.retry_after(time.asctime(time.gmtime(time.time() + 600)))
    time.tzset()
    assert wait == pytest.approx(600, abs=30)


async def test_nobody_there() -> None:
    """A refused connection surely sent nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        provider = GptGe(f"http://127.0.0.1:{taken.getsockname()[1]}", SecretStr(KEY), timeout=EASY)
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
    vendor.will("GET", says(b"", 302, {"Location": "https://elsewhere.example/"}))
    with pytest.raises(errors.Rejected):
        await client.check()


async def test_an_upload_is_rewound(vendor: Vendor, client: GptGe) -> None:
    """A second attempt sends the whole file again."""
    photo = upload()
    await client.submit(Colorize(), photo)
    await client.submit(Colorize(), photo)
    assert vendor.received[0].files == vendor.received[1].files


async def test_a_refusal_before_the_end_of_an_upload() -> None:
    """A key refused at the headers of a large upload is a refused key, not an unknown outcome."""
    closing = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await closing.wait()  # closed at once, what was not read would have the kernel take the answer back
        writer.close()

    async with serving(refuse) as url:
        client = GptGe(url, SecretStr(KEY), timeout=EASY)
        with pytest.raises(errors.KeyRefused):
            await client.submit(Colorize(), upload(bytes(30_000_000)))
        await client.aclose()
        closing.set()


async def test_an_upload_that_stalls() -> None:
    """A provider that stops reading is given up after the write timeout; it may have taken the picture."""
    closing = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        await closing.wait()
        writer.close()

    async with serving(stall) as url:
        client = GptGe(url, SecretStr(KEY), timeout=httpx.Timeout(10, read=0.2, write=0.2))
        with pytest.raises(errors.OutcomeUnknown):
            await client.submit(Colorize(), upload(bytes(30_000_000)))
        await client.aclose()
        closing.set()


@asynccontextmanager
async def serving(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve with bare streams, for what no HTTP server would do."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=1024)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()
