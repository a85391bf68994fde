"""Asking a node for balances and ledgers over its API, and checking off line what it says.

    with asking(url, token_file) as site:
        answers = Answers(site)
        answers.totals(by="tier"); answers.accounts("village.example/huzhu"); answers.ledgers()

What comes back is hostile until it is read: every page is bounded, and only what fits its shape is taken, so that
nothing in it can steer a terminal. Whether it is *true* only a receipt says, checked against the trust file of whoever
asks (``Answers.policy_for``, ``verify.balances``): the node that answers need not be trusted, nor be the ledger's own.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from chain.fields import is_origin
from chain.limits import INTEGER_MAX, LOG_MAX_ENTRIES
from chain.policy import Policy
from chain.receipt import BALANCE_RECEIPT_MAX_BYTES
from sync.fetch import FetchError, Site, StatusError
from sync.library import LibraryError, SiteLibrary
from verify.balances import pins, trust_by_admissions
from verify.receipts import ReceiptError, StateLeaf
from web.i18n import marked
from web.problems import DeskError

TOKEN_VARIABLE = "HUZHU_TOKEN"  # noqa: S105 - where it stands
TOKEN_MAX_BYTES = 4_096
PAGE_MAX_BYTES = 4 * 1_048_576
PAGE_ROWS = 1_000
PAGES_MAX = 4_096
ABOVE_MAX = 8
ANY_BALANCE = "issue"
"""Every ledger has this account."""

REFUSALS = {
    400: marked("{url} cannot do anything with the question: is the address that of a node of this version?"),
    401: marked(
        "{url} does not know who asks: the token is missing, expired or revoked. Have one made there"
        " (`huzhu token new`), and give it by --token-file or in the variable {variable}"
    ),
    403: marked("{url} does not let you see this: it is not below the ledger that your user there oversees"),
    503: marked("{url} is too busy, or its disk fails: try again later"),
}
"""What a node's refusals mean for whoever asked, by status."""

T = TypeVar("T")

