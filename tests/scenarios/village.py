"""A node in memory whose people and keys have names: what scenarios, rule tests and the state machine drive."""

import base64
import datetime
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from chain.canonical import format_canonical
from chain.checkpoint import strip_cosignatures
from chain.fields import UTC, Time, format_time
from chain.keys import SigningKey
from chain.note import ED25519, format_vkey, make_vkey, parse_vkey
from chain.receipt import format_entry_receipt, parse_entry_receipt, without_cosignatures
from chain.sheet import sign_sheet
from ledger.numbers import SYSTEM_ACCOUNTS, account_number
from ledger.parameters import DEFAULTS, Parameters, format_parameters
from ledger.state import Account, State
from node import Accepted, Node, NodeKeys
from store.log import MemoryStore

ORIGIN = "village.example/huzhu"
FOUNDED_AT = datetime.datetime(2026, 3, 1, tzinfo=UTC)
FOUNDERS = ("clerk", "m1", "m2", "m3", "a1", "a2")
OK = "ok"

Plain = dict[str, Any]


def digest(name: str) -> bytes:
    """32 bytes that always go with a name."""
    return hashlib.sha256(name.encode()).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def key_of(name: str) -> SigningKey:
    """The key of that name."""
    return SigningKey(digest(f"key {name}"))


def number_of(name: str) -> str:
    """The account of that name; eight digits and system accounts stand for themselves."""
    if name.isdigit() or name in SYSTEM_ACCOUNTS:
        return name
    return account_number(int.from_bytes(digest(name)[:4], "big") % 1_000_000)


def plain_parameters(parameters: Parameters) -> Plain:
    """The map of parameters as an entry's JSON has it."""
    plain: Plain = json.loads(json.dumps(format_parameters(parameters)))
    return plain


def role_of(name: str) -> str:
    """The role of a founder: ``clerk2``, ``m1``, ``a2``."""
    return {"m": "member", "a": "authority"}.get(name[0], "clerk")


def origin_of(name: str) -> str:
    """The ledger of that name; an origin stands for itself."""
    return name if "/" in name else f"{name}.example/huzhu"


def vkey_of(origin: str, key: str) -> str:
    """The verifier key of a ledger whose node has the key of that name."""
    return format_vkey(make_vkey(origin, ED25519, key_of(key).public))


class Village:
    """One node over a ``MemoryStore``: of a village, or of a tier above it. ``now`` is its clock.

    ``parent`` is another ledger, whose key genesis names.
    """

    def __init__(
        self, origin: str = ORIGIN, *, node_key: str = "node", tier: str = "village", parent: "Village | None" = None
    ) -> None:
        self.origin, self.tier, self.parent = origin, tier, parent
        self.now = FOUNDED_AT
        self.store = MemoryStore(origin)
        self.node_key = node_key
        self.node_keys = [node_key]
        self.last_index = -1
        self.labels: dict[str, int] = {}
        self.reopen()

    @property
    def vkey(self) -> str:
        """The node's verifier key in force."""
        return vkey_of(self.origin, self.node_key)

    @property
    def state(self) -> State:
        return self.node.state

    def account(self, name: str) -> Account:
        return self.state.accounts[number_of(name)]

    def reopen(self) -> None:
        """Take the node up again from what its store holds."""
        self.node = Node(self.store, NodeKeys(key_of(self.node_key)), lambda: self.now)

    def submit(
        self, kind: str, body: Plain, actors: Sequence[str], at: Time | None = None, seq: int | None = None
    ) -> str:
        """Have a statement signed by the author and those beside him, submit it, and answer the outcome or ``ok``."""
        author, beside = key_of(actors[0]), sorted((key_of(name) for name in actors[1:]), key=lambda key: key.id)
        known = self.state.roster.keys.get(author.id)
        statement = {
            "at": format_time(at or self.now),
            "body": body,
            "by": author.id,
            "kind": kind,
            "seq": seq if seq is not None else 0 if known is None else known.last_seq + 1,
            "v": 1,
        }
        if beside:
            statement["with"] = [key.id for key in beside]
        (result,) = self.node.submit(sign_sheet(self.node.domain, [format_canonical(statement)], author, beside))
        if not isinstance(result, Accepted):
            return result.outcome
        self.last_index = result.index
        if kind == "node_rotate":
            self.node_key = next(name for name in actors[1:] if b64(key_of(name).public) == body["key"])
            self.node_keys.append(self.node_key)
            self.reopen()
        return OK

    def seal(self) -> None:
        self.node.seal()

    def found(self, founders: Sequence[str] = FOUNDERS, threshold: int = 2, **parameters: Any) -> str:
        """Write genesis."""
        return self.submit("genesis", self.genesis_body(founders, threshold, parameters), [self.node_key])

    def genesis_body(self, founders: Sequence[str], threshold: int, parameters: Plain) -> Plain:
        """The body of its genesis."""
        body = genesis_body(self.node_key, founders, threshold, parameters)
        body |= {"origin": self.origin, "tier": self.tier}
        return body if self.parent is None else body | {"parent": self.parent.origin, "parent_vkey": self.parent.vkey}

    def proof(self, index: int) -> str:
        """The proof that an entry is on this ledger, from its newest checkpoint, as a body has it."""
        receipt = parse_entry_receipt(self.node.receipt(index))
        return b64(format_entry_receipt(without_cosignatures(receipt, parse_vkey(self.vkey))))

    def checkpoint(self, size: int | None = None) -> str:
        """The checkpoint of that size, or the newest one, as a body has it."""
        return b64(strip_cosignatures(self.node.checkpoint(size), parse_vkey(self.vkey)))

    def open(self, name: str, *, actors: Sequence[str] = ("clerk", "m1"), **fields: Any) -> str:
        """Open an account; ``funded`` brings the authorities along, or all members where there are none."""
        body = {"account": number_of(name), "dossier": b64(digest(name)), "holder": "person"} | fields
        if "funded" in fields:
            actors = (*actors, *(("a1", "a2") if self.state.has_authority else ("m2", "m3")))
        return self.submit("account_open", body, actors)

    def give_phone(self, name: str, role: str) -> str:
        """Grant the person a key of his own, under his name."""
        body = {"account": number_of(name), "key": b64(key_of(name).public), "role": role}
        return self.submit("key_grant", body, ["m1", "m2"])


def genesis_body(node_key: str, founders: Sequence[str], threshold: int, parameters: Plain) -> Plain:
    """The body of genesis; a founder is a name, with ``@`` and an account where he has one."""
    members = []
    for founder in founders:
        name, _, account = founder.partition("@")
        member = {"key": b64(key_of(name).public), "role": role_of(name)}
        members.append((key_of(name).id, member | ({"account": number_of(account)} if account else {})))
    return {
        "members": [member for _, member in sorted(members, key=lambda pair: pair[0])],
        "node_key": b64(key_of(node_key).public),
        "origin": ORIGIN,
        "params": plain_parameters(DEFAULTS) | parameters,
        "threshold": threshold,
        "tier": "village",
    }
