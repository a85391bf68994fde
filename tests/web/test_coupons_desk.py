"""Coupons from the tier above to the desk and onto the ledger, through the commands that people type."""

import re
import shutil
import stat
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.numbers import account_number
from tests.web.desk import ANNE, BEN, CLARA, DORA, ORIGIN, Desk
from web import couponbooks
from web.coupons import Coupon, Shelf, format_coupon, parse_coupon
from web.refused import Draft

DAY = ("--date", "2025-11-01", "--start", "09:00", "--end", "10:30")
SERVED = ("--category", "assistance", *DAY, "--paid-by", "issue")
TYPED = re.compile(r'<p class="typed">(.*?)</p>')
TIM = account_number(222_222)


@pytest.fixture
def village(desk: Desk) -> Desk:
    """Four people, and no tier above: the members stand in for it."""
    desk.populate()
    return desk


def issue(
    desk: Desk, *words: str, account: str = DORA, count: int = 5, name: str = "book.html"
) -> tuple[int, list[str]]:
    """A new book's index and the texts that stand on its page, as they are typed."""
    told = ("--count", str(count), "--minutes-max", "90", "-o", desk.folder / name)
    book = desk.json("coupon", "issue", account, *told, *words)
    page = (desk.folder / name).read_text("utf-8")
    return book["index"], [line.replace("<br>", " ") for line in TYPED.findall(page)]


def record(desk: Desk, text: str, *words: str, status: int = 0, provider: str = BEN) -> Any:
    """Record a service that a coupon shows."""
    return desk.json("record", provider, "--coupon", text, *SERVED, *words, status=status)


def entry_of(desk: Desk, answer: dict[str, Any]) -> Any:
    """The entry that a command wrote."""
    return desk.entries()[answer["index"]]


def outcome(desk: Desk, text: str, *words: str, provider: str = BEN) -> str:
    """Why such a service is refused."""
    return str(record(desk, text, *words, status=1, provider=provider)["outcome"])


def files_of(desk: Desk) -> Iterator[bytes]:
    """The bytes of everything that the home keeps."""
    return (path.read_bytes() for path in desk.home.rglob("*") if path.is_file())


# Books


def test_a_book_is_issued_and_printed(village: Desk) -> None:
    book = village.json("coupon", "issue", DORA, "--minutes-max", "90", "-o", village.folder / "book.html")
    body = entry_of(village, book).body
    assert (body.account, body.count, body.minutes_max, b64encode(body.root).decode()) == (DORA, 24, 90, book["root"])
    assert (book["book"], book["count"]) == (book["index"], 24)
    page = Path(book["file"])
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.read_text("utf-8").count("<article") == 24
    assert [path.name for path in (village.home / "coupons").iterdir()] == [f"{body.root.hex()}.leaves"]
    assert village.json("coupon", "show", str(book["index"])) == {
        "book": book["index"],
        "account": DORA,
        "count": 24,
        "used": 0,
        "left": 24,
        "minutes_max": 90,
    }
    assert village.verify()["ok"]


def test_no_secret_stays_in_the_home(village: Desk) -> None:
    _book, texts = issue(village)
    secrets = [parse_coupon(text, ORIGIN).secret for text in texts]
    assert len(set(secrets)) == 5
    spellings = [spelled for secret in secrets for spelled in (secret, b64encode(secret), secret.hex().encode())]
    spellings += [text.split(":")[3].replace(" ", "").encode() for text in texts]
    assert not [spelled for held in files_of(village) for spelled in spellings if spelled in held]


