"""Checks of a flow's graph: where its states lead, without a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from bots.flow import Ask, Flow, HandOff, State
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

# A handoff may end in these before a person was asked for; nobody is waited for.
AT_ONCE = frozenset({"failed", "out_of_hours"})


class Edge(NamedTuple):
    """One way out of a state: *where* it is written and the state that it leads *to*."""

    where: Where
    to: str
    waits: bool


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
    return in_order(problem for problem in found if problem not in loaded.problems)


def unknown_targets(flow: Flow, page: Page, positions: Positions) -> Iterator[Problem]:
    """A problem for each start, trouble, goto and outcome that leads to no state. Empty names are passed over."""
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
    """A warning for each state to which nothing leads, from `start` and `trouble` on."""
    reached = _reached(flow)
    for name in flow.states:
        if name not in reached:
            message = f'no way leads from the start to state "{shortened(name)}"'
            hint = "lead a `goto` or an outcome to it, or take it away"
            yield page.problem(Code.UNREACHABLE, _span(positions, ("states", name)), message, hint)


def edges(name: str, state: State) -> tuple[Edge, ...]:
    """The ways out of a state."""
    where = ("states", name)
    if isinstance(state, HandOff):
        return tuple(
            Edge((*where, "outcomes", outcome), to, outcome not in AT_ONCE) for outcome, to in state.outcomes.items()
        )
    return (Edge((*where, "goto"), state.goto, isinstance(state, Ask)),) if state.goto else ()


def _targets(flow: Flow) -> Iterator[tuple[Where, str, str]]:
    yield ("start",), "the start", flow.start
    yield ("trouble",), "trouble", flow.trouble or ""
    for name, state in flow.states.items():
        for edge in edges(name, state):
            outcome = f', outcome "{edge.where[-1]}",' if isinstance(state, HandOff) else ""
            yield edge.where, f'state "{shortened(name)}"{outcome}', edge.to


def _reached(flow: Flow) -> set[str]:
    reached: set[str] = set()
    ahead = [name for name in (flow.start, flow.trouble) if name in flow.states]
    while ahead:
        name = ahead.pop()
        if name is not None and name not in reached:
            reached.add(name)
            ahead.extend(edge.to for edge in edges(name, flow.states[name]) if edge.to in flow.states)
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
