"""Commands about what is personal: ``huzhu person show``, ``looks``, ``find``, ``export`` and ``erase`` (RULES §9).

A dossier is shown to a clerk or a member: to who opens such a key of this home that counts now. Who was shown what is
on disk before it is on the screen.
"""

import unicodedata
from contextlib import suppress
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from care.dossier import Dossier, plain_dossier
from care.people import NOTE_MAX_BYTES, People
from care.requestbook import REQUESTS_FILE, erase_from
from chain.fields import format_time
from store.wishes import WISHES_FILE, Wishes
from web.command import (
    WRITES_OF_TWO,
    Cell,
    Command,
    argument,
    file_option,
    json_options,
    key_options,
    option,
    pass_session,
    signer_options,
)
from web.commands_people import plain_account, session_account
from web.daysheet import parse_account
from web.desk import DeskNode
from web.dossiers import (
    dossier_lines,
    kept_dossier,
    last_hashes,
    matches,
    named_fields,
    old_copy,
    open_people,
    plain_person,
    write_private,
)
from web.export import in_folder
from web.i18n import marked
from web.keyring import Keyring
from web.problems import DeskError
from web.session import Session, is_terminal, now, say
from web.telling import account_lines
from web.text import columns, plain_balance, printable

ACCOUNT = Cell("ACCOUNT", parse_account)
LOOKS = (json_options, signer_options, key_options)
FOUND_MAX = 50
FIND_MAX_CHARACTERS = 100
STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that no reason has: control, direction, halves of characters, ends of lines."""
REASON = marked("Why you look; it is kept with the record of the look.")


@click.command("show", cls=Command, example="huzhu person show 12345676", takes=LOOKS)
@argument("account", type=ACCOUNT)
@option("--ledger", is_flag=True, help=marked("Only what the ledger knows; needs no key, and is no look."))
@option("--reason", default="", help=REASON)
@pass_session
def show(session: Session, account: str, ledger: bool, reason: str) -> None:
    """Show a person: what the ledger knows, and the dossier.

    The dossier is shown to a clerk or a member, by a key of this home, and each look is recorded.
    """
    check_reason(reason)
    if ledger:
        with session.reading() as node:
            plain, lines = _of_ledger(session, node, account)
    else:
        with session.writing() as (node, keyring):
            plain, lines = _of_ledger(session, node, account)
            who = looker(session, keyring)
            with open_people(node) as people:
                more, below = _of_people(node, people, account, who, reason)
        plain, lines = plain | more, [*lines, *below]
    session.print(plain, lines)


@click.command("looks", cls=Command, example="huzhu person looks 12345676", takes=LOOKS)
@argument("account", type=ACCOUNT)
@pass_session
def looks(session: Session, account: str) -> None:
    """List who looked at a person's dossier, and when it was erased."""
    with session.writing() as (node, keyring):
        session_account(node, account)
        looker(session, keyring)
        with open_people(node) as people:
            found, erased = people.looks(account), people.erasures(account)
    rows = [[_("time"), _("key"), _("fields"), _("reason")], *(list(map(printable, look)) for look in found)]
    lines = columns(rows)
    lines += [_("erased at {time} by {keys}").format(time=each.time, keys=each.keys) for each in erased]
    session.print(
        {
            "account": account,
            "looks": [look._asdict() for look in found],
            "erasures": [each._asdict() for each in erased],
        },
        lines,
    )


@click.command("find", cls=Command, example="huzhu person find 秀英", takes=LOOKS)
@argument("text", required=False)
@option("--reason", default="", help=REASON)
@pass_session
def find(session: Session, text: str | None, reason: str) -> None:
    """Find accounts by a part of the name or the last digits of the phone number.

    At least four digits stand for a phone number. Without TEXT it is asked for, so that it stands on no command line.
    Whoever is found has been looked at.
    """
    wanted = (text or click.prompt(_("Name or last digits"), err=True)).strip()
    if not 0 < len(wanted) <= FIND_MAX_CHARACTERS:
        raise DeskError(_("give 1 to {most} characters to look for").format(most=FIND_MAX_CHARACTERS))
    check_reason(reason)
    with session.writing() as (node, keyring):
        who = looker(session, keyring)
        with open_people(node) as people:
            found = matches(people.dossiers(), wanted, FOUND_MAX)
            is_cut = len(found) > FOUND_MAX
            del found[FOUND_MAX:]
            accounts = [locked.account for locked, _dossier in found]
            people.note_looks(accounts, now(), who, "name,phone", reason)
            hashes = last_hashes(node, accounts)
    session.print(
        [{"account": locked.account, "name": dossier.name, "phone": dossier.phone} for locked, dossier in found],
        [_found_line(locked.account, dossier) for locked, dossier in found],
    )
    old = [locked.account for locked, _dossier in found if hashes.get(locked.account) != locked.hash]
    if old:
        say(old_copy(old))
    if is_cut:
        say(_("there are more than {most}: give more of the name").format(most=FOUND_MAX))


