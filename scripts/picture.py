"""Draws the audit's output as SVG for the README, in both languages: docs/audit.svg and docs/audit.zh.svg.

The ledger is a small one from fixed keys, with one byte of one record changed; so the pictures come out the same on
every machine, and a test finds no difference.
"""

import itertools
import sys
from pathlib import Path
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.village import ORIGIN, Clock, founding, services, settle, village
from chain.keys import SigningKey
from chain.policy import NO_QUORUM, Policy
from node import Node, NodeKeys
from store.log import MemoryStore
from verify.audit import LedgerReport, Trust, audit_ledger
from verify.report import report_lines
from verify.source import MemorySource
from web import i18n
from web.findings import explain
from web.text import named_kind

ROOT = Path(__file__).resolve().parent.parent
PICTURES = {i18n.ENGLISH: "docs/audit.svg", i18n.CHINESE: "docs/audit.zh.svg"}
CHANGED_INDEX = 45
DAYS, SERVICES_A_DAY, ACCOUNTS = 7, 12, 24
LINE_PIXELS, MARGIN_PIXELS, WIDTH_PIXELS = 21, 18, 1_060
LINE_MAX = 118


def audited() -> LedgerReport:
    """The report on a village of which one minute was changed."""
    people, clock = village(ACCOUNTS), Clock()
    node = Node(MemoryStore(ORIGIN), NodeKeys(SigningKey(b"n" * 32)), clock)
    node.found(founding(people))
    settle(node, people)
    source = services(people, clock)
    for _ in range(DAYS):
        clock.forward(24)
        node.write(people.clerk, people.members[:1], list(itertools.islice(source, SERVICES_A_DAY)))
        node.seal()
    entries: list[bytes | None] = list(node.store.entries(0, node.store.size))
    changed = node.store.entry(CHANGED_INDEX).replace(b'"minutes":5', b'"minutes":9')
    entries[CHANGED_INDEX] = changed
    trust = Trust(Policy(logs=(node.vkey,), witnesses=(), groups=(), quorum=NO_QUORUM))
    return audit_ledger(MemorySource(ORIGIN, entries, list(node.store.checkpoints())), trust)


def lines_of(report: LedgerReport) -> list[str]:
    """What `huzhu verify` prints, without how long it took."""
    from gettext import gettext

    lines = list(report_lines([report], 0.0, gettext, explain, named_kind))
    return ["$ huzhu verify village.db --trust trust.policy", *lines[:-2], lines[-1]]


def draw(lines: list[str]) -> str:
    """An SVG of a terminal with these lines."""
    height = 2 * MARGIN_PIXELS + LINE_PIXELS * len(lines)
    texts = "\n".join(
        f'<text x="{MARGIN_PIXELS}" y="{MARGIN_PIXELS + LINE_PIXELS * place + 15}" fill="{_color(line)}">'
        f"{escape(line[:LINE_MAX])}</text>"
        for place, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PIXELS} {height}" xml:space="preserve"'
        ' font-family="ui-monospace, \'Noto Sans Mono CJK SC\', monospace" font-size="14">\n'
        f'<rect width="{WIDTH_PIXELS}" height="{height}" rx="8" fill="#1c2128"/>\n{texts}\n</svg>\n'
    )


def _color(line: str) -> str:
    if line.startswith("$"):
        return "#8b949e"
    return "#ff9580" if "✗" in line or not line.startswith((" ", "Ledger", "账")) else "#e6edf3"


def pictures() -> dict[str, str]:
    """The pictures by their path in the project."""
    report, drawn = audited(), {}
    for language, path in PICTURES.items():
        i18n.use(language)
        drawn[path] = draw(lines_of(report))
    return drawn


if __name__ == "__main__":
    for name, picture in pictures().items():
        (ROOT / name).write_text(picture, encoding="utf-8")
