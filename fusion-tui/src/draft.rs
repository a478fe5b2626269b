//! Drafts on disk: what was written and not yet accepted by the daemon, one small file a
//! conversation, so that it survives a crash, a kill and a lost connection. Files are mode 0600 in
//! the user's state directory, and replaced whole. Nothing else is ever stored here: no token, no
//! message of anybody else.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::effect::Effect;
use crate::event::Event;
use crate::state::outbox::Kind;
use crate::state::row::{ConversationId, UserId};
use crate::text::SafeText;

/// The most draft files read at the start; the newest come first.
const FILES_MAX: usize = 200;
/// The largest draft file read, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How many saves may wait for the disk.
pub(crate) const QUEUE_MAX: usize = 64;

/// What is unsent in one conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Draft {
    pub(crate) conversation: String,
    /// True if `text` is a note.
    pub(crate) note: bool,
    pub(crate) text: String,
    /// Messages that were sent but not yet accepted, oldest first.
    #[serde(default)]
    pub(crate) unsent: Vec<Unsent>,
}

/// A message without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unsent {
    pub(crate) client_id: String,
    pub(crate) note: bool,
    pub(crate) content: String,
}

/// The stored form of what a text is.
pub(crate) fn kind_of(note: bool) -> Kind {
    if note { Kind::Note } else { Kind::Reply }
}

/// The directory of one console's drafts.
#[derive(Clone, Debug)]
pub(crate) struct Drafts {
    root: PathBuf,
}

impl Drafts {
    /// Drafts of `endpoint` under a state directory. Nothing is created yet.
    pub(crate) fn new(state_home: &Path, endpoint: &str) -> Self {
        let root = state_home.join("fusionchat").join("drafts").join(file_name(endpoint));
        Self { root }
    }

    /// Carries out draft effects one after another until the sender is gone. Failures become
    /// events.
    pub(crate) async fn serve(
        self,
        mut effects: mpsc::Receiver<Effect>,
        events: mpsc::Sender<Event>,
    ) {
        while let Some(effect) = effects.recv().await {
            let drafts = self.clone();
            let done = tokio::task::spawn_blocking(move || drafts.carry_out(effect)).await;
            let Ok(Some(event)) = done else { continue };
            // The console may already be gone; the files are what matters then.
            drop(events.send(event).await);
        }
    }

    fn carry_out(&self, effect: Effect) -> Option<Event> {
        let failure = match effect {
            Effect::LoadDrafts(user) => return Some(Event::Drafts(self.load(&user))),
            Effect::SaveDraft(user, draft) => self.save(&user, &draft).err(),
            Effect::RemoveDraft(user, conversation) => self.remove(&user, &conversation).err(),
            Effect::Call(_) | Effect::Repaint | Effect::Bell | Effect::Quit => None,
        };
        failure.map(|error| Event::DraftFailed(SafeText::line(&error.to_string())))
    }

    fn load(&self, user: &UserId) -> Vec<Draft> {
        let Ok(entries) = fs::read_dir(self.folder(user)) else { return Vec::new() };
        let mut files: Vec<(std::time::SystemTime, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "json"))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        files.iter().rev().take(FILES_MAX).filter_map(|(_, path)| read(path)).collect()
    }

    fn save(&self, user: &UserId, draft: &Draft) -> io::Result<()> {
        let folder = self.folder(user);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let path = self.path(user, &draft.conversation);
        let unfinished = path.with_extension("new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(&serde_json::to_vec(draft)?)?;
        fs::rename(&unfinished, &path)
    }

    fn remove(&self, user: &UserId, conversation: &ConversationId) -> io::Result<()> {
        match fs::remove_file(self.path(user, &conversation.0)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn folder(&self, user: &UserId) -> PathBuf {
        self.root.join(file_name(&user.0))
    }

    fn path(&self, user: &UserId, conversation: &str) -> PathBuf {
        self.folder(user).join(file_name(conversation)).with_extension("json")
    }
}

fn read(path: &Path) -> Option<Draft> {
    if fs::metadata(path).ok()?.len() > FILE_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A name that is safe as a file's, whatever a server sent: letters, digits and hyphens, `_` for
/// the rest.
fn file_name(name: &str) -> String {
    let safe = name.chars().take(120);
    safe.map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// `$XDG_STATE_HOME`, else `~/.local/state`. Without a home there is none.
pub(crate) fn state_home(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    match set("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(path) => Some(path),
        None => set("HOME").map(|home| PathBuf::from(home).join(".local").join("state")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{Draft, Drafts, Unsent, state_home};
    use crate::effect::Effect;
    use crate::event::Event;
    use crate::state::row::{ConversationId, UserId};

    fn draft(text: &str) -> Draft {
        let client_id = "0".repeat(32);
        let unsent = vec![Unsent { client_id, note: true, content: "kept".to_owned() }];
        Draft { conversation: "c-1".to_owned(), note: false, text: text.to_owned(), unsent }
    }

    fn loaded(drafts: &Drafts, user: &UserId) -> Vec<Draft> {
        match drafts.carry_out(Effect::LoadDrafts(user.clone())) {
            Some(Event::Drafts(drafts)) => drafts,
            other => panic!("expected drafts, got {other:?}"),
        }
    }

    #[test]
    fn a_draft_survives_and_goes() {
        let home = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(home.path(), "http://127.0.0.1:4882");
        let user = UserId::from("u-1");
        assert_eq!(loaded(&drafts, &user), []);
        for text in ["one", "two"] {
            assert!(drafts.carry_out(Effect::SaveDraft(user.clone(), draft(text))).is_none());
        }
        assert_eq!(loaded(&drafts, &user), [draft("two")]);
        assert_eq!(loaded(&drafts, &UserId::from("u-2")), []);
        let path = drafts.path(&user, "c-1");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for _ in 0..2 {
            let id = ConversationId::from("c-1");
            assert!(drafts.carry_out(Effect::RemoveDraft(user.clone(), id)).is_none());
        }
        assert_eq!(loaded(&drafts, &user), []);
    }

    #[test]
    fn a_hostile_id_stays_inside_the_folder() {
        let home = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(home.path(), "http://127.0.0.1:4882");
        let path = drafts.path(&UserId::from("../../x"), "../../../etc/passwd");
        assert!(path.starts_with(&drafts.root));
        assert!(!path.to_string_lossy().contains(".."));
    }

    #[test]
    fn the_state_directory_follows_the_environment() {
        let only = |name: &'static str, value: &'static str| {
            state_home(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(only("XDG_STATE_HOME", "/s"), Some("/s".into()));
        assert_eq!(only("HOME", "/h"), Some("/h/.local/state".into()));
        assert_eq!(only("XDG_STATE_HOME", "relative"), None);
    }
}
