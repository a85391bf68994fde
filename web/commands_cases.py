"""Commands about cases: from a suspicion to what two people decide, what is imposed for it, and the public list."""

import datetime
from collections import Counter
from collections.abc import Iterable
from gettext import gettext as _
from typing import Any, Literal

import click

from chain.fields import Time
from ledger.bodies import Appeal, CaseClose, CaseOpen, CaseStep, Sanction, SanctionLift
from ledger.roster import AUTHORITY, MEMBER
from ledger.signing import NEEDS_SECOND
from web.command import (
    READS,
    WRITES,
    WRITES_ALONE,
    WRITES_OF_TWO,
    Cell,
    Command,
    Group,
    Number,
    argument,
    option,
    pass_session,
)
from web.daysheet import parse_account, parse_code, parse_date, parse_words
from web.desk import DeskNode, refusal
from web.findings import SUSPICIONS
from web.history import Past, StandingMeasure, case_history, measures_in_force, past, past_of
from web.i18n import marked
from web.keyring import Pair, Plan
from web.problems import DeskError
from web.session import Session, known_index, now, say
from web.telling import entry_lines
from web.text import CASE_OUTCOMES, MEASURES, columns, named, named_kind, printable

ACCOUNT = Cell("ACCOUNT", parse_account)
CODE = Cell("CODE", parse_code)
DATE = Cell("DATE", parse_date)
INDEX = Number(min=0)
WORDS = Cell("TEXT", parse_words)
LISTED = "list"

NOTE_HELP = marked("What there is to say; everybody can read it, so it names nobody.")
BY_HELP = marked("Whose key signs: a member's or the tier above's, by file or id (default: the first member's kept).")


@click.group(cls=Group)
def case() -> None:
    """Look into a suspicion: open a case, go on with it, close it."""


@case.command("open", example="huzhu case open 12345676 --suspicion overlap --entry 17", takes=WRITES_ALONE)
@argument("account", type=ACCOUNT)
@option("--suspicion", type=CODE, required=True, help=marked("Which, as `huzhu suspicions` names it; or another code."))
@option("--entry", "entries", type=INDEX, multiple=True, required=True, help=marked("Entry it rests on; repeatable."))
@option("--note", type=WORDS, help=NOTE_HELP)
@option("--by", metavar="KEY", help=BY_HELP)
@pass_session
def case_open(
    session: Session, account: str, suspicion: str, entries: tuple[int, ...], note: str | None, by: str | None
) -> int:
    """Open a case about an account.

    One member signs, or one of the tier above. The number of the entry is that of the case.
    """

    def body(node: DeskNode) -> CaseOpen:
        known = tuple(known_index(node, index) for index in dict.fromkeys(entries))
        return CaseOpen(account=account, entries=known, note=note, suspicion=suspicion)

    return session.write(_one(session, by, lambda keyring: keyring.apart_from(account).one(MEMBER, AUTHORITY)), body)


@case.command("step", example="huzhu case step 18 remind --note 已提醒本人", takes=WRITES_ALONE)
@argument("index", metavar="CASE", type=INDEX)
@argument("step", type=click.Choice(["remind", "track", "hear"]))
@option("--note", type=WORDS, required=True, help=NOTE_HELP)
@option("--by", metavar="KEY", help=BY_HELP)
@pass_session
def case_step(session: Session, index: int, step: Literal["remind", "track", "hear"], note: str, by: str | None) -> int:
    """Note what was done: the person was reminded, is watched, or was heard."""
    plan = _one(session, by, lambda keyring: keyring.about_case(index).one(MEMBER, AUTHORITY))
    return session.write(plan, lambda node: CaseStep(case=known_index(node, index), note=note, step=step))


