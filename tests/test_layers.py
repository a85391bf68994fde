"""What import-linter cannot say: no part is left out of its contracts, and no harmless import does I/O in pure code."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("chain", "ledger", "verify", "care", "store", "sync", "web")
PURE = ("chain", "ledger", "verify")

IMPURE_CALLS = frozenset({"open", "print", "input", "breakpoint", "exec", "eval", "__import__"})
IMPURE_METHODS = frozenset(
    {
        *("now", "today", "utcnow"),  # the clock, by datetime
        *("generate", "generate_key"),  # chance, by the cryptographic libraries
    }
)
IMPURE_OF_SYS = frozenset({"stdin", "stdout", "stderr", "argv"})


def test_contracts_cover_every_part() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    linter = config["tool"]["importlinter"]
    existing = {part for part in PARTS if (ROOT / part / "__init__.py").exists()}

    assert set(linter["root_packages"]) == existing
    assert _contract(linter, "assembled-once")["source_modules"] == linter["root_packages"]
    assert _contract(linter, "pure")["source_modules"] == list(PURE)
    assert existing <= set(config["tool"]["mypy"]["files"])


@pytest.mark.parametrize("part", PURE)
def test_pure_code_does_no_io(part: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / part).rglob("*.py"))
        for line, name in _impure_uses(ast.parse(path.read_text("utf-8"), str(path)))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("open('f')", ["open"]),
        ("datetime.datetime.now(UTC)", ["now"]),
        ("MLDSA44PrivateKey.generate()", ["generate"]),
        ("print('x', file=sys.stderr)", ["print", "stderr"]),
        ("global counter", ["global"]),
        ("def check(now: int) -> bool: return now > 0", []),
        ("context.now", []),
    ],
)
def test_impure_uses_are_seen(source: str, names: list[str]) -> None:
    assert sorted(name for _, name in _impure_uses(ast.parse(source))) == sorted(names)


def _contract(linter: dict[str, Any], contract_id: str) -> dict[str, Any]:
    [contract] = [each for each in linter["contracts"] if each["id"] == contract_id]
    return dict(contract)


def _impure_uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), lineno=line) if name in IMPURE_CALLS:
                yield line, name
            case ast.Call(func=ast.Attribute(attr=name), lineno=line) if name in IMPURE_METHODS:
                yield line, name
            case ast.Attribute(value=ast.Name(id="sys"), attr=name, lineno=line) if name in IMPURE_OF_SYS:
                yield line, name
            case ast.Global(lineno=line):
                yield line, "global"
