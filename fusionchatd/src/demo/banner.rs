//! What the demo prints: at most 24 lines of 80 columns that say what to try.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::service::view::ConversationView;

use super::files::DemoFile;

/// How long the last word waits for whoever reads what is printed.
const LAST_WORD_MAX: Duration = Duration::from_secs(5);

/// What the banner speaks of.
pub(super) struct Banner<'a> {
    pub(super) directory: &'a Path,
    pub(super) file: &'a DemoFile,
    pub(super) ready: Duration,
    pub(super) waiting: &'a [ConversationView],
    pub(super) now: i64,
    pub(super) articles: usize,
}

impl Banner<'_> {
    /// All of it, with the programs' paths.
    pub(super) fn page(&self) -> String {
        let programs = programs();
        let path = |name: &str| programs.join(name).display().to_string();
        let built = ["fusion-tui", "fusionctl"].iter().all(|name| programs.join(name).exists());
        let first = if built {
            ""
        } else {
            "For steps 2 and 3 build the clients first:  cargo build --release\n\n"
        };
        let text = self.text(&path("fusion-tui"), &path("fusionctl"), &path("fusionchatd"));
        format!("{first}{text}")
    }

    fn text(&self, tui: &str, ctl: &str, daemon: &str) -> String {
        let file = self.file;
        let directory = self.directory.display();
        let keys = "c claims · r replies · n notes · ? all keys";
        let longest = self.waiting.iter().filter_map(|it| it.header.waiting_since).min();
        let waited = longest.map_or(0, |since| (self.now - since).max(0) / 1_000);
        let waiting = format!(
            "{} conversations, longest {:02}:{:02}",
            self.waiting.len(),
            waited / 60,
            waited % 60
        );
        format!(
            "Fusionchat {version} demo   ready in {ready:.2} s   pid {pid}   Ctrl-C stops

 1  Be a visitor   {shop}   (a shop; the chat is bottom right)
    ask   How long does the battery last?
    then  press \"Talk to a person\"
 2  Be an agent    {keys}
    {tui} --demo agent1   (a second: agent2)
 3  Script it
    {ctl} --demo escalation list
    {ctl} --demo conv tail -f {own}
    {ctl} --demo conv start --wait \"Is it waterproof?\"
 4  Break it       kill -9 {pid}, keep typing in both windows, then
    {daemon} demo --data {directory}

 Waiting now   {waiting}     Help centre  {articles} articles
 Assistant     built in, no key, no network
 Daemon        {http}   gRPC {grpc}
 Data, logs    {directory}
",
            version = env!("CARGO_PKG_VERSION"),
            ready = self.ready.as_secs_f64(),
            pid = file.pid,
            shop = file.shop,
            own = super::seed::FOLLOWED,
            articles = self.articles,
            http = file.http,
            grpc = file.grpc.trim_start_matches("http://"),
        )
    }
}

/// All that a pipeline's log needs; where the credentials are is in the file it named.
pub(super) fn line(file: &DemoFile, ready: Duration) -> String {
    format!(
        "Fusionchat {} demo   ready in {:.2} s   pid {}   gRPC {}   Daemon {}\n",
        env!("CARGO_PKG_VERSION"),
        ready.as_secs_f64(),
        file.pid,
        file.grpc.trim_start_matches("http://"),
        file.http,
    )
}

/// Prints; whoever closed our output does not want to know, and the demo goes on. False if it was a terminal that has
/// gone. A reader who takes nothing keeps nobody but this call.
pub(super) async fn say(text: String) -> bool {
    tokio::task::spawn_blocking(move || print(&text)).await.unwrap_or(true)
}

/// Prints what a demo that ends has to say, unless nobody takes it for too long.
pub(super) async fn last_word(text: String) {
    // Whether it was taken or not, the demo ends.
    let _ = tokio::time::timeout(LAST_WORD_MAX, say(text)).await;
}

fn print(text: &str) -> bool {
    let mut out = std::io::stdout();
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    let gone = rustix::io::Errno::IO.raw_os_error();
    !said.is_err_and(|error| error.raw_os_error() == Some(gone))
}

/// The folder of the programs, as short as the reader's own folder allows.
fn programs() -> PathBuf {
    let folder = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let folder = folder.unwrap_or_default();
    match std::env::current_dir() {
        Ok(here) => folder.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(folder),
        Err(_) => folder,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_banner_fits_a_terminal() {
        let file = DemoFile {
            api_version: String::new(),
            grpc: "http://127.0.0.1:4882".to_owned(),
            http: "http://127.0.0.1:4880".to_owned(),
            shop: "http://localhost:4881/".to_owned(),
            pid: 4_194_304,
            organization: String::new(),
            inbox: String::new(),
            inbox_id: String::new(),
            credentials: BTreeMap::new(),
        };
        let banner = Banner {
            directory: Path::new("/demo/fusionchat-demo-12"),
            file: &file,
            ready: Duration::from_millis(123),
            waiting: &[],
            now: 0,
            articles: 36,
        };
        let program = |name: &str| format!("target/release/{name}");
        let text =
            banner.text(&program("fusion-tui"), &program("fusionctl"), &program("fusionchatd"));
        // Two more lines say how to build the clients.
        assert!(text.lines().count() + 2 <= 24, "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }
}
