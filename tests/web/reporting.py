"""A village with a year of everything that a report tells of, and archives of one or many of them."""

import datetime
import hashlib
import random
from collections.abc import Sequence
from typing import Any, Literal

from chain.entry import Body
from chain.fields import UTC
from chain.keys import SigningKey
from chain.merkle import leaf_hash, levels_of, path_in
from ledger.bodies import (
    AccountClose,
    AccountOpen,
    Appeal,
    Assessment,
    CaseClose,
    CaseOpen,
    CaseStep,
    CouponIssue,
    Dispute,
    Donate,
    Evidence,
    Finding,
    FundOpen,
    FundReceive,
    FundSpend,
    Gift,
    Grant,
    Inspection,
    InspectionDone,
    Institution,
    KeyGrant,
    KinLink,
    Opening,
    Params,
    Resolve,
    Reverse,
    Sanction,
    SanctionLift,
    Service,
)
from ledger.coupons import book_root
from ledger.numbers import account_number
from ledger.parameters import CATEGORIES, Parameters, format_parameters
from node import Accepted, Founding, Node, NodeKeys
from store.log import MemoryStore

Source = Literal["government", "collective", "society", "individual"]
Outcome = Literal["upheld", "rejected"]

ORIGIN = "liuduhe.example/huzhu"
SINCE = datetime.datetime(2026, 1, 5, 1, tzinfo=UTC)
PARAMETERS = Parameters(
    posting_days=3, record_within_days=10, balance_max_minutes=2_400, institution_minutes=600, service_max_minutes=240
)
LOCALS = ("meals", "bathing", "cleaning", "medical_escort", "recreation", None, None)
LOCAL_CATEGORIES = PARAMETERS.local_services
SOURCES: tuple[Source, ...] = ("government", "collective", "society", "individual")
OUTCOMES: tuple[Outcome | None, ...] = ("upheld", "rejected", None)
HASH = bytes(range(32))
WEEKS = 50
COUPONS = 100


def digest(name: str) -> bytes:
    """32 bytes that always go with a name."""
    return hashlib.sha256(name.encode()).digest()


def key_of(name: str) -> SigningKey:
    """The key of that name."""
    return SigningKey(digest(name))


CLERK, CLERK_2 = key_of("clerk"), key_of("clerk 2")
MEMBERS = tuple(key_of(f"member {number}") for number in range(4))
AUTHORITIES = tuple(key_of(f"authority {number}") for number in range(2))
ASSESSOR, PHONE = key_of("assessor"), key_of("phone")


