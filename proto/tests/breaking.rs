//! The protocol may grow, and must not break a client of the last release: the committed descriptor set is compared
//! with the baseline, rule by rule. docs/ci.md says how a release moves the baseline.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost::Message as _;
use prost_types::field_descriptor_proto::Label;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

const BASELINE: &[u8] = include_bytes!("../baseline/fusionchat.v1.bin");

/// Everything that has a name, by it.
#[derive(Default)]
struct Wire {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
    services: BTreeMap<String, ServiceDescriptorProto>,
}

impl Wire {
    fn of(set: FileDescriptorSet) -> Self {
        let mut wire = Self::default();
        for file in set.file {
            let package = file.package.unwrap_or_default();
            for message in file.message_type {
                wire.add_message(&package, message);
            }
            for one in file.enum_type {
                wire.enums.insert(format!("{package}.{}", one.name()), one);
            }
            for service in file.service {
                wire.services.insert(format!("{package}.{}", service.name()), service);
            }
        }
        wire
    }

    fn add_message(&mut self, scope: &str, message: DescriptorProto) {
        let name = format!("{scope}.{}", message.name());
        for nested in &message.nested_type {
            self.add_message(&name, nested.clone());
        }
        for one in &message.enum_type {
            self.enums.insert(format!("{name}.{}", one.name()), one.clone());
        }
        self.messages.insert(name, message);
    }
}

/// Everything in `new` that breaks a client of `old`.
fn breaks(old: &Wire, new: &Wire) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, message) in &old.messages {
        match new.messages.get(name) {
            None => faults.push(format!("message {name} is gone")),
            Some(now) => message_breaks(name, message, now, &mut faults),
        }
    }
    for (name, one) in &old.enums {
        match new.enums.get(name) {
            None => faults.push(format!("enum {name} is gone")),
            Some(now) => enum_breaks(name, one, now, &mut faults),
        }
    }
    for (name, service) in &old.services {
        match new.services.get(name) {
            None => faults.push(format!("service {name} is gone")),
            Some(now) => service_breaks(name, service, now, &mut faults),
        }
    }
    faults
}

fn message_breaks(
    name: &str,
    old: &DescriptorProto,
    new: &DescriptorProto,
    faults: &mut Vec<String>,
) {
    for field in &old.field {
        let tag = field.number();
        let Some(now) = new.field.iter().find(|it| it.number() == tag) else {
            faults.push(format!("{name}.{} = {tag} is gone", field.name()));
            continue;
        };
        if now.name() != field.name() {
            faults.push(format!("{name}.{} = {tag} is now called {}", field.name(), now.name()));
        }
        if kind(now) != kind(field) {
            faults.push(format!("{name}.{} is now {}", field.name(), kind(now)));
        }
        if choice(new, now) != choice(old, field) {
            faults.push(format!("{name}.{} changed its oneof", field.name()));
        }
        if now.proto3_optional() != field.proto3_optional() {
            faults.push(format!("{name}.{} changed its presence", field.name()));
        }
    }
    // A field that moved to another number is gone at the old one; its name must not mean something else.
    for field in &new.field {
        let before = old.field.iter().find(|it| it.name() == field.name());
        if before.is_some_and(|before| before.number() != field.number()) {
            faults.push(format!("{name}.{} moved to {}", field.name(), field.number()));
        }
    }
}

