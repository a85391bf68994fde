"""Who may see what, as a table; names; subtrees."""

import pytest

from tests.web.access.service import ANNE, BEN, CITY, COUNTY, NOW, OTHER, PARENTS, TOWN, VILLAGE
from web.access.who import SCOPES_OF, Who, fold_name, is_under


def somebody(role: str, ledger: str = VILLAGE, account: str = "", scopes: frozenset[str] | None = None) -> Who:
    return Who("x", role, ledger, account, SCOPES_OF[role] if scopes is None else scopes, True, NOW)


@pytest.mark.parametrize(
    ("who", "ledger", "may"),
    [
        (somebody("clerk"), VILLAGE, True),
        (somebody("clerk"), TOWN, False),
        (somebody("clerk", TOWN), VILLAGE, False),
        (somebody("member"), VILLAGE, True),
        (somebody("member"), OTHER, False),
        (somebody("supervisor", TOWN), TOWN, True),
        (somebody("supervisor", TOWN), VILLAGE, True),
        (somebody("supervisor", TOWN), OTHER, False),
        (somebody("supervisor", TOWN), COUNTY, False),
        (somebody("supervisor", CITY), VILLAGE, True),
        (somebody("supervisor", ""), VILLAGE, False),
        (somebody("supervisor", ""), "", False),
        (somebody("supervisor", TOWN), "nobody/knows", False),
        (somebody("auditor", ""), VILLAGE, True),
        (somebody("auditor", ""), "nobody/knows", True),
        (somebody("auditor", "", scopes=frozenset()), VILLAGE, False),
        (somebody("clerk", scopes=frozenset({"submit"})), VILLAGE, False),
        (somebody("person", VILLAGE, ANNE), VILLAGE, False),
    ],
)
def test_ledgers(who: Who, ledger: str, may: bool) -> None:
    assert who.may_read(ledger, PARENTS.get) == may
    if who.role != "person":
        assert who.may_read_account(ledger, ANNE, PARENTS.get) == may


@pytest.mark.parametrize(
    ("ledger", "account", "may"),
    [(VILLAGE, ANNE, True), (VILLAGE, BEN, False), (OTHER, ANNE, False), (TOWN, ANNE, False), (VILLAGE, "", False)],
)
def test_a_person_sees_one_account(ledger: str, account: str, may: bool) -> None:
    assert somebody("person", VILLAGE, ANNE).may_read_account(ledger, account, PARENTS.get) == may
    assert not somebody("person", VILLAGE, ANNE, frozenset()).may_read_account(ledger, account, PARENTS.get)


def test_another_role_owns_no_account() -> None:
    assert not somebody("clerk", VILLAGE, "").owns(VILLAGE, "")


def test_a_circle_of_ledgers_ends() -> None:
    assert not is_under("a", "z", {"a": "b", "b": "a"}.get)
    assert is_under("a", "b", {"a": "b", "b": "a"}.get)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("wang", "wang"),
        ("Wang", "wang"),
        ("Ｗａｎｇ", "wang"),
        ("王会计", "王会计"),
        ("w.x-y_z9", "w.x-y_z9"),
        ("a" * 32, "a" * 32),
        *((bad, None) for bad in ("", "a" * 33, ".a", "-a", "a b", "a/b", "a\n", "\ud800", "a\x00", "a" * 10_000)),
    ],
)
def test_names(text: str, name: str | None) -> None:
    assert fold_name(text) == name
