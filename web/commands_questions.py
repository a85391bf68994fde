"""Commands that ask another node: ``balances``, ``ledgers`` and ``supply-demand``."""

from collections.abc import Iterator, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from web.command import ANY_ACCOUNT, DONE, READS, WRONG, Command, file_option, option, pass_session
from web.i18n import marked

if TYPE_CHECKING:
    from chain.policy import Policy
    from verify.receipts import Proven
    from web.questions import Answers, AskedBalance, AskedCount, AskedLedger, AskedSum, AskedSupply
    from web.session import Session

AT = option("--at", "url", required=True, metavar="URL", help=marked("Address of the node that is asked."))
TOKEN = file_option(
    "--token-file", help=marked("File with your token there in its first line (or in the variable HUZHU_TOKEN).")
)
TIERS = ("village", "township", "county", "city")
TIER = option("--tier", type=click.Choice(TIERS), help=marked("Only ledgers of this tier."))
LEDGER = option("--ledger", metavar="ORIGIN", help=marked("Only this ledger."))
STATUSES = ("open", "suspended", "closed")
PER_CENT = 10
STATES = {
    "own": marked("its own"),
    "sound": marked("sound"),
    "findings": marked("has findings"),
    "forked": marked("FORKED"),
    "rolled-back": marked("ROLLED BACK"),
}
FORMS = {"paper": marked("on paper"), "coupon": marked("by coupon"), "signed": marked("signed by the elder")}


@click.command(
    cls=Command,
    takes=READS,
    example="huzhu balances --at https://county.example --token-file token --ledger liuduhe.example/huzhu",
)
@AT
@TOKEN
@LEDGER
@TIER
@option("--status", type=click.Choice(STATUSES), help=marked("Only accounts in this status."))
@option("--account", type=ANY_ACCOUNT, help=marked("Only this account of --ledger, with its receipt."))
@option(
    "--by",
    type=click.Choice(("ledger", "tier", "status")),
    default="ledger",
    show_default=True,
    help=marked("What the totals are by."),
)
@file_option("--trust", help=marked("Trust file (tlog-policy) to check the balances against; not the node's word."))
@pass_session
def balances(
    session: "Session",
    url: str,
    token_file: Path | None,
    ledger: str | None,
    tier: str | None,
    status: str | None,
    account: str | None,
    by: str,
    trust: Path | None,
) -> int:
    """Ask a node for balances, of ledgers that are off line too.

    Totals of all ledgers that you may see there; with --ledger also its accounts. With --trust the accounts of --ledger
    are proven: they must be those that the ledger's newest seal states, under a checkpoint of a key that the file pins,
    or to which the admissions of a pinned ledger lead. Exit status: 0 done, 1 not proven, 2 it could not be asked.
    """
    from web.auditing import read_policy
    from web.questions import Answers, asking, check_origin

    check_origin(ledger)
    if account is not None and (tier is not None or status is not None):
        raise click.UsageError(_("--account goes with --ledger and --trust alone"))
    if account is not None and trust is None:
        raise click.UsageError(_("--account needs --trust: the node answers with a receipt, which is checked here"))
    if trust is not None and ledger is None and account is None:
        raise click.UsageError(_("--trust needs --ledger or --account: totals over several ledgers have no proof"))
    policy = None if trust is None else read_policy(trust)
    with asking(url, token_file) as site:
        answers = Answers(site)
        if account is not None and policy is not None:
            return _show_account(session, answers, account, ledger, policy)
        asked = {"ledger": ledger, "tier": tier, "status": status}
        named = {name: value for name, value in asked.items() if value is not None}
        if ledger is None:
            return _show_totals(session, answers, by, named)
        return _show_ledger(session, answers, ledger, named, policy)


