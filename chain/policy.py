"""Who must have signed: the file in which an auditor writes down whom to trust (C2SP tlog-policy; FORMAT §6).

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

One item a line; empty lines and lines that begin with ``#`` mean nothing. A name is defined on a line before the one
that uses it, stands in one group at most, and means nothing outside the file. The quorum is met when the witness it
names has cosigned, or enough members of the group it names.

Names and addresses are octets, not characters: bytes that are not UTF-8 come through as lone surrogates and go back to
the same bytes.
"""

import re
from collections.abc import Set
from dataclasses import dataclass

from chain.checkpoint import Checkpoint
from chain.cosignature import verify_cosignature
from chain.encoding import format_decimal, parse_decimal, shown
from chain.errors import NoteError
from chain.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    VerifierKey,
    format_vkey,
    parse_vkey,
)

POLICY_MAX_BYTES = 4 * 1_048_576
"""Room for as many ML-DSA-44 keys (1.8 kB each) as there may be lines."""
POLICY_MAX_LOGS = 1_024
POLICY_MAX_WITNESSES = 1_024
POLICY_MAX_GROUPS = 1_024

NO_QUORUM = "none"

_LOG_TYPES = (ED25519, COSIGNATURE_MLDSA44)
_WITNESS_TYPES = (COSIGNATURE_ED25519, COSIGNATURE_MLDSA44)
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_WHITESPACE = re.compile("[ \t]+")


@dataclass(frozen=True, slots=True)
class Group:
    """It has witnessed a checkpoint when at least ``threshold`` of ``members`` (witnesses or earlier groups) have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs, witnesses by name, groups in the order of their definition, and the name of the quorum, or ``none``.

    ``log_urls`` and ``witness_urls`` hold the addresses, for those logs and witnesses (by name) that have one.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[tuple[str, VerifierKey], ...]
    groups: tuple[Group, ...]
    quorum: str
    log_urls: tuple[tuple[VerifierKey, str], ...] = ()
    witness_urls: tuple[tuple[str, str], ...] = ()


def parse_policy(raw: bytes) -> Policy:
    """The policy that a file holds; raises NoteError with the line's number and what to do about it."""
    if len(raw) > POLICY_MAX_BYTES:
        raise NoteError(f"the policy has {len(raw)} bytes; at most {POLICY_MAX_BYTES} are allowed")
    if found := _FORBIDDEN.search(raw):
        line = raw.count(b"\n", 0, found.start()) + 1
        raise NoteError(f"policy line {line}: it has the control character 0x{found[0][0]:02x}; save it as plain text")
    if raw and not raw.endswith(b"\n"):
        raise NoteError("the policy's last line does not end: add a line end, or fetch the whole file again")
    reader = _Reader()
    for number, line_text in enumerate(raw.decode(errors="surrogateescape").split("\n"), start=1):
        words = _WHITESPACE.split(line_text.strip(" \t"))
        if words[0] and not words[0].startswith("#"):
            try:
                reader.take(words[0], words[1:])
            except NoteError as error:
                raise NoteError(f"policy line {number}: {error}") from None
    return reader.policy()


def format_policy(policy: Policy) -> bytes:
    """The bytes of a policy; raises NoteError for one that ``parse_policy`` would refuse."""
    log_urls, witness_urls = dict(policy.log_urls), dict(policy.witness_urls)
    lines = [_join("log", format_vkey(vkey), log_urls.get(vkey)) for vkey in policy.logs]
    lines += [_join("witness", name, format_vkey(vkey), witness_urls.get(name)) for name, vkey in policy.witnesses]
    lines += [_join("group", group.name, format_decimal(group.threshold), *group.members) for group in policy.groups]
    lines.append(_join("quorum", policy.quorum))
    raw = "".join(lines).encode(errors="surrogateescape")
    if parse_policy(raw) != policy:
        raise NoteError("the policy does not survive being written and read; are there spaces in names or addresses?")
    return raw


def quorum_met(policy: Policy, cosigned: Set[str]) -> bool:
    """Whether the witnesses named in ``cosigned`` are enough; names that are no witness's do not count."""
    witnessed = {name for name, _ in policy.witnesses if name in cosigned}
    for group in policy.groups:
        if sum(member in witnessed for member in group.members) >= group.threshold:
            witnessed.add(group.name)
    return policy.quorum == NO_QUORUM or policy.quorum in witnessed


def cosigned_names(policy: Policy, checkpoint: Checkpoint, note: Note) -> frozenset[str]:
    """The policy's names of the witnesses whose cosignature of ``checkpoint``, a line of ``note``, verifies."""
    return frozenset(
        name
        for name, vkey in policy.witnesses
        if any(verify_cosignature(vkey, checkpoint, signature) is not None for signature in note.signatures)
    )


