"""The engine, turn by turn: what is said, who has the chat, and how it fails."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bots.conversation import Channel, Conversation, Customer, Dialogue, Handoff, Heard
from bots.effects import Close, Effect, Fetch, HandOff, LookAround, LookUp, Say
from bots.engine import BUILT_IN_TEXT, arrive, is_ready, step
from bots.events import (
    AgentJoined,
    CaughtUp,
    Closed,
    EffectFailed,
    Event,
    HandedOff,
    LookedAround,
    LookedUp,
    LookupFailed,
    Message,
    Missed,
    Participant,
)
from bots.flow import Ask, Field, Flow
from bots.flow import HandOff as HandOffState
from bots.flow import Say as SayState
from bots.turn import Turn
from bots.version import Version, restore

NOW = datetime(2026, 1, 10, 9, tzinfo=UTC)
CHAT = "CH" + "a" * 32


def flow(**changes: Any) -> Flow:
    """A greeting, a question, a person."""
    states = {
        "greet": Ask(
            text="Hi {{ customer.name | otherwise('there') }}! What is it about?", save_as="topic", goto="bridge"
        ),
        "bridge": SayState(text="Thank you.", goto="to_agent"),
        "to_agent": HandOffState(
            target="support",
            attributes={"topic": "{{ topic }}", "opening": "{{ first_message }}"},
            outcomes={"failed": "sorry", "ended": "bye"},
        ),
        "sorry": Ask(text="Nobody is here. Leave a message.", save_as="note", goto="bye"),
        "bye": SayState(text="Goodbye!", end="close"),
    }
    given: dict[str, Any] = {"name": "welcome", "start": "greet", "data": {"topic": Field(), "note": Field()}}
    return Flow(**{**given, "states": states, **changes})


def conversation(**changes: Any) -> Conversation:
    """A conversation of the bot whose customer is known."""
    given: dict[str, Any] = {
        "id": CHAT,
        "channel": Channel("conversations"),
        "flow": "welcome",
        "lookup": "done",
        "customer": Customer(author="jana", name="Jana"),
    }
    return Conversation(**{**given, **changes})


def message(text: str = "Hello", *, index: int = 0, author: str = "jana", key: str = "IM1") -> Message:
    return Message(key=key, at=NOW, author=author, text=text, index=index)


def take(version: Version, start: Conversation, *events: Event) -> Turn:
    """The last turn of several."""
    for event in events:
        turn = step(version, start, event, NOW)
        start = turn.conversation
    return turn


def texts(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, Say)]


def test_the_first_message_opens_and_is_not_taken_for_an_answer() -> None:
    turn = take(Version(flow()), conversation(), message("I need help"))
    assert texts(turn.effects) == ["Hi Jana! What is it about?"]
    assert turn.conversation.dialogue is not None
    assert turn.conversation.dialogue.state == "greet"
    assert turn.conversation.dialogue.first_message == "I need help"
    assert turn.conversation.dialogue.data == {}


def test_an_unset_name_takes_its_fallback() -> None:
    turn = take(Version(flow()), conversation(customer=Customer(author="jana")), message())
    assert texts(turn.effects) == ["Hi there! What is it about?"]


def test_the_answer_is_kept_and_the_flow_goes_on_until_it_waits() -> None:
    turn = take(Version(flow()), conversation(), message("Hello"), message("my invoice", index=2, key="IM2"))
    assert turn.effects == (
        Say(text="Thank you."),
        HandOff(
            target="support", attributes={"topic": "my invoice", "opening": "Hello"}, language="en", reason="answered"
        ),
    )
    assert turn.conversation.owner == "queued"
    assert turn.conversation.epoch == 1
    assert turn.conversation.handoff == Handoff(id="IM2.1", target="support")
    assert turn.trace.came_from == "greet"
    assert turn.trace.went_to == "to_agent"
    assert turn.trace.changed == {"topic": "my invoice"}


@pytest.mark.promise(6)
@pytest.mark.parametrize("owner", ["queued", "agent", "paused", "closed"])
def test_the_bot_is_silent_while_it_does_not_have_the_chat(owner: Any) -> None:
    start = conversation(owner=owner, epoch=3)
    turn = take(Version(flow()), start, message("are you there?"))
    assert turn.effects == ()
    assert turn.conversation == start


def test_what_somebody_else_writes_is_no_answer() -> None:
    turn = take(Version(flow()), conversation(), message(), message("I am Ann", author="ann", index=2, key="IM2"))
    assert turn.effects == ()
    assert turn.trace.rule == "silent: not the customer"


def test_the_same_input_gives_the_same_turn_and_leaves_its_input_alone() -> None:
    version, start = Version(flow()), conversation()
    before = replace(start)
    first, second = take(version, start, message()), take(version, start, message())
    assert first == second
    assert start == before


def test_a_version_is_the_same_after_it_was_stored() -> None:
    version = Version(flow())
    again = restore(version.source)
    assert again.hash == version.hash
    assert take(again, conversation(), message()) == take(version, conversation(), message())
    assert Version(flow(trouble="sorry")).hash != version.hash


def test_data_may_begin_with_what_the_pre_engagement_form_knows() -> None:
    asks_nothing = flow(data={"topic": Field(from_="pre_engagement.topic"), "note": Field(from_="pre_engagement.x.y")})
    turn = take(Version(asks_nothing), conversation(pre_engagement={"topic": "bill", "x": 1}), message())
    assert turn.conversation.dialogue is not None
    assert turn.conversation.dialogue.data == {"topic": "bill"}


def test_end_close_closes_and_nothing_is_heard_after() -> None:
    short = flow(start="bye")
    turn = take(Version(short), conversation(), message())
    assert turn.effects == (Say(text="Goodbye!"), Close())
    assert turn.conversation.owner == "closed"
    assert turn.conversation.dialogue is None
    assert take(Version(short), turn.conversation, message(key="IM2")).effects == ()


def test_end_start_over_lets_the_next_message_begin_anew() -> None:
    states = {"hi": SayState(text="Hi, {{ first_message }}", end="start_over")}
    again = Version(flow(start="hi", states=states))
    turn = take(again, conversation(), message("one"), message("two", index=2, key="IM2"))
    assert texts(turn.effects) == ["Hi, two"]
    assert turn.conversation.dialogue is None
    assert turn.conversation.owner == "bot"


class TestLookup:
    """Who is the customer, and does the bot begin at all."""

    def looked_up(self, **changes: Any) -> LookedUp:
        return LookedUp(key="IM1.look_up:answer", at=NOW, **changes)

    def unknown(self, author: str = "guest") -> Conversation:
        return conversation(lookup="out", customer=Customer(author=author))

    @pytest.mark.parametrize(
        ("answer", "name"),
        [
            ({"attributes": {"pre_engagement_data": {"friendlyName": "Jana"}, "from": "Web"}}, "Jana"),
            ({"participants": (Participant(identity="guest", name="J. N."),), "attributes": {"from": "Web"}}, "J. N."),
            ({"attributes": {"from": "Web"}}, "Web"),
            ({"attributes": {"pre_engagement_data": "broken", "from": 5}}, ""),
            ({"attributes": {"pre_engagement_data": {"friendlyName": "  "}}}, ""),
        ],
    )
    def test_the_name_comes_from_the_form_then_the_participant_then_the_channel(
        self, answer: dict[str, Any], name: str
    ) -> None:
        assert take(Version(flow()), self.unknown(), self.looked_up(**answer)).conversation.customer.name == name

    def test_the_participant_with_an_address_is_the_customer(self) -> None:
        answer = self.looked_up(participants=(Participant(address="+420601", medium="sms"),), channel_type="sms")
        after = take(Version(flow()), self.unknown("+420601"), answer).conversation
        assert after.customer == Customer(author="+420601", address="+420601")
        assert after.channel.type == "sms"
        assert after.owner == "bot"

    def test_the_bot_does_not_begin_where_an_agent_is(self) -> None:
        both = (Participant(identity="guest"), Participant(identity="ann_40example_2Ecom"))
        after = take(Version(flow()), self.unknown(), self.looked_up(participants=both)).conversation
        assert (after.owner, after.epoch) == ("agent", 1)

    def test_the_bot_does_not_begin_where_a_task_lives(self) -> None:
        assert take(Version(flow()), self.unknown(), self.looked_up(live_task="WT1")).conversation.owner == "agent"

    def test_who_is_here_is_judged_only_when_the_first_author_is_known(self) -> None:
        """We were away when the first message came: the lookup's answer waits for what is fetched."""
        alone, both = (Participant(identity="guest"),), (Participant(identity="guest"), Participant(identity="ann"))
        start = conversation(lookup="out", customer=Customer(), catching_up=True)
        assert not is_ready(start, self.looked_up(participants=alone))
        told, _ = arrive(start, message(author="guest"))
        assert is_ready(told, self.looked_up(participants=alone))
        found_nobody = replace(start, catching_up=False)
        assert is_ready(found_nobody, self.looked_up(participants=alone))
        version = Version(flow())
        assert take(version, found_nobody, self.looked_up(participants=alone)).conversation.owner == "bot"
        assert take(version, found_nobody, self.looked_up(participants=both)).conversation.owner == "agent"

    def test_a_closed_conversation_stays_closed(self) -> None:
        assert take(Version(flow()), self.unknown(), self.looked_up(state="closed")).conversation.owner == "closed"

    def test_after_a_failure_the_first_author_is_the_customer_and_has_no_name(self) -> None:
        failed = LookupFailed(key="k", at=NOW, reason="no answer")
        turn = take(Version(flow()), self.unknown(), failed, message(author="guest"))
        assert texts(turn.effects) == ["Hi there! What is it about?"]

    def test_a_lookup_during_a_handoff_tells_who_it_is_and_changes_no_owner(self) -> None:
        queued = conversation(owner="queued", lookup="failed", customer=Customer(author="guest"))
        both = (Participant(identity="guest", name="Jana"), Participant(identity="ann"))
        after = take(Version(flow()), queued, self.looked_up(participants=both)).conversation
        assert (after.owner, after.epoch, after.customer.name, after.lookup) == ("queued", 0, "Jana", "done")


