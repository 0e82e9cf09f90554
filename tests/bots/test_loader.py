"""Flows from YAML, and what is said about those that cannot be loaded."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots import grammar, nodes
from bots.check import check_flow
from bots.cleaning import WAYS
from bots.flow import Ask, Field, Flow, HandOff, Say
from bots.loader import Loaded, load_flow, load_folder
from bots.nodes import MOST_BYTES, MOST_NODES, Node, Scalar, read_nodes
from bots.problems import Code, Span, has_errors, render

HOUSE = Path(__file__).parents[2]
FLOWS = HOUSE / "flows"
BAD_FLOWS = Path(__file__).parents[1] / "bad_flows"
WELCOME = (FLOWS / "welcome.yaml").read_text(encoding="utf-8")
SCHEMA = json.loads((FLOWS / "flow.schema.json").read_text(encoding="utf-8"))


HEAD = "flow: flow\nstart: a\ndata: {topic: {type: text}}\n"


def load(text: str | bytes) -> Loaded:
    return load_flow(text, path="flow.yaml")


def codes(text: str | bytes) -> list[str]:
    return [problem.code for problem in load(text).problems]


def a_flow(state: str) -> str:
    """A flow whose state `a` has the lines of *state*, and a state `b` to go to."""
    indented = "".join(f"    {line}\n" for line in state.split("\n"))
    return f"{HEAD}states:\n  a:\n{indented}  b: {{say: Bye, end: close}}\n"


def said(text: str) -> str:
    """What the state `a` says in the draft of a flow, broken or not."""
    draft = load(a_flow(text + "\ngoto: b")).draft
    assert draft is not None
    assert isinstance(draft.states["a"], Say)
    return draft.states["a"].text


# what is loaded


def test_a_flow_becomes_the_neutral_model() -> None:
    text = """\
flow: flow
format: 1
language: pt-BR
start: hello
trouble: bye
data:
  topic: {type: text, label: Topic, otherwise: "", private: true}
  mail: {from: pre_engagement.email}
  order: {type: object}
states:
  hello:
    ask: "Hi {{ customer.name }}"
    save_as: topic
    goto: person
  person:
    handoff: support
    attributes: {topic: "{{ topic }}"}
    outcomes: {failed: bye, ended: bye, out_of_hours: bye}
  bye:
    say: |
      Good
      bye
    end: start_over
