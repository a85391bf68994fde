"""What the answers to a supervisor's questions hold, as the API's description tells."""

from typing import Annotated, Literal

from pydantic import Field

from chain.limits import LOG_MAX_ENTRIES
from web.service.models import HASH, ORIGIN, TIME, CountModel, Index, Model, MonthModel, Origin

Tier = Literal["village", "township", "county", "city"]
TierField = Annotated[Tier, Field(description="Tier of the ledger.", examples=["village"])]
SealedField = Annotated[
    str | None, Field(description="Time of its newest seal here, UTC; null: nothing of it is here.", examples=[TIME])
]
Next = Annotated[
    str | None, Field(description="Ask with `after` of this for the next page; null: there is none.", examples=[ORIGIN])
]


class CheckpointModel(Model):
    """A checkpoint that figures rest on. `size` may be less than the entries of this node's own open block."""

    origin: Origin
    size: int = Field(description="How many entries it covers.", examples=[120], ge=0, le=LOG_MAX_ENTRIES)
    root: str = Field(description="Root over these entries, base64.", examples=[HASH])
    sealed: SealedField


CheckpointField = Annotated[
    CheckpointModel | None,
    Field(
        description="Of a single ledger, the checkpoint that the figures rest on; null for several.",
        examples=[{"origin": ORIGIN, "size": 120, "root": HASH, "sealed": TIME}],
    ),
]


class TotalsLine(Model):
    """Accounts together. Minutes, but `fund_fen`."""

    name: str = Field(description="The ledger, tier or status; `total` for all of them.", examples=["village"])
    ledgers: int = Field(description="Of how many ledgers.", examples=[300])
    accounts: int = Field(description="How many accounts of people and institutions there are.", examples=[900_000])
    minutes: int = Field(description="Their balances, minutes.", examples=[1_200_000])
    held_minutes: int = Field(description="What they have earned and is not posted yet, minutes.", examples=[5_400])
    fund_fen: int = Field(description="What the funds have, fen.", examples=[120_000])
    pool_minutes: int | None = Field(description="What the pool has; null where a status is asked.", examples=[600])
    issue_minutes: int | None = Field(
        description="What the platform gave, as a debt (below zero); null where a status is asked.", examples=[-9_000]
    )
    on_way_minutes: int | None = Field(
        description="Balance of `bridge`: hours that left for other ledgers, less those that came from others. Over"
        " all ledgers these are the hours on their way. Null where a status is asked.",
        examples=[60],
    )
    oldest_sealed: str | None = Field(
        description="The oldest of the newest seals of these ledgers, UTC; null: of one nothing is here.",
        examples=[TIME],
    )
    checkpoint: CheckpointField


class TotalsModel(Model):
    """Totals of the ledgers that may be seen, each line with what it rests on."""

    by: Literal["ledger", "tier", "status"] = Field(description="What the lines are.", examples=["tier"])
    lines: list[TotalsLine] = Field(description="One a ledger, tier or status.", examples=[[]])
    total: TotalsLine = Field(description="All of them together, also those of other pages.", examples=[{}])
    next: Next


class LedgerLine(Model):
    """One ledger that may be seen."""

    ledger: Origin
    parent: str | None = Field(description="The ledger above it; null: none.", examples=["township.example/huzhu"])
    tier: TierField
    size: int = Field(description="How many entries of it count here.", examples=[120], ge=0, le=LOG_MAX_ENTRIES)
    sealed: SealedField
    pulled: str | None = Field(
        description="When it was last asked for what is new, UTC; null for this node's own.", examples=[TIME]
    )
    state: Literal["own", "sound", "findings", "forked", "rolled-back"] = Field(
        description="What this node thinks of it: `sound`; its audit has findings; it signed two histories, or went"
        " back to an older one, and nothing more is taken from it. Of its `own` it says nothing.",
        examples=["sound"],
    )
    silent: bool = Field(description="Whether it has not sealed for as long as node.toml says.", examples=[False])
    findings: int | None = Field(description="Findings of its audit; null for the own one.", examples=[0])
    suspicions: int | None = Field(description="What its audit finds unusual; null for the own one.", examples=[2])
    checkpoint: CheckpointField


class LedgersPage(Model):
    """Ledgers, this node's own first, then by name."""

    ledgers: list[LedgerLine] = Field(description="Those of this page.", examples=[[]])
    count: int = Field(description="How many there are on all pages.", examples=[301])
    above: list[str] = Field(
        description="Addresses of the nodes above this one, nearest first.", examples=[["https://county.example"]]
    )
    next: Next


class SupplyLine(Model):
    """Who may serve and who may be served on one ledger, and what was done in the period."""

    ledger: Origin
    tier: TierField
    volunteers: int = Field(description="Accounts whose holders may serve now.", examples=[20])
    elders: int = Field(description="Accounts of elders now.", examples=[31])
    services: CountModel = Field(
        description="Standing services of the period.", examples=[{"number": 12, "minutes": 720}]
    )
    checkpoint: CheckpointField


class SubtreeSupplyModel(Model):
    """Supply, demand and evidence of all ledgers that may be seen, added up."""

    period: str = Field(description="Local months.", examples=["2026-01..2026-06"])
    ledgers: int = Field(description="How many ledgers.", examples=[301])
    oldest_sealed: str | None = Field(
        description="The oldest of their newest seals, UTC; null: of one nothing is here.", examples=[TIME]
    )
    volunteers: int = Field(description="Accounts whose holders may serve now.", examples=[6_000])
    elders: int = Field(description="Accounts of elders now.", examples=[9_300])
    services: CountModel = Field(
        description="Standing services of the period.", examples=[{"number": 3_600, "minutes": 216_000}]
    )
    categories: dict[str, CountModel] = Field(
        description="The same by category.", examples=[{"meals": {"number": 12, "minutes": 720}}]
    )
    evidence: dict[str, CountModel] = Field(
        description="The same by what proves them.", examples=[{"paper": {"number": 12, "minutes": 720}}]
    )
    evidence_per_mille: dict[str, int] = Field(
        description="Share of the services, per mille, by what proves them.", examples=[{"paper": 850, "signed": 150}]
    )
    months: dict[str, MonthModel] = Field(
        description="The same by local month.",
        examples=[{"2026-01": {"services": 12, "minutes": 720, "redeemed_minutes": 0}}],
    )
    lines: list[SupplyLine] = Field(description="The same by ledger, those of this page.", examples=[[]])
    next: Next


class SubtreeSuspicion(Model):
    """Something unusual that a person should look at; it proves nothing."""

    ledger: Origin
    code: str = Field(description="What is unusual.", examples=["overlap"])
    account: str = Field(description="Account number or key that it is about.", examples=["12345676"])
    entries: list[Index] = Field(description="Indexes of the entries that it rests on.", examples=[[17, 18]])
    detail: str = Field(description="In words.", examples=["two services at the same time"])


class SubtreeSuspicionsPage(Model):
    """What the audits of all ledgers that may be seen find unusual."""

    ledgers: dict[str, dict[str, int]] = Field(
        description="How many of each code, by ledger; those without any are left out.",
        examples=[{ORIGIN: {"overlap": 2}}],
    )
    counts: dict[str, int] = Field(description="How many of each code in all.", examples=[{"overlap": 2}])
    suspicions: list[SubtreeSuspicion] = Field(description="Those of this page, by ledger.", examples=[[]])
    next: Annotated[
        str | None,
        Field(description="Ask with `after` of this for the next page; null: there is none.", examples=[f"{ORIGIN}:9"]),
    ]
