//! Five stateful fake vendors on loopback, for tests, for `demo` and for `--sandbox`.
//!
//! They are written from the vendors' documents and know nothing of the tools that call them. They check what
//! the vendors check (tokens, signatures, bodies, limits) and have the vendors' traps. Where the documents
//! leave something open, [`Modes`] chooses. What a request changes is in one file ([`Options::state`]), which
//! several processes may share; credentials are made at the first start and kept beside it.

mod centrasite;
mod dfns;
mod faults;
mod issuer;
mod journal;
mod keys;
mod message;
mod modes;
mod outsystems;
mod people;
mod redox;
mod serve;
mod snaplogic;
mod state;
pub mod story;
mod unsaid;

#[cfg(test)]
mod client;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use self::faults::{Fault, FaultKind};
pub use self::issuer::{APPROVERS, Issuer, READERS};
pub use self::journal::Seen;
pub use self::keys::KeyKind;
pub use self::modes::{
    Area, Claims, DfnsFields, DfnsGroups, Errors, Idle, Inherits, Modes, OtherRole, Pages,
    SecondGrant, SnapLogicAcl, SnapLogicPost, Told,
};

use self::centrasite::CentraSite;
use self::dfns::Dfns;
use self::keys::{Keys, Pem};
use self::outsystems::OutSystems;
use self::redox::Redox;
use self::serve::{Fake, Office, Site};
use self::snaplogic::SnapLogic;
use self::state::Store;

/// How to start a [`Sandbox`].
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The directory that keeps state and credentials; without one they end with the sandbox.
    pub state: Option<PathBuf>,
    pub modes: Modes,
    /// The first of five consecutive ports; without one, or with 0, whichever are free.
    pub port: Option<u16>,
}

/// Five fake vendors, until dropped.
pub struct Sandbox {
    office: Arc<Office>,
    keys: Keys,
    modes: Modes,
    vendors: Vec<(&'static str, String)>,
    listening: Vec<AbortHandle>,
}

/// In the order of their ports.
const VENDORS: [&str; 5] = ["outsystems", "dfns", "redox", "snaplogic", "centrasite"];

impl Sandbox {
    /// Five listeners on 127.0.0.1, answering when this returns.
    pub async fn start(options: Options) -> io::Result<Sandbox> {
        let Options { state, modes, port } = options;
        let port = port.filter(|&first| first != 0);
        let (kind, lag) = (modes.dfns_key, modes.reads_lag);
        // Making an RSA key, or waiting for another process that does, takes long.
        let opened = tokio::task::spawn_blocking(move || open(state, kind, lag));
        let (store, keys) = opened.await.map_err(io::Error::other).flatten()?;
        if modes.crowd {
            store.change(|world| world.outsystems.extend(outsystems::crowd()))?;
        }
        let mut sandbox = Sandbox {
            office: Arc::new(Office {
                store,
                journal: Default::default(),
                faults: Default::default(),
            }),
            keys,
            modes,
            vendors: Vec::new(),
            listening: Vec::new(),
        };
        for (vendor, offset) in VENDORS.into_iter().zip(0..) {
            let port = port.map_or(Some(0), |first| first.checked_add(offset));
            let port = port.ok_or_else(|| io::Error::other("no five ports from there on"))?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            sandbox.listen(vendor, listener)?;
        }
        Ok(sandbox)
    }