fn kind(field: &FieldDescriptorProto) -> String {
    let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
    format!("{repeated}{:?} {}", field.r#type(), field.type_name())
}

/// The name of the oneof a field is a part of; an `optional` has one of its own that nobody sees.
fn choice(message: &DescriptorProto, field: &FieldDescriptorProto) -> Option<String> {
    if field.proto3_optional() {
        return None;
    }
    let index = usize::try_from(field.oneof_index?).ok()?;
    message.oneof_decl.get(index).map(|it| it.name().to_owned())
}

fn enum_breaks(
    name: &str,
    old: &EnumDescriptorProto,
    new: &EnumDescriptorProto,
    faults: &mut Vec<String>,
) {
    for value in &old.value {
        let now = new.value.iter().find(|it| it.number() == value.number());
        if now.is_none_or(|now| now.name() != value.name()) {
            faults.push(format!("{name}: {} = {} is gone", value.name(), value.number()));
        }
    }
}

fn service_breaks(
    name: &str,
    old: &ServiceDescriptorProto,
    new: &ServiceDescriptorProto,
    faults: &mut Vec<String>,
) {
    for method in &old.method {
        let Some(now) = new.method.iter().find(|it| it.name() == method.name()) else {
            faults.push(format!("{name}/{} is gone", method.name()));
            continue;
        };
        let shape = |it: &prost_types::MethodDescriptorProto| {
            let (input, output) = (it.input_type().to_owned(), it.output_type().to_owned());
            (input, output, it.client_streaming(), it.server_streaming())
        };
        if shape(now) != shape(method) {
            faults.push(format!("{name}/{} takes or returns something else", method.name()));
        }
    }
}

fn baseline() -> FileDescriptorSet {
    FileDescriptorSet::decode(BASELINE).expect("the baseline is a descriptor set")
}

#[test]
fn nothing_breaks_a_client_of_the_last_release() {
    let now = FileDescriptorSet::decode(fusionchat_proto::DESCRIPTOR_SET).expect("descriptors");
    let faults = breaks(&Wire::of(baseline()), &Wire::of(now));
    let list = faults.iter().fold(String::new(), |mut text, fault| {
        let _ = write!(text, "\n  {fault}");
        text
    });
    assert!(faults.is_empty(), "breaking changes of the protocol:{list}");
}

/// Changes the baseline and says what that breaks.
fn after(change: impl FnOnce(&mut FileDescriptorSet)) -> Vec<String> {
    let mut set = baseline();
    change(&mut set);
    breaks(&Wire::of(baseline()), &Wire::of(set))
}

fn message<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
    let mut all = set.file.iter_mut().flat_map(|file| &mut file.message_type);
    all.find(|it| it.name() == name).expect("the message is there")
}

fn field<'a>(set: &'a mut FileDescriptorSet, of: &str, name: &str) -> &'a mut FieldDescriptorProto {
    let mut all = message(set, of).field.iter_mut();
    all.find(|it| it.name() == name).expect("the field is there")
}

fn check(change: impl FnOnce(&mut FileDescriptorSet), wanted: &str) {
    let faults = after(change);
    assert!(faults.iter().any(|it| it.contains(wanted)), "{wanted:?} in {faults:?}");
}

#[test]
fn every_rule_bites() {
    use prost_types::field_descriptor_proto::Type;
    let gone = |set: &mut FileDescriptorSet| {
        message(set, "Message").field.retain(|it| it.name() != "content");
    };
    check(gone, "Message.content = 7 is gone");
    check(|set| field(set, "Message", "content").name = Some("text".into()), "now called text");
    check(|set| field(set, "Message", "content").number = Some(99), "moved to 99");
    check(|set| field(set, "Message", "content").set_type(Type::Bytes), "content is now Bytes");
    check(
        |set| field(set, "Message", "content").set_label(Label::Repeated),
        "content is now repeated",
    );
    check(|set| field(set, "WatchResponse", "ready").oneof_index = None, "changed its oneof");
    check(
        |set| field(set, "User", "email").proto3_optional = Some(false),
        "email changed its presence",
    );
    check(|set| message(set, "Note").name = Some("Remark".into()), "Note is gone");
    check(
        |set| {
            let mut enums = set.file.iter_mut().flat_map(|file| &mut file.enum_type);
            let status = enums.find(|it| it.name() == "Status").expect("it is there");
            status.value.retain(|it| it.name() != "STATUS_OPEN");
        },
        "STATUS_OPEN = 1 is gone",
    );
    check(|set| set.file.iter_mut().for_each(|file| file.enum_type.clear()), "enum");
    check(|set| set.file.iter_mut().for_each(|file| file.service.clear()), "service");
    let service = |set: &mut FileDescriptorSet, change: fn(&mut ServiceDescriptorProto)| {
        let mut all = set.file.iter_mut().flat_map(|file| &mut file.service);
        change(all.find(|it| it.name() == "WatchService").expect("it is there"));
    };
    check(|set| service(set, |it| it.method.clear()), "WatchService/Watch is gone");
    check(
        |set| service(set, |it| it.method[0].server_streaming = Some(false)),
        "takes or returns something else",
    );
    check(
        |set| service(set, |it| it.method[0].input_type = Some(".fusionchat.v1.Note".into())),
        "takes or returns something else",
    );
}

#[test]
fn growing_breaks_nothing() {
    let grown = after(|set| {
        let mut more = field(set, "Message", "content").clone();
        (more.name, more.number) = (Some("more".into()), Some(1_000));
        message(set, "Message").field.push(more);
        let note = message(set, "Note").clone();
        let file = set.file.iter_mut().find(|it| it.name().ends_with("conversation.proto"));
        let file = file.expect("the file is there");
        file.message_type.push(DescriptorProto { name: Some("Fresh".into()), ..note });
    });
    assert_eq!(grown, Vec::<String>::new());
}
