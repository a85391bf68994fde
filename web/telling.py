"""What an entry, a balance or an account says, in lines for people. JSON is made elsewhere, and has other names."""

import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from chain.checkpoint import open_checkpoint
from chain.entry import Entry
from chain.errors import NoteError
from chain.fields import Time, format_time
from chain.keys import key_id
from ledger.bodies import (
    AccountClose,
    AccountOpen,
    AccountUpdate,
    Anchor,
    Appeal,
    Assessment,
    CaseClose,
    CaseOpen,
    CaseStep,
    CouponIssue,
    CredentialGrant,
    CredentialRevoke,
    Dispute,
    Donate,
    FundOpen,
    FundReceive,
    FundSpend,
    Gift,
    Grant,
    Inspection,
    InspectionDone,
    Institution,
    KeyGrant,
    KeyRevoke,
    KinLink,
    KinUnlink,
    NodeRotate,
    Opening,
    OrgAdmit,
    OrgRetire,
    Resolve,
    Reverse,
    Risk,
    Sanction,
    SanctionLift,
    Service,
    TransferBack,
    TransferIn,
    TransferOut,
    TransferRefuse,
)
from ledger.numbers import FEN, MINUTE, format_address, fund_number
from ledger.parameters import DEFAULTS
from ledger.proofs import parse_proof
from ledger.state import Account
from verify.receipts import Proven, StateLeaf
from web.desk import Balance
from web.findings import SUSPICIONS
from web.i18n import translate as _
from web.text import (
    CASE_OUTCOMES,
    FIGURES,
    HOLDERS,
    HOUR_MINUTES,
    MEASURES,
    OTHERS,
    SOURCES,
    STATUSES,
    STEPS,
    TIERS,
    amount,
    columns,
    named,
    named_account,
    named_category,
    named_kind,
    named_role,
    percent_of,
    printable,
    reason_of,
    whole_amount,
)

OFFSET = datetime.timedelta(minutes=DEFAULTS.utc_offset_minutes)
"""A receipt does not carry its ledger's offset: times are shown in this one, and it is named."""

BAND, BAND_YEARS = "band_", 5
SHARES = ("top_tenth", "paper", "coupon", "signed", "disputed")
"""The risk figures that are shares, in per mille."""
NONE = "—"


def proven_lines(proven: Proven) -> Iterator[str]:
    """What a receipt proves."""
    yield _("PROVEN by the log {origin}, of {size} entries:").format(
        origin=proven.checkpoint.origin, size=proven.checkpoint.size
    )
    if proven.balance is not None:
        yield "  " + _balance_line(proven.balance, proven.at)
        return
    yield "  " + _("entry {index}, {kind}, stated at {at}").format(
        index=proven.index, kind=named_kind(proven.entry.kind), at=format_time(proven.at)
    )
    for line in entry_lines(proven.entry):
        yield "  " + line


def entry_lines(entry: Entry[Any]) -> list[str]:
    """The main facts of an entry; none of those kinds of which there is little to say."""
    tell = TELLERS.get(type(entry.body))
    return [] if tell is None else tell(entry.body)


def account_lines(balance: Balance, account: Account) -> list[str]:
    """What the ledger knows of a person or institution."""
    rows = [
        [_("account"), account.number],
        [_("balance"), whole_amount(balance.balance, balance.unit)],
        [_("held"), whole_amount(balance.held, balance.unit)],
        [_("status"), _standing(_(STATUSES[balance.status]), account.suspensions)],
        [_("holder"), _(HOLDERS.get(account.holder, account.holder))],
        [_("volunteer"), _standing(_yes_or_no(account.may_serve), account.revocations)],
        [_("elder"), _yes_or_no(account.elder)],
        [_("may spend hours"), _yes_or_no(account.redeemable)],
        [_("minor"), _yes_or_no(account.minor)],
        [_("lives elsewhere"), _yes_or_no(account.visitor)],
        [_("guardian"), account.guardian or NONE],
        [_("hours paid for as"), account.funded or NONE],
        [_("born"), NONE if account.band is None else f"{account.band}–{account.band + BAND_YEARS - 1}"],
        [_("kin"), _listed(sorted(account.kin)) or NONE],
        [_("credentials"), _listed(sorted(account.credentials)) or NONE],
    ]
    return columns(rows)


