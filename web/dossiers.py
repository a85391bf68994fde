"""Dossiers at the desk: kept with the account that the ledger opens, shown to who may see them, handed out, erased.

The ledger and ``people.db`` are committed one after the other (``keep``), and agree again whenever the database is
opened (``open_people``), whatever came in between.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import Any

from care.dossier import FIELDS, CareError, Dossier, make_dossier, plain_dossier
from care.people import People, PeopleError
from care.vault import Locked
from chain.encoding import format_base64
from chain.entry import Entry, format_statement
from ledger.bodies import AccountOpen, AccountUpdate
from web.desk import DeskNode
from web.i18n import marked, translate
from web.passbook import passbook, plain_line
from web.problems import DeskError
from web.refused import Draft
from web.session import say
from web.telling import NONE
from web.text import columns, printable

DOSSIER_FILE_MAX_BYTES = 65_536
HASH_FIELD = re.compile(b'"dossier":')
"""Stands in every entry that has a dossier's hash."""
SCAN_ENTRIES = 4_096
"""As many entries are looked through at once for a dossier's hash, from the log's end."""
PURPOSES = {
    "service": marked("to arrange a service"),
    "check": marked("to check the entry with the person"),
    "emergency": marked("an emergency"),
    "visit": marked("a visit or a greeting"),
    "other": marked("something else, as written below"),
}
"""What a dossier is looked at for; with `other` only the words count."""
PHONE_MIN_DIGITS = 4
"""Fewer are no end of a phone number: too many people have it."""
PHONE = re.compile(r"[0-9 ()+./-]+")
POINTERS = ("index", "case", "sanction")
"""Fields by which an entry speaks of an earlier one."""
NAMES = {
    "name": marked("name"),
    "phone": marked("phone"),
    "born": marked("birth date"),
    "address": marked("address"),
    "care_level": marked("care level"),
    "income_band": marked("income"),
    "languages": marked("languages"),
    "diet": marked("diet"),
    "emergency_contact": marked("emergency contact"),
}
"""What people call the fields."""


@contextmanager
def open_people(node: DeskNode) -> Iterator[People]:
    """The node's dossiers, in step with its ledger; what goes wrong with them is told as DeskError."""
    try:
        with node.people() as people:
            _settle(node, people)
            yield people
    except CareError as error:
        raise DeskError(str(error)) from error


def keep(node: DeskNode, people: People, versions: Sequence[Locked], since: int) -> None:
    """Commit what was written from index ``since`` on, and the dossiers that it names.

    A crash after ``put`` leaves dossiers of which the log may know nothing: the next opening drops them. One after
    ``commit`` leaves them pending, and the next opening finds them named; so does a full disk, which is said.
    """
    people.put(versions, since)
    node.commit()
    try:
        _settle(node, people)
    except PeopleError:
        text = _(
            "note: it is on the ledger; people.db is put in order by the next command: if its disk is full, "
            "free some space"
        )
        say(text)


def _settle(node: DeskNode, people: People) -> None:
    since = people.pending_since
    if since is not None:
        people.settle(set(_named(node, since, node.store.size)))


def _named(node: DeskNode, since: int, end: int, wanted: re.Pattern[bytes] = HASH_FIELD) -> Iterator[tuple[str, bytes]]:
    """Each account with each hash that the log names from one index up to another, in entries with what is wanted."""
    for index, raw in enumerate(node.store.entries(since, end), since):
        if HASH_FIELD.search(raw) and wanted.search(raw):
            body = node.entry(index).body
            if isinstance(body, AccountOpen | AccountUpdate):
                yield body.account, bytes(body.dossier)


def kept_dossier(node: DeskNode, people: People, account: str) -> tuple[Locked, Dossier] | None:
    """A person's dossier, the one that the ledger names last; None where it was erased, or the ledger names none.

    Raises DeskError where another is kept, or none: people.db is an old copy, or the ledger is.
    """
    found = people.dossier(account)
    if found is None and people.erasures(account):
        return None
    hashed = last_hashes(node, [account]).get(account)
    if hashed != (None if found is None else found[0].hash):
        raise DeskError(old_copy([account]))
    return found


def old_copy(accounts: Sequence[str]) -> str:
    """That people.db and the ledger do not fit, as a sentence."""
    text = _(
        "people.db does not hold the dossier that the ledger names for {accounts}: one of the two is an old copy; "
        "restore the right one, or where it is lost for good see `huzhu person update --help`"
    )
    return text.format(accounts=", ".join(accounts))


