"""What an entry, a receipt or an account says to people."""

import datetime
import re
from gettext import gettext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chain.checkpoint import Checkpoint, sign_checkpoint
from chain.keys import key_id
from chain.note import format_note
from ledger import bodies
from ledger.kinds import KINDS
from ledger.parameters import CATEGORIES
from ledger.roster import NODE
from tests.ledger.travel import made_proof, sent
from tests.scenarios.village import key_of, number_of, vkey_of
from tests.web.desk import ANNE, BEN, CLARA, DORA, ORIGIN, Desk, run
from tests.web.test_commands import village  # noqa: F401 - a fixture
from web import i18n, telling, text
from web.commands_people import ROLES

KEY, HASH = b"\x01" * 32, b"\x02" * 32
MORNING = datetime.datetime(2025, 11, 1, 1, 21, tzinfo=datetime.UTC)
HOURS = datetime.timedelta(hours=1)

SERVICE = bodies.Service(
    category="assistance",
    end=MORNING + 2.25 * HOURS,
    evidence=bodies.Evidence(form="paper", hash=HASH),
    local="meals",
    minutes=135,
    paid_by="recipient",
    provider=ANNE,
    recipient=DORA,
    start=MORNING,
)
NIGHT = bodies.Service(
    category="training",
    end=MORNING + 15 * HOURS,
    evidence=bodies.Evidence(form="paper", hash=HASH),
    minutes=30,
    paid_by="issue",
    provider=ANNE,
    recipient=DORA,
    start=MORNING + 14 * HOURS,
)
ARRIVED = made_proof("west.example/huzhu", "west", sent(f"east.example/huzhu#{BEN}"), index=7)
ANCHORED = format_note(sign_checkpoint(Checkpoint("east.example/huzhu", 9, HASH), key_of("east")))

