"""Ledgers read without a node: the same as the node itself says, and always what was committed last."""

from contextlib import closing
from pathlib import Path

import pytest

from chain.checkpoint import open_checkpoint
from chain.receipt import check_entry_receipt, parse_entry_receipt
from store.log import StoreError
from store.reading import LedgerReader
from tests.store.village import ORIGIN, PROVIDER, donation, new_home, open_home, record, service


def test_it_says_what_the_node_says(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    with open_home(home) as node, closing(LedgerReader(home / "ledger.db")) as reader:
        assert reader.origins() == [ORIGIN] and reader.ledger("other.example") is None
        ledger = reader.ledger(ORIGIN)
        assert ledger is not None
        for _round in range(3):
            record(node, [service(2)] * 40 + [donation(3)] * 200)
            node.seal()
            record(node, [donation(1)])
            assert reader.ledger(ORIGIN) is ledger
            size = open_checkpoint(node.checkpoint())[0].size
            assert ledger.checkpoint() == (size, node.checkpoint()) and ledger.size == size
            assert ledger.entry_count() == node.store.size == size + 1
            assert ledger.accounts(-1, 100) == node.store.accounts()
            assert [ledger.account(row.number) for row in node.store.accounts()] == node.store.accounts()
            assert ledger.legs(PROVIDER, -1, 1_000) == list(node.legs(PROVIDER))
            assert ledger.entries(5, 20) == list(node.store.entries(5, 20))
            for index in (0, 17, size - 1):
                raw = ledger.receipt(index)
                assert raw == node.receipt(index)
                assert check_entry_receipt(parse_entry_receipt(raw)).size == size
            with pytest.raises(IndexError):
                ledger.receipt(size)
        assert ledger.checkpoints(2, 10) == list(node.store.checkpoints())[1:]
        assert ledger.posted(PROVIDER, 10**9)[0] == node.state.accounts[PROVIDER].balance
        assert ledger.accounts(2, 2) == node.store.accounts()[3:5]
        assert ledger.accounts(-1, 100, "closed") == []
        assert ledger.account("99999999") is None and ledger.entry(-1) is None and ledger.entry(10**6) is None


def test_what_is_no_ledger_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        LedgerReader(tmp_path / "none.db")
    for raw, says in ((b"", "is not a ledger"), (b"not a database at all" * 100, "file is not a database")):
        (tmp_path / "other.db").write_bytes(raw)
        with pytest.raises(StoreError, match=says):
            LedgerReader(tmp_path / "other.db")