def last_hashes(node: DeskNode, accounts: Collection[str]) -> dict[str, bytes]:
    """The hash of each account's dossier that the log names last; nothing for an account of which it names none."""
    found: dict[str, bytes] = {}
    named = re.compile(b'"account":"(?:%b)"' % "|".join(map(re.escape, accounts)).encode())
    for end in range(node.store.size, 0, -SCAN_ENTRIES):
        if len(found) == len(accounts):
            break
        found = dict(_named(node, max(0, end - SCAN_ENTRIES), end, named)) | found
    return found


def read_dossier(path: Path) -> dict[str, Any]:
    """The JSON object in a file, whose fields are a dossier's; raises DeskError."""
    with path.open("rb") as file:
        raw = file.read(DOSSIER_FILE_MAX_BYTES + 1)
    if len(raw) > DOSSIER_FILE_MAX_BYTES:
        raise DeskError(_("{path} is too large for a dossier").format(path=path))
    try:
        plain = json.loads(raw)
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict):
        example = '{"name":"…","languages":["…"]}'
        raise DeskError(_("{path} holds no JSON object such as {example}").format(path=path, example=example))
    return plain


def check_told(told: Mapping[str, Any]) -> Dossier:
    """What was told of a person, as a dossier of its own; raises DeskError."""
    try:
        return make_dossier(told)
    except CareError as error:
        raise DeskError(str(error)) from error


def named_fields(dossier: Dossier) -> str:
    """The names of the fields that say something, for the record of looks."""
    return ",".join(plain_dossier(dossier))


def dossier_lines(dossier: Dossier) -> list[str]:
    """A dossier for people; nothing in it may steer the terminal."""
    plain = plain_dossier(dossier)
    rows = [[_(NAMES[field]), _printable(plain.get(field)) or NONE] for field in FIELDS]
    return columns(rows)


def _printable(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value or "")
    return printable(text)


def plain_person(node: DeskNode, people: People, account: str) -> dict[str, Any]:
    """All that this node holds on a person, on both sides."""
    found = people.dossier(account)
    return {
        "origin": node.origin,
        "account": account,
        "dossier": None if found is None else plain_dossier(found[1]),
        "dossier_version": None if found is None else found[0].version,
        "dossier_hash": None if found is None else format_base64(found[0].hash),
        "looks": [look._asdict() for look in people.looks(account)],
        "erasures": [erasure._asdict() for erasure in people.erasures(account)],
        "passbook": [plain_line(line) for line in passbook(node, account)],
        "entries": [_plain_entry(index, entry) for index, entry in entries_about(node, account)],
    }


def entries_about(node: DeskNode, account: str) -> Iterator[tuple[int, Entry[Any]]]:
    """The entries that name an account, speak of one that does, or are signed by a key of its owner."""
    keys = {key.id for key in node.state.roster.keys.values() if key.account == account}
    found: set[int] = set()
    for index in range(node.store.size):
        entry = node.entry(index)
        pointed = {getattr(entry.body, name, None) for name in POINTERS}
        if account in entry.body.numbers() or pointed & found or not keys.isdisjoint({entry.by, *entry.beside}):
            found.add(index)
            yield index, entry


def _plain_entry(index: int, entry: Entry[Any]) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(format_statement(entry.statement))
    return {"index": index, **statement}


def write_private(path: Path, plain: Any) -> None:
    """Put a whole JSON file in its place, for its owner alone."""
    with closing(Draft(path)) as draft:
        draft.write(json.dumps(plain, ensure_ascii=False, indent=1).encode() + b"\n")
        draft.finish()
        draft.place()


def matches(dossiers: Iterable[tuple[Locked, Dossier]], text: str, most: int) -> list[tuple[Locked, Dossier]]:
    """Whose name has the text in it, or whose phone number ends with it; the first ``most`` and one more.

    A text stands for a phone number where it is at least ``PHONE_MIN_DIGITS`` digits and what is written between them.
    """
    wanted = unicodedata.normalize("NFKC", text)
    last = _digits(wanted) if PHONE.fullmatch(wanted) else ""
    is_phone = len(last) >= PHONE_MIN_DIGITS
    found: list[tuple[Locked, Dossier]] = []
    for locked, dossier in dossiers:
        if text in dossier.name or (is_phone and _digits(dossier.phone).endswith(last)):
            found.append((locked, dossier))
        if len(found) > most:
            break
    return found


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def purpose_of(code: str, words: str) -> str:
    """What a look was for, as it is kept: for readers of any language."""
    return words if code == "other" else f"{code}: {words}".removesuffix(": ")


def purpose_text(purpose: str) -> str:
    """What a look was for in the reader's words; what was given at the command line as it is."""
    code, _colon, words = purpose.partition(": ")
    return " ".join(filter(None, (translate(PURPOSES[code]), words))) if code in PURPOSES else purpose
