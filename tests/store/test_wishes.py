"""What becomes of a wish once it is decided, taken back, or its person's dossier erased."""

from pathlib import Path

from store.wishes import HELP, OPEN, REFUSED, TAKEN, WISHES_FILE, Wishes

NOW = 1_800_000_000
ELDER = "20000237"


def test_what_came_of_it_is_kept_with_it(tmp_path: Path) -> None:
    kept = Wishes(tmp_path / WISHES_FILE)
    kept.put(ELDER, HELP, b"asked", NOW)
    assert kept.decide(1, REFUSED, NOW, body=b"asked, and why not")
    (wish,) = kept.of(ELDER)
    assert (wish.state, wish.body) == (REFUSED, b"asked, and why not")
    assert not kept.drop(1) and kept.drop(1, REFUSED) and kept.get(1) is None


def test_what_is_taken_back_leaves_nothing(tmp_path: Path) -> None:
    kept = Wishes(tmp_path / WISHES_FILE)
    assert not kept.drop(1) and not kept.erase(ELDER), "no file is made for it"
    assert not (tmp_path / WISHES_FILE).exists()
    kept.put(ELDER, HELP, b"a broken window", NOW)
    assert kept.drop(1) and not kept.drop(1) and not kept.decide(1, TAKEN, NOW)
    assert b"window" not in (tmp_path / WISHES_FILE).read_bytes()


def test_with_the_dossier_all_wishes_go(tmp_path: Path) -> None:
    kept = Wishes(tmp_path / WISHES_FILE)
    for number in range(3):
        kept.put(ELDER, HELP, b"window %d" % number, NOW)
    kept.put("10000119", HELP, b"another's", NOW)
    assert kept.decide(1, TAKEN, NOW) and kept.decide(2, REFUSED, NOW)
    assert kept.erase(ELDER) and not kept.erase(ELDER)
    assert [(wish.account, wish.state) for wish in kept.open()] == [("10000119", OPEN)] and kept.of(ELDER) == []
    assert b"window" not in (tmp_path / WISHES_FILE).read_bytes()
