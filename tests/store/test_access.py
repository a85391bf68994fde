"""Users, tokens, sessions and looks in a real file: what is kept, for how long, and what two processes see."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from store.access import DEVICES_MAX, SESSIONS_MAX, TOKENS_MAX, Access, AccessError, Look
from store.attempts import GATES_MAX, Gate, Tries
from store.log import StoreError

NOW = 1_700_000_000
HOUR, DAY = 3_600, 86_400
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be."""
    return tmp_path / "access.db"


@pytest.fixture
def access(path: Path) -> Iterator[Access]:
    """A file with one user in it."""
    with closing(Access(path)) as opened:
        opened.add_user("wang", "clerk", ledger="a.example/x", password="hash", now=NOW)
        yield opened


def sign_in(access: Access, name: str, hashed: bytes, now: int = NOW) -> bool:
    user = access.user(name)
    assert user is not None
    return access.open_session(user, hashed, now=now, expires_seconds=now + HOUR, password=user.password)


def add_token(access: Access, hashed: bytes, expires: int = NOW + DAY) -> int:
    return access.add_token("wang", hashed, label="x", scopes=["read"], now=NOW, expires_seconds=expires)


def test_only_its_owner_reads_the_file_and_what_stands_beside_it(access: Access, path: Path) -> None:
    add_token(access, b"t")
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.glob("access.db*")}
    assert modes == {"access.db": 0o600, "access.db-wal": 0o600, "access.db-shm": 0o600}


def test_what_was_written_is_there_again(access: Access, path: Path) -> None:
    number = add_token(access, b"t")
    sign_in(access, "wang", b"s")
    with closing(Access(path)) as again:
        assert again.users() == access.users()
        assert [token.id for token in again.tokens()] == [number]
        holder = again.token_holder(b"t")
        assert holder is not None
        assert (holder.name, holder.scopes, holder.expires_seconds) == ("wang", ("read",), NOW + DAY)
        session = again.session_holder(b"s")
        assert session is not None
        assert (session.scopes, session.seen_seconds, session.expires_seconds) == (None, NOW, NOW + HOUR)


def test_two_users_have_not_one_name(access: Access) -> None:
    with pytest.raises(AccessError, match="there is a user wang already"):
        access.add_user("wang", "auditor", now=NOW)
    access.note_look(Look(NOW, "li", "statement", "12345676", "a.example/x"))
    with pytest.raises(AccessError, match="whose looks are still recorded"):
        access.add_user("li", "auditor", now=NOW)


@pytest.mark.parametrize("method", ["set_password", "set_disabled", "remove_user"])
def test_nobody_is_changed_who_is_not_there(access: Access, method: str) -> None:
    more = () if method == "remove_user" else ("x",)
    with pytest.raises(AccessError, match="there is no user nobody"):
        getattr(access, method)("nobody", *more)


def test_another_password_ends_sessions_but_not_tokens(access: Access) -> None:
    add_token(access, b"t")
    sign_in(access, "wang", b"s")
    access.set_password("wang", "other")
    assert access.session_holder(b"s") is None
    assert access.token_holder(b"t") is not None


def test_who_made_a_password_is_kept_with_it(access: Access, path: Path) -> None:
    access.add_user("li", "clerk", password="made", is_given=True, now=NOW)
    sign_in(access, "li", b"s")
    add_token(access, b"t")
    with closing(Access(path)) as again:
        assert {user.name: user.is_given for user in again.users()} == {"li": True, "wang": False}
        session, token = again.session_holder(b"s"), again.token_holder(b"t")
        assert session is not None and token is not None
        assert (session.is_given, token.is_given) == (True, False)
    access.set_password("wang", "made", is_given=True)
    access.set_password("li", "chosen")
    assert {user.name: user.is_given for user in access.users()} == {"li": False, "wang": True}


def test_a_newer_hash_of_a_given_password_is_of_a_given_password(access: Access) -> None:
    access.set_password("wang", "weak", is_given=True)
    user = access.user("wang")
    assert user is not None
    assert access.open_session(user, b"s", now=NOW, expires_seconds=NOW + HOUR, password="strong")
    after = access.user("wang")
    assert after is not None
    assert (after.password, after.is_given) == ("strong", True)


