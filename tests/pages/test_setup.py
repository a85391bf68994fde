"""The set-up pages by HTTP: the code, each step, what is refused, and what a pulled plug leaves behind."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from chain.keys import SigningKey
from cli import create_home
from ledger.founding import Founding
from node import Node
from store.access import Access
from store.home import DRAFT_PREFIX, Home, drop_drafts, new_home
from tests.pages.setting_up import (
    NAMES,
    ORIGIN,
    PASSPHRASE,
    ROOT,
    SECONDS,
    Committee,
    SettingUp,
    password_of,
    setting_up,
)
from tests.web.desk import BEGINNING, run
from web.practice import ORIGIN as PRACTICE
from web.problems import DeskError
from web.recovery import SHEETS, WORDS, box_path, read_box
from web.setup.backup import find_backups, restore_backup
from web.setup.gate import CODE_CHARACTERS, FREE_TRIES, TRIES_MAX, Gate, GateError, folded

FLAW = re.compile(r'class="flaw"[^>]*>([^<]*)')
NEW = "apples and pears in autumn"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SettingUp]:
    """One that nobody finishes."""
    with setting_up(tmp_path_factory.mktemp("setup") / "huzhu-home") as held:
        yield held


@pytest.fixture
def people(node: SettingUp) -> Iterator[Committee]:
    with Committee(node) as held:
        yield held


def flaws(response: httpx.Response) -> list[str]:
    return FLAW.findall(response.text)


# The code


def test_a_code_lets_one_browser_in_and_is_spent() -> None:
    told: list[str] = []
    gate = Gate(told.append)
    first = gate.enter(told[0].lower().replace("-", " "))

    assert gate.is_in(first)
    assert not gate.is_in("x" * 43)
    assert not gate.is_in(None)
    with pytest.raises(GateError):
        gate.enter(told[0])
    second = gate.enter(told[1])
    assert gate.is_in(second)
    assert not gate.is_in(first)
    assert all(len(folded(code)) == CODE_CHARACTERS for code in told)


def test_wrong_codes_have_to_wait_and_end_the_code() -> None:
    told, now = list[str](), [0.0]
    gate = Gate(told.append, lambda: now[0])
    for _try in range(FREE_TRIES):
        with pytest.raises(GateError, match="not the code"):
            gate.enter("0000-000")
    with pytest.raises(GateError, match="too many"):
        gate.enter(told[-1])
    for _try in range(TRIES_MAX - FREE_TRIES):
        now[0] += 100
        with pytest.raises(GateError, match="not the code"):
            gate.enter("")
    assert len(told) == 2
    now[0] += 100
    with pytest.raises(GateError):
        gate.enter(told[0])
    now[0] += 100
    assert gate.enter(told[1])


def test_letters_that_look_like_digits_are_digits() -> None:
    assert folded(" ol1i-ｋ7qf") == "0111K7QF"
    assert folded("x" * 1_000) == "X" * 64


# Who may


def test_strangers_are_sent_to_the_code(node: SettingUp) -> None:
    with httpx.Client(base_url=node.url, timeout=SECONDS) as stranger:
        for path in ("village", "people", "passphrase", "rules", "sheets", "found", "recover"):
            assert stranger.get(f"/setup/{path}").headers["location"] == "/setup"
            assert stranger.post(f"/setup/{path}", data={"name": "x"}).headers["location"] == "/setup"
        assert stranger.post("/setup/practice").headers["location"] == "/setup"
        assert "token" not in stranger.get("/setup").text


def test_only_this_machine_by_its_own_name_is_answered(node: SettingUp) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:80", "", "[::2]:1"):
        assert httpx.get(f"{node.url}/setup", headers={"Host": host}, timeout=SECONDS).status_code in (400, 421), host
    answer = httpx.get(f"{node.url}/setup", headers={"Host": "localhost:1"}, timeout=SECONDS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert httpx.get(f"{node.url}/api/v1/health", timeout=SECONDS).status_code == 404


def test_a_form_without_its_token_is_refused(people: Committee) -> None:
    answer = people.client.post("/setup/village", data={"name": "x", "origin": ORIGIN, "tier": "village"})
    assert answer.status_code == 403
    answer = people.client.post("/setup/village", data={"token": "a" * 64, "name": "x", "origin": ORIGIN})
    assert answer.status_code == 403


def test_it_is_not_set_up_on_other_addresses(tmp_path: Path) -> None:
    words = ("serve", "--home", tmp_path / "home", "--host", "::", "--insecure", "--port", "0", "--lang", "en")
    assert "on this machine itself" in run(*words, status=2).stderr
    assert not (tmp_path / "home").exists()


# The steps


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"origin": "liuduhe"}, "liuduhe cannot name a ledger"),
        ({"origin": ""}, "this is needed"),
        ({"name": ""}, "this is needed"),
        ({"origin": "practice.liuduhe.example/huzhu"}, "names that begin with"),
        ({"tier": "empire"}, "choose one of those offered"),
        ({"parent": "nonsense", "officials": "x"}, "is not a verifier key"),
        ({"officials": "AAAA"}, "the tier above gives both"),
        ({"origin": "a" * 300}, "at most 200 characters"),
    ],
)
def test_a_village_that_cannot_be(people: Committee, fields: dict[str, str], told: str) -> None:
    answer = people.answer_village(**fields)
    assert answer.status_code == 422
    assert any(told in flaw for flaw in flaws(answer)), flaws(answer)


def test_what_was_typed_stays(people: Committee) -> None:
    assert 'value="<b>' not in people.answer_village(name='"><b>x', origin="no").text
    people.answer_village(name="<i>六渡河</i>")
    assert "&lt;i&gt;六渡河&lt;/i&gt;" in people.client.get("/setup/village").text
    people.answer_people()
    more = people.answer_people("wang", "li", "zhang", more="1").text
    assert 'name="member3"' in more
    assert 'value="zhang"' in more
    assert 'name="member2"' in people.answer_people("wang", "li", "zhang", "zhao", less="1").text
    page = people.client.get("/setup/people").text
    assert all(f'value="{name}"' in page for name in NAMES)


@pytest.mark.parametrize(
    ("names", "fields", "told"),
    [
        (("wang", "li", "LI", "zhao"), {}, "this name stands above already"),
        (("wang li", "li", "zhang", "zhao"), {}, "letters and digits only"),
        (("", "li", "zhang", "zhao"), {}, "this is needed"),
        (NAMES, {"threshold": "4"}, "a whole number from 2 to 3"),
        (NAMES, {"threshold": "1"}, "a whole number from 2 to 3"),
        (NAMES, {"members": "8"}, "a whole number from 2 to 7"),
    ],
)
def test_people_who_cannot_be(people: Committee, names: tuple[str, ...], fields: dict[str, str], told: str) -> None:
    people.answer_village()
    answer = people.answer_people(*names, **fields)
    assert answer.status_code == 422
    assert told in answer.text, flaws(answer)


def test_passwords_and_passphrases_are_held_to_the_same(people: Committee) -> None:
    people.answer_village()
    people.answer_people()
    for typed, again, told in (
        ("short", "short", "too short"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "over and over"),
        ("a good long one", "a good long two", "another than the one above"),
    ):
        assert told in flaws(people.post("/setup/passwords/0", password=typed, again=again))[0]
    people.answer_passwords()
    for typed, again, told in (
        ("short", "short", "at least 10 characters"),
        ("柿" * 12, "柿" * 12, "over and over"),
        (PASSPHRASE, PASSPHRASE + " ", "another than the one above"),
        ("柿子熟了的时候" * 50, "x", "too long"),
    ):
        assert told in flaws(people.post("/setup/passphrase", passphrase=typed, passphrase2=again))[0], typed
    assert people.post("/setup/passwords/9", password="x", again="x").headers["location"] == "/setup/passwords"
    secret = people.answer_passphrase()
    assert PASSPHRASE not in secret.text + people.client.get("/setup/passphrase").text
    assert flaws(people.answer_rules(posting_days="366"))
    assert "cannot last longer" in flaws(people.answer_rules(service_max_minutes="481"))[0]


def test_steps_wait_for_those_before_them(people: Committee) -> None:
    people.answer_village()
    people.answer_people("chen", "li", "zhang", "zhao")
    for step in ("passphrase", "rules", "sheets", "sheets/paper", "sheets/paper.pdf"):
        assert people.client.get(f"/setup/{step}").headers["location"] == "/setup/passwords", step
    assert people.client.get("/setup/done").headers["location"] == "/setup/passwords"
    assert people.found().headers["location"] == "/setup/passwords"


def test_sheets_are_on_paper_only(node: SettingUp, people: Committee) -> None:
    people.answer_village()
    people.answer_people()
    people.answer_passwords()
    people.answer_passphrase()
    people.answer_rules()
    sheets = people.sheets()
    assert [len(sheet) for sheet in sheets] == [WORDS] * SHEETS
    paper = people.client.get("/setup/sheets/paper")
    assert paper.headers["cache-control"] == "no-store"
    pdf = people.client.get("/setup/sheets/paper.pdf")
    assert (pdf.headers["cache-control"], pdf.content[:5]) == ("no-store", b"%PDF-")
    answer = people.post("/setup/sheets", **dict.fromkeys(people.asked(), "acid"))
    assert "has another word" in flaws(answer)[0]
    assert people.sheets() == sheets
    people.post("/setup/sheets", others="1")
    assert people.sheets() != sheets
    assert not node.home.exists()
    assert sheets[0][7] not in node.log.read_text()
    people.answer_passphrase("other persimmons in May")
    assert people.post("/setup/sheets", **people.asked()).headers["location"] == "/setup/found"
    people.post("/setup/passphrase", plain="1")
    page = people.client.get("/setup/found").text
    assert "without a passphrase" in page
    assert people.client.get("/setup/sheets").headers["location"] == "/setup/found"


# The home


def test_everything_is_there_at_once_and_the_node_goes_on(tmp_path: Path) -> None:
    with setting_up(tmp_path / "huzhu-home") as node, Committee(node) as people:
        people.answer_all()
        sheets = people.sheets()
        assert people.found().headers["location"] == "/setup/done"
        done = people.client.get("/setup/done").text
        assert f"{ORIGIN}+" in done
        page = people.client.get("/sign-in", follow_redirects=True)
        assert page.status_code == 200
        for name in NAMES:
            fields = {"name": name, "password": password_of(name), "to": "/"}
            assert people.client.post("/sign-in", data=fields).status_code == 303
        assert people.client.get("/setup").status_code == 404
        assert people.client.get("/practice").status_code == 404
        assert people.client.get(f"/log/{ORIGIN}/checkpoint").status_code == 200

    home = Home(node.home)
    with closing(Access(home.access)) as access:
        keys = {user.name: user.key for user in access.users()}
    assert set(keys) == set(NAMES)
    assert sorted(keys.values()) == sorted(key for role in ("clerk", "member") for key, _path in home.key_files(role))
    with Node.open(home.folder, PASSPHRASE.encode(), writes=True) as opened:
        assert opened.state.parameters.posting_days == 0
        assert opened.state.roster.keys[keys["wang"]].role == "clerk"
    assert read_box(home).set_number
    assert home.node_settings().name == "六渡河"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and sheets[0][9].encode() in path.read_bytes()]
    recover_a_backup(node.home, tmp_path / "new" / "huzhu-home", sheets)


def recover_a_backup(backup: Path, home: Path, sheets: list[list[str]]) -> None:
    """Another computer, two of the sheets and a stick."""
    home.parent.mkdir()
    with setting_up(home) as node, Committee(node) as people:
        typed = {"sheet1": " ".join(sheets[2]), "sheet2": "\n".join(word[:4] for word in sheets[0])}
        more = {"passphrase": NEW, "passphrase2": NEW}
        told: list[tuple[dict[str, Any], str]] = [
            ({"folder": ""}, "choose the backup"),
            ({"folder": str(home.parent)}, "holds no backup"),
            ({"sheet2": typed["sheet1"]}, "twice"),
            ({"sheet2": "acid"}, "has 20 words; 1 were typed"),
            ({"passphrase2": "x"}, "another than the one above"),
        ]
        for fields, flaw in told:
            answer = people.post("/setup/recover", **{"folder": str(backup)} | typed | more | fields)
            assert any(flaw in each for each in flaws(answer)), (fields, flaws(answer))
            assert not home.exists()
        answer = people.post("/setup/recover", folder=str(backup), **typed, **more)
        assert answer.headers["location"] == "/setup/done", flaws(answer)
        assert "The ledger is back" in people.client.get("/setup/done").text
        assert people.client.get("/sign-in", follow_redirects=True).status_code == 200
    with Node.open(home, NEW.encode(), writes=True) as opened:
        assert opened.origin == ORIGIN
    with Node.open(backup, PASSPHRASE.encode(), writes=True):
        pass


def test_a_pulled_plug_leaves_nothing_or_everything(tmp_path: Path) -> None:
    home = tmp_path / "huzhu-home"
    with setting_up(home) as node, Committee(node) as people:
        people.answer_all()
        node.kill()
    assert not home.exists()
    with setting_up(home) as node, Committee(node) as people:
        people.answer_all()
        people.found()
        node.kill()
    run("verify", home / "ledger.db")
    assert box_path(Home(home)).exists()
    with closing(Access(home / "access.db")) as access:
        assert len(access.users()) == len(NAMES)


CRASH = """
import os, signal, sys
from pathlib import Path
from cli import create_home
from ledger.founding import Founding
from chain.keys import SigningKey
founding = Founding(sys.argv[2], [SigningKey(bytes([1]) * 32)], [SigningKey(bytes([n]) * 32) for n in (2, 3)], 2)
create_home(Path(sys.argv[1]), founding, None, lambda home, node: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_kill_while_the_home_is_made_is_swept_up_by_the_next(tmp_path: Path) -> None:
    home = tmp_path / "huzhu-home"
    pattern = DRAFT_PREFIX.format(name=home.name) + "*"
    done = subprocess.run([sys.executable, "-c", CRASH, str(home), ORIGIN], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert not home.exists()
    assert len(list(tmp_path.glob(pattern))) == 1
    (tmp_path / ".huzhu-home-20261122").mkdir()
    with new_home(tmp_path / "other", ORIGIN):
        assert len(list(tmp_path.glob(pattern))) == 1
    run("init", "--home", home, "--origin", ORIGIN, "--at", BEGINNING)
    assert list(tmp_path.glob(pattern)) == []
    assert (tmp_path / ".huzhu-home-20261122").exists()


def test_a_home_that_is_being_made_is_not_swept_away(tmp_path: Path) -> None:
    with new_home(tmp_path / "home", ORIGIN) as draft:
        drop_drafts(tmp_path / "home")
        assert draft.settings.exists()
    assert (tmp_path / "home" / "node.toml").exists()


def test_backups_are_found_and_links_not_followed(tmp_path: Path) -> None:
    backup = tmp_path / "stick"
    run("init", "--home", backup, "--origin", ORIGIN, "--at", BEGINNING)
    assert backup not in find_backups(tmp_path / "home")
    box_path(Home(backup)).write_text("{}")
    (tmp_path / "link").symlink_to(backup)
    found = find_backups(tmp_path / "home")
    assert backup in found
    assert tmp_path / "link" not in found
    with pytest.raises(DeskError, match=r"recovery\.json"):
        restore_backup(tmp_path / "home", backup, (), b"x")
    assert not (tmp_path / "home").exists()


# Practice


def test_practice_is_begun_and_served_beside(tmp_path: Path) -> None:
    home = tmp_path / "huzhu-home"
    with setting_up(home) as node, Committee(node) as people:
        answer = people.post("/setup/practice")
        assert answer.headers["location"] == "/practice"
        page = people.client.get("/practice", follow_redirects=True)
        assert re.search(r"lianxi-[0-9]{6}", page.text)
        assert 'class="practice"' in page.text
        assert "Begin the practice afresh" not in page.text
        assert people.client.post("/practice", data={"what": "end"}).status_code in (303, 401, 403)
        assert PRACTICE in people.client.get("/sign-in").text
    assert not home.exists()
    assert (tmp_path / "huzhu-home-practice" / "ledger.db").exists()


def test_the_command_that_makes_homes_furnishes_them(tmp_path: Path) -> None:
    members = [SigningKey(bytes([number]) * 32) for number in (2, 3)]
    founding = Founding(ORIGIN, [SigningKey(bytes(32))], members, 2)
    seen: list[int] = []
    create_home(tmp_path / "home", founding, None, lambda _home, node: seen.append(node.store.size))
    assert seen == [2]
