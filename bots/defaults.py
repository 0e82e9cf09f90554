"""What a question has from `every_question`: resolved when a flow is compiled or checked, not when it is loaded."""

from __future__ import annotations

from bots.flow import Ask, Flow, HandOff, Tries
from bots.graph import first_waiting


def wrong_texts(flow: Flow, question: Ask) -> tuple[str, ...]:
    """The texts that answer wrong answers to *question*; none where the question itself is put again."""
    return question.wrong or flow.every_question.wrong


def all_tries(flow: Flow) -> dict[str, Tries]:
    """The limit of each question that has one, its own or the default.

    A question to which a handoff's outcome leads before anybody wrote again has no default that leads to a
    handoff: who could not reach a person would be sent in a circle.
    """
    default = flow.every_question.tries
    without = _after_handoffs(flow) if default is not None and _leads_to_a_handoff(flow, default.goto) else set()
    found = {}
    for name, state in flow.states.items():
        if not isinstance(state, Ask) or state.is_free:
            continue
        tries = state.tries or (default if name not in without else None)
        if tries is not None and tries != "none":
            found[name] = tries
    return found


def _after_handoffs(flow: Flow) -> set[str]:
    return {
        name
        for state in flow.states.values()
        if isinstance(state, HandOff)
        for outcome in state.outcomes.values()
        for name in first_waiting(flow, outcome)
    }


def _leads_to_a_handoff(flow: Flow, name: str) -> bool:
    return any(isinstance(state, HandOff) for state in first_waiting(flow, name).values())
