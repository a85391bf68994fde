"""In which language the API says what is wrong: that of the request, or the node's own."""

import pytest

from tests.web.service.running import Running
from web.i18n import CHINESE, ENGLISH, language, language_of_header, listen_to, translate
from web.service.unread import FLAWS, flaw_words

UNREAD = "/api/v1/entries/99999999"
GAPS = ("ge", "le", "min_length", "max_length", "expected")


@pytest.mark.parametrize(
    ("value", "language"),
    [
        ("zh", CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("en-GB, zh;q=0.5", ENGLISH),
        ("zh;q=0.3, EN;q=0.7", ENGLISH),
        ("de-DE,de;q=0.9,en;q=0.1", ENGLISH),
        ("en;q=0", None),
        ("de, *", None),
        ("", None),
        ("zh;q=2", None),
        ("q=1;zh,,;", None),
        ("x" * 100_000 + ",en", None),
    ],
)
def test_what_a_header_asks_for(value: str, language: str | None) -> None:
    assert language_of_header(value) == language


def test_without_a_request_it_is_the_process_that_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (language(), translate("not allowed")) == (ENGLISH, "not allowed")
    monkeypatch.setenv("LANGUAGE", CHINESE)
    assert language() == CHINESE and translate("not allowed") != "not allowed"
    monkeypatch.delenv("LANGUAGE")
    monkeypatch.setenv("LANG", "")
    assert language() == CHINESE
    listen_to([(b"accept-language", b"en")])
    try:
        assert translate("not allowed") == "not allowed"
    finally:
        listen_to([])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", UNREAD),
        ("GET", "/api/v1/entries/x"),
        ("GET", "/api/v1/balances"),
        ("GET", "/api/v1/accounts/12345676"),
        ("GET", "/log/nobody.example/huzhu/checkpoint"),
        ("POST", "/log/origins"),
        ("POST", "/api/v1/entries"),
        ("GET", "/nothing"),
    ],
)
def test_problems_are_told_in_the_language_that_is_asked_for(service: Running, method: str, path: str) -> None:
    with service.client(None) as client:
        told = {
            asked: client.request(method, path, headers={} if asked is None else {"Accept-Language": asked})
            for asked in (None, "en", "zh-CN", "fr")
        }
    assert [answer.headers["content-language"] for answer in told.values()] == ["en", "en", "zh", "en"]
    assert all("Accept-Language" in answer.headers["vary"] for answer in told.values())
    assert told["en"].json() == told[None].json() == told["fr"].json()
    chinese, english = told["zh-CN"].json(), told["en"].json()
    assert (chinese["type"], chinese["status"]) == (english["type"], english["status"])
    assert is_chinese(chinese["title"]) and is_chinese(chinese["detail"])
    assert not is_chinese(english["detail"])


@pytest.mark.parametrize("path", ["entries/x", "entries/-1", "blocks?limit=0", "blocks?limit=9999999", "totals?by=x"])
def test_what_cannot_be_read_is_told_without_a_word_of_english(service: Running, path: str) -> None:
    with service.client(headers={"Accept-Language": "zh"}) as client:
        answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 400
    assert "Input" not in answer.text and "should" not in answer.text


@pytest.mark.parametrize("kind", [*FLAWS, "unheard-of"])
def test_each_flaw_has_words(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", CHINESE)
    assert "{" not in flaw_words({"type": kind, "msg": "x", "ctx": dict.fromkeys(GAPS, 1)})
    assert flaw_words({"type": kind, "msg": "x"})


def test_what_is_no_problem_says_no_language(service: Running) -> None:
    answer = service.get("/api/v1/entries/0", None)
    assert answer.status_code == 200 and "content-language" not in answer.headers


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)
