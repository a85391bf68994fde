"""Commands about hours: services, gifts, grants, corrections; and the parameters by which they are judged."""

import datetime
import json
from gettext import gettext as _
from pathlib import Path
from typing import Any, Literal, cast

import click
import msgspec

from chain.fields import Time, format_time
from ledger.bodies import (
    Dispute,
    Donate,
    Evidence,
    Gift,
    Grant,
    Opening,
    Params,
    Resolve,
    Reverse,
    Service,
)
from ledger.parameters import CATEGORIES, NAMES, format_parameters
from web.command import (
    READS,
    WRITES,
    WRITES_OF_NEUTRALS,
    WRITES_OF_TWO,
    Cell,
    Command,
    Group,
    Number,
    argument,
    file_option,
    option,
    pass_session,
)
from web.commands_coupons import ask_coupon
from web.coupons import Coupon, Shelf, coupon_evidence, parse_coupon
from web.daysheet import (
    PAYERS,
    filled,
    interval,
    local_midnight,
    parse_account,
    parse_clock,
    parse_clock_or_time,
    parse_code,
    parse_date,
    parse_words,
)
from web.desk import DeskNode
from web.founding import example_of, override, read_overrides
from web.i18n import marked
from web.keyring import Keyring, Pair, Plan
from web.problems import DeskError
from web.session import Session, known_index, now
from web.table import BadRowError, hash_file
from web.text import printable

ACCOUNT = Cell("ACCOUNT", parse_account)
CODE = Cell("CODE", parse_code)
DATE = Cell("DATE", parse_date)
CLOCK = Cell("HH:MM", parse_clock)
MOMENT = Cell("HH:MM|TIME", parse_clock_or_time)
MINUTES = Number(min=1)
INDEX = Number(min=0)
WORDS = Cell("TEXT", parse_words)
MINUTE = datetime.timedelta(minutes=1)
STAY_MAX = datetime.timedelta(hours=12)
"""So long before or after a service's start and end somebody may check in and out: what is farther is a slip."""
SETTING_SHOWN_CHARACTERS = 80
BY_HELP = marked("The person's own key signs, and nobody else: its file, or its id where it is kept here.")


@click.command(
    cls=Command,
    example="huzhu record 12345676 87654342 --category assistance --date 2025-11-21 --start 09:00 --end 10:30 "
    "--paper sheet.jpg",
    takes=WRITES,
)
@argument("provider", type=ACCOUNT)
@argument("recipient", type=ACCOUNT, required=False)
@option("--category", type=click.Choice(CATEGORIES), required=True, help=marked("Which of the eight services."))
@option("--local", type=CODE, help=marked("The district's own name for it."))
@option("--date", "day", type=DATE, required=True, help=marked("Local date of the start."))
@option("--start", type=CLOCK, required=True, help=marked("Local time."))
@option("--end", type=CLOCK, required=True, help=marked("Local time; one before the start is past midnight."))
@option("--minutes", type=MINUTES, help=marked("What counts of it (default: all between start and end)."))
@option("--paid-by", type=click.Choice(PAYERS), default="recipient", show_default=True, help=marked("Who pays."))
@file_option("--paper", help=marked("Scan of the signed sheet; its hash is the evidence."))
@option("--confirm", metavar="KEY", help=marked("The recipient's key signs beside: its file, or its id if kept here."))
@option(
    "--coupon",
    metavar="TEXT",
    help=marked("The coupon that was given; - reads it from standard input and keeps it out of the process list."),
)
@option("--by", metavar="KEY", help=marked("The volunteer's own key signs in place of clerk and member."))
@option("--checkin", type=MOMENT, help=marked("When the volunteer came: local time, or a full time in UTC."))
@option(
    "--checkout", type=MOMENT, help=marked("When the volunteer left; a local time before the start is past midnight.")
)
@option("--rating", type=Number(1, 5), help=marked("What the recipient says of it."))
@option("--group", type=WORDS, help=marked("Name of the group that came."))
@pass_session
def record(
    session: Session,
    /,
    provider: str,
    recipient: str | None,
    paper: Path | None,
    confirm: str | None,
    coupon: str | None,
    by: str | None,
    **told: Any,
) -> int:
    """Record one service.

    PROVIDER served RECIPIENT. With --paper, clerk and member sign for the paper; with --confirm, the key of the
    recipient, of the guardian or of kin confirms it; with --coupon, a coupon out of the recipient's book does.
    """
    _check_shown(recipient, paper, confirm, coupon, by, timed=bool(told["checkin"] or told["checkout"]))
    text = None if coupon is None else ask_coupon(coupon)
    paper_hash = None if paper is None else hash_file(filled(paper))

    def plan(keyring: Keyring) -> Pair:
        if paper is not None:
            return keyring.clerk_and_members()
        author = keyring.clerk() if by is None else session.person_key(by)
        return Pair(author, () if confirm is None else (session.person_key(confirm),))

    def body(node: DeskNode) -> Service:
        if text is None:
            evidence = Evidence(form="signed") if paper_hash is None else Evidence(form="paper", hash=paper_hash)
            return _service(node, session.at, provider, cast(str, recipient), evidence, **told)
        found = _read_coupon(text, node.origin)
        evidence = coupon_evidence(found, node.state, Shelf(session.home))
        return _service(node, session.at, provider, recipient or _owner(node, found), evidence, **told)

    return session.write(plan, body)


