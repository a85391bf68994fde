"""The witness of a home, put together: its name and keys, whom it serves, and where it remembers.

It serves the ledgers that the home's own log admits, by the keys with which it admits them, and those of the ``log``
lines of its trust file. The home's own ledger is not among them: nobody is helped by a node that witnesses itself.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from gettext import gettext as _
from pathlib import Path

from chain.encoding import shown
from chain.errors import NoteError
from chain.keys import MLDSA_SEED_BYTES, SEED_BYTES, MldsaSigningKey, SigningKey
from chain.note import VerifierKey, parse_vkey
from chain.policy import POLICY_MAX_BYTES, Policy, parse_policy
from ledger.state import Admission
from store.home import NODE_KEY, Home
from store.keyfiles import write_key
from store.log import StoreError
from store.settings import WITNESS_NAME, WITNESS_NAME_MAX_CHARACTERS, is_address
from store.witness import (
    WITNESS_ID,
    WITNESS_KEY,
    WITNESS_MLDSA_KEY,
    EvidenceFolder,
    WitnessStore,
    make_memory,
    name_witness,
    open_memory,
    read_witness_keys,
)
from sync.witness import OnFork, Witness, WitnessKeys, tell_nobody
from web.problems import DeskError

Admitted = Callable[[], Mapping[str, Admission]]
"""Whom the home's log admits now: ``state.admitted``."""


def witness_keys(home: Home, passphrase: bytes | None) -> WitnessKeys | None:
    """Name and keys of the home's witness; None where ``node.toml`` names none. Raises StoreError."""
    name = home.node_settings().witness_name
    return None if name is None else WitnessKeys(name, *read_witness_keys(home, passphrase))


def make_keys(home: Home, name: str, passphrase: bytes | None) -> WitnessKeys:
    """Make a home a witness; the caller holds its lock. Where a crash left half of it, the rest is made.

    Raises StoreError where it is one already, or the passphrase does not open the node's own key.
    """
    settings = home.node_settings()
    if len(name) > WITNESS_NAME_MAX_CHARACTERS or not WITNESS_NAME.fullmatch(name):
        text = _("{name} cannot name a witness: write a domain name, and perhaps a path, in small letters")
        raise StoreError(text.format(name=shown(name)))
    paths = [home.keys / file for file in (WITNESS_KEY, WITNESS_MLDSA_KEY)]
    if settings.witness_name is not None and (settings.witness_name != name or all(path.exists() for path in paths)):
        text = _("{folder} is the witness {name} already: `huzhu witness show` prints its keys")
        raise StoreError(text.format(folder=home.folder, name=settings.witness_name))
    home.signing_key(home.keys / NODE_KEY, passphrase)
    if any(path.exists() for path in paths):
        open_memory(home).close()  # with a key of it something may have been cosigned
    else:
        make_memory(home.witness, home.keys / WITNESS_ID)
    if not paths[0].exists():
        write_key(paths[0], SigningKey(os.urandom(SEED_BYTES)), passphrase)
    if not paths[1].exists():
        write_key(paths[1], MldsaSigningKey(os.urandom(MLDSA_SEED_BYTES)), passphrase)
    if settings.witness_name is None:
        name_witness(home, name)
    return WitnessKeys(name, *read_witness_keys(home, passphrase))


def make_witness(
    home: Home, keys: WitnessKeys, store: WitnessStore, admitted: Admitted, on_fork: OnFork = tell_nobody
) -> Witness:
    """The witness of a home. The trust file is read now, ``admitted`` at every request; raises StoreError."""
    settings = home.node_settings()
    trusted = () if settings.trust is None else read_trust(settings.trust).logs

    def vkeys_of(origin: str) -> list[VerifierKey]:
        return [] if origin == settings.origin else list(_vkeys_of(origin, trusted, admitted()))

    return Witness(keys, vkeys_of, store, EvidenceFolder(home.evidence), lambda: int(time.time()), on_fork)


def read_trust(path: Path) -> Policy:
    """A home's trust file; raises StoreError where it cannot be read or is none."""
    try:
        with path.open("rb") as file:
            return parse_policy(file.read(POLICY_MAX_BYTES + 1))
    except (OSError, NoteError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(_("{path} is not a trust file: {why}").format(path=path, why=why)) from error


def checked_url(url: str) -> str:
    """An address for a trust file; raises DeskError where it is none."""
    if not is_address(url):
        text = _("{url} is not a node's address: write https://township.example or http://192.0.2.7:8300")
        raise DeskError(text.format(url=shown(url)))
    return url.rstrip("/")


def _vkeys_of(
    origin: str, trusted: tuple[VerifierKey, ...], admitted: Mapping[str, Admission]
) -> Iterator[VerifierKey]:
    yield from (vkey for vkey in trusted if vkey.name == origin)
    admission = admitted.get(origin)
    if admission is not None:
        vkey = parse_vkey(admission.vkey)
        if vkey not in trusted:
            yield vkey
