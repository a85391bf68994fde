"""What node.toml may say, and how a wrong line of it is named."""

from pathlib import Path

import pytest

from store.log import StoreError
from store.settings import (
    NAME_MAX_CHARACTERS,
    Child,
    NodeSettings,
    ServeSettings,
    is_address,
    is_name,
    name_line,
    parse_settings,
)

PATH = Path("/home/node/node.toml")
ORIGIN = 'origin = "village.example/huzhu"\n'

WHOLE = """
origin = "village.example/huzhu"
trust = "trust.txt"
[serve]
host = "0.0.0.0"
port = 443
certificate = "tls/chain.pem"
key = "/etc/tls/key.pem"
behind_tls = true
seal_every_minutes = 30
seal_entries = 500
tend_every_minutes = 0
silent_hours = 24
[witness]
name = "witness.county.example"
[[parents]]
url = "https://township.example/"
[[parents]]
url = "https://county.example"
[[children]]
origin = "hamlet.example/huzhu"
url = "http://127.0.0.1:8301"
"""


def test_everything_can_be_said() -> None:
    assert parse_settings(WHOLE, PATH) == NodeSettings(
        origin="village.example/huzhu",
        trust=PATH.parent / "trust.txt",
        serve=ServeSettings(
            host="0.0.0.0",  # noqa: S104 - said, not listened on
            port=443,
            certificate=PATH.parent / "tls/chain.pem",
            key=Path("/etc/tls/key.pem"),
            behind_tls=True,
            seal_every_minutes=30,
            seal_entries=500,
            tend_every_minutes=0,
            silent_hours=24,
        ),
        witness_name="witness.county.example",
        parents=("https://township.example", "https://county.example"),
        children=(Child("hamlet.example/huzhu", "http://127.0.0.1:8301"),),
    )


@pytest.mark.parametrize("name", ["六渡河村", 'the "old" village\\', "é" * NAME_MAX_CHARACTERS])
def test_a_name_comes_back_as_it_was_written(name: str) -> None:
    assert is_name(name)
    assert parse_settings(ORIGIN + name_line(name), PATH).name == name


@pytest.mark.parametrize("name", ["a\nb", "x" * (NAME_MAX_CHARACTERS + 1), "\u202ebackwards", " outside"])
def test_a_name_is_one_line_that_can_be_printed(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(StoreError, match="line 2"):
        parse_settings(ORIGIN + name_line(name), PATH)


def test_only_the_origin_must_be_said() -> None:
    assert parse_settings(ORIGIN, PATH) == NodeSettings("village.example/huzhu")
    assert parse_settings(ORIGIN + 'trust=""\n[serve]\ncertificate=""\nkey=""', PATH) == parse_settings(ORIGIN, PATH)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('orign = "a.example"', 1, "there is no setting"),
        (ORIGIN + "\n[serve]\nprot = 1", 4, "known here: host, port"),
        (ORIGIN + "[serve]\nport = 70000", 3, "from 0 to 65535"),
        (ORIGIN + "[serve]\nport = true", 3, "from 0 to 65535"),
        (ORIGIN + '[serve]\nport = "1"', 3, "from 0 to 65535"),
        (ORIGIN + "[serve]\nhost = 1", 3, "in quotes"),
        (ORIGIN + '[serve]\ncertificate = "a.pem"', 3, "go together"),
        (ORIGIN + 'serve = "x"', 2, "[serve]"),
        (ORIGIN + 'parents = ["x"]', 2, "[[parents]]"),
        (ORIGIN + '[[parents]]\nurl = "ftp://x"', 3, "not a node's address"),
        (ORIGIN + '[[children]]\nurl = "http://x"\norigin = "X"', 4, "cannot name a ledger"),
        (ORIGIN + '[witness]\nname = "a b"', 3, "cannot name a witness"),
    ],
)
def test_a_wrong_line_is_named(text: str, line: int, says: str) -> None:
    with pytest.raises(StoreError) as caught:
        parse_settings(text, PATH)
    assert says in str(caught.value)
    assert f"line {line}:" in str(caught.value)


@pytest.mark.parametrize("text", ["", "origin = 1", 'origin = "X"', "[", "a=" + "[" * 100_000])
def test_no_origin_or_no_toml(text: str) -> None:
    with pytest.raises(StoreError, match=r"node\.toml"):
        parse_settings(text, PATH)


def test_addresses() -> None:
    for good in ("http://a", "https://a.example:8300/below", "http://[::1]:80"):
        assert is_address(good)
    bad = ("", "a", "http://", "http://u:p@a", "http://a/?x", "http://a#x", "http://a:0", "http://a:x", "http://a b")
    for each in (*bad, "http://" + "a" * 500, "http://村"):
        assert not is_address(each)
