"""A village's year in under a minute: the first half of ``make demo``.

Everything is done by the command line, as a committee and an auditor would; only the people, the day sheets and the
vouchers are made up here. After the year come a coupon, an objection, a suspicion that ends in a suspension, money, a
person who is erased, and the month's report. In the end one byte of one old record is changed in a copy, and the audit
says which.
"""

import csv
import datetime
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from stage import FOLDER_PREFIX, KEPT, ask, huzhu, said, told
from stage import say as say_of

from ledger.numbers import account_number

ORIGIN, TOWN = "liuduhe.example/huzhu", "bohai.example/huzhu"
FIRST_DAY = datetime.date(2025, 10, 20)
DAYS = 365
PERIOD, TODAY = "2026-10", "2026-10-20"
"""The month of the report, and the day after the year, on which all else happens."""
AT_NOON = ("--at", f"{TODAY}T12:00:00Z")
CLASH = datetime.date(2026, 10, 15)
"""On this day one volunteer is in two places at once."""
VOLUNTEERS, ELDERS = 60, 40
SERVICES_A_DAY = 12
CATEGORIES = ("emotional_comfort", "assistance", "travel_companion", "culture_sports", "health_science")
FAMILY_NAMES = "王李张刘陈杨赵黄周吴"
GIVEN_NAMES = "秀英桂兰建国志强淑珍玉梅海燕小红"
PEOPLE_HEADER = "account name born roles guardian phone address care_level funded credentials kin"
SHEET_HEADER = (
    "date start end provider recipient category local minutes paid_by evidence coupon recorder certifier remark"
)

TEXTS = {
    "begin": (
        "村委会开一本账，上级是渤海镇：节点、录入员和三位委员的密钥，创世记录，第一个封印",
        "A committee begins a ledger, under its township",
    ),
    "people": ("{people} 位老人和志愿者开户；个人资料加密留在本机，账本上只有摘要", "{people} people get accounts"),
    "sheets": ("一年的日报表：{rows} 行，每天一张签名的表、一个区块", "A year of sheets: {rows} rows, a block a day"),
    "refused": ("被拒的行留在这里，逐行写明原因", "The refused rows, with line and reason"),
    "balances": ("余额", "Balances"),
    "passbook": ("一位志愿者的存折（最后几笔）", "A volunteer's passbook, the last lines"),
    "receipt": ("一张余额回执，任何人离线可验", "A receipt for a balance, checked off line by anyone"),
    "coupon": (
        "镇上发给老人的服务券：没有手机的老人撕一张给志愿者，扫码就是凭证；同一张不能用两次",
        "Coupons for an elder without a phone: one is torn out and read at the desk, and never serves twice",
    ),
    "objection": (
        "老人提出异议：没有来过。两位与此无关的委员核实后成立，时间退回",
        "An elder objects: nobody came. Two members who had no part in it look into it and uphold it",
    ),
    "suspicion": ("疑点：规则允许，但人要去看一看", "Suspicions: allowed, and yet somebody should look"),
    "case": (
        "由此立案、听取说明、认定、暂停；之后这个账户的服务不再记账",
        "From it a case, a hearing, an outcome, a suspension; then the account serves no more",
    ),
    "fund": ("资金：四种来源，专款专用，每一元去了哪里", "Money: four sources, one purpose, and where each yuan went"),
    "erase": (
        "一位老人要求删除个人资料：密钥和盐一起销毁，账本照样成立",
        "A person asks to be erased: key and salt are destroyed, and the ledger stands as before",
    ),
    "report": ("月报：网页和电子表格", "The month's report, as a page and as a spreadsheet"),
    "kept": ("月报留在 {folder}/ 里，请打开看看", "The reports stay in {folder}/: open them"),
    "audit": ("审计：只凭一个文件，把一切重新算一遍", "The audit: from the file alone, all of it again"),
    "forge": (
        "现在有人在副本里改了一条旧记录的一个字节（第 {index} 条，第 {offset} 个字节）",
        "Now somebody changes one byte of an old record in a copy (entry {index}, byte {offset})",
    ),
    "caught": ("审计说出是哪一条：第 {index} 条", "The audit names it: entry {index}"),
    "missed": ("审计没有发现被改的记录", "The audit did not name the changed record"),
    "done": ("演示用时 {seconds:.0f} 秒。", "The demo took {seconds:.0f} s."),
}


