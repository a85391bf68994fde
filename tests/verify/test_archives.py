"""Hostile archives: whatever the file is, one clear sentence (``StoreError``) or findings, and never anything else."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.merkle import leaf_hash
from ledger.bodies import Donate
from store.archive import open_archive
from store.log import StoreError
from store.sqlite import APPLICATION_ID, PAGE_BYTES, SqliteStore
from tests.verify.ledgers import (
    BOB,
    CLERK,
    MEMBER1,
    ORIGIN,
    PINNED,
    TRUST,
    Forge,
    Ledger,
    audit,
    found,
    village,
    write_archive,
)
from verify.audit import LedgerReport, Trust, audit_ledger

LEDGER = village()
PIN = Trust(PINNED)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "ledger.db", LEDGER)


@pytest.fixture
def archive(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "ledger.db"))


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def reports_of(path: Path, trust: Trust = PIN) -> list[LedgerReport]:
    with open_archive(path) as ledgers:
        return [audit_ledger(ledger, trust) for ledger in ledgers if ledger.size() >= 0]


def report_of(path: Path, trust: Trust = PIN) -> LedgerReport:
    (report,) = reports_of(path, trust)
    return report


def refusal(path: Path) -> str:
    """The sentence with which the file is refused."""
    with pytest.raises(StoreError) as caught:
        reports_of(path)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and text.isprintable()
    return text


# No archive at all


@pytest.mark.parametrize(
    "raw",
    [b"", b"x", b"not a database, " * 999, bytes(100_000), b"SQLite format 3\0", b"SQLite format 3\0" + bytes(5_000)],
    ids=["empty", "a-byte", "text", "zeros", "magic", "magic-and-zeros"],
)
def test_a_file_of_something_else(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(raw)
    refusal(path)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "is not a file" in refusal(tmp_path)
    assert "is not a file" in refusal(tmp_path / "missing.db")


def test_strange_names_of_files(archive: Path) -> None:
    for name in ("a b.db", "ä?x=1#y.db", "%41.db", "50%.db"):
        path = Path(shutil.copy(archive, archive.with_name(name)))
        assert report_of(path).findings == []


@pytest.mark.parametrize("content", [b"", b"a note", b"a note, " * 999], ids=len)
def test_a_text_is_called_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    told = refusal(path)
    assert "no archive of a ledger" in told and "database" not in told


def test_a_database_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with changing(path) as connection:
        connection.execute("CREATE TABLE photos(name TEXT)")
    assert "no archive of a ledger" in refusal(path)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 50, 99, 100, 512, 4_096, PAGE_BYTES, PAGE_BYTES + 1, 2 * PAGE_BYTES])
def test_a_truncated_file(archive: Path, length: int) -> None:
    with archive.open("r+b") as file:
        file.truncate(length)
    refusal(archive)


@pytest.mark.parametrize("lost", [1, 100, PAGE_BYTES, PAGE_BYTES + 1])
def test_a_file_that_lacks_its_end(archive: Path, lost: int) -> None:
    with archive.open("r+b") as file:
        file.truncate(archive.stat().st_size - lost)
    refused_or_found(archive)


def test_zeroed_pages(archive: Path, original: Path) -> None:
    raw = original.read_bytes()
    for start in range(0, len(raw), PAGE_BYTES):
        archive.write_bytes(raw[:start] + bytes(PAGE_BYTES) + raw[start + PAGE_BYTES :])
        refused_or_found(archive)


def refused_or_found(path: Path) -> None:
    """The file is refused with a sentence, or what it holds is found out; or it holds all of it after all."""
    try:
        reports = reports_of(path, TRUST)
    except StoreError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert reports == [audit(LEDGER)] or any(not report.is_sound for report in reports)


# A database that says it is an archive


def altered(path: Path, *statements: str) -> Path:
    with changing(path) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (["PRAGMA application_id=0"], "no archive of a ledger"),
        (["PRAGMA application_id=-1"], "no archive of a ledger"),
        (["PRAGMA user_version=0"], "version 0"),
        (["PRAGMA user_version=2"], "version 2"),
        (["DROP TABLE log"], "no plain table log(id, origin)"),
        (["DROP TABLE entry"], "no plain table entry(log, idx, bytes)"),
        (["DROP TABLE checkpoint"], "no plain table checkpoint(log, size, note)"),
        (["ALTER TABLE entry RENAME TO old", "CREATE VIEW entry AS SELECT * FROM old"], "no plain table entry"),
        (["ALTER TABLE checkpoint RENAME TO old", "CREATE VIEW checkpoint AS SELECT * FROM old"], "checkpoint"),
        (["ALTER TABLE entry RENAME COLUMN bytes TO raw"], "no plain table entry"),
        (["ALTER TABLE entry ADD COLUMN more TEXT"], "no plain table entry"),
        (["DROP TABLE entry", "CREATE TABLE entry(log INTEGER, idx INTEGER, bytes BLOB)"], "no plain table entry"),
        (["DROP TABLE entry", "CREATE TABLE entry(idx, log, bytes, PRIMARY KEY(idx, log))"], "no plain table entry"),
        (["CREATE INDEX other ON entry(log, idx, bytes)"], "no plain table entry"),
        (["CREATE INDEX other ON entry(log, idx) WHERE idx > 5"], "no plain table entry"),
        (["DELETE FROM log"], "holds no ledger"),
        (["UPDATE log SET origin='no origin'"], "names a ledger that cannot be one: 'no origin'"),
        (["UPDATE log SET origin='huzhu/x.example'"], "names a ledger that cannot be one"),
        (["UPDATE log SET origin=x'00'"], "names a ledger that cannot be one"),
        (["UPDATE log SET origin='a.example/' || char(10, 27)"], "names a ledger that cannot be one"),
        (["UPDATE log SET origin=CAST(x'ff' AS TEXT)"], "cannot be read"),
    ],
)  # fmt: skip
def test_an_archive_that_is_none(archive: Path, statements: list[str], says: str) -> None:
    assert says in refusal(altered(archive, *statements))


def test_a_generated_column_in_place_of_one(archive: Path) -> None:
    altered(
        archive,
        "DROP TABLE entry",
        "CREATE TABLE entry(log INTEGER, idx INTEGER, bytes BLOB AS (zeroblob(100000000)), PRIMARY KEY(log, idx))"
        " WITHOUT ROWID",
    )
    assert "no plain table entry" in refusal(archive)


def test_generated_columns_beside_are_not_looked_at(archive: Path) -> None:
    """They are never computed: this one would take all memory."""
    altered(archive, "ALTER TABLE entry ADD COLUMN more BLOB AS (zeroblob(100000000))")
    assert report_of(archive).findings == []


def test_a_virtual_table_in_place_of_one(archive: Path) -> None:
    """Whose module would run over whatever the file says."""
    altered(archive, "DROP TABLE entry", "CREATE VIRTUAL TABLE entry USING fts5(log, idx, bytes)")
    assert "no plain table entry" in refusal(archive)


def test_triggers_views_and_tables_beside_are_not_looked_at(archive: Path) -> None:
    altered(
        archive,
        "CREATE VIEW entries AS SELECT * FROM entry",
        "CREATE TABLE tile(log, level, idx, hashes)",
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
    )
    assert report_of(archive, TRUST) == audit(LEDGER)


def test_a_schema_whose_error_is_not_even_text(archive: Path) -> None:
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace(b"log INTEGER, idx INTEGER, bytes", b"log INTEGER\xff idx INTEGER, bytes", 1))
    assert "cannot be read as an archive" in refusal(archive)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("CREATE TABLE x(", "cannot be read as an archive"),
        ("CREATE TABLE x(a" + chr(10) + chr(27) + "[31m", "cannot be read as an archive"),
    ],
)
def test_a_schema_that_cannot_be_parsed(archive: Path, broken: str, says: str) -> None:
    """Its text reaches the message only escaped."""
    with changing(archive) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("CREATE TABLE x(a)")
        connection.execute("UPDATE sqlite_schema SET sql=?, name=? WHERE name='x'", (broken, "x\ny"))
    assert says in refusal(archive)


# An archive whose values are not what they should be


@pytest.mark.parametrize(
    "value", ["NULL", "''", "'text'", "5", "1.5", "x''", "zeroblob(65536)", "x'00'", "CAST(bytes AS TEXT)"]
)
def test_something_else_than_an_entry(archive: Path, value: str) -> None:
    report = report_of(altered(archive, f"UPDATE entry SET bytes={value} WHERE idx=16"))  # noqa: S608
    (code,) = (finding.code for finding in report.findings if finding.index == 16)
    assert code == ("entry.noncanonical" if value in ("x''", "x'00'") else "entry.too-large")


@pytest.mark.parametrize("value", ["NULL", "''", "'text'", "5", "x''", "zeroblob(1000000)", "CAST(note AS TEXT)"])
def test_something_else_than_a_checkpoint(archive: Path, value: str) -> None:
    report = report_of(altered(archive, f"UPDATE checkpoint SET note={value} WHERE size=23"))  # noqa: S608
    assert found(report) == [("checkpoint.malformed", 22)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM entry WHERE idx=20", ("log.truncated", 20)),
        ("DELETE FROM entry WHERE idx=0", ("log.truncated", 0)),
        ("DELETE FROM entry", ("log.truncated", None)),
        ("UPDATE entry SET idx=-1 WHERE idx=20", ("log.truncated", 0)),
        ("INSERT INTO entry SELECT log, -5, bytes FROM entry WHERE idx=7", ("log.truncated", 0)),
        ("INSERT INTO entry SELECT log, 9007199254740993, bytes FROM entry WHERE idx=7", ("log.truncated", 62)),
        ("UPDATE entry SET idx='x20' WHERE idx=20", ("log.truncated", 20)),
        ("UPDATE entry SET idx=20.5 WHERE idx=20", ("log.truncated", 20)),
        ("UPDATE entry SET idx=x'14' WHERE idx=20", ("log.truncated", 20)),
        ("UPDATE entry SET log=2 WHERE idx=20", ("log.truncated", 20)),
        ("UPDATE entry SET log='x' WHERE idx=20", ("log.truncated", 20)),
        ("DELETE FROM checkpoint", ("checkpoint.missing", None)),
        ("UPDATE checkpoint SET size=9223372036854775807 WHERE size=60", ("log.truncated", 61)),
        ("UPDATE checkpoint SET size=-9223372036854775808 WHERE size=60", ("checkpoint.malformed", 0)),
        ("UPDATE checkpoint SET size=0 WHERE size=60", ("checkpoint.malformed", 0)),
        ("UPDATE checkpoint SET size=61 WHERE size=60", ("checkpoint.malformed", 60)),
        ("UPDATE log SET id=9", ("checkpoint.missing", None)),
        ("UPDATE log SET origin='other.example/huzhu'", ("entry.signature", 0)),
    ],
)
def test_rows_that_are_not_where_they_should_be(
    archive: Path, statement: str, expected: tuple[str, int | None]
) -> None:
    report = report_of(altered(archive, statement))
    assert expected in found(report), report.findings


@pytest.mark.parametrize("value", ["'seven'", "5.5", "x'00'"])
def test_rows_without_an_index_are_no_part_of_the_log(archive: Path, value: str) -> None:
    statement = f"INSERT INTO entry SELECT log, {value}, bytes FROM entry WHERE idx=7"  # noqa: S608
    assert report_of(altered(archive, statement)).findings == []


def test_two_ledgers_in_one_file(archive: Path) -> None:
    """Each has its report, and what is wrong with one is said of that one."""
    other = Forge(origin="other.example/huzhu")
    with changing(archive) as connection:
        connection.execute("INSERT INTO log VALUES(2, ?)", (other.origin,))
        connection.execute("INSERT INTO entry SELECT 2, idx, bytes FROM entry WHERE log=1 AND idx<5")
    first, second = reports_of(archive)
    assert first.is_sound and first.origin == ORIGIN
    assert not second.is_sound and second.origin == other.origin and second.size == 5
    assert {finding.origin for finding in second.findings} == {other.origin}


def test_a_ledger_without_rows_beside_a_good_one(archive: Path) -> None:
    altered(archive, "INSERT INTO log VALUES(-7, 'empty.example')")
    empty, good = reports_of(archive)
    assert good.is_sound and [code for code, _ in found(empty)] == ["checkpoint.missing", "checkpoint.signature"]


# Much in a small place


CHILD = """
import json, resource, sys
from pathlib import Path
from store.archive import open_archive
from store.log import StoreError
from tests.verify.ledgers import PINNED
from verify.audit import Trust, audit_ledger

