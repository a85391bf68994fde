"""Commands about who may ask this node: ``huzhu user``, ``huzhu token`` and ``huzhu looks``.

They write ``access.db`` beside a service that runs: what is disabled or revoked here is refused there by the next
request. There is no user until one is added here, on the machine itself; and a password is never a word of a command.

A password that is made here counts as given: whoever sits at the machine knows it, and could act as that user. So its
owner chooses another at the first sign-in. Not on a practice ledger, where one password is everybody's.
"""

import datetime
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from chain.fields import format_time, is_origin
from ledger.roster import AUTHORITY
from ledger.state import State
from store.access import LOOKS_MAX, Access, AccessError, Look, Token, User
from web.access.limits import LABEL_MAX_CHARACTERS, LIMITS
from web.access.making import make_token
from web.access.passwords import Passwords, new_password
from web.access.who import (
    AUDITOR,
    CLERK,
    MEMBER,
    NAME_MAX_CHARACTERS,
    PERSON,
    READ,
    ROLES,
    SCOPES,
    SUPERVISOR,
    fold_name,
)
from web.command import (
    READS,
    Cell,
    Command,
    Decorator,
    Group,
    Number,
    argument,
    file_option,
    json_options,
    key_options,
    option,
    pass_session,
    signer_options,
)
from web.commands_dossiers import looker
from web.daysheet import parse_account
from web.dossiers import open_people, purpose_text
from web.export import STDOUT
from web.i18n import marked
from web.keyring import Keyring
from web.practice import is_practice
from web.problems import DeskError
from web.session import PASSPHRASE_MAX_BYTES, Session, is_terminal, now, say
from web.table import BadRowError
from web.text import USER_ROLES, coded, columns, named_role, printable

TOKEN_DAYS = 90
KEY_ROLES = {CLERK: CLERK, MEMBER: MEMBER, SUPERVISOR: AUTHORITY}
"""Whose key a user in a role may sign with."""
DOSSIER = "dossier"


def parse_name(text: str) -> str:
    """A user's name as it is kept."""
    folded = fold_name(text)
    if folded is None:
        raise BadRowError(
            _("{text} can be no user's name: 1 to {most} letters, digits, dots, hyphens or low lines").format(
                text=printable(text), most=NAME_MAX_CHARACTERS
            )
        )
    return folded


NAME = Cell("NAME", parse_name)
ACCOUNT = Cell("ACCOUNT", parse_account)


@click.group("user", cls=Group)
def user() -> None:
    """Who may sign in to this node's service."""


@click.group("token", cls=Group)
def token() -> None:
    """Tokens by which programs ask this node's service."""


def password_option() -> Decorator:
    """Where a new password comes from, if not from the terminal."""
    text = marked("File whose first line is the password; - is stdin (default: the terminal is asked).")
    return file_option("--password-file", help=text)


@user.command("add", example="huzhu user add wang --role clerk --password-file password.txt")
@argument("name", type=NAME)
@option("--role", type=click.Choice(ROLES), required=True, help=marked("What the user may see."))
@option("--ledger", help=marked("Origin of the ledger that a supervisor oversees, with all below it (default: own)."))
@option("--account", type=ACCOUNT, help=marked("A person's account on this ledger."))
@option(
    "--signs-with",
    metavar="KEY",
    help=marked("Id of the key kept here that they sign with: a clerk, member, supervisor."),
)
@password_option()
@option("--no-password", is_flag=True, help=marked("Programs only: the user has tokens, and cannot sign in."))
@pass_session
def add(
    session: Session,
    name: str,
    role: str,
    ledger: str | None,
    account: str | None,
    signs_with: str | None,
    password_file: Path | None,
    no_password: bool,
) -> None:
    """Add a user.

    A clerk and a member see this node's ledger, a supervisor also those below it, an auditor all, and a person only
    what stands of their own account. The password is for the first time only: whoever signs in with it has to choose
    their own before anything else; a person is only asked to.
    """
    if no_password and password_file is not None:
        raise click.UsageError(_("give --password-file or --no-password, not both"))
    ledger = _ledger_of(session, role, ledger)
    _check_account(session, role, account)
    key = _check_key(session, role, signs_with)
    with opened(session) as access:
        if access.user(name) is not None:
            raise AccessError(_("there is a user {name} already: choose another name").format(name=name))
        hashed = "" if no_password else _new_hash(name, password_file)
        access.add_user(
            name,
            role,
            ledger=ledger,
            account=account or "",
            key=key,
            password=hashed,
            is_given=bool(hashed) and _is_given(session),
            now=_seconds(),
        )
    click.echo(_("user {name} is added: {role}").format(name=name, role=coded(USER_ROLES, role)))