class Year:
    """Writes a village's year through its node. ``hostile`` puts such texts wherever the log takes one."""

    def __init__(
        self, origin: str = ORIGIN, seed: int = 1, volunteers: int = 16, elders: int = 24, hostile: str = ""
    ) -> None:
        self.now = SINCE
        self.chance = random.Random(seed)
        self.volunteers = [account_number(100_000 + place) for place in range(volunteers)]
        self.elders = [account_number(200_000 + place) for place in range(elders)]
        self.node = Node(MemoryStore(origin), NodeKeys(key_of(origin)), lambda: self.now)
        self.hostile = hostile
        self.services: list[int] = []
        self.secrets = [digest(f"coupon {place}")[:16] for place in range(COUPONS)]
        self.used = 0

    def write(self, author: SigningKey, beside: Sequence[SigningKey], *bodies: Body) -> list[int]:
        """What must be accepted; the indexes."""
        results = self.node.write(author, beside, bodies, durable=False)
        refused = [result for result in results if not isinstance(result, Accepted)]
        assert not refused, refused
        return [result.index for result in results if isinstance(result, Accepted)]

    def text(self, plain: str) -> str:
        """A text of the log."""
        return self.hostile or plain

    def live(self) -> "Year":
        """The whole year."""
        self.begin()
        for week in range(WEEKS):
            for _day in range(7):
                self.now += datetime.timedelta(days=1)
            self.serve(week)
            self.happen(week)
            self.node.seal(durable=False)
        self.node.commit()
        return self

    def begin(self) -> None:
        founding = Founding(
            self.node.origin, [CLERK, CLERK_2], MEMBERS, 2, authorities=[key.public for key in AUTHORITIES],
            parameters=PARAMETERS,
        )  # fmt: skip
        self.node.found(founding)
        for place, number in enumerate(self.volunteers):
            self.open(number, volunteer=True, band=1960 + 5 * (place % 9))
        for place, number in enumerate(self.elders):
            self.open(number, elder=True, redeemable=place % 3 == 0, band=1930 + 5 * (place % 5))
        for number in self.elders[1::3]:
            opened = AccountOpen(
                account=account_number(int(number[:6]) + 1_000), band=1940, dossier=HASH, elder=True,
                funded="key_elder", holder="person",
            )  # fmt: skip
            self.write(CLERK, (MEMBERS[0], *AUTHORITIES), opened)
            self.elders.append(opened.account)
        self.write(CLERK, MEMBERS[:2], *(
            Opening(account=number, minutes=1_500 + 60 * place, source=HASH)
            for place, number in enumerate(self.elders[:24:3])
        ))  # fmt: skip
        self.write(MEMBERS[0], MEMBERS[1:2], KeyGrant(account=self.elders[0], key=PHONE.public, role="recipient"))
        self.write(AUTHORITIES[0], AUTHORITIES[1:], KeyGrant(key=ASSESSOR.public, role="assessor"))
        self.write(CLERK, MEMBERS[:1], KinLink(
            person=self.volunteers[0], relation="parent", relative=self.elders[0]
        ))  # fmt: skip
        root = book_root(self.secrets)
        (self.book,) = self.write(AUTHORITIES[0], AUTHORITIES[1:], CouponIssue(
            account=self.elders[24], count=COUPONS, minutes_max=120, root=root
        ))  # fmt: skip
        for code, title in (("meals", "助餐专项资金"), ("repairs", "适老化改造资金")):
            self.write(MEMBERS[0], MEMBERS[1:2], FundOpen(fund=code, purpose=code, title=self.text(title)))

    def open(self, number: str, **fields: Any) -> None:
        self.write(CLERK, MEMBERS[:1], AccountOpen(account=number, dossier=HASH, holder="person", **fields))

    def serve(self, week: int) -> None:
        """Some services of the days before."""
        for _each in range(6 + week // 6 + self.chance.randrange(6)):
            day = self.now - datetime.timedelta(days=self.chance.randrange(1, 6))
            start = day + datetime.timedelta(minutes=15 * self.chance.randrange(0, 34))
            minutes = self.chance.choice((30, 45, 60, 90, 120))
            local = self.chance.choice(LOCALS)
            category = LOCAL_CATEGORIES[local] if local else self.chance.choice(CATEGORIES[:5])
            elder = self.elders[24 + self.chance.randrange(len(self.elders) - 24)]
            payer: Literal["issue", "recipient"] = "issue"
            if self.chance.random() < 0.2:
                elder, payer = self.elders[3 * self.chance.randrange(8)], "recipient"
            body = Service(
                category=category, end=start + datetime.timedelta(minutes=minutes), local=local, minutes=minutes,
                evidence=self.evidence(elder), paid_by=payer, provider=self.chance.choice(self.volunteers),
                recipient=elder, start=start,
            )  # fmt: skip
            clerk = CLERK if self.chance.random() < 0.7 else CLERK_2
            beside = (PHONE,) if body.evidence.form == "signed" else MEMBERS[:1]
            for result in self.node.write(clerk, beside, [body], durable=False):
                if isinstance(result, Accepted):
                    self.services.append(result.index)
                    self.used += body.evidence.form == "coupon"

    def evidence(self, elder: str) -> Evidence:
        if elder == self.elders[0]:
            return Evidence(form="signed")
        if elder == self.elders[24] and self.used < COUPONS:
            path = path_in(levels_of(list(map(leaf_hash, self.secrets))), self.used)
            return Evidence(
                form="coupon", book=self.book, index=self.used, path=tuple(path), secret=self.secrets[self.used]
            )
        return Evidence(form="paper", hash=HASH)

    def happen(self, week: int) -> None:
        """What else there is in some weeks."""
        if week % 6 == 1:
            self.money(week)
        if week % 7 == 2:
            self.corrections()
        if week % 10 == 4:
            self.oversight(week)
        if week % 12 == 5:
            self.inspect(week)
        if week == 30:
            self.change()

    def money(self, week: int) -> None:
        receive = FundReceive(
            fen=900_000 + week * 1_357, fund="meals", source=SOURCES[week // 6 % len(SOURCES)], voucher=HASH
        )
        more = FundReceive(fen=50_000, fund="repairs", source="individual", voucher=HASH)
        spend = [
            FundSpend(fen=fen, fund="meals", payee=self.text(payee), purpose="meals", voucher=HASH)
            for payee, fen in (("村食堂", 412_050), ("六渡河粮油店", 181_200 + week), ("老年餐配送队", 90_000))
        ]
        *_, last = self.write(MEMBERS[0], MEMBERS[1:2], receive, more, *spend)
        if week % 12 == 7:
            self.write(MEMBERS[0], MEMBERS[1:2], Reverse(index=last, reason=self.text("付重了")))

    def corrections(self) -> None:
        giver = max(self.volunteers, key=lambda number: self.node.state.accounts[number].balance)
        self.write(CLERK, MEMBERS[:1], Donate(giver=giver, minutes=60))
        self.write(AUTHORITIES[0], AUTHORITIES[1:], Grant(
            minutes=30, reason=self.text("重阳节"), to=self.elders[24]
        ))  # fmt: skip
        if self.node.state.accounts[self.volunteers[0]].balance >= 45:
            self.write(CLERK, MEMBERS[:1], Gift(giver=self.volunteers[0], minutes=45, to=self.elders[0]))
        standing = [index for index in self.services if index not in self.node.state.disputed]
        disputed, taken_back = standing[-1], standing[-2]
        if taken_back not in self.node.state.reversed:
            self.write(MEMBERS[0], MEMBERS[1:2], Reverse(index=taken_back, reason=self.text("记错了")))
        party = self.node.entry(disputed).body.provider
        if disputed in self.node.state.reversed:
            return
        (index,) = self.write(CLERK, MEMBERS[:1], Dispute(ground=self.text("没有来"), index=disputed, party=party))
        outcome = self.chance.choice(OUTCOMES)
        if outcome is not None:
            self.write(MEMBERS[2], MEMBERS[3:], Resolve(index=index, outcome=outcome, reason=self.text("听过双方")))

    def oversight(self, week: int) -> None:
        account = self.volunteers[week % len(self.volunteers)]
        (case,) = self.write(MEMBERS[0], (), CaseOpen(
            account=account, entries=tuple(self.services[-3:]), note=self.text("请核实"), suspicion="overlap"
        ))  # fmt: skip
        self.write(MEMBERS[0], (), CaseStep(case=case, note=self.text("电话了解"), step="hear"))
        if week == 44:
            return
        outcome: Literal["upheld", "cleared"] = "upheld" if week % 20 == 4 else "cleared"
        self.write(MEMBERS[2], MEMBERS[3:], CaseClose(case=case, note=self.text("核实完毕"), outcome=outcome))
        if outcome == "upheld":
            until = datetime.date(2027, 3, 1)
            (sanction,) = self.write(AUTHORITIES[0], AUTHORITIES[1:], Sanction(
                account=account, case=case, measure="list", until=until
            ))  # fmt: skip
            self.write(CLERK, MEMBERS[:1], Appeal(case=case, ground=self.text("我有话说")))
            if week == 4:
                lift = SanctionLift(reason=self.text("申诉成立"), sanction=sanction)
                self.write(AUTHORITIES[0], AUTHORITIES[1:], lift)

    def inspect(self, week: int) -> None:
        due = (self.now + datetime.timedelta(days=30)).date()
        findings = tuple(
            Finding(code="records", due=due, text=self.text(text)) for text in ("台账漏签三处", "志愿者培训记录不全")
        )
        (index,) = self.write(ASSESSOR, (), Inspection(findings=findings, subject=self.text("六渡河村互助点")))
        self.write(ASSESSOR, (), InspectionDone(finding=0, inspection=index, note=self.text("已补")))
        scores = {"records": 82 + week % 10, "service": 91}
        self.write(ASSESSOR, (), Assessment(
            period=f"2026-Q{week // 13 + 1}", report=HASH, scores=scores, subject=self.text("六渡河村互助点")
        ))  # fmt: skip

    def change(self) -> None:
        plain = format_parameters(PARAMETERS) | {"posting_days": 5, "night_start": 1_260}
        self.write(AUTHORITIES[0], AUTHORITIES[1:], Params(params=plain, version=1))
        best = max(self.volunteers, key=lambda number: self.node.state.accounts[number].earned)
        self.write(MEMBERS[0], MEMBERS[1:2], Institution(account=best))
        idle = self.elders[2]
        self.write(CLERK, MEMBERS[:1], AccountClose(account=idle, reason="moved"))
