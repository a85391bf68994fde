"""People onto the ledger: accounts with the credentials and kin they name, from one file.

    account,name,born,roles,guardian,phone,address,care_level,funded,credentials,kin

What is personal (name, birth date, phone, address, care level) serves only to derive what the ledger needs (the
five-year band of birth, whether the person is a minor or may spend hours) and the hash of the dossier under a random
salt; then it is forgotten, the salt too. All rows go onto the ledger in one commit: a file is imported whole or not at
all, except for the rows that are refused.
"""

import datetime
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from gettext import gettext as _
from pathlib import Path
from typing import Any

from chain.canonical import format_canonical
from chain.entry import Body
from chain.errors import EntryError
from chain.fields import Time
from chain.limits import SHEET_MAX_STATEMENTS
from ledger.bodies import AccountOpen, AccountUpdate, CredentialGrant, KinLink
from ledger.numbers import SIX_DIGITS, account_number
from ledger.state import Account
from web.daysheet import BAD_ROW, parse_account, parse_code, parse_date
from web.desk import DeskNode, refusal
from web.keyring import Keyring, Pair
from web.table import BadRowError, Record, RefusedRows, Table, hash_file, open_table, shown, trimmed
from web.text import sentence

COLUMNS = (
    "account",
    "name",
    "born",
    "roles",
    "guardian",
    "phone",
    "address",
    "care_level",
    "funded",
    "credentials",
    "kin",
)
PERSONAL = ("name", "born", "phone", "address", "care_level")
VOLUNTEER, ELDER = "volunteer", "elder"
ADULT_YEARS, REDEEMABLE_YEARS = 18, 60
BAND_YEARS = 5
FIRST_BIRTH_YEAR = 1880
SALT_BYTES = 32
DRAWS_MAX = 1_000
LIST_MAX = 64
ISSUER = "people import"


@dataclass(frozen=True, slots=True)
class Person:
    """One row, as the ledger may know it. An empty ``account`` is drawn."""

    account: str
    born: datetime.date
    is_volunteer: bool
    is_elder: bool
    guardian: str | None
    funded: str | None
    scopes: tuple[str, ...]
    kin: tuple[tuple[str, str], ...]
    """Relation and number: "this person's parent is …"."""
    dossier: bytes


@dataclass(slots=True)
class PeopleSummary:
    """What became of a file's rows; all of it is on disk."""

    rows: int = 0
    credentials: int = 0
    kin: int = 0
    opened: list[tuple[int, str]] = field(default_factory=list)
    """Line and number of each account."""
    drawn: list[tuple[int, str]] = field(default_factory=list)
    """Those of them whose number the file did not bring."""
    outcomes: Counter[str] = field(default_factory=Counter)
    refused_file: Path | None = None
    ignored: list[str] = field(default_factory=list)
    """Columns that mean nothing here."""

    @property
    def refused(self) -> int:
        """Rows that were not accepted."""
        return self.outcomes.total()


@dataclass(slots=True)
class _Row:
    """A person with the row it came from, and what was wrong with it, once something was."""

    record: Record
    person: Person
    number: str
    outcome: str = ""
    reason: str = ""


def import_people(
    node: DeskNode,
    keyring: Keyring,
    path: Path,
    now: Time,
    at: Time | None = None,
    issuer: str = ISSUER,
) -> PeopleSummary:
    """Open the accounts in a file; raises DeskError where the file is of no use, and then nothing is written."""
    _hash, is_plain = hash_file(path)
    today = (now + node.state.utc_offset).date()
    with open_table(path, COLUMNS) as table, closing(RefusedRows(table, is_plain=is_plain)) as refused:
        summary = PeopleSummary(ignored=table.ignored)
        rows, bad = _read(table, today)
        unread = len(bad)
        desk = _PeopleDesk(node, keyring, at, today)
        desk.number(rows)
        desk.open(rows)
        opened = [row for row in rows if not row.outcome]
        summary.opened = [(row.record.line, row.number) for row in opened]
        summary.drawn = [(row.record.line, row.number) for row in opened if not row.person.account]
        summary.credentials = desk.grant(opened, issuer)
        summary.kin = desk.link(opened)
        bad += [(row.record, row.outcome, row.reason) for row in rows if row.outcome]
        for record, outcome, reason in sorted(bad):
            summary.outcomes[outcome] += 1
            refused.add(record, outcome, reason)
        summary.rows = len(rows) + unread
        node.commit()
        summary.refused_file = refused.keep()
    return summary