def figure_rows(figures: Mapping[str, int]) -> list[list[str]]:
    """The risk figures with their names: hours, shares in percent, money (RULES §8)."""
    rows = [[_(FIGURES[code]), _figure(code, figures[code])] for code in FIGURES if code in figures]
    bands = {code: code.removeprefix(BAND) for code in figures if code.startswith(BAND)}
    return rows + [[_band(int(band)), _minutes(figures[code])] for code, band in bands.items() if band.isdecimal()]


def _figure(code: str, count: int) -> str:
    if code in SHARES:
        return percent_of(count)
    return amount(count, FEN) if code == "fen" else _minutes(count)


def _band(band: int) -> str:
    """Whose hours the figure of a band counts."""
    if not band:
        return _("owed to people and institutions without a year of birth")
    return _("owed to people born {first}–{last}").format(first=band, last=band + BAND_YEARS - 1)


def _standing(word: str, sanctions: Collection[int]) -> str:
    """A status with the sanctions that lead to it."""
    if not sanctions:
        return word
    indexes = _listed(map(str, sorted(sanctions)))
    return _("{status} (by the sanctions {indexes})").format(status=word, indexes=indexes)


def _balance_line(leaf: StateLeaf, at: Time) -> str:
    balance, held = (whole_amount(count, leaf.unit) for count in (leaf.balance, leaf.held))
    line = _("account {account} had {balance}, and {held} held, at {at}").format(
        account=named_account(leaf.account), balance=balance, held=held, at=format_time(at)
    )
    if leaf.status == "open":
        return line
    return _("{line}; the account was {status}").format(line=line, status=_(STATUSES.get(leaf.status, leaf.status)))


def _service(body: Service) -> list[str]:
    start, end = body.start + OFFSET, body.end + OFFSET
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    what = named_category(body.category) + (f" ({body.local})" if body.local else "")
    payer = _("the recipient") if body.paid_by == "recipient" else _(OTHERS[body.paid_by])
    return [
        _("{provider} served {recipient}: {what}").format(provider=body.provider, recipient=body.recipient, what=what),
        _("{start}–{end} ({zone}), {amount}, paid by {payer}").format(
            start=f"{start:%Y-%m-%d %H:%M}", end=until, zone=_zone(), amount=_minutes(body.minutes), payer=payer
        ),
    ]


def _gift(body: Gift) -> list[str]:
    return [_moved(body.giver, body.to, body.minutes)]


def _donate(body: Donate) -> list[str]:
    return [_moved(body.giver, "pool", body.minutes)]


def _grant(body: Grant) -> list[str]:
    return [_moved("issue", body.to, body.minutes), _reason(body.reason)]


def _opening(body: Opening) -> list[str]:
    return [_("account {account} was given {amount}").format(account=body.account, amount=_minutes(body.minutes))]


def _reverse(body: Reverse) -> list[str]:
    return [_("it takes entry {index} back").format(index=body.index), _reason(body.reason)]


def _dispute(body: Dispute) -> list[str]:
    text = _("account {account} objects to entry {index}")
    return [text.format(account=body.party, index=body.index), _reason(body.ground)]


def _resolve(body: Resolve) -> list[str]:
    text = _("the dispute of entry {index} was upheld: the service is taken back")
    if body.outcome == "rejected":
        text = _("the dispute of entry {index} was rejected: the service stands")
    return [text.format(index=body.index), _reason(body.reason)]


def _account(body: AccountOpen | AccountUpdate) -> list[str]:
    flags = {
        named_role("volunteer"): body.volunteer,
        _("elder"): body.elder,
        _("a minor"): body.minor,
        _("may spend hours"): body.redeemable,
        _("lives elsewhere"): body.visitor,
    }
    named_flags = _listed(name for name, is_set in flags.items() if is_set)
    lines = [_told(_("account {number}").format(number=body.account), named_flags or NONE)]
    if body.guardian is not None:
        lines.append(_told(named_role("guardian"), body.guardian))
    if body.funded is not None:
        lines.append(_told(_("hours paid for as"), body.funded))
    if body.band is not None:
        lines.append(_told(_("born in band"), str(body.band)))
    if body.household is not None:
        lines.append(_told(_("household"), printable(body.household)))
    return lines


