//! The plain servers do what the references do.

use super::*;

/// Serves on a thread that ends with the test's process, or with its last client.
fn serving(serve: impl FnOnce(&TcpListener) -> Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || serve(&listener));
    address
}

#[test]
fn bytes_come_back() {
    let address = serving(echo);
    let mut sockets = [Echoed::open(&address).unwrap(), Echoed::open(&address).unwrap()];
    let long = [7; 3 * BUFFER_BYTES];
    sockets[0].send(b"one").unwrap();
    sockets[1].send(&long).unwrap();
    let (mut one, mut heard) = ([0; 3], [0; 3 * BUFFER_BYTES]);
    sockets[1].hear(&mut heard).unwrap();
    sockets[0].hear(&mut one).unwrap();
    assert_eq!((&one, heard), (b"one", long));
}

#[test]
fn a_frame_goes_to_the_first_sockets_only() {
    let mut fanned = Fanned::open(&serving(fan), 3).unwrap();
    fanned.write(1, b"to one").unwrap();
    fanned.write(3, b"to all").unwrap();
    for socket in &fanned.sockets {
        socket.set_nonblocking(true).unwrap();
        let more = socket.peek(&mut [0]);
        assert_eq!(
            more.unwrap_err().kind(),
            io::ErrorKind::WouldBlock,
            "each heard what it had to"
        );
    }
    assert!(fanned.write(4, b"to one too many").is_err());
}

#[test]
fn a_stream_is_the_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bytes");
    let bytes = vec![3; 300_000];
    std::fs::write(&file, &bytes).unwrap();
    let address = serving(move |listener| stream(listener, &file));
    assert_eq!(streamed(&address).unwrap(), bytes);
    assert_eq!(streamed(&address).unwrap(), bytes, "again");
}

#[tokio::test]
async fn a_held_socket_stays_open() {
    let address = serving(hold);
    let sockets = [held(&address).await.unwrap(), held(&address).await.unwrap()];
    for socket in sockets {
        let more = socket.try_read(&mut [0]);
        assert_eq!(more.unwrap_err().kind(), io::ErrorKind::WouldBlock, "it is open");
    }
}

#[test]
fn a_plain_frame_is_as_long_as_a_masked_one() {
    // RFC 6455, section 5.7: a masked "Hello" has eleven bytes.
    assert_eq!(frame_bytes("Hello"), 11);
    assert_eq!(frame_bytes(&"x".repeat(125)), 131);
    assert_eq!(frame_bytes(&"x".repeat(126)), 134);
}
