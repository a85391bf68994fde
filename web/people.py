"""People onto the ledger: accounts with the credentials and kin they name, from one file.

    account,name,born,roles,guardian,phone,address,care_level,funded,credentials,kin

What is personal (name, birth date, phone, address, care level) becomes the dossier, which ``people.db`` keeps
encrypted; the ledger gets its hash under a random salt, and what follows from the birth date (the five-year band,
whether the person is a minor or may spend hours). All rows go onto the ledger in one commit: a file is imported whole
or not at all, except for the rows that are refused.

The numbers of the accounts that it opened then stand in ``NAME.accounts.csv`` (``line,account``), by which a second
import of the file is noticed. A row whose account was opened, but not all that hangs on it, is refused with its number;
when it comes back in ``NAME.refused.csv``, what is missing of its credentials and kin is added to that account.
"""

import datetime
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from gettext import gettext as _
from pathlib import Path
from typing import Any

from care.dossier import FIRST_BIRTH_YEAR, Dossier, DossierError, make_dossier
from care.people import People
from care.vault import Locked
from chain.entry import Body
from chain.fields import Time
from chain.limits import SHEET_MAX_STATEMENTS
from ledger.bodies import AccountOpen, AccountUpdate, CredentialGrant, KinLink
from ledger.numbers import SIX_DIGITS, account_number
from ledger.state import Account
from web.daysheet import BAD_ROW, parse_account, parse_code, parse_date
from web.desk import DeskNode, refusal
from web.dossiers import keep, open_people
from web.keyring import Keyring, Pair
from web.problems import DeskError
from web.refused import ACCOUNT, Draft, RefusedRows, beside, format_row
from web.table import BadRowError, Record, Table, open_table, shown, trimmed
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
PERSONAL = ("name", "phone", "address", "care_level")
VOLUNTEER, ELDER = "volunteer", "elder"
ADULT_YEARS, REDEEMABLE_YEARS = 18, 60
BAND_YEARS = 5
DRAWS_MAX = 1_000
LIST_MAX = 64
PEOPLE_MAX = 100_000
"""As many rows are held at once."""
ISSUER = "people import"
ACCOUNT_EXISTS = "account-exists"


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
    dossier: Dossier


@dataclass(slots=True)
class PeopleSummary:
    """What became of a file's rows; all of it is on disk."""

    rows: int = 0
    """Those that were opened, completed or refused."""
    credentials: int = 0
    kin: int = 0
    completed: int = 0
    """Rows of accounts that an earlier import had opened."""
    opened: list[tuple[int, str]] = field(default_factory=list)
    """Line and number of each account of which nothing was refused."""
    partly: list[tuple[int, str]] = field(default_factory=list)
    """The same of accounts that are open, with something that hangs on them refused; so their rows are refused."""
    drawn: list[tuple[int, str]] = field(default_factory=list)
    """Those of both whose number the file did not bring."""
    outcomes: Counter[str] = field(default_factory=Counter)
    accounts_file: Path | None = None
    refused_file: Path | None = None
    unkept: OSError | None = None
    """Why a file beside the one that was imported could not be kept, where that is so."""
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
    earlier: str
    """Why it was refused in an earlier import."""
    is_open: bool = False
    outcome: str = ""
    reason: str = ""

    @property
    def line_and_number(self) -> tuple[int, str]:
        """As a summary has them."""
        return self.record.line, self.number


def import_people(
    node: DeskNode,
    keyring: Keyring,
    path: Path,
    now: Time,
    at: Time | None = None,
    issuer: str = ISSUER,
    *,
    again: bool = False,
) -> PeopleSummary:
    """Open the accounts in a file; raises DeskError where the file is of no use, and then nothing is written.

    Nor is it without ``again`` where the file was imported before.
    """
    accounts_path = beside(path, "accounts")
    if accounts_path.exists() and not again:
        raise DeskError(
            _(
                "{path} was imported already, see {accounts}: put new people into another file; "
                "--again opens everybody once more"
            ).format(path=path, accounts=accounts_path)
        )
    today = (now + node.state.utc_offset).date()
    with (
        open_table(path, COLUMNS) as table,
        closing(RefusedRows(table)) as refused,
        closing(Draft(accounts_path)) as accounts,
        open_people(node) as people,
    ):
        summary = PeopleSummary(ignored=table.ignored)
        rows = _read(table, today, summary, refused)
        since = node.store.size
        desk = _PeopleDesk(node, keyring, people, at, today)
        opened = desk.open(rows)
        at_hand = [row for row in rows if row.is_open]
        summary.credentials = desk.grant(at_hand, issuer)
        summary.kin = desk.link(at_hand)
        _sum_up(summary, rows, opened)
        for row in rows:
            if row.outcome:
                refused.add(row.record, row.outcome, row.reason, row.number if row.is_open else None)
        accounts.write(_format_accounts(opened))
        accounts.finish()
        refused.finish()
        keep(node, people, desk.dossiers, since)
        # Only names change from here on. A crash now leaves open accounts and no file that says so.
        try:
            if opened:
                summary.accounts_file = accounts.place()
            summary.refused_file = refused.keep()
        except OSError as error:
            error.add_note(_("the accounts are open nevertheless: do not import the file again"))
            summary.unkept = error
    return summary


