"""Every command once, in the way people use it, and in ways that must not work."""

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.numbers import account_number
from tests.web.desk import ANNE, BEGINNING, BEN, CLARA, DORA, ORIGIN, Desk, run

DAY = ("--date", "2025-11-01", "--start", "09:00", "--end", "10:30")
NOBODY = account_number(999_999)


@pytest.fixture
def village(desk: Desk) -> Desk:
    """Four people, and an hour on Ben's account."""
    desk.populate()
    desk("import", desk.sheet({"provider": BEN}), "--at", "2025-11-02T00:00:00Z")
    return desk


def entry_of(desk: Desk, *words: str | Path) -> Any:
    """The entry that a command writes."""
    index = desk.json(*words)["index"]
    return desk.entries()[index]


def written(desk: Desk, *words: str | Path) -> Any:
    """The body of that entry."""
    return entry_of(desk, *words).body


# Beginning


def test_init_prints_the_vkey_and_the_keys(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    result = desk("init", "--origin", ORIGIN)
    vkey, clerk, *members = (line.split() for line in result.stdout.splitlines())
    assert vkey[0] == "vkey"
    assert vkey[1].startswith(f"{ORIGIN}+")
    assert [clerk[0], *(member[0] for member in members)] == ["clerk"] + ["member"] * 3
    assert "NOT encrypted" in result.stderr
    assert {key["key"] for key in desk.json("key", "list") if key["kept"]} == {clerk[1], *(key[1] for key in members)}


def test_init_keeps_keys_under_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    secret = desk.file("secret", "天地玄黄\n")
    assert "NOT" not in desk("init", "--origin", ORIGIN, "--passphrase-file", secret).stderr
    assert all(b"ENCRYPTED" in path.read_bytes() for path in (desk.home / "keys").iterdir())

    assert "HUZHU_PASSPHRASE" in desk("seal", status=2).stderr or "passphrase" in desk("seal", status=2).stderr
    assert "passphrase" in desk("seal", "--passphrase-file", desk.file("wrong", "x"), status=2).stderr
    assert "first line" in desk("seal", "--passphrase-file", desk.file("empty", "\nx"), status=2).stderr
    desk("seal", "--passphrase-file", secret)
    monkeypatch.setenv("HUZHU_PASSPHRASE", "天地玄黄")
    desk("seal")
    desk("balance")


def test_a_passphrase_is_asked_for_at_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.session.is_terminal", lambda: True)
    desk = Desk(tmp_path)
    asked = desk("init", "--origin", ORIGIN, stdin="geheim\ngeheim\n")
    assert "Passphrase for the keys" in asked.stderr
    assert "geheim" not in asked.output
    desk("seal", stdin="geheim\n")
    assert "does not open" in desk("seal", stdin="two\n", status=2).stderr
    plain = Desk(tmp_path / "plain")
    plain.folder.mkdir()
    assert "NOT encrypted" in plain("init", "--origin", ORIGIN, stdin="\n\n").stderr
    plain("seal")


def test_a_new_key_is_kept_under_the_same_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setenv("HUZHU_PASSPHRASE", "one")
    desk("init", "--origin", ORIGIN)
    made = desk.json("key", "new", "--role", "clerk")["key"]
    desk("key", "grant", made, "--role", "clerk")
    monkeypatch.setenv("HUZHU_PASSPHRASE", "two")
    assert "passphrase" in desk("key", "new", "--role", "clerk", status=2).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--origin", "Village"), "Village cannot name a ledger"),
        ((), "Missing option '--origin'"),
        (("--origin", ORIGIN, "--members", "1"), "it must be 2 or more, not 1"),
        (("--origin", ORIGIN, "--threshold", "4"), "bad-threshold"),
        (("--origin", ORIGIN, "--parent", "x"), "verifier key"),
        (("--origin", ORIGIN, "--at", "2025-10-31"), "is not a time"),
        (("--origin", ORIGIN, "--at", "2999-10-31T00:00:00Z"), "is in the future"),
        (("--origin", ORIGIN, "--params", "nothing.json"), "nothing.json"),
    ],
)
def test_init_that_cannot_be(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    result = Desk(tmp_path)("init", *words, status=2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ('{"posting_day":0}', "there is no parameter posting_day"),
        ('{"posting_days":-1}', "the parameter posting_days cannot be -1; it is written like posting_days=3"),
        ('{"trusted_logs":"county.example/x+00+y"}', "written like 'trusted_logs=[\"county.example/huzhu+"),
        ('{"local_services":{"meals":"gardening"}}', "the parameter local_services cannot be"),
        ("[]", "holds no JSON object"),
        ("{", "is not JSON"),
        (b"\xff", "is not UTF-8"),
        (" " * 2_000_000, "is too large"),
    ],
)
def test_parameters_that_cannot_be(tmp_path: Path, params: str | bytes, message: str) -> None:
    desk = Desk(tmp_path)
    result = desk("init", "--origin", ORIGIN, "--params", desk.file("params.json", params), status=2)
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not desk.home.exists()