CLOSED = "reason: closed: the account is closed"
TOLD: list[tuple[Any, list[str], str]] = [
    (
        SERVICE,
        [
            f"{ANNE} served {DORA}: assistance (meals)",
            "2025-11-01 09:21–11:36 (UTC+8), 2.25 h (135 min), paid by the recipient",
        ],
        "2.25 小时（135 分钟），由接受服务的人支付",
    ),
    (
        NIGHT,
        [
            f"{ANNE} served {DORA}: training",
            "2025-11-01 23:21–2025-11-02 00:21 (UTC+8), 0.5 h (30 min), paid by platform",
        ],
        "由平台支付",
    ),
    (bodies.Gift(giver=ANNE, minutes=60, to=BEN), [f"{ANNE} → {BEN}: 1 h (60 min)"], "1 小时（60 分钟）"),
    (bodies.Donate(giver=ANNE, minutes=60), [f"{ANNE} → pool: 1 h (60 min)"], "公共池"),
    (
        bodies.Grant(minutes=60, reason="重阳节", to=DORA),
        [f"platform → {DORA}: 1 h (60 min)", "reason: 重阳节"],
        "原因：重阳节",
    ),
    (
        bodies.Opening(account=ANNE, minutes=600, source=HASH),
        [f"account {ANNE} was given 10 h (600 min)"],
        "10 小时（600 分钟）",
    ),
    (bodies.Reverse(index=7, reason="twice"), ["it takes entry 7 back", "reason: twice"], "冲销第 7 条"),
    (
        bodies.Dispute(ground="never\u202ecame", index=7, party=DORA),
        [f"account {DORA} objects to entry 7", "reason: never came"],
        "对第 7 条有异议",
    ),
    (
        bodies.Resolve(index=8, outcome="upheld", reason="x"),
        ["the dispute of entry 8 was upheld: the service is taken back", "reason: x"],
        "第 8 条异议成立",
    ),
    (
        bodies.Resolve(index=8, outcome="rejected", reason="x"),
        ["the dispute of entry 8 was rejected: the service stands", "reason: x"],
        "第 8 条异议不成立",
    ),
    (
        bodies.AccountOpen(account=ANNE, dossier=HASH, elder=True, holder="person", volunteer=True),
        [f"account {ANNE}: volunteer, elder"],
        "志愿者、老人",
    ),
    (bodies.AccountUpdate(account=ANNE, dossier=HASH), [f"account {ANNE}: —"], "账户"),
    (
        bodies.AccountClose(account=ANNE, reason="moved", to="pool"),
        [f"account {ANNE} → pool", "reason: moved"],
        "公共池",
    ),
    (bodies.AccountClose(account=ANNE, reason="died"), [f"account {ANNE}", "reason: died"], "账户"),
    (
        bodies.CredentialGrant(account=ANNE, issuer="x", scope="legal"),
        [f"account {ANNE}: legal", "issued by: x"],
        "账户",
    ),
    (bodies.CredentialRevoke(account=ANNE, reason="x", scope="legal"), [f"account {ANNE}: legal"], "账户"),
    (bodies.KinLink(person=ANNE, relation="child", relative=BEN), [f"{ANNE} — child: {BEN}"], BEN),
    (bodies.KinUnlink(person=ANNE, relative=BEN), [f"{ANNE} — {BEN}"], BEN),
    (bodies.KeyGrant(account=ANNE, key=KEY, role="clerk"), [f"{key_id(KEY)}  clerk  {ANNE}"], "录入员"),
    (bodies.KeyRevoke(key_id="0123456789abcdef", reason="lost"), ["0123456789abcdef", "reason: lost"], "原因：lost"),
    (bodies.NodeRotate(key=KEY), [key_id(KEY)], key_id(KEY)),
    (bodies.Params(params={}, version=1), [], ""),
    (bodies.Institution(account=ANNE), [f"account {ANNE}"], "账户"),
    (
        bodies.CouponIssue(account=DORA, count=50, minutes_max=120, root=HASH),
        [f"account {DORA}: 50 coupons, each for at most 2 h (120 min)"],
        "50 张服务券",
    ),
    (
        bodies.CaseOpen(account=ANNE, entries=(7, 8), note="two\u202eat once", suspicion="unheard_of"),
        [f"account {ANNE}: unheard_of; it rests on the entries 7, 8", "note: two at once"],
        "依据第 7、8 条",
    ),
    (
        bodies.CaseOpen(account=ANNE, entries=(7,), suspicion="night"),
        [f"account {ANNE}: a service lies in the night; it rests on the entries 7"],
        "依据第 7 条",
    ),
    (bodies.CaseStep(case=9, note="x", step="hear"), ["case 9: heard", "note: x"], "已听取本人说明"),
    (bodies.CaseClose(case=9, note="x", outcome="upheld"), ["case 9: upheld", "note: x"], "案件 9：属实"),
    (
        bodies.Sanction(account=ANNE, case=9, measure="suspend", until=datetime.date(2026, 12, 1)),
        [f"case 9: account {ANNE}: suspended", "due to be lifted on 2026-12-01"],
        "应于 2026-12-01 解除",
    ),
    (
        bodies.Sanction(account=ANNE, case=9, measure="list"),
        [f"case 9: account {ANNE}: on the public list"],
        "公示名单",
    ),
    (bodies.SanctionLift(reason="x", sanction=11), ["sanction 11 is lifted", "reason: x"], "第 11 条处理已解除"),
    (bodies.Appeal(case=9, ground="x"), ["case 9: the person objects", "reason: x"], "本人申诉"),
    (bodies.FundOpen(fund="meals", purpose="food", title="午餐"), ["fund meals, for food: 午餐"], "用途 food：午餐"),
    (
        bodies.FundReceive(fen=123_450, fund="meals", source="collective", voucher=HASH),
        ["village collective → fund-meals: 1234.50 yuan"],
        "1234.50 元",
    ),
    (
        bodies.FundSpend(fen=5, fund="meals", payee="粮\u2028店", purpose="food", voucher=HASH),
        ["fund-meals → 粮 店: 0.05 yuan", "for food"],
        "用途：food",
    ),
    (
        bodies.Assessment(period="2026", report=HASH, scores={"care": 90, "meals": 80}, subject="驿站"),
        ["驿站, 2026", "care 90", "meals 80"],
        "驿站",
    ),
    (
        bodies.Inspection(findings=(bodies.Finding(code="fire", due=MORNING.date(), text="x"),), subject="驿站"),
        ["驿站", "fire, 2025-11-01: x"],
        "fire",
    ),
    (
        bodies.InspectionDone(finding=0, inspection=9, note="x"),
        ["finding 0 of inspection 9 is mended", "note: x"],
        "检查 9 的第 0 个问题已整改",
    ),
    (
        bodies.Risk(
            figures={"band_0": 1, "band_1960": 60, "band_x": 9, "fen": 100, "outstanding": 61, "paper": 999, "zzz": 1},
            period="2025-11",
        ),
        [
            "2025-11",
            "hours that people can still spend                        1.02 h (61 min)",
            "services of the month on paper                           99.9 %",
            "money in all funds                                       1.00 yuan",
            "owed to people and institutions without a year of birth  0.02 h (1 min)",
            "owed to people born 1960–1964                            1 h (60 min)",
        ],
        "1960–1964 年出生的人",
    ),
    (
        bodies.TransferOut(giver=ANNE, minutes=60, to=f"east.example/huzhu#{BEN}"),
        [f"{ANNE} → east.example/huzhu#{BEN}: 1 h (60 min)"],
        "1 小时",
    ),
    (
        bodies.TransferIn(admissions=(), minutes=60, proof=ARRIVED, to=BEN),
        [f"west.example/huzhu#{number_of('wang')} → {BEN}: 1 h (60 min)"],
        "1 小时",
    ),
    (bodies.TransferIn(admissions=(), minutes=60, proof=b"x", to=BEN), [f"— → {BEN}: 1 h (60 min)"], "1 小时"),
    (
        bodies.TransferRefuse(admissions=(), proof=ARRIVED, reason="closed"),
        [f"west.example/huzhu#{number_of('wang')} → east.example/huzhu#{BEN}: 1 h (60 min)", CLOSED],
        "原因：closed",
    ),
    (bodies.TransferRefuse(admissions=(), proof=b"x", reason="closed"), [CLOSED], "原因：closed"),
    (
        bodies.TransferBack(admissions=(), index=7, proof=ARRIVED),
        ["the hours that entry 7 sent are back"],
        "第 7 条转出的时间已退回",
    ),
    (
        bodies.OrgAdmit(origin="east.example/huzhu", tier="village", vkey=vkey_of("east.example/huzhu", "east")),
        ["east.example/huzhu: village", vkey_of("east.example/huzhu", "east")],
        "村",
    ),
    (bodies.OrgRetire(origin="east.example/huzhu", reason="x"), ["east.example/huzhu", "reason: x"], "原因：x"),
    (
        bodies.Anchor(checkpoint=ANCHORED, origin="east.example/huzhu"),
        ["east.example/huzhu: 9 entries"],
        "9 条",
    ),
    (bodies.Anchor(checkpoint=b"x", origin="east.example/huzhu"), ["east.example/huzhu"], "east"),
]


