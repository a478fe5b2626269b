//! From the wire to the console's rows. Every text becomes a `SafeText` here, and nowhere later: a
//! field that is not converted cannot be shown.

use fusionchat_proto::v1;
use fusionchat_proto::v1::watch_response::Frame;

use crate::event::{Change, OfferEnd, Posted, Problem};
use crate::state::answer::{AnswerPart, What};
use crate::state::dialog::Colleague;
use crate::state::row::{
    Conversation, ConversationId, Entry, Handler, Message, Note, Offer, Priority, REMOVED, Sender,
    Status, SystemLine, UserId,
};
use crate::state::transcript::PageRows;
use crate::state::{Availability, Me, Typist};
use crate::text::SafeText;

/// The most colleagues kept to choose from.
const COLLEAGUES_MAX: usize = 1_000;
/// The code of an answer that is larger than one message may be.
pub(super) const OUT_OF_RANGE: &str = "out_of_range";

/// A row that came with a page or an answer.
pub(super) fn conversation(row: v1::Conversation) -> Conversation {
    let position = row.position;
    conversation_at(row, position)
}

/// A row that came with the change at `position`: it is at least as new as that.
pub(super) fn conversation_at(row: v1::Conversation, position: u64) -> Conversation {
    let status = status(row.status());
    let handler = handler(row.handler());
    let last_sender = sender(row.last_sender());
    let priority = priority(row.priority());
    let offer = row.escalation.as_ref().and_then(|it| offer(it, row.offered_until));
    let reason = row.escalation.as_ref().map(|escalation| SafeText::line(&escalation.reason));
    Conversation {
        id: ConversationId::from(row.id.as_str()),
        number: row.number,
        inbox: SafeText::line(&row.inbox_name),
        status,
        handler,
        visitor: visitor(&row.visitor_name, &row.visitor_id),
        assignee: row.assignee.filter(|id| !id.is_empty()).map(|id| UserId::from(id.as_str())),
        assignee_name: SafeText::line(&row.assignee_name),
        waiting_since: row.waiting_since,
        last_seq: row.last_seq,
        last_line: SafeText::line(&row.last_line),
        last_sender,
        visitor_mark: row.visitor_mark,
        staff_mark: row.staff_mark,
        created_at: row.created_at,
        updated_at: row.updated_at,
        position: row.position.max(position),
        reason: reason.unwrap_or_default(),
        locale: SafeText::line(&row.locale),
        unread: row.unread,
        priority,
        tags: tags(&row.tags),
        offer,
        preferred: SafeText::line(&row.preferred_name),
    }
}

fn priority(value: v1::Priority) -> Priority {
    match value {
        v1::Priority::Urgent => Priority::Urgent,
        v1::Priority::High => Priority::High,
        v1::Priority::Normal | v1::Priority::Unspecified => Priority::Normal,
        v1::Priority::Low => Priority::Low,
    }
}

/// A priority for the wire.
pub(super) fn wire_priority(value: Priority) -> v1::Priority {
    match value {
        Priority::Urgent => v1::Priority::Urgent,
        Priority::High => v1::Priority::High,
        Priority::Normal => v1::Priority::Normal,
        Priority::Low => v1::Priority::Low,
    }
}

/// The staff who can be given a conversation: not who is disabled or has not come yet.
pub(super) fn colleagues(answer: v1::ListUsersResponse) -> Vec<Colleague> {
    let here = |user: &v1::User| user.disabled_at.is_none() && user.invited_until.is_none();
    let staff = answer.users.into_iter().filter(here).take(COLLEAGUES_MAX);
    let known = staff.map(|user| {
        let me = me(user, None);
        Colleague { id: me.id, name: me.name, availability: me.availability }
    });
    known.collect()
}

fn tags(tags: &[String]) -> Vec<SafeText> {
    tags.iter().map(|tag| SafeText::line(tag)).collect()
}

/// Who an escalation is offered to, by whom.
fn offer(escalation: &v1::Escalation, until: Option<i64>) -> Option<Offer> {
    let to = escalation.to.as_ref().filter(|to| !to.is_empty())?;
    let by = escalation.by.as_ref();
    Some(Offer {
        to: UserId::from(to.as_str()),
        name: SafeText::line(&escalation.to_name),
        by: UserId::from(by.map_or("", |by| by.user_id.as_str())),
        by_name: SafeText::line(by.map_or("", |by| by.name.as_str())),
        until,
    })
}