@case.command("close", example="huzhu case close 18 upheld --note 两处服务时间重叠", takes=WRITES_OF_TWO)
@argument("index", metavar="CASE", type=INDEX)
@argument("outcome", type=click.Choice(["cleared", "upheld"]))
@option("--note", type=WORDS, required=True, help=NOTE_HELP)
@pass_session
def case_close(session: Session, index: int, outcome: Literal["cleared", "upheld"], note: str) -> int:
    """Decide a case.

    Two members sign, or two of the tier above, and one of them did not sign its opening: such two are chosen out of
    the keys kept here. Only for a case that is upheld can something be imposed.
    """
    with session.writing() as (node, keyring):
        body = CaseClose(case=known_index(node, index), note=note, outcome=outcome)
        pair = keyring.about_case(index).closing(index)
        (result,) = node.write(pair.author, pair.beside, [body], session.at)
        session.say_result_time(node, result)
    refused = refusal(result)
    if refused is not None and refused.outcome == NEEDS_SECOND:
        say(_("one of the two who close a case must be somebody who did not sign its opening"))
    return session.report(result, body)


@case.command("appeal", example="huzhu case appeal 18 --ground 我当天不在村里", takes=WRITES)
@argument("index", metavar="CASE", type=INDEX)
@option("--ground", type=WORDS, required=True, help=marked("What the person says against it; everybody can read it."))
@option(
    "--by",
    metavar="KEY",
    help=marked("The person's own key signs, and nobody else: its file, or its id where it is kept here."),
)
@pass_session
def case_appeal(session: Session, index: int, ground: str, by: str | None) -> int:
    """Object to a case, open or closed.

    The person's own key signs, or clerk and member for the person.
    """
    plan = _one(session, by, lambda keyring: keyring.about_case(index).clerk_and_members())
    return session.write(plan, lambda node: Appeal(case=known_index(node, index), ground=ground))


@case.command("show", example="huzhu case show 18", takes=READS)
@argument("index", metavar="CASE", type=INDEX)
@pass_session
def case_show(session: Session, index: int) -> None:
    """Show all that there is of a case.

    How it was opened and on what it rests, each step, how it ended, what was imposed and lifted, and what the person
    said against it.
    """
    with session.reading() as node:
        history = case_history(node, index)
        rests_on = [past(node, entry) for entry in history[0].body.entries if entry < index]
        found, in_force = node.state.cases[index], set(node.state.sanctions)
    plain = {
        "case": index,
        "account": found.account,
        "suspicion": found.suspicion,
        "outcome": found.outcome,
        "history": [each.plain() for each in history],
        "entries": [each.plain() for each in rests_on],
        "in_force": [each.index for each in history if each.index in in_force],
    }
    heading = _("case {case}, account {account}: {outcome}").format(
        case=index, account=found.account, outcome=_outcome(found.outcome)
    )
    lines = [heading, *_past_lines(history), "", _("it rests on:"), *_past_lines(rests_on)]
    session.print(plain, lines)


@case.command("list", example="huzhu case list --open", takes=READS)
@option("--open", "only_open", is_flag=True, help=marked("Only those that nobody has decided yet."))
@pass_session
def case_list(session: Session, only_open: bool) -> None:
    """List the cases."""
    with session.reading() as node:
        cases = [
            (past(node, index), found)
            for index, found in sorted(node.state.cases.items())
            if not (only_open and found.outcome)
        ]
        appeals = Counter(each.body.case for each in past_of(node, "appeal"))
    plain = [
        {
            "case": opened.index,
            "date": opened.date,
            "account": found.account,
            "suspicion": found.suspicion,
            "outcome": found.outcome,
            "appeals": appeals[opened.index],
        }
        for opened, found in cases
    ]
    rows = [[_("case"), _("date"), _("account"), _("suspicion"), _("outcome"), _("appeals")]]
    for opened, found in cases:
        known = (named(SUSPICIONS, found.suspicion), _outcome(found.outcome), str(appeals[opened.index]))
        rows.append([str(opened.index), opened.date, found.account, *known])
    session.print(plain, columns(rows, right=(0, 5)))


@click.group(cls=Group)
def sanction() -> None:
    """Impose what an upheld case asks for, and lift it."""