@pytest.mark.parametrize(("body", "lines", "chinese"), TOLD, ids=lambda value: type(value).__name__)
def test_what_an_entry_says(body: Any, lines: list[str], chinese: str) -> None:
    entry = cast(Any, SimpleNamespace(body=body))
    i18n.use("en")
    assert telling.entry_lines(entry) == lines
    i18n.use("zh")
    assert chinese in "\n".join(telling.entry_lines(entry))


def test_what_stands_between_words_is_the_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {"{head}: {text}": "{head}：{text}", ", ": "、"}
    monkeypatch.setattr(telling, "_", lambda msgid: marks.get(msgid, msgid))
    for body, _lines, _chinese in TOLD:
        facts = cast(Any, SimpleNamespace(body=body))
        if isinstance(body, bodies.Gift | bodies.Donate | bodies.AccountOpen | bodies.FundReceive | bodies.Inspection):
            told = "\n".join(telling.entry_lines(facts))
            assert "：" in told and ": " not in told and ", " not in told


def test_every_kind_is_told_but_for_what_the_ledger_begins_with() -> None:
    told = {type(body) for body, _lines, _chinese in TOLD}
    assert {kind.body for kind in KINDS.values()} - told == {bodies.Genesis}


def test_every_kind_role_and_category_has_a_name() -> None:
    assert set(text.KINDS) == {*KINDS, "seal"}
    assert set(text.CATEGORIES) == set(CATEGORIES)
    assert set(text.ROLES) == {*ROLES, NODE}
    for names in (text.KINDS, text.CATEGORIES, text.ROLES):
        for name in names.values():
            i18n.use("zh")
            assert re.search("[\u4e00-\u9fff]", gettext(name)), name