def say(key: str, **values: object) -> None:
    """One of this year's headings."""
    say_of(TEXTS, key, **values)


def write_people(path: Path, chance: random.Random) -> tuple[list[str], list[str]]:
    """A people file; the numbers of the volunteers and of the elders."""
    numbers = [account_number(place) for place in chance.sample(range(1_000_000), VOLUNTEERS + ELDERS)]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(PEOPLE_HEADER.split())
        for place, number in enumerate(numbers):
            is_elder = place >= VOLUNTEERS
            born = datetime.date(chance.randrange(1938, 1958) if is_elder else chance.randrange(1960, 2000), 3, 15)
            name = chance.choice(FAMILY_NAMES) + "".join(chance.sample(GIVEN_NAMES, 2))
            role, care, funded = ("elder", "partial", "key_elder") if is_elder else ("volunteer", "", "")
            out.writerow([number, name, born, role, "", "", "", care, funded, "", ""])
    return numbers[:VOLUNTEERS], numbers[VOLUNTEERS:]


def rows_of_year(volunteers: Sequence[str], elders: Sequence[str], chance: random.Random) -> Iterator[list[object]]:
    """The day sheets; now and then a row that the rules refuse. Only on ``CLASH`` does somebody serve twice a day."""
    for place in range(DAYS):
        date = FIRST_DAY + datetime.timedelta(days=place)
        for volunteer in chance.sample(volunteers, SERVICES_A_DAY):
            provider = volunteer
            at = datetime.time(chance.randrange(8, 17), chance.choice((0, 15, 30, 45)))
            minutes = chance.choice((30, 45, 60, 90))
            recipient = chance.choice(elders)
            if chance.random() < 0.002:
                provider = chance.choice((recipient, f"{(int(volunteer) + 10) % 10**8:08d}"))
            yield row(date, at, minutes, provider, recipient, chance.choice(CATEGORIES))
        if date == CLASH:
            for recipient in elders[:2]:
                yield row(date, datetime.time(18), 60, volunteers[1], recipient, CATEGORIES[0])


def row(
    date: datetime.date, at: datetime.time, minutes: int, provider: str, recipient: str, category: str
) -> list[object]:
    """One service, on paper and paid by the platform."""
    start = datetime.datetime.combine(date, at)
    end = start + datetime.timedelta(minutes=minutes)
    times = (f"{start:%H:%M}", f"{end:%H:%M}")
    return [date, *times, provider, recipient, category, "", "", "issue", "paper", "", "", "", ""]


def write_sheets(path: Path, volunteers: Sequence[str], elders: Sequence[str], chance: random.Random) -> int:
    """A year's day sheets; the number of rows."""
    rows = list(rows_of_year(volunteers, elders, chance))
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(SHEET_HEADER.split())
        out.writerows(rows)
    return len(rows)


def at_noon(*words: str | Path, status: int = 0, typed: str = "") -> None:
    """Something that is written on the day after the year."""
    huzhu(*words, *AT_NOON, status=status, typed=typed)


def begin_town(at: str) -> tuple[str, list[str | Path]]:
    """The tier above: its ledger, and two officials whose keys the village's genesis will name."""
    town = FOLDER / "town"
    vkey = told("init", "--home", town, "--origin", TOWN, "--tier", "township", "--at", at)["vkey"]
    files = [FOLDER / f"official-{place}.pem" for place in (1, 2)]
    made = [told("key", "new", "--home", town, "--role", "authority", "-o", file) for file in files]
    (FOLDER / "officials.txt").write_text("".join(f"{key['public']}\n" for key in made))
    return vkey, [word for file in files for word in ("--key-file", file)]


