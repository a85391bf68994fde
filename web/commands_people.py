"""Commands about people: their keys (``huzhu key`` is in ``cli``), accounts, credentials and kin."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from gettext import gettext as _
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
import msgspec

from care.dossier import Dossier, change_dossier, make_dossier
from care.people import People
from care.vault import Locked
from chain.encoding import format_base64
from chain.entry import Body
from chain.fields import KEY_ID, Time, format_time
from ledger.bodies import AccountClose, CredentialGrant, CredentialRevoke, KeyGrant, KeyRevoke, KinLink, KinUnlink
from ledger.numbers import POOL
from ledger.roster import ASSESSOR, AUTHORITY, CLERK, GUARDIAN, MEMBER, RECIPIENT, VOLUNTEER
from ledger.state import Account
from store.home import NODE_KEY
from store.keyfiles import write_key
from web.command import (
    READS,
    WRITES,
    WRITES_OF_TWO,
    Cell,
    Command,
    Group,
    Moment,
    argument,
    file_argument,
    file_option,
    json_options,
    key_options,
    option,
    pass_session,
)
from web.daysheet import parse_account, parse_code
from web.desk import DeskNode, refusal
from web.dossiers import check_told, keep, kept_dossier, open_people, read_dossier
from web.founding import parse_public_key
from web.i18n import marked
from web.keyring import Keyring, Pair, Plan
from web.people import (
    ISSUER,
    PeopleSummary,
    draw_number,
    import_people,
    opening_of,
    parse_birthday,
    update_of,
)
from web.problems import DeskError
from web.session import Session, new_key, now, say
from web.text import columns, named_role

F = TypeVar("F", bound=Callable[..., Any])

ROLES = (CLERK, MEMBER, AUTHORITY, ASSESSOR, VOLUNTEER, RECIPIENT, GUARDIAN)
ACCOUNT = Cell("ACCOUNT", parse_account)
CODE = Cell("CODE", parse_code)
BIRTHDAY = Cell("DATE", parse_birthday)
TEXT_FIELDS = ("name", "phone", "address", "care_level", "income_band", "diet", "emergency_contact")


@click.command("new", cls=Command, example="huzhu key new --role volunteer", takes=(json_options, key_options))
@option("--role", type=click.Choice(ROLES), required=True, help=marked("What the key will be for."))
@file_option("-o", "--output", help=marked("Write the key to this file, to take away, and not into the home."))
@pass_session
def key_new(session: Session, role: str, output: Path | None) -> None:
    """Make a key and keep it; nobody may sign with it before it is granted.

    Prints its id and its public key, which `huzhu key grant` takes.
    """
    made = new_key()
    if output is not None:
        write_key(output, made, session.new_passphrase())
    else:
        passphrase = session.passphrase()
        session.home.signing_key(session.home.keys / NODE_KEY, passphrase)
        session.home.add_key(role, made, passphrase)
    public = format_base64(made.public)
    session.print({"key": made.id, "role": role, "public": public}, [f"{made.id}  {named_role(role)}  {public}"])


@click.command("list", cls=Command, example="huzhu key list", takes=READS)
@pass_session
def key_list(session: Session) -> None:
    """List the keys that the ledger knows."""
    with session.reading() as node:
        keys, time = list(node.state.roster.keys.values()), node.state.log_time(now())
    kept = {key_id for _role, key_id, _path in Keyring.files(session.home)}
    plain: list[dict[str, Any]] = [
        {
            "key": each.id,
            "role": each.role,
            "account": each.account,
            "until": None if each.until is None else format_time(each.until),
            "counts": each.counts_at(time),
            "kept": each.id in kept,
        }
        for each in keys
    ]
    rows = [[_("key"), _("role"), _("account"), _("state"), _("kept here")]]
    for line in plain:
        state = _("counts") if line["counts"] else _("counts no more")
        rows.append(
            [line["key"], named_role(line["role"]), line["account"] or "", state, _("yes") if line["kept"] else ""]
        )
    session.print(plain, columns(rows))


@click.command("grant", cls=Command, example="huzhu key grant 0123456789abcdef --role clerk", takes=WRITES)
@argument("key_or_id", metavar="KEY")
@option("--role", type=click.Choice(ROLES), required=True, help=marked("What its owner may do."))
@option("--account", type=ACCOUNT, help=marked("Whose key it is."))
@option("--until", type=Moment(ahead=True), help=marked("The last moment at which it counts."))
@pass_session
def key_grant(session: Session, key_or_id: str, role: str, account: str | None, until: Time | None) -> int:
    """Let a key sign.

    KEY is its public key in base64, or the id of one that is kept in the home.
    """

    def body(_node: DeskNode) -> KeyGrant:
        return KeyGrant(account=account, key=_public(session, key_or_id), role=role, until=until)

    return session.write(lambda keyring: keyring.for_role(role), body)


@click.command("revoke", cls=Command, example="huzhu key revoke 0123456789abcdef --reason lost", takes=WRITES)
@argument("key_id", metavar="KEYID")
@option("--reason", required=True, help=marked("Why."))
@option("--by", metavar="KEY", help=marked("The key itself revokes: its file, or its id where it is kept here."))
@pass_session
def key_revoke(session: Session, key_id: str, reason: str, by: str | None) -> int:
    """End a key: it signs nothing from the next entry on."""

    def plan(keyring: Keyring) -> Pair:
        return Pair(session.person_key(by)) if by else keyring.for_role(keyring.role_of(key_id))

    return session.write(plan, KeyRevoke(key_id=key_id, reason=reason))


@click.group(
    cls=Group,
    lazy={
        "erase": "web.commands_dossiers:erase",
        "export": "web.commands_dossiers:export",
        "find": "web.commands_dossiers:find",
        "looks": "web.commands_dossiers:looks",
        "show": "web.commands_dossiers:show",
    },
)
def person() -> None:
    """Open, change, close, show and erase people."""


@person.command("import", example="huzhu person import people.csv", takes=WRITES)
@file_argument("file")
@option("--issuer", default=ISSUER, help=marked("Who issued the credentials in the file."))
@option("--again", is_flag=True, help=marked("Open everybody once more, although the file was imported already."))
@pass_session
def person_import(session: Session, file: Path, issuer: str, again: bool) -> int:
    """Open many accounts, with the credentials and kin they name.

    The first line names the columns: account, name, born, roles, guardian, phone, address, care_level, funded,
    credentials, kin. Numbers that are given stay, missing ones are drawn; NAME.accounts.csv beside the file then says
    which line has which. What is personal goes into people.db alone, encrypted. Rows that are refused stand as they
    are in NAME.refused.csv, with the reason, and the exit status is 1. Mended, they can be imported from there; what is
    open already is not opened twice. Delete these files when you are done.
    """
    with session.writing() as (node, keyring):
        summary = import_people(node, keyring, file, session.at or now(), session.at, issuer, again=again)
    session.print(_plain_summary(summary), _summary_lines(summary))
    if summary.drawn:
        if summary.accounts_file is None:
            for line, number in summary.drawn:
                say(f"{line}  {number}")
        else:
            say(_("the numbers that were drawn are in {path}").format(path=summary.accounts_file))
    session.say_ignored(summary.ignored)
    status = session.report_refused(summary.outcomes, summary.refused_file)
    if summary.unkept is not None:
        raise summary.unkept
    return status


def described(function: F) -> F:
    """The options that describe a person."""
    personal = marked("Personal; better in the file of --dossier.")
    languages = marked("Personal: what the person speaks, joined by +.")
    file = marked(
        "JSON file with what is personal, as others may see a command line: name, phone, born, address, care_level, "
        "income_band, languages (a list), diet, emergency_contact."
    )
    for add in (
        option("--born", type=BIRTHDAY, help=marked("Date of birth; the ledger gets only its five-year band.")),
        option("--volunteer/--no-volunteer", default=None, help=marked("Gives services.")),
        option("--elder/--no-elder", default=None, help=marked("Receives services.")),
        option("--visitor/--no-visitor", default=None, help=marked("Lives elsewhere.")),
        option("--guardian", type=ACCOUNT, help=marked("Account of the guardian; a minor needs one.")),
        option("--funded", type=CODE, help=marked("Group of people whose hours are paid for.")),
        option("--household", help=marked("Word that the household's accounts share.")),
        file_option("--dossier", help=file),
        *(option("--" + name.replace("_", "-"), help=personal) for name in TEXT_FIELDS),
        option("--languages", help=languages),
    ):
        function = add(function)
    return function


@person.command("open", example="huzhu person open --born 1950-05-01 --elder", takes=WRITES)
@argument("account", type=ACCOUNT, required=False)
@option("--institution", is_flag=True, help=marked("Not a person."))
@described
@pass_session
def person_open(session: Session, /, account: str | None, institution: bool, **described: Any) -> int:
    """Open an account.

    Without a number one is drawn, and printed. What is personal goes into people.db alone, encrypted.
    """
    told = take_told(described)

    def make(node: DeskNode, people: People) -> tuple[Body, list[Locked]]:
        number = account or draw_number(node.state.accounts.__contains__)
        locked = people.lock(number, make_dossier(told))
        opened = opening_of(number, described | {"dossier": locked.hash}, _today(session, node))
        return msgspec.structs.replace(opened, holder="institution") if institution else opened, [locked]

    return _write(session, lambda keyring: keyring.account(described["funded"] is not None), make)


@person.command("update", example="huzhu person update 12345676 --volunteer", takes=WRITES)
@argument("account", type=ACCOUNT)
@option("--not-funded", is_flag=True, help=marked("Belongs to no such group any more."))
@option("--anew", is_flag=True, help=marked("Begin an empty dossier, where the right people.db is lost for good."))
@described
@pass_session
def person_update(session: Session, /, account: str, not_funded: bool, anew: bool, **described: Any) -> int:
    """Describe an account anew.

    What is not mentioned stays, but for the household. A text that is empty takes away what is personal. Where that
    changes, what was kept before is destroyed.
    """
    told = take_told(described)

    def make(node: DeskNode, people: People) -> tuple[Body, list[Locked]]:
        found = session_account(node, account)
        kept = None if anew else kept_dossier(node, people, account)
        hashed, fresh = _change_dossier(people, account, kept, told)
        updated = update_of(found, described | {"dossier": hashed}, _today(session, node))
        return msgspec.structs.replace(updated, funded=None) if not_funded else updated, fresh

    def plan(keyring: Keyring) -> Pair:
        return keyring.account(not not_funded and (described["funded"] or keyring.is_funded(account)))

    return _write(session, plan, make)


@person.command("close", example="huzhu person close 12345676 --reason asked --to pool", takes=WRITES)
@argument("account", type=ACCOUNT)
@option("--reason", type=click.Choice(["moved", "died", "asked"]), required=True, help=marked("Why."))
@option(
    "--to",
    type=Cell("ACCOUNT", lambda cell: cell if cell == POOL else parse_account(cell)),
    help=marked("Who gets what is left: kin, or `pool`."),
)
@pass_session
def person_close(session: Session, account: str, reason: Literal["moved", "died", "asked"], to: str | None) -> int:
    """Close an account for ever."""
    return session.write(Keyring.clerk_and_members, AccountClose(account=account, reason=reason, to=to))


@click.group(cls=Group)
def kin() -> None:
    """Link people as kin, who may give each other hours."""


@kin.command("link", example="huzhu kin link 12345676 parent 87654342", takes=WRITES)
@argument("person", type=ACCOUNT)
@argument("relation", type=CODE)
@argument("relative", type=ACCOUNT)
@pass_session
def kin_link(session: Session, person: str, relation: str, relative: str) -> int:
    """Link two people: PERSON's RELATION is RELATIVE."""
    body = KinLink(person=person, relation=relation, relative=relative)
    return session.write(Keyring.clerk_and_members, body)