def test_init_below_another_tier(tmp_path: Path) -> None:
    above = Desk(tmp_path / "above")
    above.folder.mkdir()
    parent = json.loads(above("init", "--origin", "county.example", "--tier", "county", "--json").stdout)["vkey"]
    publics = [
        above.json("key", "new", "--role", "authority", "-o", above.folder / str(place))["public"] for place in (1, 2)
    ]
    desk = Desk(tmp_path)
    authorities = desk.file("authorities", "# the county\n" + "\n".join(publics) + "\n")
    desk("init", "--origin", ORIGIN, "--parent", parent, "--authority", authorities)
    assert desk.entries()[0].body.parent == "county.example"
    bad = desk.file("bad", "\nx\n")
    result = Desk(tmp_path / "x")("init", "--origin", ORIGIN, "--parent", parent, "--authority", bad, status=2)
    assert "bad line 2" in result.stderr


def test_a_home_is_not_taken_over(desk: Desk) -> None:
    assert "choose another --home" in desk("init", "--origin", ORIGIN, status=2).stderr


# People and keys


def test_keys(village: Desk) -> None:
    made = village.json("key", "new", "--role", "volunteer")
    body = written(
        village,
        "key",
        "grant",
        made["public"],
        "--role",
        "volunteer",
        "--account",
        BEN,
        "--until",
        "2999-01-01T00:00:00Z",
    )
    assert (body.role, body.account, body.until.year) == ("volunteer", BEN, 2999)
    [line] = [key for key in village.json("key", "list") if key["key"] == made["key"]]
    assert (line["counts"], line["kept"], line["until"]) == (True, True, "2999-01-01T00:00:00Z")

    written(village, "key", "revoke", made["key"], "--reason", "lost", "--by", made["key"])
    assert "counts no more" in village("key", "list").stdout
    refused = village.json("key", "revoke", made["key"], "--reason", "again", status=1)
    assert refused == {
        "accepted": False,
        "outcome": "no-such-key",
        "detail": "there is no such key, or it was revoked before",
    }


def test_members_are_granted_and_revoked_by_the_threshold(village: Desk) -> None:
    made = village.json("key", "new", "--role", "member")["key"]
    written(village, "key", "grant", made, "--role", "member")
    members = [key["key"] for key in village.json("key", "list") if key["role"] == "member"]
    for key in members[:2]:
        written(village, "key", "revoke", key, "--reason", "moved")
    assert "last-member" in village("key", "revoke", members[2], "--reason", "moved", status=1).stderr


