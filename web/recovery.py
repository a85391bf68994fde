"""Three sheets of words, any two of which open what the passphrase of a home opens (docs/decisions/0022-recovery.md).

    recovery = new_recovery()                           # a secret of 128 bits, split 2 of 3 by SLIP-39
    write_box(home, recovery.lock(passphrase))          # keys/recovery.json: lies beside the keys, in every backup
    recovery.sheets                                     # for paper only, one for each of three people

    sheets = [read_sheet(text, 1), read_sheet(other, 2)]
    recover(home, sheets, b"another passphrase")        # a home, or a copy of one

    renew_sheets(home, passphrase, keep)                # others: the older ones open this home no more
    change_passphrase(home, passphrase, b"a third")     # who knows it needs no sheets; they stay good

The secret is nowhere but on paper. The box holds the passphrase, sealed to a public key that follows from the secret:
a new passphrase is locked without the sheets, and keys that are made later need no new ones. Whoever has one sheet has
nothing, whoever has two has nothing without the home or a backup of it.

A crash in ``recover`` or ``change_passphrase`` leaves keys under the old and under the new passphrase, and a box that
holds both: the same call again goes on from there. A crash in ``renew_sheets`` leaves the older sheets good until the
new ones are kept, and then the new ones: there is one box, and it is replaced whole.
"""

import difflib
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from shamir_mnemonic import (  # type: ignore[import-untyped]
    MnemonicError,
    combine_mnemonics,
    generate_mnemonics,
)
from shamir_mnemonic.share import Share  # type: ignore[import-untyped]
from shamir_mnemonic.wordlist import WORDLIST  # type: ignore[import-untyped]

from chain.keys import MldsaSigningKey, SigningKey
from store.home import Home
from store.keyfiles import PASSPHRASE_MAX_BYTES, PassphraseError, read_key, write_key
from web.i18n import translate as _
from web.problems import DeskError

SHEETS, NEEDED = 3, 2
WORDS = 20
"""On a sheet, as SLIP-39 has them for 128 bits."""
SECRET_BYTES, PUBLIC_BYTES = 16, 32
PURPOSE = b"huzhu recovery"
BOX, BOX_MAX_BYTES = "recovery.json", 16_384
FORMAT, PASSPHRASES_MAX = 1, 8
LENGTH_BYTES = 2
PADDED_BYTES = LENGTH_BYTES + PASSPHRASE_MAX_BYTES
"""What is sealed has one length, whatever the passphrase."""
TYPED_MAX_CHARACTERS = 2_000
PREFIX_MIN = 4
"""No two words begin with the same four letters."""
ASKED_WORDS = 2
HEAD_WORDS = 4
"""Of set and number, not of the secret: nearly alike on all three."""
FILE_MODE = 0o600


class SheetError(DeskError):
    """What was typed is no sheet, or the sheets do not belong together."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One of the three. ``set_number`` is the same on all three, and another for every other set."""

    number: int
    set_number: int
    words: tuple[str, ...] = field(repr=False)

    @property
    def text(self) -> str:
        """As it stands in the sheet's code."""
        return " ".join(self.words)