def _sum_up(summary: PeopleSummary, rows: Sequence[_Row], opened: Sequence[_Row]) -> None:
    """Count what became of the rows that could be read."""
    summary.rows += len(rows)
    summary.outcomes.update(row.outcome for row in rows if row.outcome)
    summary.opened = [row.line_and_number for row in opened if not row.outcome]
    summary.partly = [row.line_and_number for row in opened if row.outcome]
    summary.drawn = [row.line_and_number for row in opened if not row.person.account]
    summary.completed = len(rows) - len(summary.opened) - sum(bool(row.outcome) for row in rows)


def _format_accounts(opened: Sequence[_Row]) -> bytes:
    """The file by which everybody's number is found: the line of the file that was imported, and the number."""
    return b"".join(map(format_row, [("line", ACCOUNT), *(row.line_and_number for row in opened)]))


def _read(table: Table, today: datetime.date, summary: PeopleSummary, refused: RefusedRows) -> list[_Row]:
    """The rows that can be read; those that cannot are refused."""
    rows: list[_Row] = []
    for record in table.records():
        try:
            person = parse_person(dict(zip(COLUMNS, table.cells(record), strict=True)), today)
            earlier = table.earlier_outcome(record)
        except BadRowError as error:
            summary.rows += 1
            summary.outcomes[BAD_ROW] += 1
            refused.add(record, BAD_ROW, str(error))
            continue
        if len(rows) == PEOPLE_MAX:
            text = _("{path} has more than {count} rows: divide it into several files")
            raise DeskError(text.format(path=table.path, count=PEOPLE_MAX))
        rows.append(_Row(record, person, person.account, earlier))
    return rows


class _PeopleDesk:
    """Writes the rows' accounts, then what hangs on them; nothing is durable before the caller commits."""

    def __init__(
        self, node: DeskNode, keyring: Keyring, people: People, at: Time | None, today: datetime.date
    ) -> None:
        self.dossiers: list[Locked] = []
        """Those of the accounts that were opened."""
        self._node = node
        self._keyring = keyring
        self._people = people
        self._at = at
        self._today = today

    def open(self, rows: Sequence[_Row]) -> list[_Row]:
        """Open the accounts that no earlier import has opened; answers those."""
        accounts = self._node.state.accounts
        for row in rows:
            row.is_open = row.number in accounts and _was_opened(row, accounts[row.number])
        new = [row for row in rows if not row.is_open]
        self._number(rows)
        self._open(new)
        for row in new:
            row.is_open = not row.outcome
        return [row for row in new if row.is_open]

    def _number(self, rows: Sequence[_Row]) -> None:
        """Draw a number for each row that brings none."""
        taken = set(self._node.state.accounts) | {row.number for row in rows}
        for row in rows:
            if not row.number:
                row.number = draw_number(taken.__contains__)
                taken.add(row.number)

    def _open(self, rows: Sequence[_Row]) -> None:
        """Open accounts, guardians before those they answer for."""
        for is_minor in (False, True):
            for is_funded in (False, True):
                group = [
                    row
                    for row in rows
                    if self._is_minor(row.person) is is_minor and (row.person.funded is not None) is is_funded
                ]
                if group:
                    self._open_group(group, self._keyring.account(is_funded))

    def _open_group(self, rows: Sequence[_Row], pair: Pair) -> None:
        dossiers = [self._people.lock(row.number, row.person.dossier) for row in rows]
        wanted: list[tuple[_Row, Body]] = [
            (row, open_body(row.person, row.number, locked.hash, self._today))
            for row, locked in zip(rows, dossiers, strict=True)
        ]
        self._write(pair, wanted, "")
        self.dossiers += [locked for row, locked in zip(rows, dossiers, strict=True) if not row.outcome]

    def grant(self, rows: Sequence[_Row], issuer: str) -> int:
        """Grant the credentials that are missing; answers how many."""
        accounts = self._node.state.accounts
        wanted: list[tuple[_Row, Body]] = [
            (row, CredentialGrant(account=row.number, issuer=issuer, scope=scope))
            for row in rows
            for scope in row.person.scopes
            if scope not in accounts[row.number].credentials
        ]
        return self._write(self._keyring.together(), wanted, _("the credential")) if wanted else 0

    def link(self, rows: Sequence[_Row]) -> int:
        """Link kin who are not linked yet, each pair once; answers how many."""
        accounts = self._node.state.accounts
        linked = set()
        wanted: list[tuple[_Row, Body]] = []
        for row in rows:
            for relation, relative in row.person.kin:
                pair = frozenset((row.number, relative))
                if pair not in linked and relative not in accounts[row.number].kin:
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


def _was_opened(row: _Row, account: Account) -> bool:
    """Whether an account is that of a row which was refused for something else; it might be somebody else's."""
    return row.earlier not in ("", ACCOUNT_EXISTS) and account.band == band_of(row.person.born)


def open_body(person: Person, number: str, dossier_hash: bytes, today: datetime.date) -> AccountOpen:
    """What the ledger learns of a person in a file."""
    told = {
        "born": person.born,
        "dossier": dossier_hash,
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
        dossier=_parse_dossier(cells, born),
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


def _parse_dossier(cells: Mapping[str, str], born: datetime.date) -> Dossier:
    try:
        return make_dossier({name: cells[name] for name in PERSONAL} | {"born": born})
    except DossierError as error:
        raise BadRowError(str(error)) from error


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