@click.command(cls=Command, takes=READS, example="huzhu ledgers --at https://county.example --token-file token")
@AT
@TOKEN
@TIER
@option("--silent", is_flag=True, help=marked("Only those that have not sealed for too long."))
@pass_session
def ledgers(session: "Session", url: str, token_file: Path | None, tier: str | None, silent: bool) -> None:
    """Ask a node which ledgers it has.

    Its own and those below it that you may see there: how far each came, when it was sealed, whether its audit found
    something, and whether it is silent.
    """
    import msgspec

    from web.questions import Answers, asking

    asked = ({} if tier is None else {"tier": tier}) | ({"silent": "true"} if silent else {})
    with asking(url, token_file) as site:
        found = Answers(site).ledgers(asked).ledgers
    session.print(msgspec.to_builtins(found), list(_ledger_lines(found)) or [_("no ledger")])


@click.command(
    "supply-demand",
    cls=Command,
    takes=READS,
    example="huzhu supply-demand --at https://county.example --token-file token --period 2026",
)
@AT
@TOKEN
@LEDGER
@TIER
@option("--period", help=marked("A month 2026-10, a year 2026, a quarter 2026-Q3, or 2026-01..2026-06."))
@pass_session
def supply_demand(
    session: "Session", url: str, token_file: Path | None, ledger: str | None, tier: str | None, period: str | None
) -> None:
    """Ask a node who may serve, who may be served, and what was done.

    Over its own ledger and those below it that you may see there, for a period (this year, where none is named), with
    the share of what proves the services.
    """
    import msgspec

    from ledger.figures import format_span, parse_span
    from web.problems import DeskError
    from web.questions import Answers, asking, check_origin

    check_origin(ledger)
    span = None if period is None else parse_span(period)
    if period is not None and span is None:
        text = _("{text} is no period: write 2026-10, 2026, 2026-Q3, or 2026-01..2026-06")
        raise DeskError(text.format(text=period[:40]))
    asked = {"ledger": ledger, "tier": tier, "period": None if span is None else format_span(span)}
    with asking(url, token_file) as site:
        found = Answers(site).supply({name: value for name, value in asked.items() if value is not None})
    session.print(msgspec.to_builtins(found), list(_supply_lines(found)))


def _show_account(
    session: "Session", answers: "Answers", account: str, ledger: str | None, policy: "Policy"
) -> int:
    """One balance, by its receipt."""
    from chain.checkpoint import open_checkpoint
    from chain.errors import ChainError
    from chain.receipt import parse_balance_receipt
    from verify.receipts import ReceiptError, check_receipt
    from web.problems import DeskError
    from web.telling import proven_lines
    from web.wording import worded

    raw = answers.balance_receipt(account, {} if ledger is None else {"ledger": ledger})
    try:
        origin = open_checkpoint(parse_balance_receipt(raw).seal.checkpoint)[0].origin
    except ChainError as error:
        text = _("what the node answers is no receipt of a balance: {why}")
        raise DeskError(text.format(why=worded(error))) from error
    if ledger is not None and origin != ledger:
        return _not_proven(session, _("the receipt is of the ledger {origin}").format(origin=origin))
    try:
        trusted = answers.policy_for(origin, policy)
        proven = check_receipt(raw, trusted)
    except ReceiptError as error:
        return _not_proven(session, str(error))
    if proven.balance is None or proven.balance.account != account:
        return _not_proven(session, _("the receipt is of another account"))
    session.print(
        {"proven": True, "account": account, **_plain_proven(proven)},
        [*proven_lines(proven), _way(trusted is not policy)],
    )
    return DONE


def _show_totals(session: "Session", answers: "Answers", by: str, asked: dict[str, str]) -> int:
    import msgspec

    found = answers.totals(by, asked)
    lines = [*found.lines, found.total]
    session.print(msgspec.to_builtins(found), [*_total_lines(lines), _not_checked()])
    return DONE


