//! The way to a daemon. A credential goes unencrypted to this machine only, unless somebody says otherwise.

use std::net::IpAddr;
use std::path::Path;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Uri};

use crate::ClientError;

/// Where a daemon listens when nothing else is said.
pub const DEFAULT: &str = "http://127.0.0.1:4882";

/// The address, once it is known that a credential may be sent there.
///
/// # Errors
/// If it is none, carries a user or password, or is another machine without TLS and `insecure` is false.
pub fn check(endpoint: &str, insecure: bool) -> Result<Uri, ClientError> {
    let bad = || ClientError::Address(endpoint.to_owned());
    let full =
        if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let uri: Uri = full.parse().map_err(|_| bad())?;
    let authority = uri.authority().ok_or_else(bad)?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(bad());
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if insecure || is_loopback(authority.host()) => Ok(uri),
        Some("http") => Err(ClientError::ClearText(authority.host().to_owned())),
        Some(_) | None => Err(bad()),
    }
}

/// An endpoint for the address: over `https` with the roots of the machine and of the web, and those of `ca_file`.
///
/// # Errors
/// If the file cannot be read or holds no certificate.
pub fn endpoint(uri: Uri, ca_file: Option<&Path>) -> Result<Endpoint, ClientError> {
    let secure = uri.scheme_str() == Some("https");
    let endpoint = Endpoint::from(uri);
    if !secure {
        return Ok(endpoint);
    }
    let mut tls = ClientTlsConfig::new().with_enabled_roots();
    let path = ca_file.unwrap_or(Path::new("the system's certificates"));
    if let Some(file) = ca_file {
        let pem = std::fs::read(file).map_err(|error| ClientError::File(file.to_owned(), error))?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(ClientError::Certificate(file.to_owned(), "no PEM block".to_owned()));
        }
        tls = tls.ca_certificate(Certificate::from_pem(pem));
    }
    let made = endpoint.tls_config(tls);
    made.map_err(|error| ClientError::Certificate(path.to_owned(), error.to_string()))
}

/// True for this machine itself.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Of what addresses are made, and what makes them lie.
    const PIECES: [&str; 18] = [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1",
        "127.9.8.7",
        "[::1]",
        "::1",
        ":4882",
        ":",
        "@",
        "/",
        "?",
        "#",
        "%",
        "\\",
        ".",
        "evil.example",
        "[::ffff:127.0.0.1]",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn no_text_sends_a_credential_in_clear_to_another_machine(
            scheme in select(&["http://", "HTTP://", "https://", ""][..]),
            pieces in vec(prop_oneof![
                9 => select(&PIECES[..]).prop_map(str::to_owned), 1 => ".{0,3}",
            ], 0..6),
        ) {
            let text = format!("{scheme}{}", pieces.concat());
            let Ok(uri) = check(&text, false) else { return Ok(()) };
            prop_assert!(!uri.authority().is_some_and(|it| it.as_str().contains('@')), "{uri}");
            let host = uri.host().unwrap_or_default().to_lowercase();
            let here = ["localhost", "[::1]"].contains(&host.as_str()) || host.starts_with("127.");
            prop_assert!(here || uri.scheme_str() == Some("https"), "{text:?}: {uri}");
        }
    }

    #[test]
    fn a_credential_goes_in_clear_only_to_this_machine() {
        for here in
            ["http://127.0.0.1:4882", "http://localhost:1", "http://[::1]:1", "127.0.0.1:4882"]
        {
            assert!(check(here, false).is_ok(), "{here}");
        }
        for other in [
            "http://desk.example.com:4882",
            "http://192.0.2.1:1",
            "0.0.0.0:4882",
            "http://localhost.example.com",
            "http://[2001:db8::1]:1",
        ] {
            assert!(matches!(check(other, false), Err(ClientError::ClearText(_))), "{other}");
            assert!(check(other, true).is_ok(), "{other}");
        }
        assert!(check("https://desk.example.com", false).is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in ["", "http://", "ftp://127.0.0.1", "http://a:b@127.0.0.1:1", "not an address"] {
            assert!(matches!(check(bad, true), Err(ClientError::Address(_))), "{bad}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "a shopping list").expect("written");
        let uri = check("https://127.0.0.1:1", false).expect("an address");
        let refused = endpoint(uri.clone(), Some(&file)).expect_err("no certificate");
        assert!(matches!(refused, ClientError::Certificate(..)), "{refused}");
        assert!(endpoint(uri, None).is_ok());
    }
}