    /// What a client process needs to use these vendors: their addresses and its credentials.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let secrets = &self.keys.secrets;
        vec![
            ("OUTSYSTEMS_PORTAL_URL", self.url("outsystems")),
            ("OUTSYSTEMS_CLIENT_ID", outsystems::CLIENT_ID.into()),
            ("OUTSYSTEMS_CLIENT_SECRET", secrets.outsystems.clone()),
            ("DFNS_API_URL", self.url("dfns")),
            ("DFNS_AUTH_TOKEN", dfns::auth_token(secrets)),
            ("DFNS_CREDENTIAL_ID", dfns::CREDENTIAL_ID.into()),
            key_variable(&self.keys.dfns.pem, "DFNS_PRIVATE_KEY", "DFNS_PRIVATE_KEY_FILE"),
            ("REDOX_API_URL", self.url("redox")),
            ("REDOX_CLIENT_ID", redox::CLIENT_ID.into()),
            ("REDOX_KEY_ID", redox::KEY_ID.into()),
            key_variable(&self.keys.redox.pem, "REDOX_PRIVATE_KEY", "REDOX_PRIVATE_KEY_FILE"),
            ("REDOX_ORGANIZATION_ID", redox::ORGANIZATION_ID.into()),
            ("SNAPLOGIC_URL", self.url("snaplogic")),
            ("SNAPLOGIC_USERNAME", people::GRANTOR.email.into()),
            ("SNAPLOGIC_PASSWORD", secrets.snaplogic.clone()),
            ("SNAPLOGIC_ORG", snaplogic::ORG.into()),
            ("CENTRASITE_BRIDGE_URL", self.url("centrasite")),
            ("CENTRASITE_USERNAME", people::GRANTOR.centrasite.into()),
            ("CENTRASITE_PASSWORD", secrets.centrasite.clone()),
        ]
    }

    /// Each vendor and its base URL.
    pub fn vendors(&self) -> Vec<(&'static str, String)> {
        self.vendors.clone()
    }

    /// Who has what now, by vendor, whatever a read shows yet. What another process changed counts from when this one
    /// first sees it.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn now(&self) -> io::Result<serde_json::Value> {
        self.office.store.now().map_err(io::Error::other)
    }

    /// From now on a look shows what was changed until now, however long reads lag.
    pub fn catch_up(&self) {
        self.office.store.catch_up();
    }

    /// Every request received, in order (the last ten thousand).
    pub fn journal(&self) -> Vec<Seen> {
        self.office.journal.read()
    }

    /// How many requests the fakes have received: the journal keeps only the last of many.
    pub fn received(&self) -> usize {
        self.office.journal.received()
    }

    /// The next request that matches gets this fault, once.
    pub fn inject(&self, fault: Fault) {
        self.office.faults.add(fault);
    }

    /// Nothing goes wrong any more.
    pub fn calm(&self) {
        self.office.faults.clear();
    }

    /// Back to how the company was at first. Credentials stay.
    pub fn reset(&self) -> io::Result<()> {
        self.office.store.reset()
    }

    /// Decides a pending Dfns approval as its approvers would.
    pub fn decide_approval(&self, approval_id: &str, approve: bool) -> io::Result<()> {
        let fails = self.modes.dfns_approved_fails;
        let decided = self
            .office
            .store
            .change(|world| dfns::decide(&mut world.dfns, approval_id, approve, fails))?;
        decided.ok_or_else(|| {
            let message = format!("no approval {approval_id} is pending");
            io::Error::new(io::ErrorKind::NotFound, message)
        })
    }

    /// A JWT that SnapLogic accepts on its public API instead of the password.
    pub fn snaplogic_token(&self) -> String {
        snaplogic::token(&self.keys.secrets, &self.modes)
    }

    fn listen(&mut self, vendor: &'static str, listener: TcpListener) -> io::Result<()> {
        let url = format!("http://{}", listener.local_addr()?);
        let (keys, modes) = (&self.keys, &self.modes);
        let fake: Arc<dyn Fake> = match vendor {
            "outsystems" => Arc::new(OutSystems::new(&url, keys, modes)),
            "dfns" => Arc::new(Dfns::new(keys, modes)),
            "redox" => Arc::new(Redox::new(&url, keys, modes)),
            "snaplogic" => Arc::new(SnapLogic::new(keys, modes)),
            "centrasite" => Arc::new(CentraSite::new(keys, modes)),
            other => return Err(io::Error::other(format!("there is no fake of {other}"))),
        };
        let site = Site { vendor, fake, office: self.office.clone(), errors: modes.errors };
        let task = tokio::spawn(serve::serve(listener, site));
        self.listening.push(task.abort_handle());
        self.vendors.push((vendor, url));
        Ok(())
    }

    fn url(&self, vendor: &str) -> String {
        let mut vendors = self.vendors.iter();
        let found = vendors.find(|(name, _)| *name == vendor);
        found.map(|(_, url)| url.clone()).unwrap_or_default()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for task in &self.listening {
            task.abort();
        }
    }
}

