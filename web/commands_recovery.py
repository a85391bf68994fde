"""`huzhu recover`: two sheets open the keys; and `huzhu practice`: a ledger that does not count."""

import sys
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from web.command import Command, file_option, json_options, key_options, option, pass_session
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
