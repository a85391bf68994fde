"""Every command's help in both languages, and every example that it gives."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli import main
from tests.web.desk import ANNE, BEN, DORA, Desk, run
from web.command import Command, Translated

SAMPLE_KEY = "0123456789abcdef"
SERVICE = 17
"""Where the examples expect a service."""


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
    words = shlex.split(EXAMPLES[name].replace(SAMPLE_KEY, sample_key(desk, name)))[1:]
    run(*words)


def prepare(desk: Desk, name: str) -> None:
    """What the desk of the examples looks like: files, four people, and a service at its place."""
    if name == "init":
        monkey_home = desk.folder / "old-home"
        desk.home.rename(monkey_home)
        return
    desk.people({"born": "1950-01-01", "roles": "elder"})
    if name == "person import":
        return
    desk.populate()
    desk.sheet({}, name="2025-11.csv")
    for file in ("sheet.jpg", "book.pdf"):
        desk.file(file, "scanned")
    if name in ("record", "opening", "grant"):
        desk("person", "update", ANNE, "--funded", "key_elder")
        desk("person", "update", BEN, "--elder")
    if name not in ("opening", "kin link"):
        furnish(desk, name)


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
    desk("seal")
    desk("trust", "-o", "trust.txt")
    desk("receipt", str(SERVICE), "-o", f"{SERVICE}.tlog-proof")
    desk("checkpoint", "-o", "checkpoint")
    member = next(iter(sorted((desk.home / "keys").glob("member-*.pem"))))
    Path("member.pem").write_bytes(member.read_bytes())
    if name == "checkpoint":
        Path("checkpoint").unlink()


def sample_key(desk: Desk, name: str) -> str:
    """A key that the example may grant or revoke."""
    if not name.startswith("key "):
        return SAMPLE_KEY
    key = str(desk.json("key", "new", "--role", "clerk")["key"])
    if name == "key revoke":
        desk("key", "grant", key, "--role", "clerk")
    return key
