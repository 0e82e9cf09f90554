"""The engine: one event in, a turn out. Pure; same input, same output.

`arrive` is what hearing of an event does at once, `is_ready` tells whether it may be taken yet, `step` takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, assert_never

from msgspec.structs import replace

from bots.conversation import Conversation, Customer, Dialogue, Handoff
from bots.effects import Close, Effect, Fetch, HandOff, LookAround, LookUp, Say, effect_id
from bots.events import (
    AgentJoined,
    CaughtUp,
    Closed,
    EffectFailed,
    Event,
    HandedOff,
    Hint,
    LookedAround,
    LookedUp,
    LookupFailed,
    Message,
    Missed,
)
from bots.flow import Ask as AskState
from bots.flow import Choose as ChooseState
from bots.flow import End
from bots.flow import HandOff as HandOffState
from bots.flow import Say as SayState
from bots.hearing import Meaning
from bots.machine import END, START
from bots.texts import BrokenText, Text
from bots.turn import Trace, Turn
from bots.version import Version

MOST_STATES_IN_A_TURN = 50
BUILT_IN_TEXT = "I am sorry, something went wrong. I will get a person to help you."


def arrive(
    conversation: Conversation, event: Event, *, said: tuple[int, ...] = (), on_the_wire: int = 0
) -> tuple[Conversation, tuple[Effect, ...]]:
    """What hearing of a message does before it is taken: note its index, ask who writes, fetch what is missing.

    *said* are the indexes of our own messages, *on_the_wire* how many of ours have none yet: as many
    unknown indexes before the event's are taken for theirs.
    """
    if not isinstance(event, Message):
        return conversation, ()
    heard = conversation.heard.plus(*said) if said else conversation.heard
    effects: list[Effect] = []
    if conversation.owner in {"bot", "queued"}:
        if not conversation.lookup:
            effects.append(LookUp())
            conversation = replace(conversation, lookup="out")
        if not conversation.catching_up and heard.missing_before(event.index) > on_the_wire:
            effects.append(Fetch(after=heard.through))
            conversation = replace(conversation, catching_up=True)
    customer = conversation.customer if conversation.customer.author else Customer(author=event.author)
    return replace(conversation, heard=heard.plus(event.index), customer=customer), tuple(effects)


def is_ready(conversation: Conversation, event: Event) -> bool:
    """Whether *event* can be taken now: the bot hears no message before it knows the customer and what came before."""
    if isinstance(event, Missed):
        # The look that is under way may have been before what was missed.
        return not conversation.catching_up
    if conversation.owner != "bot":
        return True
    if isinstance(event, LookedUp):
        # Who else is here can be told only when the first author is known, whom catching up may still find.
        return bool(conversation.customer.author) or not conversation.catching_up
    if isinstance(event, Message):
        return conversation.lookup in {"done", "failed"} and not conversation.catching_up
    return True


def step(version: Version, conversation: Conversation, event: Event, now: datetime) -> Turn:  # noqa: ARG001
    """Take *event*: match, move, render. *version* is the dialogue's, or a new dialogue's; *now* is aware UTC."""
    taking = _Taking(version, conversation, event)
    match event:
        case Message():
            taking.message(event)
        case LookedUp():
            taking.looked_up(event)
        case LookupFailed():
            taking.change("lookup failed", lookup="failed")
        case Missed():
            taking.missed()
        case CaughtUp():
            taking.caught_up(event)
        case HandedOff():
            taking.handed_off(event)
        case EffectFailed():
            taking.effect_failed(event)
        case AgentJoined():
            taking.agent_joined(event)
        case Hint():
            taking.hint(event)
        case LookedAround():
            taking.looked_around(event)
        case Closed():
            taking.closed()
        case _:
            assert_never(event)
    return taking.turn()


class _Trouble(Exception):
    """Something that the flow cannot go on from: the next rung of the ladder is due."""


class _Taking:
    """One turn while it is made: the record changes step by step, the effects gather."""

    def __init__(self, version: Version, conversation: Conversation, event: Event) -> None:
        self.version = version
        self.before = conversation
        self.conversation = conversation
        self.event = event
        self.effects: list[Effect] = []
        self.rule = ""
        self.changed: dict[str, Any] = {}

    def turn(self) -> Turn:
        """The finished turn."""
        before, after = self.before.dialogue, self.conversation.dialogue
        dialogue = after or before
        trace = Trace(
            version=dialogue.version if dialogue else "",
            came_from=before.state if before else "",
            went_to=after.state if after else "",
            rule=self.rule,
            changed=self.changed,
        )
        return Turn(conversation=self.conversation, effects=tuple(self.effects), trace=trace)

    # What happened

    def message(self, event: Message) -> None:
        if self.conversation.owner == "queued" and event.author != self.conversation.customer.author:
            return self._somebody_else(event)
        if self.conversation.owner != "bot":
            return self.change(f"silent: {self.conversation.owner}")
        if event.author != self.conversation.customer.author:
            return self._somebody_else(event)
        self.change("", ladder=(), stranded=False)
        dialogue = self.conversation.dialogue
        state = self.version.flow.states.get(dialogue.state) if dialogue else None
        if dialogue is None or not isinstance(state, AskState):
            return self._climb(lambda: self._open(event))
        return self._climb(lambda: self._answer(dialogue, state, event))

    def looked_up(self, event: LookedUp) -> None:
        pre_engagement = event.attributes.get("pre_engagement_data")
        pre_engagement = pre_engagement if isinstance(pre_engagement, dict) else {}
        customer, strangers = _who(self.conversation.customer, event, pre_engagement)
        channel = replace(self.conversation.channel, type=event.channel_type)
        self.change("looked up", lookup="done", customer=customer, channel=channel, pre_engagement=pre_engagement)
        if self.conversation.owner != "bot":
            return
        if event.state == "closed":
            self._hand_to("closed")
        elif strangers or event.live_task:
            self.rule = "looked up: a person has it"
            self._hand_to("agent")

    def missed(self) -> None:
        self.change("missed")
        if self.conversation.owner in {"queued", "agent"}:
            self.effects.append(LookAround())
        if self.conversation.owner not in {"bot", "queued"}:
            return
        if not self.conversation.lookup:
            self.effects.append(LookUp())
            self.change("missed", lookup="out")
        self._fetch()

    def caught_up(self, event: CaughtUp) -> None:
        heard = self.conversation.heard.up_to(event.through)
        self.change("caught up", heard=heard, catching_up=False)
        if heard.ahead and not event.reason:
            if event.through > event.after:
                # A message came while Twilio was read, with another gap before it.
                self._fetch()
            else:
                self.change("caught up", heard=heard.up_to(heard.ahead[-1]))

    def handed_off(self, event: HandedOff) -> None:
        handoff = self.conversation.handoff
        if handoff is None or handoff.id != event.answers:
            return self.change("handed off: not ours any more")
        known = replace(
            handoff,
            interaction=event.interaction,
            interaction_channel=event.interaction_channel,
            task=event.task,
        )
        return self.change("handed off", handoff=known)

    def effect_failed(self, event: EffectFailed) -> None:
        handoff = self.conversation.handoff
        if event.effect == "hand_off" and handoff is not None and handoff.id == event.answers:
            self.change("handoff failed", handoff=None)
            self._hand_to("bot")
            return self._climb(self._fail)
        if event.effect == "say" and self.conversation.owner == "bot":
            self.change("say failed")
            return self._climb(self._fail)
        if event.effect == "close" and self.conversation.owner == "closed":
            self.change("close failed: still open")
            return self._hand_to("bot")
        if event.effect == "look_up":
            return self.change("lookup failed", lookup="failed")
        if event.effect == "fetch":
            return self.change("caught up: failed", catching_up=False)
        return self.change(f"{event.effect} failed: too late to matter")

    def agent_joined(self, event: AgentJoined) -> None:
        customer = self.conversation.customer.author
        if event.identity and (event.identity == customer or not customer):
            return self.change("joined: the customer")
        if self.conversation.owner not in {"bot", "queued"}:
            return self.change(f"agent joined: {self.conversation.owner} already")
        self.change("agent joined")
        self._hand_to("agent")
        if event.task:
            # It may come late, when that task is over already.
            self.effects.append(LookAround())
        return None

    def hint(self, event: Hint) -> None:
        self.change(f"hint: {event.sign}")
        if self.conversation.owner in {"queued", "agent"}:
            self.effects.append(LookAround())

    def looked_around(self, event: LookedAround) -> None:
        if self.conversation.owner not in {"queued", "agent"}:
            return self.change(f"looked around: {self.conversation.owner}")
        if event.state == "closed":
            return self.closed()
        if event.live_tasks or event.agents:
            self.change("looked around: a person has it")
            if self.conversation.owner == "queued" and (event.assigned or event.agents):
                self._hand_to("agent")
            return None
        if event.state == "inactive":
            self.change("looked around: parked")
            return self._hand_to("paused")
        handoff = self.conversation.handoff
        if self.conversation.owner == "queued" and handoff and not (handoff.task or handoff.interaction):
            return self.change("looked around: the task is not made yet")
        if not event.again:
            self.change("looked around: nobody yet")
            self.effects.append(LookAround(again=True))
            return None
        return self._come_back()

    def closed(self) -> None:
        self.change("closed", dialogue=None, handoff=None)
        if self.conversation.owner != "closed":
            self._hand_to("closed")

    def _somebody_else(self, event: Message) -> None:
        if not event.by_participant:
            return self.change("silent: not the customer")
        self.change("an agent writes")
        return self._hand_to("agent")

    def _come_back(self) -> None:
        """Nobody has the chat and it can still be written to: the flow goes on from its handoff."""
        outcome = "ended" if self.conversation.owner == "agent" else "failed"
        self.change(f"back to the bot: {outcome}", handoff=None)
        self._hand_to("bot")
        dialogue = self.conversation.dialogue
        state = self.version.flow.states.get(dialogue.state) if dialogue else None
        if dialogue is None or not isinstance(state, HandOffState):
            return self.change(self.rule, dialogue=None)
        return self._climb(lambda: self._enter(self.version.machine.move(dialogue.state, f"outcome {outcome}")))

    # How the flow moves

    def _open(self, event: Message) -> None:
        """Begin a dialogue: with what is heard anywhere, else the message is offered to the first question."""
        said = event.said
        dialogue = Dialogue(version=self.version.hash, state=START, data=self._initial_data(), first_message=said)
        self.changed.update(dialogue.data)
        self.change("open", dialogue=dialogue)
        meaning = self.version.hearing.opening(said)
        if meaning is None:
            self._enter(self.version.machine.move(START, "open"), offered=said)
        else:
            self._take(meaning, START)

    def _answer(self, dialogue: Dialogue, state: AskState, event: Message) -> None:
        meaning = self.version.hearing.answer(dialogue.state, event.said)
        if meaning is None:
            self._wrong(dialogue)
        else:
            self._take(meaning, dialogue.state, state)

    def _take(self, meaning: Meaning, name: str, state: AskState | None = None) -> None:
        """Do what a message means in the question *name*, or before there is any."""
        self.change(meaning.move)
        if meaning.words:
            scope = self._scope()
            self._keep({key: value.evaluate(scope) for key, value in self.version.settings[meaning.words].items()})
        elif state is not None and state.save_as is not None:
            self._keep({state.save_as: meaning.value})
        target = self.version.machine.move(name, meaning.move)
        if target == END:
            self._end((state.end if state is not None else None) or "start_over")
        else:
            self._enter(target)

    def _wrong(self, dialogue: Dialogue) -> None:
        """The wrong text whose turn it is, without one the question again; with the last of the tries the way on."""
        name, tries = dialogue.state, dialogue.tries + 1
        self.change(f"wrong {tries}", dialogue=replace(dialogue, tries=tries))
        texts = self.version.wrong[name]
        if tries >= self.version.most_tries.get(name, tries + 1):
            self.change("tries")
            self._enter(self.version.machine.move(name, "tries"))
        elif texts:
            self.effects.append(Say(text=self._render(texts[min(tries, len(texts)) - 1])))
        else:
            self._put(name)

    def _enter(self, name: str, offered: str | None = None) -> None:
        """Enter states until one waits. The first question among them may take the text *offered*."""
        for _ in range(MOST_STATES_IN_A_TURN):
            self._stand_at(name)
            state = self.version.flow.states[name]
            end: End | None = None
            match state:
                case AskState():
                    meaning = None if offered is None else self.version.hearing.offered(name, offered)
                    if meaning is None:
                        self._put(name)
                        return
                    offered = None
                    if state.save_as is not None:
                        self._keep({state.save_as: meaning.value})
                    self.rule = f"{self.rule} → {meaning.move}"
                    move, end = meaning.move, state.end
                case HandOffState():
                    self._hand_off(state.target, self._attributes(name))
                    return
                case SayState():
                    self.effects.append(Say(text=self._render(self.version.texts[name])))
                    move, end = "said", state.end
                case ChooseState():
                    move = self._choose(name)
                    self.rule = f"{self.rule} → {move}"
                case _:
                    assert_never(state)
            name = self.version.machine.move(name, move)
            if name == END:
                self._end(end or "start_over")
                return
        raise _Trouble(f"more than {MOST_STATES_IN_A_TURN} states in a turn")

    def _put(self, name: str) -> None:
        """Put the question, its choices below it."""
        text = self._render(self.version.texts[name])
        self.effects.append(Say(text=text + self.version.listings[name]))

    def _choose(self, name: str) -> str:
        """The move of the first case that holds. A condition that cannot be told is trouble, not false."""
        scope = self._scope()
        for number, case in enumerate(self.version.cases[name], 1):
            if case.holds(scope):
                return f"case {number}"
        return "otherwise"

    def _end(self, end: End) -> None:
        self.change(self.rule, dialogue=None)
        if end == "close":
            self.effects.append(Close())
            self._hand_to("closed")

    # How it fails: the ladder

    def _climb(self, go: Callable[[], None]) -> None:
        """Do *go*; for each trouble on the way take the next rung. Each rung is taken once, so this ends."""
        try:
            go()
        except (_Trouble, BrokenText) as trouble:
            self.rule = f"{self.rule}: {trouble}"
            self._climb(self._fail)

    def _fail(self) -> None:
        taken = self.conversation.ladder
        dialogue = self.conversation.dialogue
        name = dialogue.state if dialogue else ""
        state = self.version.flow.states.get(name)
        if isinstance(state, HandOffState) and "failed" in state.outcomes and f"failed {name}" not in taken:
            self._rung(f"failed {name}")
            self._enter(self.version.machine.move(name, "outcome failed"))
        elif dialogue and self.version.flow.trouble is not None and "trouble" not in taken:
            self._rung("trouble")
            self._enter(self.version.machine.move(name, "trouble"))
        elif "built in" not in taken:
            self._rung("built in")
            self.effects.append(Say(text=BUILT_IN_TEXT))
            self._hand_off("", {"reason": "trouble"})
        else:
            self._rung("stranded")
            self.change(self.rule, stranded=True, dialogue=None)

    def _rung(self, rung: str) -> None:
        self.change(f"{self.rule} → {rung}", ladder=(*self.conversation.ladder, rung))

    # What changes

    def change(self, rule: str, **fields: Any) -> None:
        """Set *fields* of the record, and why."""
        self.rule = rule
        if fields:
            self.conversation = replace(self.conversation, **fields)

    def _hand_to(self, owner: str) -> None:
        self.change(self.rule, owner=owner, epoch=self.conversation.epoch + 1)

    def _hand_off(self, target: str, attributes: dict[str, Any]) -> None:
        """Freeze the bot and ask for a person."""
        handoff = Handoff(id=effect_id(self.event.key, len(self.effects)), target=target)
        language = self.version.flow.language
        reason = self.rule.partition(":")[0]
        self.effects.append(HandOff(target=target, attributes=attributes, language=language, reason=reason))
        self.change(self.rule, handoff=handoff)
        self._hand_to("queued")

    def _fetch(self) -> None:
        self.effects.append(Fetch(after=self.conversation.heard.through))
        self.change(self.rule, catching_up=True)

    def _stand_at(self, name: str) -> None:
        dialogue = self.conversation.dialogue
        if dialogue is not None:
            self.change(self.rule, dialogue=replace(dialogue, state=name, tries=0))

    def _keep(self, values: dict[str, Any]) -> None:
        dialogue = self.conversation.dialogue
        if dialogue is not None:
            self.changed |= values
            self.change(self.rule, dialogue=replace(dialogue, data={**dialogue.data, **values}))

    # What is known

    def _render(self, text: Text) -> str:
        rendered = text.render(self._scope())
        if not rendered.strip():
            dialogue = self.conversation.dialogue
            raise _Trouble(f"a text of {dialogue.state if dialogue else START} is empty")
        return rendered

    def _attributes(self, name: str) -> dict[str, Any]:
        scope = self._scope()
        return {key: value.evaluate(scope) for key, value in self.version.attributes[name].items()}

    def _scope(self) -> dict[str, Any]:
        conversation = self.conversation
        dialogue = conversation.dialogue
        scope: dict[str, Any] = {
            **self.version.fallbacks,
            "customer": _known(name=conversation.customer.name, address=conversation.customer.address),
            "channel": _known(type=conversation.channel.type, generation=conversation.channel.generation),
            "pre_engagement": conversation.pre_engagement,
        }
        if dialogue is not None:
            scope |= dialogue.data
            scope["first_message"] = dialogue.first_message
        return scope

    def _initial_data(self) -> dict[str, Any]:
        scope = self._scope()
        found = {name: _look(scope, field.from_) for name, field in self.version.flow.data.items() if field.from_}
        return {name: value for name, value in found.items() if value is not None}


def _who(known: Customer, event: LookedUp, pre_engagement: dict[str, Any]) -> tuple[Customer, bool]:
    """The customer, and whether someone else with a chat identity is here.

    The customer is the participant with an address, failing that the first author; where nobody has written yet,
    whoever is alone.
    """
    theirs = next((one for one in event.participants if one.address), None)
    author = theirs.address if theirs else known.author
    if theirs is None:
        theirs = next((one for one in event.participants if one.identity == author), None)
    names = (pre_engagement.get("friendlyName"), theirs.name if theirs else "", event.attributes.get("from"))
    name = next((name for name in names if isinstance(name, str) and name.strip()), "")
    others = {one.identity for one in event.participants if one.identity and not one.address} - {author}
    strangers = len(others) > (0 if author else 1)
    return Customer(author=author, name=name, address=theirs.address if theirs else ""), strangers


def _known(**fields: str) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _look(scope: dict[str, Any], path: str) -> Any:
    found: Any = scope
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
