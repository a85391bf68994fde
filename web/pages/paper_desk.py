"""Makes the sheets of paper that a committee hands out: each with the receipts that stand behind it.

    desk = PaperDesk(kit)
    await desk.passbook("12345676", before=None); await desk.certificate("12345676", "2026-01-01", "2026-06-30")
    await desk.receipt(17); await desk.posting(Month(2026, 11)); await desk.held()

Who may have one is for the caller to ask, and to record, before.
"""

import datetime
from collections import Counter
from functools import partial
from typing import Any

from anyio import to_thread

from chain.encoding import format_base64
from chain.entry import Entry
from chain.fields import UTC
from chain.note import format_vkey
from ledger.kinds import CODEC
from web.desk import DeskNode
from web.i18n import translate as _
from web.pages.kit import Kit
from web.pages.paper_reading import Known, Month, Period, Wait, read_held, read_posting, read_served
from web.pages.paper_sheets import Proof, Sheet, proof_of
from web.pages.passbook_reading import line_of, lines_of
from web.problem import Problem
from web.service.accounts import own_receipt
from web.service.answers import not_sealed
from web.telling import entry_lines
from web.trusting import trust_in_node

LINES = 24
"""Of a passbook's page: with its codes it is one page of A4."""
CERTIFIED_MAX = 400
"""Services on one certificate: twelve pages."""
HELD_MAX = 1_000
"""Held services on one sheet: some thirty pages; those that become free first."""
RECEIPTS_MAX = 30
"""Receipts of single services behind a certificate: fifteen pages."""


