"""Sentences for people: why something was refused, and how hours, dates and kinds are written."""

import datetime
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from chain.fields import Time
from ledger.numbers import FEN, MINUTE
from web.desk import Balance
from web.i18n import marked
from web.i18n import translate as _

OUTCOMES: dict[str, str] = {
    # Of every kind (RULES §1)
    "not-allowed": marked("whoever signs as its author may not write this"),
    "needs-second": marked("a second person's signature is missing"),
    "no-genesis": marked("the ledger has not begun, or began already"),
    "stale": marked("it was signed too long ago"),
    "self-dealing": marked("nobody serves themselves, and nobody records or certifies for themselves or their kin"),
    "no-account": marked("an account or fund that it names is not on this ledger"),
    "closed": marked("an account that it names is closed"),
    "suspended": marked("an account that it names is suspended"),
    # Keys
    "role-not-grantable": marked("a key of this role cannot be granted or revoked"),
    "no-such-key": marked("there is no such key, or it was revoked before"),
    "key-exists": marked("this key is on the ledger already"),
    "last-member": marked("too few members' keys would be left"),
    "last-authority": marked("too few keys of the tier above would be left"),
    "bad-threshold": marked("the number of signatures asked for does not fit the keys"),
    # Parameters
    "bad-version": marked("other parameters came in between: look at them and try again"),
    "unknown-parameter": marked("there is no parameter of this name"),
    "bad-parameter": marked("a parameter is missing, or its value is not possible"),
    # People
    "bad-check-digits": marked("an account number was misread: its last two digits do not fit the first six"),
    "account-exists": marked("there is an account or fund of this name already"),
    "minor-needs-guardian": marked("a minor needs a guardian who has an open account and is no minor"),
    "unknown-group": marked("there is no such group of people whose hours are paid for"),
    "balance-left": marked("there are hours left on the account: say who gets them"),
    "not-kin": marked("the two are not linked as kin"),
    "already-kin": marked("the two are linked as kin already"),
    "relation-not-allowed": marked("this relation is not one of those that count as kin"),
    "no-credential": marked("the person has no such credential"),
    # Services
    "unknown-category": marked("there is no such service, or it belongs to another of the eight"),
    "in-future": marked("the service ends after it was recorded"),
    "too-late": marked("it comes too late"),
    "bad-interval": marked("the minutes do not fit between start and end"),
    "over-service-cap": marked("one service cannot be this long"),
    "over-day-cap": marked("the volunteer would have more than a day's permitted minutes"),
    "under-unit": marked("the minutes are not a multiple of the unit"),
    "not-volunteer": marked("who served is not registered as a volunteer"),
    "not-elder": marked("who was served is not registered as an elder"),
    "needs-credential": marked("the volunteer has no credential for this service"),
    "guardian-missing": marked("a minor's service must name the guardian"),
    "not-funded": marked("the person is in no group whose hours are paid for"),
    "not-yet-redeemable": marked("the person may not spend hours yet"),
    "no-balance": marked("there are not enough hours on the account"),
    "no-evidence": marked("what shows that the service took place is missing"),
    # Corrections
    "not-first-day": marked("services are on the ledger already: the old book cannot be carried over any more"),
    "not-reversible": marked("the entry of this number cannot be reversed or disputed"),
    "already-reversed": marked("it was reversed before"),
    "not-party": marked("the account has no part in that service"),
    "already-disputed": marked("it was disputed before"),
    "no-dispute": marked("the entry of this number is no dispute"),
    "already-resolved": marked("the dispute is over"),
    # Coupons
    "coupon-invalid": marked("the coupon is of no book that was issued to who was served"),
    "coupon-used": marked("the coupon was used before"),
    "coupon-over": marked("the service is longer than the coupon is good for"),
    # Certificates, cases and sanctions
    "under-threshold": marked("the account has not given enough hours for a certificate"),
    "no-case": marked("there is no such case, it is closed, or it is about another account"),
    "case-not-upheld": marked("the case was not upheld: nothing can be imposed for it"),
    "no-sanction": marked("there is no such sanction, or it was lifted before"),
    # Hours that travel, tiers
    "bad-address": marked("where the hours are to go is no account of another ledger: origin#account"),
    "bad-proof": marked("the other ledger's proof is not right, or nobody we trust admits that ledger"),
    "already-used": marked("these hours were taken, refused or given back before"),
    "wrong-target": marked("these hours were sent to another account"),
    "already-admitted": marked("this ledger is admitted already"),
    "wrong-tier": marked("a ledger of this tier cannot be admitted here: only of the tier below ours"),
    "not-admitted": marked("this ledger is not admitted here"),
    "bad-checkpoint": marked("the checkpoint is not signed by that ledger, or does not follow the last one"),
    # Money, quality, risk
    "wrong-purpose": marked("the fund is for another purpose"),
    "no-funds": marked("there is not enough money in the fund"),
    "no-finding": marked("there is no such finding, or it was mended before"),
    "figures-differ": marked("the figures are not those that the ledger gives"),
    # The desk's own, and what comes before the rules
    "bad-row": marked("the row cannot be read"),
    "at-in-future": marked("its time is more than five minutes ahead of this node's clock"),
    "entry.too-large": marked("it is too large for one entry"),
    "entry.noncanonical": marked("it holds characters or numbers that the ledger does not take"),
    "entry.unknown-kind": marked("this ledger does not know such entries"),
    "entry.malformed": marked("a field is missing, too long or of the wrong form"),
    "entry.unknown-key": marked("a key that signs is not on the ledger, or does not count any more"),
    "entry.sheet": marked("the sheet that it was signed on does not fit"),
    "entry.signature": marked("a signature does not verify"),
    "entry.seq": marked("it was sent before"),
}
"""Each outcome (RULES §3) and each finding that can meet a writer, with a sentence for the person at the desk."""

