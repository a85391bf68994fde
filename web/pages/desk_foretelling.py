"""What the rules would say of a statement before anybody signs it, whoever is still missing being assumed."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from chain.entry import Body
from ledger.roster import Key
from ledger.signing import NEEDS_SECOND, NOT_ALLOWED
from web.pages.desk_signing import REFUSED, Decision, Desk, needed


def foretell(desk: Desk, author_key: str, demand: str, bodies: Sequence[Body]) -> list[Decision | None]:
    """What the rules would say of statements if whoever is still missing signed too; None where they take it."""
    roles = needed(demand, desk.state)
    mine = desk.state.roster.keys[author_key]
    signers = [mine] if mine.role in roles else []
    answers: list[Decision | None] = []
    for body in bodies:
        chosen = _assumed(desk, roles, signers, {number for number in body.numbers() if number is not None})
        if not chosen or chosen[0].role != roles[0]:
            answers.append(Decision(0, REFUSED, outcome=NOT_ALLOWED if not signers else NEEDS_SECOND))
            continue
        (verdict,) = desk.node.judge(chosen[0].id, [key.id for key in chosen[1:]], [body])
        is_open = len(signers) < len(chosen) == len(roles) > 1
        if is_open and verdict is not None and verdict.outcome == NEEDS_SECOND:
            verdict = None  # somebody else than those assumed may be the right one
        refused = None if verdict is None else Decision(0, REFUSED, 0, verdict.outcome, verdict.detail)
        answers.append(refused)
    return answers


def _assumed(desk: Desk, roles: Sequence[str], signers: Sequence[Key], named: AbstractSet[str]) -> list[Key]:
    """Those who have signed, and others of the ledger in their place, strangers to who takes part first."""
    state, chosen, left = desk.state, list(signers), Counter(roles) - Counter(key.role for key in signers)

    def is_concerned(key: Key) -> bool:
        account = None if key.account is None else state.accounts.get(key.account)
        return key.account in named or (account is not None and not account.kin.isdisjoint(named))

    for key in sorted(state.roster.keys.values(), key=is_concerned):
        if left[key.role] and desk.counting(key.id) and all(key.person != other.person for other in chosen):
            chosen.append(key)
            left[key.role] -= 1
    return sorted(chosen, key=lambda key: key.role != roles[0])