class TestArrival:
    """What hearing of an event does before it is taken."""

    def new(self) -> Conversation:
        return Conversation(id=CHAT, channel=Channel("chat"), flow="welcome")

    def test_a_first_message_asks_who_it_is_and_waits_for_the_answer(self) -> None:
        after, effects = arrive(self.new(), message())
        assert effects == (LookUp(),)
        assert after.lookup == "out"
        assert after.customer.author == "jana"
        assert not is_ready(after, message())
        assert is_ready(replace(after, lookup="done"), message())
        assert is_ready(replace(after, lookup="failed"), message())

    def test_it_asks_once(self) -> None:
        after, _ = arrive(self.new(), message())
        assert arrive(after, message(index=1, key="IM2"))[1] == ()

    def test_a_gap_is_fetched_once_and_waited_for(self) -> None:
        after, effects = arrive(conversation(heard=Heard(3)), message(index=6))
        assert effects == (Fetch(after=3),)
        assert not is_ready(after, message(index=6))
        assert arrive(after, message(index=9, key="IM9"))[1] == ()

    def test_a_first_message_beyond_the_first_index_looks_back_from_the_beginning(self) -> None:
        assert arrive(self.new(), message(index=2))[1] == (LookUp(), Fetch(after=-1))

    def test_our_own_messages_are_no_gap(self) -> None:
        after, effects = arrive(conversation(heard=Heard(3)), message(index=6), said=(4, 5))
        assert effects == ()
        assert after.heard == Heard(6)

    def test_messages_of_ours_on_the_wire_explain_as_many_indexes_for_now(self) -> None:
        start = conversation(heard=Heard(3))
        assert arrive(start, message(index=5), on_the_wire=1)[1] == ()
        after, effects = arrive(start, message(index=6), on_the_wire=1)
        assert effects == (Fetch(after=3),)
        assert after.heard == Heard(3, (6,)), "what was explained for now is still unknown"

    def test_an_absence_is_looked_into(self) -> None:
        turn = take(Version(flow()), conversation(heard=Heard(3)), Missed(key="m", at=NOW))
        assert turn.effects == (Fetch(after=3),)
        assert turn.conversation.catching_up

    def test_an_absence_of_which_nothing_is_known_asks_who_it_is_too(self) -> None:
        turn = take(Version(flow()), self.new(), Missed(key="m", at=NOW))
        assert turn.effects == (LookUp(), Fetch(after=-1))

    def test_a_second_reason_to_look_waits_for_the_first_look(self) -> None:
        """The look that is under way may have been before what was missed."""
        start = conversation(heard=Heard(3), catching_up=True)
        assert not is_ready(start, Missed(key="m", at=NOW))
        assert is_ready(replace(start, catching_up=False), Missed(key="m", at=NOW))

    def test_a_gap_that_came_while_the_first_was_read_is_read_too(self) -> None:
        version = Version(flow())
        start, _ = arrive(conversation(heard=Heard(3)), message(index=6))
        start, effects = arrive(start, message(index=9, key="IM9"))
        assert effects == ()
        turn = take(version, start, CaughtUp(key="c", at=NOW, after=3, through=6))
        assert turn.effects == (Fetch(after=6),)
        assert turn.conversation.catching_up
        done = take(version, turn.conversation, CaughtUp(key="c2", at=NOW, after=6, through=9))
        assert done.effects == ()
        assert done.conversation.heard == Heard(9)

    def test_a_gap_that_cannot_be_filled_is_looked_at_no_more(self) -> None:
        """The message ahead of it was removed at Twilio, or Twilio cannot be read."""
        version, start = Version(flow()), conversation(heard=Heard(3, (6,)), catching_up=True)
        gone = take(version, start, CaughtUp(key="c", at=NOW, after=3, through=3))
        assert gone.effects == ()
        assert (gone.conversation.heard, gone.conversation.catching_up) == (Heard(6), False)
        unread = take(version, start, CaughtUp(key="c", at=NOW, after=3, through=3, reason="HTTP 500"))
        assert unread.effects == ()
        assert (unread.conversation.heard, unread.conversation.catching_up) == (Heard(3, (6,)), False)

    def test_what_was_fetched_meanwhile_does_not_hide_the_next_gap(self) -> None:
        """5 and 6 are fetched and noted as they come; 8 arrives with 7 missing before the look is over."""
        version, start = Version(flow()), conversation(heard=Heard(4, (6,)), catching_up=True)
        for index in (5, 6, 8):
            start, _ = arrive(start, message(index=index, key=f"IM{index}"))
        turn = take(version, start, CaughtUp(key="c", at=NOW, after=4, through=6))
        assert turn.effects == (Fetch(after=6),)

    @pytest.mark.parametrize("owner", ["closed", "paused"])
    def test_nothing_is_asked_or_fetched_where_the_bot_has_no_part(self, owner: Any) -> None:
        assert arrive(conversation(owner=owner, lookup=""), message(index=9))[1] == ()
        assert take(Version(flow()), conversation(owner=owner), Missed(key="m", at=NOW)).effects == ()

    def test_caught_up_ends_the_wait_and_the_gap(self) -> None:
        start, _ = arrive(conversation(heard=Heard(3)), message(index=6))
        after = take(Version(flow()), start, CaughtUp(key="c", at=NOW, through=6)).conversation
        assert after.heard == Heard(6)
        assert is_ready(after, message(index=6))


