"""axe-core on a page: the rules of WCAG 2.2 up to level AA. ``make test`` installs it, as package-lock.json pins it."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SOURCE = Path(__file__).resolve().parents[2] / ".venv" / "node" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
RUN = """async tags => {
    const options = { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] };
    const found = await axe.run(document, options);
    const shown = nodes => nodes.slice(0, 5).map(node => node.html.slice(0, 200));
    return found.violations.map(each => [each.id, each.help, shown(each.nodes)]);
}"""


def violations(page: Page) -> list[Any]:
    """Each rule that the page breaks: its name, what it asks for, and where; the page must run scripts."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(SOURCE.read_text())
    found: list[Any] = page.evaluate(RUN, list(TAGS))
    return found


def check_page(page: Page) -> None:
    """AssertionError with all violations, where there are any."""
    found = violations(page)
    assert not found, "\n".join([page.url, *(f"{rule}: {told}\n    " + "\n    ".join(at) for rule, told, at in found)])