def _close(body: AccountClose) -> list[str]:
    line = _("account {number}").format(number=body.account)
    return [line if body.to is None else f"{line} → {named_account(body.to)}", _reason(body.reason)]


def _credential(body: CredentialGrant | CredentialRevoke) -> list[str]:
    lines = [_told(_("account {number}").format(number=body.account), body.scope)]
    if isinstance(body, CredentialGrant):
        lines.append(_told(_("issued by"), printable(body.issuer)))
        lines += _until(body.until)
    return lines


def _kin_link(body: KinLink) -> list[str]:
    return [_told(f"{body.person} — {body.relation}", body.relative)]


def _kin_unlink(body: KinUnlink) -> list[str]:
    return [f"{body.person} — {body.relative}"]


def _key_grant(body: KeyGrant) -> list[str]:
    return [f"{key_id(body.key)}  {named_role(body.role)}  {body.account or ''}".rstrip(), *_until(body.until)]


def _until(time: Time | None) -> list[str]:
    return [] if time is None else [_("until {time}").format(time=format_time(time))]


def _key_revoke(body: KeyRevoke) -> list[str]:
    return [body.key_id, _reason(body.reason)]


def _rotate(body: NodeRotate) -> list[str]:
    return [key_id(body.key)]


def _institution(body: Institution) -> list[str]:
    return [_("account {number}").format(number=body.account)]


def _coupons(body: CouponIssue) -> list[str]:
    text = _("account {number}: {count} coupons, each for at most {amount}")
    return [text.format(number=body.account, count=body.count, amount=_minutes(body.minutes_max))]


def _case_open(body: CaseOpen) -> list[str]:
    entries = _listed(map(str, body.entries))
    text = _("account {number}: {suspicion}; it rests on the entries {entries}")
    line = text.format(number=body.account, suspicion=named(SUSPICIONS, body.suspicion), entries=entries)
    return [line] if body.note is None else [line, _note(body.note)]


def _case_step(body: CaseStep) -> list[str]:
    return [_of_case(body.case, named(STEPS, body.step)), _note(body.note)]


def _case_close(body: CaseClose) -> list[str]:
    return [_of_case(body.case, named(CASE_OUTCOMES, body.outcome)), _note(body.note)]


def _sanction(body: Sanction) -> list[str]:
    line = _told(_("account {number}").format(number=body.account), named(MEASURES, body.measure))
    lines = [_of_case(body.case, line)]
    return lines if body.until is None else [*lines, _("due to be lifted on {date}").format(date=body.until)]


def _sanction_lift(body: SanctionLift) -> list[str]:
    return [_("sanction {index} is lifted").format(index=body.sanction), _reason(body.reason)]


def _appeal(body: Appeal) -> list[str]:
    return [_of_case(body.case, _("the person objects")), _reason(body.ground)]


def _fund_open(body: FundOpen) -> list[str]:
    text = _("fund {fund}, for {purpose}: {title}")
    return [text.format(fund=body.fund, purpose=body.purpose, title=printable(body.title))]


def _fund_receive(body: FundReceive) -> list[str]:
    return [_told(f"{named(SOURCES, body.source)} → {fund_number(body.fund)}", amount(body.fen, FEN))]


def _fund_spend(body: FundSpend) -> list[str]:
    line = _told(f"{fund_number(body.fund)} → {printable(body.payee)}", amount(body.fen, FEN))
    return [line, _("for {purpose}").format(purpose=body.purpose)]


def _assessment(body: Assessment) -> list[str]:
    scores = (f"{code} {score}" for code, score in body.scores.items())
    return [_listed([printable(body.subject), printable(body.period)]), *scores]


def _inspection(body: Inspection) -> list[str]:
    found = (_told(_listed([each.code, f"{each.due}"]), printable(each.text)) for each in body.findings)
    return [printable(body.subject), *found]


def _inspection_done(body: InspectionDone) -> list[str]:
    text = _("finding {finding} of inspection {inspection} is mended")
    return [text.format(finding=body.finding, inspection=body.inspection), _note(body.note)]