def _read(table: Table, today: datetime.date) -> tuple[list[_Row], list[tuple[Record, str, str]]]:
    """The rows that can be read, and those that cannot, with outcome and reason."""
    rows: list[_Row] = []
    bad = []
    for record in table.records():
        try:
            person = parse_person(dict(zip(COLUMNS, table.cells(record), strict=True)), today)
        except BadRowError as error:
            bad.append((record, BAD_ROW, str(error)))
            continue
        rows.append(_Row(record, person, person.account))
    return rows, bad


class _PeopleDesk:
    """Writes the rows' accounts, then what hangs on them; nothing is durable before the caller commits."""

    def __init__(self, node: DeskNode, keyring: Keyring, at: Time | None, today: datetime.date) -> None:
        self._node = node
        self._keyring = keyring
        self._at = at
        self._today = today

    def number(self, rows: Sequence[_Row]) -> None:
        """Draw a number for each row that brings none."""
        taken = set(self._node.state.accounts) | {row.number for row in rows}
        for row in rows:
            if not row.number:
                row.number = draw_number(taken.__contains__)
                taken.add(row.number)

    def open(self, rows: Sequence[_Row]) -> None:
        """Open the accounts, guardians before those they answer for."""
        for is_minor in (False, True):
            for is_funded in (False, True):
                group = [
                    row
                    for row in rows
                    if self._is_minor(row.person) is is_minor and (row.person.funded is not None) is is_funded
                ]
                if group:
                    bodies = [open_body(row.person, row.number, self._today) for row in group]
                    self._write(self._keyring.account(is_funded), list(zip(group, bodies, strict=True)), "")

    def grant(self, rows: Sequence[_Row], issuer: str) -> int:
        """Grant the credentials; answers how many."""
        wanted: list[tuple[_Row, Body]] = [
            (row, CredentialGrant(account=row.number, issuer=issuer, scope=scope))
            for row in rows
            for scope in row.person.scopes
        ]
        return self._write(self._keyring.together(), wanted, _("the credential")) if wanted else 0

    def link(self, rows: Sequence[_Row]) -> int:
        """Link kin, each pair once; answers how many."""
        linked = set()
        wanted: list[tuple[_Row, Body]] = []
        for row in rows:
            for relation, relative in row.person.kin:
                pair = frozenset((row.number, relative))
                if pair not in linked:
                    linked.add(pair)
                    wanted.append((row, KinLink(person=row.number, relation=relation, relative=relative)))
        return self._write(self._keyring.clerk_and_members(), wanted, _("the kin")) if wanted else 0

    def _is_minor(self, person: Person) -> bool:
        return age_on(self._today, person.born) < ADULT_YEARS

    def _write(self, pair: Pair, wanted: Sequence[tuple[_Row, Body]], part: str) -> int:
        """Write statements as sheets and note on its row each that is refused; answers how many were accepted.

        ``part`` says which part of a row is at stake, where its account is open already.
        """
        count = 0
        for start in range(0, len(wanted), SHEET_MAX_STATEMENTS):
            sheet = wanted[start : start + SHEET_MAX_STATEMENTS]
            bodies = [body for _row, body in sheet]
            results = self._node.write(pair.author, pair.beside, bodies, self._at, durable=False)
            for (row, _body), result in zip(sheet, results, strict=True):
                refused = refusal(result)
                if refused is None:
                    count += 1
                    continue
                text = sentence(refused.outcome, refused.detail)
                row.outcome = refused.outcome
                row.reason = (
                    _("account {number} is open, but not {part}: {text}").format(
                        number=row.number, part=part, text=text
                    )
                    if part
                    else text
                )
        return count


def open_body(person: Person, number: str, today: datetime.date) -> AccountOpen:
    """What the ledger learns of a person in a file."""
    told = {
        "born": person.born,
        "dossier": person.dossier,
        "elder": person.is_elder,
        "funded": person.funded,
        "guardian": person.guardian,
        "volunteer": person.is_volunteer,
    }
    return opening_of(number, told, today)


