"""Modules and pictures of the pages: read once, named by their hash, kept by browsers for ever. And their style sheets.

    asset("desk.js")          # → /assets/3f2a9c…/desk.js, for a template
    style("huzhu.css")        # → <style>…</style>

Modules import each other by name (``import { … } from "./note.js"``), so all of them stand under one hash, that of all.
A style sheet stands in the page itself: on a slow line a second request would cost more than its one or three
kilobytes, and nothing is on the screen before it is there. The policy names the sheets by their hashes, and no others.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from gzip import compress
from pathlib import Path

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

STATIC = Path(__file__).resolve().parent / "static"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
HASH_CHARACTERS = 16
MODULE = ".js"
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    raw: bytes
    zipped: bytes
    type: str
    hash: str


@cache
def assets() -> dict[str, Asset]:
    """All files of the folder, by name."""
    raws = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
    modules = _hash(b"".join(raw for name, raw in raws.items() if name.endswith(MODULE)))
    return {name: _asset(name, raw, modules if name.endswith(MODULE) else _hash(raw)) for name, raw in raws.items()}


def asset(name: str) -> str:
    """Where a file is asked for; KeyError where there is none of that name."""
    return f"/assets/{assets()[name].hash}/{name}"


@cache
def style(name: str) -> Markup:
    """A style sheet of ours as it stands in a page's head."""
    return Markup(f"<style>{(STATIC / name).read_text('utf-8')}</style>")  # noqa: S704 - our own file


def style_sources() -> str:
    """Every style sheet by its hash, as a Content-Security-Policy names what may stand in a page."""
    digests = (hashlib.sha256(path.read_bytes()).digest() for path in sorted(STATIC.glob("*.css")))
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests)


def asset_router() -> APIRouter:
    """Serves the files."""
    router = APIRouter(include_in_schema=False)

    @router.get("/assets/{digest}/{name}")
    async def file(request: Request, digest: str, name: str) -> Response:
        found = assets().get(name)
        if found is None or digest != found.hash:
            return Response(status_code=404)
        headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.zipped, media_type=found.type, headers=headers | {"Content-Encoding": "gzip"})
        return Response(found.raw, media_type=found.type, headers=headers)

    return router


def _asset(name: str, raw: bytes, digest: str) -> Asset:
    return Asset(raw, compress(raw, 9, mtime=0), TYPES[Path(name).suffix], digest)


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:HASH_CHARACTERS]
