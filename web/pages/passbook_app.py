"""The passbook as an app on a phone: its manifest, its icons, the service worker, and what is shown off line.

Nothing here is anybody's own, so nobody has to be signed in. The service worker (``static/sw.js``) stands at
``/me/sw.js`` and may look after ``/me`` and what is below; what it keeps, and when it forgets it, is told there.
"""

import math
import struct
import zlib
from functools import cache

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from web.i18n import language
from web.i18n import translate as _
from web.pages.assets import asset, assets
from web.pages.kit import HEADERS, Kit
from web.problem import Problem

WORKER = "sw.js"
ICON_PIXELS = (180, 192, 512)
FOR_A_DAY = "public, max-age=86400"
GREEN, CREAM, GOLD = (0x1F, 0x5F, 0x4A), (0xF6, 0xEF, 0xE2), (0xE2, 0xA5, 0x3B)
PAPER_COLOUR, GREEN_COLOUR = "#faf7f1", "#1f5f4a"
VIEW = 64.0
"""The icon's own coordinates, as in ``icon.svg``."""
STROKE = 2.0
"""Half of how thick its lines are."""


def app_router(kit: Kit) -> APIRouter:
    """The routes."""
    router = kit.router()

    @router.get("/me/app.webmanifest")
    async def manifest() -> Response:
        icons = [_png_entry(pixels) for pixels in ICON_PIXELS]
        icons.append({"src": asset("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"})
        plain = {
            "id": "/me",
            "name": _("Time bank: my passbook"),
            "short_name": _("My passbook"),
            "description": _("Hours you gave and hours you have, each with its proof."),
            "lang": "zh-CN" if language() == "zh" else "en",
            "start_url": "/me",
            "scope": "/me",
            "display": "standalone",
            "background_color": PAPER_COLOUR,
            "theme_color": GREEN_COLOUR,
            "icons": icons,
        }
        headers = {"Cache-Control": "no-cache", "Vary": HEADERS["Vary"]}
        return Response(msgspec.json.encode(plain), media_type="application/manifest+json", headers=headers)

    @router.get("/me/icon-{pixels}.png")
    async def icon(pixels: int) -> Response:
        if pixels not in ICON_PIXELS:
            raise Problem(404, "no-icon", _("no such address"), _("this address is not right"))
        raw = await to_thread.run_sync(icon_png, pixels)
        return Response(raw, media_type="image/png", headers={"Cache-Control": FOR_A_DAY})

    @router.get("/me/sw.js")
    async def worker() -> Response:
        headers = {
            "Cache-Control": "no-cache",
            "Service-Worker-Allowed": "/me",
            "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
        }
        return Response(assets()[WORKER].raw, media_type="text/javascript", headers=headers)

    @router.get("/me/offline")
    async def offline(request: Request) -> Response:
        return kit.page(request, "me/offline.html")

    return router


def _png_entry(pixels: int) -> dict[str, str]:
    purpose = "any maskable"
    return {"src": f"/me/icon-{pixels}.png", "sizes": f"{pixels}x{pixels}", "type": "image/png", "purpose": purpose}


@cache
def icon_png(pixels: int) -> bytes:
    """The icon as PNG, drawn point by point: green to the edges, so that any phone may cut it to its own shape."""
    rows = bytearray()
    for y in range(pixels):
        rows.append(0)
        for x in range(pixels):
            rows += bytes(_colour((x + 0.5) * VIEW / pixels, (y + 0.5) * VIEW / pixels, VIEW / pixels))
    header = struct.pack(">IIBBBBB", pixels, pixels, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, raw) for name, raw in chunks)


def _chunk(name: bytes, raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + name + raw + struct.pack(">I", zlib.crc32(name + raw))


def _colour(x: float, y: float, pixel: float) -> tuple[int, int, int]:
    """A clock of cream on green, with two hands, above a wave of gold; edges are as soft as a pixel is wide."""
    hands = min(_to_line(x, y, (32, 20), (32, 30)), _to_line(x, y, (32, 30), (39, 35)))
    clock = min(abs(math.hypot(x - 32, y - 30) - 17), hands)
    wave = abs(y - 51 - 2.5 * math.sin((x - 14) * math.pi / 9)) if 14 <= x <= 50 else VIEW
    colour = _mixed(GREEN, CREAM, _cover(clock, pixel))
    return _mixed(colour, GOLD, _cover(wave, pixel))


def _to_line(x: float, y: float, begin: tuple[float, float], end: tuple[float, float]) -> float:
    """How far a point is from a stroke."""
    wide, high = end[0] - begin[0], end[1] - begin[1]
    along = ((x - begin[0]) * wide + (y - begin[1]) * high) / (wide * wide + high * high)
    along = min(1.0, max(0.0, along))
    return math.hypot(x - begin[0] - along * wide, y - begin[1] - along * high)


def _cover(distance: float, pixel: float) -> float:
    """How much of a pixel lies under a stroke that is so far away."""
    return min(1.0, max(0.0, (STROKE - distance) / pixel + 0.5))


def _mixed(under: tuple[int, int, int], over: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(below + (above - below) * share) for below, above in zip(under, over, strict=True))
    return red, green, blue
