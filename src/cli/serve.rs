use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::setup::{self, Setup};
use super::{Global, Ran, boxed, paint};
use crate::config::{Config, Http};
use crate::desk::Desk;
use crate::guard::Guard;
use crate::identity::{ClaimNames, IssuerSettings, LoginSettings, ScopeNames};
use crate::page::PageUrls;
use crate::sandbox::Issuer;
use crate::server::{HttpOptions, serve_http, serve_stdio};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What bearers of a sandbox are for.
const AUDIENCE: &str = "grantor-sandbox";
/// The rules of a sandbox, and the issuer that they name.
const EXAMPLE: &str = include_str!("../../policies/examples/approvers.cedar");
const EXAMPLE_NAME: &str = "policies/examples/approvers.cedar";
const EXAMPLES_ISSUER: &str = "https://id.example.com/realms/company";
/// As whom a sandbox's page is known to its issuer.
const CLIENT: &str = "grantor-sandbox-inbox";

#[derive(Args, Debug, Default, PartialEq)]
pub(super) struct Arguments {
    /// Serve over HTTP there, to callers with tokens of the issuers that the configuration names
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    http: Option<SocketAddr>,
    /// The certificate chain for TLS, in PEM form
    #[arg(long, value_name = "FILE", requires = "http", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM form
    #[arg(long, value_name = "FILE", requires = "http", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy in front of it has TLS, and passes the host on
    #[arg(long, requires = "http", conflicts_with = "tls_cert")]
    behind_proxy: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give an address and a port, such as 127.0.0.1:8080".to_owned())
}

impl Arguments {
    /// Whether a client that starts it can speak with it.
    pub(super) fn is_over_stdio(&self) -> bool {
        self.http.is_none()
    }
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    match arguments.http {
        Some(address) => boxed(|| over_http(global, address, arguments)).await,
        None => boxed(|| over_stdio(global)).await,
    }
}

async fn over_stdio(global: &Global) -> Ran {
    let setup = Setup::load(global).await?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    let desk = Desk::new(config)?;
    let busy = CancellationToken::new();
    let told = setup::warn_of_policy_after(&desk, busy.clone());
    if std::io::stdin().is_terminal() {
        paint::note(
            "serving MCP on stdin and stdout, as a client starts it; Ctrl-D ends it, and \
             `grantor --help` says what else there is",
        );
    }
    let served = serve_stdio(desk, busy.drop_guard()).await;
    told.await?;
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn over_http(global: &Global, address: SocketAddr, arguments: Arguments) -> Ran {
    let mut setup = Setup::load(global).await?;
    let issuer = match global.sandbox {
        true => Some(of_sandbox(&mut setup.config, address).await?),
        false => None,
    };
    setup.config = setup.config.for_several()?;
    setup.warn();
    let Setup { config, sandbox: _sandbox } = setup;
    let rules = issuer.as_ref().filter(|_| config.policy.is_none()).map(Issuer::url);
    let desk = match rules {
        Some(url) => of_example(config, url)?,
        None => Desk::new(config)?,
    };
    setup::warn_of_policy(&desk);
    let tls = arguments.tls_cert.zip(arguments.tls_key);
    let options = HttpOptions { address, tls, behind_proxy: arguments.behind_proxy };
    serve_http(desk, &options, |address, url| {
        paint::note(&format!("serving MCP over HTTP at {address}; clients find it at {url}"));
        if let Some(issuer) = &issuer {
            if let Ok(place) = PageUrls::beside(url) {
                let page = place.home();
                paint::note(&format!(
                    "open {page} in a browser: log in as alex, who asks, or as marta, who approves"
                ));
            }
            show_bearers(issuer, url);
        }
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

/// A sandbox trusts an issuer of its own and no other.
async fn of_sandbox(config: &mut Config, address: SocketAddr) -> Result<Issuer, Error> {
    if !address.ip().is_loopback() {
        let why = "a sandbox gives bearers to whoever asks, so it is served to this machine alone";
        return Err(format!("{address}: {why}, such as at 127.0.0.1:8080").into());
    }
    let issuer = Issuer::start(AUDIENCE).await?;
    let trusted = IssuerSettings {
        name: "sandbox".to_owned(),
        issuer: issuer.url().to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        jwks: None,
        claims: ClaimNames { groups: Some("groups".to_owned()), ..ClaimNames::default() },
        scopes: ScopeNames::default(),
        login: Some(LoginSettings::new(CLIENT.to_owned())),
    };
    let limits = config.http.limits;
    config.http = Http { issuers: vec![trusted], limits, ..Http::default() };
    Ok(issuer)
}

/// A sandbox has rules of its own where none are given: those of the example, for its own issuer. By the built-in ones
/// nobody approves over HTTP, and there would be nothing to see.
fn of_example(config: Config, issuer: &str) -> Result<Desk, Error> {
    let text = EXAMPLE.replace(EXAMPLES_ISSUER, issuer);
    let guard = Guard::compile(EXAMPLE_NAME, &text, config.read_only)?;
    paint::note(&format!(
        "without --policy this sandbox goes by {EXAMPLE_NAME}: marta and tomas approve what others ask for, grace sees \
         it, and nobody else's yes counts"
    ));
    let guard = guard.declaring(config.declared.clone());
    Ok(Desk::with(config, guard))
}

/// Says how to get a bearer and what to do with it.
fn show_bearers(issuer: &Issuer, url: &str) {
    let token = format!("{}/token", issuer.url());
    let people: Vec<_> =
        Issuer::people().map(|(name, scope)| format!("{token}?who={name} ({scope})")).collect();
    paint::note(&format!("bearers, good for an hour: {}", people.join(", ")));
    let headers =
        "-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'";
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"grant_asset_role","arguments":{"userKey":"user@example.com","roleKey":"Tester","assetKeys":["Orders"],"expires_in":"PT8H"}}}"#;
    paint::note(&format!(
        "try: curl -s {url} -H \"Authorization: Bearer $(curl -s '{token}?who=alex')\" {headers} -d '{message}'"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{APPROVERS, READERS};

    /// Whoever approves and sees in a sandbox is whom its rules name.
    #[test]
    fn the_example_names_the_groups_of_the_sandbox() {
        for group in [APPROVERS, READERS] {
            let named = format!("principal in Group::\"{EXAMPLES_ISSUER}#{group}\"");
            assert!(EXAMPLE.contains(&named), "{named}");
        }
    }
}