Name = Annotated[str, Meta(pattern=r"^[a-z0-9._/-]{1,512}$")]
Moment = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
Month = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}$")]
Code = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}$")]
Amount = Annotated[int, Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Size = Annotated[int, Meta(ge=0, le=LOG_MAX_ENTRIES)]
Many = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Text = Annotated[str, Meta(max_length=600)]


class AskedCheckpoint(msgspec.Struct, frozen=True):
    """What figures rest on, by the node's word."""

    origin: Name
    size: Size
    root: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    sealed: Moment | None


class AskedSum(msgspec.Struct, frozen=True):
    """A line of totals."""

    name: Name
    ledgers: Many
    accounts: Many
    minutes: Amount
    held_minutes: Amount
    fund_fen: Amount
    pool_minutes: Amount | None
    issue_minutes: Amount | None
    on_way_minutes: Amount | None
    oldest_sealed: Moment | None
    checkpoint: AskedCheckpoint | None


class AskedTotals(msgspec.Struct, frozen=True):
    lines: list[AskedSum]
    total: AskedSum
    next: Text | None


class AskedBalance(msgspec.Struct, frozen=True):
    ledger: Name
    account: Code
    balance: Amount
    held: Amount
    status: Literal["open", "suspended", "closed"]
    unit: Literal["minute", "fen"]
    size: Size

    def leaf(self) -> StateLeaf:
        """The account as it stands in the tree of balances."""
        return StateLeaf(self.account, self.balance, self.held, self.status, self.unit)


class AskedBalances(msgspec.Struct, frozen=True):
    balances: list[AskedBalance]
    next: Text | None


class AskedLedger(msgspec.Struct, frozen=True):
    ledger: Name
    parent: Name | None
    tier: Literal["village", "township", "county", "city"]
    size: Size
    sealed: Moment | None
    pulled: Moment | None
    state: Literal["own", "sound", "findings", "forked", "rolled-back"]
    silent: bool
    findings: Many | None
    suspicions: Many | None
    checkpoint: AskedCheckpoint | None


class AskedLedgers(msgspec.Struct, frozen=True):
    ledgers: list[AskedLedger]
    count: Many
    above: list[Text]
    next: Text | None


class AskedCount(msgspec.Struct, frozen=True):
    number: Many
    minutes: Amount


class AskedMonth(msgspec.Struct, frozen=True):
    services: Many
    minutes: Amount
    redeemed_minutes: Amount


class AskedSupply(msgspec.Struct, frozen=True):
    period: Annotated[str, Meta(pattern=r"^[0-9Q.-]{4,16}$")]
    ledgers: Many
    oldest_sealed: Moment | None
    volunteers: Many
    elders: Many
    services: AskedCount
    categories: dict[Code, AskedCount]
    evidence: dict[Code, AskedCount]
    evidence_per_mille: dict[Code, Many]
    months: dict[Month, AskedMonth]


@contextmanager
def asking(url: str, token_file: Path | None) -> Iterator[Site]:
    """The node at that address, asked with the token of the file or of the environment."""
    with closing(Site(url, token=read_token(token_file))) as site:
        yield site


def read_token(path: Path | None) -> str | None:
    """The token: never from the command line, where everybody on the machine could read it."""
    if path is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    with path.open("rb") as file:
        raw = file.readline(TOKEN_MAX_BYTES).strip()
    if not raw or not raw.isascii():
        raise DeskError(_("{path} has no token in its first line").format(path=path))
    return raw.decode()


class Answers:
    """What one node says."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def totals(self, by: str, asked: Mapping[str, str]) -> AskedTotals:
        """Totals with all their lines."""
        page = self._page("totals", {"by": by, **asked}, AskedTotals)
        lines, following = list(page.lines), page.next
        for _number in range(PAGES_MAX):
            if following is None:
                break
            page = self._page("totals", {"by": by, **asked, "after": following}, AskedTotals)
            lines += page.lines
            following = page.next
        return AskedTotals(lines, page.total, None)

    def accounts(self, asked: Mapping[str, str]) -> list[AskedBalance]:
        """The balances of all accounts that are asked for, by ledger and position."""
        found: list[AskedBalance] = []
        more: dict[str, str] = {}
        for _number in range(PAGES_MAX):
            page = self._page("balances", {**asked, **more}, AskedBalances)
            found += page.balances
            if page.next is None:
                return found
            more = {"after": page.next}
        raise DeskError(_("{url} lists more accounts than can be shown: ask for one ledger").format(url=self._site.url))

    def ledgers(self, asked: Mapping[str, str]) -> AskedLedgers:
        """The ledgers that are asked for."""
        page = self._page("ledgers", asked, AskedLedgers)
        found, following = list(page.ledgers), page.next
        for _number in range(PAGES_MAX):
            if following is None:
                break
            page = self._page("ledgers", {**asked, "after": following}, AskedLedgers)
            found += page.ledgers
            following = page.next
        return AskedLedgers(found, page.count, page.above, None)

    def supply(self, asked: Mapping[str, str]) -> AskedSupply:
        """Supply and demand."""
        return self._ask("subtree/supply-demand", {**asked, "limit": "1"}, AskedSupply)

    def balance_receipt(self, account: str, asked: Mapping[str, str]) -> bytes:
        """Proof of what an account had at the newest seal; nothing of it checked."""
        with self._refusals():
            return self._site.get(f"api/v1/accounts/{account}/receipt", BALANCE_RECEIPT_MAX_BYTES, asked)

    def policy_for(self, origin: str, policy: Policy) -> Policy:
        """Trust in that ledger's key: by the trust file, or by admissions that begin at a key pinned there.

        They are fetched from this node, from the addresses in the trust file, or from the nodes above this one; whoever
        gives them, they prove themselves. Raises ReceiptError where none lead there.
        """
        if pins(policy, origin):
            return policy
        why = ReceiptError(f"nothing leads from a pinned key to {origin}")
        for url in dict.fromkeys((self._site.url, *(url for _vkey, url in policy.log_urls), *self._above())):
            try:
                with closing(Site(url)) as site:
                    return trust_by_admissions(policy, origin, SiteLibrary(site).admissions(origin))
            except (FetchError, LibraryError):
                continue
            except ReceiptError as error:
                why = error
        raise why

    def _above(self) -> Sequence[str]:
        try:
            return self._page("ledgers", {}, AskedLedgers).above[:ABOVE_MAX]
        except DeskError:
            return ()

    def _page(self, path: str, asked: Mapping[str, str], kind: type[T]) -> T:
        return self._ask(path, {**asked, "limit": str(PAGE_ROWS)}, kind)

    def _ask(self, path: str, asked: Mapping[str, str], kind: type[T]) -> T:
        with self._refusals():
            raw = self._site.get(f"api/v1/{path}", PAGE_MAX_BYTES, asked)
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            text = _("{url} does not answer as a Huzhu node does: is the address right, and is it of this version?")
            raise DeskError(text.format(url=self._site.url)) from None

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        url = self._site.url
        try:
            yield
        except FileNotFoundError:
            text = _("{url} has nothing of that: see `huzhu ledgers --at {url}` for what it has")
            raise DeskError(text.format(url=url)) from None
        except StatusError as error:
            if error.status not in REFUSALS:
                raise
            raise DeskError(_(REFUSALS[error.status]).format(url=url, variable=TOKEN_VARIABLE)) from None


def check_origin(origin: str | None) -> None:
    """Raise DeskError where it is no ledger's name."""
    if origin is not None and not is_origin(origin):
        raise DeskError(_("{origin} is no name of a ledger, such as village.example/huzhu").format(origin=origin[:100]))
