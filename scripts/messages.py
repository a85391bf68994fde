"""The texts that people read, in the code and in the catalogue: writes new msgids into ``huzhu.po``, drops old ones.

    python scripts/messages.py            # then translate what it names
    python scripts/messages.py --check    # status 1 where something is missing, empty, fuzzy or left over

A msgid is an argument of ``_`` or ``marked``, in a module or in a page's template, the docstring of a command, or the
text of a suspicion.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cli import main as program
from ledger.suspicion_list import TEXTS
from web.command import Translated
from web.i18n import CLICK_PLURALS, LOCALE

ROOT = Path(__file__).resolve().parent.parent
PO = LOCALE / "zh" / "LC_MESSAGES" / "huzhu.po"
SOURCES = (
    *("cli.py", "node.py", "care/*.py", "store/*.py", "sync/*.py", "verify/*.py"),
    *("web/*.py", "web/*/*.py", "web/templates/*.html", "web/templates/*/*.html", "web/templates/*/*/*.html"),
)
KEYWORDS = {"_": None, "marked": None, "translate": None}
WIDTH = 116
HEADER = """# The Chinese texts of Huzhu; scripts/messages.py keeps the msgids.
msgid ""
msgstr ""
"Project-Id-Version: huzhu\\n"
"Language: zh\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def msgids() -> set[str]:
    """Every text in the code."""
    found = {text for path in _sources() for text in _texts(path)}
    return found | set(_helps(program)) | set(TEXTS.values()) | {singular for singular, _plural in CLICK_PLURALS}


def _sources() -> Iterator[Path]:
    for pattern in SOURCES:
        yield from sorted(ROOT.glob(pattern))


def _texts(path: Path) -> Iterator[str]:
    method = "jinja2" if path.suffix == ".html" else "python"
    for _line, message, _comments, _context in extract_from_file(method, path, KEYWORDS):
        yield message if isinstance(message, str) else message[0]


def _helps(command: click.Command) -> Iterator[str]:
    """The help of a command, of those below it, and of all their options."""
    for each in (command, *command.params):
        if isinstance(each, Translated) and each.msgid:
            yield each.msgid
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _helps(below)


def read_catalogue() -> Catalog:
    """The Chinese texts."""
    with PO.open("rb") as file:
        return read_po(file, locale="zh")


def write_catalogue(catalogue: Catalog) -> None:
    """Sorted, with a header that does not change by itself."""
    with PO.open("wb") as file:
        file.write(HEADER.encode())
        write_po(file, catalogue, width=WIDTH, omit_header=True, sort_output=True)


def flaws(catalogue: Catalog, wanted: set[str]) -> list[str]:
    """What is wrong with the catalogue, a line for each text."""
    there = {_key(message.id): message for message in catalogue if message.id}
    lines = [f"missing: {text!r}" for text in sorted(wanted - there.keys())]
    lines += [f"left over: {text!r}" for text in sorted(there.keys() - wanted)]
    lines += [f"left over: {text!r}" for text in sorted(map(str, catalogue.obsolete))]
    lines += [f"fuzzy: {text!r}" for text, message in there.items() if message.fuzzy]
    return lines + [f"empty: {text!r}" for text, message in there.items() if not _first(message.string)]


def renew(catalogue: Catalog, wanted: set[str]) -> Catalog:
    """A catalogue of exactly the wanted texts, with the translations that are there."""
    there = {_key(message.id): message.string for message in catalogue if message.id}
    plurals = dict(CLICK_PLURALS)
    renewed = Catalog(locale="zh")
    for text in sorted(wanted):
        string = there.get(text, "")
        renewed.add((text, plurals[text]) if text in plurals else text, string)
    return renewed


def _key(message_id: str | tuple[str, ...]) -> str:
    return message_id if isinstance(message_id, str) else message_id[0]


def _first(string: str | tuple[str, ...]) -> str:
    return string if isinstance(string, str) else string[0]


def main(arguments: list[str]) -> int:
    wanted, catalogue = msgids(), read_catalogue()
    if arguments != ["--check"]:
        catalogue = renew(catalogue, wanted)
        write_catalogue(catalogue)
    found = flaws(catalogue, wanted)
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