def test_a_rotated_node_key_and_the_first_one_as_the_pin(village: Desk) -> None:
    old, both, receipt = (village.folder / name for name in ("old", "both", "receipt"))
    village("seal", "--at", "2025-11-03T00:00:00Z")
    village("trust", "-o", old)
    rotated = village("key", "rotate", "--at", "2025-11-04T00:00:00Z")
    new, pinned = (line.split()[1] for line in rotated.stdout.splitlines())
    assert old.read_text("utf-8") == f"log {pinned}\nquorum none\n"
    assert "beside the first" in rotated.stderr and str(village.home / "keys") in rotated.stderr
    assert [entry.kind for entry in village.entries()[-2:]] == ["node_rotate", "seal"]
    assert village.entries()[-1].at.isoformat() == "2025-11-04T00:00:00+00:00"

    again = village.json("key", "rotate")
    assert again["pinned"] == pinned
    assert again["vkey"] not in (new, pinned)
    [line] = [key for key in village.json("key", "list") if key["role"] == "node" and key["counts"]]
    assert line["key"] == again["key"]
    village("import", village.sheet({"provider": BEN, "start": "11:00", "end": "12:00"}), "--seal")
    village("trust", "-o", both)
    assert both.read_text("utf-8") == f"log {pinned}\nlog {again['vkey']}\nquorum none\n"
    for trust in (old, both):
        assert json.loads(run("verify", village.home / "ledger.db", "--trust", trust, "--json").stdout)["trusted"]
    village("receipt", "--balance", BEN, "-o", receipt)
    run("check-receipt", receipt, "--trust", both)
    run("check-receipt", receipt, "--trust", old, status=1)


def test_a_rotation_takes_members_and_the_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setenv("HUZHU_PASSPHRASE", "one")
    desk("init", "--origin", ORIGIN)
    members = [key["key"] for key in desk.json("key", "list") if key["role"] == "member"]
    desk("key", "rotate", "--member", members[2])
    entry = desk.entries()[-2]
    assert entry.by == members[2] and len(entry.beside) == 2
    assert all(b"ENCRYPTED" in path.read_bytes() for path in (desk.home / "keys").iterdir())
    monkeypatch.setenv("HUZHU_PASSPHRASE", "two")
    assert "does not open" in desk("key", "rotate", status=2).stderr
    for path in (desk.home / "keys").glob("member-*"):
        path.unlink()
    assert "this needs keys of 2 people" in desk("key", "rotate", status=2).stderr


def test_keys_that_are_not_there(village: Desk) -> None:
    assert "is not kept in" in village("key", "grant", "0123456789abcdef", "--role", "clerk", status=2).stderr
    assert village("key", "grant", "nonsense", "--role", "clerk", status=2).stderr.count("\n") == 1
    assert "cannot be read" in village("gift", BEN, ANNE, "1", "--by", "nothing.pem", status=2).stderr
    wrong = village("gift", BEN, ANNE, "1", "--clerk", "0123456789abcdef", status=2)
    assert "is no key of role clerk that counts now" in wrong.stderr


def test_opening_an_account(village: Desk) -> None:
    result = village("person", "open", "--born", "1950-05-01", "--elder", "--name", "王秀英", "--funded", "key_elder")
    number = result.stdout.split()[-1]
    shown = village.json("person", "show", number)
    assert (shown["elder"], shown["volunteer"], shown["redeemable"], shown["band"]) == (True, False, True, 1950)
    assert (shown["funded"], shown["holder"]) == ("key_elder", "person")
    assert "王秀英".encode() not in (village.home / "ledger.db").read_bytes()

    written(village, "person", "open", NOBODY, "--institution", "--volunteer")
    assert village.json("person", "show", NOBODY)["holder"] == "institution"
    assert "bad-check-digits" in village("person", "open", "12345678", status=1).stderr


def test_an_update_changes_what_it_says_and_keeps_the_rest(village: Desk) -> None:
    written(village, "person", "update", BEN, "--no-volunteer")
    shown = village.json("person", "show", BEN)
    assert (shown["volunteer"], shown["elder"], shown["redeemable"], shown["funded"]) == (
        False,
        True,
        True,
        "key_elder",
    )
    assert shown["band"] == 1950
    written(village, "person", "update", BEN, "--not-funded", "--volunteer", "--born", "1990-01-01")
    shown = village.json("person", "show", BEN)
    assert (shown["volunteer"], shown["redeemable"], shown["funded"], shown["band"]) == (True, False, None, 1990)
    assert "there is no account" in village("person", "update", NOBODY, "--elder", status=2).stderr


