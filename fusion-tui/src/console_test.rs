//! The whole console against a scripted daemon over a real connection: what is on the screen is
//! what counts.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fusionchat_proto::v1;
use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, TestBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::Config;
use crate::fixture::Keyboard;
use crate::key::{Code, Key};
use crate::scripted::Daemon;

/// How long a test may wait for the screen in all; it fails with the screen as it is.
const WATCHDOG: Duration = Duration::from_secs(30);

/// A screen that can be looked at while the console draws on it.
#[derive(Clone)]
struct Screen {
    backend: Arc<Mutex<TestBackend>>,
    drawn: Arc<Notify>,
}

impl Screen {
    fn new() -> Self {
        let backend = Arc::new(Mutex::new(TestBackend::new(100, 20)));
        Self { backend, drawn: Arc::new(Notify::new()) }
    }

    fn with<T>(&self, look: impl FnOnce(&mut TestBackend) -> T) -> T {
        look(&mut self.backend.lock().unwrap())
    }

    /// Waits until the screen says so.
    async fn until(&self, wanted: impl Fn(&str) -> bool) {
        let seen = async {
            while !wanted(&self.with(|backend| backend.to_string())) {
                self.drawn.notified().await;
            }
        };
        if tokio::time::timeout(WATCHDOG, seen).await.is_err() {
            panic!("waited in vain; the screen:\n{}", self.with(|backend| backend.to_string()));
        }
    }

    async fn until_shows(&self, text: &str) {
        self.until(|screen| screen.contains(text)).await;
    }
}

impl Backend for Screen {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.with(|backend| backend.draw(content))
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.with(Backend::hide_cursor)
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        self.with(Backend::show_cursor)
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        panic!("a terminal answers this through its input, which the console is reading")
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.with(|backend| backend.set_cursor_position(position))
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.with(Backend::clear)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Infallible> {
        self.with(|backend| backend.clear_region(clear_type))
    }

    fn size(&self) -> Result<Size, Infallible> {
        self.with(|backend| backend.size())
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        self.with(Backend::window_size)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.drawn.notify_one();
        Ok(())
    }
}

/// A console at work.
struct Console {
    screen: Screen,
    keys: Keyboard,
    stop: CancellationToken,
    ended: JoinSet<()>,
}

impl Console {
    fn start(endpoint: &str, token: &str, home: &Path) -> Self {
        let keys = Keyboard::default();
        let (screen, stop) = (Screen::new(), CancellationToken::new());
        let config = Config {
            ca_file: None,
            endpoint: endpoint.to_owned(),
            token: token.to_owned(),
            state_home: Some(home.to_owned()),
            colour: true,
        };
        let mut ended = JoinSet::new();
        let (backend, told, input) = (screen.clone(), stop.clone(), keys.clone());
        ended.spawn(async move {
            let mut terminal = Terminal::new(backend).unwrap();
            crate::run_on(&mut terminal, input, config, told).await.unwrap();
        });
        Self { screen, keys, stop, ended }
    }

    fn press(&self, names: &[&str]) {
        for name in names {
            self.keys.press(Key::parse(name).unwrap());
        }
    }

    fn type_text(&self, text: &str) {
        for character in text.chars() {
            self.keys.press(Key::plain(Code::Char(character)));
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(WATCHDOG, self.ended.join_next()).await;
        ended.unwrap().unwrap().unwrap();
    }
}

fn waiting() -> v1::Conversation {
    v1::Conversation {
        id: "c-1".to_owned(),
        number: 1042,
        status: v1::Status::Escalated.into(),
        visitor_name: "Jo\u{1b}]0;x\u{7} Park".to_owned(),
        inbox_name: "web".to_owned(),
        waiting_since: Some(1),
        position: 90,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_reply_survives_a_lost_answer_and_a_lost_connection() {
    let home = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let (daemon, endpoint) = Daemon::start(&mut tasks, vec![waiting()]).await;
    daemon.visitor_says("hello?");
    let console = Console::start(&endpoint, "secret", home.path());
    console.screen.until_shows("#1042  Jo Park").await;

    console.press(&["r"]);
    console.screen.until_shows("Reply to the visitor").await;
    console.screen.until_shows("hello?").await;

    // Each key by itself wakes the console, however many came together before it.
    console.press(&["x", "Backspace", "Ctrl-l"]);
    for (key, shown) in [("o", "> o"), ("n", "> on")] {
        console.press(&[key]);
        console.screen.until_shows(shown).await;
    }
    console.press(&["Backspace", "Backspace"]);

    // The first answer is lost with the connection, and the next attempts to connect fail.
    daemon.memory().answers_to_lose = 1;
    daemon.memory().refuse_streams = 2;
    console.type_text("on its way");
    console.press(&["Enter"]);
    console.screen.until_shows("Reconnecting. Your message is kept.").await;
    console.type_text("and another");
    console.press(&["Enter"]);
    console.type_text("typed while away");
    console.screen.until_shows("typed while away").await;

    console.screen.until(|screen| !screen.contains("Reconnecting")).await;
    console.screen.until(|screen| screen.contains("sent") && !screen.contains("queued")).await;
    console.screen.until(|screen| !screen.contains("sending")).await;
    console.screen.until_shows("typed while away").await;
    {
        let memory = daemon.memory();
        let texts: Vec<&str> = memory.messages.iter().map(|m| m.content.as_str()).collect();
        assert_eq!(texts, ["hello?", "on its way", "and another"]);
        let mut ids = memory.posted.clone();
        ids.dedup();
        assert_eq!(ids.len(), 2, "one id a message, whatever the attempts: {:?}", memory.posted);
        assert!(memory.resumed.iter().skip(1).all(Option::is_some), "resumed by cursor");
    }
    console.end().await;
    let kept = std::fs::read_dir(home.path().join("fusionchat/drafts")).unwrap().count();
    assert_eq!(kept, 1, "the text that was being written is on disk");
}

#[tokio::test]
async fn a_hole_and_a_reset_are_made_good() {
    let home = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let (daemon, endpoint) = Daemon::start(&mut tasks, vec![waiting()]).await;
    let console = Console::start(&endpoint, "secret", home.path());
    console.screen.until_shows("#1042").await;
    console.press(&["Enter"]);
    daemon.visitor_says("first");
    console.screen.until_shows("first").await;

    daemon.visitor_says_after_a_hole("second", "third");
    console.screen.until_shows("third").await;
    console.screen.until_shows("second").await;
    assert_eq!(daemon.memory().resumed.len(), 2);

    let lists = daemon.memory().lists;
    daemon.reset_stream();
    console.screen.until(|_| daemon.memory().lists > lists).await;
    console.screen.until_shows("third").await;
    let after = daemon.memory().resumed.last().cloned().flatten().unwrap();
    assert_eq!((after.epoch.as_str(), after.position), ("e2", 200));

    daemon.break_stream();
    console.screen.until(|_| daemon.memory().resumed.len() == 4).await;
    console.end().await;
}

#[tokio::test]
async fn a_refused_token_is_said_and_not_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let (daemon, endpoint) = Daemon::start(&mut tasks, vec![]).await;
    let console = Console::start(&endpoint, "wrong", home.path());
    console.screen.until_shows("Not connected: sign in").await;
    assert_eq!(daemon.memory().resumed.len(), 0);
    console.press(&["q"]);
    let mut console = console;
    let ended = tokio::time::timeout(WATCHDOG, console.ended.join_next()).await;
    ended.unwrap().unwrap().unwrap();
}