@sanction.command("impose", example="huzhu sanction impose 12345676 suspend --case 18 --until 2027-06-30", takes=WRITES)
@argument("account", type=ACCOUNT)
@argument("measure", type=click.Choice(list(MEASURES)))
@option("--case", "index", type=INDEX, required=True, help=marked("The case that was upheld."))
@option("--until", type=DATE, help=marked("Reminds of lifting it; nothing ends by itself."))
@pass_session
def sanction_impose(
    session: Session,
    account: str,
    measure: Literal["suspend", "revoke", "list"],
    index: int,
    until: datetime.date | None,
) -> int:
    """Suspend an account, end its volunteering, or list it.

    A suspended account neither earns nor spends nor gives; a listed one stands on the public list. Two of the tier
    above sign, or the members where there is none.
    """

    def body(node: DeskNode) -> Sanction:
        today = _local_date(node, node.state.log_time(session.at or now()))
        if until is not None and until < today:
            raise DeskError(_("--until {until} is past: name {today} or a later day").format(until=until, today=today))
        return Sanction(account=account, case=known_index(node, index), measure=measure, until=until)

    return session.write(lambda keyring: keyring.apart_from(account).authorities(), body)


@sanction.command("lift", example="huzhu sanction lift 20 --reason 整改完成", takes=WRITES)
@argument("index", metavar="SANCTION", type=INDEX)
@option("--reason", type=WORDS, required=True, help=marked("Why."))
@pass_session
def sanction_lift(session: Session, index: int, reason: str) -> int:
    """End a sanction.

    What it took comes back. The same sign as for imposing it.
    """
    return session.write(
        lambda keyring: keyring.about_sanction(index).authorities(),
        lambda node: SanctionLift(reason=reason, sanction=known_index(node, index)),
    )


@sanction.command("list", example="huzhu sanction list", takes=READS)
@pass_session
def sanction_list(session: Session) -> None:
    """List the sanctions in force."""
    with session.reading() as node:
        standing, today = measures_in_force(node), _today(node)
    rows = [[_("sanction"), _("account"), _("what"), _("case"), _("since"), _("until")]]
    rows += [
        [
            str(each.sanction),
            each.account,
            named(MEASURES, each.measure),
            str(each.case),
            each.date,
            _until(each, today),
        ]
        for each in standing
    ]
    session.print([_plain_measure(each, today) for each in standing], columns(rows))


@click.command("public-list", cls=Command, example="huzhu public-list", takes=READS)
@pass_session
def public_list(session: Session) -> None:
    """Print the list that is put up in public.

    Account numbers, why each is on it, and when it is due to leave it. Those that should have left it by now are
    marked: they stay until somebody lifts the sanction.
    """
    with session.reading() as node:
        listed, today = [each for each in measures_in_force(node) if each.measure == LISTED], _today(node)
    rows = [[_("account"), _("why"), _("since"), _("until"), _("note")]]
    rows += [
        [each.account, named(SUSPICIONS, each.suspicion), each.date, _until(each, today), printable(each.note)]
        for each in listed
    ]
    session.print([_plain_measure(each, today) for each in listed], columns(rows))


def _one(session: Session, by: str | None, plan: Plan) -> Plan:
    """The key that is named alone, or else as ``plan`` chooses."""
    return plan if by is None else lambda _keyring: Pair(session.person_key(by))


def _today(node: DeskNode) -> datetime.date:
    return _local_date(node, now())


def _local_date(node: DeskNode, moment: Time) -> datetime.date:
    return (moment + node.state.utc_offset).date()


def _outcome(outcome: str | None) -> str:
    return _("not decided yet") if outcome is None else named(CASE_OUTCOMES, outcome)


def _until(measure: StandingMeasure, today: datetime.date) -> str:
    if measure.until is None:
        return ""
    date = measure.until.isoformat()
    return _("{date}, overdue").format(date=date) if measure.is_overdue(today) else date


def _past_lines(entries: Iterable[Past]) -> list[str]:
    """Date, number and kind of each, with what it says."""
    rows = [
        [each.date, str(each.index), named_kind(each.entry.kind), _("; ").join(entry_lines(each.entry))]
        for each in entries
    ]
    return columns(rows, right=(1,))


def _plain_measure(measure: StandingMeasure, today: datetime.date) -> dict[str, Any]:
    return {
        "sanction": measure.sanction,
        "account": measure.account,
        "measure": measure.measure,
        "case": measure.case,
        "suspicion": measure.suspicion,
        "note": measure.note,
        "since": measure.date,
        "until": None if measure.until is None else measure.until.isoformat(),
        "overdue": measure.is_overdue(today),
    }