@user.command("list", example="huzhu user list", takes=READS)
@pass_session
def list_users(session: Session) -> None:
    """List the users."""
    with opened(session) as access:
        found = access.users()
    rows = [[_("name"), _("role"), _("ledger"), _("account"), ""], *map(_user_row, found)]
    session.print([_plain_user(each) for each in found], columns(rows))


@user.command("password", example="huzhu user password wang --password-file password.txt")
@argument("name", type=NAME)
@password_option()
@pass_session
def change_password(session: Session, name: str, password_file: Path | None) -> None:
    """Give a user another password.

    All sessions of the user end. Tokens go on: `huzhu token list` shows them. Whoever signs in with it has to choose
    their own before anything else; a person is only asked to.
    """
    with opened(session) as access:
        _known(access, name)
        access.set_password(name, _new_hash(name, password_file), is_given=_is_given(session))
        count = len(access.tokens(name))
    click.echo(_("user {name} has another password, and is signed out everywhere").format(name=name))
    if count:
        say(
            _("tokens of {name} that still count: {count}; `huzhu token revoke` ends one").format(
                name=name, count=count
            )
        )


@user.command("disable", example="huzhu user disable wang")
@argument("name", type=NAME)
@pass_session
def disable(session: Session, name: str) -> None:
    """Let a user do nothing for now.

    Sessions end, and tokens do not count until `huzhu user enable`.
    """
    with opened(session) as access:
        access.set_disabled(name, True)
    click.echo(_("user {name} is disabled").format(name=name))


@user.command("enable", example="huzhu user enable wang")
@argument("name", type=NAME)
@pass_session
def enable(session: Session, name: str) -> None:
    """Let a disabled user in again."""
    with opened(session) as access:
        access.set_disabled(name, False)
    click.echo(_("user {name} is enabled").format(name=name))


@user.command("remove", example="huzhu user remove wang --yes")
@argument("name", type=NAME)
@option("--yes", is_flag=True, help=marked("Do not ask again."))
@pass_session
def remove(session: Session, name: str, yes: bool) -> None:
    """Remove a user, with sessions and tokens.

    The user's looks stay recorded, and as long as they do nobody else can have the name.
    """
    with opened(session) as access:
        _known(access, name)
        if not yes and not is_terminal():
            raise DeskError(_("a removal cannot be undone: say --yes"))
        if not yes:
            click.confirm(_("Remove user {name} for ever?").format(name=name), abort=True, err=True)
        access.remove_user(name)
    click.echo(_("user {name} is removed").format(name=name))


@token.command("new", example="huzhu token new wang --scope read --days 90", takes=READS)
@argument("name", type=NAME)
@option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help=marked("What it may do; can be repeated."))
@option("--days", type=Number(1, LIMITS.token_days_max), default=TOKEN_DAYS, help=marked("Days until it expires."))
@option("--label", default="", help=marked("What it is for."))
@pass_session
def new_token(session: Session, name: str, scopes: tuple[str, ...], days: int, label: str) -> None:
    """Make a token for a user.

    It is shown this once, and kept nowhere. Without --scope it may only read.
    """
    if len(label) > LABEL_MAX_CHARACTERS or not label.isprintable():
        raise DeskError(_("a label is one plain line of at most {most} characters").format(most=LABEL_MAX_CHARACTERS))
    with opened(session) as access:
        made = make_token(
            access, _known(access, name), label=label, scopes=scopes or (READ,), days=days, now=_seconds()
        )
    session.print(_plain_token(made.token) | {"token": made.secret}, [made.secret])
    if not session.settings.as_json:
        text = _("token {number} of {name}, until {time}; it is shown this once")
        say(text.format(number=made.token.id, name=name, time=_time(made.token.expires_seconds)))


