"""What two nodes under one key leave behind: made with the desk's own key, as a thief would."""

from chain.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain.fork import Fork, format_fork
from chain.note import format_note
from node import Node
from store.home import NODE_KEY, Home
from tests.web.desk import Desk


def newest(desk: Desk) -> bytes:
    """The ledger's newest checkpoint."""
    with Node.open(desk.home, writes=False) as node:
        return node.checkpoint()


def forged(desk: Desk, size_added: int = 0) -> bytes:
    """A checkpoint by the ledger's own key over entries that it does not have."""
    true, _signed = open_checkpoint(newest(desk))
    home = Home(desk.home)
    key = home.signing_key(home.keys / NODE_KEY, None)
    return format_note(sign_checkpoint(Checkpoint(true.origin, true.size + size_added, bytes(32)), key))


def fork_file(desk: Desk) -> bytes:
    """Evidence that proves a fork."""
    return format_fork(Fork(newest(desk), forged(desk)))
