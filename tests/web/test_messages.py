"""What is said to people: in both languages, for every outcome that there is."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.desk import Desk, run
from web import i18n, text

ROOT = Path(__file__).resolve().parent.parent.parent
OUTCOME = re.compile(r"[a-z]+(-[a-z]+)*")
RULES = (
    "service",
    "people",
    "corrections",
    "government",
    "hours",
    "signing",
    "replay",
    "parameters",
    "tiers",
    "transfers",
    "coupons",
    "quality",
    "cases",
    "funds",
    "risk",
)
NO_OUTCOMES = {"recipient", "pool", "issue"}


@pytest.fixture(scope="module")
def messages() -> Any:
    """``scripts/messages.py``, which is no package."""
    spec = importlib.util.spec_from_file_location("messages", ROOT / "scripts" / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_text_in_the_code_is_translated_and_no_other(messages: Any) -> None:
    assert messages.flaws(messages.read_catalogue(), messages.msgids()) == []


def test_translations_have_the_same_gaps_as_their_texts(messages: Any) -> None:
    for message in messages.read_catalogue():
        if isinstance(message.id, str) and message.id:
            assert gaps(message.string) == gaps(message.id), message.id


def gaps(sentence: str | tuple[str, ...]) -> set[str]:
    """The names that ``format`` fills."""
    return set(re.findall(r"\{\w+[^}]*\}|%\(\w+\)s", sentence if isinstance(sentence, str) else sentence[0]))


def outcomes_in(path: Path) -> Iterator[str]:
    """Every outcome that a rule in this file can return."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        value = node.value if isinstance(node, ast.Return | ast.Assign) else None
        if value is not None and isinstance(node, ast.Assign):
            names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
            value = value if {"NOT_ALLOWED", "NEEDS_SECOND"} & set(names) else None
        for each in ast.walk(value) if value is not None else ():
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and OUTCOME.fullmatch(each.value):
                yield each.value


def test_every_outcome_has_a_sentence() -> None:
    found = {outcome for name in RULES for outcome in outcomes_in(ROOT / "ledger" / f"{name}.py")} - NO_OUTCOMES
    assert {"closed", "no-balance", "not-allowed", "bad-parameter", "already-resolved", "stale"} <= found
    kept = {outcome for outcome in text.OUTCOMES if "." not in outcome} - {"bad-row", "at-in-future"}
    assert kept == found


@pytest.mark.parametrize("outcome", text.OUTCOMES)
def test_sentences_in_both_languages(outcome: str) -> None:
    i18n.use("en")
    english = text.sentence(outcome)
    i18n.use("zh")
    assert english == text.OUTCOMES[outcome]
    assert re.search("[\u4e00-\u9fff]", text.sentence(outcome))


def test_an_unknown_outcome_still_says_something() -> None:
    assert text.sentence("rule-of-tomorrow") == "rule-of-tomorrow"
    assert text.sentence("rule-of-tomorrow", "why") == "why"


@pytest.mark.parametrize(
    ("arguments", "environment", "language"),
    [
        ([], {}, "zh"),
        ([], {"LANG": "C.UTF-8"}, "zh"),
        ([], {"LANG": "POSIX"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "en_GB.UTF-8"}, "en"),
        ([], {"LANG": "fr_FR"}, "en"),
        ([], {"LANG": "en_GB", "LC_MESSAGES": "zh_CN"}, "zh"),
        ([], {"LANG": "zh_CN", "LC_ALL": "en_US.UTF-8"}, "en"),
        ([], {"LC_ALL": "", "LANG": "en_US"}, "en"),
        (["--lang", "en"], {}, "en"),
        (["balance", "--lang=zh"], {"LANG": "en_US"}, "zh"),
        (["--lang", "en", "balance", "--lang", "zh"], {}, "zh"),
        (["--lang"], {"LANG": "en_US"}, "en"),
        (["--lang", "fr"], {}, "zh"),
    ],
)
def test_which_language(arguments: list[str], environment: dict[str, str], language: str) -> None:
    assert i18n.language_of(arguments, environment) == language


def test_mistakes_are_explained_in_one_line_of_the_language() -> None:
    assert run("balnce", "--lang", "zh", status=2).stderr.startswith("huzhu: 没有命令 'balnce'")
    assert run("balnce", "--lang", "en", status=2).stderr.startswith("huzhu: No such command 'balnce'")
    assert run("init", "--lang", "zh", status=2).stderr == "huzhu: 缺少选项 '--origin'；请看 `huzhu init --help`\n"
    close = run("gift", "a", "b", "1", "--bye", "--lang", "zh", status=2).stderr
    assert "？请看 `huzhu gift --help`" in close
    assert run("seal", "--nothing", "--lang", "en", status=2).stderr.count("\n") == 1
    assert run("seal", "more", "--lang", "zh", status=2).stderr.count("\n") == 1
    assert run("init", "--tier", "hamlet", "--lang", "zh", status=2).stderr.count("\n") == 1


def test_what_the_store_and_the_node_find_wrong_is_said_in_chinese(desk: Desk, tmp_path: Path) -> None:
    def said(*words: str | Path, home: Path = desk.home) -> str:
        error = run(*words, "--home", home, "--lang", "zh", status=2).stderr
        assert error.count("\n") == 1
        return error

    assert "里没有节点：请用 `huzhu init` 新建" in said("balance", home=tmp_path / "none")
    assert "另选一个" in said("init", "--origin", "a.example")
    assert "没有条数为 1 的检查点" in said("checkpoint", "1")
    beginning = said("init", "--origin", "a.example", "--threshold", "4", home=tmp_path / "new")
    assert "账本不能这样开始：bad-threshold" in beginning
    assert "不是 PKCS #8 PEM 格式的私钥" in said("cosign", "--key", desk.file("junk.pem", "junk"))
    (desk.home / "ledger.db").write_bytes(b"\0" * 5_000)
    assert "请用备份恢复" in said("seal")


def test_no_words_at_all_show_the_help() -> None:
    assert "Commands:" in run(status=2).stderr
    assert "import" in run("person", status=2).stderr
    assert run("--version").stdout.startswith("huzhu")


@pytest.mark.parametrize(
    ("minutes", "hours"), [(0, 0), (60, 1), (90, 1.5), (-60, -1), (1, 0.02), (100, 1.67), (315, 5.25)]
)
def test_hours(minutes: int, hours: float) -> None:
    assert text.hours_of(minutes) == hours


def test_columns_stand_under_each_other_on_a_terminal() -> None:
    assert text.columns([["账户", "分钟"], ["a", "1"]], right=(1,)) == ["账户  分钟", "a        1"]
