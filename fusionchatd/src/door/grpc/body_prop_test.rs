//! Every method of the door over a real socket, with bodies made from its own descriptor and then bent: an answer each
//! time, of a kind that says who is at fault, and never that it is the daemon.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Request, Status};

use crate::domain::damage::damaged;
use crate::service::Settings;
use crate::service::limit::Limits;

use super::grpc_test::Raw;
use super::harness_test::{Bearer, Desk, client_id, within};

/// Of so many cases of a property each method gets one of each kind: all of them together are some thousands.
const CASES_PER_ROUND: u32 = 32;
/// How deep messages stand in each other here; the door takes more.
const DEPTH_MAX: usize = 5;
/// Texts that name something, or come near it.
const TEXTS: &[&str] = &[
    "web",
    "1001",
    "#1001",
    "admin",
    "admin@acme.test",
    "en",
    "a.md",
    "",
    " ",
    "*",
    "conversation:read",
    "https://acme.test",
    "0",
    "-1",
    "18446744073709551616",
    "\u{0}",
    "\u{1b}[31m",
    "\u{202e}",
    "00112233445566778899aabbccddeeff",
    "0190a0c8-5e3a-7c11-9f3e-2b1c7d4e5f60",
];
/// Numbers at the edges of their types, and of enumerations.
const NUMBERS: &[u64] = &[0, 1, 2, 3, 99, 1 << 31, u32::MAX as u64, 1 << 63, u64::MAX];

/// A method, and what it takes.
struct Method {
    path: String,
    input: String,
    streams: bool,
}

/// All that the door says of itself.
struct Surface {
    messages: BTreeMap<String, DescriptorProto>,
    methods: Vec<Method>,
}

impl Surface {
    fn read() -> Self {
        let set = FileDescriptorSet::decode(fusionchat_proto::DESCRIPTOR_SET).expect("a set");
        let mut surface = Self { messages: BTreeMap::new(), methods: vec![] };
        for file in &set.file {
            let package = file.package();
            file.message_type.iter().for_each(|it| surface.add(&format!(".{package}"), it));
            for service in &file.service {
                surface.methods.extend(service.method.iter().map(|method| Method {
                    path: format!("/{package}.{}/{}", service.name(), method.name()),
                    input: method.input_type().to_owned(),
                    streams: method.server_streaming(),
                }));
            }
        }
        surface
    }

    fn add(&mut self, scope: &str, message: &DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        message.nested_type.iter().for_each(|it| self.add(&name, it));
        self.messages.insert(name, message.clone());
    }

    /// A message of this type, as a client of this version could send it.
    fn message(&self, runner: &mut TestRunner, name: &str, depth: usize) -> BytesMut {
        let mut body = BytesMut::new();
        for field in self.messages.get(name).into_iter().flat_map(|it| &it.field) {
            let count = match (field.label(), one(runner, 0..4_usize)) {
                (Label::Repeated, count) => count,
                // Mostly there.
                (Label::Optional | Label::Required, roll) => usize::from(roll > 0),
            };
            for _ in 0..count {
                self.field(runner, field, depth, &mut body);
            }
        }
        body
    }

