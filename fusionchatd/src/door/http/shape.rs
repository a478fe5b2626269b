//! What a route takes and gives, said once beside its handler: the OpenAPI document is made of it.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes a type's schema; the types it names go to the generator.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a route takes and gives.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Its query, an object of parameters.
    pub query: Option<SchemaOf>,
    /// The body it reads.
    pub body: Option<SchemaOf>,
    /// The status of its success.
    pub status: u16,
    /// The body it then answers with.
    pub answer: Option<SchemaOf>,
}

impl Shape {
    /// A route that takes nothing and answers 204 without a body.
    pub(super) const fn new(summary: &'static str) -> Self {
        Self { summary, query: None, body: None, status: 204, answer: None }
    }

    /// It has these parameters in its query.
    pub(super) const fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// It reads this body.
    pub(super) const fn body<T: JsonSchema>(self) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// It answers 200 with this body.
    pub(super) const fn gives<T: JsonSchema>(self) -> Self {
        Self { status: 200, answer: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// It answers 201 with this body.
    pub(super) const fn creates<T: JsonSchema>(self) -> Self {
        Self { status: 201, ..self.gives::<T>() }
    }
}
