"""Balance receipts from rows alone: the same as the node's at a seal, and none where the rows are not the seal's."""

from contextlib import closing
from pathlib import Path

import pytest

from store.mirror_receipts import UnprovenError, mirror_balance_receipt
from store.reading import LedgerReader
from tests.store.village import ORIGIN, PROVIDER, new_home, open_home, record, service


def test_at_a_seal_it_is_the_nodes_own_receipt_and_behind_it_there_is_none(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    with open_home(home) as node, closing(LedgerReader(home / "ledger.db")) as reader:
        record(node, [service(2)])
        node.seal()
        ledger = reader.ledger(ORIGIN)
        assert ledger is not None
        assert mirror_balance_receipt(ledger, PROVIDER) == node.balance_receipt(PROVIDER)
        with pytest.raises(IndexError):
            mirror_balance_receipt(ledger, "99999999")

        record(node, [service(1)])
        with pytest.raises(UnprovenError, match=f"the balances of {ORIGIN} are not those of its newest seal"):
            mirror_balance_receipt(ledger, PROVIDER)
