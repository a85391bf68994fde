"""What a person asks the desk to record: taken up, or refused with a word that they read; an objection by two."""

import re

import httpx

from store.wishes import CLAIMED_SECONDS, OPEN, TAKEN, WISHES_FILE, Wish, Wishes
from tests.pages.passbook_people import post
from tests.pages.village import Village


def entry_of(client: httpx.Client) -> str:
    """A service that may be objected to."""
    found = re.search(r'id="index-(\d+)"', client.get("/me/object").text)
    assert found is not None
    return found[1]


def ask(village: Village, ground: str) -> int:
    """Somebody objects; the wish's number."""
    with village.client("person") as client:
        assert post(client, "/me/object", index=entry_of(client), ground=ground).status_code == 303
    return newest(village).id


def newest(village: Village) -> Wish:
    return Wishes(village.home / WISHES_FILE).of(village.users["person"])[0]


def decide(village: Village, user: str, number: int, act: str, word: str = "") -> str:
    """What the desk's page says afterwards."""
    with village.client(user) as client:
        answer = post(client, "/desk/asked", wish=str(number), act=act, word=word)
        assert answer.status_code == 303
        return client.get("/desk/asked").text


def told(village: Village, path: str = "/me") -> str:
    with village.client("person") as client:
        return client.get(path).text


def test_an_objection_is_refused_by_two_with_a_word_that_the_person_reads(village: Village) -> None:
    number = ask(village, "nobody came, first")
    assert "say why in a word or two" in decide(village, "clerk", number, "refuse")
    assert "refused only when somebody of the other role" in decide(village, "clerk", number, "refuse", "not true")
    assert newest(village).state == OPEN and "waits at the desk" in told(village)
    again = decide(village, "clerk", number, "refuse", "once more")
    assert "one of the other role decides now" in again and "clerk wants to refuse this: not true" in again
    assert "the person reads your word" in decide(village, "member", number, "refuse", "we saw them there")
    assert "refused: we saw them there" in told(village) and "refused: we saw them there" in told(village, "/me/give")


def test_who_took_an_objection_up_does_not_end_it_alone(village: Village) -> None:
    number = ask(village, "nobody came, second")
    decide(village, "clerk", number, "take")
    draft = newest(village).draft
    assert draft and "a second person signs it" in told(village)
    with village.client("clerk") as client:
        post(client, "/desk/certify", draft=str(draft), act="refuse", reason="no")
        assert "not refused: 1" in client.get("/desk").text
    with village.client("member") as client:
        post(client, "/desk/certify", draft=str(draft), act="refuse", reason="heard both")
    assert "refused: heard both" in told(village)


def test_what_was_taken_up_and_broke_off_waits_again_and_is_proposed_once(village: Village) -> None:
    number = ask(village, "nobody came, third")
    wishes, wish = Wishes(village.home / WISHES_FILE), newest(village)
    assert wishes.decide(number, TAKEN, wish.at_seconds)
    wishes.reopen(wish.at_seconds + CLAIMED_SECONDS)
    assert newest(village).state == TAKEN
    wishes.reopen(wish.at_seconds + CLAIMED_SECONDS + 1)
    assert newest(village).state == OPEN
    decide(village, "clerk", number, "take")
    draft = newest(village).draft
    assert wishes.decide(number, OPEN, wish.at_seconds, TAKEN)
    decide(village, "clerk", number, "take")
    assert newest(village).draft == draft