@click.command(cls=Command, example="huzhu gift 12345676 87654342 60", takes=WRITES)
@argument("giver", type=ACCOUNT)
@argument("to", type=ACCOUNT)
@argument("minutes", type=MINUTES)
@option("--by", metavar="KEY", help=BY_HELP)
@pass_session
def gift(session: Session, giver: str, to: str, minutes: int, by: str | None) -> int:
    """Give hours to kin."""
    return session.write(_person_or_clerk(session, by), Gift(giver=giver, minutes=minutes, to=to))


@click.command(cls=Command, example="huzhu donate 12345676 60", takes=WRITES)
@argument("giver", type=ACCOUNT)
@argument("minutes", type=MINUTES)
@option("--by", metavar="KEY", help=BY_HELP)
@pass_session
def donate(session: Session, giver: str, minutes: int, by: str | None) -> int:
    """Give hours to the pool, for whoever needs them."""
    return session.write(_person_or_clerk(session, by), Donate(giver=giver, minutes=minutes))


@click.command(cls=Command, example="huzhu grant 12345676 60 --reason 重阳节", takes=WRITES)
@argument("to", type=ACCOUNT)
@argument("minutes", type=MINUTES)
@option("--reason", type=WORDS, required=True, help=marked("Why."))
@pass_session
def grant(session: Session, to: str, minutes: int, reason: str) -> int:
    """Give hours of the platform to a person.

    The person belongs to a funded group.
    """
    return session.write(Keyring.authorities, Grant(minutes=minutes, reason=reason, to=to))


@click.command(cls=Command, example="huzhu opening 12345676 600 --source book.pdf", takes=WRITES)
@argument("account", type=ACCOUNT)
@argument("minutes", type=MINUTES)
@file_option("--source", required=True, help=marked("The old book; its hash is written."))
@pass_session
def opening(session: Session, account: str, minutes: int, source: Path) -> int:
    """Carry a balance over from the old book.

    Only before the first service.
    """
    return session.write(Keyring.opening, Opening(account=account, minutes=minutes, source=hash_file(filled(source))))


@click.command(cls=Command, example="huzhu reverse 17 --reason 记错了人", takes=WRITES_OF_TWO)
@argument("index", type=INDEX)
@option("--reason", type=WORDS, required=True, help=marked("Why."))
@pass_session
def reverse(session: Session, index: int, reason: str) -> int:
    """Take an entry back.

    The hours of the entry at INDEX go where they came from; both entries stay on the ledger. Two members sign.
    """
    return session.write(Keyring.together, lambda node: Reverse(index=known_index(node, index), reason=reason))


@click.command(cls=Command, example="huzhu dispute 17 12345676 --ground 没有来过", takes=WRITES)
@argument("index", type=INDEX)
@argument("party", type=ACCOUNT)
@option("--ground", type=WORDS, required=True, help=marked("What is wrong with it."))
@option("--by", metavar="KEY", help=BY_HELP)
@pass_session
def dispute(session: Session, index: int, party: str, ground: str, by: str | None) -> int:
    """Object to a service.

    PARTY is one of the two people of the service at INDEX.
    """

    def body(node: DeskNode) -> Dispute:
        return Dispute(ground=ground, index=known_index(node, index), party=party)

    return session.write(_person_or_clerk(session, by), body)


@click.command(cls=Command, example="huzhu resolve 18 upheld --reason 核实", takes=WRITES_OF_NEUTRALS)
@argument("index", type=INDEX)
@argument("outcome", type=click.Choice(["upheld", "rejected"]))
@option("--reason", type=WORDS, required=True, help=marked("Why."))
@pass_session
def resolve(session: Session, index: int, outcome: Literal["upheld", "rejected"], reason: str) -> int:
    """Decide a dispute.

    INDEX is that of the dispute. Two members sign who had no part in recording the service.
    """
    with session.writing() as (node, keyring):
        pair = keyring.together(without=_recorders(node, known_index(node, index)))
        body = Resolve(index=index, outcome=outcome, reason=reason)
        (result,) = node.write(pair.author, pair.beside, [body], session.at)
        session.say_result_time(node, result)
    return session.report(result, body)


@click.group(cls=Group, lazy={"hand-down": "web.commands_tiers:hand_down"})
def params() -> None:
    """Look at the rules' parameters, change them."""


@params.command("show", example="huzhu params show", takes=READS)
@pass_session
def params_show(session: Session) -> None:
    """Show the parameters in force."""
    with session.reading() as node:
        version, plain = node.state.parameters_version, format_parameters(node.state.parameters)
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in plain.items()]
    session.print({"version": version, "params": plain}, [_("version {version}").format(version=version), *lines])


