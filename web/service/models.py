"""What the API takes and answers, as its description tells: every field with its unit and an example.

The answers themselves are written by msgspec from plain values; a test compares them with these models.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chain.limits import ENTRY_MAX_SIGNATURES, INTEGER_MAX, LOG_MAX_ENTRIES, SHEET_MAX_STATEMENTS

ORIGIN, ACCOUNT = "liuduhe.example/huzhu", "12345676"
HASH = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
TIME = "2026-11-21T09:30:00Z"

Origin = Annotated[str, Field(description="Origin (name) of the ledger.", examples=[ORIGIN])]
Number = Annotated[
    str,
    Field(description="Account number of eight digits, or the name of a system account or fund.", examples=[ACCOUNT]),
]
Index = Annotated[
    int, Field(description="Index of the entry on its ledger, from 0.", examples=[17], ge=0, le=LOG_MAX_ENTRIES)
]
LeafHash = Annotated[str, Field(description="RFC 9162 leaf hash of the entry, base64.", examples=[HASH])]
Moment = Annotated[str, Field(description="Time, UTC (RFC 3339).", examples=[TIME])]
Size = Annotated[
    int, Field(description="Number of entries that the figures rest on.", examples=[120], ge=0, le=LOG_MAX_ENTRIES)
]
Minutes = Annotated[
    int, Field(description="Minutes; fen where `unit` is `fen`.", examples=[90], ge=-INTEGER_MAX, le=INTEGER_MAX)
]
Status = Literal["open", "suspended", "closed"]
StatusField = Annotated[Status, Field(description="Whether the account is in use.", examples=["open"])]
Unit = Annotated[Literal["minute", "fen"], Field(description="What is counted.", examples=["minute"])]


class Model(BaseModel):
    """Has the fields that are told, and no others."""

    model_config = ConfigDict(extra="forbid")


class ProblemModel(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Name of the kind of problem.", examples=["urn:huzhu:problem:no-account"])
    title: str = Field(description="The same for all problems of a type.", examples=["no such account"])
    status: int = Field(description="The HTTP status.", examples=[404], ge=400, le=599)
    detail: str = Field(
        description="What happened here, and what to do.", examples=["there is no account 12345676 on this ledger"]
    )
    outcome: str | None = Field(
        default=None,
        description="The outcome by which the rules refused, or the code of a finding.",
        examples=["no-balance"],
    )


class SignatureModel(Model):
    """One signature of a sheet."""

    key: str = Field(description="Key id: 16 hex digits.", examples=["0123456789abcdef"], min_length=16, max_length=16)
    sig: str = Field(description="Ed25519 signature over the sheet, base64 of 64 bytes.", examples=["A" * 86 + "=="])


class StatementModel(BaseModel):
    """What the author declares (FORMAT §3)."""

    at: str = Field(description="When it is declared, UTC in whole seconds.", examples=[TIME])
    body: dict[str, Any] = Field(
        description="What is declared, as FORMAT says for its kind; time in whole minutes, money in whole fen.",
        examples=[{"giver": ACCOUNT, "minutes": 30}],
    )
    by: str = Field(description="Key id of the author.", examples=["0123456789abcdef"])
    kind: str = Field(description="Kind of the entry.", examples=["donate"])
    seq: int = Field(
        description="Greater than in any earlier entry of the author.", examples=[1763717400000], ge=0, le=INTEGER_MAX
    )
    v: int = Field(description="Version of the format, always 1.", examples=[1])
    beside: list[str] = Field(
        default=[],
        alias="with",
        description="Key ids of those who sign beside the author, rising.",
        examples=[["fedcba9876543210"]],
        max_length=ENTRY_MAX_SIGNATURES - 1,
    )


STATEMENT = {
    "at": TIME,
    "body": {"giver": ACCOUNT, "minutes": 30},
    "by": "0123456789abcdef",
    "kind": "donate",
    "seq": 1763717400000,
    "v": 1,
}


class SheetModel(Model):
    """Statements of one author with everybody's signatures over their root (FORMAT §3)."""

    statements: list[StatementModel] = Field(
        description="What is declared, 1 to 1,024 statements; each canonical as FORMAT §3 says, or no signature fits.",
        examples=[[STATEMENT]],
        min_length=1,
        max_length=SHEET_MAX_STATEMENTS,
    )
    sigs: list[SignatureModel] = Field(
        description="The author's signature, then those beside, in the order of `with`: 1 to 8.",
        examples=[[{"key": "0123456789abcdef", "sig": "A" * 86 + "=="}]],
        min_length=1,
        max_length=ENTRY_MAX_SIGNATURES,
    )


