"""What the browser calls true: each published and own vector, asked of the modules as of the Python code."""

import base64
import json
from pathlib import Path
from typing import Any

from chain.keys import SigningKey, key_id, verify_ed25519
from chain.limits import ENTRY_MAX_BYTES
from chain.note import ED25519, format_vkey, make_vkey
from chain.sheet import SheetDomain
from tests.pages.js.conftest import Run
from web.pages.passbook_keytext import KEY_TEXT, format_key_text, parse_key_text

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
OURS, PUBLISHED = VECTORS / "ours", VECTORS / "published"
BYTES = "const bytes = await import('/bytes.js'); const of = (text) => bytes.parseBase64(text, 0, 1e6);"
CALMLY = "const calmly = async (ask) => { try { return await ask(); } catch (error) {"
CALMLY += " if (error instanceof bytes.FormatError) return { refused: error.message }; throw error; } };"


def cases(check: str) -> dict[str, dict[str, Any]]:
    """Our vectors of one kind, by name."""
    found = {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(OURS.glob("*.json"))}
    return {name: case for name, case in found.items() if case["check"] == check}


def spelled(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_signatures_count_where_libsodium_takes_them(run: Run) -> None:
    vectors = json.loads((PUBLISHED / "ed25519.json").read_text())
    found = run(
        f"""async (vectors) => {{ {BYTES} const note = await import('/note.js');
        const ask = (one) => note.verifyEd25519(bytes.parseHex(one.key), bytes.utf8(one.msg), bytes.parseHex(one.sig));
        return Promise.all(vectors.map(ask)); }}""",
        vectors,
    )
    wrong = [one["number"] for one, is_taken in zip(vectors, found, strict=True) if one["accept"] != is_taken]
    assert len(vectors) == 914 and not wrong


def test_canonical_json_is_read_in_its_one_spelling(run: Run) -> None:
    asked = {
        name: spelled(raw)
        for name, case in cases("entry").items()
        if len(raw := _raw(case["input"])) <= ENTRY_MAX_BYTES
    }
    found = run(
        f"""async (asked) => {{ {BYTES} {CALMLY} const canonical = await import('/canonical.js');
        const read = (raw) => bytes.formatBase64(canonical.formatCanonical(canonical.parseCanonical(of(raw))));
        const pairs = Object.entries(asked).map(async ([name, raw]) => [name, await calmly(async () => read(raw))]);
        return Object.fromEntries(await Promise.all(pairs)); }}""",
        asked,
    )
    for name, sent in asked.items():
        is_canonical = cases("entry")[name]["code"] != "entry.noncanonical"
        assert (found[name] == sent) is is_canonical, (name, found[name])


def test_trees_roots_and_paths(run: Run) -> None:
    case = cases("tree")["tree-of-seven"]
    found = run(
        f"""async (case_) => {{ {BYTES} const merkle = await import('/merkle.js');
        const leaves = await Promise.all(case_.leaves.map((leaf) => merkle.leafHash(bytes.utf8(leaf))));
        const levels = await merkle.levelsOf(leaves);
        const roots = [];
        for (let size = 0; size <= leaves.length; size += 1) roots.push(await merkle.rootOf(leaves.slice(0, size)));
        const paths = leaves.map((_leaf, index) => merkle.pathIn(levels, index));
        for (const [index, path] of paths.entries()) {{
          await merkle.checkInclusion(leaves[index], index, leaves.length, path, roots.at(-1));
        }}
        const spelled = (path) => path.map(bytes.formatBase64);
        return {{ roots: spelled(roots), paths: paths.map(spelled) }}; }}""",
        case,
    )
    assert found == {"roots": case["roots"], "paths": case["paths"]}


def test_published_inclusion_proofs(run: Run) -> None:
    vectors = json.loads((PUBLISHED / "merkle_inclusion.json").read_text())
    found = run(
        f"""async (vectors) => {{ {BYTES} {CALMLY} const merkle = await import('/merkle.js');
        const ask = (one) => merkle.checkInclusion(
          of(one.leafHash), one.leafIdx, one.treeSize, (one.proof ?? []).map(of), of(one.root));
        return Promise.all(vectors.map((one) => calmly(() => ask(one)))); }}""",
        [one for one in vectors if one["treeSize"] < 2**53],
    )
    assert [one is not None for one in found] == [one["wantErr"] for one in vectors if one["treeSize"] < 2**53]


def test_receipts_prove_what_they_prove_in_python(run: Run) -> None:
    asked = cases("receipt")
    found = run(
        f"""async (asked) => {{ {BYTES} {CALMLY} const receipt = await import('/receipt.js');
        const ask = (one) => receipt.checkProof(bytes.utf8(one.receipt), [one.vkey]);
        const pairs = Object.entries(asked).map(async ([name, one]) => [name, await calmly(() => ask(one))]);
        return Object.fromEntries(await Promise.all(pairs)); }}""",
        asked,
    )
    assert len(asked) >= 8
    for name, case in asked.items():
        assert found[name].get("index") == case["index"], (name, found[name])
        if case.get("balance") is not None:
            assert found[name]["balance"]["balance"] == case["balance"]


def test_every_mangled_receipt_is_refused(run: Run) -> None:
    """A character of each line changed, each line dropped, and the end cut off."""
    for name in ("receipt-entry", "receipt-balance"):
        case = cases("receipt")[name]
        lines = case["receipt"].split("\n")
        mangled = ["\n".join(lines[:place] + lines[place + 1 :]) for place in range(len(lines))]
        for place, line in enumerate(lines):
            if line:
                other = "B" if line[len(line) // 2] == "A" else "A"
                changed = line[: len(line) // 2] + other + line[len(line) // 2 + 1 :]
                mangled.append("\n".join([*lines[:place], changed, *lines[place + 1 :]]))
        found = run(
            f"""async ([vkey, mangled]) => {{ {BYTES} {CALMLY} const receipt = await import('/receipt.js');
            return Promise.all(mangled.map((one) => calmly(() => receipt.checkProof(bytes.utf8(one), [vkey])))); }}""",
            [case["vkey"], mangled],
        )
        assert [one for one in found if "refused" not in one] == []


def test_a_promise_is_the_nodes_word(run: Run) -> None:
    case = cases("promise")["promise"]
    vkey = format_vkey(make_vkey(case["origin"], ED25519, SigningKey(base64.b64decode(case["seed"])).public))
    stranger = format_vkey(make_vkey(case["origin"], ED25519, SigningKey(bytes([9]) * 32).public))
    found = run(
        f"""async ([note, vkey, stranger, receipt]) => {{ {BYTES} {CALMLY} const proofs = await import('/receipt.js');
        const proven = await proofs.checkProof(bytes.utf8(note), [vkey]);
        const kept = await proofs.isKept(proven, bytes.utf8(receipt));
        const refused = await calmly(() => proofs.checkProof(bytes.utf8(note), [stranger]));
        const leaf = bytes.formatBase64(proven.leafHash);
        return [proven.kind, proven.origin, proven.index, leaf, kept, "refused" in refused];
        }}""",
        [case["note"], vkey, stranger, cases("receipt")["receipt-entry"]["receipt"]],
    )
    assert found[:4] == ["promise", case["origin"], case["index"], case["leaf_hash"]]
    assert found[4:] == [True, True]


def test_sheets_hold_exactly_where_they_do_in_python(run: Run) -> None:
    asked = cases("sheet")
    found = run(
        f"""async (asked) => {{ {BYTES} {CALMLY} const sheets = await import('/sheet.js');
        const of32 = (text) => bytes.parseBase64(text, 32, 32);
        const ask = async (one) => {{
          const publics = Object.fromEntries(Object.entries(one.publics).map(([id, raw]) => [id, of32(raw)]));
          const domain = {{ origin: one.origin, genesis: of32(one.genesis) }};
          const each = (entry) => calmly(() => sheets.verifyEntry(domain, JSON.parse(entry), publics));
          return Promise.all(one.entries.map(each));
        }};
        const pairs = Object.entries(asked).map(async ([name, one]) => [name, await ask(one)]);
        return Object.fromEntries(await Promise.all(pairs)); }}""",
        asked,
    )
    for name, case in asked.items():
        assert [one is True for one in found[name]] == [code is None for code in case["codes"]], (name, found[name])


def test_what_the_browser_signs_python_verifies(run: Run) -> None:
    genesis = bytes(range(32))
    made = run(
        f"""async (genesis) => {{ {BYTES} const keys = await import('/keys.js');
        const sheets = await import('/sheet.js');
        const domain = {{ origin: "village.example/huzhu", genesis: of(genesis) }};
        const author = await keys.makeKey("village.example/huzhu 20000237");
        const elder = await keys.makeKey("village.example/huzhu 10000119");
        const again = await keys.makeKey("village.example/huzhu 10000119");
        const body = {{ text: "互助 \\"a\\\\b\\"", minutes: 60 }};
        const at = sheets.formatTime(Date.UTC(2026, 2, 1, 2));
        const stated = sheets.makeStatement(
          {{ at, by: author.id, seq: 5, kind: "service", body, beside: [elder.id] }});
        const sheet = await sheets.signSheet(domain, stated, author.sign);
        const beside = await sheets.signBeside(domain, stated, elder.sign);
        const canonical = await import('/canonical.js');
        const missing = await keys.findKey("village.example/huzhu 30000000");
        return {{ raw: bytes.formatBase64(canonical.formatCanonical(stated)), sheet, beside, missing,
          root: bytes.formatBase64(await sheets.sheetRoot([stated])), same: again.id === elder.id,
          publics: [author, elder].map((key) => bytes.formatBase64(key.publicKey)),
          texts: [author, elder].map((key) => keys.keyText(key.publicKey)),
          back: [author, elder].map((key) => keys.keyText(key.publicKey)).map(keys.parseKeyText)
            .map(bytes.formatBase64) }}; }}""",
        spelled(genesis),
    )
    author, elder = map(base64.b64decode, made["publics"])
    assert json.loads(base64.b64decode(made["raw"]))["by"] == key_id(author)
    as_author, as_beside = SheetDomain("village.example/huzhu", genesis).messages(
        key_id(author), 1, base64.b64decode(made["root"])
    )
    assert verify_ed25519(author, as_author, base64.b64decode(made["sheet"]["sigs"][0]["sig"]))
    assert verify_ed25519(elder, as_beside, base64.b64decode(made["beside"]))
    assert made["same"] and made["missing"] is None and made["back"] == made["publics"]
    assert made["texts"] == [format_key_text(author), format_key_text(elder)]
    assert [parse_key_text(text) for text in made["texts"]] == [author, elder]


def test_nobody_reads_a_key_out(run: Run) -> None:
    assert run(
        """async () => { const keys = await import('/keys.js'); const vault = await import('/vault.js');
        const made = await keys.makeKey("a b");
        const kept = await vault.run(vault.KEYS, "readonly", (store) => store.get("a b"));
        let exported = "no";
        try { await crypto.subtle.exportKey("pkcs8", kept.privateKey); exported = "yes"; } catch {}
        await keys.dropKey("a b");
        return [kept.privateKey.extractable, exported, Object.keys(made).sort(), await keys.findKey("a b")]; }"""
    ) == [False, "no", ["id", "publicKey", "sign"], None]


def test_a_slip_in_a_keys_text_is_found() -> None:
    public = SigningKey(bytes([7]) * 32).public
    text = format_key_text(public)
    assert KEY_TEXT.fullmatch(text) and parse_key_text(f"  {text[:20]}\n{text[20:]} ") == public
    for place, letter in enumerate(text):
        for other in ("A", "B", "7", ""):
            if other != letter:
                assert parse_key_text(text[:place] + other + text[place + 1 :]) is None
    assert parse_key_text("") is None and parse_key_text("é" * 200) is None


def _raw(asked: dict[str, str]) -> bytes:
    return asked["text"].encode() if "text" in asked else base64.b64decode(asked["base64"])
