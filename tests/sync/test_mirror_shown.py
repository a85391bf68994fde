"""What a child has once signed and shown is not forgotten, whatever could be had of it; and alarms that come again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.fork import ForkVerdict, check_fork, parse_fork
from chain.note import format_note
from node import Node
from store.archive import open_archive
from store.sqlite import write_archive
from sync.kept import Pulled
from tests.sync.logs import NEW_KEYS, TOWNSHIP, VILLAGE, Answer, Keeper, admit, copy, files, grow, ledger, lying
from tests.sync.test_mirror import assert_mirrored, rotate
from tests.sync.test_mirror_relayed import readmit
from verify.source import MemorySource

Village = tuple[Keeper, Node]


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    """A mirrored village."""
    node = ledger()
    keeper = Keeper(tmp_path, node)
    keeper.pull(files(node))
    yield keeper, node
    keeper.store.close()


def bare(node: Node, *beside: Node) -> Answer:
    """Its checkpoint, and nothing of what is under it."""
    honest = files(*beside, node)

    def answer(path: str) -> bytes:
        if path.startswith(f"{node.origin}/tile/"):
            raise FileNotFoundError(path)
        return honest(path)

    return answer


def pulled(keeper: Keeper, answer: Answer) -> Pulled:
    (result,) = keeper.pull(answer)
    return result


def verdict(keeper: Keeper, node: Node) -> ForkVerdict:
    """What the evidence of the newest alarm proves to anybody."""
    return check_fork(parse_fork(Path(keeper.store.alarms()[0].evidence).read_bytes()), [node.vkey])


def test_two_histories_of_one_size_are_a_fork_whatever_could_be_had(village: Village) -> None:
    keeper, node = village
    other = copy(node)
    grow(node, 10)
    grow(other, 10, minutes=2)
    assert pulled(keeper, bare(other)).outcome == "unreachable"
    result = pulled(keeper, bare(node))
    assert (result.outcome, result.is_new_alarm, keeper.log().state) == ("forked", True, "forked")
    assert verdict(keeper, node).is_proven
    keeper.log().release()
    assert pulled(keeper, files(node)).outcome == "forked", "it goes on from what it showed first, or not at all"
    keeper.log().forget()
    assert pulled(keeper, files(node)).outcome == "new"
    assert_mirrored(keeper, node)


def test_a_fork_whose_entries_come_later_is_compared_with_what_counts(village: Village) -> None:
    keeper, node = village
    other = copy(node)
    grow(node, 3)
    keeper.pull(files(node))
    grow(other, 7, minutes=2)
    assert pulled(keeper, bare(other)).outcome == "unreachable"
    assert pulled(keeper, files(other)).outcome == "forked"
    assert verdict(keeper, node).is_proven
    keeper.log().release()
    assert pulled(keeper, files(node)).outcome == "same", "what is here stands"


def test_what_was_shown_on_the_way_is_compared_at_the_end(village: Village) -> None:
    keeper, node = village
    other = copy(node)
    grow(other, 3, minutes=2)
    pulled(keeper, bare(other))
    for _round in range(2):
        grow(node, 10)
        assert pulled(keeper, bare(node)).outcome == "unreachable"
    result = pulled(keeper, files(node))
    assert (result.outcome, keeper.log().state) == ("forked", "forked")
    assert verdict(keeper, node).is_proven and verdict(keeper, node).earlier.size == other.store.size


@pytest.mark.parametrize("more", [0, -1])
def test_a_key_that_the_log_brings_in_forks_from_what_the_one_before_showed(village: Village, more: int) -> None:
    keeper, node = village
    other, before = copy(node), node.vkey
    rotated = rotate(node)
    grow(rotated, 5)
    grow(other, rotated.store.size - other.store.size - 1 + more, minutes=2)
    pulled(keeper, bare(other))
    assert pulled(keeper, files(rotated)).outcome == "forked"
    (alarm,) = keeper.store.alarms()
    proven = check_fork(parse_fork(Path(alarm.evidence).read_bytes()), [before, rotated.vkey])
    assert proven.is_proven and proven.earlier.size == other.store.size == rotated.store.size + more


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_smaller_one_after_a_larger_is_a_rollback_at_once(village: Village, *, is_whole: bool) -> None:
    keeper, node = village
    grow(node, 2)
    older = copy(node)
    grow(node, 300)
    assert pulled(keeper, bare(node)).outcome == "unreachable"
    result = pulled(keeper, (files if is_whole else bare)(older))
    assert (result.outcome, result.is_new_alarm) == ("rolled-back", True)
    assert verdict(keeper, node).outcome == "rollback"
    keeper.log().release()
    assert pulled(keeper, files(older)).outcome == "rolled-back"
    keeper.log().release()
    assert pulled(keeper, files(node)).outcome == "new"
    assert_mirrored(keeper, node)


def test_a_rollback_to_other_entries_is_the_fork_that_it_is(village: Village) -> None:
    """What is larger cannot be had, but what is smaller does not go on from what counts."""
    keeper, node = village
    restored, later = copy(node, node.store.size - 2), copy(node)
    keeper.pull(files(node))
    grow(later, 300)
    pulled(keeper, bare(later))
    grow(restored, 20, minutes=2)
    assert pulled(keeper, files(restored)).outcome == "forked"
    assert verdict(keeper, node).is_proven


def test_a_bad_line_makes_no_alarm(village: Village) -> None:
    keeper, node = village
    for _round in range(4):
        grow(node, 100)
        result = pulled(keeper, bare(node))
        assert (result.outcome, bool(result.detail), result.is_new_alarm) == ("unreachable", True, False)
        assert keeper.log().row.trouble == result.detail
    assert keeper.codes() == [] and len(keeper.log().shown()) == 4
    assert pulled(keeper, files(node)).outcome == "new"
    assert_mirrored(keeper, node)
    assert keeper.log().shown() == []


def test_an_older_archive_is_no_alarm_while_the_newest_cannot_be_had(village: Village, tmp_path: Path) -> None:
    keeper, node = village
    grow(node, 2)
    rows, notes = list(node.store.entries(0, node.store.size)), list(node.store.checkpoints())
    write_archive(tmp_path / "stick.db", [MemorySource(VILLAGE, rows, notes)])
    grow(node, 300)
    pulled(keeper, bare(node))
    with open_archive(tmp_path / "stick.db") as ledgers:
        assert [each.outcome for each in keeper.mirror().receive(ledgers)] == ["older"]
    assert keeper.codes() == []
    assert pulled(keeper, files(node)).outcome == "new"


def test_only_what_its_own_key_has_signed_is_remembered(village: Village) -> None:
    keeper, node = village
    note = format_note(sign_checkpoint(Checkpoint(VILLAGE, node.store.size + 1, bytes(32)), NEW_KEYS.signing))
    assert pulled(keeper, lying(bare(node), {"/checkpoint": note})).outcome in ("lies", "unreachable")
    assert keeper.log().shown() == []


def test_what_a_parents_false_key_has_signed_binds_nobody(tmp_path: Path) -> None:
    below, town = ledger(), ledger(TOWNSHIP, keys=NEW_KEYS, tier="township")
    admit(town, below)
    keeper = Keeper(tmp_path, town, tier="township")
    keeper.pull(files(town, below), TOWNSHIP)
    evil = ledger(keys=NEW_KEYS)
    grow(evil, 30)
    readmit(town, evil)
    assert dict(keeper.outcomes(bare(evil, town), TOWNSHIP))[VILLAGE] == "unreachable"
    readmit(town, below)
    grow(below)
    assert dict(keeper.outcomes(files(town, below), TOWNSHIP))[VILLAGE] == "new"
    assert_mirrored(keeper, below)
    assert keeper.codes() == []


# Alarms that come again


def see_all(keeper: Keeper) -> None:
    for alarm in keeper.store.alarms():
        keeper.store.see(alarm.id)


def test_the_same_old_backup_once_more_is_a_new_alarm(village: Village) -> None:
    keeper, node = village
    old = copy(node)
    grow(node)
    for _time in range(2):
        keeper.pull(files(node))
        result = pulled(keeper, files(old))
        assert (result.outcome, result.is_new_alarm) == ("rolled-back", True)
        assert not pulled(keeper, files(old)).is_new_alarm
        assert [alarm.code for alarm in keeper.store.alarms()] == ["rolled-back"]
        see_all(keeper)
        assert not pulled(keeper, files(old)).is_new_alarm
        keeper.log().release()
    assert keeper.codes() == ["rolled-back"] * 2


def test_a_full_disk_is_a_new_alarm_each_time_that_it_fills(village: Village) -> None:
    keeper, node = village
    for _time in range(2):
        grow(node)
        keeper.free = 0
        assert pulled(keeper, files(node)).is_new_alarm
        see_all(keeper)
        assert not pulled(keeper, files(node)).is_new_alarm
        keeper.free = 10**12
        assert pulled(keeper, files(node)).outcome == "new"


def test_the_same_lie_is_a_new_alarm_after_a_good_round(village: Village) -> None:
    keeper, node = village
    for _time in range(2):
        assert pulled(keeper, lying(files(node), {"/checkpoint": b"junk"})).is_new_alarm
        see_all(keeper)
        assert not pulled(keeper, lying(files(node), {"/checkpoint": b"junk"})).is_new_alarm
        assert pulled(keeper, files(node)).outcome == "same"


def test_who_admits_what_another_admits_is_no_news_while_that_lasts(tmp_path: Path) -> None:
    first, second = (ledger(f"{name}.example/huzhu", keys=NEW_KEYS, tier="township") for name in "ab")
    below = ledger()
    keeper = Keeper(tmp_path, first, second, tier="township")
    for parent in (first, second):
        admit(parent, below)
        keeper.pull(files(parent, below), parent.origin)
    assert len(keeper.store.alarms()) == 2
    see_all(keeper)
    for _round in range(2):
        for parent in (first, second):
            assert not any(each.is_new_alarm for each in keeper.pull(files(parent, below), parent.origin))
