"""Every command's help in both languages, and every example that it gives."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli import main
from store.home import Home
from tests.web import tiers
from tests.web.desk import ANNE, BEN, DORA, Desk, run
from tests.web.forking import fork_file
from tests.web.service.running import running
from web.command import Command, Translated
from web.recovery import new_recovery, write_box
from web.sheetfile import format_sheet

OLD_BOOKS = Path(__file__).resolve().parent.parent / "data" / "oldbooks"
SAMPLE_KEY = "0123456789abcdef"
ASKED = "https://county.example"
ASKING = ("balances", "ledgers", "supply-demand")
"""Commands that ask a node: that of the desk, in place of the example's."""
SERVICE = 17
"""Where the examples expect a service."""

CASE = ("case", "open", ANNE, "--suspicion", "overlap", "--entry", str(SERVICE))
UPHELD = ("case", "close", str(SERVICE + 1), "upheld", "--note", "x")
SUSPENDED = ("sanction", "impose", ANNE, "suspend", "--case", str(SERVICE + 1))
FUND = ("fund", "open", "meals", "--purpose", "meals", "--title", "x")
MONEY = ("fund", "receive", "meals", "100", "--source", "society", "--voucher", "voucher.jpg")
BOOK = ("coupon", "issue", ANNE, "--minutes-max", "60", "-o", "book.html")
USER = ("user", "add", "wang", "--role", "clerk", "--no-password")
BEFORE: dict[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(("case step", "case close", "case appeal", "case show"), (CASE,)),
    "sanction impose": (CASE, UPHELD),
    "sanction lift": (CASE, UPHELD, SUSPENDED),
    **dict.fromkeys(("fund receive", "fund show"), (FUND,)),
    "fund spend": (FUND, MONEY),
    **dict.fromkeys(("coupon check", "coupon restore"), (BOOK,)),
    "inspection done": (("inspection", "add", "x", "--finding", "fire:2026-12-01:x"),),
    **dict.fromkeys(("user password", "user disable", "user enable", "user remove", "token new"), (USER,)),
    "token revoke": (USER, ("token", "new", "wang")),
    "witness show": (("witness", "new", "--name", "witness.county.example"),),
    "institution certify": (("params", "set", "institution_minutes=1"),),
}
"""What some examples build on; the first of it stands behind the service."""


def commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)


COMMANDS = dict(commands(main))
EXAMPLES = {" ".join(words): command.example for words, command in COMMANDS.items() if isinstance(command, Command)}


@pytest.mark.parametrize("words", [(), *COMMANDS], ids=" ".join)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_help(words: tuple[str, ...], language: str) -> None:
    shown = run(*words, "--help", "--lang", language).stdout
    assert ("用法：" in shown) == (language == "zh")
    command = COMMANDS.get(words, main)
    assert isinstance(command, Translated)
    assert ((command.msgid or "").split("\n")[0] in shown) == (language == "en")
    for each in command.params:
        if isinstance(each, Translated) and each.msgid:
            assert each.help
            assert "".join(each.help.split()) in "".join(shown.split())


def test_words_of_help_are_not_broken_and_paths_have_one_name() -> None:
    for language in ("en", "zh"):
        shown = run("seal", "--help", "--lang", language).stdout
        assert "./huzhu-home" in shown
        assert "--home PATH" in shown
        assert "--passphrase-file PATH" in shown


def test_every_command_has_an_example() -> None:
    assert [name for name, example in EXAMPLES.items() if not example.startswith(f"huzhu {name}")] == []
    assert "person import" in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    prepare(desk, name)
    if name == "serve":  # it would not end
        monkeypatch.setattr("web.service.run.run", lambda *_words: True)
    if name == "recovery new":
        monkeypatch.setenv("HUZHU_PASSPHRASE", "apples in autumn")
    example = EXAMPLES[name].replace(SAMPLE_KEY, sample_key(desk, name))
    if name in ASKING:
        with running(desk.home, {}) as service:
            run(*shlex.split(example.replace(ASKED, service.url))[1:])
        return
    run(*shlex.split(example)[1:], stdin=printed_coupon() if name == "coupon check" else None)


def printed_coupon() -> str:
    """The first coupon of the book, as it is typed."""
    found = re.search(r'<p class="typed">(.*?)</p>', Path("book.html").read_text("utf-8"))
    assert found is not None
    return found[1].replace("<br>", " ")


