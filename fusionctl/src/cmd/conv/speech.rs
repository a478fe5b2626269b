//! Messages and notes as rows of a transcript: who speaks, in which tone, and system lines in words.

use fusionchat_proto::v1;

use crate::output::{Row, Shape, Speech, Tone};
use crate::view;

/// A message as a row.
pub(crate) fn of_message(message: &v1::Message) -> Row {
    let (tone, called) = match v1::SenderType::try_from(message.sender_type) {
        Ok(v1::SenderType::User) => (Tone::Visitor, "visitor"),
        Ok(v1::SenderType::Agent) => (Tone::Staff, "agent"),
        Ok(v1::SenderType::Assistant) => (Tone::Assistant, "assistant"),
        Ok(v1::SenderType::System) => (Tone::System, "system"),
        Ok(v1::SenderType::Unspecified) | Err(_) => (Tone::System, "unknown"),
    };
    let named = matches!(tone, Tone::Visitor | Tone::Staff) && !message.sender_name.is_empty();
    let who = if named { message.sender_name.clone() } else { called.to_owned() };
    let content = match &message.system {
        Some(system) if message.content.is_empty() => in_words(system),
        None if message.retracted => "(this message was removed)".to_owned(),
        Some(_) | None => message.content.clone(),
    };
    let speech = Speech {
        seq: Some(message.seq),
        at_ms: message.created_at,
        who,
        tone,
        content,
        sources: message.sources.iter().map(source).collect(),
    };
    Row { json: view::message(message), shape: Shape::Speech(speech) }
}

/// A note as a row.
pub(crate) fn of_note(note: &v1::Note) -> Row {
    let drafted = note.sender_type == v1::SenderType::Assistant as i32;
    let who = match note.author_name.as_str() {
        "" if drafted => "assistant (draft)",
        "" => "staff",
        name => name,
    };
    let speech = Speech {
        seq: None,
        at_ms: note.created_at,
        who: who.to_owned(),
        tone: Tone::Note,
        content: note.content.clone(),
        sources: note.sources.iter().map(source).collect(),
    };
    Row { json: view::note(note), shape: Shape::Speech(speech) }
}

/// Where an answer comes from, as one line.
pub(crate) fn source(source: &v1::Source) -> String {
    format!("{} {}", source.title, source.url).trim().to_owned()
}

/// Messages and notes in the order they were written.
pub(crate) fn merged<'a>(
    messages: impl IntoIterator<Item = &'a v1::Message>,
    notes: impl IntoIterator<Item = &'a v1::Note>,
) -> Vec<Row> {
    let mut rows: Vec<(u64, Row)> = messages
        .into_iter()
        .map(|message| (message.position, of_message(message)))
        .chain(notes.into_iter().map(|note| (note.position, of_note(note))))
        .collect();
    rows.sort_by_key(|(position, _)| *position);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// A system line in words; one of a newer daemon shows its code.
fn in_words(system: &v1::SystemLine) -> String {
    let param = |name: &str| system.params.get(name).map(String::as_str);
    match system.code.as_str() {
        "escalated" if param("staffed") == Some("false") => {
            "waiting for a person; nobody is there at the moment".to_owned()
        }
        "escalated" => "waiting for a person".to_owned(),
        "claimed" => format!("{} joined", param("name").unwrap_or("an agent")),
        "transferred" => "given to another agent; waiting for a person".to_owned(),
        "silence_notice" => {
            "the visitor was told that the conversation ends without a word".to_owned()
        }
        "retracted" => format!("message {} was removed", param("seq").unwrap_or("?")),
        "released" => "waiting for a person again".to_owned(),
        "handed_back" => "handed back to the assistant".to_owned(),
        "resolved" => match param("by") {
            Some("silence") => "resolved: the visitor said nothing more".to_owned(),
            Some(by) => format!("resolved by the {by}"),
            None => "resolved".to_owned(),
        },
        "reopened" => "reopened".to_owned(),
        code => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{in_words, merged, v1};
    use crate::output::{Shape, Tone};

    fn line(code: &str, params: &[(&str, &str)]) -> String {
        let params =
            params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        in_words(&v1::SystemLine { code: code.to_owned(), params })
    }

    #[test]
    fn system_lines_are_words() {
        assert_eq!(line("escalated", &[("staffed", "true")]), "waiting for a person");
        assert!(line("escalated", &[("staffed", "false")]).contains("nobody is there"));
        assert_eq!(line("claimed", &[("name", "ana")]), "ana joined");
        assert_eq!(line("resolved", &[("by", "visitor")]), "resolved by the visitor");
        assert_eq!(line("new_code", &[]), "new_code");
    }

    #[test]
    fn notes_stand_between_messages() {
        let message = |seq, position| v1::Message { seq, position, ..v1::Message::default() };
        let note = v1::Note { position: 5, ..v1::Note::default() };
        let rows = merged(&[message(1, 4), message(2, 6)], &[note]);
        let tones: Vec<bool> = rows
            .iter()
            .map(|row| match &row.shape {
                Shape::Speech(speech) => speech.tone == Tone::Note,
                Shape::Cells(_) => false,
            })
            .collect();
        assert_eq!(tones, [false, true, false]);
    }
}
