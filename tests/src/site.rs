//! A web site of somebody else's: pages under any host name of loopback, and what browsers post to it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The largest post that is read, in bytes.
const POST_BYTES_MAX: usize = 64 * 1024;

/// A page as it is served.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Its path.
    pub path: String,
    /// Its HTML.
    pub html: String,
    /// Its Content-Security-Policy, if it has one.
    pub policy: String,
}

/// A running site. It ends when this is dropped.
pub struct Site {
    port: u16,
    pages: Arc<Mutex<Vec<Page>>>,
    posts: watch::Receiver<Vec<String>>,
    _tasks: JoinSet<()>,
}

impl Site {
    /// A site without pages.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let pages = Arc::new(Mutex::new(vec![]));
        let (posted, posts) = watch::channel(vec![]);
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&pages);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared), posted.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { port, pages, posts, _tasks: tasks })
    }

    /// Its origin under a host name. Browsers know every `*.localhost` as this machine and as a secure context, and
    /// take what stands before `localhost` for the site: `shop.localhost` and `vendor.localhost` are foreign to each
    /// other, `chat.shop.localhost` is of the shop's site.
    pub fn origin(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }

    /// Adds a page.
    pub fn add(&self, page: Page) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).push(page);
    }

    /// What was posted to it so far.
    pub fn posts(&self) -> Vec<String> {
        self.posts.borrow().clone()
    }

    /// Waits until something has been posted.
    pub async fn posted(&mut self) -> Result<()> {
        self.posts.wait_for(|posts| !posts.is_empty()).await?;
        Ok(())
    }
}

/// One request, answered and closed.
async fn serve(
    stream: TcpStream,
    pages: Arc<Mutex<Vec<Page>>>,
    posted: watch::Sender<Vec<String>>,
) {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    // A browser that gives up has nothing to hear.
    if stream.read_line(&mut first).await.is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) if line == "\r\n" => break,
            Ok(_) => {}
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0).min(POST_BYTES_MAX);
        }
    }
    if first.starts_with("POST ") {
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_ok() {
            posted.send_modify(|all| all.push(String::from_utf8_lossy(&body).into_owned()));
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let found = {
        let pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.iter().find(|page| page.path == path).cloned()
    };
    // Browsers ask for an icon by themselves.
    let known = found.is_some() || path == "/favicon.ico";
    let status = if known { "200 OK" } else { "404 Not Found" };
    let page = found.unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\n",
        page.html.len()
    );
    if !page.policy.is_empty() {
        let _ = write!(answer, "content-security-policy: {}\r\n", page.policy);
    }
    let _ = write!(answer, "\r\n{}", page.html);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
