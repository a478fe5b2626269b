//! The watch service, mounted by hand: the generated one takes messages and encodes each anew, this one takes changes
//! and writes their bytes. To a client it is the same.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut as _;
use fusionchat_proto::v1::watch_service_server::SERVICE_NAME;
use fusionchat_proto::{MESSAGE_BYTES_MAX, v1};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::{Request, Response};
use prost::Message as _;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic_prost::ProstDecoder;
use tower::Service;

use crate::service::subscribe::Cursor;
use crate::service::view::Change;

use super::{Door, frame};

/// The only call there is.
const WATCH: &str = "/fusionchat.v1.WatchService/Watch";
/// How much room for a frame a stream keeps, in bytes; what a longer one needed is let go of.
const KEPT_BYTES_MAX: usize = 16 * 1024;
/// How much room for frames a stream begins with, in bytes, as the library has it by itself: most streams are idle.
const ROOM_BYTES: usize = 8 * 1024;
/// How much is gathered before it goes to the connection, in bytes.
const GATHERED_BYTES: usize = 30 * 1024;
/// How much room is made at once for a reader that catches up, in bytes: with what a stream begins with, as much as is
/// gathered and a short frame more, so that it is not moved again as it fills.
const MORE_BYTES: usize = 24 * 1024;

/// A frame on its way out.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A change at its place in the journal, after the one at `prev` in the same stream; whether it was at hand when
    /// the frame before it had been written, so that the two go out together.
    Change { change: Arc<Change>, at: Cursor, prev: u64, at_hand: bool },
    /// Any other frame. Boxed: there are few of them, and room for one would be moved about with each change.
    Other(Box<v1::WatchResponse>),
}

/// The frames of one stream.
pub(super) type Outgoings = BoxStream<'static, Result<Outgoing, Status>>;

/// The watch service of a door.
#[derive(Clone, Debug)]
pub(super) struct WatchServer(pub(super) Arc<Door>);

impl NamedService for WatchServer {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<Request<Body>> for WatchServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let door = Arc::clone(&self.0);
        Box::pin(async move {
            if request.uri().path() != WATCH {
                return Ok(Status::unimplemented("").into_http());
            }
            let mut grpc = Grpc::new(Frames(Arc::clone(&door)))
                .apply_max_message_size_config(Some(MESSAGE_BYTES_MAX), Some(MESSAGE_BYTES_MAX));
            Ok(grpc.server_streaming(Watch(door), request).await)
        })
    }
}

struct Watch(Arc<Door>);

impl ServerStreamingService<v1::WatchRequest> for Watch {
    type Response = Outgoing;
    type ResponseStream = Outgoings;
    type Future = BoxFuture<'static, Result<tonic::Response<Outgoings>, Status>>;

    fn call(&mut self, request: tonic::Request<v1::WatchRequest>) -> Self::Future {
        let door = Arc::clone(&self.0);
        Box::pin(async move { door.watch(request).await })
    }
}

/// Reads what is asked and writes what goes out.
struct Frames(Arc<Door>);

impl Codec for Frames {
    type Encode = Outgoing;
    type Decode = v1::WatchRequest;
    type Encoder = Writer;
    type Decoder = ProstDecoder<v1::WatchRequest>;

    fn encoder(&mut self) -> Writer {
        Writer { door: Arc::clone(&self.0), room: Room::default() }
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

struct Writer {
    door: Arc<Door>,
    room: Room,
}

/// The last frame's room, for the next.
#[derive(Debug, Default)]
struct Room(Vec<u8>);

impl Room {
    /// Gives what `write` writes to `send`.
    fn pass(&mut self, write: impl FnOnce(&mut Vec<u8>), send: impl FnOnce(&[u8])) {
        write(&mut self.0);
        send(&self.0);
        // In this order: it is not shrunk below what it holds.
        self.0.clear();
        self.0.shrink_to(KEPT_BYTES_MAX);
    }
}

impl Encoder for Writer {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        match item {
            Outgoing::Change { change, at, prev, at_hand } => {
                let names_articles = frame::names_articles(&change);
                let settings = names_articles.then(|| self.door.service.settings());
                let url = settings.as_ref().map_or("", |it| &it.public_url);
                let write = |bytes: &mut _| frame::write(bytes, &change, at, prev, url);
                self.room.pass(write, |frame| {
                    let is_full = out.chunk_mut().len() < frame.len();
                    let more = if at_hand && is_full { MORE_BYTES } else { 0 };
                    out.reserve(frame.len().max(more));
                    out.put_slice(frame);
                });
                Ok(())
            }
            Outgoing::Other(frame) => {
                frame.encode(out).map_err(|error| Status::internal(error.to_string()))
            }
        }
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(ROOM_BYTES, GATHERED_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use fusionchat_proto::DESCRIPTOR_SET;

    use super::*;

    /// What is read here of the protocol's descriptors.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Files {
        #[prost(message, repeated, tag = "1")]
        files: Vec<File>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct File {
        #[prost(string, tag = "2")]
        package: String,
        #[prost(message, repeated, tag = "6")]
        services: Vec<Described>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Described {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(message, repeated, tag = "2")]
        methods: Vec<Method>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Method {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        input: String,
        #[prost(string, tag = "3")]
        output: String,
        #[prost(bool, tag = "5")]
        client_streaming: bool,
        #[prost(bool, tag = "6")]
        server_streaming: bool,
    }

    /// A call added to the protocol would be missing here without a word.
    #[test]
    fn the_service_mounted_by_hand_is_the_one_described() {
        let files = Files::decode(DESCRIPTOR_SET).expect("descriptors").files;
        let named = files.iter().flat_map(|file| {
            file.services.iter().map(move |it| (format!("{}.{}", file.package, it.name), it))
        });
        let described: Vec<_> = named.filter(|(name, _)| name == SERVICE_NAME).collect();
        let [(_, service)] = described.as_slice() else { panic!("{described:?}") };
        let watch = Method {
            name: "Watch".to_owned(),
            input: ".fusionchat.v1.WatchRequest".to_owned(),
            output: ".fusionchat.v1.WatchResponse".to_owned(),
            client_streaming: false,
            server_streaming: true,
        };
        assert_eq!(service.methods, [watch]);
        assert_eq!(WATCH, format!("/{SERVICE_NAME}/Watch"));
    }

    #[test]
    fn the_room_of_a_long_frame_is_let_go_of() {
        let mut room = Room::default();
        for length in [40 * 1024, 100, 0, 40 * 1024] {
            let frame = vec![7; length];
            let mut sent = Vec::new();
            room.pass(|bytes| bytes.extend_from_slice(&frame), |it| sent.extend_from_slice(it));
            assert!(sent == frame, "{length}");
            assert!(room.0.capacity() <= KEPT_BYTES_MAX, "{} after {length}", room.0.capacity());
        }
        room.pass(|bytes| bytes.extend_from_slice(&[7; 1024]), |_| ());
        assert!(room.0.capacity() >= 1024, "a short one's is kept");
    }
}
