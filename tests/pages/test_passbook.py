"""My passbook without a browser: whose it is, what it tells, and which sheets it takes."""

import datetime
import json
import re
import struct
import zlib
from collections.abc import Callable
from contextlib import closing

import msgspec
import pytest

from chain.entry import Body, Signature, Statement, format_statement
from chain.fields import UTC
from chain.keys import SigningKey
from chain.merkle import leaf_hash
from chain.note import format_vkey
from chain.policy import parse_policy
from chain.sheet import SheetDomain, SignedSheet, sign_sheet
from ledger.bodies import Dispute, Donate, Evidence, Gift, Service
from node import KIND_OF, Node
from store.access import Access
from tests.pages.passbook_people import grant, post
from tests.pages.village import ORIGIN, Village
from verify.receipts import check_receipt
from web.pages.passbook_app import ICON_PIXELS, icon_png
from web.pages.passbook_keytext import format_key_text
from web.sheetfile import format_sheet

KEY, ELDERS_KEY, STRANGER = (SigningKey(bytes([number]) * 32) for number in (101, 102, 103))
NAMES = ("lines", "key", "give", "object", "report", "confirm", "family", "looks")
PAGES = ("/me", *(f"/me/{name}" for name in NAMES))
Sign = Callable[..., SignedSheet]


@pytest.fixture(scope="module")
def granted(village: Village) -> Village:
    """The village, where the person and the elder have a key each."""
    grant(village, village.users["person"], format_key_text(KEY.public), "volunteer")
    grant(village, village.users["elder"], format_key_text(ELDERS_KEY.public), "recipient")
    return village


@pytest.fixture
def sign(granted: Village) -> Sign:
    """Signs statements now, as a browser does."""
    with Node.open(granted.home, writes=False) as node:
        domain, first = node.domain, 1 + max(key.last_seq for key in node.state.roster.keys.values())

    def signed(*bodies: Body, by: SigningKey = KEY, beside: tuple[str, ...] = ()) -> SignedSheet:
        now = datetime.datetime.now(UTC).replace(microsecond=0)
        statements = [
            Statement(at=now, body=body, by=by.id, kind=KIND_OF[type(body)], seq=first + place, beside=beside)
            for place, body in enumerate(bodies)
        ]
        return sign_sheet(domain, [format_statement(each) for each in statements], by)

    return signed


def test_only_a_person_of_this_ledger_has_a_passbook(village: Village) -> None:
    for path in PAGES:
        with village.client() as stranger:
            assert stranger.get(path).headers["location"].startswith("/sign-in")
        for role in ("clerk", "member", "supervisor", "auditor"):
            with village.client(role) as client:
                assert client.get(path).status_code == 403


def test_only_the_desk_sees_what_people_ask_for(village: Village) -> None:
    for role, status in (("clerk", 200), ("member", 200), ("person", 403), ("supervisor", 403)):
        with village.client(role) as client:
            assert client.get("/desk/asked").status_code == status


def test_every_line_has_its_proof_and_nobody_elses_is_shown(village: Village) -> None:
    with village.client("person") as person, village.client("elder") as elder:
        found = [int(index) for index in re.findall(r'href="/me/lines/(\d+)"', person.get("/me/lines").text)]
        assert found == sorted(found, reverse=True) and len(found) >= 5
        vkey = re.search(r'data-vkey="([^"]+)"', person.get("/me").text)
        assert vkey is not None
        policy = parse_policy(f"log {vkey[1].replace('&#43;', '+')}\nquorum none\n".encode())
        receipt = person.get(f"/me/lines/{found[-1]}/receipt")
        assert check_receipt(receipt.content, policy).index == found[-1]
        assert receipt.headers["cache-control"] == "no-store"
        balance = check_receipt(person.get("/me/receipt").content, policy).balance
        assert balance is not None and balance.account == village.users["person"]
        seals = {index for index in found if "Waiting hours" in person.get(f"/me/lines/{index}").text}
        for index in set(found) - seals:
            for path in ("", "/receipt", "/promise"):
                assert elder.get(f"/me/lines/{index}{path}").status_code == 404
        assert person.get("/me/lines/99999999").status_code == 404


def test_who_is_served_at_the_platforms_cost_sees_each_service(village: Village) -> None:
    helpers = {each.name for each in village.volunteers}
    with village.client("elder") as elder:
        page = elder.get("/me/lines").text
        said = re.findall(r'class="what">([^<]*)<', page)
        told = re.findall(r'class="much">([^<]*)<', page)
        assert "by the platform; your hours do not change" in told
        assert {text.partition(" helped you: ")[0] for text in said if " helped you: " in text} <= helpers
        index = re.findall(r'id="index-(\d+)"', elder.get("/me/object").text)[-1]
        line = elder.get(f"/me/lines/{index}").text
        assert f'href="/me/object?entry={index}"' in line and f"/me/lines/{index}/receipt" in line
        assert elder.get(f"/me/lines/{index}/receipt").status_code == 200
        assert ", by the platform" in elder.get("/me/paper/passbook").text
    assert "Nothing stands in your passbook yet" not in page
    with closing(Access(village.home / "access.db")) as access:
        met = next(each.account for each in village.volunteers if each.name in page)
        assert ("elder", "name") in {(look.user, look.what) for look in access.looks(account=met)}


