"""What a problem looks like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bots.problems import Code, Page, Problem, Span, did_you_mean, has_errors, listed, render, render_problem, to_json

README = Path(__file__).parents[2] / "flows" / "README.md"


def problem(source: str, column: int, length: int = 1, *, code: Code = Code.UNKNOWN_STATE, hint: str = "") -> Problem:
    return Page("flow.yaml", (source,)).problem(code, Span(1, column, length), "is wrong", hint)


def excerpt(source: str, column: int, length: int = 1) -> tuple[str, str]:
    _, line, carets, *_ = render_problem(problem(source, column, length)).split("\n")
    return line.removeprefix("    1 |   "), carets.removeprefix("      |   ")


def test_problems_look_like_those_of_the_design() -> None:
    page = Page("flows/order.yaml", ("",) * 17 + ("      goto: confrim",))
    one = page.problem(
        Code.UNKNOWN_STATE,
        Span(18, 13, 7),
        'state "ask_number" goes to "confrim", which is not in this flow',
        'did you mean "confirm"?  states here: start, ask_number, confirm, agent',
    )
    other = page.problem(Code.EMPTY_FILE, Span(1, 1), "the file is empty", "write something")
    assert render([one, other], flows=1) == (
        "flows/order.yaml:1:1  F003  the file is empty\n"
        "      write something\n"
        'flows/order.yaml:18:13  F012  state "ask_number" goes to "confrim", which is not in this flow\n'
        "   18 |         goto: confrim\n"
        "      |               ^^^^^^^\n"
        '      did you mean "confirm"?  states here: start, ask_number, confirm, agent\n'
        "2 problems in 1 file."
    )


@pytest.mark.parametrize(
    ("source", "column", "length", "carets"),
    [
        ("say: x", 6, 1, "     ^"),
        ("你好: x", 5, 1, "      ^"),
        ("你好: x", 1, 2, "^^^^"),
        ("🙂 x", 3, 1, "   ^"),
        ("e\u0301 x", 4, 1, "  ^"),
        ("مرحبا x", 7, 1, "      ^"),
        ("say: x", 7, 1, "      ^"),
    ],
)
def test_carets_stand_under_the_place(source: str, column: int, length: int, carets: str) -> None:
    """Wide characters take two columns of a terminal, combining ones none; past the end is a place too."""
    assert excerpt(source, column, length) == (source, carets)


def test_tabs_are_shown_as_spaces_of_one_width() -> None:
    assert excerpt("\tsay:\tx", 7) == ("    say:    x", " " * 12 + "^")


def test_a_long_line_is_cut_around_the_place() -> None:
    line, carets = excerpt("a" * 500 + "XYZ" + "b" * 500, 501, 3)
    assert line == "…" + "a" * 40 + "XYZ" + "b" * 57 + "…"
    assert carets == " " * 41 + "^^^"


def test_carets_end_where_a_long_line_is_cut() -> None:
    line, carets = excerpt("x" * 1000, 1, 1000)
    assert len(carets) == 100
    assert line == "x" * 100 + "…"


def test_nothing_in_a_file_can_drive_the_terminal() -> None:
    """Escape sequences and marks that turn the direction of writing are shown as what they are: unknown signs."""
    line, _ = excerpt("say: \x1b[31m \u202e x", 6)
    assert line == "say: \ufffd[31m \ufffd x"


def test_a_place_outside_the_text_is_moved_into_it() -> None:
    page = Page("flow.yaml", ("ab", "c"))
    moved = [page.problem(Code.EMPTY, span, "", "") for span in (Span(0, 0), Span(9, 9, 9), Span(1, 99, 5))]
    assert [(one.line, one.column, one.length) for one in moved] == [(1, 3, 1), (2, 2, 1), (1, 3, 1)]


@pytest.mark.parametrize(
    ("codes", "flows", "summary"),
    [
        ([], 1, "1 flow, no problems."),
        ([], 0, "0 flows, no problems."),
        ([], 3, "3 flows, no problems."),
        ([Code.EMPTY], 3, "1 problem in 1 file."),
        ([Code.UNREACHABLE], 1, "1 warning in 1 file."),
        ([Code.EMPTY, Code.EMPTY, Code.UNREACHABLE], 1, "2 problems and 1 warning in 1 file."),
    ],
)
def test_the_last_line_counts(codes: list[Code], flows: int, summary: str) -> None:
    assert render([problem("x", 1, code=code) for code in codes], flows=flows).split("\n")[-1] == summary


def test_a_program_reads_plain_data() -> None:
    assert to_json([problem("say: x", 6, hint="mend it")]) == [
        {
            "code": "F012",
            "severity": "error",
            "path": "flow.yaml",
            "line": 1,
            "column": 6,
            "length": 1,
            "message": "is wrong",
            "hint": "mend it",
            "source": "say: x",
        }
    ]


def test_a_warning_is_no_error() -> None:
    assert not has_errors([problem("x", 1, code=Code.UNREACHABLE)])
    assert has_errors([problem("x", 1, code=Code.UNREACHABLE), problem("x", 1)])


def test_only_a_near_word_is_proposed() -> None:
    assert did_you_mean("confrim", ["start", "confirm"]) == 'did you mean "confirm"?'
    assert did_you_mean("goodbye", ["start", "confirm"]) == ""


def test_a_long_list_is_cut() -> None:
    assert listed("abcde", most=3) == "a, b, c and 2 more"


def test_the_reference_explains_every_code_once() -> None:
    rows = re.findall(r"^\| (F\d{3}) \| [^|]+\. \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [code.value for code in Code]