"""
    loaded = load(text)
    assert loaded.problems == ()
    assert loaded.flow == loaded.draft
    assert loaded.flow == Flow(
        name="flow",
        language="pt-BR",
        start="hello",
        trouble="bye",
        data={
            "topic": Field(type="text", label="Topic", otherwise="", private=True),
            "mail": Field(from_="pre_engagement.email"),
            "order": Field(type="object"),
        },
        states={
            "hello": Ask(text="Hi {{ customer.name }}", save_as="topic", goto="person"),
            "person": HandOff(
                target="support",
                attributes={"topic": "{{ topic }}"},
                outcomes={"failed": "bye", "ended": "bye", "out_of_hours": "bye"},
            ),
            "bye": Say(text="Good\nbye\n", end="start_over"),
        },
    )


def test_positions_lead_to_what_was_written() -> None:
    positions = load(a_flow("ask: 'Hi'\nsave_as: topic\ngoto: b")).positions
    assert positions["start",] == Span(2, 8, 1)
    assert positions["data", "topic"] == Span(3, 8, 5)
    assert positions["states", "a"] == Span(5, 3, 1)
    assert positions["states", "a", "ask"] == Span(6, 10, 4)
    assert positions["states", "a", "save_as"] == Span(7, 14, 5)


@pytest.mark.parametrize("written", ["no", "01234", "12:30", "1e3", "~", "null", "2024-01-01", "0x1F", "yes", ".5"])
def test_values_stay_the_text_that_was_written(written: str) -> None:
    """YAML would make False, 668, 750, … of these."""
    assert load(a_flow(f"say: {written}\ngoto: b")).problems == ()
    assert said(f"say: {written}") == written


def test_a_comment_after_quotes_or_a_name_is_one() -> None:
    assert load(a_flow('say: "order" # told before\ngoto: b # the end')).problems == ()


def test_bytes_are_read_like_text_and_a_byte_order_mark_is_passed_over() -> None:
    assert load("\ufeff".encode() + a_flow("say: é\ngoto: b").encode()).flow == load(a_flow("say: é\ngoto: b")).flow


def test_windows_line_ends_change_nothing() -> None:
    text = a_flow("say: Hello\ngoto: c")
    assert load(text.replace("\n", "\r\n")).problems == load(text).problems != ()


# what is read as if it were right


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("say: Note: closed", "Note: closed"),
        ("say: {{ topic }}, hello", "{{ topic }}, hello"),
        ("say: {{ topic }}", "{{ topic }}"),
        ("say: [urgent] hi", "[urgent] hi"),
        ("say: [urgent]", "[urgent]"),
        ("say: {topic}", "{topic}"),
        ("say: order #3", "order #3"),
        ("say: *now*", "*now*"),
        ("say: @you", "@you"),
        ("say: ? what", "? what"),
        ("say: - what", "- what"),
        ("say: | what", "| what"),
        ('say: "Hello', "Hello"),
        ("say: 'It's me'", "It's me"),
        ('say: "C:\\docs"', "C:\\docs"),
        ('say: "Hello",', "Hello"),
        ("say:Hello", "Hello"),
        ('say "Hello"', "Hello"),
    ],
)
def test_a_guilty_line_is_read_as_it_was_meant(written: str, meant: str) -> None:
    """One problem for the line, the meaning as if quoted, and the next mistake still found."""
    text = a_flow(f"{written}\ngoto: nowhere")
    problems = load(text).problems
    assert [problem.line for problem in problems] == [6, 7]
    assert problems[0].code in ("F006", "F007", "F008", "F009")
    assert problems[1].code == "F012"
    assert problems[1].source[problems[1].column - 1 :] == "nowhere"
    assert said(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{say: Hello, you, goto: b}", "Hello, you"),
        ("{say: Hello, you}", "Hello, you"),
        ("{say: Note: closed, goto: b}", "Note: closed"),
        ("{say: hi {{ topic }}, goto: b}", "hi {{ topic }}"),
        ("{say: {{ topic }}, goto: b}", "{{ topic }}"),
        ("{say: ?, goto: b}", "?"),
        ("{say: order #3, goto: b}", "order #3"),
        ("{goto: b, say: {{ topic }} now}", "{{ topic }} now"),
    ],
)
def test_a_text_in_braces_is_read_as_it_was_meant(written: str, meant: str) -> None:
    draft = load(f"{HEAD}states:\n  a: {written}\n  b: {{say: Bye, end: close}}\n").draft
    assert draft is not None
    assert isinstance(draft.states["a"], Say)
    assert draft.states["a"].text == meant


# what is refused


@pytest.mark.parametrize("opener", ["[", "{", "- ", "[{a: "])
def test_depth_is_counted_before_anything_is_built(opener: str) -> None:
    assert codes(opener * 100_000) == ["F002"]


def test_a_file_that_is_too_big_is_not_read() -> None:
    assert codes("#" * (MOST_BYTES + 1)) == ["F002"]
    assert codes(b"#" * (MOST_BYTES + 1)) == ["F002"]
    assert codes("[" + "a," * MOST_NODES + "]") == ["F002"]


def test_many_mistakes_end_in_a_finite_number_of_readings() -> None:
    text = "".join(f"k{i}: a: b\n" for i in range(5000))
    assert 1 <= len(load(text).problems) < 100


@pytest.mark.parametrize(
    "text", ["key: [type: text}", "\x00" * 100_000, "a: " + "{a: " * 300, "a: " + "'a' 'b' " * 200]
)
def test_no_line_takes_long(text: str) -> None:
    """What is quoted again doubles its quotes, and what is mended sign by sign takes the square of its length."""
    begun = time.perf_counter()
    assert has_errors(load(text).problems)
    assert time.perf_counter() - begun < 5


def test_a_text_in_several_lines_is_searched_for_the_unknown_name() -> None:
    (problem,) = load(a_flow("say: |\n  Dear friend,\n  your {{ tpoic }} is ready\ngoto: b")).problems
    assert (problem.code, problem.line, problem.column, problem.length) == ("F025", 8, 15, 5)


def test_a_hint_lists_what_is_known() -> None:
    (problem,) = load(a_flow("say: Hi\ngoto: elsewhere")).problems
    assert problem.hint == "states here: a, b"


@pytest.mark.parametrize("path", sorted(BAD_FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_flow_is_explained(path: Path) -> None:
    """The whole output stands beside the file: a changed message is a changed interface."""
    loaded = load_flow(path.read_bytes(), path=path.name)
    output = render([*loaded.problems, *check_flow(loaded)], flows=1)
    assert output + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_bad_flow_has_its_output() -> None:
    assert {path.stem for path in BAD_FLOWS.glob("*.yaml")} == {path.stem for path in BAD_FLOWS.glob("*.txt")}


def test_every_code_occurs_in_a_bad_flow() -> None:
    shown = " ".join(path.read_text(encoding="utf-8") for path in BAD_FLOWS.glob("*.txt"))
    assert [code.value for code in Code if code.value not in shown] == []


# folders


def test_a_folder_holds_flows_and_other_files(tmp_path: Path) -> None:
    flow = "flow: {}\nstart: a\nstates: {{a: {{say: Hello, end: close}}}}\n"
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).write_text(flow.format(name[0]), encoding="utf-8")
    for name in ("a.es.yaml", "calls.yaml", "targets.yaml", "README.md", "flow.schema.json"):
        (tmp_path / name).write_text("not: a flow", encoding="utf-8")
    (tmp_path / "tests.yaml").mkdir()
    (tmp_path / "c.yaml").write_text(flow.format("d"), encoding="utf-8")
    folder = load_folder(tmp_path)
    assert list(folder.flows) == ["a", "b"]
    assert [one.path for one in folder.loaded] == [
        (tmp_path / name).as_posix() for name in ("a.yaml", "b.yaml", "c.yaml")
    ]
    assert [problem.code for problem in folder.problems] == ["F023"]


def test_the_flows_of_the_house_have_no_problems() -> None:
    folder = load_folder(FLOWS)
    assert "welcome" in folder.flows
    assert [problem for one in folder.loaded for problem in (*one.problems, *check_flow(one))] == []


# the reference and the schema

BLOCKS = re.findall(r"```yaml\n(flow: .*?)```", (FLOWS / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_a_flow_in_the_reference_has_no_problems(block: str) -> None:
    name = block.split("\n")[0].removeprefix("flow: ")
    loaded = load_flow(block, path=f"{name}.yaml")
    assert (*loaded.problems, *check_flow(loaded)) == ()


def test_the_reference_has_a_whole_flow() -> None:
    assert BLOCKS


PARTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "flow": (grammar.FLOW_KEYS, SCHEMA),
    "field": (grammar.FIELD_KEYS, SCHEMA["$defs"]["field"]),
    "every_question": (grammar.EVERY_QUESTION_KEYS, SCHEMA["properties"]["every_question"]),
    "shortcut": (grammar.SHORTCUT_KEYS, SCHEMA["$defs"]["shortcut"]),
    "choice": (grammar.CHOICE_KEYS, SCHEMA["$defs"]["choice"]),
    "scale": (grammar.SCALE_KEYS, SCHEMA["$defs"]["scale"]),
    "must": (grammar.MUST_KEYS, SCHEMA["$defs"]["must"]),
    "tries": (grammar.TRIES_KEYS, SCHEMA["$defs"]["tries"]["anyOf"][1]),
    "case": (grammar.CASE_KEYS, SCHEMA["$defs"]["case"]),
    "outcomes": (grammar.OUTCOMES, SCHEMA["$defs"]["handoff"]["properties"]["outcomes"]),
    **{kind: (keys, SCHEMA["$defs"][kind]) for kind, keys in grammar.STATE_KEYS.items()},
}


@pytest.mark.parametrize("part", PARTS)
def test_schema_and_loader_allow_the_same_keys(part: str) -> None:
    keys, schema = PARTS[part]
    assert set(schema["properties"]) == set(keys)
    assert schema["additionalProperties"] is False


def test_schema_and_loader_know_the_same_words() -> None:
    defs = SCHEMA["$defs"]
    assert defs["end"]["enum"] == list(grammar.ENDS)
    assert defs["field"]["properties"]["type"]["enum"] == list(grammar.FIELD_TYPES)
    assert defs["ask"]["properties"]["clean"]["items"]["enum"] == list(grammar.CLEANINGS) == list(WAYS)
    assert SCHEMA["required"] == list(grammar.FLOW_NEEDS)
    assert defs["handoff"]["properties"]["outcomes"]["required"] == list(grammar.OUTCOMES_NEEDED)
    assert {one["$ref"].rpartition("/")[2] for one in defs["state"]["oneOf"]} == set(grammar.KINDS)


@pytest.mark.parametrize(
    "key", sorted({key for keys, _ in PARTS.values() for key in keys} | {*grammar.STATE_KEYS, "otherwise"})
)
def test_the_reference_names_every_key(key: str) -> None:
    assert f"| `{key}` |" in (FLOWS / "README.md").read_text(encoding="utf-8")


def plain(node: Node | None) -> Any:
    """A node as plain data, as an editor's parser without YAML's types would read it."""
    match node:
        case Scalar():
            return node.text
        case nodes.Mapping():
            return {entry.key.text: plain(entry.value) for entry in node.entries}
        case nodes.Sequence():
            return [plain(item) for item in node.items]
    raise AssertionError(node)


SHAPES = (
    *("unknown_keys", "kinds", "ways_on", "outcomes", "names", "missing_keys", "later"),
    *("words", "no_words", "choices", "scales", "answers", "choose"),
)


def test_the_schema_accepts_the_welcome_flow() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(plain(read_nodes(WELCOME, path="welcome.yaml").root))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_the_schema_accepts_the_flows_of_the_reference(block: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(plain(read_nodes(block, path="flow.yaml").root))


@pytest.mark.parametrize("name", SHAPES)
def test_the_schema_refuses_what_the_loader_refuses(name: str) -> None:
    root = read_nodes((BAD_FLOWS / f"{name}.yaml").read_bytes(), path=name).root
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(plain(root))


# any text at all


def assert_told(text: str | bytes) -> None:
    """A flow or an error; every problem within the text; the graph can be checked and all of it rendered."""
    loaded = load_flow(text, path="welcome.yaml")
    problems = (*loaded.problems, *check_flow(loaded))
    assert (loaded.flow is not None) == (not has_errors(loaded.problems))
    lines = loaded.page.lines
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(problem.source) + 1
        assert problem.source == lines[problem.line - 1]
        assert problem.length >= 1
    assert render(problems, flows=1)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_is_a_flow_or_explained(text: str) -> None:
    assert_told(text)


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_any_bytes_are_a_flow_or_explained(text: bytes) -> None:
    assert_told(text)


SIGNS = st.sampled_from("{}[]\"'#:,&*!|>?-@%`\\\t\n\r ~<ax0é🙂\u2028\x00\ufeff")


@settings(max_examples=200, deadline=None)
@given(st.text(SIGNS, max_size=40))
def test_any_punctuation_is_a_flow_or_explained(text: str) -> None:
    assert_told(f"flow: welcome\nstates:\n  a:\n    say: {text}\n    goto: b\n")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(WELCOME) - 1), st.sampled_from(["delete", "insert", "replace"]), SIGNS)
def test_a_flow_with_one_typing_error_is_a_flow_or_explained(place: int, edit: str, sign: str) -> None:
    after = WELCOME[place:] if edit == "insert" else WELCOME[place + 1 :]
    assert_told(WELCOME[:place] + ("" if edit == "delete" else sign) + after)
