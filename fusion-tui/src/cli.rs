//! The command line and the environment, checked. The token comes from the environment or the
//! demo's file, never from an argument, where every user of the machine could read it.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;
use thiserror::Error;
use tonic::transport::Uri;

use crate::demo;

/// The daemon's gRPC address where nothing else is said.
pub const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:4882";

/// The Fusionchat agent console.
#[derive(Clone, Debug, Parser)]
#[command(name = "fusion-tui", version, about)]
#[command(after_help = "The token of a session or key is read from FUSION_TOKEN. With --demo, \
                  address and token come from the demo's file.")]
pub struct Args {
    /// Open the running demo as USER (agent1, agent2 …).
    #[arg(long, value_name = "USER", num_args = 0..=1, default_missing_value = "agent1")]
    pub demo: Option<String>,
    /// The daemon's gRPC address.
    #[arg(long, value_name = "URL", env = "FUSION_ENDPOINT", default_value = DEFAULT_ENDPOINT)]
    pub endpoint: String,
    /// Send the token over an unencrypted connection to another machine.
    #[arg(long)]
    pub insecure: bool,
}

/// What the console needs to start: an address, a credential, a place for drafts.
#[derive(Clone)]
pub struct Config {
    /// The daemon's gRPC address.
    pub endpoint: String,
    /// The bearer token. Secret.
    pub token: String,
    /// Where drafts are kept; without it they live as long as the console.
    pub state_home: Option<PathBuf>,
    /// False under NO_COLOR.
    pub colour: bool,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Config")
            .field("endpoint", &self.endpoint)
            .field("token", &"…")
            .field("state_home", &self.state_home)
            .field("colour", &self.colour)
            .finish()
    }
}

/// Why the console cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is not one.
    #[error("{0:?} is not an address such as {DEFAULT_ENDPOINT}")]
    Endpoint(String),
    /// An address that needs TLS.
    #[error("https is not spoken by this build: use http to this machine, or a tunnel to it")]
    Https,
    /// A clear-text connection to another machine.
    #[error(
        "{0} is another machine and the connection is not encrypted: pass --insecure to send the \
         token anyway"
    )]
    ClearText(String),
    /// No credential.
    #[error("no token: set FUSION_TOKEN to a session's or key's token, or use --demo")]
    NoToken,
    /// A credential that no header can carry.
    #[error("the token has characters no token has")]
    Token,
    /// The demo's files.
    #[error(transparent)]
    Demo(#[from] demo::DemoError),
}

impl Args {
    /// Checks what was given; `variable` reads the environment.
    ///
    /// # Errors
    /// When there is no usable address or token, or the token would leave this machine in clear.
    pub fn config(self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Config, StartError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let (endpoint, token) = match self.demo {
            Some(user) => {
                let demo = demo::read(variable)?;
                let token = demo.token(&user)?;
                (demo.grpc, token)
            }
            None => (self.endpoint, set("FUSION_TOKEN").ok_or(StartError::NoToken)?),
        };
        check_endpoint(&endpoint, self.insecure)?;
        let state_home = crate::draft::state_home(variable);
        let token = token.trim().to_owned();
        Ok(Config { endpoint, token, state_home, colour: set("NO_COLOR").is_none() })
    }
}

fn check_endpoint(endpoint: &str, insecure: bool) -> Result<(), StartError> {
    let wrong = || StartError::Endpoint(endpoint.to_owned());
    let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(StartError::Https),
        Some(_) | None => return Err(wrong()),
    }
    let host = uri.host().ok_or_else(wrong)?;
    if insecure || is_loopback(host) {
        return Ok(());
    }
    Err(StartError::ClearText(host.to_owned()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, Config, StartError};

    fn config(arguments: &[&str], token: Option<&str>) -> Result<Config, StartError> {
        let all = std::iter::once("fusion-tui").chain(arguments.iter().copied());
        let args = Args::try_parse_from(all).unwrap();
        args.config(&|name| match name {
            "FUSION_TOKEN" => token.map(str::to_owned),
            _ => None,
        })
    }

    #[test]
    fn the_token_stays_on_this_machine() {
        for endpoint in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
            assert!(config(&["--endpoint", endpoint], Some("t")).is_ok(), "{endpoint}");
        }
        for endpoint in ["http://10.0.0.1:1", "http://localhost.example.com:1"] {
            let refused = config(&["--endpoint", endpoint], Some("t"));
            assert!(matches!(refused, Err(StartError::ClearText(_))), "{endpoint}");
            assert!(config(&["--endpoint", endpoint, "--insecure"], Some("t")).is_ok());
        }
    }

    #[test]
    fn mistakes_are_named() {
        let endpoint = |url| config(&["--endpoint", url], Some("t"));
        assert!(matches!(endpoint("https://desk.example.com"), Err(StartError::Https)));
        assert!(matches!(endpoint("nonsense"), Err(StartError::Endpoint(_))));
        assert!(matches!(endpoint("ftp://x"), Err(StartError::Endpoint(_))));
        assert!(matches!(config(&[], None), Err(StartError::NoToken)));
        assert!(matches!(config(&[], Some("")), Err(StartError::NoToken)));
    }

    #[test]
    fn the_token_is_not_printed() {
        let config = config(&[], Some("fus_live_secret")).unwrap();
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn demo_takes_a_user_or_none() {
        let demo = |arguments: &[&str]| {
            let all = std::iter::once("fusion-tui").chain(arguments.iter().copied());
            Args::try_parse_from(all).unwrap().demo
        };
        assert_eq!(demo(&[]), None);
        assert_eq!(demo(&["--demo"]).as_deref(), Some("agent1"));
        assert_eq!(demo(&["--demo", "agent2"]).as_deref(), Some("agent2"));
    }
}
