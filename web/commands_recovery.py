"""What opens the keys, and a ledger to practise on.

`huzhu recovery new` makes recovery sheets, `huzhu recover` opens the keys by two of them, and `huzhu passphrase`
changes what opens them otherwise. `huzhu practice` makes a ledger that does not count.
"""

import sys
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from web.command import Command, Group, file_option, json_options, key_options, option, pass_session
from web.i18n import marked

if TYPE_CHECKING:
    from web.recovery import Sheet
    from web.session import Session

CREATE = "huzhu.create"
"""Where ``cli`` leaves ``create_home``."""
STDIN = "-"


@click.command(
    cls=Command,
    example="huzhu recover --sheet one.txt --sheet two.txt --passphrase-file new.txt",
    takes=(json_options, key_options),
)
@file_option(
    "--sheet",
    "files",
    multiple=True,
    help=marked("File with the words of a recovery sheet; - is stdin (default: the terminal asks for two)."),
)
@pass_session
def recover(session: "Session", files: tuple[Path, ...]) -> None:
    """Open the keys by two recovery sheets.

    For when the passphrase is forgotten, or a backup was put back whose passphrase nobody knows. Any two of the three
    sheets give all keys of this home a new passphrase; the sheets stay good. Stop the service first.
    """
    from web.problems import DeskError
    from web.recovery import NEEDED, read_box, read_sheet, secret_of
    from web.recovery import recover as recover_keys
    from web.session import is_terminal

    home = session.home
    home.origin()
    read_box(home)
    if not files and not is_terminal():
        raise DeskError(_("give two sheets: --sheet FILE, twice"))
    texts = [_read(path) for path in files] or None
    places = range(1, (len(texts) if texts is not None else NEEDED) + 1)
    sheets = [_asked(place) if texts is None else read_sheet(texts[place - 1], place) for place in places]
    secret_of(sheets)
    passphrase = session.new_passphrase()
    if passphrase is None:
        raise DeskError(_("give the new passphrase: on the terminal, by --passphrase-file or HUZHU_PASSPHRASE"))
    with home.lock():
        count = recover_keys(home, sheets, passphrase)
    session.print(
        {"keys": count, "set": sheets[0].set_number},
        [_("keys that open with the new passphrase now: {count}").format(count=count)],
    )


@click.group("recovery", cls=Group)
def recovery() -> None:
    """Sheets of paper that open the keys."""


@recovery.command("new", example="huzhu recovery new --sheets sheets", takes=(json_options, key_options))
@file_option(
    "--sheets",
    "folder",
    required=True,
    help=marked("Folder for the three pages to print, one file for each sheet; it is made where it is missing."),
)
@pass_session
def recovery_new(session: "Session", folder: Path) -> None:
    """Make three recovery sheets, in the place of those there are.

    Any two of them, with this home or a backup of it, open the keys when the passphrase is forgotten: `huzhu recover`.
    Sheets that were made before open this home no more. The keys must have a passphrase.
    """
    from web.export import in_folder
    from web.pages.sheet_paper import write_papers
    from web.recovery import Recovery, box_path, renew_sheets
    from web.session import say

    home, files = session.home, list[Path]()
    settings = home.node_settings()
    in_folder(folder)
    passphrase = session.passphrase()

    def keep(made: Recovery) -> None:
        files.extend(write_papers(folder, made.sheets, settings.origin, settings.name))

    with home.lock():
        had_older = box_path(home).exists()
        made = renew_sheets(home, passphrase, keep)
    number = made.sheets[0].set_number
    plain = {"set": number, "files": list(map(str, files)), "replaced": had_older}
    session.print(plain, [_("recovery sheets of set {number}:").format(number=number), *map(str, files)])
    if had_older:
        text = _(
            "The sheets that were made before open this home no more: burn them. They still open backups from before,"
            " so make a new backup of {folder} and destroy those."
        )
        say(text.format(folder=home.keys))
    say(
        _(
            "Print each file, give each sheet to another person, then delete the files, with `shred -u`: whoever has"
            " two of them and a backup has the keys."
        )
    )