def next_index() -> str:
    """The number that the next entry will have."""
    return str(told("verify", HOME)["ledgers"][0]["size"])


def use_coupon(volunteer: str, elder: str, officials: Sequence[str | Path]) -> None:
    """A book is printed, one coupon is used, and then once more."""
    page = KEPT / "coupons.html"
    page.unlink(missing_ok=True)
    at_noon("coupon", "issue", elder, "--count", "24", "--minutes-max", "120", "-o", page, *officials)
    coupon = re.findall(r"HZ1:[^/]+", page.read_text(encoding="utf-8"))[6].replace("<br>", "").removesuffix("<")
    service = ["--coupon", "-", "--category", "assistance", "--date", TODAY, "--paid-by", "issue"]
    at_noon("record", volunteer, elder, "--start", "09:00", "--end", "10:30", *service, typed=coupon)
    at_noon("record", volunteer, elder, "--start", "11:00", "--end", "11:30", *service, typed=coupon, status=1)


def object_to(volunteer: str) -> None:
    """The volunteer's latest service is objected to, and taken back."""
    line = [line for line in told("statement", volunteer)["lines"] if line["kind"] == "service"][-1]
    dispute = next_index()
    at_noon("dispute", str(line["index"]), line["other"], "--ground", said("那天没有人来", "nobody came that day"))
    at_noon("resolve", dispute, "upheld", "--reason", said("邻居证实", "neighbours confirm it"))
    huzhu("statement", volunteer, shown=4, tail=True)


def look_into(elder: str, officials: Sequence[str | Path]) -> None:
    """A suspicion becomes a case, the case a suspension."""
    (suspicion,) = told("suspicions")
    account = suspicion["account"]
    entries = [word for index in suspicion["entries"] for word in ("--entry", str(index))]
    say("case")
    case = next_index()
    at_noon("case", "open", account, "--suspicion", suspicion["code"], *entries)
    at_noon("case", "step", case, "hear", "--note", said("本人说不清楚", "cannot explain it"))
    at_noon("case", "close", case, "upheld", "--note", said("两处服务时间重叠", "in two places at once"))
    at_noon("sanction", "impose", account, "suspend", "--case", case, "--until", "2027-04-30", *officials)
    huzhu("case", "show", case)
    paper = FOLDER / "paper.jpg"
    paper.write_bytes(b"a scanned sheet")
    service = ["--category", "assistance", "--date", TODAY, "--start", "14:00", "--end", "15:00", "--paid-by", "issue"]
    at_noon("record", account, elder, *service, "--paper", paper, status=1)


def move_money() -> None:
    """A fund, what came in, what went out, and what may not."""
    voucher = FOLDER / "voucher.jpg"
    voucher.write_bytes(b"a scanned voucher")
    vouched = ["--voucher", voucher]
    at_noon("fund", "open", "meals", "--purpose", "meals", "--title", said("助餐资金", "meals"))
    received = {"government": "20000", "collective": "6000", "society": "3500", "individual": "500.50"}
    for source, yuan in received.items():
        at_noon("fund", "receive", "meals", yuan, "--source", source, *vouched)
    for payee, yuan in ((said("村食堂", "canteen"), "12800"), (said("粮油店", "grocer"), "2600.40")):
        at_noon("fund", "spend", "meals", yuan, "--purpose", "meals", "--payee", payee, *vouched)
    feast = ("--purpose", "banquet", "--payee", said("饭店", "restaurant"))
    at_noon("fund", "spend", "meals", "900", *feast, *vouched, status=1)
    huzhu("fund", "show", "meals")


