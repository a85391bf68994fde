"""The ledger's file: what is damaged, foreign, bare or being written by another process."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chain.checkpoint import open_checkpoint
from chain.merkle import check_consistency, leaf_hash
from chain.receipt import check_entry_receipt, parse_entry_receipt
from ledger.bodies import Dispute
from ledger.state import freeze
from node import Node
from store.log import StoreError
from store.sqlite import APPLICATION_ID, SqliteStore
from tests.store.village import (
    KEYS,
    ORIGIN,
    PROVIDER,
    RECIPIENT,
    HandClock,
    assert_whole,
    contents,
    donation,
    new_node,
    open_home,
    record,
    service,
)
from tests.store.village import new_home as village_home


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The closed file of a ledger of some 30 entries, three blocks, and one entry that is not sealed."""
    store = SqliteStore(tmp_path / "ledger.db", ORIGIN)
    node = new_node(store)
    for minutes in range(1, 4):
        record(node, [service(minutes), service(minutes)])
        node.seal()
    record(node, [service(9)])
    store.close()
    return tmp_path / "ledger.db"


def execute(path: Path, *statements: str) -> None:
    """Change the file behind the node's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def without_snapshot(held: tuple[object, ...]) -> tuple[object, ...]:
    """``contents`` but for what each process has its own idea of, the state; and accounts, which are those of now."""
    return held[:5] + held[6:7] + held[8:]


def reopened(path: Path) -> Node:
    return Node(SqliteStore(path), KEYS, HandClock())


# The archive


def test_the_file_is_the_formats_archive(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,) == (0x48555A48,)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT id, origin FROM log").fetchall() == [(1, ORIGIN)]
        assert connection.execute("SELECT typeof(bytes), typeof(idx) FROM entry").fetchone() == ("blob", "integer")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_is_written_ahead_and_synced_in_full(path: Path) -> None:
    store = SqliteStore(path)
    connection = store._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_a_bare_copy_holds_the_archive_and_nothing_else(path: Path) -> None:
    node = reopened(path)
    assert isinstance(node.store, SqliteStore)
    record(node, [service(2)])
    bare = path.with_name("bare.db")
    node.store.copy_to(bare)
    assert bare.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(bare)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")}
        entries = [raw for (raw,) in connection.execute("SELECT bytes FROM entry ORDER BY idx")]
        checkpoints = list(connection.execute("SELECT size, note FROM checkpoint ORDER BY size"))
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert tables == {"log", "entry", "checkpoint"}
    assert entries == list(node.store.entries(0, node.store.size))
    assert checkpoints == list(node.store.checkpoints())
    assert sorted(file.name for file in path.parent.glob("bare*")) == ["bare.db"]
    with pytest.raises(StoreError, match="cannot be made"):
        node.store.copy_to(bare)
    node.store.close()


def failing(*_words: object) -> None:
    raise sqlite3.OperationalError("no room")


def test_a_copy_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = reopened(path).store
    assert isinstance(store, SqliteStore)
    before = sorted(path.parent.iterdir())
    monkeypatch.setattr("store.sqlite._drop", failing)
    with pytest.raises(StoreError, match="no room"):
        store.copy_to(path.with_name("copy.db"))
    assert sorted(path.parent.iterdir()) == before
    store.close()


def test_a_reader_of_a_damaged_ledger_is_told_what_mends_it(path: Path) -> None:
    reopened(path).store.close()
    execute(path, "UPDATE entry SET bytes=CAST('{}' AS BLOB) WHERE idx=1")
    with pytest.raises(StoreError, match="is damaged: run `huzhu seal`"):
        SqliteStore(path, read_only=True)


def test_a_bare_copy_becomes_a_nodes_ledger_again(path: Path) -> None:
    node = reopened(path)
    assert isinstance(node.store, SqliteStore)
    expected, state = contents(node.store), freeze(node.state)
    node.store.copy_to(path.with_name("bare.db"))
    node.store.close()
    with pytest.raises(StoreError, match="bare archive: run `huzhu seal`"):
        SqliteStore(path.with_name("bare.db"), read_only=True)
    again = reopened(path.with_name("bare.db"))
    found = contents(again.store)
    assert freeze(again.state) == state
    assert without_snapshot(found) == without_snapshot(expected)
    record(again, [service(1)])
    again.seal()
    assert_whole(again)
    again.store.close()


def test_an_archive_that_another_program_made_becomes_a_nodes_ledger(path: Path) -> None:
    node = reopened(path)
    entries, checkpoints = list(node.store.entries(0, node.store.size)), list(node.store.checkpoints())
    node.store.close()
    made = path.with_name("made.db")
    execute(
        made,
        "PRAGMA application_id=1213553224",
        "PRAGMA user_version=1",
        "CREATE TABLE log(id INTEGER PRIMARY KEY, origin TEXT UNIQUE NOT NULL)",
        "CREATE TABLE entry(log INTEGER, idx INTEGER, bytes BLOB, PRIMARY KEY(log, idx)) WITHOUT ROWID",
        "CREATE TABLE checkpoint(log INTEGER, size INTEGER, note BLOB, PRIMARY KEY(log, size)) WITHOUT ROWID",
        f"INSERT INTO log VALUES(7, '{ORIGIN}')",
    )
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.executemany("INSERT INTO entry VALUES(7, ?, ?)", enumerate(entries))
        connection.executemany("INSERT INTO checkpoint VALUES(7, ?, ?)", checkpoints)
    again = reopened(made)
    record(again, [service(1)])
    assert_whole(again)
    again.store.close()


def test_a_copy_for_which_there_is_no_room_is_not_left_behind(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="cannot be made"):
        store.copy_to(path.parent / "none" / "copy.db")
    store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.db"]


# What can be lost


LOSSES = {
    "all-tiles": ["DELETE FROM tile"],
    "edge-tile": ["DELETE FROM tile WHERE level=0"],
    "tile-cut-off": ["UPDATE tile SET hashes=substr(hashes, 1, 64)"],
    "tile-empty": ["UPDATE tile SET hashes=x''"],
    "tile-of-zeros": ["UPDATE tile SET hashes=zeroblob(length(hashes))"],
    "tile-with-one-byte-changed": ["UPDATE tile SET hashes=CAST(x'00' || substr(hashes, 2) AS BLOB)"],
    "tile-of-text": ["UPDATE tile SET hashes='hashes'"],
    "snapshot-of-text": ["UPDATE snapshot SET digest='digest', state='state'"],
    "snapshot-of-numbers": ["UPDATE snapshot SET size='x', digest=7, state=NULL"],
    "no-tile-table": ["DROP TABLE tile"],
    "no-view-of-legs": ["DROP VIEW leg"],
    "a-table-for-the-view-of-legs": ["DROP VIEW leg", "CREATE TABLE leg(account TEXT)"],
    "no-table-of-fresh-legs": ["DROP TABLE fresh_leg"],
    "no-table-of-settled-legs": ["DROP TABLE settled_leg"],
    "no-snapshot-table": ["DROP TABLE snapshot"],
    "no-tables-of-the-node": ["DROP TABLE tile", "DROP TABLE fresh_leg", "DROP TABLE snapshot"],
    "no-record-of-migrations": ["DROP TABLE _sqlite_migrations"],
    "snapshot": ["DELETE FROM snapshot"],
    "snapshot-and-legs": ["DELETE FROM snapshot", "DELETE FROM fresh_leg"],
}


@pytest.mark.parametrize("statements", LOSSES.values(), ids=LOSSES)
def test_what_follows_from_the_archive_is_made_again(statements: list[str], path: Path) -> None:
    node = reopened(path)
    state = freeze(node.state)
    node.store.close()
    execute(path, *statements)
    again = reopened(path)
    assert freeze(again.state) == state
    assert_whole(again)
    record(again, [service(1)])
    again.seal()
    assert_whole(again)
    again.store.close()


def test_who_a_service_concerns_has_a_leg_of_nothing_that_is_made_again_too(path: Path) -> None:
    node = reopened(path)
    index = record(node, [service(5)])[0].index
    record(node, [Dispute(index=index, party=RECIPIENT, ground="x")])
    node.seal()
    legs = {number: list(node.store.legs(number)) for number in (PROVIDER, RECIPIENT)}
    assert [each[-1][1:] for each in legs.values()] == [(index + 1, 0, 0)] * 2
    node.store.close()
    execute(path, "DROP TABLE settled_leg")
    again = reopened(path)
    assert {number: list(again.store.legs(number)) for number in legs} == legs
    assert_whole(again)
    again.store.close()


def test_lost_tiles_are_made_again_in_a_long_log(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger.db", ORIGIN)
    entries = [b"%d" % number for number in range(20_000)]
    store.append(entries, [leaf_hash(entry) for entry in entries], {})
    store.commit()
    nodes = store.hashes.frontier().nodes()
    store.close()
    execute(tmp_path / "ledger.db", "DELETE FROM tile WHERE level=0 AND idx=78")
    again = SqliteStore(tmp_path / "ledger.db")
    assert again.hashes.frontier().nodes() == nodes
    again.close()


# What cannot be read


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is missing; restore it from a backup"):
        SqliteStore(tmp_path / "ledger.db")
    with pytest.raises(StoreError, match="is missing"):
        SqliteStore(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_new_ledger_is_not_made_over_a_file(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(StoreError, match="cannot be made"):
        SqliteStore(path, ORIGIN)
    assert path.read_bytes() == before


def foreign(folder: Path) -> Iterator[tuple[str, Path]]:
    for name, raw in {
        "empty": b"",
        "text": b"a letter to nobody, long enough to be more than the header of a database file\n" * 9,
        "zeros": bytes(65_536),
        "header-alone": b"SQLite format 3\x00" + bytes(84),
        "zip": b"PK\x03\x04" + bytes(1_000),
    }.items():
        (folder / name).write_bytes(raw)
        yield name, folder / name
    execute(folder / "other-program", "CREATE TABLE letters(id INTEGER)")
    yield "other-program", folder / "other-program"
    execute(folder / "other-id", "PRAGMA application_id=1", "CREATE TABLE log(id INTEGER PRIMARY KEY, origin TEXT)")
    yield "other-id", folder / "other-id"


def test_a_foreign_file_is_one_clear_line_and_stays_as_it_is(tmp_path: Path) -> None:
    for name, file in foreign(tmp_path):
        before = file.read_bytes()
        for read_only in (True, False):
            with pytest.raises(StoreError) as refused:
                SqliteStore(file, read_only=read_only)
            assert str(file) in str(refused.value) and "\n" not in str(refused.value), name
            assert "restore it from a backup" in str(refused.value), name
        assert file.read_bytes() == before, name


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (["PRAGMA user_version=2"], "is of version 2; this program knows version 1"),
        (["DELETE FROM log"], "does not hold one ledger"),
        (["INSERT INTO log VALUES(2, 'other.example')"], "does not hold one ledger"),
        (["DROP TABLE log"], "no such table"),
        (["DELETE FROM entry WHERE idx=3", "DELETE FROM tile"], "lacks some of its"),
    ],
    ids=["newer", "no-ledger", "two-ledgers", "no-table", "entry-lost"],
)
def test_a_ledger_that_is_none_is_one_clear_line(statements: list[str], why: str, path: Path) -> None:
    execute(path, *statements)
    with pytest.raises(StoreError, match=why) as refused:
        SqliteStore(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def opened_and_read(path: Path, read_only: bool) -> None:
    """Everything a node reads of its file."""
    store = SqliteStore(path, read_only=read_only)
    try:
        node = Node(store, None if read_only else KEYS, HandClock())
        contents(store)
        for index in range(store.size):
            node.entry(index)
    finally:
        store.close()


def damaged(raw: bytes) -> Iterator[bytes]:
    """The file cut off, zeroed or scribbled over, at many places."""
    chance = random.Random(3)
    for length in (1, 99, 100, 512, 4_096, 16_384, 20_000, 32_768, len(raw) // 2, len(raw) - 16_384, len(raw) - 1):
        yield raw[:length]
    for start in range(0, len(raw), 16_384):
        yield raw[:start] + bytes(16_384) + raw[start + 16_384 :]
    for _ in range(60):
        start, length = chance.randrange(len(raw)), chance.choice((1, 8, 300))
        noise = chance.randbytes(length)
        yield (raw[:start] + noise + raw[start + length :])[: len(raw)]


def test_a_damaged_file_is_a_store_error_or_reads_as_before(path: Path, tmp_path: Path) -> None:
    """Never a traceback of another kind: whoever runs the node gets one sentence."""
    raw = path.read_bytes()
    refused = 0
    for number, bad in enumerate(damaged(raw)):
        file = tmp_path / f"bad{number}.db"
        for read_only in (True, False):
            file.write_bytes(bad)
            try:
                opened_and_read(file, read_only)
            except StoreError as error:
                assert "\n" not in str(error)
                refused += 1
        for left in tmp_path.glob(f"{file.name}*"):
            left.unlink()
    assert refused > 40


def test_an_entry_that_is_damaged_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("SELECT max(idx) + 1 FROM entry").fetchone()[0]
    for index in range(size):
        copy = path.with_name(f"copy{index}.db")
        shutil.copy(path, copy)
        execute(copy, f"UPDATE entry SET bytes=x'7b7d' WHERE idx={index}", "DELETE FROM snapshot")  # noqa: S608
        with pytest.raises(StoreError, match=f"entry {index} of {ORIGIN} is damaged: restore ledger.db from a backup"):
            reopened(copy)


def test_a_damaged_entry_behind_the_snapshot_is_told_too(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        snapshot_size, size = connection.execute(
            "SELECT (SELECT size FROM snapshot), (SELECT max(idx) + 1 FROM entry)"
        ).fetchone()
    for index in range(snapshot_size - 1, size):
        copy = path.with_name(f"copy{index}.db")
        shutil.copy(path, copy)
        execute(copy, f"UPDATE entry SET bytes=x'7b7d' WHERE idx={index}")  # noqa: S608
        with pytest.raises(StoreError, match=f"entry {index} of {ORIGIN} is damaged"):
            reopened(copy)


def test_a_node_does_not_go_on_from_entries_that_are_not_under_its_last_checkpoint(path: Path) -> None:
    """One digit of an old record, in a file whose snapshot is whole: the node must not seal over it."""
    sql = "SELECT idx, bytes FROM entry WHERE instr(bytes, CAST('\"minutes\":' AS BLOB)) LIMIT 1"
    with closing(sqlite3.connect(path)) as connection, connection:
        index, raw = connection.execute(sql).fetchone()
        place = raw.index(b'"minutes":') + 10
        changed = raw[:place] + (b"9" if raw[place : place + 1] != b"9" else b"8") + raw[place + 1 :]
        connection.execute("UPDATE entry SET bytes=? WHERE idx=?", (changed, index))
    with pytest.raises(StoreError, match=r"restore ledger\.db from a backup"):
        reopened(path)


def test_a_lost_entry_is_told(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("SELECT max(idx) + 1 FROM entry").fetchone()[0]
    for index in range(size - 1):
        copy = path.with_name(f"copy{index}.db")
        shutil.copy(path, copy)
        execute(copy, f"DELETE FROM entry WHERE idx={index}", "DELETE FROM snapshot")  # noqa: S608
        with pytest.raises(StoreError, match=r"restore (ledger\.db|it) from a backup"):
            reopened(copy)


# One writes, another reads


def test_a_reader_sees_the_ledger_as_it_was_when_it_opened(tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    with open_home(home) as writer, open_home(home, writes=False) as reader:
        size, balance = reader.store.size, reader.balance(PROVIDER)
        before = contents(reader.store)
        for minutes in range(1, 40):
            record(writer, [donation(minutes % 7 + 1)] * 8)
            if minutes % 10 == 0:
                writer.seal()
        assert writer.store.size > 320
        assert (reader.store.size, reader.balance(PROVIDER)) == (size, balance)
        found = contents(reader.store)
        assert without_snapshot(found) == without_snapshot(before)
        checkpoint, _ = open_checkpoint(reader.checkpoint())
        assert checkpoint.size == 2
        assert check_entry_receipt(parse_entry_receipt(reader.receipt(0))) == checkpoint
        with open_home(home, writes=False) as later:
            assert freeze(later.state) == freeze(writer.state)
            newest, _ = open_checkpoint(later.checkpoint())
            check_consistency(2, newest.size, checkpoint.root, newest.root, later.consistency(2))
            for index in range(0, newest.size, 17):
                assert check_entry_receipt(parse_entry_receipt(later.receipt(index))) == newest


def test_what_is_not_committed_nobody_else_sees(tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    with open_home(home) as writer:
        size = writer.store.size
        record(writer, [service(1)], durable=False)
        with open_home(home, writes=False) as reader:
            assert reader.store.size == size
        writer.commit()
        with open_home(home, writes=False) as reader:
            assert reader.store.size == size + 1


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    home = village_home(tmp_path / "home")
    with open_home(home, writes=False) as reader:
        before = contents(reader.store)
        with pytest.raises(StoreError, match="cannot be written"):
            reader.store.put_checkpoint(1, b"note")
        with pytest.raises(Exception, match="opened for reading only"):
            reader.seal()
        with pytest.raises(StoreError, match="cannot be written"):
            record(reader, [service(1)])
        assert contents(reader.store) == before


def test_a_second_writer_without_the_lock_waits_and_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.database.BUSY_MILLISECONDS", 1)
    first, second = SqliteStore(path), SqliteStore(path)
    first.put_checkpoint(1, b"note")
    with pytest.raises(StoreError, match="another process writes"):
        second.put_checkpoint(1, b"other note")
    second.rollback()
    first.rollback()
    second.put_checkpoint(1, b"other note")
    second.commit()
    assert first.checkpoint(1) == b"other note"
    first.close()
    second.close()