def test_a_disabled_user_has_neither_and_gets_the_tokens_back(access: Access) -> None:
    add_token(access, b"t")
    sign_in(access, "wang", b"s")
    access.set_disabled("wang", True)
    assert (access.session_holder(b"s"), access.token_holder(b"t")) == (None, None)
    assert not sign_in(access, "wang", b"s2")
    access.set_disabled("wang", False)
    assert access.session_holder(b"s") is None
    assert access.token_holder(b"t") is not None


def test_a_removed_user_leaves_nothing_behind(access: Access, path: Path) -> None:
    add_token(access, b"t" * 32)
    sign_in(access, "wang", b"s" * 32)
    user = access.user("wang")
    assert user is not None
    access.trust_device(user, b"d" * 32, NOW)
    access.remove_user("wang")
    with closing(sqlite3.connect(path)) as raw:
        left = "SELECT (SELECT count(*) FROM user), (SELECT count(*) FROM token),"
        left += " (SELECT count(*) FROM session), (SELECT count(*) FROM device)"
        assert raw.execute(left).fetchone() == (0, 0, 0, 0)
    access.add_user("wang", "clerk", now=NOW)
    assert access.token_holder(b"t" * 32) is None


def test_no_session_begins_for_who_was_changed_meanwhile(access: Access) -> None:
    before = access.user("wang")
    assert before is not None
    access.set_password("wang", "other")
    assert not access.open_session(before, b"s", now=NOW, expires_seconds=NOW + HOUR, password="hash")
    after = access.user("wang")
    assert after is not None
    assert after.password == "other"


def test_sessions_and_devices_of_one_user_are_bounded(access: Access) -> None:
    user = access.user("wang")
    assert user is not None
    for number in range(SESSIONS_MAX + 5):
        sign_in(access, "wang", b"s%d" % number, NOW + number)
        access.trust_device(user, b"d%d" % number, NOW + number)
    kept = [number for number in range(SESSIONS_MAX + 5) if access.session_holder(b"s%d" % number)]
    assert kept == list(range(5, SESSIONS_MAX + 5))
    sign_in(access, "wang", b"new", NOW)
    assert access.session_holder(b"new") and access.session_holder(b"s%d" % (SESSIONS_MAX + 4)), "by a clock set back"
    assert sum(access.device_user(b"d%d" % number) == "wang" for number in range(SESSIONS_MAX + 5)) == DEVICES_MAX


def test_tokens_of_one_user_are_bounded_and_expired_ones_give_way(access: Access) -> None:
    for number in range(TOKENS_MAX):
        add_token(access, b"%d" % number, NOW + DAY + number)
    with pytest.raises(AccessError, match="has 100 tokens already"):
        add_token(access, b"more")
    access.add_token("wang", b"later", label="", scopes=["read"], now=NOW + DAY, expires_seconds=NOW + 2 * DAY)
    assert access.token_holder(b"0") is None


def test_a_token_is_revoked_by_its_user_or_by_whoever_runs_the_node(access: Access) -> None:
    access.add_user("li", "auditor", now=NOW)
    number = add_token(access, b"t")
    assert not access.revoke_token(number, "li")
    assert access.token_holder(b"t") is not None
    assert access.revoke_token(number, "wang")
    assert not access.revoke_token(number)
    assert access.token_holder(b"t") is None


def test_the_version_changes_with_every_commit_of_anybody(access: Access, path: Path) -> None:
    first = access.version
    assert access.version == first
    add_token(access, b"t")
    second = access.version
    assert second != first
    with closing(Access(path)) as other:
        other.revoke_token(1)
    assert access.version != second


