"""Draws two pages as SVG for the README, in both languages: docs/passbook.svg and docs/board.svg, and *.zh.svg.

They are the pages' own templates and style sheets, filled with made-up people, and set into a drawing as XHTML; so the
pictures come out the same on every machine, and a test finds no difference.
"""

import datetime
import re
import sys
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from xml.sax.saxutils import escape, quoteattr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chain.block import SEAL
from ledger.bodies import Evidence, Gift, Service
from store.mirror import FORKED
from web import i18n
from web.pages.assets import STATIC
from web.pages.board_facts import Seen
from web.pages.board_urgent import BAD, URGENCIES, urgent
from web.pages.kit import environment
from web.pages.passbook_reading import changed, said, spoken, standing

ROOT = Path(__file__).resolve().parent.parent
VOID = frozenset({"img", "input", "br", "hr", "link", "meta"})
DROPPED = frozenset({"link", "script", "meta", "title"})
DAY = datetime.date(2026, 11, 21)
NUMBER = "23000156"
LEDGER = "liuduhe.example/huzhu"
SIZES = {"passbook": (760, 1_180), "board": (1_100, 860)}
STYLES = {"passbook": ("huzhu.css", "me.css"), "board": ("huzhu.css", "board.css")}


class FundRow(NamedTuple):
    """What is left of a fund, and what ever came in."""

    number: str
    balance_fen: int
    received_fen: int


class Xhtml(HTMLParser):
    """The body of a page as XML."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._is_in_body = False
        self._dropped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._is_in_body = True
            self.parts.append(f"<body{_attributes(attrs)}>")
        elif self._is_in_body and tag not in DROPPED:
            self.parts.append(f"<{tag}{_attributes(attrs)}{'/' if tag in VOID else ''}>")
        self._dropped += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._dropped -= tag == "script"
        if self._is_in_body and tag not in VOID and tag not in DROPPED:
            self.parts.append(f"</{tag}>")
        self._is_in_body &= tag != "body"

    def handle_data(self, data: str) -> None:
        if self._is_in_body and not self._dropped:
            self.parts.append(escape(data if data.strip() else " "))


def _attributes(attrs: list[tuple[str, str | None]]) -> str:
    icon = "data:image/svg+xml;base64," + b64encode((STATIC / "icon.svg").read_bytes()).decode()
    return "".join(
        f" {name}={quoteattr(icon if name == 'src' else value or name)}"
        for name, value in attrs
        if not name.startswith("data-") and name not in ("href", "action")
    )


def passbook() -> str:
    """A volunteer's passbook."""
    own = SimpleNamespace(
        number=NUMBER,
        balance=1_470,
        held=120,
        status="open",
        is_volunteer=True,
        waiting=[SimpleNamespace(index=412, minutes=120, free_on=_day(-5), is_disputed=False)],
        cases=(),
        objected=frozenset(),
        posting_days=7,
    )
    lines = [
        _line(412, 0, _service("assistance", "23012766", 120), 0, 120, 1_470),
        _line(398, 2, None, 60, -60, 1_470),
        _line(377, 7, _service("travel_companion", "23017616", 60), 0, 60, 1_410),
        _line(355, 9, Gift(giver=NUMBER, minutes=180, to="23010147"), -180, 0, 1_410),
    ]
    words = {"spoken": spoken, "standing": standing, "said": said, "changed": changed}
    who = SimpleNamespace(name="liwei", role="person", account=NUMBER, is_given=False, must_choose=False)
    asked = {"invited": 0, "helps": (), "help_words": None, "wished": ()}
    return _page("me/me.html", "/me", who, own=own, signing={}, lines=lines, names={}, waiting=1, **asked, **words)