/// A row of the live queue. It knows less than a conversation's row and is older than any.
pub(super) fn waiting(row: v1::WaitingConversation) -> Option<Conversation> {
    let escalation = row.escalation?;
    let offer = offer(&escalation, row.offered_until);
    Some(Conversation {
        id: ConversationId::from(escalation.conversation_id.as_str()),
        number: escalation.number,
        inbox: SafeText::line(&row.inbox_name),
        status: Status::Escalated,
        handler: Handler::Nobody,
        visitor: visitor(&row.visitor_name, &row.visitor_id),
        assignee: None,
        assignee_name: SafeText::default(),
        waiting_since: Some(row.waiting_since),
        last_seq: 0,
        last_line: SafeText::line(&row.last_line),
        last_sender: Sender::Visitor,
        visitor_mark: 0,
        staff_mark: 0,
        created_at: escalation.created_at,
        updated_at: escalation.created_at,
        position: 1,
        reason: SafeText::line(&escalation.reason),
        locale: SafeText::default(),
        unread: 0,
        priority: Priority::named(&row.priority),
        tags: tags(&row.tags),
        offer,
        preferred: SafeText::line(&row.preferred_name),
    })
}

/// Who the visitor is, by name or by the end of the id.
fn visitor(name: &str, id: &str) -> SafeText {
    let name = SafeText::line(name.trim());
    if !name.is_empty() {
        return name;
    }
    let tail: String = id.chars().skip(id.chars().count().saturating_sub(4)).collect();
    SafeText::line(&format!("visitor {tail}"))
}

/// A page of messages and the notes between them.
pub(super) fn page(page: v1::ListMessagesResponse) -> PageRows {
    let messages = page.messages.into_iter().map(|row| Entry::Message(message(row)));
    let notes = page.notes.into_iter().map(|row| Entry::Note(note(row)));
    PageRows { entries: messages.chain(notes).collect() }
}

/// A message as an entry of its transcript.
pub(super) fn message_entry(row: v1::Message) -> Entry {
    Entry::Message(message(row))
}

fn message(row: v1::Message) -> Message {
    let sender = sender(row.sender_type());
    Message {
        seq: row.seq,
        position: row.position,
        sender,
        sender_id: UserId::from(row.sender_id.as_str()),
        name: SafeText::line(&row.sender_name),
        content: if row.retracted {
            SafeText::line(REMOVED)
        } else {
            SafeText::block(&row.content)
        },
        sources: row.sources.iter().map(|source| SafeText::line(&source.title)).collect(),
        flag: SafeText::line(&row.flag),
        system: row.system.map(|line| SystemLine {
            code: SafeText::line(&line.code),
            params: line.params.into_iter().map(|(k, v)| (k, SafeText::line(&v))).collect(),
        }),
        created_at: row.created_at,
        client_id: row.client_id,
    }
}

fn note(row: v1::Note) -> Note {
    Note {
        id: row.id,
        position: row.position,
        author: SafeText::line(&row.author_name),
        draft: row.sender_type == v1::SenderType::Assistant as i32,
        content: SafeText::block(&row.content),
        sources: row.sources.iter().map(|source| SafeText::line(&source.title)).collect(),
        created_at: row.created_at,
        client_id: row.client_id,
    }
}

/// What a change of the stream brings.
pub(super) fn change(change: v1::Change) -> Change {
    let position = change.cursor.as_ref().map_or(0, |cursor| cursor.position);
    let offer_end = offer_end(&change);
    let message_entry = change.message.map(|row| {
        (ConversationId::from(row.conversation_id.as_str()), Entry::Message(message(row)))
    });
    let note_entry = change
        .note
        .map(|row| (ConversationId::from(row.conversation_id.as_str()), Entry::Note(note(row))));
    Change {
        conversation: change.conversation.map(|row| conversation_at(row, position)),
        entry: message_entry.or(note_entry),
        user: change.user.map(|user| me(user, None)),
        offer_end,
    }
}

/// That an offer has ended without a claim: who had made it, and who declined it.
fn offer_end(change: &v1::Change) -> Option<OfferEnd> {
    if change.kind != "OfferEnded" {
        return None;
    }
    let row = change.conversation.as_ref()?;
    let escalation = change.escalation.as_ref().or(row.escalation.as_ref())?;
    let given_by = escalation.by.as_ref().map_or("", |by| by.user_id.as_str());
    let actor = change.actor.as_ref();
    let declined = change.reason == "declined";
    Some(OfferEnd {
        conversation: ConversationId::from(row.id.as_str()),
        number: row.number,
        given_by: UserId::from(given_by),
        declined_by: actor.filter(|_| declined).map(|it| UserId::from(it.user_id.as_str())),
        decliner: SafeText::line(actor.map_or("", |it| it.name.as_str())),
    })
}

/// An accepted message.
pub(super) fn posted_message(answer: v1::PostMessageResponse) -> Option<Posted> {
    Some(Posted {
        entry: Entry::Message(message(answer.message?)),
        conversation: conversation(answer.conversation?),
    })
}

