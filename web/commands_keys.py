"""``huzhu key import``: a key that was made elsewhere comes to lie in the home, to sign on the pages with."""

from gettext import gettext as _
from pathlib import Path

import click

from ledger.roster import NODE
from store.home import NODE_KEY
from web.command import Command, file_argument, json_options, key_options, pass_session
from web.keyring import Keyring
from web.problems import DeskError
from web.session import Session, now
from web.text import named_role


@click.command(
    "import", cls=Command, example="huzhu key import official-1.pem", takes=(json_options, key_options)
)
@file_argument("file")
@pass_session
def key_import(session: Session, file: Path) -> None:
    """Copy a key into the home, so that its owner signs on the node's pages.

    The ledger must know the key already. It is written under the home's passphrase; where the file has another one,
    the terminal is asked. The file stays as it is. Whoever opens this home can sign with what is kept in it: a key that
    is to stay on its stick signs with --key-file instead.
    """
    home, passphrase = session.home, session.passphrase()
    home.signing_key(home.keys / NODE_KEY, passphrase)
    brought = session.brought_key(file, passphrase)
    with session.reading() as node:
        known, time = node.state.roster.keys.get(brought.id), node.state.log_time(now())
    if known is None:
        text = _("{path} holds the key {key}, which is not on this ledger: it is granted first, with `huzhu key grant`")
        raise DeskError(text.format(path=file, key=brought.id))
    if known.role == NODE:
        raise DeskError(_("{path} holds a key of the node itself, and no person's").format(path=file))
    if not known.counts_at(time):
        text = _("{path} holds the key {key}, which counts no more: it signs nothing here")
        raise DeskError(text.format(path=file, key=brought.id))
    if any(brought.id == key_id for _role, key_id, _path in Keyring.files(home)):
        raise DeskError(_("the key {key} is kept in {folder} already").format(key=brought.id, folder=home.keys))
    home.add_key(known.role, brought, passphrase)
    line = _("{key}  {role}, kept here from now on").format(key=brought.id, role=named_role(known.role))
    session.print({"key": brought.id, "role": known.role}, [line])