def test_closing_an_account(village: Desk) -> None:
    assert "balance-left" in village("person", "close", BEN, "--reason", "moved", status=1).stderr
    written(village, "person", "close", BEN, "--reason", "moved", "--to", "pool")
    assert village.json("balance", BEN)["status"] == "closed"
    assert village.balance("pool") == 60
    assert "account closed" in village("statement", BEN).stdout


def test_kin_and_credentials(village: Desk) -> None:
    written(village, "kin", "link", BEN, "spouse", DORA)
    assert village.json("person", "show", DORA)["kin"] == [BEN]
    written(village, "kin", "unlink", DORA, BEN)
    written(village, "credential", "grant", BEN, "legal", "--issuer", "司法局", "--until", "2030-01-01T00:00:00Z")
    assert village.json("person", "show", BEN)["credentials"] == ["legal"]
    written(village, "credential", "revoke", BEN, "legal", "--reason", "expired")
    assert "no-credential" in village("credential", "revoke", BEN, "legal", "--reason", "x", status=1).stderr


# Hours


def test_a_service_on_paper(village: Desk) -> None:
    scan = village.file("scan.jpg", b"\xff\xd8")
    body = written(
        village,
        "record",
        BEN,
        DORA,
        "--category",
        "assistance",
        "--local",
        "meals",
        *DAY,
        "--paid-by",
        "issue",
        "--paper",
        scan,
        "--rating",
        "5",
        "--minutes",
        "60",
    )
    assert (body.minutes, body.local, body.rating, body.evidence.form) == (60, "meals", 5, "paper")
    assert village.balance(BEN) == 120
    refused = village("record", BEN, BEN, "--category", "assistance", *DAY, "--paper", scan, status=1)
    assert "self-dealing" in refused.stderr