def test_a_file_that_replaced_it_is_opened(access: Access, path: Path, tmp_path: Path) -> None:
    with closing(Access(tmp_path / "other.db")) as other:
        other.add_user("li", "auditor", now=NOW)
    add_token(access, b"t")
    before = access.version
    (tmp_path / "other.db").replace(path)
    assert access.version != before
    assert access.token_holder(b"t") is None
    assert [user.name for user in access.users()] == ["li"]
    access.add_user("zhao", "clerk", now=NOW)
    with closing(Access(path)) as again:
        assert [user.name for user in again.users()] == ["li", "zhao"]


def test_a_look_goes_into_the_file_that_stands_there(access: Access, path: Path, tmp_path: Path) -> None:
    Access(tmp_path / "other.db").close()
    access.users()
    (tmp_path / "other.db").replace(path)
    access.note_look(look(NOW))
    with closing(Access(path)) as again:
        assert len(again.looks()) == 1


def test_a_file_that_is_gone_is_said_and_not_made_anew(access: Access, path: Path) -> None:
    path.rename(path.with_name("away.db"))
    for ask in (lambda: access.version, access.users, lambda: access.note_look(look(NOW))):
        with pytest.raises(StoreError, match="is gone"):
            ask()
    assert not path.exists()
    path.with_name("away.db").rename(path)
    assert len(access.users()) == 1


GATE = Gate(b"g", 3, 60)


def test_each_try_beyond_the_free_ones_doubles_the_wait(access: Access) -> None:
    assert [access.begin_attempt([GATE], NOW) for _try in range(4)] == [0, 0, 0, 1]
    now, waits = NOW, []
    for _try in range(8):
        wait = access.begin_attempt([GATE], now)
        assert wait
        assert access.begin_attempt([GATE], now + wait - 1) > 0
        now += wait
        assert access.begin_attempt([GATE], now) == 0
        waits.append(wait)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_wait_outlives_a_restart(access: Access, path: Path) -> None:
    for _try in range(3):
        access.begin_attempt([GATE], NOW)
    with closing(Access(path)) as again:
        assert again.begin_attempt([GATE], NOW) == 1


def test_what_waits_at_one_gate_counts_at_none(access: Access) -> None:
    other = Gate(b"other", 3, 60)
    for _try in range(3):
        access.begin_attempt([GATE], NOW)
    for _try in range(10):
        assert access.begin_attempt([GATE, other], NOW) == 1
    assert access.begin_attempt([other], NOW) == 0


def test_a_right_try_is_taken_back(access: Access) -> None:
    for _try in range(20):
        assert access.begin_attempt([GATE], NOW) == 0
        access.forgive_attempt([GATE])


@pytest.mark.parametrize(
    ("tries", "now", "wait"),
    [
        (Tries(0, NOW), NOW, 0),
        (Tries(2, NOW), NOW, 0),
        (Tries(3, NOW), NOW, 1),
        (Tries(9, NOW), NOW, 60),
        (Tries(9, NOW), NOW + 59, 1),
        (Tries(9, NOW), NOW + 60, 0),
        (Tries(1_000_000, NOW), NOW, 60),
        (Tries(9, NOW), NOW - DAY, 60),  # the clock was set back
        (Tries(2**62, NOW), NOW + 100 * 365 * DAY, 0),
    ],
)
def test_waits(tries: Tries, now: int, wait: int) -> None:
    assert tries.wait_seconds(GATE, now) == wait


def test_an_hour_in_peace_halves_the_count() -> None:
    assert [Tries(12, NOW).faded(NOW + hours * HOUR) for hours in (0, 1, 2, 3, 4)] == [12, 6, 3, 1, 0]


