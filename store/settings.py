"""A node's settings: ``node.toml`` as one frozen value.

    origin = "village.example/huzhu"
    name = "Liuduhe"                              # what people call it; shown beside the origin, signed nowhere
    trust = "trust.txt"                           # beside node.toml: whom this node asks for cosignatures

    [serve]
    host = "127.0.0.1"
    port = 8300

    [witness]
    name = "witness.county.example"

    [[parents]]                                   # nearest first, up to the root
    url = "https://township.example"

    [[children]]
    origin = "village.example/huzhu"
    url = "http://127.0.0.1:8301"

Only ``origin`` must be there. Whatever is not known or not of its kind is refused, with the line to mend: a setting
that is misspelt must not be one that is silently not set.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from gettext import gettext as _
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chain.encoding import shown
from chain.fields import is_origin
from store.log import StoreError

PORT_MAX = 65_535
MINUTES_MAX = 525_600
HOURS_MAX = 87_600
SEAL_ENTRIES_MAX = 65_535
"""A block has no more entries (FORMAT §11)."""
NEIGHBOURS_MAX = 4_096
"""How many children one node may have: a county has some hundred."""
URL_MAX_CHARACTERS = 500
NAME_MAX_CHARACTERS = 60
WITNESS_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9._-]*)*")
WITNESS_NAME_MAX_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How ``huzhu serve`` serves."""

    host: str = "127.0.0.1"
    """The address it listens on: by itself only this machine."""
    port: int = 8300
    certificate: Path | None = None
    """A PEM file with the certificate and those above it; with ``key``, everything goes over TLS."""
    key: Path | None = None
    """The PEM file of the certificate's private key."""
    behind_tls: bool = False
    """Whether a proxy on this machine has the TLS: cookies and pages are then for https only, and who asks is whom it
    names last in ``X-Forwarded-For``."""
    seal_every_minutes: int = 60
    """A block that has entries is closed when its first one has waited so long; 0: never by the clock."""
    seal_entries: int = 10_000
    """A block is closed when it has so many entries."""
    tend_every_minutes: int = 5
    """How often the node looks after its neighbours; 0: never by itself."""
    silent_hours: int = 48
    """A ledger below that has not sealed for so long is called silent."""


@dataclass(frozen=True, slots=True)
class Child:
    """A node below this one."""

    origin: str
    url: str


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """All that ``node.toml`` says."""

    origin: str
    """The ledger's name."""
    trust: Path | None = None
    """The tlog-policy file that names the witnesses with their addresses, and the quorum that this node gathers."""
    serve: ServeSettings = field(default_factory=ServeSettings)
    witness_name: str | None = None
    """By which this node cosigns for others; None: it is no witness."""
    parents: tuple[str, ...] = ()
    """Addresses of the nodes above, nearest first."""
    children: tuple[Child, ...] = ()
    name: str = ""
    """What people call the village or tier; "" where nobody has said. Pages and papers show it beside the origin."""


