//! The credential of a call. It is read from the header, checked by the service, and never logged.

use tonic::metadata::MetadataMap;

use crate::domain::actor::{Actor, Who};
use crate::service::Service;
use crate::service::error::Error;

const HEADER: &str = "authorization";
const SCHEME: &str = "bearer";

/// The token of `authorization: Bearer …`, of which there must be exactly one.
pub(super) fn bearer(metadata: &MetadataMap) -> Result<&str, Error> {
    let mut headers = metadata.get_all(HEADER).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return Err(Error::sign_in_needed());
    };
    let header = header.to_str().map_err(|_| Error::sign_in_needed())?;
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(token.trim()),
        Some(_) | None => Err(Error::sign_in_needed()),
    }
}

/// Who holds the token. A visitor has the widget's doors: the messages here carry what only staff
/// may see.
pub(super) async fn staff(service: &Service, token: &str) -> Result<Actor, Error> {
    let actor = service.authenticate(token).await?;
    match &actor.who {
        Who::Visitor { .. } => Err(Error::forbidden()),
        Who::Agent { .. }
        | Who::Key { .. }
        | Who::Operator { .. }
        | Who::Assistant
        | Who::System => Ok(actor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], expected: Option<&str>) {
        let mut metadata = MetadataMap::new();
        for header in headers {
            metadata.append(HEADER, header.parse().expect("header"));
        }
        assert_eq!(bearer(&metadata).ok(), expected, "{headers:?}");
    }

    #[test]
    fn only_one_bearer_token_is_taken() {
        check(&["Bearer abc"], Some("abc"));
        check(&["bearer abc"], Some("abc"));
        check(&[], None);
        check(&["abc"], None);
        check(&["Basic abc"], None);
        check(&["Bearer abc", "Bearer def"], None);
    }
}
