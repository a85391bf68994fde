"""Commands that find services again: those of one person, and those that somebody objects to."""

from gettext import gettext as _
from typing import Any

import click

from ledger.bodies import Dispute, Service
from web.command import READS, Cell, Command, argument, pass_session
from web.daysheet import parse_account
from web.desk import DeskNode
from web.history import Past, past
from web.problems import DeskError
from web.session import Session
from web.text import columns, printable


@click.command(cls=Command, example="huzhu services 87654342", takes=READS)
@argument("account", type=Cell("ACCOUNT", parse_account))
@pass_session
def services(session: Session, account: str) -> None:
    """List the services that a person gave or received.

    With the number of each entry, which `huzhu dispute` takes; whoever paid for them.
    """
    with session.reading() as node:
        if account not in node.state.accounts:
            raise DeskError(_("there is no account {number}").format(number=account))
        entries = (past(node, leg.entry_index) for leg in node.legs(account))
        found = [each for each in entries if isinstance(each.body, Service)]
        states = [_state(node, each.index) for each in found]
    rows = [[_("entry"), _("date"), _("provider"), _("recipient"), _("minutes"), ""]]
    for each, (_code, word) in zip(found, states, strict=True):
        body: Service = each.body
        rows.append([str(each.index), each.date, body.provider, body.recipient, str(body.minutes), word])
    plain = [each.plain() | {"state": code} for each, (code, _word) in zip(found, states, strict=True)]
    session.print(plain, columns(rows, right=(0, 4)))


@click.command(cls=Command, example="huzhu objections", takes=READS)
@pass_session
def objections(session: Session) -> None:
    """List the objections that nobody has decided yet.

    The first number is that of the objection, which `huzhu resolve` takes.
    """
    with session.reading() as node:
        open_ones = sorted(node.state.objections.values(), key=lambda each: each.index)
        found = [(past(node, each.index), past(node, each.service)) for each in open_ones]
    rows = [[_("entry"), _("date"), _("by"), _("service"), _("provider"), _("recipient"), _("ground")]]
    rows += [_objection_row(dispute, service) for dispute, service in found]
    session.print([_plain_objection(*each) for each in found], columns(rows, right=(0, 3)))


def _objection_row(dispute: Past, service: Past) -> list[str]:
    ground = printable(dispute.body.ground)
    people = [service.body.provider, service.body.recipient]
    return [str(dispute.index), dispute.date, dispute.body.party, str(service.index), *people, ground]


def _plain_objection(dispute: Past, service: Past) -> dict[str, Any]:
    body: Dispute = dispute.body
    told = {"dispute": dispute.index, "date": dispute.date, "party": body.party, "ground": body.ground}
    return told | {"service": service.plain()}


def _state(node: DeskNode, index: int) -> tuple[str, str]:
    """What has become of a service: as JSON says it, and as people do."""
    if index in node.state.reversed:
        return "reversed", _("reversed")
    if index in node.state.objections:
        return "disputed", _("objected to")
    return ("held", _("held")) if index in node.state.credits else ("standing", "")