class Box(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies beside the keys. ``sealed`` holds one passphrase; more where a change of it was broken off."""

    format: int
    set_number: int
    public: bytes
    sealed: Annotated[tuple[bytes, ...], Meta(min_length=1, max_length=PASSPHRASES_MAX)]


@dataclass(frozen=True, slots=True)
class Recovery:
    """A new secret, as its three sheets and the public key that follows from it."""

    sheets: tuple[Sheet, ...] = field(repr=False)
    public: bytes

    def lock(self, passphrase: bytes) -> Box:
        """A box that any two of the sheets open."""
        return Box(FORMAT, self.sheets[0].set_number, self.public, (_seal(self.public, passphrase),))


def new_recovery() -> Recovery:
    """A secret at random."""
    secret = os.urandom(SECRET_BYTES)
    (group,) = generate_mnemonics(1, [(NEEDED, SHEETS)], secret)
    sheets = tuple(_sheet_of(Share.from_mnemonic(each), each.split()) for each in group)
    return Recovery(sheets, bytes(_private_of(secret).public_key))


# Sheets


def read_sheet(typed: str, place: int) -> Sheet:
    """The sheet that somebody typed, numbers and line ends left out; ``place`` says which of those typed it is.

    A word may be cut off after four letters. Raises SheetError.
    """
    if len(typed) > TYPED_MAX_CHARACTERS:
        raise SheetError(_("sheet {place}: this is too long; type its {count} words").format(place=place, count=WORDS))
    found = re.findall(r"[a-z]+", unicodedata.normalize("NFKC", typed).casefold())
    words = [_word(word, number, place) for number, word in enumerate(found[: WORDS + 1], 1)]
    if len(words) != WORDS:
        text = _("sheet {place} has {count} words; {found} were typed")
        raise SheetError(text.format(place=place, count=WORDS, found=len(found)))
    try:
        share = Share.from_mnemonic(" ".join(words))
    except MnemonicError:
        text = _("sheet {place}: one word is not as on the paper, or two have changed places: compare them one by one")
        raise SheetError(text.format(place=place)) from None
    if (share.member_threshold, share.group_count, len(share.value)) != (NEEDED, 1, SECRET_BYTES):
        raise SheetError(_("sheet {place} is no recovery sheet of a time bank").format(place=place))
    return _sheet_of(share, words)


def secret_of(sheets: Sequence[Sheet]) -> bytes:
    """What two sheets of one set hold; raises SheetError."""
    if len({sheet.set_number for sheet in sheets}) > 1:
        text = _("these sheets are of different sets ({sets}): the set number on both must be the same")
        raise SheetError(text.format(sets=", ".join(str(sheet.set_number) for sheet in sheets)))
    different = {sheet.number: sheet for sheet in sheets}
    if len(different) < NEEDED:
        if len(sheets) < NEEDED:
            raise SheetError(_("one sheet alone opens nothing: two of the three are needed"))
        raise SheetError(_("this is sheet {number} twice: take another one").format(number=sheets[0].number))
    try:
        return bytes(combine_mnemonics([sheet.text for sheet in list(different.values())[:NEEDED]]))
    except MnemonicError:
        raise SheetError(_("these sheets do not fit together: compare every word with the paper")) from None


def asked_places(recovery: Recovery) -> tuple[tuple[int, ...], ...]:
    """Of each sheet the places, from 1 on, of the words that are asked back: the same for the same sheets."""
    chosen = []
    for sheet in recovery.sheets:
        digest = hashlib.sha256(recovery.public + bytes([sheet.number])).digest()
        half = WORDS // ASKED_WORDS
        chosen.append((1 + HEAD_WORDS + digest[0] % (half - HEAD_WORDS), half + 1 + digest[1] % (WORDS - half)))
    return tuple(chosen)


def _sheet_of(share: Share, words: Sequence[str]) -> Sheet:
    return Sheet(share.index + 1, share.identifier, tuple(words))


def _word(typed: str, number: int, place: int) -> str:
    """The word of the list that was meant."""
    if typed in WORDLIST:
        return typed
    if len(typed) >= PREFIX_MIN:
        whole = [str(word) for word in WORDLIST if word.startswith(typed)]
        if len(whole) == 1:
            return whole[0]
    near = difflib.get_close_matches(typed[:20], WORDLIST, 1)
    text = _("sheet {place}, word {number}: “{word}” is in no sheet")
    if near:
        text = _("sheet {place}, word {number}: “{word}” is in no sheet; is it “{near}”?")
    raise SheetError(text.format(place=place, number=number, word=typed[:20], near=near[0] if near else ""))


# The box


def box_path(home: Home) -> Path:
    """Where it lies: beside the keys, so that whoever copies them copies it."""
    return home.keys / BOX


def write_box(home: Home, box: Box) -> None:
    """Put a box in the place of the one that is there."""
    path = box_path(home)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(box))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _settle(home)


def read_box(home: Home) -> Box:
    """The box of a home; raises DeskError where there is none."""
    path = box_path(home)
    try:
        with path.open("rb") as file:
            raw = file.read(BOX_MAX_BYTES + 1)
    except FileNotFoundError:
        text = _("there is no {path}: recovery sheets were never made for this home, or it is missing in the backup")
        raise DeskError(text.format(path=path)) from None
    try:
        box = msgspec.json.decode(raw, type=Box) if len(raw) <= BOX_MAX_BYTES else None
    except (msgspec.DecodeError, RecursionError):
        box = None
    if box is None or box.format != FORMAT or len(box.public) != PUBLIC_BYTES:
        raise DeskError(_("{path} is damaged: take it from another backup").format(path=path))
    return box


def open_box(box: Box, sheets: Sequence[Sheet]) -> list[bytes]:
    """The passphrases in a box, the newest last; raises SheetError where these sheets are another set's."""
    private = _private_of(secret_of(sheets))
    if sheets[0].set_number != box.set_number:
        text = _("the sheets are of set {found}, and this backup is of set {wanted}: look for the sheets of that set")
        raise SheetError(text.format(found=sheets[0].set_number, wanted=box.set_number))
    try:
        return [_unsealed(SealedBox(private).decrypt(each)) for each in box.sealed]
    except CryptoError:
        raise SheetError(_("these two sheets do not open this backup")) from None


def _private_of(secret: bytes) -> PrivateKey:
    return PrivateKey(hashlib.blake2b(secret, digest_size=PUBLIC_BYTES, person=PURPOSE).digest())


def _seal(public: bytes, passphrase: bytes) -> bytes:
    padded = len(passphrase).to_bytes(LENGTH_BYTES, "big") + passphrase
    return bytes(SealedBox(PublicKey(public)).encrypt(padded.ljust(PADDED_BYTES, b"\0")))


def _unsealed(padded: bytes) -> bytes:
    length = int.from_bytes(padded[:LENGTH_BYTES], "big")
    return padded[LENGTH_BYTES : LENGTH_BYTES + length]


# The keys


def recover(home: Home, sheets: Sequence[Sheet], passphrase: bytes) -> int:
    """Open every key of a home by two sheets, and put it under a new passphrase; answers how many keys there are.

    Nothing is changed where one of them does not open. The caller holds the home's lock, where others may write it.
    """
    _check(passphrase)
    box = read_box(home)
    known = open_box(box, sheets)
    refusal = _("the sheets are right, but {path} is under another passphrase: take that key from a newer backup")
    keys = _open_keys(home, [passphrase, *known], refusal)
    return _put_under(home, keys, box, known, passphrase)


def change_passphrase(home: Home, old: bytes | None, passphrase: bytes) -> int:
    """Put every key of a home under a new passphrase by the old one; answers how many keys there are.

    ``old``: None where the keys lie open. Nothing is changed where one of them does not open. Sheets stay good. The
    caller holds the home's lock.
    """
    _check(passphrase)
    known = [] if old is None else [old]
    refusal = _(
        "{path} opens neither with the passphrase until now nor with the new one: give the right one; where a change"
        " was broken off, give the same two again"
    )
    keys = _open_keys(home, [passphrase, *known], refusal)
    box = read_box(home) if box_path(home).exists() else None
    return _put_under(home, keys, box, known, passphrase)


def renew_sheets(home: Home, passphrase: bytes | None, keep: Callable[[Recovery], object]) -> Recovery:
    """New sheets of a home, in the place of those there are; raises DeskError where they would open nothing.

    ``keep`` has them on disk or paper when it returns: only then do they count. The caller holds the home's lock.
    """
    if any(map(_lies_open, _key_files(home))):
        raise DeskError(_("the keys have no passphrase that could be forgotten: `huzhu passphrase` gives them one"))
    if passphrase is None:
        raise DeskError(_("give the passphrase of the keys: on the terminal, by --passphrase-file or HUZHU_PASSPHRASE"))
    refusal = _(
        "the passphrase does not open {path}; where a change of it was broken off, end that first: `huzhu passphrase`"
    )
    _open_keys(home, [passphrase], refusal)
    recovery = new_recovery()
    keep(recovery)
    write_box(home, recovery.lock(passphrase))
    return recovery


Keys = Sequence[tuple[Path, SigningKey | MldsaSigningKey]]
"""Every key of a home, opened, with its file."""


def _put_under(home: Home, keys: Keys, box: Box | None, known: Sequence[bytes], passphrase: bytes) -> int:
    """Write opened keys anew, under another passphrase than those known. A crash leaves some so and some otherwise.

    Meanwhile the box, where there is one, holds what opens either.
    """
    newest = () if box is None else (_seal(box.public, passphrase),)
    if box is not None and passphrase not in known:
        older = tuple(_seal(box.public, each) for each in known)
        write_box(home, msgspec.structs.replace(box, sealed=(*box.sealed, *older, *newest)[-PASSPHRASES_MAX:]))
    for path, key in keys:
        _rewrite(path, key, passphrase)
    _settle(home)
    if box is not None:
        write_box(home, msgspec.structs.replace(box, sealed=newest))
    return len(keys)


def _check(passphrase: bytes) -> None:
    """Raise DeskError where nothing can be put under it: before anything is."""
    if not passphrase:
        raise DeskError(_("an empty passphrase protects nothing: choose another"))
    if len(passphrase) > PASSPHRASE_MAX_BYTES:
        text = _("the passphrase has {count} bytes; at most {most} can be used")
        raise DeskError(text.format(count=len(passphrase), most=PASSPHRASE_MAX_BYTES))


def _key_files(home: Home) -> Iterator[Path]:
    yield from sorted(home.keys.glob("*.pem"))


def _open_keys(home: Home, passphrases: Sequence[bytes], refusal: str) -> Keys:
    """All keys, each by one of the passphrases; DeskError with that text where one of them does not open."""
    return [(path, _read(path, passphrases, refusal)) for path in _key_files(home)]


def _read(path: Path, passphrases: Sequence[bytes], refusal: str) -> SigningKey | MldsaSigningKey:
    for passphrase in passphrases:
        try:
            return read_key(path, passphrase)
        except PassphraseError:
            continue
    raise DeskError(refusal.format(path=path))


def _lies_open(path: Path) -> bool:
    try:
        read_key(path, None)
    except PassphraseError:
        return False
    return True


def _settle(home: Home) -> None:
    """Have on disk which files stand in the folder of keys: what is written next must not be there before."""
    folder = os.open(home.keys, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _rewrite(path: Path, key: SigningKey | MldsaSigningKey, passphrase: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    write_key(draft, key, passphrase)
    draft.replace(path)