@token.command("list", example="huzhu token list", takes=READS)
@option("--of", "name", type=NAME, help=marked("Only this user's."))
@pass_session
def list_tokens(session: Session, name: str | None) -> None:
    """List the tokens.

    Not what opens anything: a token is shown only when it is made.
    """
    with opened(session) as access:
        if name is not None:
            _known(access, name)
        found = access.tokens(name)
    rows = [[_("token"), _("user"), _("scopes"), _("until"), _("label")]]
    rows += [[str(each.id), each.user, *_plain_cells(each)] for each in found]
    session.print([_plain_token(each) for each in found], columns(rows, right=(0,)))


@token.command("revoke", example="huzhu token revoke 1")
@argument("number", type=Number(1))
@pass_session
def revoke(session: Session, number: int) -> None:
    """End a token.

    The service refuses the next request that comes with it.
    """
    with opened(session) as access:
        if not access.revoke_token(number):
            raise DeskError(_("there is no token {number}: see `huzhu token list`").format(number=number))
    click.echo(_("token {number} is revoked").format(number=number))


@click.command("looks", cls=Command, example="huzhu looks", takes=(json_options, signer_options, key_options))
@option("--of", "account", type=ACCOUNT, help=marked("Only looks at this account."))
@option("--by", "looked", metavar="USER", help=marked("Only looks by this user, or by the key of this id."))
@pass_session
def looks(session: Session, account: str | None, looked: str | None) -> None:
    """List who looked at what is personal.

    At the service by a user's name, at this desk by the id of a key. Shown to a clerk or a member, by a key of this
    home.
    """
    by_name = looked and (fold_name(looked) or looked)
    with opened(session) as access:
        found = [_plain_look(each) for each in access.looks(account, by_name)]
    found += _desk_looks(session, account, looked)
    found.sort(key=lambda each: each["time"])
    rows = [[_("time"), _("looked"), _("what"), _("account"), _("ledger"), _("times"), _("reason")]]
    rows += [
        [each["time"], each["by"], each["what"], each["account"], each["ledger"], str(each["times"]), each["reason"]]
        for each in found
    ]
    session.print(found, columns([list(map(printable, row)) for row in rows], right=(5,)))
    if len(found) >= LOOKS_MAX:
        say(_("only the newest {most} are shown; ask for one account or user").format(most=LOOKS_MAX))


def _desk_looks(session: Session, account: str | None, looked: str | None) -> list[dict[str, Any]]:
    """Looks at dossiers by the command line, from ``people.db``."""
    with session.writing() as (node, keyring):
        looker(session, keyring)
        with open_people(node) as people:
            accounts = sorted(node.state.accounts) if account is None else [account]
            found = ((each, look) for each in accounts for look in people.looks(each))
            return [
                {
                    "time": look.time,
                    "by": look.key,
                    "what": f"{DOSSIER}: {look.fields}",
                    "account": each,
                    "ledger": node.origin,
                    "times": 1,
                    "reason": purpose_text(look.purpose),
                }
                for each, look in found
                if looked in (None, look.key)
            ]


@contextmanager
def opened(session: Session) -> Iterator[Access]:
    """The home's list of users."""
    session.home.origin()
    with closing(Access(session.home.access)) as access:
        yield access


def _known(access: Access, name: str) -> User:
    found = access.user(name)
    if found is None:
        raise AccessError(_("there is no user {name}: see `huzhu user list`").format(name=name))
    return found


def _ledger_of(session: Session, role: str, ledger: str | None) -> str:
    """Which ledger a user belongs to, or oversees."""
    if ledger is not None and role != SUPERVISOR:
        raise click.UsageError(_("--ledger is for a supervisor only"))
    if ledger is not None and not is_origin(ledger):
        raise DeskError(_("{ledger} is no ledger's name, such as liuduhe.example/huzhu").format(ledger=ledger))
    own = session.home.origin()
    if ledger is not None and ledger != own:
        with session.reading() as node:
            _check_below(session, node.state, ledger)
    return "" if role == AUDITOR else ledger or own