@kin.command("unlink", example="huzhu kin unlink 12345676 87654342", takes=WRITES)
@argument("person", type=ACCOUNT)
@argument("relative", type=ACCOUNT)
@pass_session
def kin_unlink(session: Session, person: str, relative: str) -> int:
    """Undo a link."""
    return session.write(Keyring.clerk_and_members, KinUnlink(person=person, relative=relative))


@click.group(cls=Group)
def credential() -> None:
    """Grant and revoke credentials."""


@credential.command("grant", example="huzhu credential grant 12345676 legal --issuer 司法局", takes=WRITES_OF_TWO)
@argument("account", type=ACCOUNT)
@argument("scope", type=CODE)
@option("--issuer", required=True, help=marked("Who examined the person."))
@option("--until", type=Moment(ahead=True), help=marked("The last moment at which it counts."))
@pass_session
def credential_grant(session: Session, account: str, scope: str, issuer: str, until: Time | None) -> int:
    """Note that a person is qualified."""
    body = CredentialGrant(account=account, issuer=issuer, scope=scope, until=until)
    return session.write(Keyring.together, body)


@credential.command("revoke", example="huzhu credential revoke 12345676 legal --reason expired", takes=WRITES_OF_TWO)
@argument("account", type=ACCOUNT)
@argument("scope", type=CODE)
@option("--reason", required=True, help=marked("Why."))
@pass_session
def credential_revoke(session: Session, account: str, scope: str, reason: str) -> int:
    """Take a credential back."""
    return session.write(Keyring.together, CredentialRevoke(account=account, reason=reason, scope=scope))