def forge(archive: Path) -> tuple[int, int]:
    """Make a minute more of an old service, by one byte; the entry's index and the byte's place."""
    connection = sqlite3.connect(archive)
    with connection:
        index, raw = connection.execute(
            "SELECT idx, bytes FROM entry WHERE instr(bytes, CAST('\"minutes\":' AS BLOB)) AND idx > 1000 LIMIT 1"
        ).fetchone()
        place = raw.index(b'"minutes":') + len(b'"minutes":')
        changed = raw[:place] + (b"9" if raw[place : place + 1] != b"9" else b"8") + raw[place + 1 :]
        connection.execute("UPDATE entry SET bytes=? WHERE idx=?", (changed, index))
    connection.close()
    return index, place


def main() -> None:
    """The year."""
    started, chance = time.monotonic(), random.Random(2026)
    KEPT.mkdir(exist_ok=True)
    people, sheets = FOLDER / "people.csv", FOLDER / "year.csv"
    volunteers, elders = write_people(people, chance)
    row_count = write_sheets(sheets, volunteers, elders, chance)
    parameters = FOLDER / "params.json"
    parameters.write_text(json.dumps({"record_within_days": 7, "posting_days": 3}))
    at = "2025-10-19T00:00:00Z"

    say("begin")
    vkey, officials = begin_town(at)
    huzhu(
        "init", "--origin", ORIGIN, "--parent", vkey, "--authority", FOLDER / "officials.txt", "--params", parameters,
        "--at", at,
    )  # fmt: skip
    say("people", people=VOLUNTEERS + ELDERS)
    huzhu("person", "import", people, *officials, "--at", at)
    say("sheets", rows=row_count)
    huzhu("import", sheets, "--seal-by", "date", "--at", "date", status=1)
    say("refused")
    for line in sheets.with_suffix(".refused.csv").read_text(encoding="utf-8-sig").splitlines()[:5]:
        print(f"  {line}")
    say("balances")
    huzhu("balance", shown=9)
    say("passbook")
    huzhu("statement", volunteers[0], shown=6, tail=True)
    say("receipt")
    trust, receipt = FOLDER / "trust.policy", FOLDER / f"{volunteers[0]}.balance-proof"
    huzhu("trust", "-o", trust)
    huzhu("receipt", "--balance", volunteers[0], "-o", receipt)
    huzhu("check-receipt", receipt, "--trust", trust)
    say("coupon")
    use_coupon(volunteers[2], elders[0], officials)
    say("objection")
    object_to(volunteers[3])
    say("suspicion")
    huzhu("suspicions")
    look_into(elders[1], officials)
    say("fund")
    move_money()
    say("erase")
    huzhu("person", "show", elders[2], "--reason", said("核对住址", "to check the address"), tail=True)
    huzhu("person", "erase", elders[2], "--yes", *AT_NOON)
    huzhu("person", "show", elders[2], tail=True)
    at_noon("seal")
    say("report")
    for form in ("html", "xlsx"):
        huzhu("report", "--period", PERIOD, "--format", form, "-o", KEPT / f"{PERIOD}.{form}")
    say("kept", folder=KEPT.name)
    say("audit")
    archive = FOLDER / "village.db"
    huzhu("export", "--archive", archive)
    huzhu("verify", archive, "--trust", trust)
    copy = FOLDER / "copy.db"
    shutil.copy(archive, copy)
    index, place = forge(copy)
    say("forge", index=index, offset=place)
    huzhu("verify", copy, "--trust", trust, status=1, shown=24)
    report = ask("verify", copy, "--trust", trust, "--json", status=1)
    named = {finding.get("index") for finding in json.loads(report)["findings"] if finding["code"].startswith("entry.")}
    if named != {index}:
        say("missed")
        sys.exit(1)
    say("caught", index=index)
    say("done", seconds=time.monotonic() - started)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
        FOLDER = Path(name)
        HOME = FOLDER / "home"
        os.environ["HUZHU_HOME"] = str(HOME)
        main()
