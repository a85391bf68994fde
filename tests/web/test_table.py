"""CSV files as clerks keep them, and as nobody should."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from web.problems import DeskError
from web.table import ROW_MAX_BYTES, ROW_MAX_LINES, BadRowError, choose_encoding, open_table, trimmed

COLUMNS = ("a", "b", "remark")


def read(folder: Path, content: bytes) -> list[tuple[int, Sequence[str] | str]]:
    """Line and cells of each row of a file; of a bad one the reason. Random access must find the same."""
    path = folder / "table.csv"
    path.write_bytes(content)
    rows: list[tuple[int, Sequence[str] | str]] = []
    with open_table(path, COLUMNS) as table:
        records = list(table.records())
        for record in records:
            try:
                rows.append((record.line, table.cells(record)))
            except BadRowError as error:
                rows.append((record.line, str(error)))
        assert [table.record(record.line, record.offset) for record in reversed(records)] == records[::-1]
    return rows


@pytest.mark.parametrize(
    "content",
    [
        "a,b,remark\n1,2,陪伴\n".encode(),
        "a,b,remark\r\n1,2,陪伴\r\n".encode(),
        "a,b,remark\n1,2,陪伴".encode(),
        "\ufeffa,b,remark\n1,2,陪伴\n".encode(),
        "a,b,remark\n1,2,陪伴\n".encode("gb18030"),
        "a;b;remark\r\n1;2;陪伴\r\n".encode("utf-8-sig"),
        "a\tb\tremark\n1\t2\t陪伴\n".encode(),
        '"a","b","remark"\n"1","2","陪伴"\n'.encode(),
        " A ,b,Remark\n1,2,陪伴\n".encode(),
        "remark,b,a\n陪伴,2,1\n".encode(),
        "a,b,extra,remark\n1,2,x,陪伴\n".encode(),
        "a,b,remark\n1,2,陪伴,,,\n".encode(),
        "a,b,remark\n\n,,\n1,2,陪伴\n;;\n\n".encode(),
    ],
    ids=[
        *("plain", "crlf", "no-last-line-end", "bom", "gb18030", "semicolons", "tabs", "quoted", "spelling"),
        *("other-order", "extra-column", "extra-commas", "empty-lines"),
    ],
)
def test_one_row_in_many_spellings(tmp_path: Path, content: bytes) -> None:
    [(_line, cells)] = read(tmp_path, content)
    assert tuple(cells) == ("1", "2", "陪伴")


def test_cells_that_a_spreadsheet_dropped_are_empty(tmp_path: Path) -> None:
    assert read(tmp_path, b"a,b,remark\n1,2\n") == [(2, ("1", "2", ""))]


def gb(text: str) -> bytes:
    return text.encode("gb18030")


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "UTF-8"),
        (b"a\n", "UTF-8"),
        ("陪伴\n".encode(), "UTF-8"),
        (gb("券"), "UTF-8"),
        (gb("券\n陪伴\n"), "GB18030"),
        (gb("陪伴\n券\n"), "GB18030"),
        (gb("陪\n") * 2 + "陪\n".encode(), "GB18030"),
        (gb("陪\n") + "陪\n".encode() * 2, "UTF-8"),
        (gb("陪\n") + "陪\n".encode(), "UTF-8"),
        (b"\xff\n", "UTF-8"),
        (b"\xef\xbb\xbfa\n" + gb("陪\n"), "UTF-8"),
        (gb("陪\n") + "陪".encode() * ROW_MAX_BYTES + b"\n", "GB18030"),
        ("伴\n".encode() + b"x" + gb("陪") * ROW_MAX_BYTES, "UTF-8"),
    ],
)
def test_a_file_has_one_encoding(content: bytes, encoding: str) -> None:
    assert choose_encoding(io.BytesIO(content)) == encoding


def test_short_cells_are_read_in_the_encoding_of_the_file(tmp_path: Path) -> None:
    rows = read(tmp_path, gb("a,b,remark\n1,2,券\n3,4,陪伴\n"))
    assert rows == [(2, ("1", "2", "券")), (3, ("3", "4", "陪伴"))]


def test_rows_of_another_encoding_are_bad(tmp_path: Path) -> None:
    content = "a,b,remark\n1,2,甲\n".encode() + gb("3,4,乙\n") + b"5,6,\xff\xff\n7,8,z\n"
    bad = "it cannot be read as UTF-8, the encoding of this file"
    assert read(tmp_path, content) == [(2, ("1", "2", "甲")), (3, bad), (4, bad), (5, ("7", "8", "z"))]


def test_line_ends_inside_quotes_and_the_numbers_of_the_lines_after(tmp_path: Path) -> None:
    rows = read(tmp_path, b'a,b,remark\n1,2,"one\r\ntwo, ""three"""\n3,4,x\n')
    assert rows == [(2, ("1", "2", 'one\r\ntwo, "three"')), (4, ("3", "4", "x"))]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"1,2,x,y", "it has 4 cells, the header 3"),
        (b'1,2,"x', "its quotes do not pair"),
        (b'1,2,"x"y', "its quotes do not pair"),
        (b"1,2,\0", "it holds a NUL byte"),
        (b"1,2," + b"x" * ROW_MAX_BYTES, f"it is longer than {ROW_MAX_BYTES} bytes, and not repeated here"),
        (b"1,2," + b"x" * 10_000_000, f"it is longer than {ROW_MAX_BYTES} bytes, and not repeated here"),
        (b'1,2,"' + b"x" * 10_000_000 + b'"', f"it is longer than {ROW_MAX_BYTES} bytes, and not repeated here"),
    ],
    ids=[
        "too-many-cells",
        "open-quote",
        "text-after-quote",
        "nul",
        "too-long",
        "ten-megabytes",
        "ten-megabytes-quoted",
    ],
)
def test_a_bad_row_takes_no_other_with_it(tmp_path: Path, bad: bytes, reason: str) -> None:
    rows = read(tmp_path, b"a,b,remark\n1,1,\n" + bad + b'\n3,3,\n4,4,"q"\n')
    assert rows == [(2, ("1", "1", "")), (3, reason), (4, ("3", "3", "")), (5, ("4", "4", "q"))]


def test_quotes_that_never_close_are_not_searched_for_far(tmp_path: Path) -> None:
    rows = read(tmp_path, b"a,b,remark\n" + b'1,2,"x\n' * 3 + b"3,4,x\n" * (ROW_MAX_LINES + 1))
    assert [isinstance(cells, str) for _line, cells in rows] == [True] * 3 + [False] * (ROW_MAX_LINES + 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n", "has no column a, b, remark"),
        (b"1,2,3\n", "has no column a, b, remark"),
        (b"a,remark\n1,2\n", "has no column b;"),
        (b"a,b,remark,a\n", "names the column a twice"),
        ("a,b,remark\n".encode("utf-16"), "is UTF-16; save it as CSV UTF-8"),
        (b'"a,b,remark\n', "cannot be read: its quotes do not pair"),
        (b"\xff\xfd\n", "cannot be read: it cannot be read as UTF-8"),
        (b"x" * 1_000_000, "has no column a, b, remark"),
    ],
)
def test_a_file_without_the_header_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DeskError, match=message) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_cell_that_matters_is_short() -> None:
    assert trimmed(" 1 ") == "1"
    with pytest.raises(BadRowError, match="is too long"):
        trimmed(" " * 1_000)
