//! The watch service, mounted by hand: the generated one takes messages and encodes each anew, this one takes changes and
//! writes their bytes. To a client it is the same.

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
/// How much room for a frame a stream keeps, in bytes; one that was longer is let go of.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// How much is gathered before it goes to the connection, and the room for that, in bytes: as much more as frames of short
/// messages need, so that it is not moved as it fills.
const GATHERED_BYTES: usize = 30 * 1024;
const ROOM_BYTES: usize = 32 * 1024;

/// A frame on its way out.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A change at its place in the journal, after the one at `prev` in the same stream.
    Change { change: Arc<Change>, at: Cursor, prev: u64 },
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
        Writer { door: Arc::clone(&self.0), frame: Vec::new() }
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

struct Writer {
    door: Arc<Door>,
    /// The last frame's room, for the next.
    frame: Vec<u8>,
}

impl Encoder for Writer {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        match item {
            Outgoing::Change { change, at, prev } => {
                let settings = self.door.service.settings();
                self.frame.clear();
                frame::write(&mut self.frame, &change, at, prev, &settings.public_url);
                out.reserve(self.frame.len());
                out.put_slice(&self.frame);
                self.frame.shrink_to(KEPT_BYTES_MAX);
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
