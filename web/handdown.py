"""Parameters that a tier hands down: signed by its authorities for each ledger below, sent there or carried there.

What a ledger below is at (its beginning, the version of its parameters, whose keys count) is taken from the copy that
is mirrored here. It judges the sheet itself: one that was made for a state of yesterday is refused there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from chain.entry import Statement, format_statement
from chain.fields import Time
from chain.keys import SigningKey
from chain.merkle import leaf_hash
from chain.note import parse_vkey
from chain.sheet import SheetDomain, SignedSheet, sign_sheet
from ledger.bodies import Params
from ledger.parameters import Parameters, format_parameters
from ledger.roster import AUTHORITY
from ledger.state import State
from web.export import in_folder, write_file
from web.problems import DeskError
from web.sheetfile import format_sheet
from web.text import printable, sentence

if TYPE_CHECKING:
    from store.mirror import MirrorStore
    from store.settings import NodeSettings

SHEET_SUFFIX = ".sheet.json"
TOKEN_MAX_BYTES = 4_096
ANSWER_MAX_BYTES = 1_048_576
DETAIL_MAX_CHARACTERS = 500
ENTRIES_PATH = "api/v1/entries"
OK_STATUSES = range(200, 300)


@dataclass(frozen=True, slots=True)
class Child:
    """A ledger below, as the mirror has it; without a state where it has none."""

    origin: str
    state: State | None = None
    genesis: bytes = b""
    """Leaf hash of its entry 0."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What became of one ledger's parameters."""

    origin: str
    is_done: bool
    text: str


Send = Callable[[str, SignedSheet], Handed]


def hand_to(child: Child, parameters: Parameters, signers: Sequence[SigningKey], now: Time, send: Send) -> Handed:
    """Sign the parameters for one ledger below, and send them."""
    state = child.state
    if state is None:
        text = _("no copy of it is here yet: let `huzhu tend` pull it, or give one to `huzhu receive`")
        return Handed(child.origin, False, text)
    if state.parameters == parameters:
        return Handed(child.origin, True, _("has these parameters already"))
    moment = state.log_time(now)
    keys = [state.roster.keys.get(signer.id) for signer in signers]
    for signer, key in zip(signers, keys, strict=True):
        if key is None or key.role != AUTHORITY or not key.counts_at(moment):
            text = _("the key {key} is no authority there that counts now")
            return Handed(child.origin, False, text.format(key=signer.id))
    author, beside = signers
    last_seq = max(key.last_seq for key in keys[:1] if key is not None)
    statement = Statement(
        at=moment,
        beside=(beside.id,),
        body=Params(params=format_parameters(parameters), version=state.parameters_version + 1),
        by=author.id,
        kind="params",
        seq=max(last_seq + 1, int(moment.timestamp() * 1_000)),
    )
    domain = SheetDomain(child.origin, child.genesis)
    return send(child.origin, sign_sheet(domain, [format_statement(statement)], author, (beside,)))


def children(mirror_path: Path, state: State, origins: Sequence[str]) -> Iterator[Child]:
    """The ledgers that are meant, one after the other: a county has some hundred."""
    from store.mirror import MirrorStore

    for origin in origins:
        if origin not in state.admitted:
            text = _("{origin} is not admitted here: `huzhu org list` shows the ledgers that are")
            raise DeskError(text.format(origin=printable(origin)))
    wanted = sorted(set(origins) or state.admitted)
    if not mirror_path.exists():
        yield from map(Child, wanted)
        return
    with closing(MirrorStore(mirror_path)) as mirror:
        for origin in wanted:
            yield _mirrored(mirror, origin)


def _mirrored(mirror: "MirrorStore", origin: str) -> Child:
    """What a mirrored ledger has led to, by the audit that was made of it."""
    from chain.policy import NO_QUORUM, Policy
    from store.archive import open_archive
    from verify.audit import LedgerAudit, Trust, thaw_audit
    from verify.frozen import AuditStateError

    log = mirror.log(origin)
    raw = None if log is None else log.audit()
    if log is None or raw is None:
        return Child(origin)
    trust = Trust(Policy((parse_vkey(log.vkey),), (), (), NO_QUORUM))
    try:
        audit = thaw_audit(raw, origin, trust)
    except AuditStateError:
        audit = LedgerAudit(origin, trust)
        with open_archive(mirror.path) as ledgers:
            audit.take(next(ledger for ledger in ledgers if ledger.origin == origin))
    return Child(origin, audit.state, leaf_hash(log.entry(0)))


def sheet_writer(folder: Path) -> Send:
    """Puts each sheet into a file of its own."""
    in_folder(folder)

    def send(origin: str, sheet: SignedSheet) -> Handed:
        path = folder / (origin.replace("/", "_") + SHEET_SUFFIX)
        write_file(path, format_sheet(sheet))
        return Handed(origin, True, _("for `huzhu submit` there: {path}").format(path=path))

    return send


def sender(settings: "NodeSettings", token_file: Path | None) -> Send:
    """Sends each sheet to the node's address in node.toml."""
    from sync.fetch import FetchError, Site

    if token_file is None:
        raise click.UsageError(_("give --token-file to send the parameters, or -o FOLDER to carry them over"))
    with token_file.open("rb") as file:
        token = file.readline(TOKEN_MAX_BYTES).strip().decode("ascii", "replace")
    urls = {child.origin: child.url for child in settings.children}

    def send(origin: str, sheet: SignedSheet) -> Handed:
        if origin not in urls:
            return Handed(origin, False, _("its address does not stand among [[children]] in node.toml"))
        try:
            with closing(Site(urls[origin], token=token)) as site:
                answer = site.post(ENTRIES_PATH, format_sheet(sheet), "application/json", ANSWER_MAX_BYTES)
        except FetchError as error:
            return Handed(origin, False, str(error))
        return _judge_answer(origin, answer.status, answer.body)

    return send


def _judge_answer(origin: str, status: int, body: bytes) -> Handed:
    """What the node below has answered to one statement: a list of results, or a problem document."""
    try:
        plain = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        plain = None
    told = plain if isinstance(plain, dict) else {}
    results = told.get("results")
    result = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    if status in OK_STATUSES and isinstance(result.get("index"), int):
        return Handed(origin, True, _("accepted as entry {index}").format(index=result["index"]))
    why = printable(str(told.get("detail", ""))[:DETAIL_MAX_CHARACTERS])
    if isinstance(result.get("outcome"), str):
        why = sentence(result["outcome"])
    return Handed(origin, False, _("it answers with status {status}: {why}").format(status=status, why=why))