NO_NEUTRAL_PART = marked("whoever signs this had a part in recording the service, or is no member")
"""What ``not-allowed`` means where a dispute is resolved."""

KINDS: dict[str, str] = {
    "genesis": marked("beginning"),
    "key_grant": marked("key granted"),
    "key_revoke": marked("key revoked"),
    "node_rotate": marked("node's key changed"),
    "params": marked("parameters"),
    "account_open": marked("account opened"),
    "account_update": marked("account changed"),
    "account_close": marked("account closed"),
    "credential_grant": marked("credential granted"),
    "credential_revoke": marked("credential revoked"),
    "kin_link": marked("kin linked"),
    "kin_unlink": marked("kin unlinked"),
    "service": marked("service"),
    "gift": marked("gift"),
    "donate": marked("donation"),
    "opening": marked("from the old book"),
    "grant": marked("grant"),
    "reverse": marked("reversed"),
    "dispute": marked("dispute"),
    "resolve": marked("dispute resolved"),
    "institution": marked("certificate"),
    "coupon_issue": marked("coupons issued"),
    "case_open": marked("case opened"),
    "case_step": marked("step in a case"),
    "case_close": marked("case closed"),
    "sanction": marked("sanction"),
    "sanction_lift": marked("sanction lifted"),
    "appeal": marked("appeal"),
    "fund_open": marked("fund opened"),
    "fund_receive": marked("money received"),
    "fund_spend": marked("money spent"),
    "assessment": marked("assessment"),
    "inspection": marked("inspection"),
    "inspection_done": marked("finding mended"),
    "risk": marked("risk figures"),
    "transfer_out": marked("sent to another ledger"),
    "transfer_in": marked("arrived from another ledger"),
    "transfer_refuse": marked("arriving hours refused"),
    "transfer_back": marked("came back from another ledger"),
    "org_admit": marked("ledger admitted"),
    "org_retire": marked("ledger retired"),
    "anchor": marked("checkpoint anchored"),
    "seal": marked("seal"),
}
"""What people call the kinds of entries."""

SEAL_MOVES = marked("hours become free")
"""What a passbook calls a seal."""