class AcceptedModel(Model):
    """A statement that is on disk as an entry."""

    index: Index
    leaf: LeafHash
    promise: str | None = Field(
        default=None,
        description="The node's signed word that the entry stays (FORMAT §3); absent with `Prefer: return=minimal`.",
        examples=["huzhu/promise@v1\norigin liuduhe.example/huzhu\n…"],
    )


class RefusedModel(Model):
    """A statement that is not on the ledger."""

    outcome: str = Field(description="Why: an outcome of RULES or the code of a finding.", examples=["no-balance"])
    detail: str = Field(description="More about it, or empty.", examples=[""])


class ResultsModel(Model):
    """What became of a sheet: one result for each statement, in order."""

    ledger: Origin
    results: list[AcceptedModel | RefusedModel] = Field(
        description="Accepted, or refused and why.", examples=[[{"index": 17, "leaf": HASH}]]
    )


class RefusedSheetModel(ProblemModel):
    """None of the statements was accepted."""

    results: list[RefusedModel] = Field(
        description="Why, of each statement in order.", examples=[[{"outcome": "no-balance", "detail": ""}]]
    )


class EntryModel(Model):
    """One entry."""

    ledger: Origin
    index: Index
    leaf: LeafHash
    sealed: bool = Field(description="Whether the newest checkpoint covers it.", examples=[True])
    entry: dict[str, Any] = Field(
        description="The entry as it stands on the ledger (FORMAT §3).", examples=[{"kind": "donate", "v": 1}]
    )


class AccountModel(Model):
    """What an account has."""

    ledger: Origin
    account: Number
    balance: Minutes
    held: Minutes
    status: StatusField
    unit: Unit
    size: Size


class StatementLine(Model):
    """One line of a passbook."""

    index: Index
    at: Moment
    kind: str = Field(description="Kind of the entry.", examples=["service"])
    other: str | None = Field(description="The account on the other side, where there is one.", examples=["23456784"])
    change: Minutes
    held: Minutes
    balance: Minutes
    balance_held: Minutes


class StatementPage(Model):
    """A passbook, the oldest line first."""

    ledger: Origin
    account: Number
    unit: Unit
    lines: list[StatementLine] = Field(description="The lines of this page.", examples=[[]])
    next: int | None = Field(
        description="Ask with `after` of this for the next page; null: there is none.", examples=[17]
    )


class BalanceLine(Model):
    """What one account has."""

    ledger: Origin
    account: Number
    balance: Minutes
    held: Minutes
    status: StatusField
    unit: Unit
    size: Size


class BalancesPage(Model):
    """Balances of many accounts, by ledger and in the order in which they were opened."""

    balances: list[BalanceLine] = Field(description="Those of this page.", examples=[[]])
    next: str | None = Field(
        description="Ask with `after` of this for the next page; null: there is none.", examples=[f"{ORIGIN}:99"]
    )


class BlockModel(Model):
    """One sealed block."""

    height: int = Field(description="Number of the block, from 0.", examples=[3], ge=0)
    size: Size
    accounts: int = Field(description="How many accounts there were.", examples=[40], ge=0)
    sealed: Moment
    root: str = Field(description="Root over all entries before the seal, base64.", examples=[HASH])
    state: str = Field(description="Root over all balances, base64.", examples=[HASH])
    checkpoint: str = Field(
        description="The signed note of the checkpoint.", examples=["liuduhe.example/huzhu\n120\n…"]
    )


class BlocksPage(Model):
    """Blocks, the oldest first."""

    ledger: Origin
    blocks: list[BlockModel] = Field(description="Those of this page.", examples=[[]])
    next: int | None = Field(
        description="Ask with `after` of this for the next page; null: there is none.", examples=[120]
    )


