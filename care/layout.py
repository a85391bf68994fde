"""How a SQLite file comes to its tables: step by step, each taken once, by sqlite-utils' migrations.

    layout = Layout("huzhu-people")

    @layout.step("0001-dossiers")
    def _dossiers(connection: sqlite3.Connection) -> None: …

    layout.complete(connection)                  # takes the steps that the file lacks

The library is loaded only where a step is missing, as in a new file: it brings numpy along wherever that is installed,
and every other command would wait for it and hold it in memory.
"""

import sqlite3
from collections.abc import Callable

Step = Callable[[sqlite3.Connection], None]
RECORD = "_sqlite_migrations"
"""The table in which sqlite-utils writes down which steps were taken."""


class Layout:
    """The steps of one kind of file, in their order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: dict[str, Step] = {}

    def step(self, name: str) -> Callable[[Step], Step]:
        """Let a function be the next step."""

        def keep(take: Step) -> Step:
            self._steps[name] = take
            return take

        return keep

    def complete(self, connection: sqlite3.Connection) -> None:
        """Take the steps that the file lacks, each in a transaction; raises sqlite3.Error."""
        if self._steps.keys() <= self._taken(connection):
            return
        from sqlite_utils import Database, Migrations

        migrations = Migrations(self.name)
        for name, take in self._steps.items():

            def migrate(database: Database, take: Step = take) -> None:
                take(database.conn)

            migrations(name=name)(migrate)
        migrations.apply(Database(connection))

    def _taken(self, connection: sqlite3.Connection) -> set[str]:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name=?", (RECORD,)).fetchone():
            return set()
        rows = connection.execute(f"SELECT name FROM {RECORD} WHERE migration_set=?", (self.name,))  # noqa: S608
        return {str(name) for (name,) in rows}
