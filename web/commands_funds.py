"""Commands about money: funds with a purpose, what comes in from four sources, and what each yuan goes to.

People write and read yuan; the ledger counts fen.
"""

import re
from gettext import gettext as _
from pathlib import Path
from typing import Any, Literal

import click

from ledger.bodies import FundOpen, FundReceive, FundSpend
from ledger.numbers import FEN, fund_number
from web.command import (
    READS,
    WRITES_OF_TWO,
    Cell,
    Group,
    argument,
    file_option,
    option,
    pass_session,
)
from web.daysheet import filled, parse_code, parse_words
from web.history import FundReport, Past, fund_openings, fund_report
from web.i18n import marked
from web.keyring import Keyring
from web.session import Session
from web.table import BadRowError, hash_file, shown, trimmed
from web.text import SOURCES, YUAN_FEN, amount, columns, named, printable

YUAN = re.compile(r"(\d{1,10})(?:\.(\d{1,2}))?", re.ASCII)
"""Up to ten thousand million: a longer number is a slip."""
VOUCHER_DIGITS = 12
"""So much of a voucher's hash is shown to people."""


def parse_yuan(cell: str) -> int:
    """Fen from yuan with at most two decimals, more than none."""
    match = YUAN.fullmatch(trimmed(cell))
    fen = int(match[1]) * YUAN_FEN + int((match[2] or "").ljust(2, "0")) if match else 0
    if not fen:
        raise BadRowError(_("{cell} is no amount: write yuan like 1234.50").format(cell=shown(cell)))
    return fen


CODE = Cell("CODE", parse_code)
AMOUNT = Cell("AMOUNT", parse_yuan)
WORDS = Cell("TEXT", parse_words)
VOUCHER_HELP = marked("Scan of the voucher; its hash is written, so that the scan can be checked later.")


@click.group(cls=Group)
def fund() -> None:
    """Open funds, receive money, spend it, and show what became of it."""


@fund.command("open", example="huzhu fund open meals --purpose meals --title 助餐资金", takes=WRITES_OF_TWO)
@argument("code", type=CODE)
@option("--purpose", type=CODE, required=True, help=marked("What its money may be spent on, and nothing else."))
@option("--title", type=WORDS, required=True, help=marked("What people call it."))
@pass_session
def fund_open(session: Session, code: str, purpose: str, title: str) -> int:
    """Open a fund.

    Two members sign. Its account is fund-CODE.
    """
    return session.write(Keyring.together, FundOpen(fund=code, purpose=purpose, title=title))


@fund.command(
    "receive",
    example="huzhu fund receive meals 1234.50 --source government --voucher voucher.jpg",
    takes=WRITES_OF_TWO,
)
@argument("code", type=CODE)
@argument("fen", metavar="AMOUNT", type=AMOUNT)
@option("--source", type=click.Choice(list(SOURCES)), required=True, help=marked("Where it comes from."))
@file_option("--voucher", required=True, help=VOUCHER_HELP)
@pass_session
def fund_receive(
    session: Session,
    code: str,
    fen: int,
    source: Literal["government", "collective", "society", "individual"],
    voucher: Path,
) -> int:
    """Enter money that a fund received.

    AMOUNT is in yuan. Two members sign.
    """
    body = FundReceive(fen=fen, fund=code, source=source, voucher=hash_file(filled(voucher)))
    return session.write(Keyring.together, body)


@fund.command(
    "spend",
    example="huzhu fund spend meals 88.00 --purpose meals --payee 村食堂 --voucher voucher.jpg",
    takes=WRITES_OF_TWO,
)
@argument("code", type=CODE)
@argument("fen", metavar="AMOUNT", type=AMOUNT)
@option("--purpose", type=CODE, required=True, help=marked("What it was spent on."))
@option("--payee", type=WORDS, required=True, help=marked("Who was paid; everybody can read it."))
@file_option("--voucher", required=True, help=VOUCHER_HELP)
@pass_session
def fund_spend(session: Session, code: str, fen: int, purpose: str, payee: str, voucher: Path) -> int:
    """Enter money that a fund spent.

    AMOUNT is in yuan. Two members sign. What goes to another purpose than the fund's is refused.
    """
    body = FundSpend(fen=fen, fund=code, payee=payee, purpose=purpose, voucher=hash_file(filled(voucher)))
    return session.write(Keyring.together, body)


@fund.command("list", example="huzhu fund list", takes=READS)
@pass_session
def fund_list(session: Session) -> None:
    """List the funds with what is in them."""
    with session.reading() as node:
        funds = [(each.body, node.state.accounts[fund_number(each.body.fund)].balance) for each in fund_openings(node)]
    plain = [
        {"fund": body.fund, "purpose": body.purpose, "title": body.title, "balance_fen": balance}
        for body, balance in funds
    ]
    rows = [[_("fund"), _("purpose"), _("title"), _("balance")]]
    rows += [[body.fund, body.purpose, printable(body.title), amount(balance, FEN)] for body, balance in funds]
    session.print(plain, columns(rows, right=(3,)))


@fund.command("show", example="huzhu fund show meals", takes=READS)
@argument("code", type=CODE)
@pass_session
def fund_show(session: Session, code: str) -> None:
    """Show where a fund's money came from and what each yuan went to.

    What was reversed is left out.
    """
    with session.reading() as node:
        report = fund_report(node, code)
    session.print(_plain_report(report), _report_lines(report))


def _plain_report(report: FundReport) -> dict[str, Any]:
    """As JSON has it; amounts in fen, vouchers as hex SHA-256, which `sha256sum` prints too."""
    return {
        "fund": report.fund,
        "purpose": report.purpose,
        "title": report.title,
        "balance_fen": report.balance_fen,
        "received_fen": report.received,
        "spent": [
            {"payee": payee, "purpose": purpose, "fen": fen} for (payee, purpose), fen in report.spent.most_common()
        ],
        "movements": [each.plain() | {"voucher": each.body.voucher.hex()} for each in report.movements],
    }


def _report_lines(report: FundReport) -> list[str]:
    heading = _("fund {fund}, for {purpose}: {title}").format(
        fund=report.fund, purpose=report.purpose, title=printable(report.title)
    )
    sums = [[_("received"), ""]]
    sums += [[f"  {named(SOURCES, source)}", amount(fen, FEN)] for source, fen in report.received.items()]
    sums.append([_("spent"), ""])
    sums += [
        [f"  {printable(payee)} ({purpose})", amount(fen, FEN)] for (payee, purpose), fen in report.spent.most_common()
    ]
    sums.append([_("balance"), amount(report.balance_fen, FEN)])
    return [heading, *columns(sums, right=(1,)), "", *_movement_lines(report.movements)]


def _movement_lines(movements: list[Past]) -> list[str]:
    """Each receipt and each spending, with the beginning of its voucher's hash."""
    rows = [[_("date"), _("entry"), _("what"), "±", _("voucher")]]
    for each in movements:
        body = each.body
        received = isinstance(body, FundReceive)
        what = named(SOURCES, body.source) if received else printable(body.payee)
        change = ("+" if received else "-") + amount(body.fen, FEN)
        rows.append([each.date, str(each.index), what, change, body.voucher.hex()[:VOUCHER_DIGITS]])
    return columns(rows, right=(1, 3))
