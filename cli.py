"""The command line ``huzhu``: parse, call, print, exit status.

Commands about people are in ``web.commands_people``, about hours and corrections in ``web.commands_hours``; what all
commands share is in ``web.command``. Here are those of the ledger as a whole, and those that need more of ``node`` than
one that is open. Everything heavy is imported by the command that needs it, so that the program starts at once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from web.command import (
    ANY_ACCOUNT,
    READS,
    SEALS,
    WRITES,
    Group,
    Moment,
    Number,
    Option,
    Program,
    argument,
    file_argument,
    file_option,
    json_options,
    key_options,
    option,
    pass_session,
    progress_bar,
    signer_options,
)
from web.i18n import marked
from web.problems import DeskError

if TYPE_CHECKING:
    from web.desk import DeskNode
    from web.session import Session

TIERS = ("village", "township", "county", "city")
BY_DATE = "date"
LOCK_WAIT_SECONDS, LOCK_TICK_SECONDS = 10, 0.1


def open_node(folder: Path, passphrase: bytes | None = None, *, writes: bool) -> "AbstractContextManager[DeskNode]":
    """The node in a home: ``node.Node.open``."""
    from node import Node

    return Node.open(folder, passphrase, writes=writes, waits=waits)


def open_shared(folder: Path, passphrase: bytes | None) -> Any:
    """The node that a service shares with other commands: ``node.SharedNode``."""
    from node import SharedNode

    return SharedNode(folder, passphrase)


def create_home(
    folder: Path,
    founding: Any,
    passphrase: bytes | None,
    furnish: Callable[[Any, Any], None] = lambda _home, _node: None,
) -> None:
    """A new ledger in a home of its own: ``node.Node.create``."""
    from node import Node

    Node.create(folder, founding, passphrase, furnish=furnish)


def waits() -> Iterator[None]:
    """Seconds in which another process may end that writes the home."""
    from web.session import say

    text = _("another process writes this ledger; waiting up to {seconds} s for it to end")
    say(text.format(seconds=LOCK_WAIT_SECONDS))
    for _tick in range(int(LOCK_WAIT_SECONDS / LOCK_TICK_SECONDS)):
        time.sleep(LOCK_TICK_SECONDS)
        yield


@click.group(
    "huzhu",
    cls=Program,
    lazy={
        "alarms": "web.commands_mirror:alarms",
        "assessment": "web.commands_quality:assessment",
        "balances": "web.commands_questions:balances",
        "case": "web.commands_cases:case",
        "check-fork": "web.commands_witness:check_fork",
        "check-receipt": "web.auditing:check_receipt",
        "coupon": "web.commands_coupons:coupon",
        "credential": "web.commands_people:credential",
        "dispute": "web.commands_hours:dispute",
        "donate": "web.commands_hours:donate",
        "fund": "web.commands_funds:fund",
        "gift": "web.commands_hours:gift",
        "grant": "web.commands_hours:grant",
        "inspection": "web.commands_quality:inspection",
        "institution": "web.commands_quality:institution",
        "join": "web.commands_reports:join",
        "kin": "web.commands_people:kin",
        "ledgers": "web.commands_questions:ledgers",
        "looks": "web.commands_access:looks",
        "mirror": "web.commands_mirror:mirror",
        "objections": "web.commands_services:objections",
        "oldbook": "web.commands_oldbook:oldbook",
        "opening": "web.commands_hours:opening",
        "org": "web.commands_tiers:org",
        "params": "web.commands_hours:params",
        "passphrase": "web.commands_recovery:passphrase",
        "person": "web.commands_people:person",
        "practice": "web.commands_recovery:practice",
        "public-list": "web.commands_cases:public_list",
        "receive": "web.commands_mirror:receive",
        "record": "web.commands_hours:record",
        "recover": "web.commands_recovery:recover",
        "recovery": "web.commands_recovery:recovery",
        "report": "web.commands_reports:report",
        "resolve": "web.commands_hours:resolve",
        "restore": "web.commands_restore:restore",
        "reverse": "web.commands_hours:reverse",
        "risk": "web.commands_quality:risk",
        "sanction": "web.commands_cases:sanction",
        "serve": "web.commands_serve:serve",
        "services": "web.commands_services:services",
        "submit": "web.commands_tiers:submit",
        "supply-demand": "web.commands_questions:supply_demand",
        "suspicions": "web.auditing:suspicions",
        "tend": "web.commands_mirror:tend",
        "token": "web.commands_access:token",
        "transfer": "web.commands_transfers:transfer",
        "user": "web.commands_access:user",
        "verify": "web.auditing:verify",
        "witness": "web.commands_witness:witness",
    },
)
@click.version_option(package_name="huzhu", cls=Option, help=marked("Show the version and exit."))
@click.pass_context
def main(context: click.Context) -> None:
    """Huzhu (互助): a time-bank ledger that anyone can check."""
    context.obj = open_node
    context.meta["huzhu.shared"] = open_shared
    context.meta["huzhu.create"] = create_home


@main.command(example="huzhu init --origin liuduhe.example/huzhu", takes=(json_options, *SEALS))
@option("--origin", required=True, help=marked("The ledger's name, for ever: a domain name and a path."))
@option("--tier", type=click.Choice(TIERS), default="village", help=marked("Which tier keeps it."), show_default=True)
@option(
    "--members",
    "member_count",
    type=Number(min=2),
    default=3,
    show_default=True,
    help=marked("How many committee members' keys to make."),
)
@option(
    "--clerks",
    "clerk_count",
    type=Number(min=1),
    default=1,
    show_default=True,
    help=marked("How many clerks' keys to make."),
)
@option(
    "--threshold",
    type=Number(min=2),
    default=2,
    show_default=True,
    help=marked("How many members must sign together for what is grave."),
)
@option("--name", metavar="TEXT", help=marked("What people call it: pages and papers show that beside the origin."))
@option("--parent", metavar="VKEY", help=marked("Verifier key of the tier above; needs --authority."))
@file_option("--authority", help=marked("File with the public keys of the tier above, one a line."))
@file_option("--params", "params_file", help=marked("JSON file with parameters that differ from the defaults."))
@pass_session
def init(
    session: "Session",
    origin: str,
    tier: Any,
    member_count: int,
    clerk_count: int,
    threshold: int,
    name: str | None,
    parent: str | None,
    authority: Path | None,
    params_file: Path | None,
) -> None:
    """Begin a new ledger.

    Makes its keys, writes genesis and the first seal, and prints the verifier key, by which everyone checks this
    ledger, and the key ids. Give a passphrase: whoever has the keys can write.
    """
    from chain.fields import is_origin
    from chain.note import format_vkey, parse_vkey
    from ledger.parameters import DEFAULTS
    from node import Founding, Node
    from store.settings import NAME_MAX_CHARACTERS, is_name
    from web.founding import override, read_authorities, read_overrides
    from web.session import new_key, say

    if not is_origin(origin):
        raise DeskError(
            _("{origin} cannot name a ledger: write a domain name, and a path in small letters").format(origin=origin)
        )
    if name is not None and not is_name(name):
        raise DeskError(_("--name takes one line of at most {most} characters").format(most=NAME_MAX_CHARACTERS))
    above = None if parent is None else parse_vkey(parent)
    founding = Founding(
        origin=origin,
        clerks=[new_key() for _number in range(clerk_count)],
        members=[new_key() for _number in range(member_count)],
        threshold=threshold,
        tier=tier,
        parent=None if above is None else above.name,
        parent_vkey=parent,
        authorities=[] if authority is None else read_authorities(authority),
        parameters=DEFAULTS if params_file is None else override(read_overrides(params_file)),
        at=session.at,
    )
    passphrase = session.new_passphrase()
    Node.create(
        session.home.folder, founding, passphrase, furnish=lambda home, _node: home.set_name(name) if name else None
    )
    with session.reading() as node:
        vkey = format_vkey(node.vkey)
    clerks, members = sorted(key.id for key in founding.clerks), sorted(key.id for key in founding.members)
    session.print(
        {
            "origin": origin,
            "home": str(session.home.folder),
            "vkey": vkey,
            "clerks": clerks,
            "members": members,
            "encrypted": passphrase is not None,
        },
        [f"vkey    {vkey}", *(f"clerk   {key}" for key in clerks), *(f"member  {key}" for key in members)],
    )
    if passphrase is None:
        warning = _("WARNING: the keys in {folder} are NOT encrypted. Whoever reads these files can write the ledger.")
        say(warning.format(folder=session.home.keys))


@main.group(
    cls=Group,
    lazy={
        "grant": "web.commands_people:key_grant",
        "import": "web.commands_keys:key_import",
        "list": "web.commands_people:key_list",
        "new": "web.commands_people:key_new",
        "revoke": "web.commands_people:key_revoke",
    },
)
def key() -> None:
    """Make keys, grant and revoke them."""


@key.command("rotate", example="huzhu key rotate", takes=WRITES)
@pass_session
def key_rotate(session: "Session") -> None:
    """Give the node new keys.

    For when the old ones may be known to others: they sign nothing from then on. As many members sign as the
    ledger's threshold says, and the block is sealed under the new key. Prints the new verifier key, and the first one,
    which stays the one to pin.
    """
    from chain.note import format_vkey
    from node import Node
    from web.session import say
    from web.trusting import node_keys

    passphrase = session.passphrase()
    with session.reading() as node:
        pair = session.keyring(node, passphrase).threshold()
    key_id = Node.rotate(session.home.folder, [pair.author, *pair.beside], passphrase, session.at, waits=waits)
    with session.reading() as node:
        first, new = map(format_vkey, node_keys(node.state))
    session.print({"key": key_id, "vkey": new, "pinned": first}, [f"vkey    {new}", f"pinned  {first}"])
    say(_("Give auditors the new key only beside the first, which stays the one to pin: `huzhu trust` writes both."))
    backup = _("Back up {folder} again: the node's key in older copies signs nothing more.")
    say(backup.format(folder=session.home.keys))


@main.command(
    "import", example="huzhu import 2025-11.csv --seal-by date", takes=(json_options, signer_options, key_options)
)
@file_argument("file")
@option("--seal-by", type=click.Choice([BY_DATE]), help=marked("Close a block for each date."))
@option("--seal", "and_seal", is_flag=True, help=marked("Close the block after the last row."))
@option(
    "--at",
    type=Moment(BY_DATE),
    help=marked("The recorded time; `date`, with --seal-by date only, takes the end of each row's day, to carry over."),
)
@option("--resume", is_flag=True, help=marked("Go on with a file of which rows are on the ledger already."))
@option("--again", is_flag=True, help=marked("Write all rows once more, although they are on the ledger already."))
@pass_session
def import_(
    session: "Session", file: Path, seal_by: str | None, and_seal: bool, at: Any, resume: bool, again: bool
) -> int:
    """Write a day-sheet file onto the ledger.

    Good rows go in; those that are refused stand in NAME.refused.csv beside it, with the reason, and the exit status
    is 1. The first line names the columns: date, start, end, provider, recipient, category, local, minutes, paid_by,
    evidence, coupon, recorder, certifier, remark.
    """
    from web.importing import Again, ImportOrder, import_sheets
    from web.session import now

    if at == BY_DATE and seal_by is None:
        raise click.UsageError(_("--at date needs --seal-by date"))
    if resume and again:
        raise click.UsageError(_("choose one of --resume and --again"))
    mode = Again.RESUME if resume else Again.REPEAT if again else Again.REFUSE
    at_date = at == BY_DATE
    order = ImportOrder(mode, seal_by is not None, and_seal, None if at_date else at, at_date)
    with session.writing() as (node, keyring), progress_bar() as progress:
        summary = import_sheets(node, keyring, file, order, now, progress)
    return session.report_import(summary)


@main.command(example="huzhu seal", takes=(json_options, *SEALS))
@pass_session
def seal(session: "Session") -> None:
    """Close the block and sign the checkpoint."""
    with session.writing() as (node, _keyring):
        size = node.seal(session.at)
        height = node.state.height - 1
        session.say_time(node.state.sealed_at)
    session.print(
        {"size": size, "height": height},
        [_("block {height} is sealed; the ledger has {size} entries").format(height=height, size=size)],
    )


@main.command(example="huzhu balance", takes=READS)
@argument("account", type=ANY_ACCOUNT, required=False)
@pass_session
def balance(session: "Session", account: str | None) -> None:
    """Show what an account has, or all of them."""
    from web.text import balance_lines, plain_balance

    with session.reading() as node:
        balances = node.balances() if account is None else [session.known(node.balance(account), account)]
    plain = [plain_balance(each) for each in balances]
    session.print(plain if account is None else plain[0], balance_lines(balances))


@main.command(example="huzhu statement 12345676", takes=READS)
@argument("account", type=ANY_ACCOUNT)
@pass_session
def statement(session: "Session", account: str) -> None:
    """Print a passbook.

    Each line has date, other side, minutes, balance and entry index.
    """
    from web.passbook import passbook, passbook_lines, plain_line
    from web.text import plain_balance

    with session.reading() as node:
        found = session.known(node.balance(account), account)
        lines = list(passbook(node, account))
    session.print(plain_balance(found) | {"lines": [plain_line(line) for line in lines]}, passbook_lines(lines))


@main.command(example="huzhu receipt 2 -o 2.tlog-proof")
@argument("index", type=Number(min=0), required=False)
@option("--balance", "account", type=ANY_ACCOUNT, help=marked("A receipt of this account's balance instead."))
@option("--to-root", is_flag=True, help=marked("Lead from the entry to the root, by what the nodes above anchored."))
@file_option("-o", "--output", help=marked("Where to write it (default: stdout)."))
@pass_session
def receipt(
    session: "Session", index: int | None, account: str | None, to_root: bool, output: Path | None
) -> None:
    """Write a receipt of an entry or of a balance.

    Anyone can check it without this node: `huzhu check-receipt`. With --to-root the nodes above are asked, and whoever
    checks it needs the key of the root alone.
    """
    if (index is None) == (account is None) or (to_root and index is None):
        raise click.UsageError(_("give either an entry's INDEX or --balance ACCOUNT"))
    if to_root:
        from web.tending import receipt_to_root

        session.put(receipt_to_root(session, index or 0), output)
        return
    with session.reading() as node:
        raw = node.balance_receipt(account) if account is not None else node.receipt(index or 0)
    session.put(raw, output)


@main.command(example="huzhu promise 2 -o 2.promise", takes=(key_options,))
@argument("index", type=Number(min=0))
@file_option("-o", "--output", help=marked("Where to write it (default: stdout)."))
@pass_session
def promise(session: "Session", index: int, output: Path | None) -> None:
    """Write the node's promise that an entry stays.

    It is good at once, before the next seal; a ledger that later holds something else there is caught by it.
    """
    from web.session import known_index

    with session.writing() as (node, _keyring):
        raw = node.promise(known_index(node, index))
    session.put(raw, output)


@main.command(example="huzhu trust --members -o trust.policy")
@option("--members", is_flag=True, help=marked("The newest checkpoint must be cosigned by members too."))
@option("--quorum", metavar="K", type=Number(min=1), help=marked("How many (default: the ledger's threshold)."))
@file_option(
    "--witness",
    "witnesses",
    multiple=True,
    help=marked("A witness's lines, as its `huzhu witness show` prints them; can be repeated."),
)
@option(
    "--witness-quorum",
    metavar="K",
    type=Number(min=1),
    help=marked("How many of the witnesses must have cosigned (default: all)."),
)
@option("--url", help=marked("Address below which this ledger's files lie, to stand in its lines."))
@file_option("-o", "--output", help=marked("Where to write it (default: stdout)."))
@pass_session
def trust(
    session: "Session",
    members: bool,
    quorum: int | None,
    witnesses: tuple[Path, ...],
    witness_quorum: int | None,
    url: str | None,
    output: Path | None,
) -> None:
    """Write a trust file for auditors, and for this node.

    It is a tlog-policy with this ledger's verifier key; with --members, the cosigner key of every member whose key
    counts now, and how many must have cosigned; with --witness, the same of witnesses. A node whose `node.toml` names
    the file as its `trust` asks the witnesses that have an address there.
    """
    from chain.policy import format_policy
    from web.session import now
    from web.trusting import trust_in_members, trust_in_node, with_address, with_witnesses
    from web.witnessing import checked_url, read_trust

    if quorum is not None and not members:
        raise click.UsageError(_("--quorum needs --members"))
    if witness_quorum is not None and not witnesses:
        raise click.UsageError(_("--witness-quorum needs --witness"))
    with session.reading() as node:
        policy = trust_in_members(node.state, now(), quorum) if members else trust_in_node(node.state)
    if witnesses:
        policy = with_witnesses(policy, [read_trust(path) for path in witnesses], witness_quorum)
    if url is not None:
        policy = with_address(policy, checked_url(url))
    session.put(format_policy(policy), output)


@main.command(example="huzhu checkpoint -o checkpoint")
@argument("size", type=Number(min=0), required=False)
@file_option("-o", "--output", help=marked("Where to write it (default: stdout)."))
@pass_session
def checkpoint(session: "Session", size: int | None, output: Path | None) -> None:
    """Write a checkpoint, to keep or to have cosigned.

    It is the newest one, or that of SIZE.
    """
    with session.reading() as node:
        raw = node.checkpoint(size)
    session.put(raw, output)


@main.command(example="huzhu cosign --checkpoint checkpoint --key member.pem -o cosigned", takes=(key_options,))
@file_option("--checkpoint", "file", help=marked("The checkpoint (default: the newest one of the home)."))
@option("--key", metavar="KEY", help=marked("Whose key signs: a key file, or the id of a key kept in the home."))
@option("--name", help=marked("A witness's own cosigner name (default: that of a committee member)."))
@file_option("-o", "--output", help=marked("Where to write the cosigned checkpoint (default: into the home)."))
@pass_session
def cosign(session: "Session", file: Path | None, key: str | None, name: str | None, output: Path | None) -> None:
    """Cosign a checkpoint, or take cosignatures over.

    With --key a member or witness signs. Without -o, the home keeps the cosignatures for every copy and receipt that
    it hands out from then on. Cosign only what goes on from the last checkpoint that you saw: compare the sizes.
    """
    from web.cosigning import add_cosignature, read_checkpoint
    from web.session import now, say

    if file is None and key is None:
        raise click.UsageError(_("give --checkpoint, --key, or both"))
    if file is None:
        with session.reading() as node:
            raw = node.checkpoint()
    else:
        raw = read_checkpoint(file)
    if key is not None:
        raw = add_cosignature(raw, session.person_key(key), name, int(now().timestamp()))
    if output is not None:
        session.put(raw, output)
        return
    with session.writing() as (node, _keyring):
        count = node.cosign(raw)
    say(_("new signatures that are kept: {count}").format(count=count))


@main.command(example="huzhu export --archive liuduhe.db")
@file_option("--archive", help=marked("Copy the archive, one SQLite file, to here."))
@file_option("--tiles", help=marked("Write the static files of tlog-tiles below this folder."))
@file_option("--journal", help=marked("Write a journal that hledger reads; - is stdout."))
@pass_session
def export(session: "Session", archive: Path | None, tiles: Path | None, journal: Path | None) -> None:
    """Copy the ledger out.

    For an auditor an archive, for a static site tiles, for an accountant a journal.
    """
    from web.export import copy_archive, export_tiles, write_journal
    from web.session import say

    if archive is tiles is journal is None:
        raise click.UsageError(_("give --archive, --tiles or --journal"))
    with session.reading() as node, progress_bar() as progress:
        if archive is not None:
            copy_archive(node, archive)
            say(_("the archive is in {path}").format(path=archive))
        if tiles is not None:
            say(_("the tiles are in {path}").format(path=export_tiles(node, tiles, progress)))
        if journal is not None:
            write_journal(node, journal)


if __name__ == "__main__":
    main()
