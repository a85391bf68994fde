"""What the documents say is so: their commands run, their links lead somewhere, their bytes are the code's."""

import dataclasses
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from chain.cosignature import cosign_ed25519, member_name
from chain.keys import SigningKey
from chain.note import add_signatures, parse_vkey
from chain.policy import NO_QUORUM, Policy, cosigned_names, parse_policy, quorum_met
from ledger.kinds import CODEC, KINDS
from ledger.parameters import NAMES
from ledger.suspicion_list import TEXTS as SUSPICIONS
from store.settings import ServeSettings, parse_settings
from tests.forked import run_forked
from verify.audit import Trust, audit_ledger
from verify.receipts import check_receipt
from verify.source import MemorySource

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "data" / "liuduhe"
FORMAT, RULES = ROOT / "chain" / "FORMAT.md", ROOT / "ledger" / "RULES.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), FORMAT, RULES, *(ROOT / "docs").rglob("*.md")])
PAIRS = [
    "README",
    *(
        f"docs/{name}"
        for name in (
            "auditor",
            "carry-over",
            "committee",
            "desk",
            "first-day",
            "operator",
            "report",
            "scale",
            "supervisor",
            "volunteer",
        )
    ),
]
OWN_WORDS = {"--finding", "--ground", "--note", "--payee", "--reason", "--title"}
"""After these a page writes what people of its language would."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"\$ (?P<words>.*?)(?:\s+# .*?(?P<status>\d).*)?")
CODE = re.compile(r"(?:log|checkpoint|quorum|entry|seal|sum|balance|transfer|org)\.[a-z]+(?:-[a-z]+)*")
AWKWARD = re.compile(r"\b(?:TODO|FIXME|XXX|coming soon)\b|/wor[k]/|/home/|/tmp/|pyp[i]\.org|npmj[s]", re.IGNORECASE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fences(text: str, language: str) -> list[str]:
    """The contents of a page's fenced blocks of one language."""
    return [body for name, body in FENCE.findall(text) if name == language]


def plain(text: str) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text)


