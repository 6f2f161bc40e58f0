"""Print sheets: true size, as many copies as fit, cut lines around them, JPEG and PDF at 300 dpi."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaging import sheet
from imaging.errors import ArgumentError

BLUE = (0, 0, 255)


def copies(page: Image.Image) -> int:
    """Count the blue copies by the corners where one begins."""
    blue = np.asarray(page)[..., 2].astype(int) - np.asarray(page)[..., 0] > 200
    before = np.pad(blue, ((1, 0), (1, 0)))
    return int((blue & ~before[:-1, 1:] & ~before[1:, :-1]).sum())


@pytest.mark.parametrize(
    ("width", "height", "dpi", "paper", "count", "sides"),
    [
        (413, 531, 300, "10x15", 6, (1181, 1772)),  # 35x45 mm
        (826, 1062, 600, "10x15", 6, (1181, 1772)),  # the same photo at 600 dpi
        (295, 413, 300, "10x15", 10, (1772, 1181)),  # China's one inch: 5x2 on the paper turned
        (600, 600, 300, "5x7", 6, (1500, 2100)),  # US passport
        (413, 531, 300, "a4", 30, (2480, 3508)),
    ],
)
def test_a_paper_is_filled(width: int, height: int, dpi: int, paper: str, count: int, sides: tuple[int, int]) -> None:
    """The sheet has the paper's pixels at 300 dpi and as many true-size copies as fit."""
    page = sheet.lay_out(Image.new("RGB", (width, height), BLUE), dpi, paper)
    assert page.size == sides
    assert copies(page) == count
    blue = int((np.asarray(page) == BLUE).all(axis=2).sum())
    assert blue == count * round(width * 300 / dpi) * round(height * 300 / dpi)


def test_cut_lines_frame_every_copy() -> None:
    """A white photo on white paper can be cut out: a line runs just outside each of its edges, none inside."""
    page = np.asarray(sheet.lay_out(Image.new("RGB", (413, 531), "white"), 300, "10x15"))[..., 0]
    columns = np.flatnonzero((page < 200).all(axis=0))
    rows = np.flatnonzero((page < 200).sum(axis=1) > page.shape[1] // 10)
    assert (columns[1::2] - columns[::2] == 413 + 1).all()
    assert (rows[1::2] - rows[::2] == 531 + 1).all()
    assert (len(columns), len(rows)) == (4, 6)


@given(st.integers(100, 2000), st.integers(100, 2000), st.sampled_from(sorted(sheet.PAPERS)))
def test_copies_stay_within_the_margins(width: int, height: int, paper: str) -> None:
    """Whatever the size, copies keep clear of the edges and of each other, or the sheet is refused."""
    for side, length in zip((sheet._dots(mm) for mm in sheet.PAPERS[paper]), (width, height), strict=True):
        starts = sheet._starts(side, length)
        assert all(b - a >= length + 20 for a, b in pairwise(starts))
        if starts:
            assert starts[0] >= 45
            assert starts[-1] + length <= side - 45
            assert abs(starts[0] - (side - starts[-1] - length)) <= 1


def test_a_photo_larger_than_the_paper_is_refused() -> None:
    """A sheet that could hold no copy says so."""
    with pytest.raises(ArgumentError) as refused:
        sheet.make_sheet(Image.new("RGB", (1500, 2000)), 300, "10x15")
    assert (refused.value.code, refused.value.params) == ("argument_sheet", {"paper": "10x15"})


def test_what_does_not_fit_is_never_made_that_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo of few dots per inch is refused before it grows to a sheet's, which would take gigabytes."""
    monkeypatch.delattr(Image.Image, "resize")
    with pytest.raises(ArgumentError):
        sheet.make_sheet(Image.new("L", (2000, 2000)), 72, "a4")


def test_jpeg_and_pdf_print_in_true_size() -> None:
    """The JPEG carries 300 dpi; the PDF's page is the paper."""
    photo = Image.new("RGB", (413, 531), BLUE)
    image = Image.open(io.BytesIO(sheet.make_sheet(photo, 300, "a4")))
    assert (image.format, image.info["dpi"]) == ("JPEG", (300, 300))
    pdf = sheet.make_sheet(photo, 300, "10x15", "pdf")
    assert pdf.startswith(b"%PDF-")
    assert b"/MediaBox [ 0 0 283.44 425.28 ]" in pdf  # points, 72 to the inch


def test_transparency_is_paper() -> None:
    """What is transparent in an ID photo is white on the sheet, whatever colour hides below."""
    page = sheet.lay_out(Image.new("RGBA", (295, 413), (0, 0, 0, 0)), sheet.DPI, "10x15")
    assert not any(colour == (0, 0, 0) for _, colour in page.getcolors() or ())
    assert page.getpixel((page.width // 2, page.height // 4)) == (255, 255, 255)