ROLES: dict[str, str] = {
    "node": marked("node"),
    "clerk": marked("clerk"),
    "member": marked("member"),
    "authority": marked("authority"),
    "assessor": marked("assessor"),
    "volunteer": marked("volunteer"),
    "recipient": marked("recipient"),
    "guardian": marked("guardian"),
}
"""Whose key it is."""

USER_ROLES: dict[str, str] = {
    "clerk": marked("clerk"),
    "member": marked("member"),
    "supervisor": marked("supervisor"),
    "auditor": marked("auditor"),
    "person": marked("person"),
}
"""What somebody who signs in may see."""

REFUSED_BECAUSE: dict[str, str] = {
    "no_account": marked("there is no such account"),
    "closed": marked("the account is closed"),
    "no_balance": marked("the amount is too large"),
}
"""Why a ledger sent hours back (the ``reason`` of ``transfer_refuse``)."""

CATEGORIES: dict[str, str] = {
    "emotional_comfort": marked("emotional comfort"),
    "assistance": marked("assistance"),
    "travel_companion": marked("travel companion"),
    "culture_sports": marked("culture and sports"),
    "health_science": marked("health education"),
    "legal_aid": marked("legal aid"),
    "training": marked("training"),
    "fraud_prevention": marked("fraud prevention"),
}
"""The eight services."""

HOLDERS: dict[str, str] = {"person": marked("person"), "institution": marked("institution")}

STATUSES: dict[str, str] = {"open": marked("open"), "suspended": marked("suspended"), "closed": marked("closed")}

TIERS: dict[str, str] = {
    "village": marked("village"),
    "township": marked("township"),
    "county": marked("county"),
    "city": marked("city"),
}

STEPS: dict[str, str] = {"remind": marked("reminded"), "track": marked("watched"), "hear": marked("heard")}

CASE_OUTCOMES: dict[str, str] = {"cleared": marked("cleared"), "upheld": marked("upheld")}

MEASURES: dict[str, str] = {
    "suspend": marked("suspended"),
    "revoke": marked("no volunteer any more"),
    "list": marked("on the public list"),
}

SOURCES: dict[str, str] = {
    "government": marked("government"),
    "collective": marked("village collective"),
    "society": marked("society"),
    "individual": marked("individuals"),
}
"""Where a fund's money comes from."""

FIGURES: dict[str, str] = {
    "outstanding": marked("hours that people can still spend"),
    "held": marked("of those, waiting to become free"),
    "earned": marked("earned in the month"),
    "redeemed": marked("spent in the month"),
    "granted": marked("given by the platform, all time"),
    "top_tenth": marked("share of the tenth of accounts that hold most"),
    "paper": marked("services of the month on paper"),
    "coupon": marked("services of the month by coupon"),
    "signed": marked("services of the month signed by the elder"),
    "disputed": marked("services of the month disputed"),
    "fen": marked("money in all funds"),
}
"""The risk figures (RULES §8) but for those of the bands of birth."""

OTHERS: dict[str, str] = {
    "issue": marked("platform"),
    "pool": marked("pool"),
    "bridge": marked("between ledgers"),
    "outside": marked("outside"),
}
"""What a passbook calls the system accounts."""

HOUR_MINUTES = 60
YUAN_FEN = 100
PERCENT_PER_MILLE = 10


def sentence(outcome: str, detail: str = "") -> str:
    """Why it was refused."""
    known = OUTCOMES.get(outcome)
    if known is None:
        return detail or outcome
    if detail and outcome.startswith("entry."):
        return _("{sentence} ({detail})").format(sentence=_(known), detail=_told(detail))
    return _(known)


FLAWS = (
    (r"Expected `str` of length >= 1 - at `\$\.body\.(?P<field>[a-z_.]+)`", marked("{field} is empty")),
    (
        r"Expected `str` of length <= (?P<most>\d+) - at `\$\.body\.(?P<field>[a-z_.]+)`",
        marked("{field} has more than {most} characters"),
    ),
    (r"it holds a control character", marked("a line break or another control character stands in a text")),
    (r"it holds an integer of 2\^53 or more", marked("a number is too large")),
)
"""What the format says of texts and numbers that people type; of anything else the detail stays as it is."""


