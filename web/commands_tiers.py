"""Commands of the tiers: which ledgers belong to this one, their parameters, and sheets that others signed."""

import datetime
from gettext import gettext as _
from pathlib import Path
from typing import Any, cast

import click

from chain.encoding import format_base64
from chain.fields import format_time, is_origin
from chain.keys import SigningKey
from chain.note import parse_vkey
from ledger.bodies import OrgAdmit, OrgRetire
from ledger.tiers import TIER_BELOW
from web.command import (
    DONE,
    READS,
    WRITES_ALONE,
    WRITES_OF_TWO,
    WRONG,
    Command,
    Group,
    brought_option,
    file_argument,
    file_option,
    json_options,
    key_options,
    option,
    pass_session,
    time_options,
)
from web.desk import Accepted, DeskNode, refusal
from web.founding import override, read_overrides
from web.handdown import children, hand_to, sender, sheet_writer
from web.i18n import marked
from web.keyring import TWO, Keyring
from web.practice import refuse_practice
from web.problems import DeskError
from web.session import Session, now, say
from web.sheetfile import SHEET_FILE_MAX_BYTES, SheetFileError, parse_sheet
from web.text import TIERS, columns, named, printable, sentence

SAMPLE_VKEY = "xizhuang.example/huzhu+a702b3f8+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3_600, 86_400


@click.group(cls=Group)
def org() -> None:
    """Admit the ledgers of the tier below, and retire them."""


@org.command("admit", example=f"huzhu org admit --vkey {SAMPLE_VKEY}", takes=WRITES_OF_TWO)
@option("--vkey", metavar="VKEY", required=True, help=marked("The other node's verifier key, as its `init` prints it."))
@option("--origin", help=marked("The other ledger's name (default: that in the key)."))
@option(
    "--tier",
    type=click.Choice(tuple(TIER_BELOW.values())),
    help=marked("Which tier keeps it (default: the one below ours)."),
)
@pass_session
def org_admit(session: Session, vkey: str, origin: str | None, tier: str | None) -> int:
    """Admit a ledger of the tier below.

    From then on this node's key leads to that ledger: its entries can be proven, it is mirrored and anchored here. As
    many members sign as the ledger's threshold says. Compare the key with the other committee's paper.
    """
    name = parse_vkey(vkey).name
    refuse_practice(name)
    if origin not in (None, name):
        raise DeskError(_("the key is of {name}, not of {origin}").format(name=printable(name), origin=origin))

    def body(node: DeskNode) -> OrgAdmit:
        below = TIER_BELOW.get(node.state.tier)
        if below is None:
            raise DeskError(_("this ledger is a village's: no tier is below it"))
        return OrgAdmit(origin=name, tier=tier or below, vkey=vkey)

    return session.write(Keyring.threshold, body)


@org.command("retire", example="huzhu org retire xizhuang.example/huzhu --reason merged", takes=WRITES_OF_TWO)
@click.argument("origin")
@option("--reason", required=True, help=marked("Why."))
@pass_session
def org_retire(session: Session, origin: str, reason: str) -> int:
    """Let a ledger go, for one that ended or has a new key.

    What was proven by its admission stays proven. A ledger with a new key is admitted again after it.
    """
    if not is_origin(origin):
        raise DeskError(_("{origin} cannot name a ledger").format(origin=printable(origin)))
    return session.write(Keyring.threshold, OrgRetire(origin=origin, reason=reason))


@org.command("list", example="huzhu org list", takes=READS)
@pass_session
def org_list(session: Session) -> None:
    """List the ledgers that are admitted here, with their last anchors.

    An anchor that is old says that its node is silent, or that ours does not reach it.
    """
    with session.reading() as node:
        plain = [_plain_org(node, origin) for origin in sorted(node.state.admitted)]
    rows = [[_("ledger"), _("tier"), _("admitted by entry"), _("anchored size"), _("by entry"), _("age")]]
    for line in plain:
        seconds = line["age_seconds"]
        age = _("never anchored") if seconds is None else _age(seconds)
        places = [line["admitted_by"], line["anchored_size"], line["anchored_by"]]
        cells = ["" if place is None else str(place) for place in places]
        rows.append([line["origin"], named(TIERS, line["tier"]), *cells, age])
    session.print(plain, columns(rows, right=(2, 3, 4)))