class _Reader:
    """What the lines so far have defined."""

    def __init__(self) -> None:
        self._logs: dict[bytes, VerifierKey] = {}
        self._witnesses: dict[bytes, tuple[str, VerifierKey]] = {}
        self._groups: list[Group] = []
        self._quorum: str | None = None
        self._log_urls: list[tuple[VerifierKey, str]] = []
        self._witness_urls: list[tuple[str, str]] = []
        self._defined: set[str] = set()
        self._grouped: set[str] = set()

    def take(self, keyword: str, words: list[str]) -> None:
        """One line, its first word apart."""
        takers = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._take_quorum}
        if keyword not in takers:
            raise NoteError(f"it begins with {shown(keyword)}; write log, witness, group, quorum or #")
        takers[keyword](words)

    def policy(self) -> Policy:
        """The whole, after the last line."""
        if self._quorum is None:
            raise NoteError("the policy has no quorum line; end it with `quorum <name>` or `quorum none`")
        return Policy(
            tuple(self._logs.values()),
            tuple(self._witnesses.values()),
            tuple(self._groups),
            self._quorum,
            tuple(self._log_urls),
            tuple(self._witness_urls),
        )

    def _log(self, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise NoteError("write `log <vkey>`, and at most an address after it")
        vkey = parse_vkey(words[0])
        if vkey.type not in _LOG_TYPES:
            raise NoteError(f"a log's key has type 0x01 or 0x06, not 0x{vkey.type:02x}; take the log's own vkey")
        if vkey.public in self._logs:
            raise NoteError("this log's key is in the file already; remove one of the two lines")
        if len(self._logs) == POLICY_MAX_LOGS:
            raise NoteError(f"more than {POLICY_MAX_LOGS} logs; split the file")
        self._logs[vkey.public] = vkey
        self._log_urls += [(vkey, url) for url in words[1:]]

    def _witness(self, words: list[str]) -> None:
        if not 2 <= len(words) <= 3:
            raise NoteError("write `witness <name> <vkey>`, and at most an address after it")
        name, vkey = words[0], parse_vkey(words[1])
        if vkey.type not in _WITNESS_TYPES:
            raise NoteError(f"a witness's key has type 0x04 or 0x06, not 0x{vkey.type:02x}; ask for its cosigner vkey")
        if vkey.public in self._witnesses:
            raise NoteError("this witness's key is in the file already; remove one of the two lines")
        if len(self._witnesses) == POLICY_MAX_WITNESSES:
            raise NoteError(f"more than {POLICY_MAX_WITNESSES} witnesses; split the file")
        self._define(name)
        self._witnesses[vkey.public] = (name, vkey)
        self._witness_urls += [(name, url) for url in words[2:]]

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise NoteError("write `group <name> all|any|<k> <member>...`, with one member at least")
        name, threshold, *members = words
        if len(self._groups) == POLICY_MAX_GROUPS:
            raise NoteError(f"more than {POLICY_MAX_GROUPS} groups; split the file")
        for member in members:
            self._put_in_group(member)
        self._define(name)
        self._groups.append(Group(name, _parse_threshold(threshold, len(members)), tuple(members)))

    def _take_quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise NoteError("write `quorum <name>` or `quorum none`")
        if self._quorum is not None:
            raise NoteError("the quorum is set already; keep one quorum line")
        if words[0] != NO_QUORUM and words[0] not in self._defined:
            raise NoteError(f"{shown(words[0])} is not defined on a line before; define it above this line")
        self._quorum = words[0]

    def _define(self, name: str) -> None:
        if name == NO_QUORUM:
            raise NoteError("`none` has a meaning of its own; choose another name")
        if name in self._defined:
            raise NoteError(f"{shown(name)} is defined already; choose another name")
        self._defined.add(name)

    def _put_in_group(self, name: str) -> None:
        if name not in self._defined:
            raise NoteError(f"{shown(name)} is not defined on a line before; define it above this line")
        if name in self._grouped:
            raise NoteError(f"{shown(name)} is a member of a group already; it may stand in one group, once")
        self._grouped.add(name)


def _parse_threshold(word: str, member_count: int) -> int:
    if word in ("all", "any"):
        return member_count if word == "all" else 1
    try:
        threshold = parse_decimal(word, member_count)
    except NoteError:
        threshold = 0
    if threshold == 0:
        raise NoteError(f"{shown(word)} is no threshold; write all, any, or a number from 1 to {member_count}")
    return threshold


def _join(*words: str | None) -> str:
    return " ".join(word for word in words if word is not None) + "\n"
