"""What the API of sessions and tokens takes and answers, as its description tells."""

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from web.access.limits import LABEL_MAX_CHARACTERS, LIMITS
from web.access.passwords import PASSWORD_MAX_CHARACTERS, PASSWORD_MIN_CHARACTERS
from web.access.who import NAME_MAX_CHARACTERS, SCOPES

Scope = Literal["read", "submit", "admin"]
Role = Literal["clerk", "member", "supervisor", "auditor", "person"]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=LABEL_MAX_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Time = Annotated[
    datetime.datetime, Field(description="UTC, whole seconds (RFC 3339).", examples=["2026-11-21T09:30:00Z"])
]


class Model(BaseModel):
    """Takes no field that it does not know: nobody can ask for a role by naming one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Credentials(Model):
    """Name and password."""

    name: str = Field(
        description="The user's name, as `huzhu user add` took it.",
        examples=["wang"],
        max_length=4 * NAME_MAX_CHARACTERS,
    )
    password: SecretStr = Field(
        description="The password. It is not kept, and stands in no log.",
        examples=["five yellow persimmons"],
        max_length=PASSWORD_MAX_CHARACTERS,
    )


class PasswordChange(Model):
    """The password that was, and the one that is to be."""

    old: SecretStr = Field(
        description="The password until now.", examples=["five yellow persimmons"], max_length=PASSWORD_MAX_CHARACTERS
    )
    new: SecretStr = Field(
        description=f"The password from now on: {PASSWORD_MIN_CHARACTERS} characters or more, and not the name.",
        examples=["six green persimmons"],
        max_length=PASSWORD_MAX_CHARACTERS,
    )


class Signed(Model):
    """Who is signed in."""

    name: str = Field(description="The user's name.", examples=["wang"])
    role: Role = Field(description="What the user may see.", examples=["clerk"])
    ledger: str = Field(
        description="Origin of the user's ledger, for a supervisor of the one at the top; empty: every ledger.",
        examples=["liuduhe.example/huzhu"],
    )
    account: str = Field(description="A person's account number; else empty.", examples=[""])
    scopes: list[Scope] = Field(description="What may be done now.", examples=[["read", "submit"]])
    by: Literal["session", "token"] = Field(description="How the user showed who it is.", examples=["session"])
    must_choose: bool = Field(
        description="Whether somebody else made the password, and nothing is open before it is changed.",
        examples=[False],
    )
    expires_at: Time = Field(description="When session or token ends at the latest, UTC.")


class TokenWanted(Model):
    """A token to be made."""

    label: Label = Field(default="", description="What it is for.", examples=["monthly figures"])
    scopes: list[Scope] = Field(
        description="What it may do; nothing that its user may not do.",
        examples=[["read"]],
        min_length=1,
        max_length=len(SCOPES),
    )
    days: int = Field(description="Days until it expires.", examples=[90], ge=1, le=LIMITS.token_days_max)


class TokenListed(Model):
    """A token, as it is listed."""

    id: int = Field(description="Its number, by which it is revoked.", examples=[7])
    label: str = Field(description="What it is for.", examples=["monthly figures"])
    scopes: list[Scope] = Field(description="What it may do.", examples=[["read"]])
    created_at: Time = Field(description="When it was made, UTC.")
    expires_at: Time = Field(description="When it ends, UTC.")


class TokenMade(TokenListed):
    """A token that was made: shown this once."""

    token: str = Field(
        description="The token itself, for `Authorization: Bearer …`. It is shown once, and kept nowhere.",
        examples=["hz_" + "x" * 43],
    )


class TokensListed(Model):
    """All tokens of a user."""

    tokens: list[TokenListed] = Field(
        description="The oldest first; at most 100.",
        examples=[
            [
                {
                    "id": 7,
                    "label": "monthly figures",
                    "scopes": ["read"],
                    "created_at": "2026-11-21T09:30:00Z",
                    "expires_at": "2027-02-19T09:30:00Z",
                }
            ]
        ],
    )