class TestHandoff:
    """A person takes over, or cannot."""

    def queued(self, version: Version) -> Conversation:
        return take(version, conversation(), message(), message("bill", index=2, key="IM2")).conversation

    def failed(self, effect_id: str = "IM2.1", effect: str = "hand_off", key: str = "f") -> EffectFailed:
        return EffectFailed(key=key, at=NOW, answers=effect_id, effect=effect, reason="HTTP 400")

    def test_the_interaction_is_remembered(self) -> None:
        version = Version(flow())
        done = HandedOff(key="h", at=NOW, answers="IM2.1", interaction="KD1", interaction_channel="UO1", task="WT1")
        after = take(version, self.queued(version), done).conversation
        assert after.handoff == Handoff("IM2.1", "support", "KD1", "UO1", "WT1")
        assert after.owner == "queued"

    def test_another_handoffs_task_changes_nothing(self) -> None:
        version = Version(flow())
        start = self.queued(version)
        done = HandedOff(key="h", at=NOW, answers="other", interaction="KD1", interaction_channel="UO1", task="WT1")
        assert take(version, start, done).conversation == start

    @pytest.mark.promise(7)
    def test_a_failed_handoff_gives_the_chat_back_and_takes_its_own_way(self) -> None:
        version = Version(flow())
        turn = take(version, self.queued(version), self.failed())
        assert texts(turn.effects) == ["Nobody is here. Leave a message."]
        assert (turn.conversation.owner, turn.conversation.epoch) == ("bot", 2)
        assert turn.conversation.handoff is None

    def test_a_failure_of_an_older_handoff_is_too_late_to_matter(self) -> None:
        version = Version(flow())
        start = self.queued(version)
        assert take(version, start, self.failed("IM1.0")).conversation == start

    def test_a_close_that_twilio_refused_leaves_the_chat_with_the_bot(self) -> None:
        version = Version(flow(start="bye"))
        over = take(version, conversation(), message()).conversation
        turn = take(version, over, self.failed("IM1.1", "close"))
        assert (turn.conversation.owner, turn.conversation.epoch) == ("bot", 2)
        assert texts(take(version, turn.conversation, message(key="IM2", index=2)).effects) == ["Goodbye!"]

    def test_an_absence_while_a_person_has_it_is_a_reason_to_look_around(self) -> None:
        turn = take(Version(flow()), conversation(owner="agent"), Missed(key="m", at=NOW))
        assert turn.effects == (LookAround(),)

    def test_a_late_accepted_reservation_is_looked_into(self) -> None:
        turn = take(Version(flow()), conversation(), AgentJoined(key="r", at=NOW, task="WT1"))
        assert turn.effects == (LookAround(),)
        assert turn.conversation.owner == "agent"

    def test_a_look_does_not_end_a_handoff_whose_task_is_still_being_made(self) -> None:
        version = Version(flow())
        nobody = LookedAround(key="l", at=NOW, state="active", again=True)
        assert take(version, self.queued(version), nobody).conversation.owner == "queued"

    def test_a_read_that_failed_for_good_holds_nobody_up(self) -> None:
        version, start = Version(flow()), conversation(lookup="out", catching_up=True)
        assert take(version, start, self.failed("x", "fetch")).conversation == replace(start, catching_up=False)
        assert take(version, start, self.failed("x", "look_up")).conversation == replace(start, lookup="failed")

    def test_closed_ends_the_dialogue_and_the_handoff(self) -> None:
        version = Version(flow())
        after = take(version, self.queued(version), Closed(key="c", at=NOW)).conversation
        assert (after.owner, after.epoch, after.dialogue, after.handoff) == ("closed", 2, None, None)
        assert take(version, after, Closed(key="c2", at=NOW)).conversation.epoch == 2