def test_counts_of_tries_are_bounded(access: Access, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        rows = ((b"%d" % number, 1, NOW - DAY) for number in range(GATES_MAX))
        raw.execute("BEGIN")
        raw.executemany("INSERT INTO attempt VALUES(?, ?, ?)", rows)
        raw.execute("COMMIT")
        access.begin_attempt([GATE, Gate(b"h", 1, 1)], NOW)
        assert raw.execute("SELECT count(*) FROM attempt").fetchone() == (GATES_MAX,)
        assert raw.execute("SELECT count FROM attempt WHERE gate=?", (b"g",)).fetchone() == (1,)


def look(at: int, user: str = "li", account: str = "12345676") -> Look:
    return Look(at, user, "statement", account, "a.example/x")


def test_looks_are_counted_by_the_hour(access: Access) -> None:
    begin = NOW - NOW % HOUR
    for at in (begin, begin + 10, begin + HOUR - 1, begin + HOUR):
        access.note_look(look(at))
    assert [(each.at_seconds, each.times) for each in access.looks()] == [(begin, 3), (begin + HOUR, 1)]


def test_looks_are_found_by_account_and_by_user(access: Access) -> None:
    for user, account in (("li", "1"), ("li", "2"), ("wu", "1")):
        access.note_look(look(NOW, user, account))
    assert [each.user for each in access.looks("1")] == ["wu", "li"]
    assert [each.account for each in access.looks(user="li")] == ["2", "1"]
    assert access.looks("2", "wu") == []


def test_looks_are_forgotten_after_their_time(path: Path) -> None:
    with closing(Access(path, look_days=10)) as access:
        access.note_look(look(NOW))
        access.note_look(look(NOW + 10 * DAY, "wu"))
        assert len(access.looks()) == 2
        access.note_look(look(NOW + 10 * DAY + 1, "wu"))
        assert [each.user for each in access.looks()] == ["wu"]


def test_another_process_adds_a_user_while_this_one_reads(access: Access, path: Path) -> None:
    before = access.version
    script = (
        "import pathlib, sys; from store.access import Access\n"
        "access = Access(pathlib.Path(sys.argv[1]))\n"
        "for number in range(20): access.add_user(f'user{number}', 'auditor', now=1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT) as other:
        for number in range(20):
            access.note_look(look(NOW, f"looker{number}"))
        assert other.wait() == 0
    assert len(access.users()) == 21
    assert access.version != before


def test_many_processes_make_the_file_at_once(path: Path) -> None:
    script = (
        "import pathlib, sys; from store.access import Access\n"
        "Access(pathlib.Path(sys.argv[1])).add_user(sys.argv[2], 'auditor', now=1)\n"
    )
    words = [[sys.executable, "-c", script, str(path), f"user{number}"] for number in range(4)]
    started = [subprocess.Popen(each, cwd=ROOT) for each in words]
    assert [each.wait() for each in started] == [0] * 4
    with closing(Access(path)) as access:
        assert len(access.users()) == 4


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs(x)")
    with pytest.raises(StoreError, match="is no list of users"):
        Access(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="is damaged"):
        Access(path)


def test_many_threads_make_the_file_at_once_and_leave_no_draft(path: Path) -> None:
    def begin(number: int) -> None:
        together.wait()
        with closing(Access(path)) as access:
            access.add_user(f"user{number}", "auditor", now=NOW)

    together = threading.Barrier(6)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(begin, range(6))) == [None] * 6
    with closing(Access(path)) as access:
        assert len(access.users()) == 6
    assert [each.name for each in path.parent.iterdir()] == ["access.db"]


def test_a_file_of_a_newer_program_is_left_alone(path: Path) -> None:
    Access(path).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version=9")
    with pytest.raises(StoreError, match="is of version 9"):
        Access(path)


def test_a_folder_that_is_not_there_is_said(path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made: No such file"):
        Access(path.parent / "nowhere" / "access.db")


def test_a_full_disk_is_said_and_nothing_is_half_done(access: Access) -> None:
    (pages,) = access._writer.execute("PRAGMA page_count").fetchone()
    access._writer.execute(f"PRAGMA max_page_count={pages}")
    number = 0
    with pytest.raises(StoreError, match=r"the disk that holds .* is full; nothing more was written"):
        for number in range(10_000):
            access.add_user(f"user{number}", "auditor", now=NOW)
    assert len(access.users()) == number + 1
    access.set_disabled("wang", True)


def test_a_file_that_cannot_be_written_is_said(access: Access) -> None:
    access._writer.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match="cannot be written: check its owner and mode"):
        access.set_disabled("wang", True)
    assert access.user("wang") is not None
