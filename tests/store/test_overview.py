"""What waits for people on a ledger, by its state, and the same of its mirrored copy."""

import datetime
from contextlib import closing
from pathlib import Path

from chain.entry import Body
from ledger.bodies import (
    AccountOpen,
    Appeal,
    CaseClose,
    CaseOpen,
    Dispute,
    Finding,
    FundOpen,
    FundReceive,
    FundSpend,
    Inspection,
    InspectionDone,
    Reverse,
    Sanction,
    SanctionLift,
)
from ledger.matters import APPEAL, CASE, DISPUTE, FINDING, SANCTION, Matter, matters_of
from ledger.numbers import account_number
from ledger.risk import forecast, forecast_of
from node import Accepted
from store.home import Home
from store.overview import FundRow, NewSuspicions, read_active, read_bands, read_funds, read_overview
from store.reading import LedgerReader
from tests.sync.city import ANNE, BEN, HASH, START, Town
from tests.web.service.county import people, receive, serve
from verify.summary import Band, active_by_month, bands_of

DUE, LATER = datetime.date(2026, 4, 1), datetime.date(2026, 5, 1)
SINCE = int(START.timestamp())


def write(town: Town, *bodies: Body, by: str = "members") -> int:
    """The index of the last of them."""
    signers = {
        "member": (town.one,),
        "members": (town.one, town.two),
        "authorities": town._officials,
        "clerk": (town.clerk, town.one),
    }
    result = town.write(signers[by], *bodies)[-1]
    assert isinstance(result, Accepted)
    return result.index


def matters(town: Town) -> list[Matter]:
    with town.node() as node:
        return matters_of(node.state, node.entry)


def village(folder: Path) -> tuple[Town, Town]:
    above = Town(folder, "east", "township")
    below = Town(folder, "v1", "village", above)
    people(below)
    return above, below


def test_matters_follow_the_ledger(tmp_path: Path) -> None:
    _above, town = village(tmp_path)
    assert matters(town) == []
    case = write(town, CaseOpen(account=ANNE, entries=(8,), suspicion="overlap"), by="member")
    assert matters(town) == [Matter(CASE, case, 0, ANNE, "overlap", SINCE, "", "")]
    write(town, CaseClose(case=case, note="two", outcome="upheld"))
    assert [each.outcome for each in matters(town)] == ["upheld"]
    sanction = write(town, Sanction(account=ANNE, case=case, measure="list", until=DUE), by="authorities")
    appeal = write(town, Appeal(case=case, ground="no"), by="clerk")
    assert matters(town) == [
        Matter(CASE, case, 0, ANNE, "overlap", SINCE, "", "imposed"),
        Matter(SANCTION, sanction, 0, ANNE, "list", SINCE, "2026-04-01", ""),
        Matter(APPEAL, appeal, case, ANNE, "", SINCE, "", ""),
    ]
    write(town, SanctionLift(reason="heard", sanction=sanction), by="authorities")
    assert [(each.kind, each.outcome) for each in matters(town)] == [(CASE, "imposed")]
    cleared = write(town, CaseOpen(account=BEN, entries=(8,), suspicion="night"), by="member")
    write(town, CaseClose(case=cleared, note="well", outcome="cleared"))
    assert [each.outcome for each in matters(town)] == ["imposed", "cleared"]


def test_disputes_and_findings_wait_until_they_are_over(tmp_path: Path) -> None:
    _above, town = village(tmp_path)
    (service, *_more) = serve(town, 30)
    dispute = write(town, Dispute(ground="no", index=service, party=BEN), by="clerk")
    findings = (Finding(code="fire", due=DUE, text="x"), Finding(code="records", due=LATER, text="y"))
    inspection = write(town, Inspection(findings=findings, subject="point"), by="authorities")
    assert matters(town) == [
        Matter(DISPUTE, dispute, 0, BEN, "", SINCE, "", ""),
        Matter(FINDING, inspection, 0, "", "fire", SINCE, "2026-04-01", ""),
        Matter(FINDING, inspection, 1, "", "records", SINCE, "2026-05-01", ""),
    ]
    write(town, InspectionDone(finding=0, inspection=inspection, note="well"), by="authorities")
    assert [(each.kind, each.place) for each in matters(town)] == [(DISPUTE, 0), (FINDING, 1)]
    write(town, Reverse(index=service, reason="it never was"))
    assert [(each.kind, each.place) for each in matters(town)] == [(FINDING, 1)]


def test_a_mirror_tells_the_same(tmp_path: Path) -> None:
    above, town = village(tmp_path)
    young = account_number(100_010)
    write(town, AccountOpen(account=young, band=1_970, dossier=HASH, holder="person", volunteer=True), by="clerk")
    write(town, FundOpen(fund="meals", purpose="meals", title="meals"))
    write(town, FundReceive(fen=1_000, fund="meals", source="society", voucher=HASH))
    write(town, FundSpend(fen=300, fund="meals", payee="shop", purpose="meals", voucher=HASH))
    town.seal()
    receive(above, town)
    with closing(LedgerReader(Home(above.home).mirror)) as mirror:
        first = read_overview(mirror, "2026-01")
        assert first.matters == {} and first.funds == {town.origin: [FundRow("fund-meals", 700, 1_000)]}
        assert NewSuspicions("overlap", 2, 0) in first.suspicions[town.origin]
        assert first.evidence == {town.origin: {"paper": 2}} and read_overview(mirror, "2026-04").evidence == {}
        case = write(town, CaseOpen(account=ANNE, entries=(8, 9), suspicion="overlap"), by="member")
        town.seal()
        receive(above, town)
        second = read_overview(mirror, "2026-01")
        assert second.matters == {town.origin: matters(town)} and second.matters[town.origin][0].entry_index == case
        assert "overlap" not in {each.code for each in second.suspicions.get(town.origin, [])}
        with town.node() as node:
            state = node.state
            assert read_active(mirror, [town.origin], "2026-01", "2026-12") == active_by_month(state) == {"2026-03": 1}
            assert read_bands(mirror, [town.origin]) == bands_of(state)
            waiting = {band.band: band.waiting_minutes for band in bands_of(state) if band.band}
            assert forecast_of(waiting, DUE) == forecast(state, DUE)
            assert all(isinstance(band, Band) for band in bands_of(state))
        assert active_by_month(state, START.toordinal() + 1) == {}
        ledger = mirror.ledger(town.origin)
        assert ledger is not None and ledger.newest_checkpoints(1)[0][0] == ledger.size
        assert read_funds(mirror, ledger) == [FundRow("fund-meals", 700, 1_000)]
