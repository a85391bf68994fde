"""A village point on paper: a home, the files on its desk, and the commands that people type."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from cli import main
from node import Node
from web.daysheet import COLUMNS as SHEET_COLUMNS
from web.people import COLUMNS as PEOPLE_COLUMNS

ORIGIN = "liuduhe.example/huzhu"
BEGINNING = "2025-10-31T00:00:00Z"
PARAMETERS = {"record_within_days": 36_500, "posting_days": 0, "local_services": {"meals": "assistance"}}

ANNE, BEN, CLARA, DORA = "12345676", "87654342", "00000098", "08321728"
"""Two volunteers, two elders; some of their numbers begin with zeros."""

PEOPLE: tuple[dict[str, str], ...] = (
    {"account": ANNE, "born": "1970-01-01", "roles": "volunteer", "kin": f"parent:{CLARA}"},
    {"account": BEN, "born": "1950-05-05", "roles": "volunteer+elder", "funded": "key_elder"},
    {"account": CLARA, "born": "1940-02-29", "roles": "elder", "funded": "key_elder"},
    {"account": DORA, "born": "1945-02-01", "roles": "elder", "funded": "key_elder"},
)

ROW = {
    "date": "2025-11-01",
    "start": "09:00",
    "end": "10:00",
    "provider": ANNE,
    "recipient": DORA,
    "category": "assistance",
    "paid_by": "issue",
    "evidence": "paper",
}


def run(*words: str | Path, status: int = 0, stdin: str | None = None) -> Result:
    """Type a command; its exit status must be ``status``, and nothing may look like a traceback."""
    result = CliRunner().invoke(main, [str(word) for word in words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, (words, result.exit_code, result.output)
    assert "Traceback" not in result.output
    return result


class Desk:
    """One home and the files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "huzhu-home"

    def init(self, *words: str | Path, parameters: Mapping[str, Any] = PARAMETERS) -> Result:
        """Begin the ledger."""
        params = self.file("params.json", json.dumps(parameters))
        return self("init", "--origin", ORIGIN, "--params", params, "--at", BEGINNING, *words)

    def __call__(self, *words: str | Path, status: int = 0, stdin: str | None = None) -> Result:
        """Type a command for this home."""
        return run(*words, "--home", self.home, status=status, stdin=stdin)

    def json(self, *words: str | Path, status: int = 0) -> Any:
        """What a command prints with --json."""
        return json.loads(self(*words, "--json", status=status).stdout)

    def file(self, name: str, content: str | bytes) -> Path:
        """A file on the desk."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def people(self, *rows: Mapping[str, str], name: str = "people.csv") -> Path:
        """A people file."""
        return self.file(name, table(PEOPLE_COLUMNS, rows))

    def populate(self) -> None:
        """Open the four accounts."""
        self("person", "import", self.people(*PEOPLE), "--at", BEGINNING)

    def sheet(self, *rows: Mapping[str, str], name: str = "sheet.csv") -> Path:
        """A day sheet of rows that differ from ``ROW`` by what is said."""
        return self.file(name, table(SHEET_COLUMNS, [ROW | dict(row) for row in rows]))

    def refused(self, name: str = "sheet.refused.csv") -> list[dict[str, str]]:
        """The rows of a file of refused ones."""
        with (self.folder / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def outcomes(self, name: str = "sheet.refused.csv") -> list[tuple[int, str]]:
        """Line and outcome of each refused row."""
        return [(int(row["line"]), row["outcome"]) for row in self.refused(name)]

    def balance(self, account: str) -> int:
        """Minutes on an account."""
        return int(self.json("balance", account)["balance"])

    def entries(self) -> list[Any]:
        """All entries of the ledger."""
        with Node.open(self.home, writes=False) as node:
            return [node.entry(index) for index in range(node.store.size)]

    def verify(self) -> Any:
        """The audit's report; it must be sound."""
        return json.loads(run("verify", self.home / "ledger.db", "--json").stdout)


def table(columns: Sequence[str], rows: Sequence[Mapping[str, str]], delimiter: str = ",") -> str:
    """A CSV file of a header and rows."""
    lines = [delimiter.join(columns)]
    lines += [delimiter.join(row.get(column, "") for column in columns) for row in rows]
    return "".join(f"{line}\n" for line in lines)