@pytest.mark.promise(7)
class TestLadder:
    """A customer is never stranded without three tries; each rung once until the customer writes again."""

    def broken(self, **changes: Any) -> Version:
        states = {
            "greet": Ask(text="Hi {{ topic }}!", goto="bye"),
            "help": SayState(text="Let us start again.", goto="bye"),
            "bye": SayState(text="Goodbye!", end="start_over"),
        }
        return Version(flow(**{"states": states, **changes}))

    def test_a_broken_text_takes_the_flows_trouble_state(self) -> None:
        turn = take(self.broken(trouble="help"), conversation(), message())
        assert texts(turn.effects) == ["Let us start again.", "Goodbye!"]
        assert turn.conversation.ladder == ("trouble",)

    def test_without_trouble_a_person_is_called_with_a_fixed_text(self) -> None:
        turn = take(self.broken(), conversation(), message())
        assert turn.effects == (
            Say(text=BUILT_IN_TEXT),
            HandOff(target="", attributes={"reason": "trouble"}, language="en", reason="open"),
        )
        assert turn.conversation.owner == "queued"

    def test_trouble_that_is_broken_too_calls_a_person(self) -> None:
        turn = take(self.broken(trouble="greet"), conversation(), message())
        assert texts(turn.effects) == [BUILT_IN_TEXT]
        assert turn.conversation.ladder == ("trouble", "built in")

    def test_when_nobody_can_be_called_the_customer_is_marked_stranded(self) -> None:
        version = self.broken()
        turn = take(version, conversation(), message())
        assert turn.conversation.handoff is not None
        failed = EffectFailed(
            key="f", at=NOW, answers=turn.conversation.handoff.id, effect="hand_off", reason="HTTP 400"
        )
        turn = take(version, turn.conversation, failed)
        assert turn.effects == ()
        assert turn.conversation.stranded
        assert turn.conversation.owner == "bot"
        again = take(version, turn.conversation, message("hello?", index=5, key="IM5"))
        assert texts(again.effects) == [BUILT_IN_TEXT], "the next message begins at the ladder's foot"
        assert not again.conversation.stranded

    def test_a_text_that_twilio_refuses_is_trouble_too(self) -> None:
        version = Version(flow(trouble="sorry"))
        start = take(version, conversation(), message()).conversation
        failed = EffectFailed(key="f", at=NOW, answers="IM1.0", effect="say", reason="HTTP 400")
        turn = take(version, start, failed)
        assert texts(turn.effects) == ["Nobody is here. Leave a message."]
        again = take(version, turn.conversation, replace(failed, key="f2"))
        assert texts(again.effects) == [BUILT_IN_TEXT]

    def test_a_refused_text_does_not_take_the_chat_from_the_queue(self) -> None:
        version = Version(flow(trouble="sorry"))
        queued = take(version, conversation(), message(), message("bill", index=2, key="IM2")).conversation
        failed = EffectFailed(key="f", at=NOW, answers="IM2.0", effect="say", reason="HTTP 400")
        assert take(version, queued, failed).conversation == queued

    def test_a_circle_of_texts_ends_as_trouble(self) -> None:
        circle = {"a": SayState(text="a", goto="b"), "b": SayState(text="b", goto="a")}
        turn = take(Version(flow(start="a", states=circle)), conversation(), message())
        assert len(turn.effects) == 52
        assert turn.conversation.owner == "queued"

    def test_an_empty_text_is_trouble(self) -> None:
        empty = {"a": SayState(text="{{ first_message[:0] }}", end="close")}
        assert texts(take(Version(flow(start="a", states=empty)), conversation(), message()).effects) == [BUILT_IN_TEXT]


def test_a_dialogue_whose_state_is_no_question_begins_again() -> None:
    """After a ladder that ended at a handoff state, the next message opens the flow anew."""
    stuck = conversation(dialogue=Dialogue(version="v", state="to_agent"))
    assert texts(take(Version(flow()), stuck, message("hello?")).effects) == ["Hi Jana! What is it about?"]
