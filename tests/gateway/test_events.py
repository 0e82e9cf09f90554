"""Twilio's forms become events: first those that were captured, then all that can be wrong with them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.conversation import Channel
from bots.events import AgentJoined, Closed, Hint, Media, Message
from gateway.events import Malformed, Told, read_interaction_event, read_task_event, read_webhook

OURS = frozenset({"Bot", "system", "Concierge"})
AC, CH, IM, IS = "AC" + "a" * 32, "CH" + "c" * 32, "IM" + "d" * 32, "IS" + "e" * 32

BY_SDK = {
    "EventType": "onMessageAdded",
    "Attributes": "{}",
    "DateCreated": "2021-08-10T18:00:58.111Z",
    "Index": "35",
    "MessageSid": "IM8d613ccb9016450fa29faecfaa7bb6f4",
    "AccountSid": AC,
    "Source": "SDK",
    "ClientIdentity": "dave",
    "RetryCount": "0",
    "Author": "dave",
    "ParticipantSid": "MBc58b06998c564765bbff41cfd3a03219",
    "Body": "two",
    "ConversationSid": "CH6c25138e952448e3b27ef8164097a1c7",
}
BY_SMS = {
    "MessagingServiceSid": "MG" + "f" * 32,
    "EventType": "onMessageAdded",
    "Attributes": "{}",
    "DateCreated": "2025-09-17T22:23:11.350Z",
    "Index": "8",
    "ChatServiceSid": IS,
    "MessageSid": IM,
    "AccountSid": AC,
    "Source": "SMS",
    "RetryCount": "0",
    "Author": "+12162622233",
    "ParticipantSid": "MB" + "a" * 32,
    "Body": "hello",
    "ConversationSid": CH,
}
CLOSED_BY_TIMER = {
    "EventType": "onConversationStateUpdated",
    "StateFrom": "active",
    "StateTo": "closed",
    "Reason": "TIMER",
    "ConversationSid": CH,
    "ChatServiceSid": IS,
    "AccountSid": AC,
    "StateUpdated": "2026-06-01T10:00:00.000Z",
    "RetryCount": "0",
}
CHAT_MESSAGE = {
    "EventType": "onMessageSent",
    "InstanceSid": "IS38067ec392f1486bb6e4de4610f26fb3",
    "Attributes": "{}",
    "DateCreated": "2022-03-10T23:56:43.412Z",
    "Index": "1",
    "From": "teste_2Etwilioflex",
    "MessageSid": "IM4b440f124820414b8f500a1235532ac1",
    "AccountSid": AC,
    "Source": "SDK",
    "ChannelSid": "CH1880a9cde40c4dbb88dd97fc3aedac08",
    "ClientIdentity": "teste_2Etwilioflex",
    "RetryCount": "0",
    "WebhookType": "webhook",
    "Body": "ola",
    "WebhookSid": "WH99d1f1895a7c4e6fa10ac5e8ac0c2242",
}
CHAT_ENDED = {
    "CreatedBy": "system",
    "FriendlyName": "dummy user",
    "EventType": "onChannelUpdated",
    "InstanceSid": IS,
    "DateCreated": "2022-03-11T19:17:51.196Z",
    "DateUpdated": "2022-03-11T19:22:26.236Z",
    "Attributes": '{"task_sid":"WT","from":"dummy user2","channel_type":"web","status":"INACTIVE","long_lived":false}',
    "AccountSid": AC,
    "Source": "SDK",
    "ChannelSid": CH,
    "ClientIdentity": "teste_2Etwilioflex",
    "RetryCount": "0",
    "WebhookType": "webhook",
    "ChannelType": "private",
    "WebhookSid": "WH" + "a" * 32,
}


def test_a_message_from_a_web_chat() -> None:
    assert read_webhook(BY_SDK, "conversations", OURS) == Told(
        "CH6c25138e952448e3b27ef8164097a1c7",
        Channel("conversations"),
        Message(
            key="IM8d613ccb9016450fa29faecfaa7bb6f4",
            at=datetime(2021, 8, 10, 18, 0, 58, 111000, UTC),
            author="dave",
            text="two",
            index=35,
            by_participant=True,
        ),
    )


def test_a_message_by_sms() -> None:
    told = read_webhook(BY_SMS, "conversations", OURS)
    assert told is not None
    assert told.channel == Channel("conversations", IS)
    assert isinstance(told.event, Message)
    assert (told.event.author, told.event.text, told.event.index) == ("+12162622233", "hello", 8)


def test_a_message_of_programmable_chat() -> None:
    told = read_webhook(CHAT_MESSAGE, "chat", OURS)
    assert told is not None
    assert told.conversation_id == "CH1880a9cde40c4dbb88dd97fc3aedac08"
    assert told.channel == Channel("chat", "IS38067ec392f1486bb6e4de4610f26fb3")
    assert isinstance(told.event, Message)
    assert (told.event.author, told.event.text, told.event.index) == ("teste_2Etwilioflex", "ola", 1)


def test_a_conversation_that_a_timer_closed() -> None:
    told = read_webhook(CLOSED_BY_TIMER, "conversations", OURS)
    at = datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert told == Told(CH, None, Closed(key=f"{CH}:closed:2026-06-01T10:00:00.000Z", at=at))


def test_an_agent_who_ended_the_chat() -> None:
    told = read_webhook(CHAT_ENDED, "chat", OURS)
    at = datetime(2022, 3, 11, 19, 22, 26, 236000, UTC)
    key, sign = f"{CH}:inactive:2022-03-11T19:22:26.236Z", "onChannelUpdated status INACTIVE"
    assert told == Told(CH, None, Hint(key=key, at=at, sign=sign)), "a sign of the end: a look decides"


def test_the_older_names_on_conversations() -> None:
    """An older set-up of Flex sends a conversation's messages under Programmable Chat's names."""
    told = read_webhook(CHAT_MESSAGE, "conversations", OURS)
    assert told is not None
    assert told.channel == Channel("conversations", "IS38067ec392f1486bb6e4de4610f26fb3")


@pytest.mark.parametrize(
    "changes",
    [
        {"EventType": "onMessageUpdated"},
        {"Author": "Bot"},
        {"Author": "system"},
        {"Author": "Concierge"},
        {"Body": ""},
    ],
)
def test_what_is_none_of_the_bots_business(changes: dict[str, str]) -> None:
    assert read_webhook({**BY_SDK, **changes}, "conversations", OURS) is None


@pytest.mark.parametrize("changes", [{"StateTo": "inactive"}, {"StateTo": "active"}])
def test_other_states_are_no_end(changes: dict[str, str]) -> None:
    assert read_webhook({**CLOSED_BY_TIMER, **changes}, "conversations", OURS) is None


@pytest.mark.parametrize("attributes", ['{"status":"ACTIVE"}', "{}", "", "[]", '"INACTIVE"'])
def test_other_updates_of_a_channel_are_no_end(attributes: str) -> None:
    assert read_webhook({**CHAT_ENDED, "Attributes": attributes}, "chat", OURS) is None


@pytest.mark.parametrize("body", ["{{ 7*7 }}", "žluťoučký 🙂", "مرحبا", "\x00", "  two  ", "a" * 32_000])
def test_a_text_is_kept_as_it_was_written(body: str) -> None:
    told = read_webhook({**BY_SDK, "Body": body}, "conversations", OURS)
    assert told is not None
    assert isinstance(told.event, Message)
    assert told.event.text == body


CAR = Media("ME1", "image/jpeg", "car.jpg", 42056)


@pytest.mark.parametrize(
    ("fields", "media"),
    [
        (
            {
                "EventType": "onMediaMessageSent",
                "MediaSid": "ME1",
                "MediaFilename": "car.jpg",
                "MediaContentType": "image/jpeg",
                "MediaSize": "42056",
            },
            (CAR,),
        ),
        ({"Media": '[{"Sid":"ME1","Size":42056,"ContentType":"image/jpeg","Filename":"car.jpg"}]'}, (CAR,)),
        ({"Media": '[{"MediaSid":"ME1","Filename":"car.jpg","ContentType":"image/jpeg","Size":42056}]'}, (CAR,)),
        ({"Media": '{"sid":"ME1","size":42056,"content_type":"image/jpeg","filename":"car.jpg"}'}, (CAR,)),
        ({"MediaSid": "ME1", "MediaSize": "many"}, (Media("ME1"),)),
    ],
)
def test_files_in_all_their_spellings(fields: dict[str, str], media: tuple[Media, ...]) -> None:
    told = read_webhook({**BY_SDK, "Body": "", **fields}, "conversations", OURS)
    assert told is not None
    assert isinstance(told.event, Message)
    assert told.event.media == media


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"EventType": ""}, "EventType is missing"),
        ({"MessageSid": ""}, "MessageSid is missing"),
        ({"MessageSid": "IM1"}, "MessageSid is not IM and 32 characters"),
        ({"MessageSid": "IM" + "a" * 31 + "\n"}, "MessageSid is not IM and 32 characters"),
        ({"ConversationSid": "../../etc"}, "ConversationSid is not CH and 32 characters"),
        ({"ConversationSid": ""}, "ConversationSid is missing"),
        ({"Author": ""}, "Author is missing"),
        ({"Index": ""}, "Index is missing"),
        ({"Index": "-1"}, "Index is not a whole number"),
        ({"Index": "1e3"}, "Index is not a whole number"),
        ({"Index": "٣"}, "Index is not a whole number"),
        ({"Index": "9" * 5000}, "Index is not a whole number"),
        ({"DateCreated": ""}, "DateCreated is missing"),
        ({"DateCreated": "yesterday"}, "DateCreated is not a time such as 2026-01-10T09:00:00.000Z"),
        ({"ChatServiceSid": "CH" + "a" * 32}, "ChatServiceSid is not IS and 32 characters"),
        ({"Media": "[{"}, "Media is not JSON"),
    ],
)
def test_what_is_malformed_is_told_in_one_sentence(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(Malformed) as malformed:
        read_webhook({**BY_SDK, **changes}, "conversations", OURS)
    assert str(malformed.value) == sentence


def test_programmable_chat_needs_its_service() -> None:
    with pytest.raises(Malformed, match="InstanceSid is missing"):
        read_webhook({**CHAT_MESSAGE, "InstanceSid": ""}, "chat", OURS)


JOINED = {
    "EventType": "onParticipantAdded",
    "AccountSid": AC,
    "ChatServiceSid": IS,
    "ConversationSid": CH,
    "ParticipantSid": "MB" + "b" * 32,
    "Identity": "ann_40example_2Ecom",
    "DateCreated": "2026-01-10T09:00:00.000Z",
    "Source": "API",
}
AT = datetime(2026, 1, 10, 9, tzinfo=UTC)


def test_somebody_who_joined() -> None:
    event = AgentJoined(key="joined:MB" + "b" * 32, at=AT, identity="ann_40example_2Ecom")
    assert read_webhook(JOINED, "conversations", OURS) == Told(CH, None, event)
    by_chat = {**JOINED, "EventType": "onMemberAdded", "ChannelSid": CH, "MemberSid": "MB" + "b" * 32}
    assert read_webhook(by_chat, "chat", OURS) == Told(CH, None, event)


@pytest.mark.parametrize("changes", [{"Identity": ""}, {"Identity": "Bot"}])
def test_an_address_or_the_bot_that_joins_is_nobody_new(changes: dict[str, str]) -> None:
    assert read_webhook({**JOINED, **changes}, "conversations", OURS) is None


def test_somebody_who_left_is_a_hint() -> None:
    left = {**JOINED, "EventType": "onParticipantRemoved", "DateRemoved": "2026-01-10T09:00:00.000Z"}
    hint = Hint(key="left:MB" + "b" * 32, at=AT, sign="onParticipantRemoved")
    assert read_webhook(left, "conversations", OURS) == Told(CH, None, hint)


TASK = {
    "EventType": "task.completed",
    "AccountSid": AC,
    "ResourceSid": "WT" + "a" * 32,
    "TaskSid": "WT" + "a" * 32,
    "TaskAttributes": f'{{"conversationSid":"{CH}"}}',
    "Timestamp": "1768035600",
}


@pytest.mark.parametrize("stamp", ["1768035600", "1768035600000", "1768035600.0", "2026-01-10T09:00:00Z"])
@pytest.mark.parametrize("kind", ["task.completed", "task.wrapup", "task.canceled", "task.deleted"])
def test_a_task_that_is_over_is_a_hint(kind: str, stamp: str) -> None:
    told = read_task_event({**TASK, "EventType": kind, "Timestamp": stamp})
    assert told == Told(CH, None, Hint(key=f"{kind}:{TASK['ResourceSid']}:{stamp}", at=AT, sign=kind))


def test_a_reservation_that_was_accepted_is_an_agent() -> None:
    accepted = {**TASK, "EventType": "reservation.accepted", "ResourceSid": "WR" + "a" * 32}
    accepted["TaskAttributes"] = f'{{"channelSid":"{CH}"}}'
    told = read_task_event(accepted)
    key = "reservation.accepted:WR" + "a" * 32 + ":1768035600"
    assert told == Told(CH, None, AgentJoined(key=key, at=AT, task="WT" + "a" * 32))


@pytest.mark.parametrize(
    "changes",
    [
        {"EventType": "worker.activity.update"},
        {"EventType": "reservation.created"},
        {"TaskAttributes": "{}"},
        {"TaskAttributes": "[]"},
        {"TaskAttributes": '{"conversationSid": 5}'},
    ],
)
def test_other_task_events_are_none_of_ours(changes: dict[str, str]) -> None:
    assert read_task_event({**TASK, **changes}) is None


@pytest.mark.parametrize(
    "changes", [{"TaskAttributes": "{"}, {"Timestamp": ""}, {"Timestamp": "now"}, {"Timestamp": "9" * 400}]
)
def test_a_task_event_that_is_malformed(changes: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        read_task_event({**TASK, **changes})


def test_what_an_interaction_webhook_says_is_only_a_hint_and_counts_once_a_minute() -> None:
    form = {"EventType": "onParticipantJoined", "ParticipantSid": "UT" + "a" * 32, "MediaChannelSid": CH}
    told = read_interaction_event(form, AT)
    assert told is not None
    assert isinstance(told.event, Hint)
    again, later = (read_interaction_event(form, AT.replace(minute=minute)) for minute in (0, 1))
    assert again == told
    assert later != told
    assert read_interaction_event({**form, "EventType": "onInteractionCreated"}, AT) is None


FIELDS = st.sampled_from(sorted({*BY_SDK, *CHAT_ENDED, *CLOSED_BY_TIMER, "Media", "MediaSid", "MediaSize"}))


@given(
    st.sampled_from([BY_SDK, CHAT_MESSAGE, CHAT_ENDED, CLOSED_BY_TIMER]), st.dictionaries(FIELDS, st.text(max_size=40))
)
def test_any_form_gives_an_event_or_nothing_or_a_sentence(form: dict[str, str], changes: dict[str, str]) -> None:
    try:
        told = read_webhook({**form, **changes}, "conversations", OURS)
    except Malformed:
        return
    assert told is None or told.event.at.utcoffset() is not None