def _check_below(session: Session, state: State, ledger: str) -> None:
    """Raise DeskError where a supervisor's ledger is none that this node has."""
    from web.knowing import known_below, near

    known = known_below(session.home, state)
    if ledger not in known:
        text = _("neither this ledger nor one below it is called {ledger}: see `huzhu org list`, `huzhu mirror list`")
        raise DeskError("; ".join(filter(None, [text.format(ledger=ledger), near(ledger, known)])))


def _check_account(session: Session, role: str, account: str | None) -> None:
    """Raise where a person comes without an account, or another with one."""
    if (role == PERSON) != (account is not None):
        raise click.UsageError(_("--account is for a person, and a person needs it"))
    if account is not None:
        with session.reading() as node:
            session.known(node.balance(account), account)


def _new_hash(name: str, path: Path | None) -> str:
    """The hash of a new password, from a file, stdin or the terminal."""
    if path is not None:
        typed = _first_line(path)
    elif is_terminal():
        question = _("New password of {name}").format(name=name)
        typed = click.prompt(question, hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise DeskError(_("there is no terminal to ask for the password: give --password-file, - for stdin"))
    return Passwords().hash(new_password(name, typed))


def _is_given(session: Session) -> bool:
    """Whether a password that is made here is one that its owner is to change."""
    return not is_practice(session.home.origin())


def _first_line(path: Path) -> str:
    if str(path) == STDOUT:
        raw = sys.stdin.buffer.readline(PASSPHRASE_MAX_BYTES)
    else:
        with path.open("rb") as file:
            raw = file.readline(PASSPHRASE_MAX_BYTES)
    try:
        return raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DeskError(_("the password in {path} is not UTF-8 text").format(path=path)) from None


def _seconds() -> int:
    return int(now().timestamp())


def _time(seconds: int) -> str:
    return format_time(datetime.datetime.fromtimestamp(seconds, datetime.UTC))


def _check_key(session: Session, role: str, key: str | None) -> str:
    """The id of a key of that role that is kept in the home; "" where none is named."""
    if key is None:
        return ""
    wanted = KEY_ROLES.get(role)
    kept = {key_id for kept_role, key_id, _path in Keyring.files(session.home) if kept_role == wanted}
    if wanted is None or key not in kept:
        text = _(
            "{key} is no key of a {role} that is kept in {folder}: `huzhu key list` shows which are kept here, "
            "and `huzhu key import FILE` brings one here"
        )
        of_role = coded(USER_ROLES, role) if wanted in (None, role) else named_role(wanted)
        raise DeskError(text.format(key=printable(key[:32]), role=of_role, folder=session.home.keys))
    return key


def _user_row(each: User) -> list[str]:
    return [each.name, coded(USER_ROLES, each.role), each.ledger, each.account, _state(each)]


def _state(each: User) -> str:
    """What is particular about a user's sign-in."""
    if each.is_disabled:
        return _("disabled")
    if not each.password:
        return _("tokens only")
    return _("given password") if each.is_given else ""


def _plain_user(each: User) -> dict[str, Any]:
    return {
        "name": each.name,
        "role": each.role,
        "ledger": each.ledger,
        "account": each.account,
        "disabled": each.is_disabled,
        "password": bool(each.password),
        "given": each.is_given,
        "created_at": _time(each.created_seconds),
    }


def _plain_cells(each: Token) -> list[str]:
    return [" ".join(each.scopes), _time(each.expires_seconds), printable(each.label)]


def _plain_token(each: Token) -> dict[str, Any]:
    return {
        "id": each.id,
        "user": each.user,
        "label": each.label,
        "scopes": list(each.scopes),
        "created_at": _time(each.created_seconds),
        "expires_at": _time(each.expires_seconds),
    }


def _plain_look(each: Look) -> dict[str, Any]:
    return {
        "time": _time(each.at_seconds),
        "by": each.user,
        "what": each.what,
        "account": each.account,
        "ledger": each.ledger,
        "times": each.times,
        "reason": "",
    }
