"""A village's year in under a minute: ``make demo``.

Everything is done by the command line, as a committee and an auditor would; only the people and the day sheets are made
up here. In the end one byte of one old record is changed in a copy, and the audit says which.
"""

import csv
import datetime
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ledger.numbers import account_number
from web.i18n import CHINESE, language_of_locale

HUZHU = Path(sys.executable).with_name("huzhu")
ORIGIN = "liuduhe.example/huzhu"
FIRST_DAY = datetime.date(2025, 11, 1)
DAYS = 365
VOLUNTEERS, ELDERS = 60, 40
SERVICES_A_DAY = 12
CATEGORIES = ("emotional_comfort", "assistance", "travel_companion", "culture_sports", "health_science")
FAMILY_NAMES = "王李张刘陈杨赵黄周吴"
GIVEN_NAMES = "秀英桂兰建国志强淑珍玉梅海燕小红"
SHOWN_LINES = 14
PEOPLE_HEADER = "account name born roles guardian phone address care_level funded credentials kin"
SHEET_HEADER = (
    "date start end provider recipient category local minutes paid_by evidence coupon recorder certifier remark"
)

TEXTS = {
    "begin": ("村委会开一本账：节点、录入员和三位委员的密钥，创世记录，第一个封印", "A committee begins a ledger"),
    "people": ("{people} 位老人和志愿者开户；个人资料只变成加盐的摘要", "{people} elders and volunteers get accounts"),
    "sheets": ("一年的日报表：{rows} 行，每天一张签名的表、一个区块", "A year of sheets: {rows} rows, a block a day"),
    "refused": ("被拒的行留在这里，逐行写明原因", "The refused rows, with line and reason"),
    "balances": ("余额", "Balances"),
    "passbook": ("一位志愿者的存折（最后几笔）", "A volunteer's passbook, the last lines"),
    "receipt": ("一张余额回执，任何人离线可验", "A receipt for a balance, checked off line by anyone"),
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
    """A heading in the reader's language."""
    chinese, english = TEXTS[key]
    print(f"\n\033[1m■ {(chinese if LANGUAGE == CHINESE else english).format(**values)}\033[0m", flush=True)


def ask(*words: str | Path, status: int = 0) -> str:
    """Run a command and answer its output."""
    done = subprocess.run([HUZHU, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != status:
        sys.exit(f"{done.stdout}\nhuzhu {words[0]}: exit status {done.returncode}, not {status}")
    return done.stdout


def huzhu(*words: str | Path, status: int = 0, shown: int = SHOWN_LINES, tail: bool = False) -> None:
    """Run a command, and print it and some of its lines."""
    print("\033[2m$ huzhu " + " ".join(str(word) for word in words).replace(f"{FOLDER}/", "") + "\033[0m", flush=True)
    lines = ask(*words, status=status).splitlines()
    cut = len(lines) > shown
    chosen = lines if not cut else lines[-shown:] if tail else lines[:shown]
    for line in (["…"] if cut and tail else []) + chosen + (["…"] if cut and not tail else []):
        print(f"  {line}")


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
    """The day sheets; now and then a row that the rules refuse."""
    for place in range(DAYS):
        date = FIRST_DAY + datetime.timedelta(days=place)
        for _ in range(SERVICES_A_DAY):
            at = datetime.time(chance.randrange(8, 17), chance.choice((0, 15, 30, 45)))
            start = datetime.datetime.combine(date, at)
            end = start + datetime.timedelta(minutes=chance.choice((30, 45, 60, 90)))
            provider, recipient = chance.choice(volunteers), chance.choice(elders)
            if chance.random() < 0.002:
                provider = chance.choice((recipient, f"{(int(provider) + 10) % 10**8:08d}"))
            yield [
                date, f"{start:%H:%M}", f"{end:%H:%M}", provider, recipient, chance.choice(CATEGORIES),
                "", "", "issue", "paper", "", "", "", "",
            ]  # fmt: skip


def write_sheets(path: Path, volunteers: Sequence[str], elders: Sequence[str], chance: random.Random) -> int:
    """A year's day sheets; the number of rows."""
    rows = list(rows_of_year(volunteers, elders, chance))
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(SHEET_HEADER.split())
        out.writerows(rows)
    return len(rows)


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
    home, people, sheets = FOLDER / "home", FOLDER / "people.csv", FOLDER / "year.csv"
    volunteers, elders = write_people(people, chance)
    row_count = write_sheets(sheets, volunteers, elders, chance)
    parameters = FOLDER / "params.json"
    parameters.write_text(json.dumps({"record_within_days": 7, "posting_days": 3}))
    at = "2025-10-31T00:00:00Z"

    say("begin")
    huzhu("init", "--home", home, "--origin", ORIGIN, "--params", parameters, "--at", at)
    say("people", people=VOLUNTEERS + ELDERS)
    huzhu("person", "import", "--home", home, people, "--at", at)
    say("sheets", rows=row_count)
    huzhu("import", "--home", home, sheets, "--seal-by", "date", "--at", "date", status=1)
    say("refused")
    for line in sheets.with_suffix(".refused.csv").read_text(encoding="utf-8-sig").splitlines()[:5]:
        print(f"  {line}")
    say("balances")
    huzhu("balance", "--home", home, shown=9)
    say("passbook")
    huzhu("statement", "--home", home, volunteers[0], shown=6, tail=True)
    say("receipt")
    trust, receipt = FOLDER / "trust.policy", FOLDER / f"{volunteers[0]}.balance-proof"
    huzhu("trust", "--home", home, "-o", trust)
    huzhu("receipt", "--home", home, "--balance", volunteers[0], "-o", receipt)
    huzhu("check-receipt", receipt, "--trust", trust)
    say("audit")
    archive = FOLDER / "village.db"
    huzhu("export", "--home", home, "--archive", archive)
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


LANGUAGE = language_of_locale(os.environ)

if __name__ == "__main__":
    os.environ.pop("HUZHU_HOME", None)
    with tempfile.TemporaryDirectory(prefix="huzhu-demo-") as name:
        FOLDER = Path(name)
        main()
