"""What somebody recorded last, and what became of it."""

from typing import NamedTuple

from ledger.bodies import Service
from store.drafts import RECORDED, REFUSED
from web.access.who import Who
from web.i18n import translate as _
from web.pages.desk_again import address_again
from web.pages.desk_signing import Desk, body_of
from web.pages.desk_words import Words

LATEST_MAX = 5
SINCE_SECONDS = 7 * 86_400


class Late(NamedTuple):
    """A record of somebody's: a draft, or the entry that it has become."""

    draft: int
    body: Service
    state: str
    entry: int | None

    def told(self, words: Words) -> tuple[str, str, str]:
        """Where it is looked at, what it says, and what became of it."""
        said = words.brief(self.body)
        if self.state == RECORDED:
            return f"/desk/entries/{self.entry}", said, _("entry {index}").format(index=self.entry)
        if self.state == REFUSED:
            return address_again(self.body, words), said, _("refused: mend it")
        return f"/desk/certify#draft-{self.draft}", said, _("waits for a signature")


def latest(desk: Desk, who: Who) -> list[Late]:
    """The last services that a user recorded, the newest first."""
    since = desk.seconds - SINCE_SECONDS
    drafts = [*desk.drafts.waiting(), *desk.drafts.decided(since), *desk.drafts.decided(since, REFUSED)]
    own = sorted((each for each in drafts if each.kind == "service" and each.by.user == who.name), reverse=True)
    found = []
    for draft in own[:LATEST_MAX]:
        body = body_of(draft)
        if isinstance(body, Service):
            found.append(Late(draft.id, body, draft.state, draft.entry))
    return found