class PaperDesk:
    """The sheets of one node."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def passbook(self, number: str, before: int | None) -> Sheet:
        """The last lines of an account, or those before an entry, with the receipt of its balance."""
        known = await self._known()
        lines = lines_of(self._kit.ledgers.own, number, known.utc_offset, before, LINES + 1)
        has_earlier = len(lines) > LINES
        shown = lines[:LINES][::-1]
        proof = await self._balance(number)
        values = {
            "number": number,
            "lines": shown,
            "earlier": shown[0].index if has_earlier else None,
            "carried": lines[LINES] if has_earlier else None,
            "known": known,
            "proof": proof,
            "later": sum(line.index > proof.index for line in shown) if proof else 0,
            **await self._shared(known),
        }
        query = "" if before is None else f"?before={before}"
        return Sheet("passbook", _("Passbook page"), f"passbook-{number}", values, query)

    async def certificate(self, number: str, first: str, last: str, receipts: bool = False) -> Sheet:
        """The services that an account gave in a period; with the receipt of each where ``receipts`` says so."""
        known, period = await self._known(), _period(first, last, await self.today())
        path, origin = self._kit.home.ledger, self._kit.settings.origin
        served = await to_thread.run_sync(partial(read_served, path, origin, number, period, known))
        if len(served) > CERTIFIED_MAX:
            raise Problem(422, "too-much", _("too long"), _("the period holds too many services: choose a shorter one"))
        sums: Counter[str] = Counter()
        for each in served:
            sums[each.category] += each.minutes
        proofs = [self._proof(each.index) for each in served if each.is_sealed][:RECEIPTS_MAX] if receipts else []
        values = {
            "number": number,
            "period": period,
            "served": served,
            "sums": sums,
            "total": sums.total(),
            "proof": await self._balance(number),
            "proofs": proofs,
            "receipts": receipts,
            **await self._shared(known),
        }
        query = f"?first={period.first}&last={period.last}" + ("&receipts=1" if receipts else "")
        return Sheet("certificate", _("Certificate of hours"), f"hours-{number}", values, query)

    async def posting(self, month: Month) -> Sheet:
        """A month of the village by account numbers, with the newest seal."""
        known = await self._known()
        path, origin = self._kit.home.ledger, self._kit.settings.origin
        found = await to_thread.run_sync(partial(read_posting, path, origin, month, known))
        proof = self._proof(self._kit.ledgers.own.size - 1)
        vkey, dispute_days = await self._kit.writer.ask(
            lambda node: (format_vkey(trust_in_node(node.state).logs[0]), node.state.parameters.dispute_within_days)
        )
        values = {
            "posting": found,
            "proof": proof,
            "vkey": vkey,
            "root": format_base64(proof.checkpoint.root),
            "dispute_days": dispute_days,
            **await self._shared(known),
        }
        return Sheet("posting", _("Posting for {month}").format(month=month), f"posting-{month}", values)

    async def held(self) -> Sheet:
        """Every service whose hours are held, by account numbers, so that whoever knows better says so in time."""
        known = await self._known()
        waits, vkey, params = await self._kit.writer.ask(
            lambda node: (_waits(node), format_vkey(trust_in_node(node.state).logs[0]), node.state.parameters)
        )
        path, origin = self._kit.home.ledger, self._kit.settings.origin
        read = partial(read_held, path, origin, waits, known, params.dispute_within_days)
        found = await to_thread.run_sync(read)
        proof = self._proof(self._kit.ledgers.own.size - 1)
        values = {
            "held": found[:HELD_MAX],
            "more": len(found[HELD_MAX:]),
            "total": sum(each.body.minutes for each in found),
            "posting_days": params.posting_days,
            "dispute_days": params.dispute_within_days,
            "proof": proof,
            "vkey": vkey,
            "root": format_base64(proof.checkpoint.root),
            **await self._shared(known),
        }
        return Sheet("held", _("Held services of the village"), "held", values)

    async def receipt(self, index: int) -> Sheet:
        """The receipt of one entry."""
        proof = self._proof(index)
        facts = [line.strip() for line in entry_lines(proof.entry)]
        values = {"proof": proof, "facts": facts, **await self._shared(await self._known())}
        return Sheet("receipt", _("Receipt of entry {index}").format(index=index), f"receipt-{index}", values)

    def numbers(self, index: int) -> set[str]:
        """The accounts that an entry names."""
        return {number for number in self._entry(index).body.numbers() if number}

    def is_about(self, index: int, number: str) -> bool:
        """Whether an entry names an account, or concerns it."""
        line = line_of(self._kit.ledgers.own, number, datetime.timedelta(), index)
        return line is not None or number in self.numbers(index)

    async def today(self) -> datetime.date:
        """The day in the village."""
        return (self._kit.clock() + (await self._known()).utc_offset).date()

    async def _shared(self, known: Known) -> dict[str, Any]:
        return {"today": await self.today(), "local": lambda time: time + known.utc_offset}

    async def _known(self) -> Known:
        return await self._kit.writer.ask(
            lambda node: Known(
                node.state.utc_offset, frozenset(node.state.reversed), frozenset(node.state.objections)
            )
        )

    async def _balance(self, number: str) -> Proof | None:
        """The receipt of what an account had at the newest seal; None where it was opened after that."""
        raw = await self._kit.writer.ask(lambda node: _sealed_receipt(node, number))
        return None if raw is None else proof_of(raw)

    def _proof(self, index: int) -> Proof:
        try:
            return proof_of(self._kit.ledgers.own.receipt(index))
        except IndexError:
            raise not_sealed() from None

    def _entry(self, index: int) -> Entry[Any]:
        raw = self._kit.ledgers.own.entry(index)
        if raw is None:
            text = _("there is no entry {index} on this ledger").format(index=index)
            raise Problem(404, "no-entry", _("no such entry"), text)
        return CODEC.parse(raw)


def _waits(node: DeskNode) -> list[Wait]:
    """All that is held."""
    state = node.state
    sealed = ((index, credit, state.sealed_after(index)) for index, credit in state.credits.items())
    return [
        Wait(index, credit.due_at, None if at is None else datetime.datetime.fromtimestamp(at, UTC))
        for index, credit, at in sealed
    ]


def _sealed_receipt(node: DeskNode, number: str) -> bytes | None:
    try:
        return own_receipt(node, number)
    except Problem:
        return None


def _period(first: str, last: str, today: datetime.date) -> Period:
    """From the year's first day until today, where nothing else is asked for."""
    try:
        begin = datetime.date.fromisoformat(first) if first else today.replace(month=1, day=1)
        end = datetime.date.fromisoformat(last) if last else today
    except ValueError:
        raise Problem(422, "bad-date", _("no such day"), _("a date, like 2026-11-21")) from None
    if begin > end:
        raise Problem(422, "bad-date", _("no such period"), _("the period ends before it begins"))
    return Period(begin, end)