def _show_ledger(
    session: "Session", answers: "Answers", ledger: str, asked: dict[str, str], policy: "Policy | None"
) -> int:
    """A ledger's totals and accounts, and where there is a trust file what is proven of them."""
    import msgspec

    from verify.receipts import ReceiptError

    totals = answers.totals("ledger", asked)
    every = answers.accounts({"ledger": ledger})
    shown = [each for each in every if asked.get("status") in (None, each.status)]
    plain: dict[str, Any] = {"total": msgspec.to_builtins(totals.total), "balances": msgspec.to_builtins(shown)}
    lines = [*_total_lines([totals.total]), *_balance_lines(shown)]
    if policy is None:
        session.print(plain | {"proven": None}, [*lines, _not_checked()])
        return DONE
    try:
        proven, is_admitted = _prove(answers, ledger, every, policy)
        _check_total(totals.total, shown, proven)
    except ReceiptError as error:
        session.print(plain | {"proven": False, "detail": str(error)}, lines)
        return _not_proven(session, str(error), is_said=session.settings.as_json)
    text = _("PROVEN: all {count} accounts of {origin} have these balances, as its seal of {at} states (size {size})")
    said = text.format(
        count=len(every), origin=ledger, at=_plain_proven(proven)["at"], size=proven.checkpoint.size
    )
    session.print(plain | {"proven": True, **_plain_proven(proven)}, [*lines, said, _way(is_admitted)])
    return DONE


def _prove(
    answers: "Answers", ledger: str, every: "Sequence[AskedBalance]", policy: "Policy"
) -> "tuple[Proven, bool]":
    """That these are all accounts of the ledger at its newest seal; whether admissions lead to its key."""
    from verify.balances import check_balances
    from verify.receipts import ReceiptError
    from web.questions import ANY_BALANCE

    trusted = answers.policy_for(ledger, policy)
    raw = answers.balance_receipt(ANY_BALANCE, {"ledger": ledger})
    try:
        proven = check_balances(raw, [each.leaf() for each in every], trusted)
    except ReceiptError as error:
        if {each.size for each in every} != {_sealed_size(raw)}:
            raise ReceiptError(_("there are entries since its newest seal: ask again after the next one")) from error
        raise
    if proven.checkpoint.origin != ledger:
        raise ReceiptError(f"the receipt is of the ledger {proven.checkpoint.origin}")
    return proven, trusted is not policy


def _check_total(total: "AskedSum", listed: "Sequence[AskedBalance]", proven: "Proven") -> None:
    """Raise ReceiptError unless the totals are those of the accounts whose balances are proven."""
    from ledger.numbers import BRIDGE, ISSUE, POOL, fund_number
    from verify.receipts import ReceiptError

    balances = {each.account: each.balance for each in listed}
    people = [each for each in listed if each.account.isdigit()]
    expected = {
        "accounts": len(people),
        "minutes": sum(each.balance for each in people),
        "held_minutes": sum(each.held for each in people),
        "fund_fen": sum(balance for account, balance in balances.items() if account.startswith(fund_number(""))),
        "pool_minutes": balances.get(POOL),
        "issue_minutes": balances.get(ISSUE),
        "on_way_minutes": balances.get(BRIDGE),
    }
    told = {name: getattr(total, name) for name in expected}
    has_checkpoint = total.checkpoint is not None and total.checkpoint.size == proven.checkpoint.size
    if not has_checkpoint or any(told[name] not in (None, number) for name, number in expected.items()):
        raise ReceiptError(_("the totals are not those of the accounts"))


def _sealed_size(raw: bytes) -> int:
    """How many entries the checkpoint of a balance receipt covers; 0 where it is none."""
    from chain.checkpoint import open_checkpoint
    from chain.errors import ChainError
    from chain.receipt import parse_balance_receipt

    try:
        return open_checkpoint(parse_balance_receipt(raw).seal.checkpoint)[0].size
    except ChainError:
        return 0


def _not_proven(session: "Session", why: str, *, is_said: bool = False) -> int:
    from web.wording import worded

    if not is_said:
        session.print({"proven": False, "detail": why}, [_("NOT PROVEN: {why}").format(why=worded(why))])
    return WRONG


def _plain_proven(proven: "Proven") -> dict[str, Any]:
    from chain.encoding import format_base64
    from chain.fields import format_time

    checkpoint = proven.checkpoint
    plain: dict[str, Any] = {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": format_base64(checkpoint.root),
        "at": format_time(proven.at),
    }
    if proven.balance is not None:
        plain |= {"balance": proven.balance.balance, "held": proven.balance.held, "unit": proven.balance.unit}
    return plain