def board() -> str:
    """A county's board on a day with some trouble."""
    ledgers = {
        "xiguan.example/huzhu": _known("xiguan.example/huzhu", state=FORKED),
        LEDGER: _known(LEDGER, suspicions=[SimpleNamespace(code="overlap", number=3)]),
        "beigou.example/huzhu": _known("beigou.example/huzhu", is_silent=True),
        "nanwa.example/huzhu": _known("nanwa.example/huzhu", funds=[FundRow("fund-meals", 18_000, 400_000)]),
    }
    now = int(datetime.datetime(2026, 11, 21, 8, tzinfo=datetime.UTC).timestamp())
    items = urgent(cast(Seen, SimpleNamespace(ledgers=ledgers)), DAY, now)
    figures = SimpleNamespace(
        ledgers=298,
        silent=1,
        suspicions=3,
        open_cases=2,
        volunteers=8_412,
        elders=6_903,
        minutes=9_186_540,
        held_minutes=312_000,
        on_way_minutes=4_380,
        fund_fen=48_211_600,
    )
    who = SimpleNamespace(name="county", role="supervisor", account="", must_choose=False)
    return _page(
        "board/today.html",
        "/board",
        who,
        seen=SimpleNamespace(is_audited=True),
        items=items,
        count=len(items),
        at_once=sum(item.urgency == BAD for item in items),
        after=None,
        now=_local(now),
        figures=figures,
        urgencies=URGENCIES,
        local=_local,
    )


def _day(days: int) -> datetime.date:
    return DAY - datetime.timedelta(days=days)


def _local(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC) + datetime.timedelta(hours=8)


def _service(category: str, recipient: str, minutes: int) -> Service:
    start = datetime.datetime(2026, 11, 21, 1, tzinfo=datetime.UTC)
    return Service(
        category=category,
        start=start,
        end=start + datetime.timedelta(minutes=minutes),
        evidence=Evidence(form="paper", hash=bytes(32)),
        minutes=minutes,
        paid_by="recipient",
        provider=NUMBER,
        recipient=recipient,
    )


def _line(index: int, days: int, body: Any, change: int, held: int, balance: int) -> Any:
    """A line of the passbook; a seal's where there is no body."""
    entry = SimpleNamespace(kind=SEAL if body is None else "service", body=body)
    other = getattr(body, "recipient", None) or getattr(body, "to", None)
    return SimpleNamespace(
        index=index, entry=entry, date=_day(days), number=NUMBER, other=other, change=change, held=held, balance=balance
    )


def _known(origin: str, state: str = "sound", **told: Any) -> Any:
    """What a board knows of one ledger."""
    sealed = int(datetime.datetime(2026, 11, 18, 12, tzinfo=datetime.UTC).timestamp())
    row = SimpleNamespace(origin=origin, state=state, findings=0, pulled_seconds=sealed, sealed_seconds=sealed)
    plain = {"alarms": [], "is_silent": False, "trouble": "", "suspicions": [], "matters": [], "funds": []}
    return SimpleNamespace(row=row, evidence={}, **(plain | told))


def _page(template: str, path: str, who: Any, **values: Any) -> str:
    shared = {"language": i18n.language(), "path": path, "query": "", "notes": (), "token": ""}
    shared |= {"ledger": LEDGER, "ledger_name": ""}
    return environment().get_template(f"pages/{template}").render(shared | {"who": who} | values)


def draw(name: str, page: str) -> str:
    """The page as a drawing."""
    width, height = SIZES[name]
    body = Xhtml()
    body.feed(page)
    style = "\n".join((STATIC / each).read_text(encoding="utf-8") for each in STYLES[name])
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL).replace("100vh", f"{height}px")
    inside = "".join(body.parts).replace("<body", '<body xmlns="http://www.w3.org/1999/xhtml"', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<style>{escape(re.sub(chr(10) + '+', chr(10), style))}</style>\n"
        f'<foreignObject width="{width}" height="{height}">{inside}</foreignObject>\n</svg>\n'
    )


def pictures() -> dict[str, str]:
    """The pictures by their path in the project."""
    drawn = {}
    for language in i18n.LANGUAGES:
        i18n.speak(language)
        ending = ".zh.svg" if language == i18n.CHINESE else ".svg"
        for name, page in (("passbook", passbook), ("board", board)):
            drawn[f"docs/{name}{ending}"] = draw(name, page())
    return drawn


if __name__ == "__main__":
    for path, picture in pictures().items():
        (ROOT / path).write_text(picture, encoding="utf-8")