def marked(text: str, name: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    (found,) = re.findall(f"<!-- {name} -->(.*?)<!-- /{name.split(':')[0]} -->", text, re.DOTALL)
    return str(found)


def rows(text: str) -> list[list[str]]:
    """For each row of a page's tables that begins with a name in code, the names in its first cell."""
    firsts = [line.split("|")[1] for line in plain(text).splitlines() if line.startswith("| `")]
    return [re.findall("`(.*?)`", cell) for cell in firsts]


# Links, languages, words


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = [title.lower() for _, title in HEADING.findall(plain(path.read_text("utf-8")))]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(plain(path.read_text("utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_nothing_is_left_open(path: Path) -> None:
    assert AWKWARD.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize("stem", PAIRS)
def test_both_languages_say_the_same_in_the_same_order(stem: str) -> None:
    english, chinese = ((ROOT / f"{stem}{suffix}.md").read_text("utf-8") for suffix in ("", ".zh"))

    assert [level for level, _ in HEADING.findall(plain(english))] == [
        level for level, _ in HEADING.findall(plain(chinese))
    ]
    assert f"({Path(stem).name}.zh.md)" in english
    assert f"({Path(stem).name}.md)" in chinese
    assert fences(english, "python") == fences(chinese, "python")
    assert [shared(step.words) for step in steps(english)] == [shared(step.words) for step in steps(chinese)]
    assert rows(english) == rows(chinese)


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_begins_with_the_two_commands(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    commands = [line.split("#")[0].strip() for line in lines if line.startswith("    ")]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    assert commands == ["make demo", "make test"]
    assert {"demo", "test", "bench"} <= set(targets)
    assert "\n" in marked((ROOT / name).read_text("utf-8"), "bench")


# The format


@pytest.fixture(scope="module")
def examples() -> ModuleType:
    """``scripts/examples.py``."""
    spec = importlib.util.spec_from_file_location("examples", ROOT / "scripts" / "examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return FORMAT.read_text("utf-8")


def test_examples_regenerate(examples: ModuleType, page: str) -> None:
    assert examples.fill(page) == page


@pytest.mark.parametrize("page", ["", "<!-- example:canonical -->\n<!-- example:keys -->\n<!-- /example -->"])
def test_a_page_without_its_markers_is_not_written(examples: ModuleType, page: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        examples.fill(page)


def test_somebody_who_has_only_the_page_can_audit_its_ledger(page: str) -> None:
    lines = [line for body in fences(page, "text") for line in body.splitlines()]
    entries = {line for line in lines if line.startswith('{"at":') and '"sigs":' in line}
    ordered = sorted(map(str.encode, entries), key=lambda raw: CODEC.parse(raw).seq)
    checkpoint = fences(marked(page, "example:checkpoint"), "text")[0].encode()
    vkey = parse_vkey(fences(marked(page, "example:keys"), "text")[1].splitlines()[0])
    trust = Policy((vkey,), (), (), NO_QUORUM)

    report = audit_ledger(MemorySource(vkey.name, sort_by_kind(ordered), [(7, checkpoint)]), Trust(trust))

    assert report.findings == []
    assert (report.size, report.blocks, report.is_pinned) == (7, 2, True)
    for name in ("receipt", "balance-receipt"):
        assert check_receipt(fences(marked(page, f"example:{name}"), "text")[0].encode(), trust).checkpoint.size == 7


def sort_by_kind(entries: list[bytes]) -> list[bytes]:
    """In order of time; of entries of one moment genesis comes first and a seal last."""
    order = {"genesis": 0, "seal": 2}
    return sorted(entries, key=lambda raw: (CODEC.parse(raw).at, order.get(CODEC.parse(raw).kind, 1)))


def test_the_trust_file_of_the_guide_works(examples: ModuleType) -> None:
    text = marked((ROOT / "docs" / "auditor.md").read_text("utf-8"), "policy")
    policy = parse_policy(fences(text, "text")[0].encode())
    example = examples.Example()
    names = [member_name(examples.ORIGIN, example.keys[name].id) for name in ("member one", "member two")]
    signers = [*names, "township.example/witness"]
    keys = [example.keys["member one"], example.keys["member two"], SigningKey(examples.seed_of("township"))]
    note = example.note
    for name, key in zip(signers, keys, strict=True):
        assert not quorum_met(policy, cosigned_names(policy, example.checkpoint, note))
        note = add_signatures(note, cosign_ed25519(example.checkpoint, name, key, 1_772_341_260))

    assert quorum_met(policy, cosigned_names(policy, example.checkpoint, note))
    assert [vkey.name for vkey in policy.logs] == [examples.ORIGIN]


# The rules and the findings


def test_the_rule_book_names_the_kinds_that_are_known() -> None:
    (sentence,) = re.findall(r"This version knows (.*?)\. ", RULES.read_text("utf-8"), re.DOTALL)
    assert re.findall("`(.*?)`", sentence) == [*KINDS, "seal"]


def test_the_rule_book_names_every_parameter() -> None:
    text = RULES.read_text("utf-8").partition("## 5.")[2].partition("## 6.")[0]
    assert set(re.findall(r"`([a-z_]+)`", text)) - {"init"} >= NAMES - {"night_end"}
    assert set(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)) != set()


def codes_in_code() -> set[str]:
    """Every code that an audit can give, from the source."""
    sources = [*(ROOT / "verify").glob("*.py"), *(ROOT / "chain").glob("*.py")]
    return {code for path in sources for code in re.findall(f'"({CODE.pattern})"', path.read_text("utf-8"))}


def outcomes_of_rules() -> set[str]:
    """Every outcome that an entry can meet, from the list that scenarios are held to."""
    rows = (ROOT / "tests" / "scenarios" / "OUTCOMES.md").read_text("utf-8").splitlines()
    return {name for row in rows if row.startswith("| ") for name in re.findall("`(.*?)`", row)}


@pytest.mark.parametrize("name", ["auditor.md", "auditor.zh.md"])
def test_the_guide_explains_every_finding_and_suspicion(name: str) -> None:
    named = [code for row in rows((ROOT / "docs" / name).read_text("utf-8")) for code in row]

    assert len(named) == len(set(named))
    assert {code for code in named if CODE.fullmatch(code)} == codes_in_code()
    assert {code for code in named if not CODE.fullmatch(code)} == outcomes_of_rules() | set(SUSPICIONS)


# The commands


class Step(NamedTuple):
    """A command of a page, the exit status it says it has, and the lines of output it shows."""

    words: list[str]
    status: int
    shown: list[str]


def steps(text: str) -> list[Step]:
    """The commands of a page's console blocks, in order."""
    found: list[Step] = []
    for line in "".join(fences(text, "console")).splitlines():
        command = COMMAND.fullmatch(line)
        if command is None:
            found[-1].shown.append(line)
        else:
            found.append(Step(shlex.split(command["words"]), int(command["status"] or 0), []))
    return found


def shared(words: list[str]) -> list[str]:
    """A command's words without those that are in the page's own language."""
    return [word for before, word in zip(["", *words], words, strict=False) if before not in OWN_WORDS]


class Desk:
    """A folder in which the commands of one page run."""

    def __init__(self, folder: Path, locale: str) -> None:
        self.folder = folder
        hidden = ("HUZHU_", "LC_", "LANG")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        self._environment = kept | {"LANG": locale}

    def run(self, *words: str, status: int = 0, typed: str = "") -> str:
        """Run ``huzhu``, with what somebody types or scans, and answer what it printed."""
        ended, printed = run_forked([str(word) for word in words], self.folder, self._environment, typed)
        assert ended == status, (words, printed)
        return printed

    def follow(self, text: str) -> None:
        """Run a page's commands; each must end as the page says, and print what it shows."""
        places: dict[str, str] = {}
        for step in steps(text):
            words = [self._named(word, places) for word in step.words]
            if words[0] != "huzhu":
                assert words[0] in ("cp", "mkdir"), words
                subprocess.run(words, cwd=self.folder, check=True)
                continue
            typed = self._coupon() if words[-1] == "-" else ""
            printed = self.run(*words[1:], status=step.status, typed=typed)
            self._note(words, printed, places)
            for line in step.shown:
                pattern = r"\s+".join(map(re.escape, line.split())).replace("…", ".*")
                assert re.search(pattern, printed), (words, line, printed)

    def _named(self, word: str, places: dict[str, str]) -> str:
        """A word as it is typed; capitals stand for a key or its id."""
        place = {"MEMBER": 0, "MEMBER2": 1}.get(word)
        if place is not None:
            keys = json.loads(self.run("key", "list", "--json"))
            return str([key["key"] for key in keys if key["role"] == "member"][place])
        return places.get(word, word)

    def _note(self, words: list[str], printed: str, places: dict[str, str]) -> None:
        """Write down what a reader would: the tier above's verifier key, new keys, and the officials' public keys."""
        if words[1] == "init":
            places.setdefault("PARENT", printed.split()[1])
            places.setdefault("VILLAGE", printed.split()[1])
            places["BELOW"] = printed.split()[1]
        if words[1:3] != ["key", "new"]:
            return
        key, _role, public = printed.split()[:3]
        places["NEWKEY"] = key
        if "authority" in words:
            officials = self.folder / "officials.txt"
            known = officials.read_text("utf-8") if officials.exists() else ""
            officials.write_text(f"{known}{public}\n", "utf-8")
            number = known.count("\n") + 1
            places |= {f"OFFICIAL{number}": key, f"PUBLIC{number}": public}

    def _coupon(self) -> str:
        """The text of the first coupon of the book that was printed."""
        found = re.search(r"HZ1:[^/]+", (self.folder / "coupons.html").read_text("utf-8"))
        assert found is not None
        return found[0].replace("<br>", "").removesuffix("<")


@pytest.fixture(params=["", ".zh"], ids=["en", "zh"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Desk, str]:
    """A folder with the sample, and the suffix of the pages in the language that is spoken there."""
    suffix = str(request.param)
    (tmp_path / "tests" / "data").mkdir(parents=True)
    shutil.copytree(SAMPLE, tmp_path / "tests" / "data" / "liuduhe")
    return Desk(tmp_path, "zh_CN.UTF-8" if suffix else "en_GB.UTF-8"), suffix


def test_the_tour_of_the_readme_runs(desk: tuple[Desk, str]) -> None:
    at, suffix = desk
    at.follow((ROOT / f"README{suffix}.md").read_text("utf-8"))


def test_the_commands_of_the_first_day_run(desk: tuple[Desk, str]) -> None:
    at, suffix = desk
    at.follow((ROOT / "docs" / f"first-day{suffix}.md").read_text("utf-8"))


def test_the_commands_of_the_committees_guide_run(desk: tuple[Desk, str]) -> None:
    at, suffix = desk
    shutil.copytree(SAMPLE, at.folder / "sample")
    parameters = json.loads((SAMPLE / "params.json").read_text("utf-8"))
    text = (ROOT / "docs" / f"committee{suffix}.md").read_text("utf-8")
    (at.folder / "params.json").write_text(json.dumps(parameters), "utf-8")
    text = text.replace("huzhu init ", "huzhu init --params params.json --at 2025-10-31T00:00:00Z ", 1)
    text = text.replace("huzhu person import sample", "huzhu person import --at 2025-10-31T00:00:00Z sample", 1)
    at.follow(text)


def test_the_commands_of_the_supervisors_guide_run(desk: tuple[Desk, str]) -> None:
    at, suffix = desk
    shutil.copytree(SAMPLE, at.folder / "sample")
    text = (ROOT / "docs" / f"supervisor{suffix}.md").read_text("utf-8")
    sheets = "$ huzhu import sample/day-sheets.csv --seal-by date --at date   # status 1\n"
    started = "--at 2025-10-31T00:00:00Z"
    text = text.replace("huzhu init --origin liu", f"huzhu init --params sample/params.json {started} --origin liu", 1)
    text = text.replace("huzhu person import ", f"huzhu person import {started} ", 1)
    text = text.replace("$ huzhu grant ", f"{sheets}$ huzhu grant ", 1)
    at.follow(text)

    joined = json.loads(at.run("verify", "county.db", "--json"))
    assert [ledger["origin"] for ledger in joined["ledgers"]] == ["liuduhe.example/huzhu", "xizhuang.example/huzhu"]


def test_the_commands_of_the_operators_guide_run(desk: tuple[Desk, str]) -> None:
    at, suffix = desk
    text = (ROOT / "docs" / f"operator{suffix}.md").read_text("utf-8")
    at.follow(text)

    mirrored = json.loads(at.run("mirror", "list", "--home", "county", "--json"))
    assert [ledger["origin"] for ledger in mirrored] == ["bohai.example/huzhu"]


@pytest.mark.parametrize("suffix", ["", ".zh"])
def test_the_settings_of_the_operators_guide_are_known(suffix: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / f"operator{suffix}.md").read_text("utf-8")
    (settings,) = fences(text, "toml")
    found = parse_settings(settings, tmp_path / "node.toml")

    names = set(re.findall(r"^(\w+) =", settings, re.MULTILINE))
    assert {field.name for field in dataclasses.fields(ServeSettings)} <= names
    assert (found.witness_name, len(found.parents), len(found.children)) == ("witness.huairou.example", 1, 1)


def test_the_commands_of_the_auditors_guide_run(desk: tuple[Desk, str]) -> None:
    at, suffix = desk
    text = (ROOT / "docs" / f"auditor{suffix}.md").read_text("utf-8")
    at.follow((ROOT / f"README{suffix}.md").read_text("utf-8").partition("```console\n$ huzhu export")[0])
    at.run("export", "--archive", "village.db", "--tiles", "tiles")
    at.run("checkpoint", "-o", "kept.checkpoint")
    at.run("receipt", "400", "-o", "400.tlog-proof")
    (at.folder / "published.json").write_text(at.run("balance", "--json"), "utf-8")
    at.follow(text)

    policy = parse_policy((at.folder / "members.policy").read_bytes())
    assert (len(policy.witnesses), policy.quorum) == (3, "members")