def test_an_objection_stands_in_both_passbooks_and_on_paper(granted: Village, sign: Sign) -> None:
    with granted.client("elder") as elder, granted.client("clerk") as clerk:
        shown = elder.get("/me/object").text
        index = re.findall(r'name="index" id="index-(\d+)"', shown)[0]
        body = Dispute(index=int(index), party=granted.users["elder"], ground="nobody came")
        sheet = format_sheet(sign(body, by=ELDERS_KEY)).decode()
        assert post(elder, "/me/object", index=index, ground=body.ground, sheet=sheet).status_code == 303
        lines = elder.get("/me/lines").text
        assert f"You objected to entry {index}" in lines and ">objected to</span>" in lines
        line = elder.get(f"/me/lines/{index}").text
        (provider,) = re.findall(r'<dd>[^<]* <span class="number">(\d{8})</span></dd>', line)
        paper = clerk.get(f"/paper/passbook/{provider}").text
        assert "<b>objected to</b>" in paper and f"entry {index}" in paper


def test_pages_say_whose_they_are_and_are_kept_by_no_cache(village: Village) -> None:
    with village.client("person") as one, village.client("elder") as other:
        first, second = one.get("/me"), other.get("/me")
        assert first.headers["huzhu-session"] != second.headers["huzhu-session"] != ""
        assert first.headers["huzhu-session"] == one.get("/me/lines").headers["huzhu-session"]
        assert int(first.headers["huzhu-until"]) > datetime.datetime.now(UTC).timestamp()
        assert first.headers["cache-control"] == "no-store"
        assert village.session("person") not in first.text


def test_a_gift_by_ones_own_key_is_recorded_once(granted: Village, sign: Sign) -> None:
    body = Gift(giver=granted.users["person"], minutes=1, to=granted.users["elder"])
    sheet = format_sheet(sign(body)).decode()
    fields = {"to": body.to, "minutes": "1", "sheet": sheet}
    with granted.client("person") as person:
        asked = post(person, "/me/give", **fields)
        assert asked.status_code == 200 and "This cannot be taken back." in asked.text
        assert f"You give 1 min to {granted.elders[0].name}." in asked.text
        back = post(person, "/me/give", **fields, back="1")
        assert back.status_code == 200 and 'value="1"' in back.text and "taken back" not in back.text
        newest = []
        for _turn in range(2):
            assert post(person, "/me/give", **fields, sure="1").status_code == 303
            shown = person.get("/me").text
            assert f"Given to {granted.elders[0].name}: 1 min." in shown
            newest.append(re.findall(r'href="/me/lines/(\d+)"', shown)[0])
        assert newest[0] == newest[1]


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("another kind", "does not take that kind"),
        ("a stranger's key", "is not granted to you"),
        ("the elder's key", "is not granted to you"),
        ("two at once", "one thing at a time"),
        ("somebody's hours", "may not write"),
        ("with somebody beside", "does not take that kind"),
        ("a signature changed", "signature"),
        ("no JSON", "cannot be read"),
        ("a list", "cannot be read"),
        ("a body that is none", "cannot be read"),
    ],
)
def test_no_other_sheet_is_taken(granted: Village, sign: Sign, case: str, why: str) -> None:
    me, elder = granted.users["person"], granted.users["elder"]
    gift = Gift(giver=me, minutes=1, to=elder)
    good = sign(gift)
    raw = json.loads(format_sheet(good))
    sheets: dict[str, bytes] = {
        "another kind": format_sheet(sign(Donate(giver=me, minutes=1))),
        "a stranger's key": format_sheet(sign(gift, by=STRANGER)),
        "the elder's key": format_sheet(sign(Gift(giver=elder, minutes=1, to=me), by=ELDERS_KEY)),
        "two at once": format_sheet(sign(gift, gift)),
        "somebody's hours": format_sheet(sign(Gift(giver=elder, minutes=1, to=me))),
        "with somebody beside": format_sheet(sign(gift, beside=(ELDERS_KEY.id,))),
        "a signature changed": format_sheet(SignedSheet(good.statements, (Signature(KEY.id, bytes(64)),))),
        "no JSON": b"{",
        "a list": b"[]",
        "a body that is none": json.dumps(raw | {"statements": [raw["statements"][0] | {"body": 7}]}).encode(),
    }
    with granted.client("person") as person:
        answer = post(person, "/me/give", to=elder, minutes="1", sure="1", sheet=sheets[case].decode())
        assert answer.status_code == 422 and why in answer.text.lower(), answer.text


