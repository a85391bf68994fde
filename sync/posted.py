"""What the audit of a mirrored ledger tells of its entries, on its way to where it is kept."""

from ledger.concern import concerned
from ledger.signing import Claim
from sync.kept import Legs, MirrorLog, Transfer, transfer_of
from verify.summary import ServiceCounts

LEGS_AT_ONCE = 16_384
"""So many are written down together."""
TRANSFER_KINDS = ("transfer_out", "transfer_in", "transfer_refuse", "transfer_back")


class Posted:
    """Writes down what the entries post, as the audit tells it; legs of one entry and account are one."""

    def __init__(self, log: MirrorLog) -> None:
        self._log = log
        self._legs: Legs = {}
        self._transfers: list[Transfer] = []
        self.services = ServiceCounts()
        self._last_index = -1

    def leg(self, index: int, number: str, balance: int, held: int) -> None:
        legs, place = self._legs, (number, index)
        if place in legs:
            balance, held = balance + legs[place][0], held + legs[place][1]
        elif index != self._last_index:
            self._last_index = index
            if len(legs) >= LEGS_AT_ONCE:
                self.flush()
                legs = self._legs
        legs[place] = balance, held

    def admitted(self, claim: Claim) -> None:
        self.services.see(claim)
        for number in concerned(claim):
            self.leg(claim.index, number, 0, 0)
        if claim.entry.kind in TRANSFER_KINDS:
            transfer = transfer_of(claim.entry.body)
            if transfer is not None:
                self._transfers.append((claim.index, claim.entry.kind, *transfer))

    def flush(self) -> None:
        self._log.put_legs(self._legs)
        self._log.put_transfers(self._transfers)
        self._legs, self._transfers = {}, []
