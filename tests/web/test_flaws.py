"""What the format refuses of a text or a number is told in the reader's words."""

from pathlib import Path

import pytest

from tests.web.desk import Desk


@pytest.mark.parametrize(
    ("title", "english", "chinese"),
    [
        ("", "title is empty", "title 不能为空"),
        ("x" * 1_025, "title has more than 1024 characters", "title 超过 1024 个字"),
        ("a\nb", "a line break or another control character", "换行"),
    ],
    ids=["empty", "long", "control"],
)
def test_a_text_that_no_entry_can_hold(tmp_path: Path, title: str, english: str, chinese: str) -> None:
    desk = Desk(tmp_path)
    desk.init()
    words = ("fund", "open", "meals", "--purpose", "meals", "--title", title)
    assert english in desk(*words, "--lang", "en", status=1).stderr
    told = desk(*words, "--lang", "zh", status=1).stderr
    assert chinese in told
    assert "$.body" not in told
