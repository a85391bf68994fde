"""What the desk says before anybody signs, and which button Enter presses: no act that somebody did not mean."""

import datetime
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from chain.fields import UTC
from tests.pages.conftest import Check, OpenPage, Shoot
from tests.pages.test_desk import drafts_of, index_of, record, send, sheet, told
from tests.pages.village import Village

TEMPLATES = Path(__file__).parents[2] / "web/templates/pages"
FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
BUTTON = re.compile(r"<button\b[^>]*>")
NEVER_FIRST = ("formnovalidate", "danger", 'value="sheet:')


def evening(village: Village, start: str, end: str, elder: int, **fields: str) -> dict[str, str]:
    """A service by one volunteer, who is with nobody else on that evening."""
    day = datetime.datetime.now(UTC).date() - datetime.timedelta(days=1)
    people = {"provider": village.volunteers[8].account, "recipient": village.elders[elder].account}
    return record(village) | people | {"date": day.isoformat(), "start": start, "end": end} | fields


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_the_first_of_several_buttons_is_harmless(path: Path) -> None:
    """Enter in a field presses a form's first button; where that refuses, it needs a reason and says so itself."""
    for form in FORM.findall(path.read_text("utf-8")):
        buttons = [each for each in BUTTON.findall(form) if 'type="button"' not in each]
        if len(buttons) > 1 and path.name != "certify.html":
            assert not any(word in buttons[0] for word in NEVER_FIRST), buttons[0]