def parse_settings(text: str, path: Path) -> NodeSettings:
    """What the text of ``node.toml`` says; raises StoreError. Files in it are named from where ``path`` stands."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(_("{path} cannot be read: {error}").format(path=path, error=error)) from error
    reader = _Reader(text, path)
    reader.know(table, "", ("origin", "name", "trust", "serve", "witness", "parents", "children"))
    origin = table.get("origin")
    if not isinstance(origin, str) or not is_origin(origin):
        raise StoreError(_('{path} has no line `origin = "…"` that names a ledger').format(path=path))
    return NodeSettings(
        origin=origin,
        trust=reader.file(table, "", "trust"),
        serve=_serve(reader, reader.table(table, "serve")),
        witness_name=_witness_name(reader, reader.table(table, "witness")),
        parents=tuple(_parent(reader, each) for each in reader.tables(table, "parents")),
        children=tuple(_child(reader, each) for each in reader.tables(table, "children")),
        name=_name(reader, table),
    )


def is_name(text: str) -> bool:
    """Whether people can call a ledger so: one line that can be printed."""
    return 0 < len(text) <= NAME_MAX_CHARACTERS and text.isprintable() and text == text.strip()


def name_line(name: str) -> str:
    """The line of ``node.toml`` that says it; it stands above all sections."""
    return f"name = {json.dumps(name, ensure_ascii=False)}\n"


def _name(reader: "_Reader", table: Mapping[str, Any]) -> str:
    name = reader.text(table, "", "name") or ""
    if name and not is_name(name):
        raise reader.flaw("", "name", _("write one line of at most {most} characters").format(most=NAME_MAX_CHARACTERS))
    return name


def _serve(reader: "_Reader", table: Mapping[str, Any]) -> ServeSettings:
    reader.know(table, "serve", [each.name for each in fields(ServeSettings)])
    default = {each.name: each.default for each in fields(ServeSettings) if each.default is not MISSING}
    bounds = {
        "port": (0, PORT_MAX),
        "seal_every_minutes": (0, MINUTES_MAX),
        "seal_entries": (1, SEAL_ENTRIES_MAX),
        "tend_every_minutes": (0, MINUTES_MAX),
        "silent_hours": (1, HOURS_MAX),
    }
    numbers = {name: reader.number(table, "serve", name, default[name], *bounds[name]) for name in bounds}
    host = reader.text(table, "serve", "host") or ServeSettings().host
    certificate, key = (reader.file(table, "serve", name) for name in ("certificate", "key"))
    if (certificate is None) != (key is None):
        raise reader.flaw("serve", "certificate" if key is None else "key", _("`certificate` and `key` go together"))
    behind_tls = reader.flag(table, "serve", "behind_tls")
    return ServeSettings(host=host, certificate=certificate, key=key, behind_tls=behind_tls, **numbers)


def _witness_name(reader: "_Reader", table: Mapping[str, Any]) -> str | None:
    reader.know(table, "witness", ("name",))
    name = reader.text(table, "witness", "name")
    if name is not None and (len(name) > WITNESS_NAME_MAX_CHARACTERS or not WITNESS_NAME.fullmatch(name)):
        raise reader.flaw("witness", "name", _("{name} cannot name a witness").format(name=shown(name)))
    return name


def _parent(reader: "_Reader", table: Mapping[str, Any]) -> str:
    reader.know(table, "parents", ("url",))
    return reader.url(table, "parents")


def _child(reader: "_Reader", table: Mapping[str, Any]) -> Child:
    reader.know(table, "children", ("origin", "url"))
    origin = reader.text(table, "children", "origin") or ""
    if not is_origin(origin):
        text = _("{origin} cannot name a ledger: write a domain name, and a path in small letters")
        raise reader.flaw("children", "origin", text.format(origin=shown(origin)))
    return Child(origin, reader.url(table, "children"))


T = TypeVar("T")


class _Reader:
    """Takes values out of tables; where one is wrong it says in which line."""

    def __init__(self, text: str, path: Path) -> None:
        self._lines = text.splitlines()
        self._path = path

    def know(self, table: Mapping[str, Any], section: str, names: "list[str] | tuple[str, ...]") -> None:
        """Refuse a key that is none of these."""
        for name in table:
            if name not in names:
                text = _("there is no setting {name}; known here: {known}")
                raise self.flaw(section, name, text.format(name=shown(name), known=", ".join(names)))

    def text(self, table: Mapping[str, Any], section: str, name: str) -> str | None:
        """A text; None where it is not there or empty."""
        return self._of_kind(table, section, name, str, _("write it in quotes")) or None

    def file(self, table: Mapping[str, Any], section: str, name: str) -> Path | None:
        """A file, named from the home; None where it is not there or empty."""
        named = self.text(table, section, name)
        return None if named is None else self._path.parent / named

    def number(self, table: Mapping[str, Any], section: str, name: str, default: Any, least: int, most: int) -> int:
        """A whole number within bounds."""
        text = _("write a whole number from {least} to {most}").format(least=least, most=most)
        value = self._of_kind(table, section, name, int, text)
        if value is None:
            return int(default)
        if isinstance(value, bool) or not least <= value <= most:
            raise self.flaw(section, name, text)
        return value

    def flag(self, table: Mapping[str, Any], section: str, name: str) -> bool:
        """Yes or no; no where it is not there."""
        return bool(self._of_kind(table, section, name, bool, _("write true or false, without quotes")))

    def url(self, table: Mapping[str, Any], section: str) -> str:
        """The address of a node."""
        url = self.text(table, section, "url") or ""
        if not is_address(url):
            text = _("{url} is not a node's address: write https://township.example or http://192.0.2.7:8300")
            raise self.flaw(section, "url", text.format(url=shown(url)))
        return url.rstrip("/")

    def table(self, table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """A section, empty where it is not there."""
        found = table.get(name, {})
        if not isinstance(found, dict):
            raise self.flaw("", name, _("write it as a section: [{name}]").format(name=name))
        return found

    def tables(self, table: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
        """The sections of that name."""
        found = table.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise self.flaw("", name, _("write each as a section: [[{name}]]").format(name=name))
        if len(found) > NEIGHBOURS_MAX:
            raise self.flaw("", name, _("at most {maximum} of them").format(maximum=NEIGHBOURS_MAX))
        return found

    def flaw(self, section: str, name: str, text: str) -> StoreError:
        """What is wrong, and in which line: the first below its section that sets it, or the section's own."""
        where = _("{path}, line {line}: {text}")
        return StoreError(where.format(path=self._path, line=self._line(section, name), text=text))

    def _line(self, section: str, name: str) -> int:
        here, start = "", 1
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[\[?\s*([^\]\s]+)\s*\]", line)
            if header:
                here = header[1]
                start = number if here == (section or name) else start
            elif here == section and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[.=]", line):
                return number
        return start

    def _of_kind(self, table: Mapping[str, Any], section: str, name: str, kind: type[T], text: str) -> T | None:
        value = table.get(name)
        if value is not None and not isinstance(value, kind):
            raise self.flaw(section, name, text)
        return value


def is_address(url: str) -> bool:
    """Whether it is the address of a node: http or https, a host, and nothing secret or variable in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        len(url) <= URL_MAX_CHARACTERS
        and url.isascii()
        and url.isprintable()
        and " " not in url
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and parts.username is None
        and parts.password is None
        and "?" not in url
        and "#" not in url
    )
