"""Every page, as people with weak eyes, no mouse, small screens and slow lines have it.

One page of each pattern is judged by axe-core in Chinese, for the first role that finds it; what the languages share
is in the templates, so of English a sample is enough. It must also fit a screen of 360 px, and one of 1280 px at 200 %.
"""

import os
import re
from itertools import pairwise

import pytest
from playwright.sync_api import Page

from tests.pages.axe import violations
from tests.pages.conftest import OpenPage, Shoot
from tests.pages.village import Village
from tests.pages.walking import Found, Route, pattern_of
from web.access.who import ROLES

WEIGHT_MAX_BYTES = 100_000
"""Of a page with all that it loads, as it travels, without fonts."""
ENGLISH_EACH = 4
"""Every so many pages one is judged in English too."""
KEEPS_ALL = os.environ.get("HUZHU_SHOTS_OF") == "all"
"""Whether somebody wants pictures of all: then every page is looked at and kept in both languages."""
NARROW, ZOOMED = {"width": 360, "height": 740}, {"width": 640, "height": 450}
CUT = """() => {
    const wide = document.scrollingElement;
    const moves = each => /auto|scroll/.test(getComputedStyle(each).overflowX);
    const scrolls = each => each && (moves(each) || scrolls(each.parentElement));
    const hidden = [...document.querySelectorAll("main *, header *")].filter(each => {
        const box = each.getBoundingClientRect(), style = getComputedStyle(each);
        const seen = box.width > 1 && box.height > 1 && style.visibility !== "hidden";
        return seen && box.right > innerWidth + 1 && !each.closest(".skip, .unseen, .stack thead") && !scrolls(each);
    });
    return [wide.scrollWidth - innerWidth, hidden.slice(0, 3).map(each => each.outerHTML.slice(0, 160))];
}"""
SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")].filter(each => {
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    return each.tagName !== "A" && each.type !== "hidden" && box.width && style.visibility !== "hidden"
        && !each.closest(".unseen") && each.type !== "checkbox" && each.type !== "radio" && box.height < 24;
}).map(each => each.outerHTML.slice(0, 160))"""


def chosen(walked: dict[str | None, dict[str, Found]], role: str | None, known: list[Route]) -> list[str]:
    """One address of each pattern that no role before this one finds."""
    firsts: dict[str, tuple[str | None, str]] = {}
    for finder in (None, *ROLES):
        for path, page in walked[finder].items():
            if page.is_page and page.answer.is_success:
                firsts.setdefault(pattern_of(path.partition("?")[0], known), (finder, path))
    return [path for finder, path in firsts.values() if finder == role]


def flaws(page: Page) -> list[str]:
    """What is wrong with a page as it stands."""
    told = [f"{rule}: {text} {at}" for rule, text, at in violations(page)]
    told += [f"small: {each}" for each in page.evaluate(SMALL)]
    levels = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
    if levels.count(1) != 1 or any(after > before + 1 for before, after in pairwise(levels)):
        told.append(f"headings: {levels}")
    if not re.search(r"\S · \S", page.title()):
        told.append(f"title: {page.title()}")
    for size, name in ((NARROW, "360 px"), (ZOOMED, "200 %")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        over, cut = page.evaluate(CUT)
        if over > 0 or cut:
            told.append(f"{name}: {over} px too wide, {cut}")
    return told


@pytest.mark.parametrize("role", (None, *ROLES))
def test_every_page_is_for_everybody(
    browser_page: OpenPage,
    shoot: Shoot,
    walked: dict[str | None, dict[str, Found]],
    known: list[Route],
    role: str | None,
) -> None:
    paths = chosen(walked, role, known)
    pages = [browser_page(role, language) for language in ("zh", "en") if paths]
    wrong: dict[str, list[str]] = {}
    for place, path in enumerate(paths):
        for page in pages[: 1 + (KEEPS_ALL or place % ENGLISH_EACH == 0)]:
            page.set_viewport_size({"width": 1280, "height": 900})
            page.goto(path)
            if KEEPS_ALL:
                pattern = pattern_of(path.partition("?")[0], known)
                shoot(page, re.sub("[^a-z]+", "-", f"page{pattern}{role or 'anybody'}"))
            found = flaws(page)
            if found:
                wrong[f"{path} ({page.locator('html').get_attribute('lang')})"] = found
    assert not wrong, "\n".join(f"{path}\n    " + "\n    ".join(told) for path, told in wrong.items())


@pytest.mark.parametrize("role", (None, *ROLES))
def test_pages_are_light(
    village: Village, walked: dict[str | None, dict[str, Found]], known: list[Route], role: str | None
) -> None:
    """By their own bytes and those of each file that they load, packed."""
    weights: dict[str, int] = {}
    heavy: dict[str, int] = {}
    with village.client(role, headers={"Accept-Encoding": "gzip"}) as client:

        def weight(path: str) -> int:
            with client.stream("GET", path) as answer:
                head = sum(len(name) + len(value) for name, value in answer.headers.raw)
                return head + sum(map(len, answer.iter_raw()))

        for path in chosen(walked, role, known):
            files = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', walked[role][path].answer.text))
            for file in files - weights.keys():
                weights[file] = weight(file)
            total = weight(path) + sum(weights[file] for file in files)
            if total >= WEIGHT_MAX_BYTES:
                heavy[path] = total
    assert not heavy
