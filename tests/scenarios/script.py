"""Reads scenarios and plays them (the format is in this package's docstring)."""

import base64
import datetime
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.fields import COUPON_SECRET_BYTES, UTC, Time, format_time
from chain.merkle import leaf_hash, levels_of, path_in
from ledger.cases import LIST
from ledger.coupons import book_root
from ledger.risk import figures, parse_period
from tests.scenarios.village import (
    FOUNDERS,
    OK,
    ORIGIN,
    Plain,
    Village,
    b64,
    digest,
    key_of,
    number_of,
    origin_of,
    plain_parameters,
    vkey_of,
)

FOLDER = Path(__file__).parent

FIELDS = {
    "key_grant": "key role",
    "key_revoke": "key_id",
    "node_rotate": "key",
    "account_open": "account",
    "account_update": "account",
    "account_close": "account reason",
    "credential_grant": "account scope",
    "credential_revoke": "account scope",
    "kin_link": "person relative relation",
    "kin_unlink": "person relative",
    "service": "provider recipient minutes paid_by",
    "gift": "from to minutes",
    "donate": "from minutes",
    "opening": "account minutes",
    "grant": "to minutes",
    "reverse": "index",
    "dispute": "index party",
    "resolve": "index outcome",
    "coupon_issue": "account count minutes_max",
    "institution": "account",
    "case_open": "account suspicion entries",
    "case_step": "case step",
    "case_close": "case outcome",
    "sanction": "account measure case",
    "sanction_lift": "sanction",
    "appeal": "case",
    "fund_open": "fund purpose",
    "fund_receive": "fund fen source",
    "fund_spend": "fund fen purpose",
    "assessment": "subject period",
    "inspection": "subject findings",
    "inspection_done": "inspection finding",
    "risk": "period",
    "transfer_out": "from to minutes",
    "transfer_in": "to minutes",
    "transfer_refuse": "reason",
    "transfer_back": "index",
    "org_admit": "origin tier",
    "org_retire": "origin",
    "anchor": "origin",
}
"""The main fields of each kind, in the order in which a line gives them."""

SHEET_HASH = b64(digest("a paper sheet"))
PRESET: dict[str, Plain] = {
    "key_revoke": {"reason": "lost"},
    "account_open": {"dossier": SHEET_HASH, "holder": "person"},
    "account_update": {"dossier": SHEET_HASH},
    "credential_grant": {"issuer": "the county"},
    "credential_revoke": {"reason": "withdrawn"},
    "service": {"category": "assistance", "evidence": {"class": "paper", "hash": SHEET_HASH}},
    "opening": {"source": SHEET_HASH},
    "grant": {"reason": "new year"},
    "reverse": {"reason": "a mistake"},
    "dispute": {"ground": "nobody came"},
    "resolve": {"reason": "both were heard"},
    "case_step": {"note": "they were seen"},
    "case_close": {"note": "everybody was heard"},
    "sanction_lift": {"reason": "it was long enough"},
    "appeal": {"ground": "it was not so"},
    "fund_open": {"title": "a fund"},
    "fund_receive": {"voucher": SHEET_HASH},
    "fund_spend": {"payee": "the grocer", "voucher": SHEET_HASH},
    "assessment": {"report": SHEET_HASH, "scores": {"care": 90}},
    "inspection_done": {"note": "it was mended"},
    "transfer_in": {"admissions": []},
    "transfer_refuse": {"admissions": []},
    "transfer_back": {"admissions": []},
    "org_retire": {"reason": "it has joined another"},
}
"""What a line need not say."""

WORDS: dict[str, tuple[str, Any]] = {
    "institution": ("holder", "institution"),
    "signed": ("evidence", {"class": "signed"}),
}
"""Flags that stand for something else than ``true``."""

ACCOUNT_FIELDS = {"account", "guardian", "provider", "recipient", "from", "to", "party", "person", "relative"}
INDEX_FIELDS = {"index", "case", "sanction", "inspection", "book"}
NO_FINDINGS = NO_ADMISSIONS = "none"
MANGLED, COSIGNED = "!", "+"
"""After a proof or checkpoint: its signature is wrong; it has two."""
RELATIVE_TIME = re.compile(r"([+-]\d+)([smhd])")
ABSOLUTE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
DATED = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?)\s+(.*)")
COMMENT = re.compile(r"(?:^|\s)#")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line that says something, with where it stands."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A title and its lines."""

    title: str
    lines: tuple[Line, ...]


