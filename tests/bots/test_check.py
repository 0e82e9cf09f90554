"""The graph of a flow."""

from __future__ import annotations

import msgspec

from bots.check import check_flow, endless_cycles, unknown_targets, unreachable_states
from bots.flow import Ask, Case, Choice, Choose, EveryQuestion, Flow, HandOff, Say, Shortcut, State, Tries
from bots.graph import edges
from bots.loader import load_flow
from bots.problems import Page, Positions, Span

PAGE = Page("flow.yaml", ("flow: flow",))
NOWHERE: Positions = {}
MANY = 1000


def flow(**states: State) -> Flow:
    return Flow(name="flow", start=next(iter(states)), states=states)


def rounds(flow: Flow) -> list[str]:
    return [problem.message.split(" goes round")[0] for problem in endless_cycles(flow, PAGE, NOWHERE)]


def unreached(flow: Flow) -> list[str]:
    return [problem.message.split('"')[1] for problem in unreachable_states(flow, PAGE, NOWHERE)]


def test_a_round_of_texts_never_waits() -> None:
    assert rounds(flow(a=Say(text="A", goto="b"), b=Say(text="B", goto="a"))) == ['"a" → "b"']


def test_a_question_waits() -> None:
    assert rounds(flow(a=Say(text="A", goto="b"), b=Ask(text="B", goto="a"))) == []


def test_a_handoff_waits_only_for_what_takes_time() -> None:
    """`failed` and `out_of_hours` come at once, the others when somebody has waited."""
    for outcome, expected in {"failed": 1, "out_of_hours": 1, "ended": 0, "waited_too_long": 0, "cancelled": 0}.items():
        assert len(rounds(flow(a=HandOff(target="t", outcomes={outcome: "a"})))) == expected


def test_a_round_behind_the_start_is_found_and_told_once() -> None:
    states: dict[str, State] = {
        "start": Say(text="S", goto="x"),
        "x": Say(text="X", goto="y"),
        "y": Say(text="Y", goto="x"),
        "again": Say(text="A", goto="x"),
    }
    assert rounds(flow(**states)) == ['"x" → "y"']


def test_two_ways_to_one_state_are_no_round() -> None:
    states: dict[str, State] = {
        "a": HandOff(target="t", outcomes={"failed": "b", "out_of_hours": "c"}),
        "b": Say(text="B", goto="d"),
        "c": Say(text="C", goto="d"),
        "d": Say(text="D", end="close"),
    }
    assert rounds(flow(**states)) == []


def test_start_trouble_goto_and_outcomes_reach() -> None:
    states: dict[str, State] = {
        "start": Say(text="S", goto="person"),
        "person": HandOff(target="t", outcomes={"ended": "bye", "failed": "bye"}),
        "bye": Say(text="B", end="close"),
        "sorry": Say(text="T", end="close"),
        "island": Say(text="I", goto="islet"),
        "islet": Ask(text="I", goto="island"),
    }
    whole = Flow(name="flow", start="start", trouble="sorry", states=states)
    assert unreached(whole) == ["island", "islet"]


def test_choices_cases_tries_and_what_is_heard_anywhere_reach() -> None:
    states: dict[str, State] = {
        "start": Ask(
            text="S",
            choices=(Choice(label="A", goto="by_choice"), Choice(label="B")),
            goto="by_goto",
            tries=Tries(most=2, goto="own"),
        ),
        "by_goto": Choose(cases=(Case(when="true", goto="by_case"),), otherwise="by_otherwise"),
        "by_choice": Ask(text="C", must="x", goto="by_goto"),
        "free": Ask(text="F", goto="free"),
    }
    ends = ("by_case", "by_otherwise", "own", "by_default", "by_words", "island")
    whole = Flow(
        name="flow",
        start="start",
        states=states | {name: Say(text=name, end="close") for name in ends},
        words={"agent": ("agent",)},
        anywhere=(Shortcut(hears="agent", goto="by_words"),),
        every_question=EveryQuestion(tries=Tries(most=3, goto="by_default")),
    )
    assert unreached(whole) == ["free", "island"]
    nobody_inherits = msgspec.structs.replace(
        whole, states=whole.states | {"by_choice": Ask(text="C", must="x", goto="by_goto", tries="none")}
    )
    assert unreached(nobody_inherits) == ["free", "by_default", "island"]


