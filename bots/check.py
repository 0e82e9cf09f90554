"""Checks of a flow's graph: where its states lead, without a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bots.defaults import all_tries
from bots.flow import Ask, Flow, HandOff, Tries
from bots.graph import Edge, edges
from bots.problems import (
    Code,
    Page,
    Positions,
    Problem,
    Span,
    Where,
    did_you_mean,
    has_errors,
    hints,
    in_order,
    listed,
    shortened,
)

if TYPE_CHECKING:
    from bots.loader import Loaded


def check_flow(loaded: Loaded) -> tuple[Problem, ...]:
    """What is wrong with the graph of a flow and was not told when it was loaded.

    Of a flow with errors only what is sure: a state may seem unreachable because of a typing error elsewhere.
    """
    if loaded.draft is None:
        return ()
    found = [*unknown_targets(loaded.draft, loaded.page, loaded.positions)]
    found += endless_cycles(loaded.draft, loaded.page, loaded.positions)
    if not has_errors((*loaded.problems, *found)):
        found += unreachable_states(loaded.draft, loaded.page, loaded.positions)
        found += unused_things(loaded.draft, loaded.page, loaded.positions)
    return in_order(problem for problem in found if problem not in loaded.problems)


def unknown_targets(flow: Flow, page: Page, positions: Positions) -> Iterator[Problem]:
    """A problem for each place that leads to a state that is not there. Empty names are passed over."""
    for where, subject, target in _targets(flow):
        if target and target not in flow.states:
            message = f'{subject} goes to "{shortened(target)}", which is not in this flow'
            hint = hints(did_you_mean(target, flow.states), f"states here: {listed(flow.states)}")
            yield page.problem(Code.UNKNOWN_STATE, _span(positions, where), message, hint)


def endless_cycles(flow: Flow, page: Page, positions: Positions) -> Iterator[Problem]:
    """A problem for each round of states that never waits for anybody."""
    for cycle in _cycles(flow):
        states = [edge.where[1] for edge in cycle]
        message = f"{_round(states)} goes round and never waits for the customer"
        hint = "lead one of them to an `ask`, or let it `end`"
        yield page.problem(Code.ENDLESS, _span(positions, cycle[-1].where), message, hint)


def unreachable_states(flow: Flow, page: Page, positions: Positions) -> Iterator[Problem]:
    """A warning for each state to which nothing leads, from `start`, `trouble` and `anywhere` on."""
    reached = _reached(flow)
    for name in flow.states:
        if name not in reached:
            message = f'no way leads from the start to state "{shortened(name)}"'
            hint = "lead a `goto` or an outcome to it, or take it away"
            yield page.problem(Code.UNREACHABLE, _span(positions, ("states", name)), message, hint)


def unused_things(flow: Flow, page: Page, positions: Positions) -> Iterator[Problem]:
    """A warning for words that nothing hears, and for what follows wrong answers where none can be wrong."""
    heard = {shortcut.hears for shortcut in flow.anywhere}
    for name in flow.words:
        if name not in heard:
            hint = f"hear them:  anywhere: [{{hears: {shortened(name)}, goto: STATE}}]"
            yield page.problem(
                Code.UNUSED, _span(positions, ("words", name)), f'nothing hears the words "{shortened(name)}"', hint
            )
    tries = all_tries(flow)
    for name, state in flow.states.items():
        if isinstance(state, Ask):
            yield from _unused_by_question(name, state, tries.get(name), page, positions)


def _unused_by_question(
    name: str, question: Ask, tries: Tries | None, page: Page, positions: Positions
) -> Iterator[Problem]:
    where = ("states", name)
    if question.is_free:
        limits = question.tries is not None and question.tries != "none"
        for key, is_there in {"wrong": bool(question.wrong), "tries": limits}.items():
            if is_there:
                message = f'no answer to "{shortened(name)}" is wrong, so `{key}` is never used'
                hint = "say what an answer must be, with `must` or `choices`, or take it away"
                yield page.problem(Code.UNUSED, _span(positions, (*where, key)), message, hint)
    elif tries is not None and len(question.wrong) >= tries.most:
        message = f"with {tries.most} tries only {tries.most - 1} of the texts of `wrong` can be said"
        hint = "at the last try no text is said, but the `goto` of `tries` follows"
        yield page.problem(Code.UNUSED, _span(positions, (*where, "wrong")), message, hint)


def _targets(flow: Flow) -> Iterator[tuple[Where, str, str]]:
    yield ("start",), "the start", flow.start
    yield ("trouble",), "trouble", flow.trouble or ""
    if flow.every_question.tries is not None:
        yield ("every_question", "tries", "goto"), "`every_question`", flow.every_question.tries.goto
    for number, shortcut in enumerate(flow.anywhere):
        yield ("anywhere", str(number), "goto"), "`anywhere`", shortcut.goto
    for name, state in flow.states.items():
        for edge in edges(name, state):
            outcome = f', outcome "{edge.where[-1]}",' if isinstance(state, HandOff) else ""
            yield edge.where, f'state "{shortened(name)}"{outcome}', edge.to


def _reached(flow: Flow) -> set[str]:
    tries = all_tries(flow)
    reached: set[str] = set()
    ahead = [flow.start, flow.trouble or "", *(shortcut.goto for shortcut in flow.anywhere)]
    while ahead:
        name = ahead.pop()
        if name in flow.states and name not in reached:
            reached.add(name)
            ahead.extend(edge.to for edge in edges(name, flow.states[name]))
            if name in tries:
                ahead.append(tries[name].goto)
    return reached


def _cycles(flow: Flow) -> Iterator[tuple[Edge, ...]]:
    """For each state that a walk without waiting comes back to, the edges of the round that it took."""
    done: set[str] = set()
    for first in flow.states:
        if first in done:
            continue
        trail: list[Edge] = []
        depths = {first: 0}
        ahead = [iter(_at_once(flow, first))]
        while ahead:
            edge = next(ahead[-1], None)
            if edge is None:
                ahead.pop()
                left = trail.pop().to if trail else first
                depths.pop(left)
                done.add(left)
            elif edge.to in depths:
                yield (*trail[depths[edge.to] :], edge)
            elif edge.to not in done:
                trail.append(edge)
                depths[edge.to] = len(trail)
                ahead.append(iter(_at_once(flow, edge.to)))


def _at_once(flow: Flow, name: str) -> Iterable[Edge]:
    return [edge for edge in edges(name, flow.states[name]) if not edge.waits and edge.to in flow.states]


def _round(states: list[str]) -> str:
    if len(states) == 1:
        return f'state "{shortened(states[0])}"'
    shown = [f'"{shortened(name)}"' for name in states]
    return " → ".join(shown if len(shown) <= 6 else [*shown[:3], f"{len(shown) - 5} more", *shown[-2:]])


def _span(positions: Positions, where: Where) -> Span:
    """The place of *where*, or of the nearest thing around it that has one."""
    while where and where not in positions:
        where = where[:-1]
    return positions.get(where, Span(1, 1))