def _way(is_admitted: bool) -> str:
    """What the proof rests on."""
    if is_admitted:
        return _(
            "It rests on a key that the trust file pins, and on the admissions that lead from there to this ledger's"
            " key. That its entries keep the rules, its audit says."
        )
    return _(
        "It rests on this ledger's key, which the trust file pins. That its entries keep the rules, its audit says."
    )


def _not_checked() -> str:
    return _("This is the node's word: nothing of it was checked here. --ledger and --trust have it proven.")


def _total_lines(sums: "Sequence[AskedSum]") -> list[str]:
    from web.text import TIERS as NAMES
    from web.text import amount, columns, named

    words = {**NAMES, **_statuses(), "total": marked("in all")}
    head = [_("of"), _("accounts"), _("balance"), _("held"), _("on the way"), _("rests on")]
    rows = [head]
    for each in sums:
        way = "" if each.on_way_minutes is None else amount(each.on_way_minutes, "minute")
        rows.append(
            [
                named(words, each.name),
                str(each.accounts),
                amount(each.minutes, "minute"),
                amount(each.held_minutes, "minute"),
                way,
                _rests_on(each),
            ]
        )
    return columns(rows, right=(1, 2, 3, 4))


def _statuses() -> dict[str, str]:
    from web.text import STATUSES as NAMES

    return NAMES


def _rests_on(each: "AskedSum") -> str:
    if each.checkpoint is not None:
        return _("size {size}, sealed {sealed}").format(
            size=each.checkpoint.size, sealed=each.checkpoint.sealed or "—"
        )
    text = _("{count} ledgers, the oldest sealed {sealed}")
    return text.format(count=each.ledgers, sealed=each.oldest_sealed or "—")


def _balance_lines(found: "Sequence[AskedBalance]") -> list[str]:
    from web.text import balance_lines

    return balance_lines(found)


def _ledger_lines(found: "Sequence[AskedLedger]") -> Iterator[str]:
    from web.text import TIERS as NAMES
    from web.text import named

    for each in found:
        words = [_(STATES[each.state]), *([_("SILENT")] if each.silent else [])]
        text = _("{origin} ({tier}): {size} entries, sealed {sealed}; {state}")
        yield text.format(
            origin=each.ledger,
            tier=named(NAMES, each.tier),
            size=each.size,
            sealed=each.sealed or "—",
            state=", ".join(words),
        )
        if each.findings or each.suspicions:
            text = _("findings: {findings}; unusual: {suspicions}")
            yield "    " + text.format(findings=each.findings or 0, suspicions=each.suspicions or 0)


def _supply_lines(found: "AskedSupply") -> Iterator[str]:
    from web.text import columns, named, named_category

    text = _("{period}: {count} ledgers, the oldest sealed {sealed}")
    yield text.format(period=found.period, count=found.ledgers, sealed=found.oldest_sealed or "—")
    text = _("volunteers: {volunteers}; elders: {elders}; services: {number}, {minutes} min")
    yield text.format(
        volunteers=found.volunteers,
        elders=found.elders,
        number=found.services.number,
        minutes=found.services.minutes,
    )
    rows = [_count_row(named_category(name), each) for name, each in found.categories.items()]
    rows += [
        [*_count_row(named(FORMS, form), each), f"{found.evidence_per_mille.get(form, 0) / PER_CENT:.1f} %"]
        for form, each in found.evidence.items()
    ]
    rows += [[month, str(each.services), f"{each.minutes}"] for month, each in found.months.items()]
    if rows:
        whole = [[*row, ""][:4] for row in rows]
        yield from columns([[_("of"), _("services"), _("minutes"), _("share")], *whole], right=(1, 2, 3))
    yield _(
        "This is the node's word: nothing of it was checked here. To count it yourself, take the ledgers' archives:"
        " `huzhu report --archive`."
    )


def _count_row(name: str, count: "AskedCount") -> list[str]:
    return [name, str(count.number), str(count.minutes)]