def test_a_condition_does_not_wait() -> None:
    for choose in (Choose(cases=(Case(when="true", goto="a"),), otherwise="b"), Choose(otherwise="a")):
        assert len(rounds(flow(a=Say(text="A", goto="c"), b=Say(text="B", end="close"), c=choose))) == 1


def test_each_target_that_does_not_exist_is_told_at_its_place() -> None:
    states: dict[str, State] = {
        "a": Say(text="A", goto="x"),
        "b": HandOff(target="t", outcomes={"failed": "y", "ended": "a"}),
    }
    broken = Flow(name="flow", start="w", trouble="v", states=states)
    positions: Positions = {("states", "b", "outcomes", "failed"): Span(1, 7, 4)}
    problems = list(unknown_targets(broken, PAGE, positions))
    assert [problem.message.split(", which")[0] for problem in problems] == [
        'the start goes to "w"',
        'trouble goes to "v"',
        'state "a" goes to "x"',
        'state "b", outcome "failed", goes to "y"',
    ]
    assert (problems[3].column, problems[3].length) == (7, 4)


def test_a_flow_in_memory_with_unknown_targets_does_not_break_the_other_checks() -> None:
    broken = Flow(name="flow", start="nowhere", states={"a": Say(text="A", goto="nowhere")})
    assert rounds(broken) == []
    assert unreached(broken) == ["a"]


def test_thousands_of_states_in_a_row_are_walked_without_recursion() -> None:
    row: dict[str, State] = {f"s{i}": Say(text="x", goto=f"s{i + 1}") for i in range(10 * MANY)}
    row[f"s{10 * MANY}"] = Say(text="x", goto="s0")
    (message,) = rounds(flow(**row))
    assert message == '"s0" → "s1" → "s2" → 9996 more → "s9999" → "s10000"'
    assert unreached(flow(**row)) == []


def test_every_way_is_walked_once() -> None:
    """A ladder of handoffs has 2 to the 1,000 ways through; a walk that took each would not end."""
    rungs: dict[str, State] = {
        f"s{i}": HandOff(target="t", outcomes={"failed": f"s{i + 1}", "out_of_hours": f"s{min(i + 2, MANY)}"})
        for i in range(MANY)
    }
    rungs[f"s{MANY}"] = Say(text="x", end="close")
    assert rounds(flow(**rungs)) == []


def test_edges_tell_where_they_are_written() -> None:
    assert [edge.where for edge in edges("a", HandOff(target="t", outcomes={"failed": "b"}))] == [
        ("states", "a", "outcomes", "failed")
    ]


BROKEN = """\
flow: flow
start: a
states:
  a: {say: "A", goto: a}
  b: {say: "B", goto: nowhere}
"""


def test_what_loading_told_is_not_told_again() -> None:
    loaded = load_flow(BROKEN, path="flow.yaml")
    assert [problem.code for problem in loaded.problems] == ["F012"]
    assert [problem.code for problem in check_flow(loaded)] == ["F030"]


def test_reachability_is_judged_only_without_errors() -> None:
    """A typing error elsewhere may be all that is wrong."""
    fine = BROKEN.replace("goto: a}", "end: close}").replace("nowhere", "b")
    assert [problem.code for problem in check_flow(load_flow(fine, path="flow.yaml"))] == ["F030"]
    fine = fine.replace("goto: b}", "end: close}")
    assert [problem.code for problem in check_flow(load_flow(fine, path="flow.yaml"))] == ["F031"]


def test_a_file_without_keys_has_no_graph() -> None:
    assert check_flow(load_flow("", path="flow.yaml")) == ()
