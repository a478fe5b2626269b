//! The command line and the environment, checked. The token comes from the environment or the
//! demo's file, never from an argument, where every user of the machine could read it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser;
use fusionchat_client::credential::Place;
use fusionchat_client::demo::{Demo, DemoError};
use fusionchat_client::resolve::{Flags, Surroundings};
use fusionchat_client::{ClientError, address};
use thiserror::Error;

/// The variables that say which daemon is meant and who asks.
const VARIABLES: [&str; 8] = [
    "FUSION_TOKEN",
    "FUSION_ENDPOINT",
    "FUSION_CONTEXT",
    "FUSION_CA_FILE",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "HOME",
    "PATH",
];

/// The Fusionchat agent console.
#[derive(Clone, Debug, Parser)]
#[command(name = "fusion-tui", version, about)]
#[command(
    after_help = "The credential is the context's (see `fusionctl auth login`), or FUSION_TOKEN. \
                  With --demo, address and credential come from the demo's file."
)]
pub struct Args {
    /// Open the running demo as USER (agent1, agent2 …).
    #[arg(long, value_name = "USER", num_args = 0..=1, default_missing_value = "agent1")]
    pub demo: Option<String>,
    /// The named way to a daemon [env FUSION_CONTEXT; default the current one].
    #[arg(short = 'c', long, value_name = "NAME", conflicts_with = "demo")]
    pub context: Option<String>,
    /// The daemon's gRPC address [env FUSION_ENDPOINT; default the context's].
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Trust these certificates, too (PEM) [env FUSION_CA_FILE].
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send the token over an unencrypted connection to another machine.
    #[arg(long)]
    pub insecure: bool,
}

/// What the console needs to start: an address, a credential, a place for drafts.
#[derive(Clone)]
pub struct Config {
    /// The daemon's gRPC address.
    pub endpoint: String,
    /// Certificates to trust besides the known ones.
    pub ca_file: Option<PathBuf>,
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
            .field("ca_file", &self.ca_file)
            .field("token", &"…")
            .field("state_home", &self.state_home)
            .field("colour", &self.colour)
            .finish()
    }
}

/// Why the console cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address, the context or the place of the credential.
    #[error(transparent)]
    Way(#[from] ClientError),
    /// No credential.
    #[error("nobody is signed in: run `fusionctl auth login`, set FUSION_TOKEN, or use --demo")]
    NoToken,
    /// A credential that no header can carry.
    #[error("the token has characters no token has")]
    Token,
    /// The demo's files.
    #[error(transparent)]
    Demo(#[from] DemoError),
}

impl Args {
    /// Checks what was given; `variable` reads the environment.
    ///
    /// # Errors
    /// When there is no usable address or token, or the token would leave this machine in clear.
    pub fn config(self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Config, StartError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let (endpoint, ca_file, token) = match &self.demo {
            Some(user) => {
                let demo = Demo::find(variable)?;
                let token = demo.credential(user)?.to_owned();
                (demo.grpc, None, token)
            }
            None => self.way(&set)?,
        };
        address::check(&endpoint, self.insecure)?;
        let state_home = crate::draft::state_home(variable);
        let token = token.trim().to_owned();
        let colour = set("NO_COLOR").is_none();
        Ok(Config { endpoint, ca_file, token, state_home, colour })
    }

    /// As `fusionctl` finds it: flag, environment, context, default.
    fn way(
        &self,
        set: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(String, Option<PathBuf>, String), StartError> {
        let known = VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), set(name)?)));
        let mut variables: BTreeMap<String, String> = known.collect();
        let flags = Flags {
            context: self.context.clone(),
            endpoint: self.endpoint.clone(),
            ca_file: self.ca_file.clone(),
        };
        let resolved = Surroundings { variables: &variables }.resolve(&flags)?;
        if let Some(Place::Variable(name)) = resolved.held.place()? {
            variables.extend(set(&name).map(|value| (name, value)));
        }
        let here = Surroundings { variables: &variables };
        let token = here.credential(&resolved)?.ok_or(StartError::NoToken)?;
        Ok((resolved.endpoint.value, resolved.ca_file.map(|it| it.value), token))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, ClientError, Config, StartError};

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
            assert!(
                matches!(refused, Err(StartError::Way(ClientError::ClearText(_)))),
                "{endpoint}"
            );
            assert!(config(&["--endpoint", endpoint, "--insecure"], Some("t")).is_ok());
        }
    }

    #[test]
    fn mistakes_are_named() {
        let endpoint = |url| config(&["--endpoint", url], Some("t"));
        assert!(endpoint("https://desk.example.com").is_ok());
        for bad in ["not an address", "ftp://x"] {
            assert!(matches!(endpoint(bad), Err(StartError::Way(ClientError::Address(_)))));
        }
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
