"""The report in a real browser."""

import io
from contextlib import chdir

import pytest
from PIL import Image

from stages.report import report
from tests.study_maker import make_study, stand_in_figures
from tools.browser import CHROMIUM, NO_CHROMIUM, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, histograms=False)
    stand_in_figures(folder)
    picture = io.BytesIO()
    Image.new("RGB", (1800, 600), "navy").save(picture, format="PNG")
    for path in folder.rglob("plots/**/*.png"):
        path.write_bytes(picture.getvalue())
    with chdir(folder):
        report()
    return (folder / "plots" / "report.html").as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_the_page_opens_without_a_fault_at_any_width(address: str, width: int, scheme: str) -> None:
    with opened(width, color_scheme=scheme) as (page, faults):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        contents = page.locator("#contents + ul")
        assert contents.evaluate("list => getComputedStyle(list).position") == ("fixed" if width > 1000 else "static")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        contents.get_by_text("Summary of Emotion recognition").click()
        contents.locator("a[aria-current]", has_text="Summary of Emotion").wait_for()
        assert faults == []


def test_figures_enlarge_and_tables_sort(address: str) -> None:
    with opened() as (page, faults):
        page.goto(address)
        figure = page.locator(".figure").first
        figure.click()
        assert page.locator("dialog img").evaluate("image => image.clientWidth") >= 1440
        page.keyboard.press("Escape")
        assert not page.locator("dialog").is_visible()
        table = page.locator("table", has_text="gradient norm").first
        head = table.get_by_role("columnheader", name="epoch")
        read = "table => [...table.tBodies[0].rows].map(row => row.cells[0].textContent)"
        before = table.evaluate(read)
        head.get_by_role("button").click()
        assert table.evaluate(read) == sorted(before, key=int) and head.get_attribute("aria-sort") == "ascending"
        head.get_by_role("button").click()
        assert table.evaluate(read) == sorted(before, key=int, reverse=True) and len(before) > 9
        assert faults == []


def test_the_page_prints_in_light_without_the_side(address: str) -> None:
    with opened(color_scheme="dark") as (page, _):
        page.goto(address)
        page.emulate_media(media="print")
        assert page.locator("#contents + ul").evaluate("list => getComputedStyle(list).position") == "static"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
