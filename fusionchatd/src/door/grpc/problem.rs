//! Errors on this wire: a status with a [`v1::Problem`] in its details. The cause of our own faults
//! goes to the log and never to the caller.

use fusionchat_proto::v1;
use prost::Message;
use tonic::Status;

use crate::door::status;
use crate::service::error::Error;

/// A request that is malformed: `what` is wrong with it, and what to send instead.
pub(super) fn invalid(what: impl Into<String>, hint: &str) -> Error {
    Error::invalid("invalid_argument", what).with_hint(hint)
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if let Some(cause) = error.cause() {
            tracing::error!(code = error.code, cause = format!("{cause:#}"), "a call failed");
        }
        let error = error.into_details();
        let code = status::of(error.kind).grpc;
        let params = error.params.into_iter().map(|(name, value)| (name.to_owned(), value));
        let problem = v1::Problem {
            code: error.code.to_owned(),
            message: error.message.clone(),
            hint: error.hint,
            params: params.collect(),
            retry_after_ms: error.retry_after_ms,
        };
        Self::with_details(code, error.message, problem.encode_to_vec().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::error::Kind;

    #[test]
    fn a_problem_says_what_is_public_and_nothing_else() {
        let status = Status::from(Error::internal(anyhow::anyhow!("page 7 is torn")));
        assert_eq!(status.code(), tonic::Code::Internal);
        let problem = fusionchat_proto::problem(&status).expect("details");
        assert_eq!(problem.code, "internal");
        assert!(!format!("{status:?}{problem:?}").contains("torn"));

        let error = Error::new(Kind::Limited, "rate_limited", "too many").with_param("of", "5");
        let problem = fusionchat_proto::problem(&Status::from(error)).expect("details");
        assert_eq!(problem.params.get("of").map(String::as_str), Some("5"));
    }
}