@click.command("export", cls=Command, example="huzhu person export 12345676 -o 12345676.json", takes=LOOKS)
@argument("account", type=ACCOUNT)
@file_option("-o", "--output", required=True, help=marked("Where to write it; only you can read it."))
@option("--reason", default="", help=REASON)
@pass_session
def export(session: Session, account: str, output: Path, reason: str) -> None:
    """Write down everything that is held on a person.

    The dossier, who looked at it, and all that stands of the account on the ledger, as JSON: for the person, who may
    ask for it. It counts as a look.
    """
    in_folder(output)
    check_reason(reason)
    with session.writing() as (node, keyring):
        plain, _lines = _of_ledger(session, node, account)
        who = looker(session, keyring)
        with open_people(node) as people:
            _note_look(node, people, account, who, reason)
            plain |= plain_person(node, people, account)
    write_private(output, plain | {"exported_at": format_time(now())})
    session.print({"account": account, "file": str(output)}, [_("written to {path}").format(path=output)])


@click.command("erase", cls=Command, example="huzhu person erase 12345676 --yes", takes=WRITES_OF_TWO)
@argument("account", type=ACCOUNT)
@option("--yes", is_flag=True, help=marked("Do not ask again."))
@pass_session
def erase(session: Session, account: str, yes: bool) -> None:
    """Erase a person's dossier for ever.

    Two members do it together. The key and the salt are destroyed: nobody can read the dossier any more, or prove
    what stood in it. The ledger stays as it is; the account can be closed with `huzhu person close`.
    """
    with session.writing() as (node, keyring):
        session_account(node, account)
        pair = keyring.together()
        if not yes:
            _confirm(account)
        with open_people(node) as people:
            erase_from(session.home.folder / REQUESTS_FILE, keyring.people_secret(), account)
            Wishes(session.home.folder / WISHES_FILE).erase(account)
            is_erased = people.erase(account, now(), [pair.author.id, *(key.id for key in pair.beside)])
            erasures = people.erasures(account)
            if not erasures or not (is_erased or people.has_cleaned):
                raise DeskError(_no_dossier(people, account))
    session.print(
        {"account": account, "erased_at": erasures[-1].time},
        [_("the dossier of account {number} is erased: its key and its salt are destroyed").format(number=account)],
    )
    say(
        _(
            "Outside the node delete yourself: the files that were imported and what stands beside them, exports of "
            "this person, and older backups of people.db with its key."
        )
    )


def looker(session: Session, keyring: Keyring) -> str:
    """The id of the key by which somebody may look: the named one's, or a clerk's, or a member's; or DeskError."""
    settings = session.settings
    if settings.clerk:
        return keyring.clerk().id
    if not settings.members:
        with suppress(DeskError):
            return keyring.clerk().id
    try:
        return keyring.members(1)[0].id
    except DeskError as error:
        text = _(
            "a dossier is shown to a clerk or a member only, and no such key that counts now is kept in {folder}; "
            "what the ledger knows is shown by `huzhu person show --ledger`"
        )
        raise DeskError(text.format(folder=session.home.keys)) from error


def _of_ledger(session: Session, node: DeskNode, account: str) -> tuple[dict[str, Any], list[str]]:
    """What everybody may know, as JSON and in lines."""
    found = session_account(node, account)
    balance = session.known(node.balance(account), account)
    return plain_balance(balance) | plain_account(found), account_lines(balance, found)


def check_reason(reason: str) -> None:
    """Raise DeskError where a reason is too long, or has in it what may steer a terminal."""
    if len(reason.encode()) > NOTE_MAX_BYTES:
        raise DeskError(_("the reason is too long: at most {most} bytes").format(most=NOTE_MAX_BYTES))
    if not STEERING.isdisjoint(map(unicodedata.category, reason)):
        raise DeskError(_("the reason has control characters or line breaks in it: write it on one plain line"))


def _of_people(node: DeskNode, people: People, account: str, who: str, reason: str) -> tuple[dict[str, Any], list[str]]:
    """The dossier, as JSON and in lines; the look is recorded when this returns."""
    dossier = _note_look(node, people, account, who, reason)
    erasures = people.erasures(account)
    plain = {
        "dossier": None if dossier is None else plain_dossier(dossier),
        "erased_at": erasures[-1].time if erasures else None,
    }
    return plain, [_no_dossier(people, account)] if dossier is None else dossier_lines(dossier)


def _note_look(node: DeskNode, people: People, account: str, who: str, reason: str) -> Dossier | None:
    """A person's dossier, where one is kept, with the look on disk."""
    found = kept_dossier(node, people, account)
    if found is None:
        return None
    people.note_looks([account], now(), who, named_fields(found[1]), reason)
    return found[1]


def _no_dossier(people: People, account: str) -> str:
    erasures = people.erasures(account)
    if erasures:
        text = _("the dossier of account {number} was erased at {time}")
        return text.format(number=account, time=erasures[-1].time)
    return _("no dossier of account {number} is kept here").format(number=account)


def _found_line(account: str, dossier: Dossier) -> str:
    return f"{account}  {printable(f'{dossier.name}  {dossier.phone}')}".rstrip()


def _confirm(account: str) -> None:
    """Ask the person at the terminal; where nobody can be asked, ask for --yes."""
    if not is_terminal():
        raise DeskError(_("an erasure cannot be undone: say --yes"))
    question = _("Erase the dossier of account {number} for ever?").format(number=account)
    click.confirm(question, abort=True, err=True)
