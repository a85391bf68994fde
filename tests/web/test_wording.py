"""What the parts below say in English is said in the reader's language."""

import pytest

from chain.errors import NoteError
from chain.note import parse_vkey
from chain.policy import parse_policy
from web import wording
from web.i18n import CHINESE
from web.wording import TEMPLATES, worded


@pytest.fixture
def _chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each template has a translation, whatever the catalogue has."""
    monkeypatch.setenv("LANGUAGE", CHINESE)
    monkeypatch.setattr(wording, "translate", lambda text: f"《{text}》")


def test_in_english_they_stay_as_they_are() -> None:
    assert worded("the proof holds no receipt") == "the proof holds no receipt"


@pytest.mark.usefixtures("_chinese")
def test_gaps_are_filled_and_sentences_in_them_worded() -> None:
    assert worded("the trust file pins no key of a.example/x") == "《the trust file pins no key of a.example/x》"
    assert worded("policy line 3: the proof holds no receipt") == "《policy line 3: 《the proof holds no receipt》》"
    assert worded("nothing like it") == "nothing like it"
    assert worded("policy line " + "9" * 10_000 + ": x") == "policy line " + "9" * 10_000 + ": x"


@pytest.mark.usefixtures("_chinese")
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"log x\n", "verifier key"),
        (b"hello\n", "it begins with"),
        (b"", "quorum line"),
        (b"quorum x\n", "is not defined"),
        (b"quorum none\nquorum none\n", "one quorum line"),
        (b"quorum none", "does not end"),
    ],
)
def test_a_wrong_trust_file_is_told_in_chinese(raw: bytes, words: str) -> None:
    with pytest.raises(NoteError) as caught:
        parse_policy(raw)
    told = worded(caught.value)
    assert words in told and told.startswith("《") and told.endswith("》")


@pytest.mark.usefixtures("_chinese")
def test_a_wrong_key_is_told_in_chinese() -> None:
    for text in ("x", "a.example/x+00000000+AAAA", "a.example/x+zz+AAAA"):
        with pytest.raises(NoteError) as caught:
            parse_vkey(text)
        assert worded(caught.value) != str(caught.value)


def test_no_template_hides_another() -> None:
    for template in TEMPLATES:
        fitting = [each for each in TEMPLATES if wording._pattern(each).fullmatch(template)]
        assert fitting[0] == template