def opening_of(number: str, told: Mapping[str, Any], today: datetime.date) -> AccountOpen:
    """A new person's account from what was told: fields of ``AccountOpen``, None where nothing was said; and ``born``.

    The birthday gives the band, and whether the person is a minor or may spend hours.
    """
    said = {name: value for name, value in told.items() if value is not None and name != "born"}
    return AccountOpen(account=number, holder="person", **_of_age(told.get("born"), today), **said)


def update_of(account: Account, told: Mapping[str, Any], today: datetime.date) -> AccountUpdate:
    """The same for an account that is open: of what nothing is said stays as it is."""
    said = {name: value for name, value in told.items() if value is not None and name != "born"}
    kept = {name: getattr(account, name) for name in AccountUpdate.__struct_fields__ if hasattr(account, name)}
    return AccountUpdate(**{**kept, "account": account.number, **_of_age(told.get("born"), today), **said})


def _of_age(born: datetime.date | None, today: datetime.date) -> dict[str, Any]:
    """What follows from a birthday."""
    if born is None:
        return {}
    years = age_on(today, born)
    return {"band": band_of(born), "minor": years < ADULT_YEARS, "redeemable": years >= REDEEMABLE_YEARS}


def parse_person(cells: dict[str, str], today: datetime.date) -> Person:
    """The person in a row's cells; raises BadRowError."""
    born = parse_past_birthday(cells["born"], today)
    roles = _parse_list(cells["roles"])
    unknown = [role for role in roles if role not in (VOLUNTEER, ELDER)]
    if unknown:
        raise BadRowError(_("{cell} is no role: write volunteer, elder or both").format(cell=shown(unknown[0])))
    return Person(
        account=parse_account(cells["account"]) if cells["account"].strip() else "",
        born=born,
        is_volunteer=VOLUNTEER in roles,
        is_elder=ELDER in roles,
        guardian=parse_account(cells["guardian"]) if cells["guardian"].strip() else None,
        funded=parse_code(cells["funded"]) if cells["funded"].strip() else None,
        scopes=tuple(dict.fromkeys(map(parse_code, _parse_list(cells["credentials"])))),
        kin=tuple(map(_parse_kin, _parse_list(cells["kin"]))),
        dossier=hash_dossier({name: cells[name].strip() for name in PERSONAL}),
    )


def parse_birthday(cell: str) -> datetime.date:
    """The day on which somebody was born who may be alive; raises BadRowError."""
    return parse_date(cell, first_year=FIRST_BIRTH_YEAR)


def parse_past_birthday(cell: str, today: datetime.date) -> datetime.date:
    """The same, not after ``today``."""
    born = parse_birthday(cell)
    if born > today:
        raise BadRowError(_("{cell} is after today").format(cell=shown(cell)))
    return born


def hash_dossier(dossier: dict[str, str]) -> bytes:
    """SHA-256 over a new random salt and the dossier's canonical bytes (RULES §9); the salt is not kept."""
    present = {name: text for name, text in dossier.items() if text}
    try:
        plain = format_canonical(present)
    except EntryError as error:
        raise BadRowError(str(error)) from error
    return hashlib.sha256(os.urandom(SALT_BYTES) + plain).digest()


def draw_number(is_taken: Callable[[str], bool]) -> str:
    """An account number at random that nobody has."""
    for _draw in range(DRAWS_MAX):
        number = account_number(secrets.randbelow(SIX_DIGITS))
        if not is_taken(number):
            return number
    raise RuntimeError("nearly all account numbers are taken")


def age_on(day: datetime.date, born: datetime.date) -> int:
    """Whole years; someone born on 29 February has a birthday on 1 March of other years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def band_of(born: datetime.date) -> int:
    """The first of the five years in which somebody was born."""
    return born.year // BAND_YEARS * BAND_YEARS


def _parse_list(cell: str) -> list[str]:
    """What stands between plus signs."""
    words = [word.strip() for word in cell.split("+") if word.strip()]
    if len(words) > LIST_MAX:
        raise BadRowError(_("{cell} has too many parts").format(cell=shown(cell)))
    return words


def _parse_kin(word: str) -> tuple[str, str]:
    relation, colon, number = word.partition(":")
    if not colon:
        raise BadRowError(_("{cell} is no kin: write parent:12345678").format(cell=shown(word)))
    return parse_code(relation), parse_account(trimmed(number))