def session_account(node: DeskNode, number: str) -> Account:
    """An account's state; raises DeskError where there is none."""
    account = node.state.accounts.get(number)
    if account is None:
        raise DeskError(_("there is no account {number} on this ledger").format(number=number))
    return account


def take_told(described: dict[str, Any]) -> dict[str, Any]:
    """Take what is personal out of the options: the file's fields, and over them those of the command line.

    ``born`` stays there as well, as a date: the ledger needs what follows from it. Raises DeskError.
    """
    path = described.pop("dossier")
    told = {} if path is None else read_dossier(path)
    languages = described.pop("languages")
    said = {name: described.pop(name) for name in TEXT_FIELDS} | {
        "born": described["born"],
        "languages": None if languages is None else languages.split("+"),
    }
    told |= {name: value for name, value in said.items() if value is not None}
    described["born"] = check_told(told).born
    return told


def _change_dossier(
    people: People, account: str, kept: tuple[Locked, Dossier] | None, told: Mapping[str, Any]
) -> tuple[bytes, list[Locked]]:
    """The hash for the ledger, and the new version that it is of; none where nothing personal changes."""
    dossier = change_dossier(Dossier() if kept is None else kept[1], told)
    if kept is not None and dossier == kept[1]:
        return kept[0].hash, []
    locked = people.lock(account, dossier)
    return locked.hash, [locked]


