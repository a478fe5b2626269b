//! The spelling of names, e-mails, origins and locales.

use super::rejection::Rejection;

/// The longest name of an organization or inbox, in characters (RFC 1035's label).
pub const SLUG_CHARS_MAX: usize = 63;
/// The longest shown name, in characters.
pub const NAME_CHARS_MAX: usize = 80;
/// The longest e-mail address, in bytes (RFC 5321).
pub const EMAIL_BYTES_MAX: usize = 254;
/// The most origins of an inbox.
pub const ORIGINS_MAX: usize = 64;

fn invalid(code: &'static str, detail: String) -> Rejection {
    Rejection::Invalid { code, detail }
}

/// A name of an organization or inbox: lower-case letters, digits and inner hyphens.
pub fn slug(text: &str) -> Result<String, Rejection> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = !text.is_empty()
        && text.len() <= SLUG_CHARS_MAX
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(invalid(
            "bad_name",
            "a name is 1 to 63 lower-case letters, digits and inner hyphens".to_owned(),
        ))
    }
}

/// A name to show: one line, no control characters.
pub fn shown(text: &str) -> Result<String, Rejection> {
    let text = text.trim();
    if text.is_empty()
        || text.chars().count() > NAME_CHARS_MAX
        || text.chars().any(char::is_control)
    {
        return Err(invalid("bad_name", "a name is one line of 1 to 80 characters".to_owned()));
    }
    Ok(text.to_owned())
}

/// An e-mail address, in lower case.
pub fn email(text: &str) -> Result<String, Rejection> {
    let text = text.trim().to_lowercase();
    let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let parts = text.split('@').collect::<Vec<_>>();
    let shaped = parts.len() == 2 && parts.iter().all(|part| !part.is_empty());
    if plain && shaped && text.len() <= EMAIL_BYTES_MAX {
        Ok(text)
    } else {
        Err(invalid("bad_email", "an e-mail address looks like name@example.com".to_owned()))
    }
}

/// The name to show for an address until there is a better one: the part before the `@`.
pub fn of_email(email: &str) -> String {
    let (local, _) = email.split_once('@').unwrap_or((email, ""));
    local.trim().chars().take(NAME_CHARS_MAX).collect()
}

/// An exact origin as browsers write it: scheme, host and a port that is not the scheme's own.
pub fn origin(text: &str) -> Result<String, Rejection> {
    let bad = || {
        invalid(
            "bad_origin",
            "an origin looks like https://shop.example.com, without a path".to_owned(),
        )
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (rest, None),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._[]:".contains(c);
    let port_good = port.is_none_or(|port| {
        port.parse::<u16>().is_ok_and(|n| {
            n.to_string() == port && !matches!((scheme, n), ("http", 80) | ("https", 443))
        })
    });
    let good = matches!(scheme, "http" | "https")
        && !host.is_empty()
        && host.len() <= 253
        && host.chars().all(plain)
        && port_good;
    if good { Ok(text.to_owned()) } else { Err(bad()) }
}

/// A language tag: letters, digits and hyphens, at most 35 characters (BCP 47, RFC 5646 §4.4.1).
pub fn locale(text: &str) -> Result<String, Rejection> {
    let good = !text.is_empty()
        && text.len() <= 35
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(invalid("bad_locale", "a locale looks like en or pt-BR".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
        for good in ["https://shop.example.com", "http://localhost:4881", "http://[::1]:8080"] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "shop.example.com",
            "https://shop.example.com/",
            "https://Shop.example.com",
            "https://shop.example.com:443",
            "ftp://a",
            "https://*",
            "https://a:99999",
            "https://a:080",
        ] {
            assert!(origin(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn slugs_and_emails() {
        assert!(slug("acme-2").is_ok());
        for bad in ["", "-a", "a-", "A", "a b", &"a".repeat(64)] {
            assert!(slug(bad).is_err(), "{bad:?}");
        }
        assert_eq!(email(" User@Example.com ").as_deref(), Ok("user@example.com"));
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c"] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }
}

#[cfg(test)]
#[path = "name_prop_test.rs"]
mod prop;