good, path = map(Path, sys.argv[1:])

def findings(path):
    with open_archive(path) as ledgers:
        return [[f.code, f.index] for ledger in ledgers for f in audit_ledger(ledger, Trust(PINNED)).findings]

assert findings(good) == []  # everything is imported and warm now
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 24 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    print(json.dumps(findings(path)))
except StoreError as error:
    print(json.dumps(str(error)))
"""


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE entry SET bytes=zeroblob(50000000) WHERE idx=16", "a value in entry that is too long"),
        ("UPDATE entry SET bytes=CAST(zeroblob(50000000) AS TEXT) WHERE idx=16", "cannot be read as an archive"),
        ("UPDATE entry SET idx=zeroblob(50000000) WHERE idx=16", "a value in entry that is too long"),
        ("UPDATE entry SET log=zeroblob(50000000) WHERE idx=16", "a value in entry that is too long"),
        ("UPDATE entry SET bytes=zeroblob(1000000)", ["entry.too-large", 16]),
        ("UPDATE checkpoint SET note=zeroblob(50000000) WHERE size=23", "a value in checkpoint that is too long"),
        ("UPDATE checkpoint SET note=zeroblob(50000000)", "a value in checkpoint that is too long"),
        ("UPDATE checkpoint SET note=zeroblob(1000000) WHERE size=23", ["checkpoint.malformed", 22]),
        ("UPDATE log SET origin=CAST(zeroblob(50000000) AS TEXT)", "cannot be read as an archive"),
        ("INSERT INTO log VALUES(2, replace(hex(zeroblob(25000000)), '0', 'a'))", "cannot be read as an archive"),
    ],
)
def test_fifty_megabytes_in_one_value_are_not_loaded(
    archive: Path, original: Path, statement: str, expected: object
) -> None:
    """The audit runs in a process that may take 24 MB more than it has."""
    altered(archive, statement)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, original, archive], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    answer = json.loads(child.stdout)
    assert expected in answer, answer


@pytest.mark.parametrize("column", ["bytes", "idx", "log"])
def test_where_nobody_looks_through_the_file_sqlite_gets_little_memory(
    archive: Path, original: Path, column: str
) -> None:
    """As an audit that goes on does, which reads the end of a file alone."""
    altered(archive, "UPDATE entry SET column=zeroblob(200000000) WHERE idx=16".replace("column", column))
    child = CHILD.replace("open_archive(path)", "open_archive(path, looks_through=False)").replace("24 *", "96 *")
    ran = subprocess.run(
        [sys.executable, "-c", child, original, archive], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    named = [["entry.too-large", 16], ["log.truncated", 16]]
    assert "cannot be read as an archive" in answer or any(finding in answer for finding in named), answer


# Media and other writers


def test_a_file_in_wal_mode_where_nothing_can_be_written_beside_it(archive: Path) -> None:
    """As on a read-only medium: SQLite cannot make its shared memory there, and the file is read as it is."""
    altered(archive, "PRAGMA journal_mode=WAL")
    folder = archive.parent
    for suffix in ("-wal", "-shm"):
        archive.with_name(archive.name + suffix).unlink(missing_ok=True)
    # Stands in the way also of root, whom no mode keeps from writing.
    archive.with_name(archive.name + "-shm").mkdir()
    folder.chmod(0o555)
    try:
        assert report_of(archive, TRUST) == audit(LEDGER)
    finally:
        folder.chmod(0o755)


def test_an_archive_that_is_being_written(tmp_path: Path) -> None:
    """The audit sees the log of the moment at which it was opened, also where it grows meanwhile."""
    forge = Forge(LEDGER.entries[:16])
    path = tmp_path / "ledger.db"
    store = SqliteStore(path, ORIGIN)
    fill(store, Ledger(tuple(forge.entries), LEDGER.checkpoints[:2]))
    with open_archive(path) as (ledger,):
        rows = ledger.rows()
        assert next(rows)[0] == 0
        forge.write(CLERK, [MEMBER1], Donate(giver=BOB, minutes=1))
        forge.seal()
        forge.checkpoint()
        fill(store, Ledger(tuple(forge.entries), tuple(forge.checkpoints)))
        assert len(list(rows)) == 15
        report = audit_ledger(ledger, PIN)
        assert report.findings == [] and report.size == 16
    assert report_of(path).size == 18
    store.append([b"not yet committed"], [leaf_hash(b"not yet committed")], {})
    assert report_of(path).findings == [] and report_of(path).size == 18
    store.close()


def fill(store: SqliteStore, ledger: Ledger) -> None:
    new = ledger.entries[store.size :]
    store.append(new, [leaf_hash(raw) for raw in new], {})
    for size, note in ledger.checkpoints:
        store.put_checkpoint(size, note)
    store.commit()


def test_a_node_s_own_file_is_an_archive(tmp_path: Path) -> None:
    """With the tables beside that only a node needs, and a write-ahead log."""
    path = tmp_path / "ledger.db"
    store = SqliteStore(path, ORIGIN)
    fill(store, LEDGER)
    assert report_of(path, TRUST) == audit(LEDGER)
    store.close()
    assert report_of(path, TRUST) == audit(LEDGER)


def test_an_entry_that_is_gone_the_second_time(archive: Path) -> None:
    """What the rules look up again is not believed to be there still; what it was, the audit compares."""
    with open_archive(archive) as (ledger,):
        assert ledger.entry(5) == LEDGER.entries[5]
        for missing in (62, -1, 2**60):
            with pytest.raises(IndexError):
                ledger.entry(missing)
    altered(archive, "UPDATE entry SET bytes='text' WHERE idx=5")
    with open_archive(archive) as (ledger,), pytest.raises(IndexError):
        ledger.entry(5)


def test_an_archive_by_hand_is_as_good(tmp_path: Path) -> None:
    """Any SQLite tool makes one from the three statements of FORMAT §9."""
    path = tmp_path / "by-hand.db"
    altered(
        path,
        f"PRAGMA application_id={APPLICATION_ID}",
        "PRAGMA user_version=1",
        "CREATE TABLE log(id INTEGER PRIMARY KEY, origin TEXT UNIQUE NOT NULL)",
        "CREATE TABLE entry(log INTEGER, idx INTEGER, bytes BLOB, PRIMARY KEY(log, idx)) WITHOUT ROWID",
        "CREATE TABLE checkpoint(log INTEGER, size INTEGER, note BLOB, PRIMARY KEY(log, size)) WITHOUT ROWID",
    )
    with changing(path) as connection:
        connection.execute("INSERT INTO log VALUES(41, ?)", (ORIGIN,))
        connection.executemany("INSERT INTO entry VALUES(41, ?, ?)", enumerate(LEDGER.entries))
        connection.executemany("INSERT INTO checkpoint VALUES(41, ?, ?)", LEDGER.checkpoints)
    assert report_of(path, TRUST) == audit(LEDGER)


# Anything


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 120), st.integers(1, 255)), min_size=1, max_size=8
    ),
    at_page_starts=st.booleans(),
)
def test_random_bytes_of_the_file_changed(
    original: Path, tmp_path: Path, flips: list[tuple[float, int, int]], at_page_starts: bool
) -> None:
    """Only a sentence or a report comes out. Many flips are in the heads of pages, which say where things are."""
    raw = bytearray(original.read_bytes())
    for share, offset, mask in flips:
        place = int(share * len(raw))
        if at_page_starts:
            place = min(place // PAGE_BYTES * PAGE_BYTES + offset, len(raw) - 1)
        raw[place] ^= mask
    path = tmp_path / "ledger.db"
    path.write_bytes(raw)
    try:
        reports_of(path)
    except StoreError as error:
        assert "\n" not in str(error) and str(error).isprintable()
