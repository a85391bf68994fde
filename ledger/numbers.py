"""Account numbers: six digits and two check digits by ISO 7064 MOD 97-10 (RULES §2)."""

from chain.fields import ACCOUNT_DIGITS, is_account_number, is_origin

ISSUE, POOL, BRIDGE, OUTSIDE = "issue", "pool", "bridge", "outside"
SYSTEM_ACCOUNTS = (ISSUE, POOL, BRIDGE, OUTSIDE)
MINUTE, FEN = "minute", "fen"

SIX_DIGITS = 1_000_000


def has_check_digits(number: str) -> bool:
    """Whether eight digits end in the right check digits: the number is 1 modulo 97."""
    return int(number) % 97 == 1


def account_number(six_digits: int) -> str:
    """The account number that begins with the six digits 0…999,999."""
    return f"{six_digits:06d}{98 - six_digits * 100 % 97:02d}"


ADDRESS_SEPARATOR = "#"


def format_address(origin: str, number: str) -> str:
    """An account of another ledger, as ``transfer_out`` names it: ``origin#account``."""
    return f"{origin}{ADDRESS_SEPARATOR}{number}"


def parse_address(text: str) -> tuple[str, str] | None:
    """The origin and the account number that ``format_address`` joined, or None for any other text."""
    origin, _, number = text.partition(ADDRESS_SEPARATOR)
    if not is_origin(origin) or len(number) != ACCOUNT_DIGITS or not is_account_number(number):
        return None
    return (origin, number) if has_check_digits(number) else None


def fund_number(fund: str) -> str:
    """The account of the fund with that code."""
    return f"fund-{fund}"