def parse_scenarios(text: str) -> list[Scenario]:
    """All scenarios of a file."""
    scenarios: list[tuple[str, list[Line]]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = COMMENT.split(raw, maxsplit=1)[0].strip()
        if line.startswith("=="):
            scenarios.append((line.strip("= "), []))
        elif line:
            if not scenarios:
                scenarios.append(("", []))
            scenarios[-1][1].append(Line(number, line))
    return [Scenario(title, tuple(lines)) for title, lines in scenarios]


def scenarios_on_file() -> Iterator[tuple[str, Scenario]]:
    """Every scenario of this folder with its file's name."""
    for path in sorted(FOLDER.glob("*.txt")):
        for scenario in parse_scenarios(path.read_text("utf-8")):
            yield path.stem, scenario


def outcomes_of(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Kind and expected outcome of each entry."""
    for line in scenario.lines:
        dated = DATED.fullmatch(line.text)
        if dated and dated[3] != "seal":
            entry, _, outcome = dated[3].rpartition("|")
            words = entry.split()
            yield words[2 if words[1].endswith(":") else 1], outcome.strip()


def play(text: str) -> Village:
    """Play a text that holds one scenario; answers its last ledger."""
    (scenario,) = parse_scenarios(text)
    return Player(scenario).play()


class Player:
    """Plays one scenario; an unexpected outcome raises AssertionError with the line."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.village = Village()
        self.villages: dict[str, Village] = {self.village.origin: self.village}
        """All ledgers by origin; lines speak of ``village``."""
        self.parameters: Plain = {}
        self.books: dict[str, int] = {}
        """How many coupons the book of that label has, whoever printed it."""
        self.steps: dict[str, Callable[[list[str]], object]] = {
            "given": self._given,
            "ledger": self._ledger,
            "people": self._people,
            "balance": self._balance,
            "status": self._status,
            "figures": self._figures,
            "public": self._public,
            "reopen": lambda _: self.village.reopen(),
        }

    def play(self) -> Village:
        for line in self.scenario.lines:
            try:
                self._step(line.text)
            except Exception as error:
                raise AssertionError(f"line {line.number}: {line.text}\n{error}") from error
        return self.village

    def _step(self, text: str) -> None:
        dated = DATED.fullmatch(text)
        if dated is None:
            word, *words = text.split()
            self.steps[word](words)
            return
        self.village.now = max(self.village.now, parse_time(f"{dated[1]}T{dated[2]}", self.village.now))
        if dated[3] == "seal":
            self._found()
            self.village.seal()
        else:
            self._entry(dated[3])

    def _given(self, words: list[str]) -> None:
        pairs = (word.split("=", 1) for word in words)
        self.parameters |= {name: self._value(name, value) for name, value in pairs}

    def _ledger(self, words: list[str]) -> None:
        """``ledger east village under town`` begins another ledger; ``ledger east`` goes on with it."""
        origin = origin_of(words[0])
        if len(words) > 1:
            parent = self.villages[origin_of(words[3])] if len(words) > 2 else None
            self.villages[origin] = Village(origin, node_key=self._node_key(origin), tier=words[1], parent=parent)
            self.parameters = {}
        latest = max(village.now for village in self.villages.values())
        self.village = self.villages[origin]
        self.village.now = latest

    def _node_key(self, origin: str) -> str:
        """The name of the key with which the node of a ledger begins: ``town``, and of the first one ``node``."""
        return "node" if origin == ORIGIN else origin.split(".")[0]

    def _vkey(self, text: str) -> str:
        """The verifier key of an origin, or that of ``origin@key``."""
        origin, _, key = text.partition("@")
        village = self.villages.get(origin)
        return vkey_of(origin, key or (village.node_key if village else self._node_key(origin)))

    def _found(self) -> None:
        if not self.village.store.size:
            expect(self.village.found(**self.parameters), OK)

    def _people(self, words: list[str]) -> None:
        """``wang: volunteer phone  li: elder kin-of-wang``: names end in a colon."""
        self._found()
        starts = [place for place, word in enumerate(words) if word.endswith(":")]
        for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
            self._person(words[start][:-1], words[start + 1 : end])

    def _person(self, name: str, words: list[str]) -> None:
        village = self.village
        kin = [word.removeprefix("kin-of-") for word in words if word.startswith("kin-of-")]
        fields = self._fields("account_open", [name, *(word for word in words if "kin-of-" not in word)])
        phone = fields.pop("phone", None)
        fields.pop("account")
        expect(village.open(name, **fields), OK)
        for other in kin:
            link = {"person": number_of(name), "relative": number_of(other), "relation": "spouse"}
            expect(village.submit("kin_link", link, ["clerk", "m1"]), OK)
        if phone:
            expect(village.give_phone(name, "volunteer" if "volunteer" in words else "recipient"), OK)

    def _entry(self, text: str) -> None:
        said, bar, outcome = text.rpartition("|")
        if not bar:
            raise ValueError("an entry's line ends in its outcome")
        actors, *words = said.split()
        label = words.pop(0)[:-1] if words[0].endswith(":") else ""
        kind, *words = words
        if kind != "genesis":
            self._found()
        body = self._body(kind, words, label)
        at, seq = body.pop("at", None), body.pop("seq", None)
        when = None if at is None else parse_time(at[:-1], self.village.now)
        expect(self.village.submit(kind, body, actors.split("+"), when, seq), outcome.strip())
        if label:
            self.village.labels[label] = self.village.last_index

    def _body(self, kind: str, words: list[str], label: str) -> Plain:
        if kind == "genesis":
            return self._genesis(words)
        if kind == "params":
            return self._params(words)
        if kind == "risk":
            return self._risk(words)
        body = self._fields(kind, words)
        if kind == "service":
            body.setdefault("end", format_time(self.village.now))
            start = parse_time(body["end"][:-1], self.village.now) - datetime.timedelta(minutes=body["minutes"])
            body.setdefault("start", format_time(start))
        if kind == "org_admit":
            body.setdefault("vkey", self._vkey(body["origin"]))
        if kind == "anchor" and "checkpoint" not in body:
            body["checkpoint"] = self.villages[body["origin"]].checkpoint()
        if kind == "coupon_issue":
            self.books[label] = body["count"]
            body.setdefault("root", b64(book_root(coupon_secrets(label, body["count"]))))
        return body

    def _risk(self, words: list[str]) -> Plain:
        """The figures that the ledger gives, but for what the line names; one with ``-`` before it is left out."""
        period = parse_period(words[0])
        given = figures(self.village.state, period or 0)
        body: Plain = {"period": words[0], "figures": given}
        for word in words[1:]:
            if word.startswith("-"):
                del given[word[1:]]
        self._override(body, [word for word in words[1:] if "=" in word])
        body["figures"] = dict(sorted(body["figures"].items()))
        return body

    def _coupon(self, text: str) -> Plain:
        """``b1/3`` is the coupon 3 of the book of that label, whose entry may be another by ``evidence.book=``."""
        label, _, index = text.partition("/")
        secrets = coupon_secrets(label, self.books[label])
        path = path_in(levels_of([leaf_hash(secret) for secret in secrets]), int(index))
        evidence: Plain = {"class": "coupon", "index": int(index), "path": [b64(hashed) for hashed in path]}
        return evidence | {"book": self.village.labels[label], "secret": b64(secrets[int(index)])}

    def _genesis(self, words: list[str]) -> Plain:
        founders = [word for word in words if "=" not in word]
        body = self.village.genesis_body(founders or FOUNDERS, 2, self.parameters)
        self._override(body, [word for word in words if "=" in word])
        return body

    def _params(self, words: list[str]) -> Plain:
        """Parameters anew: those in force but for what the line names; a word with ``-`` before it is left out."""
        state = self.village.state
        body: Plain = {"version": state.parameters_version + 1, "params": plain_parameters(state.parameters)}
        for word in words:
            if word.startswith("-"):
                del body["params"][word[1:]]
        known = ("version", "at", "seq")
        named = [word for word in words if "=" in word]
        self._override(body, [word if word.split("=")[0] in known else f"params.{word}" for word in named])
        return body

    def _fields(self, kind: str, words: list[str]) -> Plain:
        body = dict(PRESET.get(kind, {}))
        for word in words:
            if word.startswith("coupon="):
                body["evidence"] = self._coupon(word.removeprefix("coupon="))
        words = [word for word in words if not word.startswith("coupon=")]
        main = iter(FIELDS[kind].split())
        for word in words:
            if word == "->" or "=" in word:
                continue
            name = next(main, None)
            if name is not None:
                body[name] = self._value(name, word)
            else:
                field, value = WORDS.get(word, (word, True))
                body[field] = value
        self._override(body, [word for word in words if "=" in word])
        return body

    def _override(self, body: Plain, words: list[str]) -> None:
        for word in words:
            path, _, value = word.partition("=")
            *outer, name = path.split(".")
            place = body
            for step in outer:
                place[step] = dict(place.get(step, {}))
                place = place[step]
            if value:
                place[name] = self._value(name, value)
            else:
                place.pop(name, None)

    def _value(self, name: str, text: str) -> Any:
        """What a word stands for in that field."""
        if text[0] in "[{":
            return json.loads(text)
        if name in ACCOUNT_FIELDS:
            origin, mark, account = text.rpartition("#")
            return origin + mark + (number_of(account) if account else "")
        if name in ("proof", "checkpoint"):
            return self._signed(name, text)
        if name == "admissions":
            return [] if text == NO_ADMISSIONS else [self._signed("proof", each) for each in text.split(",")]
        if name == "trusted_logs":
            return [self._vkey(each) for each in text.split(",")]
        if name in INDEX_FIELDS and not text.isdigit():
            return self.village.labels[text]
        if name == "entries":
            return [self._value("index", label) for label in text.split(",")]
        if name == "findings":
            return [] if text == NO_FINDINGS else [finding(*said.split(":")) for said in text.split(",")]
        if name == "key":
            return b64(key_of(text).public)
        if name == "key_id":
            return key_of(text).id
        if name in ("vkey", "parent_vkey") and "/" in text:
            return self._vkey(text)
        if RELATIVE_TIME.fullmatch(text) or ABSOLUTE_TIME.fullmatch(text):
            return format_time(parse_time(text, self.village.now))
        return int(text) if re.fullmatch(r"-?\d+", text) else text

    def _signed(self, name: str, text: str) -> str:
        """``east/t1`` proves that label's entry; of checkpoints ``east`` is the newest, ``east/7`` that of 7."""
        mark = text[-1] if text[-1] in MANGLED + COSIGNED else ""
        ledger, _, said = text.removesuffix(mark).partition("/")
        village = self.villages[origin_of(ledger)]
        if name == "proof":
            raw = base64.b64decode(village.proof(int(said) if said.isdigit() else village.labels[said]))
        else:
            raw = base64.b64decode(village.checkpoint(int(said) if said else None))
        if mark == MANGLED:
            raw = raw[:-9] + (b"A" if raw[-9:-8] != b"A" else b"B") + raw[-8:]
        return b64(raw + raw.splitlines(keepends=True)[-1] if mark == COSIGNED else raw)

    def _balance(self, words: list[str]) -> None:
        name, balance, *held = words
        account = self.village.account(name)
        expect((account.balance, account.held), (int(balance), int(held[1]) if held else 0))

    def _status(self, words: list[str]) -> None:
        name, status = words
        expect(self.village.account(name).status, status)

    def _figures(self, words: list[str]) -> None:
        """``figures 2026-03 earned=60``: some of the ledger's own figures, as they must be."""
        found = figures(self.village.state, parse_period(words[0]) or 0)
        said = dict(word.split("=") for word in words[1:])
        expect({code: str(found.get(code)) for code in said}, said)

    def _public(self, words: list[str]) -> None:
        """``public wang``: who stands on the public list, and nobody else."""
        listed = {measure.account for measure in self.village.state.sanctions.values() if measure.kind == LIST}
        expect(listed, {number_of(name) for name in words})


def coupon_secrets(label: str, count: int) -> list[bytes]:
    """The secrets of the book of that name, always the same ones."""
    return [digest(f"coupon {label} {index}")[:COUPON_SECRET_BYTES] for index in range(count)]


def finding(code: str, due: str) -> Plain:
    """What an inspection found, as ``code:due``."""
    return {"code": code, "due": due, "text": "as it was seen"}


def parse_time(text: str, now: Time) -> Time:
    """A time as scenarios write it: absolute, or counted from ``now``."""
    relative = RELATIVE_TIME.fullmatch(text)
    if relative:
        return now + datetime.timedelta(**{UNITS[relative[2]]: int(relative[1])})
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


def expect(found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"expected {expected}, found {found}")
