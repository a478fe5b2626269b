//! The bare servers say what the measures hear.

use super::super::desk::{handshake, text};
use super::*;

/// What the future of an idle socket may hold besides the socket.
const IDLE_BYTES_MAX: usize = 384;

/// Runs a test beside a bare server.
async fn beside(
    serve: impl AsyncFnOnce(TcpListener) -> Result<()>,
    test: impl AsyncFnOnce(String),
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::select! {
        ended = serve(listener) => panic!("the bare server ended: {ended:?}"),
        () = test(address) => {}
    }
}

#[tokio::test]
async fn a_frame_is_fanned_out_to_the_first_who_listen() {
    beside(echo, async |address| {
        let mut control = handshake(&address, "/").await.unwrap();
        let mut sockets = Vec::new();
        for _ in 0..3 {
            let mut socket = handshake(&address, "/").await.unwrap();
            socket.send(Message::text(LISTEN)).await.unwrap();
            assert_eq!(text(&mut socket).await.unwrap(), LISTEN);
            sockets.push(socket);
        }
        for (order, written) in [("fan 1 to one", "1"), ("fan 3 to all", "3"), ("fan 9 so", "3")] {
            control.send(Message::text(order)).await.unwrap();
            assert_eq!(text(&mut control).await.unwrap(), written);
        }
        control.send(Message::text("so long")).await.unwrap();
        assert_eq!(text(&mut control).await.unwrap(), "so long");
        for (number, socket) in sockets.iter_mut().enumerate() {
            let first = if number == 0 { &["to one"][..] } else { &[] };
            for expected in first.iter().chain(&["to all", "so"]) {
                assert_eq!(text(socket).await.unwrap(), *expected, "socket {number}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_the_messages_of_the_file_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("frames");
    let frame = |prev: u64| v1::WatchResponse {
        frame: Some(v1::watch_response::Frame::Change(v1::Change { prev, ..Default::default() })),
    };
    let frames: Vec<v1::WatchResponse> = (0..300).map(frame).collect();
    let bytes: Vec<u8> =
        frames.iter().flat_map(v1::WatchResponse::encode_length_delimited_to_vec).collect();
    std::fs::write(&file, bytes).unwrap();
    beside(
        async |listener| stream_frames(listener, &file).await,
        async |address| {
            let staff = crate::staff::Staff::new(&address, None).unwrap();
            for _ in 0..2 {
                let stream = staff.watch().watch(v1::WatchRequest::default()).await.unwrap();
                let heard: Vec<_> = stream.into_inner().map(Result::unwrap).collect().await;
                assert_eq!(heard, frames);
            }
        },
    )
    .await;
}

#[tokio::test]
async fn an_idle_socket_holds_nothing_but_its_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let size = std::mem::size_of_val(&echo_one(stream, Sockets::default()));
    let socket = std::mem::size_of::<WebSocketStream<TcpStream>>();
    // What is heard, what is sent back, and the states between.
    assert!(size < socket + IDLE_BYTES_MAX, "{size} bytes, the socket {socket} of them");
}
