"""The witness over HTTP (C2SP tlog-witness): open to everybody, since a request proves itself by the log's signature.

    POST /add-checkpoint                              cosign what goes on from what was cosigned before
    GET  /witness/<SHA-256 of origin>/checkpoint      the newest checkpoint that was cosigned, with our lines

A body is read up to its bound and within a time, and only then looked at. Answers are plain text, as the document has
them: a log's software reads the status and the body, not our problem documents.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Request, Response
from starlette.requests import ClientDisconnect

from chain.witness import ADD_CHECKPOINT_MAX_BYTES, SIZE_TYPE
from store.log import StoreError
from sync.witness import PLAIN_TYPE, Witness
from web.i18n import translate as _

BODY_SECONDS = 20.0
"""How long a client may take to send a request."""
AT_ONCE = 8
"""So many requests are judged at the same time; others wait and hold no thread."""
NOT_CACHED = {"Cache-Control": "no-store"}
_HANG_UP = {**NOT_CACHED, "Connection": "close"}
"""For one who is still sending: the rest is not read."""
BRIEFLY_CACHED = {"Cache-Control": "public, max-age=5, must-revalidate"}

_HASH = re.compile(r"[0-9a-f]{64}")
_MALFORMED, _MISSING, _TIMEOUT, _UNAVAILABLE = 400, 404, 408, 503
_TEXT = {PLAIN_TYPE: {"schema": {"type": "string"}}}
_EXAMPLE_REQUEST = (
    "old 9\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\nvillage.example/huzhu\n20\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— village.example/huzhu Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJg==\n"
)
_REQUEST_BODY = {
    "required": True,
    "description": "`old <size>`, at most 63 hashes of the consistency proof, an empty line, and the checkpoint.",
    "content": {
        "text/plain": {
            "schema": {"type": "string", "maxLength": ADD_CHECKPOINT_MAX_BYTES},
            "example": _EXAMPLE_REQUEST,
        }
    },
}
_ADD_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Signature lines: our cosignatures, Ed25519 and ML-DSA-44.", "content": _TEXT},
    400: {"description": "It is malformed, or the old size is larger than the checkpoint's.", "content": _TEXT},
    403: {"description": "No signature by a key that is trusted for the origin verifies.", "content": _TEXT},
    404: {"description": "The log of that origin is not known here.", "content": _TEXT},
    408: {"description": "The request did not come in full in time.", "content": _TEXT},
    409: {
        "description": "Another size, or another tree of that size, was cosigned last. The body is that size.",
        "content": {SIZE_TYPE: {"schema": {"type": "string"}, "example": "9\n"}},
    },
    422: {"description": "The consistency proof does not verify.", "content": _TEXT},
    503: {"description": "It cannot be kept or dated, or too many come at once: try again later.", "content": _TEXT},
}
_GET_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A signed note: the log's lines, then ours.", "content": _TEXT},
    404: {"description": "Nothing of that log was cosigned here.", "content": _TEXT},
    503: {"description": "It cannot be read: try again later.", "content": _TEXT},
}


def witness_router(witness: Witness, body_seconds: float = BODY_SECONDS) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["witness"])
    limiter = CapacityLimiter(AT_ONCE)

    @router.post(
        "/add-checkpoint",
        summary="Cosign a checkpoint",
        response_class=Response,
        responses=_ADD_ANSWERS,
        openapi_extra={"requestBody": _REQUEST_BODY},
    )
    async def add_checkpoint(request: Request) -> Response:
        """Cosign a log's checkpoint that goes on from the one that was cosigned last (C2SP tlog-witness)."""
        try:
            async with asyncio.timeout(body_seconds):
                body = await _read(request)
        except TimeoutError:
            return _refused(_TIMEOUT, _("the request did not come in full in time"), _HANG_UP)
        if body is None:
            return _refused(_MALFORMED, f"a request has at most {ADD_CHECKPOINT_MAX_BYTES} bytes", _HANG_UP)
        try:
            answer = await to_thread.run_sync(witness.add_checkpoint, body, limiter=limiter)
        except StoreError:
            return _refused(_UNAVAILABLE, _("the witness cannot keep anything now: try again later"))
        return Response(answer.body, answer.status, {**NOT_CACHED, "Content-Type": answer.content_type})

    @router.get(
        "/witness/{origin_hash}/checkpoint",
        summary="Newest cosigned checkpoint",
        response_class=Response,
        responses=_GET_ANSWERS,
    )
    async def checkpoint(
        origin_hash: Annotated[
            str, Path(description="SHA-256 of the log's origin, in lower-case hex.", examples=["ab" * 32])
        ],
    ) -> Response:
        """The newest checkpoint of a log that this witness has cosigned."""
        if _HASH.fullmatch(origin_hash) is None:
            return _refused(_MISSING, _("nothing of that log was cosigned here"))
        try:
            found = await to_thread.run_sync(witness.checkpoint, origin_hash, limiter=limiter)
        except StoreError:
            return _refused(_UNAVAILABLE, _("the witness cannot read anything now: try again later"))
        if found is None:
            return _refused(_MISSING, _("nothing of that log was cosigned here"))
        return Response(found, headers={**BRIEFLY_CACHED, "Content-Type": PLAIN_TYPE})

    return router


async def _read(request: Request) -> bytes | None:
    """The body; None where it is too long, or its sender has gone."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > ADD_CHECKPOINT_MAX_BYTES:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def _refused(status: int, text: str, headers: Mapping[str, str] = NOT_CACHED) -> Response:
    return Response(f"{text}\n".encode(), status, {**headers, "Content-Type": PLAIN_TYPE})
