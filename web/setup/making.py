"""The home, made of a committee's answers: keys, first entry, users and the box of the recovery sheets, all or nothing.

Everything is written into a folder beside, which takes its place in the end by one rename. A crash before that leaves
an empty home as it was (and a folder that the next start removes), a crash after it a whole one.
"""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from chain.note import format_vkey
from ledger.founding import Founding
from store.access import Access
from store.home import Home
from web.access.who import CLERK
from web.desk import DeskNode
from web.problems import DeskError
from web.recovery import write_box
from web.session import new_key
from web.setup.answers import Answers
from web.trusting import node_keys

Create = Callable[..., None]
"""``cli.create_home``."""


def make_home(folder: Path, answers: Answers, create: Create) -> str:
    """Make it, and answer its verifier key; raises DeskError or StoreError, and then nothing is there."""
    village = answers.village
    if village is None or answers.next_step is not None:
        raise DeskError(f"a step is not done: {answers.next_step}")
    keys = [new_key() for _seat in answers.seats]
    pairs = list(zip(answers.seats, keys, strict=True))
    founding = Founding(
        origin=village.origin,
        clerks=[key for seat, key in pairs if seat.role == CLERK],
        members=[key for seat, key in pairs if seat.role != CLERK],
        threshold=answers.threshold,
        tier=village.tier,
        parent=village.parent_vkey.partition("+")[0] or None,
        parent_vkey=village.parent_vkey or None,
        authorities=village.officials,
        parameters=answers.parameters(),
    )

    vkeys: list[str] = []

    def furnish(home: Home, node: DeskNode) -> None:
        home.set_name(village.name)
        vkeys.extend(map(format_vkey, node_keys(node.state)))
        with closing(Access(home.access)) as access:
            for seat, key in pairs:
                add(access, seat.name, seat.role, village.origin, seat.hashed, key=key.id)
        if answers.passphrase is not None:
            write_box(home, answers.sheets().lock(answers.passphrase))

    create(folder, founding, answers.passphrase, furnish)
    return vkeys[0]


def add(access: Access, name: str, role: str, ledger: str, hashed: str, **more: Any) -> None:
    """A user, from now on."""
    access.add_user(name, role, ledger=ledger, password=hashed, now=int(time.time()), **more)
