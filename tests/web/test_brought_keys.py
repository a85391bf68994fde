"""Keys that the tier above brings to the village's desk, to sign there and to take away again."""

from pathlib import Path

import pytest

from store.home import Home
from tests.web.desk import CLARA, ORIGIN, Desk


def officials(folder: Path, passphrase: str | None = None) -> tuple[str, str, list[str]]:
    """The township's verifier key, the public keys of two officials, and the words that name their key files."""
    above = Desk(folder / "above")
    above.folder.mkdir()
    vkey = above.json("init", "--origin", "township.example/huzhu", "--tier", "township")["vkey"]
    protected: list[str | Path] = ["--passphrase-file", above.file("pass", passphrase)] if passphrase else []
    files = [above.folder / f"official-{place}.pem" for place in (1, 2)]
    made = [above.json("key", "new", "--role", "authority", "-o", file, *protected) for file in files]
    words = [word for file in files for word in ("--key-file", str(file))]
    return vkey, "".join(f"{key['public']}\n" for key in made), words


def village(folder: Path, vkey: str, publics: str) -> Desk:
    desk = Desk(folder)
    desk.init("--origin", ORIGIN, "--parent", vkey, "--authority", desk.file("officials.txt", publics))
    return desk


def test_brought_keys_sign_and_are_not_kept(tmp_path: Path) -> None:
    vkey, publics, brought = officials(tmp_path)
    desk = village(tmp_path, vkey, publics)
    elder = {"account": CLARA, "born": "1940-02-29", "roles": "elder", "funded": "key_elder"}
    people = desk.people(elder)
    without = desk("person", "import", people, status=2)
    assert "--key-file" in without.stderr
    assert without.stderr.count("\n") == 1
    desk("person", "import", people, *brought)
    desk("grant", CLARA, "60", "--reason", "x", *brought)
    assert desk.balance(CLARA) == 60
    assert not list((desk.home / "keys").glob("authority-*"))
    assert desk.verify()["ok"]


def test_a_key_of_nobody_here_is_not_taken(tmp_path: Path) -> None:
    vkey, publics, _brought = officials(tmp_path)
    desk = village(tmp_path, vkey, publics)
    stranger = tmp_path / "stranger.pem"
    desk("key", "new", "--role", "authority", "-o", stranger)
    refused = desk("params", "set", "posting_days=1", "--key-file", stranger, status=2)
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"no key", b"x" * 100_000])
def test_a_file_that_holds_no_key(tmp_path: Path, content: bytes) -> None:
    desk = Desk(tmp_path)
    desk.init()
    refused = desk("params", "set", "posting_days=1", "--key-file", desk.file("bad.pem", content), status=2)
    assert "bad.pem" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_under_another_passphrase_without_a_terminal(tmp_path: Path) -> None:
    vkey, publics, brought = officials(tmp_path, "a secret of the township")
    desk = village(tmp_path, vkey, publics)
    refused = desk("params", "set", "posting_days=1", *brought, status=2)
    assert "official-1.pem" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_under_another_passphrase_the_terminal_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vkey, publics, brought = officials(tmp_path, "a secret of the township")
    desk = village(tmp_path, vkey, publics)
    monkeypatch.setattr("web.session.is_terminal", lambda: True)
    typed = "\n".join(["a secret of the township"] * 2) + "\n"
    desk("params", "set", "posting_days=1", *brought, stdin=typed)
    assert desk.json("params", "show")["params"]["posting_days"] == 1


def imported(folder: Path, passphrase: str | None = None) -> tuple[Desk, Path]:
    """A village that knows an official's key, and the file in which that lies."""
    vkey, publics, brought = officials(folder, passphrase)
    return village(folder, vkey, publics), Path(brought[1])


def test_an_imported_key_is_kept_and_signs_on_the_pages(tmp_path: Path) -> None:
    desk, file = imported(tmp_path)
    key = Home(desk.home).signing_key(file, None).id
    refused = desk("user", "add", "li", "--role", "supervisor", "--signs-with", key, "--no-password", status=2)
    assert "huzhu key import" in refused.stderr
    assert desk.json("key", "import", file) == {"key": key, "role": "authority"}
    kept = desk.home / "keys" / f"authority-{key}.pem"
    assert kept.stat().st_mode & 0o777 == 0o600 and file.exists()
    assert [each["key"] for each in desk.json("key", "list") if each["kept"] and each["role"] == "authority"] == [key]
    desk("user", "add", "li", "--role", "supervisor", "--signs-with", key, "--no-password")
    before = kept.read_bytes()
    assert "already" in desk("key", "import", file, status=2).stderr
    assert kept.read_bytes() == before


def test_an_imported_key_comes_under_the_passphrase_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, file = imported(tmp_path, "a secret of the township")
    own = desk.file("own.txt", "apples in autumn\n")
    desk("passphrase", "--new-passphrase-file", own)
    assert "official-1.pem" in desk("key", "import", file, "--passphrase-file", own, status=2).stderr
    monkeypatch.setattr("web.session.is_terminal", lambda: True)
    typed = "a secret of the township\n"
    desk("key", "import", file, "--passphrase-file", own, stdin=typed)
    (kept,) = (desk.home / "keys").glob("authority-*.pem")
    home = Home(desk.home)
    assert home.signing_key(kept, b"apples in autumn") == home.signing_key(file, b"a secret of the township")


def test_what_is_not_imported(tmp_path: Path) -> None:
    desk, _file = imported(tmp_path)
    stranger = tmp_path / "stranger.pem"
    desk("key", "new", "--role", "authority", "-o", stranger)
    gone = tmp_path / "gone.pem"
    gone.write_bytes(stranger.read_bytes())
    wrong: list[tuple[Path | str, str]] = [
        (stranger, "huzhu key grant"),
        (desk.home / "keys" / "node.pem", "of the node itself"),
        (desk.file("bad.pem", b"no key"), "bad.pem"),
        (desk.folder, "cannot be read"),
    ]
    for path, told in wrong:
        refused = desk("key", "import", path, status=2)
        assert told in refused.stderr and refused.stderr.count("\n") == 1, path
    role = desk.json("key", "new", "--role", "clerk")
    desk("key", "grant", role["key"], "--role", "clerk")
    (desk.home / "keys" / f"clerk-{role['key']}.pem").rename(gone)
    desk("key", "revoke", role["key"], "--reason", "lost")
    assert "counts no more" in desk("key", "import", gone, status=2).stderr
    assert not list((desk.home / "keys").glob("authority-*"))
