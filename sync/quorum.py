"""A node asks the witnesses of its trust file to cosign its newest checkpoint (C2SP tlog-witness, the log's side).

    gathered = gather(policy, signed, earlier, prove, open_site)
    if gathered.cosignatures:
        node.cosign(gathered.note)

A witness is asked at its address in the policy, once for all the keys that have the same address. Of what it answers
only lines count that verify by those keys. Where it has cosigned another size than we thought, it is asked once more,
from there. Whoever cannot be asked, or refuses, is one sentence in ``failures``; the others count all the same.

Hours of cosignatures that are missing harm nobody; a witness that remembers a larger log than ours does: then this
ledger was rolled back, or another node writes under its key, and the sentence says so.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from gettext import gettext as _

from chain.checkpoint import CHECKPOINT_MAX_BYTES, Checkpoint, open_checkpoint
from chain.cosignature import verify_cosignature
from chain.encoding import shown
from chain.errors import ChainError
from chain.note import Note, NoteSignature, VerifierKey, add_signatures, format_note
from chain.policy import Policy, cosigned_names, quorum_met
from chain.witness import SIZE_TYPE, format_add_checkpoint, parse_signature_lines, parse_size_answer
from sync.fetch import Answer, FetchError, Site

ASKED_AT_ONCE = 8
REQUEST_TYPE = "text/plain; charset=utf-8"
_OK, _CONFLICT, _BAD_PROOF = 200, 409, 422
_WHY_MAX_BYTES = 200

Prove = Callable[[int], Sequence[bytes]]
"""The consistency proof from a size to the newest checkpoint's. Called by one thread only."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The checkpoint with what came in, whether it meets the policy's quorum, and what went wrong at whom."""

    note: bytes
    cosignatures: tuple[NoteSignature, ...]
    is_met: bool
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One address, and the keys that may answer there."""

    url: str
    vkeys: tuple[VerifierKey, ...]


def gather(
    policy: Policy,
    signed: bytes,
    earlier: Sequence[bytes],
    prove: Prove,
    open_site: Callable[[str], Site] = Site,
) -> Gathered:
    """Ask every witness of ``policy`` that has an address and has not cosigned ``signed`` yet.

    ``earlier``: some checkpoints before it, newest first: a witness is asked to go on from the one it has cosigned.
    """
    checkpoint, note = open_checkpoint(signed)
    waiting = [asked for asked in _addresses(policy) if not _has_all(note, asked.vkeys)]
    failures: list[str] = []
    cosignatures: list[NoteSignature] = []
    old_sizes = {asked.url: _old_size(asked.vkeys, earlier) for asked in waiting}
    for is_last in (False, True):
        requests = [(asked, _request(old_sizes[asked.url], prove, signed)) for asked in waiting]
        waiting = []
        for asked, answer in _ask_all(requests, open_site):
            if isinstance(answer, FetchError):
                failures.append(str(answer))
            elif answer.status == _OK:
                lines = _lines(answer, asked.vkeys, checkpoint)
                cosignatures += lines
                failures += () if lines else (_no_line(asked),)
            elif (size := _other_size(answer)) is None or size > checkpoint.size or is_last:
                failures.append(_refused(asked, answer, size, old_sizes[asked.url], checkpoint))
            else:
                old_sizes[asked.url] = size
                waiting.append(asked)
    cosigned = add_signatures(note, *cosignatures)
    is_met = quorum_met(policy, cosigned_names(policy, checkpoint, cosigned))
    return Gathered(format_note(cosigned), tuple(cosignatures), is_met, tuple(failures))


def _addresses(policy: Policy) -> list[_Asked]:
    by_name = dict(policy.witnesses)
    keys: dict[str, list[VerifierKey]] = {}
    for name, url in policy.witness_urls:
        keys.setdefault(url.rstrip("/"), []).append(by_name[name])
    return [_Asked(url, tuple(vkeys)) for url, vkeys in keys.items()]


def _has_all(note: Note, vkeys: Sequence[VerifierKey]) -> bool:
    return all(any(vkey.made(line) for line in note.signatures) for vkey in vkeys)


def _old_size(vkeys: Sequence[VerifierKey], earlier: Sequence[bytes]) -> int:
    """The size that a witness has cosigned last, as far as we remember; else 0, and it will tell."""
    for raw in earlier:
        checkpoint, note = open_checkpoint(raw)
        if any(vkey.made(line) for vkey in vkeys for line in note.signatures):
            return checkpoint.size
    return 0


def _request(old_size: int, prove: Prove, signed: bytes) -> bytes:
    return format_add_checkpoint(old_size, prove(old_size), signed)


def _ask_all(
    requests: Sequence[tuple[_Asked, bytes]], open_site: Callable[[str], Site]
) -> Iterator[tuple[_Asked, Answer | FetchError]]:
    if not requests:
        return
    with ThreadPoolExecutor(min(len(requests), ASKED_AT_ONCE)) as pool:
        answers = pool.map(lambda each: _ask(each[0].url, each[1], open_site), requests)
        yield from zip((asked for asked, _body in requests), answers, strict=True)


def _ask(url: str, body: bytes, open_site: Callable[[str], Site]) -> Answer | FetchError:
    try:
        with closing(open_site(url)) as site:
            return site.post("add-checkpoint", body, REQUEST_TYPE, CHECKPOINT_MAX_BYTES)
    except FetchError as error:
        return error


def _lines(answer: Answer, vkeys: Sequence[VerifierKey], checkpoint: Checkpoint) -> list[NoteSignature]:
    """One line for each key, as far as it is good."""
    try:
        lines = parse_signature_lines(answer.body)
    except ChainError:
        return []
    good = {vkey: line for vkey in vkeys for line in lines if verify_cosignature(vkey, checkpoint, line) is not None}
    return list(good.values())


def _other_size(answer: Answer) -> int | None:
    """The size that a witness says it has cosigned."""
    if answer.status != _CONFLICT or answer.content_type.partition(";")[0].strip() != SIZE_TYPE:
        return None
    try:
        return parse_size_answer(answer.body)
    except ChainError:
        return None


def _no_line(asked: _Asked) -> str:
    text = _("the witness at {url} answers without a good cosignature by its key in the trust file: is the key right?")
    return text.format(url=asked.url)


def _refused(asked: _Asked, answer: Answer, size: int | None, old_size: int, checkpoint: Checkpoint) -> str:
    if size is not None and size > checkpoint.size:
        text = _(
            "ALARM: the witness at {url} says that it has cosigned {size} entries of this ledger, which has {own} "
            "here: it was put back to an older state, or another node writes under its key. Stop writing, and find out"
        )
        return text.format(url=asked.url, size=size, own=checkpoint.size)
    if answer.status == _BAD_PROOF or size == old_size == checkpoint.size:
        text = _(
            "ALARM: the witness at {url} says that the {size} entries of this ledger that it has cosigned are others "
            "than here: another node writes under its key. Stop writing, and find out"
        )
        return text.format(url=asked.url, size=old_size)
    text = _("the witness at {url} does not cosign (status {status}: {why}): does it know this ledger, by its key?")
    why = shown(answer.body[:_WHY_MAX_BYTES].decode(errors="replace").strip())
    return text.format(url=asked.url, status=answer.status, why=why)
