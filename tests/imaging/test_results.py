"""Results on their way back: only whole pictures, only from where they may be fetched."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from imaging import errors, results
from imaging.gptge import GptGe
from imaging.operations import Cutout
from imaging.provider import Task
from tests.imaging.vendor import EASY, TASK_ID, Behaviour, Vendor, hangs, hurry, picture, says, task, truncates

RESULT = "/result?Signature=a%2Fb%2B%3D&Expires=1"


@pytest.fixture
async def client(vendor: Vendor) -> AsyncIterator[GptGe]:
    provider = GptGe(vendor.url, SecretStr("sk"), timeout=EASY)
    yield provider
    await provider.aclose()


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
    hurry(client, behaviour)
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


@pytest.mark.parametrize("host", ["a..b", ".", "xn--", "xn--a", "a" * 70, "é" * 70, "[::1"])
@pytest.mark.parametrize("sent_on", [False, True])
async def test_a_host_that_is_no_name(vendor: Vendor, client: GptGe, host: str, sent_on: bool) -> None:  # noqa: FBT001  both cases
    """A URL that nobody could look up is a lost result, and nothing that breaks the job."""
    vendor.will("result", says(b"", 302, {"Location": f"http://{host}/x"}))
    with pytest.raises(errors.ResultLost):
        await client.fetch(Task(TASK_ID, 1, image=vendor.url + RESULT if sent_on else f"http://{host}/x"))


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
    done = await client.query(operation, TASK_ID)
    assert client.downloads(done) == len(roles)
    result = await client.fetch(done)
    assert [one.role for one in result.files] == roles
    result.close()


async def test_signed_result_urls_stay_whole(vendor: Vendor, client: GptGe) -> None:
    """A signed query arrives byte for byte."""
    query = "/result/a%2fb?Signature=%2b%2F%3d&x=~%7e+1"
    (await client.fetch(Task(TASK_ID, 1, image=vendor.url + query))).close()
    assert vendor.received[0].path == query