    fn field(
        &self,
        runner: &mut TestRunner,
        field: &FieldDescriptorProto,
        depth: usize,
        body: &mut BytesMut,
    ) {
        let number = field.number().unsigned_abs();
        let inner = match field.r#type() {
            Type::Double | Type::Fixed64 | Type::Sfixed64 => {
                encode_key(number, WireType::SixtyFourBit, body);
                return body.put_u64_le(one(runner, numbers()));
            }
            Type::Float | Type::Fixed32 | Type::Sfixed32 => {
                encode_key(number, WireType::ThirtyTwoBit, body);
                return body.put_u32_le(one(runner, any::<u32>()));
            }
            Type::Int64
            | Type::Uint64
            | Type::Int32
            | Type::Uint32
            | Type::Bool
            | Type::Enum
            | Type::Sint32
            | Type::Sint64 => {
                encode_key(number, WireType::Varint, body);
                return encode_varint(one(runner, numbers()), body);
            }
            Type::String if field.name() == "client_id" => client_id().into(),
            Type::String => one(runner, texts()).into(),
            Type::Bytes => Bytes::from(one(runner, vec(any::<u8>(), 0..40))),
            Type::Message | Type::Group if depth < DEPTH_MAX => {
                self.message(runner, field.type_name(), depth + 1).freeze()
            }
            Type::Message | Type::Group => Bytes::new(),
        };
        encode_key(number, WireType::LengthDelimited, body);
        encode_varint(inner.len() as u64, body);
        body.put(inner);
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(TEXTS).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => "[a-z]{1,12}",
        1 => (1..12_000_usize).prop_map(|count| "x".repeat(count)),
    ]
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![select(NUMBERS), any::<u64>(), 0..20_u64]
}

/// One value of a strategy.
fn one<S: Strategy>(runner: &mut TestRunner, strategy: S) -> S::Value {
    strategy.new_tree(runner).expect("a value").current()
}

/// One call with a body as it is; of a stream, what comes first.
async fn call(desk: &Desk, token: &str, method: &Method, body: Bytes) -> Result<(), Status> {
    let line = InterceptedService::new(desk.channel.clone(), Bearer::of(token));
    let mut raw = tonic::client::Grpc::new(line);
    within(raw.ready()).await.expect("ready");
    let path: PathAndQuery = method.path.parse().expect("a path");
    let request = Request::new(body);
    if !method.streams {
        return within(raw.unary(request, path, Raw)).await.map(drop);
    }
    let mut stream = within(raw.server_streaming(request, path, Raw)).await?.into_inner();
    within(stream.message()).await.map(drop)
}

/// Fails unless the daemon says that it has done it, or whose fault it is that it has not.
fn judge(method: &Method, body: &Bytes, answer: &Result<(), Status>) {
    let Err(status) = answer else { return };
    let told = format!("{} {body:?}: {status:?}", method.path);
    let ours = [
        Code::InvalidArgument,
        Code::Unauthenticated,
        Code::PermissionDenied,
        Code::NotFound,
        Code::Aborted,
        Code::ResourceExhausted,
    ];
    assert!(ours.contains(&status.code()), "{told}");
    match fusionchat_proto::problem(status) {
        Some(problem) => assert!(!problem.code.is_empty() && problem.code != "internal", "{told}"),
        // The library's own word for bytes that are no message.
        None => assert_eq!(status.code(), Code::InvalidArgument, "{told}"),
    }
}

#[tokio::test]
async fn any_body_of_any_method_gets_an_answer_of_ours() {
    let (desk, surface) = (Desk::open().await, Surface::read());
    let settings = (*desk.service.settings()).clone();
    let limits = Limits { command_burst: 1_000_000, ..settings.limits };
    desk.service.reconfigure(Settings { limits, ..settings });
    desk.start(&desk.acme.admin_key, "I would rather speak to a human").await;
    let mut runner = TestRunner::default();
    let mut taken = BTreeSet::new();
    for _ in 0..ProptestConfig::default().cases.div_ceil(CASES_PER_ROUND) {
        for method in &surface.methods {
            for token in [&desk.acme.admin_key, &desk.operator, ""] {
                let good = surface.message(&mut runner, &method.input, 0).freeze();
                let bent = one(&mut runner, damaged(Just(good.to_vec())));
                for body in [good, bent.into()] {
                    let answer = call(&desk, token, method, body.clone()).await;
                    judge(method, &body, &answer);
                    if answer.is_ok() {
                        taken.insert(method.path.as_str());
                    }
                }
            }
        }
    }
    assert!(taken.len() >= 10, "bodies made from the descriptor are never taken: {taken:?}");
    println!("{} of {} methods took one", taken.len(), surface.methods.len());
}