@params.command("set", example="huzhu params set posting_days=7", takes=WRITES)
@argument("settings", metavar="NAME=VALUE", nargs=-1)
@file_option("--file", help=marked("JSON file with the parameters to change."))
@pass_session
def params_set(session: Session, settings: tuple[str, ...], file: Path | None) -> int:
    """Change parameters from the next entry on.

    Those that are not named stay. A VALUE is JSON.
    """
    overrides = {} if file is None else read_overrides(file)
    overrides |= dict(map(_parse_setting, settings))
    if not overrides:
        raise click.UsageError(_("name a parameter: NAME=VALUE"))

    def body(node: DeskNode) -> Params:
        state = node.state
        changed = override(overrides, state.parameters)
        return Params(params=format_parameters(changed), version=state.parameters_version + 1)

    return session.write(Keyring.authorities, body)


def _check_shown(
    recipient: str | None, paper: Path | None, confirm: str | None, coupon: str | None, by: str | None, *, timed: bool
) -> None:
    """Raise UsageError where a service is not shown by one thing, with what goes with it."""
    if [paper, confirm, coupon].count(None) != 2:
        raise click.UsageError(_("give one of --paper, --confirm and --coupon"))
    if by is not None and paper is not None:
        raise click.UsageError(_("--by needs --confirm or --coupon"))
    if timed and paper is not None:
        raise click.UsageError(_("--checkin and --checkout need --confirm or --coupon"))
    if recipient is None and coupon is None:
        raise click.UsageError(_("name the recipient, or give --coupon"))


def _read_coupon(text: str, origin: str) -> Coupon:
    try:
        return parse_coupon(text, origin)
    except BadRowError as error:
        raise DeskError(str(error)) from None


def _owner(node: DeskNode, coupon: Coupon) -> str:
    """Whose coupon it is."""
    book = node.state.coupon_books.get(coupon.book)
    if book is None:
        raise DeskError(_("there is no book {book} of this coupon on the ledger").format(book=coupon.book))
    return book.account


def _service(
    node: DeskNode,
    at: Time | None,
    provider: str,
    recipient: str,
    evidence: Evidence,
    *,
    day: datetime.date,
    start: int,
    end: int,
    minutes: int | None,
    checkin: int | Time | None,
    checkout: int | Time | None,
    **told: Any,
) -> Service:
    """The service that the options tell of; a minor's names the guardian, whom the account knows."""
    midnight = local_midnight(day, node.state.utc_offset)
    opened, closed = interval(start, end)
    came = midnight + checkin * MINUTE if isinstance(checkin, int) else checkin
    left = midnight + interval(start, checkout)[1] if isinstance(checkout, int) else checkout
    recorded = node.state.log_time(at or now())
    _check_stay(came, left, (midnight + opened, midnight + closed), recorded)
    account = node.state.accounts.get(provider)
    return Service(
        end=midnight + closed,
        evidence=msgspec.structs.replace(evidence, checkin=came, checkout=left),
        guardian=account.guardian if account is not None and account.minor else None,
        minutes=minutes or max(1, (closed - opened) // MINUTE),
        provider=provider,
        recipient=recipient,
        start=midnight + opened,
        **told,
    )


def _check_stay(came: Time | None, left: Time | None, served: tuple[Time, Time], recorded: Time) -> None:
    """Raise DeskError where somebody came or left at a time that is a slip; the ledger's rules do not judge it."""
    start, end = served
    if left is not None and left > recorded:
        text = _("the check-out {time} is after the recorded time {recorded}: look at --date and --checkout")
        raise DeskError(text.format(time=format_time(left), recorded=format_time(recorded)))
    if came is not None and left is not None and left < came:
        text = _("the check-out {left} is before the check-in {came}")
        raise DeskError(text.format(left=format_time(left), came=format_time(came)))
    if came is not None and abs(came - start) > STAY_MAX:
        text = _("the check-in {time} is more than 12 hours away from the start {start}")
        raise DeskError(text.format(time=format_time(came), start=format_time(start)))
    if left is not None and abs(left - end) > STAY_MAX:
        text = _("the check-out {time} is more than 12 hours away from the end {end}")
        raise DeskError(text.format(time=format_time(left), end=format_time(end)))


def _person_or_clerk(session: Session, by: str | None) -> Plan:
    """The person's own key, where it is named, or clerk and member."""
    return Keyring.clerk_and_members if by is None else lambda _keyring: Pair(session.person_key(by))


def _recorders(node: DeskNode, index: int) -> set[str]:
    """The people who recorded and certified the service that a dispute is about."""
    roster = node.state.roster.keys
    body = node.entry(index).body
    if not isinstance(body, Dispute):
        return set()
    entry = node.entry(body.index)
    return {roster[key].person for key in (entry.by, *entry.beside)}


def _parse_setting(word: str) -> tuple[str, Any]:
    name, _equals, value = word.partition("=")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        example = example_of(name) if name in NAMES else "posting_days=7"
        text = _("{word} sets no parameter: what stands behind = is JSON; write {example}")
        raise DeskError(text.format(word=printable(word[:SETTING_SHOWN_CHARACTERS]), example=example)) from None
