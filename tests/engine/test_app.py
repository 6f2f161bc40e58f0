"""Both dialects over real sockets: every path and parameter, every refusal, every way to get the result."""

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.engine import stub
from tests.engine.support import API_KEY, BEARER, KEY, OTHER_KEY, Peer, Running, opened, picture, running_engine
from tests.engine.support import running_peer as _running_peer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = ["colorization", "scale", "idphoto", "segmentation"]
CREATE = {"gptge": "/task/pic/", "picwish": "/api/tasks/visual/"}
SEED_FIELDS = {
    *("completed_at", "created_at", "download_time", "image", "image_height", "image_width", "processed_at"),
    *("progress", "return_type", "state", "state_detail", "task_id", "time_elapsed", "type"),
}
MORE_FIELDS = {"err_info", "foreground_rect", "output_type", "result_type"}  # in every seed but scale's


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[Running]:
    """Run an engine that refuses private links, shared by the tests here."""
    async with running_engine(max_bytes=100_000) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lenient() -> AsyncIterator[Running]:
    """Run an engine that may fetch from this machine."""
    async with running_engine(max_bytes=100_000, allow_private=True, workers=2) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer() -> AsyncIterator[Peer]:
    """Run a server with pictures that takes callbacks."""
    async with _running_peer() as running:
        yield running


async def keyless(url: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url)


@pytest.mark.parametrize("path", PATHS)
async def test_a_synchronous_reply_has_the_fields_of_the_seed(engine: Running, path: str) -> None:
    """With sync=1 a gpt.ge reply has exactly the fields that the vendor's example of the operation shows."""
    reply = (await engine.post(f"/task/pic/{path}", sync="1")).json()
    assert set(reply) == {"status", "data"}
    data = reply["data"]
    assert set(data) == (SEED_FIELDS if path == "scale" else SEED_FIELDS | MORE_FIELDS)
    assert (reply["status"], data["state"], data["progress"], data["return_type"]) == (200, 1, 100, 1)
    assert data["state_detail"] == "Complete"
    assert data["created_at"] <= data["processed_at"] <= data["completed_at"]
    got = await keyless(data["image"])
    assert opened(got.content).size == (data["image_width"], data["image_height"])
    assert got.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
async def test_picwish_answers_asynchronously(engine: Running, path: str) -> None:
    """PicWish's POST gives the task_id alone, its GET the result with times as text."""
    create = f"/api/tasks/visual/{path}"
    reply = (await engine.post(create)).json()
    assert set(reply["data"]) == {"task_id"}
    assert (reply["status"], reply["message"]) == (200, "success")
    data = await engine.finished(f"{create}/{reply['data']['task_id']}")
    assert data["state"] == 1
    assert isinstance(data["completed_at"], str)
    assert (await engine.client.get(str(data["image"]))).status_code == 200


@pytest.mark.parametrize(
    ("path", "fields", "kind", "media_type"),
    [
        ("colorization", {}, "JPEG", "image/jpeg"),
        ("colorization", {"format": "jpeg"}, "JPEG", "image/jpeg"),
        ("colorization", {"format": "jpg"}, "JPEG", "image/jpeg"),
        ("colorization", {"format": "png"}, "PNG", "image/png"),
        ("colorization", {"format": "webp"}, "WEBP", "image/webp"),
        ("scale", {"type": "clean"}, "JPEG", "image/jpeg"),
        ("scale", {"type": "face", "scale_factor": "2"}, "JPEG", "image/jpeg"),
        ("scale", {"scale_factor": ""}, "JPEG", "image/jpeg"),
        ("idphoto", {"size": "300x400"}, "PNG", "image/png"),
        ("idphoto", {"size": "300x400", "format": "jpg", "bg_color": "FFFFFF"}, "JPEG", "image/jpeg"),
        ("segmentation", {"type": "person", "output_type": "2", "crop": "1"}, "PNG", "image/png"),
        ("segmentation", {"type": "object", "crop": "0"}, "PNG", "image/png"),
        ("segmentation", {"type": "stamp", "format": "jpg", "bg_color": "00ff00"}, "JPEG", "image/jpeg"),
        ("segmentation", {"type": ""}, "PNG", "image/png"),
    ],
)
@pytest.mark.parametrize("dialect", ["gptge", "picwish"])
async def test_every_parameter(
    engine: Running, dialect: str, path: str, fields: dict[str, str], kind: str, media_type: str
) -> None:
    """Each parameter is understood in both dialects; the result has the format and size asked for."""
    data = (await engine.post(CREATE[dialect] + path, sync="1", **fields)).json()["data"]
    got = await engine.client.get(data["image"])
    assert (opened(got.content).format, got.headers["content-type"]) == (kind, media_type)
    assert data["type"] == (fields.get("type") or ("clean" if path == "scale" else "auto"))
    if "size" in fields:
        assert opened(got.content).size == (300, 400)