@click.command(cls=Command, example="huzhu submit params.sheet.json", takes=WRITES_ALONE)
@file_argument("file")
@pass_session
def submit(session: Session, file: Path) -> int:
    """Write a signed sheet onto the ledger that others made.

    As `huzhu params hand-down` writes it, on a USB stick: its statements are signed already, and judged here like any
    others.
    """
    with file.open("rb") as opened:
        raw = opened.read(SHEET_FILE_MAX_BYTES + 1)
    try:
        sheet = parse_sheet(raw)
    except SheetFileError as error:
        raise DeskError(_("{path} is no signed sheet: {why}").format(path=file, why=error)) from error
    with session.writing() as (node, _keyring):
        results = node.submit(sheet)
    plain: list[dict[str, Any]] = []
    for result in results:
        refused = refusal(result)
        if refused is None:
            taken = cast(Accepted, result)
            plain.append({"accepted": True, "index": taken.index, "leaf_hash": format_base64(taken.leaf_hash)})
        else:
            text = sentence(refused.outcome, refused.detail)
            plain.append({"accepted": False, "outcome": refused.outcome, "detail": text})
    texts = [_("accepted as entry {index}").format(**each) for each in plain if each["accepted"]]
    session.print(plain, texts)
    refusals = [each for each in plain if not each["accepted"]]
    for each in refusals if not session.settings.as_json else ():
        say(_("refused ({outcome}): {text}").format(outcome=each["outcome"], text=each["detail"]))
    return WRONG if refusals else DONE


def hand_down_options() -> list[click.Parameter]:
    """Whose keys sign: those of the tier that hands down, which no home below keeps."""
    return [brought_option()]


@click.command(
    "hand-down",
    cls=Command,
    example="huzhu params hand-down --key-file official-1.pem --key-file official-2.pem -o sheets",
    takes=(json_options, time_options, hand_down_options, key_options),
)
@option("--origin", "origins", multiple=True, help=marked("Only for this ledger; can be repeated (default: all)."))
@file_option("--params", "params_file", help=marked("JSON file with parameters that differ from those of this ledger."))
@file_option("--token-file", help=marked("File whose first line is the token by which the nodes below take entries."))
@file_option(
    "-o", "--output", help=marked("Folder for one sheet file each, for `huzhu submit` (default: send them).")
)
@pass_session
def hand_down(
    session: Session, origins: tuple[str, ...], params_file: Path | None, token_file: Path | None, output: Path | None
) -> int:
    """Give the ledgers below the parameters of this one.

    Two authority keys of this tier sign, as the ledgers below know them from their beginning; they come with
    --key-file. What a ledger is at is taken from the copy that is mirrored here. One that has the parameters already
    is left alone.
    """
    with session.reading() as node:
        state = node.state
    parameters = state.parameters if params_file is None else override(read_overrides(params_file), state.parameters)
    send = sheet_writer(output) if output is not None else sender(session.home.node_settings(), token_file)
    signers, moment = _signers(session), session.at or now()
    handed = [
        hand_to(child, parameters, signers, moment, send) for child in children(session.home.mirror, state, origins)
    ]
    session.print(
        [{"origin": each.origin, "done": each.is_done, "detail": each.text} for each in handed],
        [f"{each.origin}  {each.text}" for each in handed],
    )
    return DONE if all(each.is_done for each in handed) else WRONG


def _signers(session: Session) -> list[SigningKey]:
    """The two authorities' keys."""
    passphrase = session.passphrase()
    keys = {key.id: key for key in (session.brought_key(path, passphrase) for path in session.settings.key_files)}
    if len(keys) != TWO:
        raise DeskError(_("two authority keys sign: give two different ones with --key-file"))
    return list(keys.values())


def _plain_org(node: DeskNode, origin: str) -> dict[str, Any]:
    admission, anchored = node.state.admitted[origin], node.state.anchors.get(origin)
    anchored_at: datetime.datetime | None = None if anchored is None else node.entry(anchored.index).at
    return {
        "origin": origin,
        "tier": admission.tier,
        "vkey": admission.vkey,
        "admitted_by": admission.index,
        "anchored_size": None if anchored is None else anchored.size,
        "anchored_by": None if anchored is None else anchored.index,
        "anchored_at": None if anchored_at is None else format_time(anchored_at),
        "age_seconds": None if anchored_at is None else max(0, int((now() - anchored_at).total_seconds())),
    }


def _age(seconds: int) -> str:
    if seconds < HOUR_SECONDS:
        return _("{count} min").format(count=seconds // MINUTE_SECONDS)
    if seconds < 2 * DAY_SECONDS:
        return _("{count} h").format(count=seconds // HOUR_SECONDS)
    return _("{count} d").format(count=seconds // DAY_SECONDS)
