"""The desk's pages without a window: forms and links alone, as whoever has no JavaScript uses them."""

import base64
import datetime
import html
import re
from itertools import count

import httpx
import pytest

from chain.fields import UTC
from tests.pages.village import Village
from web.daysheet import COLUMNS

TOKEN = re.compile(r'name="token" value="([^"]+)"')
NEXT_MINUTE = count()
PAGES = ("", "/record", "/sheets", "/certify", "/node", "/coupons", "/objections", "/entries/60")
SCRIPT = "<script>alert('老')</script>\"'"


def send(client: httpx.Client, path: str, page: str = "", **fields: str | list[str]) -> httpx.Response:
    """Fill in the form of a page and follow where it leads."""
    shown = client.get(page or path)
    assert shown.status_code == 200, shown.text
    token = TOKEN.search(shown.text)
    assert token is not None
    return client.post(path, data={"token": token[1]} | fields, follow_redirects=True)


def told(response: httpx.Response) -> str:
    """A page's text without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def record(village: Village, **fields: str) -> dict[str, str]:
    """A service of yesterday, at times that no other test has."""
    minute = next(NEXT_MINUTE) * 2
    start = datetime.time(minute // 60, minute % 60)
    day = datetime.datetime.now(UTC).date() - datetime.timedelta(days=1)
    end = datetime.time((minute + 1) // 60, (minute + 1) % 60)
    return {
        "provider": village.volunteers[3].account,
        "recipient": village.elders[5].account,
        "date": day.isoformat(),
        "start": f"{start:%H%M}",
        "end": f"{end:%H:%M}",
        "what": "assistance",
        "paid_by": "issue",
        "evidence": "paper",
        "act": "record",
    } | fields


def drafts_of(client: httpx.Client, word: str) -> list[str]:
    """The numbers of the drafts that a page shows with a word."""
    lines = client.get("/desk/certify").text.split('<li class="draft')
    return [found[1] for line in lines if word in line and (found := re.search(r'name="draft" value="(\d+)"', line))]


def index_of(response: httpx.Response) -> int:
    found = re.search(r"recorded as entry (\d+)", told(response))
    assert found is not None, told(response)
    return int(found[1])


def test_a_record_waits_until_a_member_signs(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    done = send(clerk, "/desk/record", **record(village, remark="灯坏了", sheet="monday"))
    assert "a committee member signs next" in told(done)
    assert str(done.url).endswith("&evidence=paper&sheet=monday")
    assert f'value="{village.volunteers[3].name}' in done.text
    (number,) = drafts_of(member, "灯坏了")
    assert number in drafts_of(clerk, "灯坏了")

    own = send(clerk, "/desk/certify", draft=number, act="sign")
    assert "you recorded or signed this yourself" in told(own)
    index = index_of(send(member, "/desk/certify", draft=number, act="sign"))

    entry = told(member.get(f"/desk/entries/{index}"))
    assert f"{village.volunteers[3].name} {village.volunteers[3].account} served" in entry
    assert "灯坏了" not in entry and "clerk" in entry and "member" in entry
    assert f"/desk/entries/{index}" in clerk.get("/desk").text


def test_what_is_sent_twice_is_kept_once(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    twice = record(village, remark="twice")
    send(clerk, "/desk/record", **twice)
    assert "the same waits for a signature already" in told(send(clerk, "/desk/record", **twice))
    send(member, "/desk/certify", draft=drafts_of(member, "twice"), act="sign")
    assert "the same service is on the ledger already" in told(send(clerk, "/desk/record", **twice))
    assert "the same service is on the ledger already" in told(send(clerk, "/desk/record", **twice | {"act": "look"}))


def test_a_whole_sheet_is_signed_at_once(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    for _turn in range(3):
        send(clerk, "/desk/record", **record(village, sheet="tuesday"))
    shown = member.get("/desk/certify").text
    send(clerk, "/desk/record", **record(village, sheet="tuesday"))
    (act,) = re.findall(r'value="(sheet:clerk/tuesday#[0-9]+)"', shown)
    assert "as entries" not in told(send(member, "/desk/certify", act="sheet:clerk/tuesday"))
    done = send(member, "/desk/certify", act=act)
    assert re.search(r"recorded: 3, as entries \d+ to \d+", told(done)), "what came after the page was shown waits"


def test_what_is_refused_says_why(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    send(clerk, "/desk/record", **record(village, remark="refuse me"))
    (number,) = drafts_of(member, "refuse me")
    assert "this is needed" in told(send(member, "/desk/certify", draft=number, act="refuse"))
    assert "tick at least one line" in told(send(member, "/desk/certify", act="sign"))
    send(member, "/desk/certify", draft=number, act="refuse", reason=SCRIPT)
    today = clerk.get("/desk")
    assert f"member: {SCRIPT}" in told(today) or SCRIPT in html.unescape(today.text)
    assert "<script>alert" not in today.text
    assert drafts_of(member, "refuse me") == []


def test_the_rules_speak_before_it_is_sent(village: Village, clerk: httpx.Client) -> None:
    looked = send(clerk, "/desk/record", **record(village, act="look"))
    assert "0.02 hours" in told(looked) and "then has" in told(looked)
    wrong = send(clerk, "/desk/record", **record(village, recipient=village.volunteers[2].account))
    assert wrong.status_code == 422 and "not possible: who was served is not registered as an elder" in told(wrong)
    shown = clerk.get("/desk/record")
    token = TOKEN.search(shown.text)
    assert token is not None
    answer = clerk.post("/desk/record/look", data={"token": token[1]} | record(village))
    assert answer.json()["is_good"] and answer.json()["lines"][0] == "0.02 hours"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"provider": "nobody at all"}, "nobody is found by this"),
        ({"provider": "12345678"}, "an account number has eight digits"),
        ({"start": "25:00"}, "a time of the day, like 09:30"),
        ({"date": "yesterday"}, "a date, like 2026-11-21"),
        ({"date": "0001-01-01"}, "a date, like 2026-11-21"),
        ({"paid_by": "the moon"}, "choose one of those offered"),
        ({"what": "flying"}, "there is no such service"),
        ({"evidence": "coupon"}, "this is needed"),
        ({"evidence": "coupon", "coupon": "HZ1:1:1:AAAA:AA"}, "this is no coupon"),
        ({"provider": ""}, "this is needed"),
        ({"what": SCRIPT}, "choose one of those offered"),
        ({"remark": "x" * 201}, "at most 200 characters"),
        ({"minutes": "0"}, "a whole number from 1 to 1440"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    village: Village, clerk: httpx.Client, fields: dict[str, str], text: str
) -> None:
    answer = send(clerk, "/desk/record", **record(village, **fields))
    assert answer.status_code == 422 and text in told(answer)
    assert "<script>alert" not in answer.text


def test_people_are_found_by_what_is_typed(village: Village, clerk: httpx.Client) -> None:
    volunteer = village.volunteers[3]
    assert "signs next" in told(send(clerk, "/desk/record", **record(village, provider=volunteer.name)))
    several = send(clerk, "/desk/record", **record(village, recipient="l"))
    assert "choose who is meant" in told(several)
    picks = re.findall(r'name="recipient_pick" value="(\d{8})"', several.text)
    assert len(picks) > 1
    chosen = record(village, recipient="l", recipient_pick=village.elders[5].account)
    assert "signs next" in told(send(clerk, "/desk/record", **chosen))


def sheet(village: Village, *rows: dict[str, str], between: str = "\t") -> str:
    """Rows as a spreadsheet copies them."""
    lines = [between.join(COLUMNS)]
    for row in rows:
        made = record(village)
        made |= {"start": f"{made['start'][:2]}:{made['start'][2:]}", "category": made["what"]} | row
        lines.append(between.join(made.get(column, "") for column in COLUMNS))
    return "\n".join(lines)


def packed(response: httpx.Response) -> str:
    found = re.search(r'name="packed" value="([^"]+)"', response.text)
    assert found is not None
    return found[1]


def test_a_pasted_sheet_row_by_row(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    volunteer = village.volunteers[1].account
    pasted = sheet(village, {}, {"recipient": volunteer}, {"start": "29:00"}, {"certifier": "ab" * 8})
    looked = send(clerk, "/desk/sheets", text=pasted, act="look")
    assert "Right: 1. Wrong: 3. Nothing is recorded yet." in told(looked)
    for text in ("not registered as an elder", "is no time of day", "those sign who are signed in"):
        assert text in told(looked)
    assert drafts_of(member, "no such row") == []

    done = send(clerk, "/desk/sheets", packed=packed(looked), name="books.csv", act="propose")
    assert "Taken over: 1." in told(done) and "waits for a member's signature" in told(done)
    refused = send(clerk, "/desk/sheets", packed=packed(done), name="books.csv", act="refused")
    assert refused.headers["content-disposition"] == 'attachment; filename="books.refused.csv"'
    assert [line.split(",")[:2] for line in refused.text.splitlines()] == [
        ["line", "outcome"], ["3", "not-elder"], ["4", "bad-row"], ["5", "signers-named"]
    ]
    again = send(clerk, "/desk/sheets", packed=packed(done), name="books.csv", act="propose")
    assert "the same waits for a signature already" in told(again)
    assert re.search(r"recorded as entry \d+", told(send(member, "/desk/certify", act=_sheet_act(member, "books"))))
    assert "it is on the ledger already, as entry" in told(send(clerk, "/desk/sheets", packed=packed(done), act="look"))


def _sheet_act(client: httpx.Client, name: str) -> str:
    found = re.search(rf'value="(sheet:clerk/{name}[^"]*)"', client.get("/desk/certify").text)
    assert found is not None
    return html.unescape(found[1])


def test_a_file_is_taken_byte_by_byte(village: Village, clerk: httpx.Client) -> None:
    raw = sheet(village, {"remark": "老张"}, between=",").replace("\n", "\r\n").encode("gb18030")
    token = TOKEN.search(clerk.get("/desk/sheets").text)
    assert token is not None
    looked = clerk.post(
        "/desk/sheets", data={"token": token[1], "act": "look"}, files={"file": ("七.csv", raw, "text/csv")}
    )
    assert "Right: 1. Wrong: 0." in told(looked)
    assert base64.b64decode(packed(looked)) == raw


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "choose a file, or paste the rows"),
        ("hello", "has no column"),
        (",".join(COLUMNS), "there are no rows below the first line"),
        (",".join(COLUMNS) + "\n" + "x\n" * 1_100, "at most 1024 rows at once"),
        ("x" * 600_000, "at most 512 KB at once"),
        ('"' + ",".join(COLUMNS), "cannot be read"),
    ],
)
def test_what_is_no_sheet(clerk: httpx.Client, text: str, why: str) -> None:
    answer = send(clerk, "/desk/sheets", text=text, act="look")
    assert answer.status_code == 422 and why in told(answer)


def test_two_rows_that_say_the_same(village: Village, clerk: httpx.Client) -> None:
    head, row = sheet(village, {}).split("\n")
    looked = send(clerk, "/desk/sheets", text="\n".join((head, row, row)), act="look")
    assert "Right: 1. Wrong: 1." in told(looked) and "it says the same as line 2" in told(looked)


def test_seal_cosign_and_take_the_receipt(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    send(clerk, "/desk/record", **record(village, remark="to be sealed"))
    index = index_of(send(member, "/desk/certify", draft=drafts_of(member, "to be sealed"), act="sign"))
    assert member.get(f"/desk/entries/{index}/receipt").status_code == 404
    promise = member.get(f"/desk/entries/{index}/promise")
    assert promise.headers["content-disposition"] == f'attachment; filename="promise-{index}.txt"'
    assert "sealed; the ledger has" in told(send(clerk, "/desk/node/seal", "/desk/node"))
    assert "Only a committee member can do this" in told(clerk.get("/desk/node"))
    assert "your signature stands on the newest checkpoint" in told(send(member, "/desk/node/cosign", "/desk/node"))
    assert "your signature stood there already" in told(send(member, "/desk/node/cosign", "/desk/node"))
    receipt = clerk.get(f"/desk/entries/{index}/receipt")
    assert receipt.status_code == 200 and "liuduhe.example/huzhu" in receipt.text
    assert clerk.get("/desk/entries/999999").status_code == clerk.get("/desk/entries/999999/promise").status_code == 404


def test_an_objection_is_written_down_and_decided_by_others(
    village: Village, clerk: httpx.Client, member: httpx.Client
) -> None:
    send(clerk, "/desk/record", **record(village, remark="to be disputed"))
    service = index_of(send(member, "/desk/certify", draft=drafts_of(member, "to be disputed"), act="sign"))
    assert village.elders[5].name in clerk.get(f"/desk/objections?entry={service}").text
    assert "is no service" in told(send(clerk, "/desk/objections", entry="0", party="recipient", ground="x"))
    ground = f"nobody came {SCRIPT}"
    send(clerk, "/desk/objections", entry=str(service), party="recipient", ground=ground)
    dispute = index_of(send(member, "/desk/certify", draft=drafts_of(member, "nobody came"), act="sign"))
    page = member.get("/desk/objections")
    assert "nobody came" in page.text and "<script>alert" not in page.text
    reason = "the book has no such day"
    own = send(member, f"/desk/objections/{dispute}", "/desk/objections", outcome="upheld", reason=reason)
    assert "had a part in recording the service" in told(own)
    with village.client("second") as second:
        proposed = send(second, f"/desk/objections/{dispute}", "/desk/objections", outcome="upheld", reason=reason)
        assert "it waits for another person's signature" in told(proposed)
    refused = send(member, "/desk/certify", draft=drafts_of(member, reason), act="sign")
    assert "a second person's signature is missing" in told(refused)
    village.add_user("third", "member")
    with village.client("third") as third:
        assert index_of(send(third, "/desk/certify", draft=drafts_of(third, reason), act="sign")) > dispute
    assert "it was taken back" in told(member.get(f"/desk/entries/{service}"))


def test_a_member_proposes_to_take_an_entry_back(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    send(clerk, "/desk/record", **record(village, remark="to be reversed"))
    index = index_of(send(member, "/desk/certify", draft=drafts_of(member, "to be reversed"), act="sign"))
    assert send(clerk, f"/desk/entries/{index}", "/desk/certify", reason="x").status_code == 403
    send(member, f"/desk/entries/{index}", reason="written down twice")
    with village.client("second") as second:
        send(second, "/desk/certify", draft=drafts_of(second, "written down twice"), act="sign")
    assert "it was taken back" in told(member.get(f"/desk/entries/{index}"))


def test_a_book_of_coupons(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    elder = village.elders[7]
    assert send(clerk, "/desk/coupons", account=elder.account, count="2", minutes_max="60").status_code == 403
    send(member, "/desk/coupons", account=elder.account, count="2", minutes_max="60")
    with village.client("second") as second:
        book = index_of(send(second, "/desk/certify", draft=drafts_of(second, elder.account), act="sign"))
    assert clerk.get(f"/desk/coupons/{book}/page").status_code == 403
    page = next((village.home / "coupons").glob("*.page")).read_text("utf-8")
    found = re.search(r"HZ1:[0-9]+:2:[A-Z2-7]{26}:[A-Z2-7]{2}", re.sub(r"\s|<br>|</?span[^>]*>", "", page))
    pdf = member.get(f"/desk/coupons/{book}/page")
    assert pdf.headers["content-type"] == "application/pdf" and pdf.content.startswith(b"%PDF")
    assert "the page is forgotten here" in told(send(member, f"/desk/coupons/{book}/printed", "/desk/coupons"))
    assert member.get(f"/desk/coupons/{book}/page").status_code == 404
    assert "this is no coupon" in told(send(clerk, "/desk/coupons/look", "/desk/coupons", coupon="nonsense"))
    assert found is not None
    assert "is good, for" in told(send(clerk, "/desk/coupons/look", "/desk/coupons", coupon=found[0].lower()))
    used = record(village, recipient=elder.account, evidence="coupon", coupon=found[0])
    assert "recorded as entry" in told(send(clerk, "/desk/record", **used))
    again = send(clerk, "/desk/coupons/look", "/desk/coupons", coupon=found[0])
    assert "the coupon was used before" in told(again)


@pytest.mark.parametrize("page", PAGES)
def test_who_may_look(village: Village, page: str) -> None:
    with village.client(None) as stranger:
        assert stranger.get(f"/desk{page}").headers["location"].startswith("/sign-in?to=")
    for role, status in (("person", 403), ("auditor", 403), ("clerk", 200), ("member", 200)):
        with village.client(role) as client:
            assert client.get(f"/desk{page}").status_code == status, (role, page)


@pytest.mark.parametrize(
    "path",
    ["/desk/record", "/desk/record/look", "/desk/sheets", "/desk/certify", "/desk/node/seal", "/desk/node/cosign",
     "/desk/coupons", "/desk/coupons/look", "/desk/coupons/1/printed", "/desk/objections", "/desk/objections/1",
     "/desk/entries/60"],
)  # fmt: skip
def test_nothing_is_done_without_the_session_s_token(village: Village, path: str) -> None:
    with village.client("member") as client:
        assert client.post(path, data={"token": "x" * 44}).status_code == 403
        other = TOKEN.search(client.get("/desk/certify").text or "") or TOKEN.search(client.get("/desk/node").text)
        assert other is not None
    with village.client("second") as client:
        assert client.post(path, data={"token": other[1]}).status_code == 403
    with village.client("person") as client:
        assert client.post(path, data={}).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_light(clerk: httpx.Client, page: str) -> None:
    answer = clerk.get(f"/desk{page}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers.get("content-encoding") == "gzip"
    assert int(answer.headers["content-length"]) < 30_000
    assert 'style="' not in answer.text and "<script>" not in answer.text


def test_today_says_what_is_asked_for(village: Village, clerk: httpx.Client) -> None:
    soon = datetime.datetime.now(UTC) + datetime.timedelta(hours=9)
    fields = {"day": f"{soon:%Y-%m-%d}", "clock": f"{soon:%H%M}", "minutes": "60", "what": "assistance"}
    send(clerk, "/requests/new", person=village.elders[2].account, **fields)
    today = told(clerk.get("/desk"))
    assert re.search(r"[1-9]\d* requests that nobody has taken", today)
    assert "volunteers at work now" in today and "asked for by people on their own pages" in today