def test_a_person_in_words(village: Desk) -> None:  # noqa: F811
    shown = village("person", "show", BEN).stdout
    lines = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in shown.splitlines())
    assert (lines["balance"], lines["status"], lines["holder"]) == ("1 h (60 min)", "open", "person")
    assert (lines["elder"], lines["minor"], lines["guardian"], lines["born"]) == ("yes", "no", "—", "1950–1954")
    assert "True" not in shown and "None" not in shown and "[]" not in shown
    chinese = village("person", "show", ANNE, "--lang", "zh").stdout
    assert CLARA in chinese and "志愿者" in chinese and "未成年人" in chinese
    assert "录入员" in village("key", "list", "--lang", "zh").stdout
    assert village.json("person", "show", BEN)["elder"] is True


def test_a_receipt_in_words(village: Desk, tmp_path: Path) -> None:  # noqa: F811
    trust, proof = tmp_path / "trust", tmp_path / "proof"
    service = len(village.entries()) - 1
    village("person", "close", ANNE, "--reason", "moved")
    village("seal")
    village("trust", "-o", trust)
    village("receipt", str(service), "-o", proof)
    shown = run("check-receipt", proof, "--trust", trust).stdout
    assert "service" in shown and f"{BEN} served {DORA}" in shown and "2025-11-01 09:00–10:00 (UTC+8)" in shown
    assert f"记录 {service}" not in shown
    assert f"{BEN} 服务 {DORA}" in run("check-receipt", proof, "--trust", trust, "--lang", "zh").stdout
    village("receipt", "--balance", ANNE, "-o", proof)
    assert "the account was closed" in run("check-receipt", proof, "--trust", trust).stdout


def test_what_is_no_receipt_is_named(village: Desk, tmp_path: Path) -> None:  # noqa: F811
    trust, proof = tmp_path / "trust", tmp_path / "proof"
    village("seal")
    village("trust", "-o", trust)
    for words, message in (
        (("promise", "0"), "is a promise, no receipt"),
        (("checkpoint",), "is a checkpoint, no receipt"),
        (("trust",), "is no receipt"),
    ):
        village(*words, "-o", proof)
        error = run("check-receipt", proof, "--trust", trust, status=2).stderr
        assert message in error and "huzhu verify" in error and error.count("\n") == 1
    proof.write_bytes(b"c2sp.org/tlog-proof@v1\nnonsense\n")
    assert "NOT PROVEN" in run("check-receipt", proof, "--trust", trust, status=1).stdout


def test_a_report_names_the_kinds(village: Desk) -> None:  # noqa: F811
    assert "account opened 4" in run("verify", village.home).stdout
    shown = run("verify", village.home, "--lang", "zh").stdout
    assert "开户 4" in shown and "account_open" not in shown
    assert ORIGIN in shown