def _risk(body: Risk) -> list[str]:
    return [body.period, *columns(figure_rows(body.figures))]


def _transfer_out(body: TransferOut) -> list[str]:
    return [_told(f"{body.giver} → {printable(body.to)}", _minutes(body.minutes))]


def _transfer_in(body: TransferIn) -> list[str]:
    return [_told(f"{_sender(body.proof)} → {body.to}", _minutes(body.minutes))]


def _transfer_refuse(body: TransferRefuse) -> list[str]:
    proof = parse_proof(body.proof)
    if proof is None or not isinstance(proof.entry.body, TransferOut):
        return [_reason(reason_of(body.reason))]
    sent = proof.entry.body
    line = _told(f"{_sender(body.proof)} → {printable(sent.to)}", _minutes(sent.minutes))
    return [line, _reason(reason_of(body.reason))]


def _transfer_back(body: TransferBack) -> list[str]:
    return [_("the hours that entry {index} sent are back").format(index=body.index)]


def _sender(proof: bytes) -> str:
    """Whose hours they were, as an address of the other ledger."""
    said = parse_proof(proof)
    if said is None or not isinstance(said.entry.body, TransferOut):
        return NONE
    return format_address(said.origin, said.entry.body.giver)


def _org_admit(body: OrgAdmit) -> list[str]:
    return [_told(body.origin, named(TIERS, body.tier)), body.vkey]


def _org_retire(body: OrgRetire) -> list[str]:
    return [body.origin, _reason(body.reason)]


def _anchor(body: Anchor) -> list[str]:
    try:
        checkpoint = open_checkpoint(body.checkpoint)[0]
    except NoteError:
        return [body.origin]
    return [_told(body.origin, _("{size} entries").format(size=checkpoint.size))]


TELLERS: dict[type, Callable[[Any], list[str]]] = {
    AccountClose: _close,
    AccountOpen: _account,
    AccountUpdate: _account,
    Anchor: _anchor,
    Appeal: _appeal,
    Assessment: _assessment,
    CaseClose: _case_close,
    CaseOpen: _case_open,
    CaseStep: _case_step,
    CouponIssue: _coupons,
    CredentialGrant: _credential,
    CredentialRevoke: _credential,
    Dispute: _dispute,
    Donate: _donate,
    FundOpen: _fund_open,
    FundReceive: _fund_receive,
    FundSpend: _fund_spend,
    Gift: _gift,
    Grant: _grant,
    Inspection: _inspection,
    InspectionDone: _inspection_done,
    Institution: _institution,
    KeyGrant: _key_grant,
    KeyRevoke: _key_revoke,
    KinLink: _kin_link,
    KinUnlink: _kin_unlink,
    NodeRotate: _rotate,
    Opening: _opening,
    OrgAdmit: _org_admit,
    OrgRetire: _org_retire,
    Resolve: _resolve,
    Reverse: _reverse,
    Risk: _risk,
    Sanction: _sanction,
    SanctionLift: _sanction_lift,
    Service: _service,
    TransferBack: _transfer_back,
    TransferIn: _transfer_in,
    TransferOut: _transfer_out,
    TransferRefuse: _transfer_refuse,
}
"""How each kind's facts are told."""


def _moved(giver: str, taker: str, minutes: int) -> str:
    return _told(f"{named_account(giver)} → {named_account(taker)}", _minutes(minutes))


def _told(head: str, text: str) -> str:
    """What is said of something, with the colon of the language."""
    return _("{head}: {text}").format(head=head, text=text)


def _listed(words: Iterable[str]) -> str:
    """Several words, with the language's mark between them."""
    return _(", ").join(words)


def _minutes(count: int) -> str:
    return whole_amount(count, MINUTE)


def _of_case(case: int, text: str) -> str:
    return _("case {case}: {text}").format(case=case, text=text)


def _reason(text: str) -> str:
    return _("reason: {text}").format(text=printable(text))


def _note(text: str) -> str:
    return _("note: {text}").format(text=printable(text))


def _yes_or_no(value: bool) -> str:
    return _("yes") if value else _("no")


def _zone() -> str:
    return f"UTC{OFFSET // datetime.timedelta(minutes=HOUR_MINUTES):+d}"