def test_a_service_that_the_recipient_confirms(village: Desk) -> None:
    dora, ben = (village.json("key", "new", "--role", role)["key"] for role in ("recipient", "volunteer"))
    village("key", "grant", dora, "--role", "recipient", "--account", DORA)
    village("key", "grant", ben, "--role", "volunteer", "--account", BEN)
    common = ("record", BEN, DORA, "--category", "assistance", *DAY, "--paid-by", "issue", "--confirm", dora)
    assert written(village, *common).evidence.form == "signed"
    entry = entry_of(village, *common, "--by", ben)
    assert (entry.by, entry.beside) == (ben, (dora,))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--paper", "scan.jpg", "--confirm", "0123456789abcdef"),
        ("--paper", "people.csv", "--by", "0123456789abcdef"),
        ("--paper", "nothing.jpg"),
        ("--paper", "people.csv", "--rating", "6"),
        ("--paper", "people.csv", "--start", "25:00"),
    ],
)
def test_a_service_that_is_told_badly(village: Desk, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.chdir(village.folder)
    result = village("record", BEN, DORA, "--category", "assistance", *DAY, *words, status=2)
    assert result.stderr.count("\n") == 1


def test_gifts_and_donations(village: Desk) -> None:
    written(village, "kin", "link", BEN, "spouse", DORA)
    written(village, "gift", BEN, DORA, "20")
    written(village, "donate", BEN, "10")
    assert [village.balance(account) for account in (BEN, DORA, "pool")] == [30, 20, 10]
    assert "not-kin" in village("gift", BEN, CLARA, "1", status=1).stderr
    for minutes, why in (("0", "it must be 1 or more, not 0"), ("-15", "it must be 1 or more, not -15")):
        assert f"'MINUTES': {why}" in village("donate", BEN, minutes, status=2).stderr
    assert "No such option '-x'" in village("donate", BEN, "5", "-x", status=2).stderr
    assert "'abc' is not a whole number" in village("donate", BEN, "abc", status=2).stderr
    own = village.json("key", "new", "--role", "volunteer")["key"]
    village("key", "grant", own, "--role", "volunteer", "--account", BEN)
    entry = entry_of(village, "donate", BEN, "10", "--by", own)
    assert (entry.by, entry.beside) == (own, ())


def test_grants_and_openings(desk: Desk) -> None:
    desk.populate()
    assert written(desk, "opening", BEN, "600", "--source", desk.file("book.pdf", "old")).minutes == 600
    written(desk, "grant", DORA, "30", "--reason", "重阳节")
    assert (desk.balance(BEN), desk.balance(DORA), desk.balance("issue")) == (600, 30, -630)
    assert "not-funded" in desk("grant", ANNE, "30", "--reason", "x", status=1).stderr


def test_corrections(village: Desk) -> None:
    index = len(village.entries()) - 1
    dispute = village.json("dispute", str(index), DORA, "--ground", "没有来过")["index"]
    resolved = entry_of(village, "resolve", str(dispute), "upheld", "--reason", "核实")
    service = village.entries()[index]
    assert not {resolved.by, *resolved.beside} & {service.by, *service.beside}
    assert village.balance(BEN) == 0
    assert "no-dispute" in village("resolve", str(index), "upheld", "--reason", "x", status=1).stderr
    for words in (("resolve", "9999", "upheld", "--reason"), ("reverse", "9999", "--reason")):
        assert "there is no entry 9999; the ledger has 10" in village(*words, "x", status=2).stderr
    assert "there is no entry 9999" in village("dispute", "9999", DORA, "--ground", "x", status=2).stderr
    assert "already-reversed" in village("reverse", str(index), "--reason", "x", status=1).stderr
    assert "dispute resolved" in village("statement", BEN).stdout


def test_who_recorded_a_service_does_not_decide_about_it(village: Desk) -> None:
    index = len(village.entries()) - 1
    dispute = village.json("dispute", str(index), DORA, "--ground", "没有来过")["index"]
    certifier = village.entries()[index].beside[0]
    words = ("resolve", str(dispute), "rejected", "--reason", "x", "--member", certifier)
    assert "had a part in recording the service" in village(*words, status=1).stderr


def test_parameters(village: Desk) -> None:
    written(village, "params", "set", "posting_days=7", 'funded_groups=["key_elder","veteran"]')
    written(village, "params", "set", "--file", village.file("more.json", '{"unit_minutes":15}'))
    shown = village.json("params", "show")
    assert shown["version"] == 2
    assert (shown["params"]["posting_days"], shown["params"]["unit_minutes"]) == (7, 15)
    assert shown["params"]["funded_groups"] == ["key_elder", "veteran"]
    assert "posting_days = 7" in village("params", "show").stdout
    for words in ((), ("posting_days",), ("posting_days=x",), ("posting_day=1",), ("posting_days=9999",)):
        assert village("params", "set", *words, status=2).stderr.count("\n") == 1


# What it says


def test_balances(village: Desk) -> None:
    assert village.json("balance", BEN) == {
        "account": BEN,
        "balance": 60,
        "held": 0,
        "status": "open",
        "unit": "minute",
        "hours": 1,
    }
    everyone = village.json("balance")
    assert [line["account"] for line in everyone] == ["issue", "pool", "bridge", "outside", ANNE, BEN, CLARA, DORA]
    assert [line["hours"] for line in everyone if line["account"] in ("issue", "outside")] == [-1, None]
    assert "60 min" in village("balance", BEN).stdout
    assert "60 分钟" in village("balance", BEN, "--lang", "zh").stdout
    assert f"there is no account {NOBODY}" in village("balance", NOBODY, status=2).stderr


def test_a_passbook(village: Desk) -> None:
    village("donate", BEN, "20", "--at", "2025-11-02T20:00:00Z")
    statement = village.json("statement", BEN)
    assert (statement["account"], statement["balance"]) == (BEN, 40)
    first, second = statement["lines"]
    assert first == {
        "index": first["index"],
        "date": "2025-11-01",
        "kind": "service",
        "other": DORA,
        "minutes": 60,
        "held": 0,
        "balance": 60,
        "balance_held": 0,
    }
    assert (second["date"], second["other"], second["minutes"], second["balance"]) == ("2025-11-03", "pool", -20, 40)
    assert "捐赠" in village("statement", BEN, "--lang", "zh").stdout
    assert village("statement", NOBODY, status=2).stderr.count("\n") == 1


def test_a_passbook_with_hours_that_wait(desk: Desk) -> None:
    desk.populate()
    desk("params", "set", "posting_days=1", "--at", "2025-11-01T00:00:00Z")
    desk("import", desk.sheet({"provider": BEN}), "--at", "2025-11-02T00:00:00Z", "--seal")
    desk("seal", "--at", "2025-11-03T00:00:00Z")
    first, second = desk.json("statement", BEN)["lines"]
    assert (first["kind"], first["minutes"], first["held"], first["balance_held"]) == ("service", 0, 60, 60)
    assert (second["kind"], second["minutes"], second["held"]) == ("seal", 60, -60)
    assert (second["date"], second["other"], second["balance"]) == ("2025-11-03", None, 60)


def test_sealing_and_receipts(village: Desk) -> None:
    sealed = village.json("seal")
    assert sealed == {"size": len(village.entries()), "height": 1}
    trust, proof, balance = (village.folder / name for name in ("trust", "proof", "balance"))
    village("trust", "-o", trust)
    village("receipt", str(sealed["size"] - 2), "-o", proof)
    village("receipt", "--balance", BEN, "-o", balance)
    for receipt in (proof, balance):
        assert json.loads(run("check-receipt", receipt, "--trust", trust, "--json").stdout)["proven"]
    assert village("receipt", "0").stdout.startswith("c2sp.org/tlog-proof@v1\n")
    promise = village("promise", "0").stdout
    assert promise.startswith(f"huzhu/accepted/v1\n{ORIGIN}\n")
    for words in (
        ("receipt",),
        ("receipt", "1", "--balance", BEN),
        ("receipt", "9999"),
        ("promise", "9999"),
        ("receipt", "-1"),
        ("receipt", "--balance", NOBODY),
        ("checkpoint", "3"),
    ):
        assert village(*words, status=2).stderr.count("\n") == 1


def test_cosigning(village: Desk) -> None:
    village("seal")
    member, other = [key["key"] for key in village.json("key", "list") if key["role"] == "member"][:2]
    note, cosigned = village.folder / "checkpoint", village.folder / "cosigned"
    village("checkpoint", "-o", note)
    key = village.home / "keys" / f"member-{member}.pem"
    run("cosign", "--checkpoint", note, "--key", key, "-o", cosigned)
    assert f"{ORIGIN}/member/{member}" in cosigned.read_text("utf-8")
    assert "signatures that are kept: 1" in village("cosign", "--checkpoint", cosigned).stderr
    assert "signatures that are kept: 1" in village("cosign", "--key", other).stderr
    run("cosign", "--checkpoint", note, "--key", key, "--name", "witness.example/w", "-o", cosigned)
    village("cosign", "--checkpoint", cosigned)
    lines = village("checkpoint").stdout
    assert all(name in lines for name in (f"/member/{member}", f"/member/{other}", "witness.example/w"))
    assert village.verify()["ok"]


def test_cosigning_that_cannot_be(village: Desk) -> None:
    junk = village.file("junk", "nothing\n")
    for words in ((), ("--checkpoint", junk), ("--checkpoint", junk, "--key", junk), ("--key", "nothing.pem")):
        assert village("cosign", *words, status=2).stderr.count("\n") == 1


def test_a_trust_file_with_the_members(village: Desk) -> None:
    village("seal")
    trust, note = village.folder / "trust", village.folder / "checkpoint"
    village("trust", "--members", "-o", trust)
    lines = [line.split() for line in trust.read_text("utf-8").splitlines()]
    assert [line[0] for line in lines] == ["log", "witness", "witness", "witness", "group", "quorum"]
    assert lines[-2:] == [["group", "members", "2", "member-1", "member-2", "member-3"], ["quorum", "members"]]
    members = [key["key"] for key in village.json("key", "list") if key["role"] == "member"]
    for member, (_word, _name, vkey) in zip(members, lines[1:4], strict=True):
        assert vkey.startswith(f"{ORIGIN}/member/{member}+")

    archive = village.home / "ledger.db"
    for member in members[:2]:
        run("verify", archive, "--trust", trust, status=1)
        village("checkpoint", "-o", note)
        village("cosign", "--checkpoint", note, "--key", member)
    assert json.loads(run("verify", archive, "--trust", trust, "--json").stdout)["trusted"]
    village("trust", "--members", "--quorum", "3", "-o", trust)
    assert "quorum.unmet" in run("verify", archive, "--trust", trust, status=1).stdout

    assert "--quorum needs --members" in village("trust", "--quorum", "2", status=2).stderr
    assert "the keys of 3 members count now" in village("trust", "--members", "--quorum", "4", status=2).stderr
    assert village("trust", "--members", "--quorum", "0", status=2).stderr.count("\n") == 1


def test_in_a_trust_file_a_member_with_two_keys_counts_once(village: Desk) -> None:
    one, two, gone = (key["key"] for key in village.json("key", "list") if key["role"] == "member")
    for _number in range(2):
        made = village.json("key", "new", "--role", "member")["key"]
        village("key", "grant", made, "--role", "member", "--account", ANNE, "--member", one, "--member", two)
    village("key", "revoke", gone, "--reason", "moved", "--member", one, "--member", two)
    lines = village("trust", "--members").stdout.splitlines()
    assert gone not in "".join(lines)
    assert [line.split()[1] for line in lines[1:5]] == ["member-1", "member-2", "member-3-1", "member-3-2"]
    assert lines[5:] == [
        "group member-3 1 member-3-1 member-3-2",
        "group members 2 member-1 member-2 member-3",
        "quorum members",
    ]


def test_a_receipt_in_peoples_words(village: Desk) -> None:
    village("import", village.sheet({"provider": BEN, "start": "11:00", "end": "11:35"}), "--seal")
    trust, balance = village.folder / "trust", village.folder / "balance"
    village("trust", "-o", trust)
    for account, english, chinese in (
        (BEN, "had 1.58 h (95 min), and 0 h (0 min) held", "有 1.58 小时（95 分钟），另有 0 小时（0 分钟）待入账"),
        ("outside", "had 0.00 yuan, and 0.00 yuan held", "有 0.00 元，另有 0.00 元待入账"),
    ):
        village("receipt", "--balance", account, "-o", balance)
        assert english in run("check-receipt", balance, "--trust", trust).stdout
        assert chinese in run("check-receipt", balance, "--trust", trust, "--lang", "zh").stdout
        plain = json.loads(run("check-receipt", balance, "--trust", trust, "--json").stdout)["balance"]
        assert plain["unit"] == ("minute" if account == BEN else "fen")


# Homes, and options before and after


def test_home_and_language_before_and_after(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "platform" in run("--home", desk.home, "balance", "issue").stdout
    assert "平台" in run("--lang", "zh", "balance", "issue", "--home", desk.home).stdout
    assert "平台" in run("balance", "issue", f"--home={desk.home}", "--lang=zh").stdout
    monkeypatch.setenv("HUZHU_HOME", str(desk.home))
    assert "platform" in run("balance", "issue").stdout
    monkeypatch.delenv("HUZHU_HOME")
    monkeypatch.chdir(desk.folder)
    assert "platform" in run("balance", "issue").stdout
    assert "there is no node" in run("balance", "--home", "elsewhere", status=2).stderr


def test_one_writer_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import cli
    from store.home import Home

    monkeypatch.setattr(cli, "LOCK_WAIT_SECONDS", 0)
    with Home(desk.home).lock():
        error = desk("seal", status=2).stderr
        assert "waiting up to 0 s" in error and "wait for it to end, or stop it" in error
        desk("balance")


def test_a_writer_waits_for_the_one_before(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.home import Home

    other = Home(desk.home).lock()
    other.__enter__()
    monkeypatch.setattr("time.sleep", lambda _seconds: other.__exit__(None, None, None))
    assert "waiting up to 10 s" in desk("seal").stderr


def test_recorded_times(desk: Desk) -> None:
    desk("seal", "--at", "2025-11-01T00:00:00Z")
    assert desk.entries()[0].at.isoformat() == BEGINNING.replace("Z", "+00:00")
    assert desk.entries()[-1].at.isoformat() == "2025-11-01T00:00:00+00:00"
    assert "is in the future" in desk("seal", "--at", "2999-01-01T00:00:00Z", status=2).stderr
    assert "note" not in desk("seal", "--at", "2025-11-02T00:00:00Z").stderr
    assert "recorded at 2025-11-02T00:00:00Z" in desk("seal", "--at", "2025-11-01T00:00:00Z").stderr
    opened = desk("person", "open", "--elder", "--at", "2025-11-01T00:00:00Z").stderr
    assert "recorded at 2025-11-02T00:00:00Z" in opened


def test_a_number_that_lost_its_zeros(village: Desk) -> None:
    for words in (("balance", CLARA.lstrip("0")), ("receipt", "--balance", CLARA.lstrip("0"))):
        village("seal")
        assert CLARA in village(*words).stdout or words[0] == "receipt"
    village("statement", CLARA.lstrip("0"))
    assert "has lost digits" in village("statement", "1234567", status=2).stderr
    assert "platform" in village("balance", "issue").stdout


def test_a_folder_that_is_not_there_is_named(village: Desk, tmp_path: Path) -> None:
    village("seal")
    nowhere = tmp_path / "none" / "file"
    for words in (
        ("trust", "-o"),
        ("receipt", "0", "-o"),
        ("checkpoint", "-o"),
        ("promise", "0", "-o"),
        ("export", "--journal"),
        ("export", "--archive"),
    ):
        error = village(*words, nowhere, status=2).stderr
        assert error == f"huzhu: there is no folder {nowhere.parent}: make it first\n"
    assert not nowhere.parent.exists()
    taken = tmp_path / "taken"
    taken.mkdir()
    assert village("export", "--journal", taken, status=2).stderr.startswith(f"huzhu: {taken}: ")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".taken")] == []


def test_what_cannot_be_verified_is_named(village: Desk, tmp_path: Path) -> None:
    assert "begins with http:// or https://" in run("verify", "ftp://x", status=2).stderr
    assert run("verify", village.home).stdout.startswith(f"Ledger {ORIGIN}")
    for number in range(1_001):
        (tmp_path / "many" / str(number)).mkdir(parents=True)
        (tmp_path / "many" / str(number) / "checkpoint").touch()
    assert "more than 1000 files" in run("verify", tmp_path / "many", status=2).stderr


def test_a_parameter_is_shown_as_it_is_to_be_written(desk: Desk) -> None:
    for value in ("county.example/huzhu+00000000+AbCd", '"county.example/huzhu+00000000+AbCd"', ""):
        said = desk("params", "set", f"trusted_logs={value}", status=2).stderr
        assert """'trusted_logs=["county.example/huzhu+""" in said, value
    assert "write posting_days=7" in desk("params", "set", "unheard_of=x", status=2).stderr