def _write(session: Session, plan: Plan, make: Callable[[DeskNode, People], tuple[Body, list[Locked]]]) -> int:
    """Sign a statement about a person, write it with the dossier that it names, and say what became of it."""
    with session.writing() as (node, keyring), open_people(node) as people:
        pair = plan(keyring)
        since = node.store.size
        body, fresh = make(node, people)
        (result,) = node.write(pair.author, pair.beside, [body], session.at, durable=False)
        if refusal(result) is None:
            keep(node, people, fresh, since)
        session.say_result_time(node, result)
    return session.report(result, body)


def _today(session: Session, node: DeskNode) -> datetime.date:
    """The local day of the recorded time."""
    return ((session.at or now()) + node.state.utc_offset).date()


def _public(session: Session, key_or_id: str) -> bytes:
    if KEY_ID.fullmatch(key_or_id):
        return session.person_key(key_or_id).public
    return parse_public_key(key_or_id)


def plain_account(account: Account) -> dict[str, Any]:
    """What the ledger knows of an account, as JSON has it."""
    return {
        "holder": account.holder,
        "volunteer": account.volunteer,
        "elder": account.elder,
        "redeemable": account.redeemable,
        "minor": account.minor,
        "visitor": account.visitor,
        "guardian": account.guardian,
        "funded": account.funded,
        "band": account.band,
        "kin": sorted(account.kin),
        "credentials": sorted(account.credentials),
    }


def _plain_summary(summary: PeopleSummary) -> dict[str, Any]:
    return {
        "rows": summary.rows,
        "opened": _plain_accounts(summary.opened),
        "partly_opened": _plain_accounts(summary.partly),
        "completed": summary.completed,
        "refused": summary.refused,
        "credentials": summary.credentials,
        "kin": summary.kin,
        "outcomes": dict(sorted(summary.outcomes.items())),
        "accounts_file": None if summary.accounts_file is None else str(summary.accounts_file),
        "refused_file": None if summary.refused_file is None else str(summary.refused_file),
    }


def _plain_accounts(accounts: Iterable[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"line": line, "account": account} for line, account in accounts]


def _summary_lines(summary: PeopleSummary) -> list[str]:
    first = _(
        "rows: {rows}; accounts opened: {opened}; refused: {refused}; credentials: {credentials}; kin: {kin}"
    ).format(
        rows=summary.rows,
        opened=len(summary.opened),
        refused=summary.refused,
        credentials=summary.credentials,
        kin=summary.kin,
    )
    lines = [first]
    if summary.completed:
        text = _("rows completed, whose accounts were open already: {count}")
        lines.append(text.format(count=summary.completed))
    if summary.partly:
        text = _("refused rows whose account is open, but not all that belongs to it: {count}")
        lines.append(text.format(count=len(summary.partly)))
    lines += [_("line {line}: {account}").format(line=line, account=account) for line, account in summary.drawn]
    return lines