def test_every_book_has_other_secrets(village: Desk) -> None:
    first, second = (issue(village, name=name)[1] for name in ("1.html", "2.html"))
    assert not set(first) & set(second)
    assert [book["left"] for book in village.json("coupon", "show")] == [5, 5]
    assert "90" in village("coupon", "show").stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((DORA, "-o", "book.txt"), ".pdf or .html"),
        ((DORA, "-o", "nowhere/book.pdf"), "make it first"),
        ((DORA, "-o", "people.html"), "is there already"),
        ((DORA, "-o", "book.pdf", "--count", "1025"), "from 1 to 1024"),
        ((DORA, "-o", "book.pdf", "--count", "0"), "from 1 to 1024"),
        (("1234", "-o", "book.pdf"), "check digits"),
    ],
)
def test_a_book_that_cannot_be_made(
    village: Desk, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(village.folder)
    village.file("people.html", "kept")
    size = len(village.entries())
    assert reason in village("coupon", "issue", *words, "--minutes-max", "90", status=2).stderr
    assert len(village.entries()) == size
    assert (village.folder / "people.html").read_text() == "kept"
    assert not list(village.folder.glob("book*"))


def test_a_refused_book_leaves_nothing_behind(village: Desk) -> None:
    page = village.folder / "book.html"
    words = ("coupon", "issue", TIM, "--minutes-max", "90", "-o", page)
    assert village.json(*words, status=1)["outcome"] == "no-account"
    assert not page.exists()
    assert not list((village.home / "coupons").iterdir())
    assert not [path for path in village.folder.iterdir() if path.name.startswith(".")]


def test_a_page_that_cannot_be_drawn_leaves_no_book(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_words: object) -> bytes:
        raise OSError(28, "No space left on device")

    size = len(village.entries())
    words = ("coupon", "issue", DORA, "--minutes-max", "90", "-o", village.folder / "book.html")
    monkeypatch.setattr(couponbooks, "draw_page", fail)
    assert "disk is full" in village(*words, status=2).stderr
    assert len(village.entries()) == size
    assert not list((village.home / "coupons").iterdir())
    assert village.json("coupon", "show") == []


def test_the_page_has_the_index_that_the_book_got(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.BLOCK_MAX_ENTRIES", 2)
    size = len(village.entries())
    book, texts = issue(village)
    assert book == size + 1
    assert [parse_coupon(text, ORIGIN).book for text in texts] == [book] * 5
    record(village, texts[0])


def test_a_book_whose_entry_failed_leaves_nothing(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(village.entries())
    words = ("coupon", "issue", DORA, "--minutes-max", "90", "-o", village.folder / "book.html")
    with monkeypatch.context() as patch:
        patch.setattr("node.sign_sheet", lambda *_words: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        assert "Input/output" in village(*words, status=2).stderr
    assert len(village.entries()) == size
    assert not list((village.home / "coupons").iterdir())
    assert not list(village.folder.glob("*.html"))


def test_a_page_that_did_not_come_to_its_place_waits(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_words: object) -> None:
        raise OSError(28, "No space left on device")

    words = ("coupon", "issue", DORA, "--count", "2", "--minutes-max", "90", "-o", village.folder / "book.html")
    with monkeypatch.context() as patch:
        patch.setattr("web.couponbooks.os.link", fail)
        patch.setattr(Draft, "place", fail)
        patch.setattr(
            Shelf, "_write", lambda _self, path, raw: (path.parent.mkdir(exist_ok=True), path.write_bytes(raw))
        )
        failed = village(*words, status=2).stderr
    [waiting] = (village.home / "coupons").glob("*.page")
    assert str(waiting) in failed
    shown = village("coupon", "show")
    assert str(waiting) in shown.stderr
    [book] = village.json("coupon", "show")
    lines = [line.replace("<br>", "") for line in TYPED.findall(waiting.read_text("utf-8"))]
    assert record(village, lines[0])["accepted"]
    issue(village, name="next.html")
    assert waiting.exists()
    assert book["left"] == 2


def test_a_page_comes_to_its_place_without_a_copy(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[bytes] = []
    written = Draft.write

    def write(draft: Draft, raw: bytes) -> None:
        if draft.path.name == "book.html":
            copied.append(raw)
        written(draft, raw)

    monkeypatch.setattr(Draft, "write", write)
    _book, texts = issue(village)
    assert len(texts) == 5 and not copied


def test_a_page_is_copied_to_another_file_system(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_words: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("web.couponbooks.os.link", fail)
    _book, texts = issue(village)
    assert len(texts) == 5
    assert stat.S_IMODE((village.folder / "book.html").stat().st_mode) == 0o600
    assert not list((village.home / "coupons").glob("*.page")) and not list(village.folder.glob(".*"))


def test_a_page_without_a_book_is_dropped(village: Desk) -> None:
    issue(village, name="first.html")
    orphan = village.home / "coupons" / f"{bytes(32).hex()}.page"
    orphan.write_bytes(b"<html>")
    issue(village, name="second.html")
    assert not orphan.exists()


def test_what_killed_commands_left_is_dropped(village: Desk) -> None:
    issue(village, name="first.html")
    folder = village.home / "coupons"
    [leaves] = folder.iterdir()
    other = bytes(32).hex()
    left = [f"{other}.leaves", f".{other}.leaves-abcd_123", f".{other}.page-abcdefgh", f".{leaves.stem}.page-abcdefgh"]
    kept = [leaves.name, f".{leaves.stem}.leaves-abcdefgh", "note.txt"]
    for name in [*left, *kept[1:]]:
        (folder / name).write_bytes(b"secret")
    draft = village.folder / ".second.html-abcdefgh"
    draft.write_bytes(b"secret")
    _book, [text, *_others] = issue(village, name="second.html")
    names = {path.name for path in folder.iterdir()}
    assert names.isdisjoint(left) and names.issuperset(kept)
    assert not draft.exists()
    assert record(village, text)["accepted"]


def test_a_page_that_waits_is_not_dropped_as_an_orphan(village: Desk) -> None:
    issue(village, name="first.html")
    [leaves] = (village.home / "coupons").iterdir()
    waiting = leaves.with_suffix(".page")
    waiting.write_bytes(b"<html>")
    issue(village, name="second.html")
    assert waiting.exists()


# Who may issue one


def key_file(desk: Desk, role: str) -> tuple[str, str, Path]:
    """A new person's key: its id, its public half and its file."""
    path = desk.folder / f"{role}-{len(list(desk.folder.glob('*.pem')))}.pem"
    made = desk.json("key", "new", "--role", role, "-o", path)
    return made["key"], made["public"], path


def test_below_another_tier_only_that_tier_issues_books(tmp_path: Path) -> None:
    above = Desk(tmp_path / "above")
    above.folder.mkdir()
    vkey = above.json("init", "--origin", "county.example", "--tier", "county")["vkey"]
    authorities = [key_file(above, "authority") for _place in range(2)]
    village = Desk(tmp_path)
    publics = village.file("county.keys", "".join(f"{public}\n" for _key, public, _path in authorities))
    village.init("--parent", vkey, "--authority", publics)
    village("person", "import", village.people({"account": DORA, "born": "1945-02-01", "roles": "elder"}))

    words = ("coupon", "issue", DORA, "--minutes-max", "90", "-o", village.folder / "book.html")
    assert "2 people with the role" in village(*words, status=2).stderr
    for key, _public, path in authorities:
        shutil.copy(path, village.home / "keys" / f"authority-{key}.pem")
    entry = entry_of(village, village.json(*words))
    assert {entry.by, *entry.beside} == {key for key, _public, _path in authorities}


def test_a_clerk_who_is_a_member_too_issues_none(village: Desk) -> None:
    for role in ("clerk", "member"):
        key = village.json("key", "new", "--role", role)["key"]
        village("key", "grant", key, "--role", role, "--account", ANNE)
    page = village.folder / "book.html"
    words = ("coupon", "issue", DORA, "--minutes-max", "90", "-o", page, "--member", key)
    assert village.json(*words, status=1)["outcome"] == "not-allowed"
    assert not page.exists()
    assert not list((village.home / "coupons").iterdir())


# At the desk


def test_a_coupon_serves_once(village: Desk) -> None:
    book, texts = issue(village)
    entry = entry_of(village, record(village, texts[2]))
    evidence = entry.body.evidence
    assert (entry.body.recipient, evidence.form, evidence.book, evidence.index) == (DORA, "coupon", book, 2)
    assert entry.beside == ()
    assert village.balance(BEN) == 90

    later = ("--start", "11:00", "--end", "12:00")
    assert outcome(village, texts[2], *later) == "coupon-used"
    assert village.json("coupon", "show", str(book))["used"] == 1
    record(village, texts[1], *later)
    assert village.verify()["ok"]


def test_a_photographed_coupon_serves_only_the_first(village: Desk) -> None:
    _book, [text, *_others] = issue(village)
    record(village, text)
    assert outcome(village, text.lower().replace(" ", ""), provider=ANNE) == "coupon-used"
    assert village.balance(ANNE) == 0


def test_it_serves_once_even_where_the_service_is_reversed(village: Desk) -> None:
    _book, [text, *_others] = issue(village)
    village("reverse", str(record(village, text)["index"]), "--reason", "wrong day")
    assert outcome(village, text) == "coupon-used"


def test_a_coupon_is_good_for_so_many_minutes(village: Desk) -> None:
    _book, [text, *_others] = issue(village)
    assert outcome(village, text, "--end", "10:31") == "coupon-over"
    assert record(village, text, "--end", "10:31", "--minutes", "90")["accepted"]


def test_a_coupon_is_of_one_elder(village: Desk) -> None:
    _book, [text, *_others] = issue(village)
    words = ("record", BEN, CLARA, "--coupon", text, *SERVED)
    assert village.json(*words, status=1)["outcome"] == "coupon-invalid"
    assert "coupon-invalid" in village(*words, status=1).stderr
    assert village.json("record", BEN, DORA, "--coupon", text, *SERVED)["accepted"]


def test_a_made_up_coupon_is_invalid(village: Desk) -> None:
    book, [text, *_others] = issue(village)
    real = parse_coupon(text, ORIGIN)
    for place in (0, 1, 4, 5, 1_023):
        forged = format_coupon(Coupon(book, place, bytes(16)), ORIGIN)
        assert outcome(village, forged) == "coupon-invalid"
        assert village.json("coupon", "check", forged, status=1)["outcome"] == "coupon-invalid"
    moved = format_coupon(Coupon(book, 1, real.secret), ORIGIN)
    assert outcome(village, moved) == "coupon-invalid"
    nowhere = format_coupon(Coupon(book + 7, 0, real.secret), ORIGIN)
    assert "no book" in village("record", BEN, "--coupon", nowhere, *SERVED, status=2).stderr
    assert village.json("record", BEN, DORA, "--coupon", nowhere, *SERVED, status=1)["outcome"] == "coupon-invalid"


def test_a_misread_coupon_is_told_and_not_repeated(village: Desk) -> None:
    _book, [text, *_others] = issue(village)
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    for bad in (wrong, "nonsense", "x" * 5_000):
        result = village("record", BEN, "--coupon", bad, *SERVED, status=2)
        assert result.stderr.count("\n") == 1
        assert text.split(":")[3][:9] not in result.stderr
        assert village.json("coupon", "check", bad, status=1)["outcome"] == "coupon-invalid"


def test_a_scanner_types_into_standard_input(village: Desk) -> None:
    _book, [text, *_others] = issue(village)
    words = ("record", BEN, "--coupon", "-", *SERVED)
    assert "coupon" in village(*words, status=2, stdin="").stderr
    assert "coupon" in village(*words, status=2, stdin="\0\n").stderr
    assert "coupon 1 of 5" in village("coupon", "check", "-", stdin=text).stdout
    village(*words, stdin=f"{text}\nrest")
    assert "coupon-used" in village("coupon", "check", "-", status=1, stdin=text).stderr
    assert "standard input" in village("coupon", "check", status=2).stderr


def test_somebody_at_a_terminal_is_asked(village: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _book, [text, *_others] = issue(village)
    monkeypatch.setattr("web.commands_coupons.is_terminal", lambda: True)
    assert village("coupon", "check", stdin=f"{text}\n").stderr.startswith("Coupon:")


def test_looking_at_a_coupon_does_not_use_it(village: Desk) -> None:
    book, texts = issue(village)
    expected: dict[str, object] = {
        "valid": True,
        "outcome": None,
        "detail": None,
        "book": book,
        "number": 4,
        "count": 5,
    }
    expected |= {"account": DORA, "minutes_max": 90}
    assert village.json("coupon", "check", texts[3]) == expected
    assert village.json("coupon", "check", texts[3]) == expected
    record(village, texts[3])
    used = village.json("coupon", "check", texts[3], status=1)
    assert (used["valid"], used["outcome"], used["number"]) == (False, "coupon-used", 4)


def test_missing_leaves_are_named_and_restored(village: Desk) -> None:
    book, [text, *_others] = issue(village)
    [leaves] = (village.home / "coupons").iterdir()
    copy = village.folder / "copy"
    leaves.rename(copy)
    for words in (("record", BEN, "--coupon", text, *SERVED), ("coupon", "check", text)):
        assert "huzhu coupon restore" in village(*words, status=2).stderr
    sheet = village.sheet({"provider": BEN, "evidence": "coupon", "coupon": text})
    village("import", sheet, status=1)
    assert village.outcomes() == [(2, "no-evidence")]
    assert "no copy" in village("coupon", "restore", str(book), village.folder / "people.csv", status=2).stderr
    assert "no book 3" in village("coupon", "restore", "3", copy, status=2).stderr
    village("coupon", "restore", str(book), copy)
    village("import", village.folder / "sheet.refused.csv")
    assert village.balance(BEN) == 60


# Who confirms, who signs, when the volunteer came and left


def a_key(desk: Desk, role: str, account: str) -> str:
    """A key that a person carries."""
    key = str(desk.json("key", "new", "--role", role)["key"])
    desk("key", "grant", key, "--role", role, "--account", account)
    return key


def test_the_volunteers_own_key_signs_for_when_it_came_and_left(village: Desk) -> None:
    _book, texts = issue(village)
    ben, dora = a_key(village, "volunteer", BEN), a_key(village, "recipient", DORA)
    times = ("--checkin", "8:58", "--checkout", "2025-11-01T02:33:10Z")
    entry = entry_of(village, record(village, texts[0], "--by", ben, *times))
    evidence = entry.body.evidence
    assert (entry.by, entry.beside) == (ben, ())
    assert (evidence.checkin.isoformat(), evidence.checkout.isoformat()) == (
        "2025-11-01T00:58:00+00:00",
        "2025-11-01T02:33:10+00:00",
    )
    night = ("--start", "23:30", "--end", "00:10", "--checkin", "23:28", "--checkout", "00:12")
    signed = village.json("record", BEN, DORA, "--confirm", dora, "--by", ben, *SERVED, *night)
    evidence = entry_of(village, signed).body.evidence
    assert evidence.form == "signed"
    assert evidence.checkin.isoformat() == "2025-11-01T15:28:00+00:00"
    assert evidence.checkout.isoformat() == "2025-11-01T16:12:00+00:00"
    assert village.verify()["ok"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--checkin", "09:05", "--checkout", "09:04"), "before the check-in"),
        (("--checkin", "10:29", "--checkout", "08:59"), "more than 12 hours away from the end"),
        (("--checkout", "2998-01-01T00:00:00Z"), "after the recorded time"),
        (("--checkin", "2025-11-01T03:00:00Z", "--checkout", "2025-11-01T02:59:59Z"), "before the check-in"),
        (("--checkin", "21:01"), "more than 12 hours away from the start"),
        (("--checkin", "2025-10-31T12:59:59Z"), "more than 12 hours away from the start"),
        (("--checkout", "22:31"), "more than 12 hours away from the end"),
        (("--checkout", "10:31", "--at", "2025-11-01T02:30:00Z"), "after the recorded time 2025-11-01T02:30:00Z"),
    ],
)
def test_a_mistyped_stay_is_not_recorded(village: Desk, words: tuple[str, ...], reason: str) -> None:
    _book, [text, *_others] = issue(village, "--at", "2025-11-01T00:00:00Z")
    size = len(village.entries())
    error = village("record", BEN, "--coupon", text, *SERVED, *words, status=2).stderr
    assert reason in error and error.count("\n") == 1
    assert len(village.entries()) == size


def test_a_check_out_of_before_midnight_is_not_made_tomorrow(village: Desk) -> None:
    _book, [text, *_others] = issue(village, "--at", "2025-11-01T00:00:00Z")
    night = ("--start", "00:05", "--end", "00:20", "--checkin", "00:05", "--checkout", "00:04")
    error = village("record", BEN, "--coupon", text, *SERVED, *night, "--at", "2025-11-01T01:00:00Z", status=2).stderr
    assert "after the recorded time" in error


def test_nobody_uses_a_coupon_with_anothers_key(village: Desk) -> None:
    _book, [text, *_others] = issue(village)
    anne = a_key(village, "volunteer", ANNE)
    assert outcome(village, text, "--by", anne) == "not-allowed"


@pytest.mark.parametrize(
    "words",
    [
        (DORA,),
        (DORA, "--paper", "people.csv", "--coupon", "x"),
        (DORA, "--confirm", "x", "--coupon", "x"),
        (DORA, "--paper", "people.csv", "--by", "x"),
        (DORA, "--paper", "people.csv", "--checkin", "09:00"),
        (DORA, "--paper", "people.csv", "--checkout", "09:00"),
        ("--paper", "people.csv"),
        (DORA, "--coupon", "x", "--checkin", "25:00"),
        (DORA, "--coupon", "x", "--checkin", "2025-11-01T25:00:00Z"),
        (DORA, "--coupon", "x", "--checkout", "T" * 500),
    ],
)
def test_what_does_not_go_together(village: Desk, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.chdir(village.folder)
    assert village("record", BEN, *words, *SERVED, status=2).stderr.count("\n") == 1


def test_a_minor_serves_under_a_guardian(village: Desk) -> None:
    minor = {"account": TIM, "born": "2012-01-01", "roles": "volunteer", "guardian": ANNE}
    village("person", "import", village.people(minor, name="minor.csv"))
    _book, texts = issue(village)
    body = entry_of(village, record(village, texts[0], provider=TIM)).body
    assert (body.provider, body.guardian) == (TIM, ANNE)
    assert village.verify()["ok"]


@pytest.mark.parametrize(("role", "account"), [("guardian", ANNE), ("volunteer", ANNE), ("recipient", DORA)])
def test_kin_and_guardian_confirm_for_an_elder(village: Desk, role: str, account: str) -> None:
    ward = {"account": TIM, "born": "1938-01-01", "roles": "elder", "guardian": DORA, "funded": "key_elder"}
    village("person", "import", village.people(ward | {"kin": f"child:{ANNE}"}, name="ward.csv"))
    words = ("record", BEN, TIM, "--confirm", a_key(village, role, account), *SERVED)
    assert entry_of(village, village.json(*words)).body.evidence.form == "signed"


def test_a_stranger_does_not_confirm(village: Desk) -> None:
    words = ("record", BEN, DORA, "--confirm", a_key(village, "volunteer", ANNE), *SERVED)
    assert village.json(*words, status=1)["outcome"] == "no-evidence"


# Day sheets


def coupon_row(text: str, **cells: str) -> dict[str, str]:
    """A row that a coupon shows."""
    return {"provider": BEN, "evidence": "coupon", "coupon": text} | cells


def test_a_sheet_with_coupons(village: Desk) -> None:
    _book, texts = issue(village)
    _other, [clara, *_rest] = issue(village, account=CLARA, name="clara.html")
    missing = texts[3][:-1] + ("A" if texts[3][-1] != "A" else "B")
    village(
        "import",
        village.sheet(
            coupon_row(texts[0]),
            coupon_row(texts[1].lower(), start="10:00", end="11:00"),
            coupon_row(texts[0], start="11:00", end="12:00"),
            coupon_row(texts[2], start="12:00", end="13:31"),
            coupon_row(clara, start="14:00", end="15:00"),
            coupon_row(missing, start="15:00", end="16:00"),
            coupon_row("", start="16:00", end="17:00"),
            {"evidence": "signed", "start": "17:00", "end": "18:00"},
            {"start": "18:00", "end": "19:00"},
        ),
        status=1,
    )
    assert village.outcomes() == [
        (4, "coupon-used"),
        (5, "coupon-over"),
        (6, "coupon-invalid"),
        (7, "bad-row"),
        (8, "no-evidence"),
        (9, "no-evidence"),
    ]
    assert stat.S_IMODE((village.folder / "sheet.refused.csv").stat().st_mode) == 0o600
    assert village.balance(BEN) == 120
    assert village.balance(ANNE) == 60
    assert village.verify()["ok"]


def test_refused_rows_with_coupons_are_worth_something(village: Desk) -> None:
    _book, texts = issue(village)
    over = coupon_row(texts[0], end="13:31")
    said = village("import", village.sheet(over), status=1).stderr
    assert "sheet.refused.csv holds coupons that nobody has used yet: delete it" in said
    unreadable = village.sheet(name="broken.csv").read_text() + ",".join([*"x" * 40, texts[0]]) + "\n"
    assert "holds coupons" in village("import", village.file("broken.csv", unreadable), status=1).stderr
    assert "holds coupons" not in village("import", village.sheet({"provider": "12345675"}), status=1).stderr
    village("import", village.sheet(coupon_row(texts[1])))
    used = coupon_row(texts[1], start="13:00", end="14:00")
    assert "holds coupons" not in village("import", village.sheet(used), status=1).stderr


def test_the_help_says_how_a_coupon_stays_out_of_sight(village: Desk) -> None:
    assert "process list" in " ".join(village("record", "--help").stdout.split())


def test_a_sheet_with_coupons_is_written_once(village: Desk) -> None:
    book, texts = issue(village)
    rows = [coupon_row(texts[0]), coupon_row(texts[1], start="10:00", end="11:00")]
    village("import", village.sheet(rows[0]))
    again = village.json("import", village.sheet(*rows))
    assert (again["accepted"], again["skipped"], again["refused"]) == (1, 1, 0)
    resumed = village.json("import", village.sheet(*rows), "--resume")
    assert (resumed["accepted"], resumed["skipped"]) == (0, 2)
    repeated = village.json("import", village.sheet(*rows), "--again", status=1)
    assert repeated["outcomes"] == {"coupon-used": 2}
    moved = village.json("import", village.sheet(coupon_row(texts[0], start="13:00", end="14:00")), status=1)
    assert moved["outcomes"] == {"coupon-used": 1}
    assert village.json("coupon", "show", str(book))["used"] == 2


def test_one_coupon_on_two_rows_alike_is_used_once(village: Desk) -> None:
    _book, texts = issue(village)
    result = village.json("import", village.sheet(coupon_row(texts[0]), coupon_row(texts[0])), status=1)
    assert (result["accepted"], result["outcomes"]) == (1, {"coupon-used": 1})


def test_a_home_without_books_has_no_folder(village: Desk) -> None:
    assert village.json("coupon", "show") == []
    assert "no book 3" in village("coupon", "show", "3", status=2).stderr
    assert not (village.home / "coupons").exists()