@pytest.mark.parametrize(("output", "roles"), [("1", {"image", "mask"}), ("2", {"image"}), ("3", {"mask"})])
async def test_output_types(engine: Running, output: str, roles: set[str]) -> None:
    """Image and mask, image, or mask: the others are empty, in the reply and in the answer to a query."""
    created = (await engine.post("/task/pic/segmentation", sync="1", output_type=output)).json()["data"]
    asked = (await engine.client.get(f"/task/{created['task_id']}")).json()["data"]
    for data in (created, asked):
        assert {role for role in ("image", "mask") if data.get(role)} == roles
        assert data["output_type"] == int(output)
        assert data["foreground_rect"] == {"x": 1, "y": 2, "width": 3, "height": 4}
    assert asked["mask"] == created.get("mask", "")
    if "mask" in roles:
        assert opened((await engine.client.get(asked["mask"])).content).mode == "L"


async def test_an_id_photo_without_a_size_keeps_the_original_one(engine: Running) -> None:
    """The vendor's default size is the original's, within what the parameter allows."""
    data = (await engine.post("/task/pic/idphoto", picture((150, 60)), sync="1")).json()["data"]
    assert (data["image_width"], data["image_height"]) == (150, 100)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("colorization", {"format": "gif"}),
        ("scale", {"type": "dirty"}),
        ("scale", {"scale_factor": "3"}),
        ("idphoto", {"size": "99x400"}),
        ("idphoto", {"size": "300X400"}),
        ("idphoto", {"bg_color": "white", "format": "jpg"}),
        ("segmentation", {"output_type": "4"}),
        ("segmentation", {"crop": "yes"}),
        ("segmentation", {"format": "webp"}),
        ("colorization", {"sync": "2"}),
        ("colorization", {"callback_url": "ftp://example.com/"}),
        ("colorization", {"callback_url": "http://[broken/"}),
        ("colorization", {"callback_url": "http://127.0.0.1:9/"}),
        ("colorization", {"image_url": "file:///etc/passwd"}),
        ("colorization", {"image_url": "example.com/photo.jpg"}),
    ],
)
@pytest.mark.parametrize("dialect", ["gptge", "picwish"])
async def test_wrong_parameters(engine: Running, dialect: str, path: str, fields: dict[str, str]) -> None:
    """A wrong value is a 400 whose body says which one."""
    reply = await engine.post(CREATE[dialect] + path, **fields)
    assert (reply.status_code, reply.json()["status"]) == (400, 400)
    assert set(fields) & set(reply.json()["message"].replace(":", " ").split())


@pytest.mark.parametrize(
    ("files", "data"),
    [
        ([], {"sync": "1"}),
        ([("image_file", ("a.png", picture()))], {"image_url": "http://example.com/a.png"}),
        ([("image_file", (None, b"text"))], {}),
        ([("image_url", ("a.txt", b"http://example.com"))], {}),
        ([("image_file", ("a.png", picture())), ("image_file", ("b.png", picture()))], {}),
        ([("image_file", ("a.png", picture())), ("sync", (None, b"1")), ("sync", (None, b"0"))], {}),
    ],
)
async def test_one_picture_one_way(
    engine: Running, files: list[tuple[str, tuple[str | None, bytes]]], data: dict[str, str]
) -> None:
    """No picture, two, a picture and a link, text for a file, a file for text, a field twice: 400."""
    reply = await engine.client.post("/task/pic/scale", files=files or None, data=data)
    assert (reply.status_code, reply.json()["status"]) == (400, 400)


async def test_empty_fields_are_as_good_as_absent(engine: Running) -> None:
    """A form that leaves image_url and callback_url blank beside a file is understood."""
    reply = await engine.post("/task/pic/scale", sync="1", callback_url="")
    assert reply.json()["data"]["state"] == 1
    parts = {"image_file": ("", b""), "image_url": (None, b"http://127.0.0.1/"), "sync": (None, b"1")}
    assert (await engine.client.post("/task/pic/scale", files=parts)).json()["data"]["state"] == -3


