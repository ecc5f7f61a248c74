//! How long it takes from a start to the answer to `initialize`: `cargo bench --bench start`.
//!
//! Sixty starts in turn of a bare rmcp server (this file, as a child of its own), of Grantor with the
//! built-in rules, and of Grantor with a policy file, each with five vendors configured. Figures are
//! read as ratios to the bare server's, in one run.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark waits, prints, and fails loudly where it cannot run"
)]

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::Server;
use rmcp::{ServerHandler, ServiceExt as _};

const STARTS: usize = 60;
/// How long a server is left alone before it is said to be idle.
const IDLE: Duration = Duration::from_millis(200);
const POLICY: &str = include_str!("../policies/default.cedar");
/// Nobody is asked at these: a start sends nothing.
const VARIABLES: [(&str, &str); 14] = [
    ("OUTSYSTEMS_PORTAL_URL", "https://portal.example.com"),
    ("OUTSYSTEMS_CLIENT_ID", "id"),
    ("OUTSYSTEMS_CLIENT_SECRET", "secret"),
    ("DFNS_AUTH_TOKEN", "token"),
    ("DFNS_CREDENTIAL_ID", "cr-1"),
    ("DFNS_PRIVATE_KEY", "key"),
    ("REDOX_CLIENT_ID", "id"),
    ("REDOX_KEY_ID", "kid"),
    ("REDOX_PRIVATE_KEY", "key"),
    ("SNAPLOGIC_URL", "https://elastic.example.com"),
    ("SNAPLOGIC_TOKEN", "token"),
    ("CENTRASITE_BRIDGE_URL", "https://bridge.example.com"),
    ("CENTRASITE_USERNAME", "user"),
    ("CENTRASITE_PASSWORD", "password"),
];

struct Bare;

impl ServerHandler for Bare {}

fn main() {
    if std::env::args().any(|argument| argument == "--bare") {
        return bare();
    }
    let state = common::state();
    let policy = state.path().join("policy.cedar");
    std::fs::write(&policy, POLICY).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&policy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let with_file: Vec<_> =
        VARIABLES.into_iter().chain([("GRANTOR_POLICY", policy.to_str().unwrap())]).collect();
    let servers = [
        ("bare rmcp server", None),
        ("Grantor, built-in rules", Some(&VARIABLES[..])),
        ("Grantor, a policy file", Some(&with_file[..])),
    ];
    let start = |variables: Option<&[_]>| {
        Server::of(match variables {
            Some(variables) => common::command(state.path(), variables),
            None => own("--bare"),
        })
    };
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..STARTS {
        for ((_, variables), times) in servers.iter().zip(&mut times) {
            let begun = Instant::now();
            let server = start(*variables);
            times.push(begun.elapsed());
            server.finish();
        }
    }
    let [bare, ..] = times.each_ref().map(|times| median(times));
    for ((name, variables), times) in servers.into_iter().zip(&times) {
        let (median, server) = (median(times), start(variables));
        std::thread::sleep(IDLE);
        let (ratio, memory) = (median.div_duration_f64(bare), server.memory("VmRSS"));
        println!("{name:<26} {median:>9.2?}  {ratio:>5.2} of the bare one's   idle {memory}");
        server.finish();
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap()
}

/// This program, as something else.
fn own(argument: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_clear().arg(argument);
    command
}

/// Speaks the protocol, and does nothing else.
fn bare() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = Bare.serve(rmcp::transport::stdio()).await.unwrap();
        running.waiting().await.unwrap();
    });
}
