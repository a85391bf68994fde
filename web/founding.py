"""What a new ledger is told besides its name: parameters that differ from the defaults, and the tier above."""

import json
from gettext import gettext as _
from pathlib import Path
from typing import Any

from chain.encoding import parse_base64
from chain.errors import NoteError
from chain.keys import PUBLIC_KEY_BYTES
from chain.note import parse_vkey
from ledger.parameters import DEFAULTS, NAMES, Parameters, format_parameters, parse_parameters
from web.problems import DeskError
from web.wording import worded

FILE_MAX_BYTES = 1 << 20
VKEY_PLUSES = 2
EXAMPLES = {"trusted_logs": ["county.example/huzhu+c8a1b2f0+AbCd…=", "city.example/huzhu+…"]}
"""Of parameters whose default is empty: verifier keys, as `huzhu trust` prints them behind `log`."""


def read_overrides(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises DeskError."""
    try:
        plain = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise DeskError(_("{path} is not JSON: {error}").format(path=path, error=error)) from error
    if not isinstance(plain, dict):
        example = '{"posting_days":0}'
        raise DeskError(_("{path} holds no JSON object such as {example}").format(path=path, example=example))
    return plain


def override(overrides: dict[str, Any], base: Parameters = DEFAULTS) -> Parameters:
    """``base`` with some parameters set anew; raises DeskError that names the one that cannot be."""
    unknown = sorted(set(overrides) - NAMES)
    if unknown:
        raise DeskError(
            _("there is no parameter {name}; known are {all}").format(name=unknown[0], all=", ".join(sorted(NAMES)))
        )
    plain = format_parameters(base)
    for name, value in overrides.items():
        if isinstance(parse_parameters(plain | {name: value}), str):
            shown = json.dumps(value, ensure_ascii=False)
            text = _("the parameter {name} cannot be {value}; it is written like {example}")
            raise DeskError(text.format(name=name, value=shown, example=example_of(name)))
    parameters = parse_parameters(plain | overrides)
    if isinstance(parameters, str):
        raise DeskError(_("these parameters do not go together"))
    return parameters


def example_of(name: str) -> str:
    """How a parameter is set on the command line: its default, or for an empty one what it may hold."""
    plain = EXAMPLES.get(name, format_parameters(DEFAULTS)[name])
    setting = f"{name}={json.dumps(plain, ensure_ascii=False)}"
    return setting if isinstance(plain, int) else f"'{setting}'"


def read_authorities(path: Path) -> list[bytes]:
    """Public keys, one a line, as base64 or as verifier keys; raises DeskError with the line."""
    keys = []
    for number, line in enumerate(_read(path).splitlines(), start=1):
        word = line.strip()
        if word and not word.startswith("#"):
            try:
                keys.append(parse_public_key(word))
            except NoteError as error:
                text = _("{path} line {line}: {error}")
                raise DeskError(text.format(path=path, line=number, error=worded(error))) from error
    return keys


def parse_public_key(word: str) -> bytes:
    """An Ed25519 public key, as base64 or as a verifier key; raises NoteError."""
    try:
        return parse_base64(word, PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES)
    except NoteError:
        if word.count("+") < VKEY_PLUSES:
            raise
    public = parse_vkey(word).public
    if len(public) != PUBLIC_KEY_BYTES:
        raise NoteError("the verifier key is not an Ed25519 one")
    return public


def _read(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(FILE_MAX_BYTES + 1)
    if len(raw) > FILE_MAX_BYTES:
        raise DeskError(_("{path} is too large").format(path=path))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeskError(_("{path} is not UTF-8").format(path=path)) from error