fn open(state: Option<PathBuf>, kind: KeyKind, lag: Duration) -> io::Result<(Store, Keys)> {
    // The client may run elsewhere, and is told where its keys are.
    let directory = state.map(std::path::absolute).transpose()?;
    let directory = directory.as_deref();
    let opened = || {
        directory.map(crate::owner_only::directory).transpose()?;
        let store = Store::open(directory, lag)?;
        let keys = store.alone(|| Keys::open(directory, kind))?;
        Ok((store, keys))
    };
    opened().map_err(|error| match directory {
        Some(directory) => crate::owner_only::describe(directory, &error),
        None => error,
    })
}

fn key_variable(pem: &Pem, inline: &'static str, file: &'static str) -> (&'static str, String) {
    match pem {
        Pem::Inline(text) => (inline, text.clone()),
        Pem::File(path) => (file, path.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::{Value, json};

    use super::client::{Answer, Client, Request, start};
    use super::*;

    const FINANCE: &str = "/api/1/rest/public/assetapi/acl/Harbor/Finance";

    fn own<'a>(client: &'a Client, method: &str) -> Request<'a> {
        let request = client.request("snaplogic", method, FINANCE);
        request.own_basic("SNAPLOGIC")
    }

    fn grant(client: &Client) -> Request<'_> {
        let body = json!({
            "grant_type": "USER",
            "grantee": people::SAM.email,
            "permission_list": ["R"],
        });
        own(client, "POST").json(&body)
    }

    async fn has_access(client: &Client) -> bool {
        let answer: Answer = own(client, "GET").send().await;
        let subjects = answer.each("/success/acl", "/subject");
        subjects.contains(&Value::from(people::SAM.email))
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault { vendor: "snaplogic", method: "POST", path_contains: "/assetapi/acl/".into(), kind }
    }

    async fn shared(directory: &std::path::Path) -> (Sandbox, Client) {
        let options = Options { state: Some(directory.to_owned()), ..Options::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = Client::new(&sandbox);
        (sandbox, client)
    }

    #[tokio::test]
    async fn each_fault_happens_once() {
        let brief = Duration::from_millis(50);
        let unavailable = FaultKind::Status {
            status: 503,
            headers: vec![("retry-after", "1".into())],
            body: "busy".into(),
        };
        for (kind, replied, applied, status) in [
            (unavailable, Some(503), false, 503),
            (FaultKind::DropBefore, None, false, 0),
            (FaultKind::DropAfter, None, true, 0),
            (FaultKind::Stall(brief), None, false, 0),
            (FaultKind::StallAfter(brief), None, true, 0),
            (FaultKind::Truncate, None, true, 200),
            (FaultKind::Garble, Some(200), true, 200),
        ] {
            let (sandbox, client) = start(Modes::default()).await;
            sandbox.inject(fault(kind.clone()));
            assert!(!has_access(&client).await, "a GET is no POST");
            let before = Instant::now();
            let answer = grant(&client).attempt().await;
            let silent = matches!(kind, FaultKind::Stall(_) | FaultKind::StallAfter(_));
            assert!(!silent || before.elapsed() >= brief);
            assert_eq!(answer.as_ref().ok().map(|answer| answer.status), replied, "{kind:?}");
            if let (FaultKind::Garble, Ok(answer)) = (&kind, &answer) {
                assert_eq!(answer.body, "<html>");
            }
            assert_eq!(has_access(&client).await, applied, "{kind:?}");
            let journal = sandbox.journal();
            let seen = journal.iter().find(|seen| seen.method == "POST").unwrap();
            assert_eq!(seen.status, status, "{kind:?}");
            assert_eq!(grant(&client).send().await.status, 200, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_reply_starts_before_it_ends() {
        let (sandbox, client) = start(Modes::default()).await;
        sandbox.inject(Fault { method: "GET", ..fault(FaultKind::Truncate) });
        let error = own(&client, "GET").attempt().await.unwrap_err();
        assert!(error.is_body() || error.is_decode(), "{error:?}");
    }

    #[tokio::test]
    async fn the_journal_has_what_was_sent() {
        let (sandbox, client) = start(Modes::default()).await;
        let path = "/assets/uddi%3Aa%2Fb/permissions?x=1%202";
        client.request("centrasite", "GET", path).send().await;
        grant(&client).send().await;
        let journal = sandbox.journal();
        let [first, second] = journal.as_slice() else { panic!("{journal:?}") };
        assert_eq!((first.vendor, first.status), ("centrasite", 401));
        assert_eq!(first.path, "/assets/uddi%3Aa%2Fb/permissions");
        assert_eq!(first.query, "x=1%202");
        assert_eq!((second.method.as_str(), second.status), ("POST", 200));
        assert!(second.body.starts_with(b"{\"grant_type\""));
        let mut names = second.headers.iter().map(|(name, _)| name.as_str());
        assert!(names.any(|name| name == "authorization"));
    }

    #[tokio::test]
    async fn state_outlives_a_sandbox() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("state").join("sandbox");
        let (first, client) = shared(&directory).await;
        let environment = first.environment();
        grant(&client).send().await;
        drop((first, client));
        let (second, client) = shared(&directory).await;
        assert!(has_access(&client).await);
        for name in ["DFNS_AUTH_TOKEN", "DFNS_PRIVATE_KEY_FILE", "SNAPLOGIC_PASSWORD"] {
            let before = environment.iter().find(|(key, _)| *key == name).unwrap();
            assert_eq!(before.1, client.variable(name), "{name}");
        }
        second.reset().unwrap();
        assert!(!has_access(&client).await);
        #[cfg(unix)]
        for (path, expected) in [
            (directory.clone(), 0o700),
            (directory.join("state.json"), 0o600),
            (directory.join("state.lock"), 0o600),
        ] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, expected, "{path:?}");
        }
    }

    #[tokio::test]
    async fn two_sandboxes_share_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let (_first, one) = shared(directory.path()).await;
        let (_second, other) = shared(directory.path()).await;
        for _ in 0..20 {
            grant(&one).send().await;
            assert!(has_access(&other).await);
            let gone = format!("{FINANCE}?grant_type=USER&grantee={}", people::SAM.email);
            let request = other.request("snaplogic", "DELETE", &gone);
            request.own_basic("SNAPLOGIC").send().await;
            assert!(!has_access(&one).await);
        }
        let rivals = [&one, &other].map(|client| async move {
            for person in &people::PEOPLE {
                let body = json!({
                    "grant_type": "USER",
                    "grantee": person.email,
                    "permission_list": ["R"],
                });
                let answer = own(client, "POST").json(&body).send().await;
                assert_eq!(answer.status, 200);
            }
        });
        let [first, second] = rivals;
        tokio::join!(first, second);
        let answer = own(&one, "GET").send().await;
        assert_eq!(answer.each("/success/acl", "/subject").len(), 12);
    }

    #[tokio::test]
    async fn ports_follow_one_another_and_are_free_afterwards() {
        // Below the ports that systems hand out, and not those of a test run at the same time.
        let offset = u16::try_from(std::process::id() % 2000).unwrap() * 5;
        let first = 20_000 + offset;
        let options = Options { port: Some(first), ..Options::default() };
        let sandbox = Sandbox::start(options.clone()).await.unwrap();
        for ((_, url), port) in sandbox.vendors().into_iter().zip(first..) {
            assert_eq!(url, format!("http://127.0.0.1:{port}"));
        }
        drop(sandbox);
        tokio::time::sleep(Duration::from_millis(20)).await;
        Sandbox::start(options).await.unwrap();
    }
}