def prepare(desk: Desk, name: str) -> None:
    """What the desk of the examples looks like: files, four people, and a service at its place."""
    if name == "init":
        monkey_home = desk.folder / "old-home"
        desk.home.rename(monkey_home)
        return
    if name == "restore":
        older = desk.folder / "older"
        shutil.copytree(desk.home, older)
        desk("seal")
        desk("export", "--archive", "xizhuang.db")
        shutil.rmtree(desk.home)
        older.rename(desk.home)
        return
    if name.startswith(("org ", "transfer fetch", "params hand-down", "mirror ", "receive")):
        prepare_tiers(desk, name)
        return
    if name == "join":
        for village in ("liuduhe", "xizhuang"):
            run("init", "--home", village, "--origin", f"{village}.example/huzhu")
            run("export", "--home", village, "--archive", f"{village}.db")
        return
    desk.people({"born": "1950-01-01", "roles": "elder"})
    if name == "person import":
        return
    desk.populate()
    if name in ("passphrase", "recovery new"):
        desk("passphrase", "--new-passphrase-file", desk.file("old.txt", "apples in autumn\n"))
        desk.file("new.txt", "persimmons in October\n")
        return
    if name == "recover":
        recovery = new_recovery()
        write_box(Home(desk.home), recovery.lock(b"forgotten"))
        for sheet, file in zip(recovery.sheets, ("one.txt", "two.txt"), strict=False):
            desk.file(file, sheet.text)
        desk.file("new.txt", "persimmons in October\n")
        return
    if name.startswith("oldbook "):
        for sample, file in (("", "transfers"), (".accounts", "accounts"), (".map", "map")):
            shutil.copy(OLD_BOOKS / f"komunitin{sample}.csv", f"{file}.csv")
        return
    if name in ASKING:
        desk("user", "add", "chen", "--role", "supervisor", "--no-password")
        desk.file("token", str(desk.json("token", "new", "chen", "--scope", "read")["token"]))
        desk("seal")
        return
    desk.sheet({}, name="2025-11.csv")
    for file in ("sheet.jpg", "book.pdf", "voucher.jpg", "report.pdf"):
        desk.file(file, "scanned")
    desk.file("password.txt", "five yellow persimmons\n")
    if name == "submit":
        desk.file("params.sheet.json", format_sheet(tiers.params_sheet(desk)))
    if name in ("record", "opening", "grant"):
        desk("person", "update", ANNE, "--funded", "key_elder")
        desk("person", "update", BEN, "--elder")
    if name not in ("opening", "kin link"):
        furnish(desk, name)


def prepare_tiers(desk: Desk, name: str) -> None:
    """A township, and below it what the example is about."""
    if name == "transfer fetch":
        desk("export", "--archive", "township.db")
        return
    tiers.township(desk)
    if name in ("params hand-down", "mirror release", "mirror forget", "mirror export"):
        tiers.mirror(desk, tiers.village(desk))
    elif name == "receive":
        tiers.village(desk)("export", "--archive", "xizhuang.db")
    elif name != "org admit":
        tiers.admit_sample(desk)


def furnish(desk: Desk, name: str) -> None:
    """Kin, a credential, and services up to ``SERVICE``; then what the one example builds on."""
    desk("kin", "link", ANNE, "child", BEN)
    desk("credential", "grant", ANNE, "legal", "--issuer", "x")
    rows = [{"start": f"{hour:02}:00", "end": f"{hour:02}:20"} for hour in range(2, 20)]
    size = len(desk.entries())
    desk("import", desk.sheet(*rows[: SERVICE + 1 - size], name="earlier.csv"), "--at", "2025-11-02T00:00:00Z")
    assert desk.entries()[SERVICE].kind == "service"
    if name == "record":
        desk("kin", "unlink", ANNE, BEN)
        desk("opening", BEN, "1", "--source", "book.pdf", status=1)
        desk("import", desk.sheet({"provider": BEN, "recipient": DORA, "end": "13:00"}, name="more.csv"))
    if name == "resolve":
        desk("dispute", str(SERVICE), ANNE, "--ground", "x")
    if name.startswith(("assessment ", "inspection ")):
        key = str(desk.json("key", "new", "--role", "assessor")["key"])
        desk("key", "grant", key, "--role", "assessor")
    for words in BEFORE.get(name, ()):
        desk(*words)
    if name == "transfer out":
        run("init", "--home", "xizhuang", "--origin", "xizhuang.example/huzhu")
        run("export", "--home", "xizhuang", "--archive", "township.db")
    if name == "coupon restore":
        (leaves,) = (desk.home / "coupons").glob("*.leaves")
        leaves.rename("18.leaves")
    desk("seal")
    desk("trust", "-o", "trust.txt")
    desk("receipt", str(SERVICE), "-o", f"{SERVICE}.tlog-proof")
    desk("checkpoint", "-o", "checkpoint")
    member = next(iter(sorted((desk.home / "keys").glob("member-*.pem"))))
    Path("member.pem").write_bytes(member.read_bytes())
    if name == "key import":
        Path("official-1.pem").write_bytes(member.read_bytes())
        member.unlink()
    if name == "checkpoint":
        Path("checkpoint").unlink()
    if name == "check-fork":
        desk.file("village.fork", fork_file(desk))


def sample_key(desk: Desk, name: str) -> str:
    """A key that the example may grant or revoke."""
    if not name.startswith("key "):
        return SAMPLE_KEY
    key = str(desk.json("key", "new", "--role", "clerk")["key"])
    if name == "key revoke":
        desk("key", "grant", key, "--role", "clerk")
    return key
