"""Which other ledgers there are, as far as this node can tell: so that a name that was mistyped is found in time.

    known = known_below(home, state)              # our own, those that it admits, and all that is mirrored here
    known = known_here(home, state)               # those, and whoever our ledger names: parent, trusted, senders
    check_known(origin, home, state, archive)     # asks above too; raises DeskError where nobody knows it

Nothing here is a proof: a node above that lies can only let a wrong name pass.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from difflib import get_close_matches
from gettext import gettext as _
from pathlib import Path

from chain.checkpoint import CHECKPOINT_MAX_BYTES
from chain.limits import ADMISSIONS_MAX
from chain.note import parse_vkey
from chain.receipt import ENTRY_RECEIPT_MAX_BYTES
from ledger.state import State
from store.archive import open_archive
from store.home import Home
from store.mirror import MirrorStore
from sync.fetch import FetchError, Site
from sync.library import ArchiveLibrary
from web.problems import DeskError

NEAR_SHOWN_MAX = 3
ADMISSIONS_MAX_BYTES = ADMISSIONS_MAX * (ENTRY_RECEIPT_MAX_BYTES * 4 // 3 + 8)


def known_below(home: Home, state: State) -> set[str]:
    """Our own ledger, those that it admits, and those that are mirrored here."""
    found = {state.origin, *state.admitted}
    if home.mirror.exists():
        with closing(MirrorStore(home.mirror)) as store:
            found |= {row.origin for row in store.rows()}
    return found


def known_here(home: Home, state: State) -> set[str]:
    """Those, and the ones that our ledger names: its parent, those it trusts, and those from which hours came."""
    named = {parse_vkey(vkey).name for vkey in state.parameters.trusted_logs}
    parent = set() if state.parent is None else {state.parent}
    return known_below(home, state) | named | parent | set(state.used_proofs)


def near(origin: str, known: Iterable[str]) -> str:
    """A sentence with the names that are like it; empty where none is."""
    found = get_close_matches(origin, sorted(known), NEAR_SHOWN_MAX)
    return _("is it {names}?").format(names=" / ".join(found)) if found else ""


def check_known(origin: str, home: Home, state: State, archive: Path | None) -> None:
    """Raise DeskError where neither we, nor the archive, nor a node above knows a ledger of that name."""
    known = known_here(home, state)
    if origin in known:
        return
    if archive is not None and _is_in(archive, origin, known):
        return
    failures: list[str] = []
    if archive is None and _is_known_above(home.node_settings().parents, origin, failures):
        return
    text = _(
        "nobody who could be asked knows a ledger {origin}: hours sent there can neither arrive nor be called back"
        " until there is one of that name. Compare the name with the other committee's paper; --from-archive looks"
        " into what the tier above gave you, and --anyway sends them all the same"
    )
    raise DeskError("; ".join(filter(None, [text.format(origin=origin), near(origin, known), *failures])))


def _is_in(archive: Path, origin: str, known: set[str]) -> bool:
    """Whether an archive has that ledger, or one that admits it; ``known`` grows by those that it has."""
    with open_archive(archive) as ledgers:
        known |= {ledger.origin for ledger in ledgers}
        return origin in known or bool(ArchiveLibrary(str(archive), ledgers).admissions(origin))


def _is_known_above(parents: Sequence[str], origin: str, failures: list[str]) -> bool:
    """Whether one of the nodes above has that ledger, or one that admits it; ``failures``: whom nobody could ask."""
    with ExitStack() as stack:
        for url in parents:
            try:
                if _knows(stack.enter_context(closing(Site(url))), origin):
                    return True
            except FetchError as error:
                failures.append(str(error))
    return False


def _knows(site: Site, origin: str) -> bool:
    for path, most in (
        (f"log/{origin}/checkpoint", CHECKPOINT_MAX_BYTES),
        (f"api/v1/admissions/{origin}", ADMISSIONS_MAX_BYTES),
    ):
        try:
            site.get(path, most)
        except FileNotFoundError:
            continue
        return True
    return False
