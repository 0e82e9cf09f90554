"""A flow as a state machine: which moves there are. The only importer of `transitions`.

One `Machine` a flow, built once and never told of any conversation: a move triggers an event on a light
record that is thrown away, so nothing is registered and nothing leaks, whatever the number of states.
"""

from __future__ import annotations

from transitions import Machine, MachineError

from bots.defaults import all_tries
from bots.flow import Ask, Choose, Flow, HandOff, Say

START = "(start)"
END = "(end)"


class NoSuchMove(Exception):
    """The flow has no move of this name from this state."""


class _Place:
    __slots__ = ("state",)

    def __init__(self, state: str) -> None:
        self.state = state


class FlowMachine:
    """The moves of one flow, each with the name of what decided it.

    ``open`` a dialogue; a question: ``answered``, ``choice 2``, ``tries``; others: ``said``, ``case 1``, ``otherwise``,
    ``outcome NAME``; from every state: ``anywhere NAME``, ``trouble``.
    """

    def __init__(self, flow: Flow) -> None:
        self._machine = Machine(
            model=None, states=[START, END, *flow.states], initial=None, auto_transitions=False, queued=False
        )
        self._add("open", START, flow.start)
        for name, state in flow.states.items():
            match state:
                case Ask():
                    self._add("answered", name, state.goto or END)
                    for number, choice in enumerate(state.choices, 1):
                        self._add(f"choice {number}", name, choice.goto or state.goto or END)
                case Say():
                    self._add("said", name, state.goto or END)
                case Choose():
                    for number, case in enumerate(state.cases, 1):
                        self._add(f"case {number}", name, case.goto)
                    self._add("otherwise", name, state.otherwise)
                case HandOff():
                    for outcome, target in state.outcomes.items():
                        self._add(f"outcome {outcome}", name, target)
        for name, tries in all_tries(flow).items():
            self._add("tries", name, tries.goto)
        for shortcut in flow.anywhere:
            self._add(f"anywhere {shortcut.hears}", "*", shortcut.goto)
        if flow.trouble is not None:
            self._add("trouble", "*", flow.trouble)

    def _add(self, trigger: str, source: str, target: str) -> None:
        self._machine.add_transition(trigger, source, target)

    def move(self, state: str, trigger: str) -> str:
        """The state to which *trigger* leads from *state*. Raises `NoSuchMove`."""
        place = _Place(state)
        event = self._machine.events.get(trigger)
        if event is None:
            raise NoSuchMove(f"no state has the move {trigger!r}")
        try:
            event.trigger(place)
        except MachineError as refused:
            raise NoSuchMove(f"{state!r} has no move {trigger!r}") from refused
        return place.state