async def test_a_body_that_is_no_form(engine: Running) -> None:
    """JSON and broken multipart are a 400, not a fault of ours."""
    assert (await engine.client.post("/task/pic/scale", json={"image_url": "http://example.com/"})).status_code == 400
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert (await engine.client.post("/task/pic/scale", content=b"--y\r\nno", headers=broken)).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sk-wrong"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"X-API-KEY": "sk-wrong"},
        {"X-API-KEY": "schlüssel".encode()},
    ],
)
async def test_wrong_keys(engine: Running, headers: dict[str, str | bytes]) -> None:
    """No key, a wrong one, or one in the other dialect's header is a 401 with a JSON body, whatever is asked."""
    async with httpx.AsyncClient(base_url=engine.url) as client:
        for path in ("/task/no-such-task", "/api/tasks/visual/scale/no-such-task"):
            reply = await client.get(path, headers=headers)  # type: ignore[arg-type]
            assert (reply.status_code, reply.json()["status"]) == (401, 401)
        reply = await client.post("/task/pic/scale", files={"image_file": bytes(400_000)}, headers=headers)  # type: ignore[arg-type]
        assert reply.status_code == 401


async def test_each_key_opens_its_dialects(engine: Running) -> None:
    """Several keys are allowed; a task that cannot exist is a 404 with a good one, which is how keys are tested."""
    async with httpx.AsyncClient(base_url=engine.url) as client:
        for headers in (BEARER, {"Authorization": f"bearer {OTHER_KEY}"}):
            assert (await client.get("/task/no-such-task", headers=headers)).status_code == 404
            assert (await client.get("/api/tasks/visual/scale/x", headers=headers)).status_code == 401
        for headers in (API_KEY, {"X-API-KEY": OTHER_KEY}):
            assert (await client.get("/api/tasks/visual/scale/x", headers=headers)).status_code == 404
            assert (await client.get("/task/x", headers=headers)).status_code == 401


async def test_unknown_places(engine: Running) -> None:
    """Unknown paths, operations, tasks and results are a 404 with a JSON body."""
    task_id = (await engine.post("/task/pic/scale", sync="1")).json()["data"]["task_id"]
    replies = [
        await engine.client.get("/nowhere"),
        await engine.post("/task/pic/paint"),
        await engine.post("/api/tasks/visual/paint"),
        await engine.client.get(f"/api/tasks/visual/idphoto/{task_id}"),
        await engine.client.get(f"/results/{task_id}-image.jpg"),
        await engine.client.get(f"/results/{task_id}-image.jpg?signature=guess"),
        await engine.client.get("/results/..%2f..%2fetc%2fpasswd?signature="),
    ]
    assert [reply.status_code for reply in replies] == [404] * len(replies)
    assert all(reply.json()["status"] == 404 for reply in replies)
    url = (await engine.client.get(f"/task/{task_id}")).json()["data"]["image"]
    assert (await engine.client.get(url.replace("-image", "-mask"))).status_code == 404
    assert (await engine.client.get("/task/pic/scale")).status_code == 405


