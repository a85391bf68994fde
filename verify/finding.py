"""Findings: what an audit says is wrong, and where."""

from collections import Counter
from dataclasses import dataclass, field

FINDINGS_LISTED_MAX = 10_000
"""How many findings a report lists; all are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One failure (FORMAT §12). ``index`` is an entry's, ``height`` the one a seal states."""

    code: str
    origin: str
    detail: str
    index: int | None = None
    height: int | None = None
    expected: str | None = None
    found: str | None = None


@dataclass(slots=True)
class Findings:
    """All findings of one ledger: listed up to a bound, and counted by code."""

    origin: str
    listed: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        code: str,
        detail: str,
        index: int | None = None,
        height: int | None = None,
        expected: object = None,
        found: object = None,
    ) -> None:
        """Count a failure, and list it while there is room."""
        self.counts[code] += 1
        if len(self.listed) < FINDINGS_LISTED_MAX:
            shown = (None if value is None else str(value) for value in (expected, found))
            self.listed.append(Finding(code, self.origin, detail, index, height, *shown))

    def extend(self, other: "Findings") -> None:
        """Take over all of another's."""
        self.listed += other.listed[: FINDINGS_LISTED_MAX - len(self.listed)]
        self.counts.update(other.counts)

    def copy(self) -> "Findings":
        """The same findings, to which more can be added."""
        return Findings(self.origin, self.listed.copy(), self.counts.copy())

    def in_order(self) -> list[Finding]:
        """The listed ones by index, those without one first, then by code: the same however work was shared out."""
        return sorted(
            self.listed,
            key=lambda finding: (-1 if finding.index is None else finding.index, finding.code, finding.detail),
        )
