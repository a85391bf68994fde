"""What the pages of people call things: looks, kin, credentials, groups, the ends of accounts."""

from collections.abc import Mapping

from web.i18n import marked
from web.i18n import translate as _

PERSON, DOSSIER = "person", "dossier"
"""What somebody was shown, in the record of looks."""
RELATIONS = {
    "spouse": marked("husband or wife"),
    "parent": marked("father or mother"),
    "grandparent": marked("grandfather or grandmother"),
    "child": marked("son or daughter"),
    "grandchild": marked("grandchild"),
    "parent_in_law": marked("father- or mother-in-law"),
}
SCOPES = {
    "legal": marked("law"),
    "finance": marked("finance and fraud prevention"),
    "medical": marked("medicine and nursing"),
    "first_aid": marked("first aid"),
    "care": marked("care of the elderly"),
    "psychology": marked("psychology"),
}
GROUPS = {"key_elder": marked("elders whom the platform pays for")}
"""Whose hours others pay for."""
CLOSINGS = {"moved": marked("moved away"), "died": marked("died"), "asked": marked("asked for it")}


def worded(words: Mapping[str, str], code: str) -> str:
    """A code in people's words; one that a city has added as it is."""
    return _(words[code]) if code in words else code
