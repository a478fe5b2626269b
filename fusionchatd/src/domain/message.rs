//! Messages, notes and system lines, and what text they may hold.

use super::Time;
use super::id::{ArticleId, ClientId, ConversationId, MessageId, UserId};
use super::rejection::Rejection;

/// The longest message or note, in characters.
pub const MESSAGE_CHARS_MAX: usize = 10_000;
/// The longest message or note, in bytes of UTF-8.
pub const MESSAGE_BYTES_MAX: usize = 40_000;
/// The length of a conversation's last line, in characters.
pub const LAST_LINE_CHARS_MAX: usize = 120;
/// The most sources under one message.
pub const SOURCES_MAX: usize = 5;

/// Who a message is from, as everybody in the conversation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderType {
    /// The visitor.
    User,
    /// A member of staff.
    Agent,
    /// The assistant.
    Assistant,
    /// A line about the conversation itself.
    System,
}

impl SenderType {
    /// The number stored in rows and entries.
    pub fn code(self) -> u32 {
        match self {
            Self::User => 1,
            Self::Agent => 2,
            Self::Assistant => 3,
            Self::System => 4,
        }
    }

    /// The sender type of a stored number.
    pub fn from_code(code: u32) -> Option<Self> {
        [Self::User, Self::Agent, Self::Assistant, Self::System]
            .into_iter()
            .find(|it| it.code() == code)
    }
}

/// An article an answer was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The article.
    pub article: ArticleId,
    /// Its title when the answer was written.
    pub title: String,
    /// Its language, where that is another one than the conversation's.
    pub locale: Option<String>,
}

/// A line about the conversation, rendered by each client in its locale; never prose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemLine {
    /// `escalated`, `claimed`, `released`, `transferred`, `handed_back`, `resolved`, `reopened`, `silence_notice`,
    /// `retracted`.
    pub code: String,
    /// Its parameters, by name. A parameter that names a user holds the user's id.
    pub params: Vec<(String, String)>,
}

/// Something everybody in the conversation sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its number: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// What its sender is.
    pub sender_type: SenderType,
    /// The user who sent it; none for the assistant and system lines.
    pub sender: Option<UserId>,
    /// The text as sent; empty for a system line.
    pub content: String,
    /// Where an answer comes from.
    pub sources: Vec<Source>,
    /// Set for a system line.
    pub system: Option<SystemLine>,
    /// The sender's own id of it.
    pub client_id: Option<ClientId>,
    /// When it was written.
    pub created_at: Time,
    /// Its place in the organization's journal.
    pub position: u64,
    /// Whether it was taken back: then the text is gone.
    pub retracted: bool,
    /// Why staff marked it for review, if they did.
    pub flag: Option<String>,
}

/// Something only staff see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its id.
    pub id: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Who wrote it; nobody where it is a draft of the assistant's.
    pub author: Option<UserId>,
    /// The text as written.
    pub content: String,
    /// Where a draft comes from.
    pub sources: Vec<Source>,
    /// The author's own id of it.
    pub client_id: Option<ClientId>,
    /// When it was written.
    pub created_at: Time,
    /// Its place in the organization's journal.
    pub position: u64,
}

/// Refuses text that is empty, too long or holds a control character (C0 except newline and tab, DEL, C1).
pub fn check_content(content: &str) -> Result<(), Rejection> {
    if content.len() > MESSAGE_BYTES_MAX || content.chars().count() > MESSAGE_CHARS_MAX {
        return Err(Rejection::MessageTooLong { characters: content.chars().count() });
    }
    if let Some(character) = content.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Rejection::ControlCharacter { character: u32::from(character) });
    }
    if content.trim().is_empty() {
        return Err(Rejection::EmptyMessage);
    }
    Ok(())
}

/// The start of a message as one line, for lists.
pub fn last_line(content: &str) -> String {
    let mut line = String::new();
    for word in content.split_whitespace() {
        let room = LAST_LINE_CHARS_MAX.saturating_sub(line.chars().count());
        if room <= 1 {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(room - 1));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str) -> &'static str {
        check_content(content).err().map_or("ok", |rejection| rejection.code())
    }

    #[test]
    fn content_limits() {
        assert_eq!(check("hello\n\tworld"), "ok");
        assert_eq!(check(""), "empty_message");
        assert_eq!(check(" \n\t "), "empty_message");
        assert_eq!(check(&"a".repeat(10_000)), "ok");
        assert_eq!(check(&"a".repeat(10_001)), "message_too_long");
        assert_eq!(check(&"𝄞".repeat(10_000)), "ok");
        assert_eq!(check(&"𝄞".repeat(10_001)), "message_too_long");
        for bad in ["\0", "\u{1b}[31m", "\r\n", "\u{7f}", "\u{9b}", "a\u{85}b"] {
            assert_eq!(check(bad), "control_character", "{bad:?}");
        }
        assert_eq!(check("right\u{202e}left"), "ok", "bidi is stored as sent; screens isolate it");
    }

    #[test]
    fn a_last_line_is_one_bounded_line() {
        assert_eq!(last_line("a\n b\t c"), "a b c");
        assert!(last_line(&"ab ".repeat(500)).chars().count() <= LAST_LINE_CHARS_MAX);
        assert!(last_line(&"x".repeat(500)).chars().count() <= LAST_LINE_CHARS_MAX);
    }
}