@click.command(
    cls=Command,
    example="huzhu passphrase --passphrase-file old.txt --new-passphrase-file new.txt",
    takes=(json_options, key_options),
)
@file_option(
    "--new-passphrase-file",
    "new_file",
    help=marked("File whose first line is the new passphrase (default: the terminal is asked)."),
)
@pass_session
def passphrase(session: "Session", new_file: Path | None) -> None:
    """Change the passphrase of the keys.

    All keys of this home open with the new one from then on. Recovery sheets stay good. Keys that have no passphrase
    get one. Who has forgotten it takes two sheets: `huzhu recover`. Stop the service first.
    """
    from web.problems import DeskError
    from web.recovery import change_passphrase
    from web.session import is_terminal, passphrase_in, say

    home = session.home
    home.origin()
    if new_file is None and not is_terminal():
        raise DeskError(_("give the new passphrase: on the terminal or by --new-passphrase-file"))
    old = session.passphrase()
    new = _asked_twice() if new_file is None else passphrase_in(new_file)
    if new == old:
        raise DeskError(_("this is the passphrase until now: choose another"))
    with home.lock():
        count = change_passphrase(home, old, new)
    session.print({"keys": count}, [_("keys that open with the new passphrase now: {count}").format(count=count)])
    say(
        _(
            "Where the service reads the passphrase from a file, write the new one there. Backups from before open with"
            " the one until now: make a new backup of {folder}."
        ).format(folder=home.keys)
    )


def _asked_twice() -> bytes:
    text = _("New passphrase for the keys")
    asked: str = click.prompt(text, hide_input=True, confirmation_prompt=True, err=True)
    return asked.encode(errors="surrogateescape")


def _read(path: Path) -> str:
    from web.recovery import TYPED_MAX_CHARACTERS

    if str(path) == STDIN:
        return sys.stdin.readline(TYPED_MAX_CHARACTERS + 1)
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(TYPED_MAX_CHARACTERS + 1)


def _asked(place: int) -> "Sheet":
    """A sheet as somebody types it; asked for again until it is one."""
    from web.recovery import WORDS, SheetError, read_sheet
    from web.session import say

    while True:
        text = _("The {count} words of sheet {place}").format(count=WORDS, place=place)
        try:
            return read_sheet(click.prompt(text, err=True), place)
        except SheetError as error:
            say(str(error))


@click.command(cls=Command, example="huzhu practice --home practice", takes=(json_options,))
@option("--again", is_flag=True, help=marked("Remove the practice ledger that is there, and begin it afresh."))
@pass_session
def practice(session: "Session", again: bool) -> None:
    """Make a ledger to practise on.

    Forty people who do not exist, four weeks of services, and users whose password is printed. Its name begins with
    `practice.`: every page says so, and no tier admits it. `huzhu serve` with the same --home serves it.
    """
    from store.home import is_vacant
    from web.practice import ORIGIN, drop_practice, make_practice, password_of

    home = session.home
    if again and not is_vacant(home.folder):
        drop_practice(home)
    create = cast(Any, click.get_current_context().find_root().meta[CREATE])
    make_practice(home.folder, create)
    names, password = user_names(home.access), password_of(home)
    session.print(
        {"origin": ORIGIN, "home": str(home.folder), "users": names, "password": password},
        [
            _("the practice ledger is in {folder}; `huzhu serve --home {folder}` serves it").format(folder=home.folder),
            _("users: {names}; password of each: {password}").format(names=", ".join(names), password=password),
        ],
    )


def user_names(path: Path) -> list[str]:
    """Who may sign in."""
    from contextlib import closing

    from store.access import Access

    with closing(Access(path)) as access:
        return [user.name for user in access.users()]