def _told(detail: str) -> str:
    for pattern, text in FLAWS:
        found = re.fullmatch(pattern, detail)
        if found is not None:
            return _(text).format(**found.groupdict())
    return detail


def named(words: Mapping[str, str], code: str) -> str:
    """A code in people's words; one that has none as it is."""
    return _(words[code]) if code in words else code


def coded(words: Mapping[str, str], code: str) -> str:
    """A code in people's words, and itself in brackets where these are others."""
    word = named(words, code)
    return code if word == code else _("{word} ({code})").format(word=word, code=code)


def reason_of(code: str) -> str:
    """Why hours were refused elsewhere: the code, and what it says."""
    known = REFUSED_BECAUSE.get(code)
    return code if known is None else _("{code}: {words}").format(code=code, words=_(known))


def named_kind(kind: str) -> str:
    """A kind in people's words."""
    return named(KINDS, kind)


def named_role(role: str) -> str:
    """A key's role in people's words."""
    return named(ROLES, role)


def named_category(category: str) -> str:
    """A service in people's words."""
    return named(CATEGORIES, category)


def named_account(number: str) -> str:
    """An account's number, or what a system account is called."""
    return named(OTHERS, number)


def hours_of(minutes: int) -> float | int:
    """Hours to two decimals; whole ones as an integer."""
    hours = round(minutes / HOUR_MINUTES, 2)
    return int(hours) if hours == int(hours) else hours


def yuan_of(fen: int) -> str:
    """Yuan with two decimals, exact at any size."""
    yuan, cents = divmod(abs(fen), YUAN_FEN)
    return f"{'-' if fen < 0 else ''}{yuan}.{cents:02d}"


def percent_of(per_mille: int) -> str:
    """A share in percent."""
    return f"{per_mille // PERCENT_PER_MILLE}.{per_mille % PERCENT_PER_MILLE} %"


def printable(text: str) -> str:
    """What somebody wrote, on one line; nothing in it may steer the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def amount(count: int, unit: str) -> str:
    """Minutes as people read them, or money in yuan."""
    if unit == FEN:
        return _("{yuan} yuan").format(yuan=yuan_of(count))
    return _("{minutes} min").format(minutes=count)


def whole_amount(count: int, unit: str) -> str:
    """An amount that stands alone: hours to two decimals with the exact minutes, or yuan."""
    if unit == MINUTE:
        return _("{hours} h ({minutes} min)").format(hours=hours_of(count), minutes=count)
    return amount(count, unit) if unit == FEN else f"{count} {unit}"


def local_date(time: Time, utc_offset: datetime.timedelta) -> str:
    """The local day that a time falls on."""
    return (time + utc_offset).date().isoformat()


def plain_balance(balance: Balance) -> dict[str, Any]:
    """A balance as JSON has it; money has no hours."""
    return {
        "account": balance.account,
        "balance": balance.balance,
        "held": balance.held,
        "status": balance.status,
        "unit": balance.unit,
        "hours": None if balance.unit == FEN else hours_of(balance.balance),
    }


def balance_lines(balances: Sequence[Balance]) -> list[str]:
    """Balances under each other."""
    rows = [[_("account"), _("balance"), _("hours"), _("held"), _("status")]]
    for each in balances:
        hours = "" if each.unit == FEN else str(hours_of(each.balance))
        rows.append(
            [
                named_account(each.account),
                amount(each.balance, each.unit),
                hours,
                amount(each.held, each.unit),
                _(STATUSES[each.status]),
            ]
        )
    return columns(rows, right=(1, 2, 3))


def columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Lines with the cells under each other; those of the columns ``right`` end together. Wide characters count two."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_padded(row, widths, right)).rstrip() for row in rows]


def display_width(text: str) -> int:
    """Columns on a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        spaces = " " * (width - display_width(cell))
        yield spaces + cell if place in right else cell + spaces