/// An accepted note.
pub(super) fn posted_note(answer: v1::AddNoteResponse) -> Option<Posted> {
    Some(Posted {
        entry: Entry::Note(note(answer.note?)),
        conversation: conversation(answer.conversation?),
    })
}

/// A typing signal; when it ends is for `update` to say.
pub(super) fn typing(signal: v1::Typing) -> Option<Typist> {
    let actor = signal.actor?;
    let sender = match actor.kind() {
        v1::actor::Kind::Visitor => Sender::Visitor,
        v1::actor::Kind::Assistant => Sender::Assistant,
        v1::actor::Kind::Agent | v1::actor::Kind::Key => Sender::Agent,
        v1::actor::Kind::Operator | v1::actor::Kind::System | v1::actor::Kind::Unspecified => {
            return None;
        }
    };
    Some(Typist {
        conversation: ConversationId::from(signal.conversation_id.as_str()),
        user: UserId::from(actor.user_id.as_str()),
        name: SafeText::line(&actor.name),
        sender,
        note: signal.note,
        until: 0,
    })
}

/// More of an answer in the making.
pub(super) fn answer_text(part: &v1::Stream) -> AnswerPart {
    let text = SafeText::block(&part.text);
    AnswerPart {
        conversation: ConversationId::from(part.conversation_id.as_str()),
        turn: part.turn,
        what: What::Text { n: part.n, text },
    }
}

/// The end of one.
pub(super) fn answer_end(conversation: &str, turn: u64) -> AnswerPart {
    AnswerPart { conversation: ConversationId::from(conversation), turn, what: What::End }
}

/// Who is signed in.
pub(super) fn me(user: v1::User, organization: Option<v1::Organization>) -> Me {
    let availability = availability(user.availability());
    let name = user.name.or(user.email).unwrap_or_default();
    Me {
        id: UserId::from(user.id.as_str()),
        name: SafeText::line(&name),
        organization: SafeText::line(&organization.map(|o| o.name).unwrap_or_default()),
        availability,
    }
}

/// Availability from the wire; accepting where it is not said.
pub(super) fn availability(value: v1::Availability) -> Availability {
    match value {
        v1::Availability::Accepting | v1::Availability::Unspecified => Availability::Accepting,
        v1::Availability::Busy => Availability::Busy,
        v1::Availability::Away => Availability::Away,
    }
}

/// Availability for the wire.
pub(super) fn wire_availability(value: Availability) -> v1::Availability {
    match value {
        Availability::Accepting => v1::Availability::Accepting,
        Availability::Busy => v1::Availability::Busy,
        Availability::Away => v1::Availability::Away,
    }
}

fn status(value: v1::Status) -> Status {
    match value {
        v1::Status::Open | v1::Status::Unspecified => Status::Open,
        v1::Status::Resolved => Status::Resolved,
        v1::Status::Escalated => Status::Escalated,
    }
}

fn handler(value: v1::Handler) -> Handler {
    match value {
        v1::Handler::Assistant => Handler::Assistant,
        v1::Handler::Agent => Handler::Agent,
        v1::Handler::None | v1::Handler::Unspecified => Handler::Nobody,
    }
}

fn sender(value: v1::SenderType) -> Sender {
    match value {
        v1::SenderType::User => Sender::Visitor,
        v1::SenderType::Agent => Sender::Agent,
        v1::SenderType::Assistant => Sender::Assistant,
        v1::SenderType::System | v1::SenderType::Unspecified => Sender::System,
    }
}

/// Why a call failed. Without a daemon's own word, only what a connection can suffer counts as
/// passing.
pub(super) fn problem(status: &tonic::Status) -> Problem {
    use tonic::Code;
    let passing = matches!(
        status.code(),
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded
    );
    match fusionchat_proto::problem(status) {
        Some(problem) => Problem {
            transient: passing || problem.retry_after_ms.is_some(),
            message: SafeText::line(&problem.message),
            hint: SafeText::line(&problem.hint),
            params: problem.params.into_iter().map(|(k, v)| (k, SafeText::line(&v))).collect(),
            retry_after_ms: problem.retry_after_ms,
            code: problem.code,
        },
        None if status.code() == Code::OutOfRange => Problem {
            message: SafeText::line(status.message()),
            code: OUT_OF_RANGE.to_owned(),
            ..Problem::default()
        },
        None => Problem {
            message: SafeText::line(status.message()),
            transient: passing
                || matches!(status.code(), Code::Unknown | Code::Cancelled | Code::Internal),
            ..Problem::default()
        },
    }
}

/// The answer lacked what it promises: not our daemon, or a much newer one.
pub(super) fn incomplete() -> Problem {
    Problem { message: SafeText::line("the daemon's answer was incomplete"), ..Problem::default() }
}

/// The frame of a stream's answer, if it has one.
pub(super) fn frame(answer: v1::WatchResponse) -> Option<Frame> {
    answer.frame
}