def test_each_sheet_is_a_form_of_its_own(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    for word in ("foresight one", "foresight two"):
        send(clerk, "/desk/record", **record(village, remark=word))
    first, second = drafts_of(member, "foresight one") + drafts_of(member, "foresight two")
    page = member.get("/desk/certify").text
    assert all(len(BUTTON.findall(form)) == 1 for form in FORM.findall(page) if "sheet:" in form)
    (ticked,) = [form for form in FORM.findall(page) if 'id="ticked"' in form]
    assert ['value="refuse"' in BUTTON.findall(ticked)[0], 'name="draft"' in ticked] == [True, False]
    assert f'name="draft" value="{first}" form="ticked">' in page

    wrong = send(member, "/desk/certify", draft=[first], act="refuse")
    assert wrong.status_code == 422 and "Why it is refused: this is needed" in told(wrong)
    assert f'value="{first}" form="ticked" checked>' in wrong.text, "what was ticked stays ticked"
    assert f'value="{second}" form="ticked">' in wrong.text
    back = send(clerk, "/desk/certify", draft=[second], act="back")
    assert "Why they are taken back: this is needed" in told(back) and f'value="{second}" checked>' in back.text
    reason = {"reason-back": "typed twice"}
    assert "refused: 1" in told(send(clerk, "/desk/certify", draft=second, act="back", **reason))
    assert "refused: 1" in told(send(member, "/desk/certify", draft=first, act="refuse", reason="wrong day"))


def test_what_was_refused_is_mended_in_its_form(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    fields = record(village, remark="to be mended", what="assistance/meals")
    send(clerk, "/desk/record", **fields)
    send(member, "/desk/certify", draft=drafts_of(member, "to be mended"), act="refuse", reason="ask again")
    today = clerk.get("/desk").text
    found = re.search(r'<a href="(/desk/record\?[^"]*)">Mend it and bring it again', today)
    assert found is not None
    address = found[1].replace("&amp;", "&")
    assert village.elders[5].name not in address and "mended" not in address
    filled = clerk.get(address).text
    for name in ("provider", "recipient"):
        assert re.search(rf'name="{name}" value="[^"]* {fields[name]}"', filled), name
    assert f'value="{fields["date"]}"' in filled and f'value="{fields["start"][:2]}:{fields["start"][2:]}"' in filled
    assert 'value="assistance/meals" selected' in filled and 'value="issue" selected' in filled


def test_who_pays_is_what_is_usual_for_the_elder(village: Village, clerk: httpx.Client) -> None:
    looked = told(send(clerk, "/desk/record", **record(village, paid_by="", act="look")))
    assert "paid by: the platform" in looked
    chosen = send(clerk, "/desk/record", **record(village, paid_by="recipient", act="record"))
    name = village.elders[5].name
    assert chosen.status_code == 422
    assert f"{name} has 0 h on the account, and 0.02 h are needed" in told(chosen)
    assert "under “Paid by” this would do: the platform" in told(chosen)
    assert 'value="recipient" selected' in chosen.text, "what was chosen stays"


def test_a_record_is_told_and_listed(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    done = send(clerk, "/desk/record", **record(village, remark="to be listed", paid_by=""))
    people = village.volunteers[3].name, village.elders[5].name
    assert "0.02 hours by {} for {} noted; a committee member signs next".format(*people) in told(done)
    (number,) = drafts_of(clerk, "to be listed")
    assert f'<a href="/desk/certify#draft-{number}">' in done.text and done.text.count("/desk/certify#draft") <= 5
    index = index_of(send(member, "/desk/certify", draft=number, act="sign"))
    assert f'<a href="/desk/entries/{index}">' in clerk.get("/desk/record").text
    assert f"/desk/entries/{index}" not in member.get("/desk/record").text, "each sees their own"


def test_who_is_in_two_places_is_said_beforehand(village: Village, clerk: httpx.Client, member: httpx.Client) -> None:
    first = send(clerk, "/desk/record", **evening(village, "2100", "2200", 3, remark="overlap one"))
    assert "Look again" not in told(first)
    second = evening(village, "2130", "2230", 4, remark="overlap two")
    warned = "Look again: it overlaps another record of the same volunteer that waits"
    looked = send(clerk, "/desk/record", **second | {"act": "look"})
    assert looked.status_code == 200 and warned in told(looked)
    sent = told(send(clerk, "/desk/record", **second))
    assert "signs next" in sent and warned in sent, "it is no error"
    lines = member.get("/desk/certify").text.split('<li class="draft')
    assert [warned in line for line in lines if "overlap one" in line or "overlap two" in line] == [True, True]
    index = index_of(send(member, "/desk/certify", draft=drafts_of(member, "overlap one"), act="sign"))
    assert f"it overlaps entry {index} of the same volunteer" in told(member.get("/desk/certify"))
    touching = told(send(clerk, "/desk/record", **evening(village, "2230", "2240", 4, act="look")))
    assert "Look again" not in touching, "one after the other"

    volunteer, day = village.volunteers[8].account, second["date"]
    rows = [{"provider": volunteer, "date": day, "start": start, "end": end} for start, end in (
        ("21:45", "21:50"), ("22:50", "23:00"), ("22:55", "23:10"),
    )]  # fmt: skip
    shown = told(send(clerk, "/desk/sheets", text=sheet(village, *rows), act="look"))
    assert "Right: 3. Wrong: 0." in shown and "Of the right ones 3 overlap" in shown
    for text in (f"overlaps entry {index}", "overlaps line 4", "overlaps line 3"):
        assert text in shown
    send(member, "/desk/certify", draft=drafts_of(member, "overlap two"), act="refuse", reason="it was another day")


def test_an_objection_is_told_with_what_it_is_about(
    village: Village, clerk: httpx.Client, member: httpx.Client
) -> None:
    send(clerk, "/desk/record", **record(village, remark="foreseen dispute"))
    index = index_of(send(member, "/desk/certify", draft=drafts_of(member, "foreseen dispute"), act="sign"))
    send(clerk, "/desk/objections", entry=str(index), party="recipient", ground="not on that day")
    (line,) = [line for line in member.get("/desk/certify").text.split('<li class="draft') if "not on that day" in line]
    assert f'<a href="/desk/entries/{index}">' in line and village.elders[5].name in line
    dispute = index_of(send(member, "/desk/certify", draft=drafts_of(member, "not on that day"), act="sign"))
    assert f'action="/desk/objections/{dispute}"' not in member.get("/desk/objections").text
    assert "two other members decide it" in told(member.get("/desk/objections"))
    with village.client("second") as second:
        assert f'action="/desk/objections/{dispute}"' in second.get("/desk/objections").text


def test_enter_in_the_reason_signs_nothing(
    village: Village, clerk: httpx.Client, browser_page: OpenPage, shoot: Shoot, check_axe: Check
) -> None:
    send(clerk, "/desk/record", **record(village, remark="by Enter"))
    page = browser_page("member", "en")
    page.goto("/desk/certify")
    line = page.locator(".draft", has_text="by Enter")
    line.locator("input").check()
    page.locator("#reason").press("Enter")
    expect(line).to_be_visible()
    page.locator("#reason").fill("the times are not right")
    shoot(page, "desk-certify-refuse")
    check_axe(page)
    page.locator("#reason").press("Enter")
    expect(page.locator(".note.good")).to_contain_text("refused: 1")
    expect(page.locator(".draft", has_text="by Enter")).to_have_count(0)