def test_a_service_waits_for_the_one_who_may_confirm_it(granted: Village, sign: Sign) -> None:
    me, elder = granted.users["person"], granted.users["elder"]
    end = datetime.datetime.now(UTC).replace(microsecond=0, second=0) - datetime.timedelta(hours=30)
    body = Service(
        provider=me,
        recipient=elder,
        category="assistance",
        start=end - datetime.timedelta(minutes=31),
        end=end,
        minutes=31,
        paid_by="issue",
        evidence=Evidence(form="signed"),
    )
    with granted.client("person") as person, granted.client("elder") as other:
        untold = msgspec.structs.replace(body, rating=5)
        somebodys = msgspec.structs.replace(body, provider=granted.volunteers[3].account)
        for wrong in (
            sign(body, beside=(STRANGER.id,)),
            sign(body),
            sign(untold, beside=(ELDERS_KEY.id,)),
            sign(somebodys, beside=(ELDERS_KEY.id,)),
        ):
            answer = post(person, "/me/report", **{"with": elder, "sheet": format_sheet(wrong).decode()})
            assert answer.status_code == 422
        sheet = sign(body, beside=(ELDERS_KEY.id,))
        fields = {"with": elder, "sheet": format_sheet(sheet).decode()}
        assert post(person, "/me/report", **fields).status_code == 303
        assert "31 min" in other.get("/me/confirm").text
        number = re.search(r'name="half" value="(\d+)"', other.get("/me/confirm").text)
        assert number is not None
        assert post(person, "/me/confirm", half=number[1], sig="").status_code == 303
        assert "31 min" in other.get("/me/confirm").text
        post(other, "/me/confirm", half=number[1], sig="AAAA")
        assert "31 min" in other.get("/me/confirm").text
        post(other, "/me/confirm", half=number[1], act="decline")
        assert "31 min" not in other.get("/me/confirm").text


def test_a_guardian_sees_a_ward_and_that_is_on_record(village: Village) -> None:
    ward = village.elders[1].account
    with village.client("guardian") as guardian, village.client("elder") as elder:
        assert ward in guardian.get("/me/family").text
        shown = elder.get("/me/family").text.partition("<main")[2]
        assert ward not in shown and "balance" not in shown
    with closing(Access(village.home / "access.db")) as access:
        looks = {(look.user, look.what) for look in access.looks(account=ward)}
    assert ("guardian", "balance") in looks


def test_who_looked_is_told(village: Village) -> None:
    with village.client("clerk") as clerk, village.client("elder") as elder:
        assert clerk.get(f"/api/v1/accounts/{village.users['elder']}/statement").status_code == 200
        shown = elder.get("/me/looks").text
        assert "clerk (clerk) looked at: the passbook" in shown and "elder (" not in shown


def test_it_can_be_installed(village: Village) -> None:
    with village.client() as client:
        manifest = client.get("/me/app.webmanifest").json()
        assert (manifest["start_url"], manifest["scope"], manifest["display"]) == ("/me", "/me", "standalone")
        for icon in manifest["icons"]:
            assert client.get(icon["src"]).headers["content-type"] == icon["type"]
        assert client.get("/me/icon-7.png").status_code == 404
        worker = client.get("/me/sw.js")
        assert worker.headers["service-worker-allowed"] == "/me" and worker.headers["cache-control"] == "no-cache"
        assert "connect-src 'self'" in worker.headers["content-security-policy"]
        assert client.get("/me/offline").status_code == 200


def test_an_icon_is_a_png() -> None:
    raw = icon_png(ICON_PIXELS[0])
    assert struct.unpack(">II", raw[16:24]) == (180, 180)
    (length,) = struct.unpack(">I", raw[33:37])
    assert len(zlib.decompress(raw[41 : 41 + length])) == 180 * (180 * 3 + 1)


def test_a_keys_text_is_drawn_and_a_slip_told(village: Village) -> None:
    text = format_key_text(STRANGER.public)
    with village.client("person") as person:
        good = post(person, "/me/key", key=text)
        assert good.status_code == 200 and "<svg" in good.text and text in good.text
        bad = post(person, "/me/key", key=text[:-1] + ("0" if text[-1] != "0" else "1"))
        assert bad.status_code == 422 and "<svg" not in bad.text
        assert person.post("/me/key", data={"key": text}).status_code == 403


def test_the_domain_in_the_page_is_the_ledgers(village: Village) -> None:
    with village.client("person") as person, Node.open(village.home, writes=False) as node:
        page = person.get("/me/give").text
        assert format_vkey(node.vkey).partition("+")[0] == ORIGIN
        genesis = re.search(r'data-genesis="([^"]+)"', page)
        assert genesis is not None
        assert node.domain == SheetDomain(ORIGIN, leaf_hash(node.store.entry(0)))