class SuspicionModel(Model):
    """Something unusual that a person should look at; it proves nothing."""

    code: str = Field(description="What is unusual.", examples=["overlap"])
    account: str = Field(description="Account number that it is about.", examples=[ACCOUNT])
    entries: list[int] = Field(description="Indexes of the entries that it rests on.", examples=[[17, 18]])
    detail: str = Field(description="In words.", examples=["two services at the same time"])


class SuspicionsModel(Model):
    """All that the audit finds unusual."""

    ledger: Origin
    size: Size
    suspicions: list[SuspicionModel] = Field(description="One a line.", examples=[[]])
    counts: dict[str, int] = Field(description="How many of each code.", examples=[{"overlap": 2}])


class CountModel(BaseModel):
    """How many, and how many minutes they have together."""

    number: int = Field(description="How many services.", examples=[12])
    minutes: int = Field(description="Their minutes.", examples=[720])


class MonthModel(BaseModel):
    """One local month."""

    services: int = Field(description="Standing services that ended in it.", examples=[12])
    minutes: int = Field(description="Their minutes.", examples=[720])
    redeemed_minutes: int = Field(description="Minutes of them that recipients paid with hours.", examples=[300])


class SupplyDemandModel(Model):
    """Who gives and who needs, over a period."""

    ledger: Origin
    size: Size
    period: str = Field(description="Local months.", examples=["2026-01..2026-06"])
    volunteers: int = Field(description="Accounts that gave at least one service.", examples=[20])
    elders: int = Field(description="Accounts that received at least one.", examples=[31])
    services: CountModel = Field(
        description="Standing services of the period.", examples=[{"number": 12, "minutes": 720}]
    )
    categories: dict[str, CountModel] = Field(
        description="The same by category.", examples=[{"meals": {"number": 12, "minutes": 720}}]
    )
    evidence: dict[str, CountModel] = Field(
        description="The same by what proves them.", examples=[{"paper": {"number": 12, "minutes": 720}}]
    )
    months: dict[str, MonthModel] = Field(
        description="The same by local month.",
        examples=[{"2026-01": {"services": 12, "minutes": 720, "redeemed_minutes": 0}}],
    )
    outstanding_minutes: int = Field(description="Minutes that are owed to people at the end.", examples=[14_400])


class FundModel(Model):
    """One fund."""

    fund: str = Field(description="Its code.", examples=["meals"])
    purpose: str = Field(description="What it is for.", examples=["meals"])
    fen: int = Field(description="What it has, fen.", examples=[120_000])


class FundsModel(Model):
    """All funds."""

    ledger: Origin
    size: Size
    funds: list[FundModel] = Field(description="One a line.", examples=[[]])


class ListedModel(Model):
    """One line of the public list."""

    account: str = Field(description="Account number.", examples=[ACCOUNT])
    why: str = Field(description="Code of what was found.", examples=["overlap"])
    since: str = Field(description="Local day.", examples=["2026-11-21"])
    until: str | None = Field(description="Local day on which it is due to leave the list.", examples=["2026-12-21"])
    note: str = Field(description="What the decision says.", examples=["two visits at one time"])


class PublicListModel(Model):
    """Who stands on the public list, by number."""

    ledger: Origin
    size: Size
    listed: list[ListedModel] = Field(description="One a line.", examples=[[]])


class HealthModel(Model):
    """Whether the node can do its work."""

    ok: bool = Field(description="Whether nothing keeps this node from its own work.", examples=[True])
    origin: Origin
    size: Size
    sealed: str | None = Field(description="Time of the last seal, UTC.", examples=[TIME])
    troubles: list[str] = Field(
        description="What keeps it from that, in words, for whoever is signed in; for others empty.",
        examples=[["the last seal is 30 hours old"]],
    )
    neighbours: list[str] = Field(
        description="What is wrong with the ledgers below and the nodes around, in words, for whoever is signed in: no"
        " fault of this node, and no reason for a 503.",
        examples=[["ledgers below that have been silent for too long: 1"]],
    )
    unsealed: int | None = Field(default=None, description="Entries since the last seal.", examples=[3])
    waiting: int | None = Field(default=None, description="Statements that wait to be written.", examples=[0])
    disk_free_bytes: int | None = Field(default=None, description="Room on the disk, bytes.", examples=[10**10])
    tended: str | None = Field(
        default=None, description="When neighbours were last looked after, UTC.", examples=[TIME]
    )
