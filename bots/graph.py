"""Where the states of a flow lead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, assert_never

from bots.flow import Ask, Choose, Flow, HandOff, Say, State
from bots.problems import Where

# A handoff may end in these before a person was asked for; nobody is waited for.
AT_ONCE = frozenset({"failed", "out_of_hours"})


class Edge(NamedTuple):
    """One way out of a state: *where* it is written and the state that it leads *to*."""

    where: Where
    to: str
    waits: bool


def edges(name: str, state: State) -> tuple[Edge, ...]:
    """The ways out of a state that are written in it, those without a target passed over."""
    return tuple(edge for edge in _edges(("states", name), state) if edge.to)


def first_waiting(flow: Flow, name: str) -> dict[str, Ask | HandOff]:
    """The questions and handoffs that entering *name* may lead to before anything else waits."""
    found: dict[str, Ask | HandOff] = {}
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        name = ahead.pop()
        state = flow.states.get(name)
        if state is None or name in seen:
            continue
        seen.add(name)
        if isinstance(state, Ask | HandOff):
            found[name] = state
        else:
            ahead.extend(edge.to for edge in edges(name, state))
    return found


def _edges(where: Where, state: State) -> Iterator[Edge]:
    match state:
        case Ask():
            for number, choice in enumerate(state.choices):
                yield Edge((*where, "choices", str(number), "goto"), choice.goto or "", waits=True)
            if state.tries is not None and state.tries != "none":
                yield Edge((*where, "tries", "goto"), state.tries.goto, waits=True)
            yield Edge((*where, "goto"), state.goto or "", waits=True)
        case Say():
            yield Edge((*where, "goto"), state.goto or "", waits=False)
        case Choose():
            for number, case in enumerate(state.cases):
                yield Edge((*where, "choose", str(number), "goto"), case.goto, waits=False)
            yield Edge((*where, "choose", str(len(state.cases)), "otherwise"), state.otherwise, waits=False)
        case HandOff():
            for outcome, to in state.outcomes.items():
                yield Edge((*where, "outcomes", outcome), to, waits=outcome not in AT_ONCE)
        case _:
            assert_never(state)