@pytest.mark.parametrize("size", [100_001, 600_000, 3_000_000])
async def test_too_large_a_file(engine: Running, size: int) -> None:
    """More bytes than allowed are a 413, a little more and much more alike."""
    try:
        reply = await engine.post("/task/pic/scale", bytes(size))
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        assert size == 3_000_000  # past three times the limit the engine hangs up on who keeps sending
        return
    assert (reply.status_code, reply.json()["status"]) == (413, 413)


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (b"", -7),
        (b"just text", -7),
        (picture()[:60], -7),
        (picture(kind="GIF"), -7),
        (picture((4097, 4)), -5),
        (picture(stub.FACELESS), -1),
        (picture(stub.REFUSED), -1),
        (picture(stub.BROKEN), -1),
        (picture(stub.CRASH), -1),
        (picture(stub.HANG), -8),
        (picture(), 1),
    ],
)
async def test_states(engine: Running, data: bytes, state: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault has the state of the contract's table; after a crash or a hang the engine goes on."""
    if state == -8:
        monkeypatch.setattr(engine.engine.pool, "_seconds", 0.3)
    body = (await engine.post("/task/pic/idphoto", data, sync="1")).json()["data"]
    assert body["state"] == state
    assert bool(body["err_info"]) == (state < 0)
    assert ("image" in body) == (state == 1)


async def test_no_face_has_its_own_words(engine: Running) -> None:
    """The words tell a missing face from other failures."""
    data = (await engine.post("/task/pic/idphoto", picture(stub.FACELESS), sync="1")).json()["data"]
    assert (data["err_info"], data["state_detail"]) == ("no face found", "No face found")


async def test_base64_results(engine: Running) -> None:
    """return_type 2 puts bare base64 where the link would be, in the reply and when asked for."""
    path = "/api/tasks/visual/segmentation"
    created = (await engine.post(path, return_type="2", output_type="1", sync="1")).json()["data"]
    asked = await engine.finished(f"{path}/{created['task_id']}")
    assert (created["image"], created["return_type"]) == (asked["image"], 2)
    assert opened(base64.b64decode(created["image"], validate=True)).format == "PNG"
    assert opened(base64.b64decode(str(asked["mask"]), validate=True)).mode == "L"


async def test_binary_results(engine: Running) -> None:
    """return_type 3 answers with the picture itself, or with JSON when there is none."""
    path = "/api/tasks/visual/"
    reply = await engine.post(path + "colorization", return_type="3", sync="1")
    assert (reply.headers["content-type"], opened(reply.content).format) == ("image/jpeg", "JPEG")
    reply = await engine.post(path + "segmentation", return_type="3", sync="1", output_type="3")
    assert opened(reply.content).mode == "L"
    reply = await engine.post(path + "colorization", b"text", return_type="3", sync="1")
    assert reply.json()["data"]["state"] == -7


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("colorization", {"return_type": "3"}),
        ("colorization", {"return_type": "4"}),
        ("idphoto", {"return_type": "3", "sync": "1"}),
    ],
)
async def test_binary_only_where_the_vendor_has_it(engine: Running, path: str, fields: dict[str, str]) -> None:
    """return_type 3 needs sync=1 and is not there for ID photos."""
    assert (await engine.post(f"/api/tasks/visual/{path}", **fields)).status_code == 400


async def test_private_links_are_unreachable(engine: Running, peer: Peer) -> None:
    """A link into the engine's own network ends in state -3, and nothing was asked there."""
    before = list(peer.asked)
    data = (await engine.post("/task/pic/scale", image_url=f"{peer.url}/picture", sync="1")).json()["data"]
    assert data["state"] == -3
    assert peer.url not in str(data)
    assert peer.asked == before


@pytest.mark.parametrize(
    ("path", "state"), [("picture", 1), ("redirect", 1), ("missing", -3), ("loop", -3), ("text", -7), ("large", -5)]
)
@pytest.mark.parametrize("dialect", ["gptge", "picwish"])
async def test_links(lenient: Running, peer: Peer, dialect: str, path: str, state: int) -> None:
    """A link is downloaded, through redirects; what is not there, no picture or too large has its state."""
    reply = await lenient.post(CREATE[dialect] + "colorization", image_url=f"{peer.url}/{path}", sync="1")
    assert reply.json()["data"]["state"] == state


async def test_a_callback_says_what_a_query_says(lenient: Running, peer: Peer) -> None:
    """When a task is done its callback gets the body of a query, again after a failure."""
    peer.failures = 1
    created = (await lenient.post("/task/pic/scale", callback_url=f"{peer.url}/callback?t=1")).json()["data"]
    body = await asyncio.wait_for(peer.bodies.get(), 60)
    assert body == (await lenient.client.get(f"/task/{created['task_id']}")).json()
    assert body["data"]["state"] == 1  # type: ignore[index]


async def test_a_failed_task_calls_back_too(lenient: Running, peer: Peer) -> None:
    """PicWish's dialect calls back with its own body, also when the task failed."""
    await lenient.post("/api/tasks/visual/scale", b"text", callback_url=f"{peer.url}/callback")
    body = await asyncio.wait_for(peer.bodies.get(), 60)
    assert (body["message"], body["data"]["state"]) == ("success", -7)  # type: ignore[index]


async def test_healthz_needs_no_key(engine: Running) -> None:
    """Whoever runs the engine sees that it is warm."""
    async with asyncio.timeout(60):  # its worker may be new: other tests have them crash
        while (await keyless(f"{engine.url}/healthz")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_a_client_that_leaves(engine: Running) -> None:
    """An upload broken off leaves no file and takes no place."""
    host, port = engine.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = "POST /task/pic/scale HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\nContent-Type: multipart/form-data; "
    writer.write(f"{head}boundary=b\r\nAuthorization: Bearer {KEY}\r\n\r\n--b\r\n".encode())
    await writer.drain()
    while not engine.engine.book._arriving:
        await engine.client.get("/healthz")
    writer.close()
    while engine.engine.book._arriving:
        await engine.client.get("/healthz")
    assert not list(engine.engine.book.folder.glob("*.source"))
