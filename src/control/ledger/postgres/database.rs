//! Connections to the database: made when they are needed, over TLS where they leave this machine, and
//! given up when an answer does not come.

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::Severity;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Connection as Driver, Error, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::failure::{Failure, Kind};
use crate::secret::{Secret, expose};

/// How long an answer may take. A commit that waits longer is no yes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// For how long a try that failed speaks for others.
const AT_ONCE: Duration = Duration::from_secs(1);
const NAME: &str = "grantor";
/// What the codes of an end from the other side begin with: a shutdown, a session that is over.
const ENDING: &str = "57P";
const ROOT_CERTIFICATE: &str = "sslrootcert=";
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// Where the database is, and the connection that lookers share.
pub(super) struct Database {
    url: Secret,
    shared: tokio::sync::Mutex<Option<Arc<Connection>>>,
    /// Why the last try to connect came to nothing, and when.
    failed: Mutex<Option<(Instant, String)>>,
}

/// A connection; whatever is under way on it ends when it is dropped.
pub(super) struct Connection {
    pub client: Client,
    warnings: Arc<Mutex<Vec<String>>>,
    driver: AbortHandle,
}

/// Why the database did not do what it was asked to.
#[derive(Debug)]
pub(super) struct Trouble {
    pub said: String,
    /// Whether it answered, and what it was asked to do was not done.
    pub is_refusal: bool,
}

/// Where to connect to, and whom to believe there.
struct Address {
    config: Config,
    roots: Option<PathBuf>,
}

impl Database {
    pub(super) fn new(url: Secret) -> Self {
        Self { url, shared: tokio::sync::Mutex::default(), failed: Mutex::default() }
    }

    /// The connection for single statements, which may be used by several at the same time.
    pub(super) async fn shared(&self) -> Result<Arc<Connection>, Trouble> {
        let mut shared = self.shared.lock().await;
        if let Some(open) = shared.as_ref().filter(|open| !open.client.is_closed()) {
            return Ok(open.clone());
        }
        let open = Arc::new(self.connect().await?);
        open.is_fit().await?;
        Ok(shared.insert(open).clone())
    }

    /// Gives the shared connection up, where it is still this one.
    pub(super) async fn give_up(&self, failed: &Arc<Connection>) {
        let mut shared = self.shared.lock().await;
        if shared.as_ref().is_some_and(|open| Arc::ptr_eq(open, failed)) {
            *shared = None;
        }
    }

    /// A connection of one's own. Those who ask just after one could not be made are told so at once: each would
    /// wait as long again, one after the other.
    pub(super) async fn connect(&self) -> Result<Connection, Trouble> {
        if let Some((when, said)) = &*self.failed()
            && when.elapsed() < AT_ONCE
        {
            return Err(Trouble::own(said.clone()));
        }
        let connected = self.tried().await;
        *self.failed() = match &connected {
            Ok(_) => None,
            Err(trouble) => Some((Instant::now(), trouble.said.clone())),
        };
        connected
    }

    fn failed(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tried(&self) -> Result<Connection, Trouble> {
        let url = self.url.read().await.map_err(|error| Trouble::own(error.to_string()))?;
        let connected = async {
            let address = Address::parse(expose(&url))
                .map_err(|trouble| Trouble::own(format!("{}: {trouble}", self.url.name())))?;
            address.connect().await
        };
        let connected = within(connected).await;
        if connected.is_err() {
            // A file or a command may say another by now.
            self.url.forget().await;
        }
        connected
    }

    /// One statement on the shared connection; asked again where the connection was gone.
    pub(super) async fn ask(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Trouble> {
        let mut was_gone = false;
        loop {
            let open = self.shared().await?;
            let asked = within(async { Ok(open.client.query_typed(statement, parameters).await?) });
            match asked.await {
                Err(trouble) if !trouble.is_refusal => {
                    let is_gone = open.client.is_closed();
                    self.give_up(&open).await;
                    if was_gone || !is_gone {
                        return Err(trouble);
                    }
                    was_gone = true;
                }
                answer => return answer,
            }
        }
    }

    /// The host and the database, for a person.
    pub(super) async fn place(&self) -> String {
        let Ok(url) = self.url.read().await else { return self.url.name().to_owned() };
        Address::parse(expose(&url))
            .map_or_else(|_| self.url.name().to_owned(), |address| address.place())
    }
}

impl Connection {
    /// What the database warned of since this was asked last.
    pub(super) fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn driven<S, T>(client: Client, mut driver: Driver<S, T>) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let warnings = Arc::<Mutex<Vec<String>>>::default();
        let heard = warnings.clone();
        // A warning is kept before the answer that follows it is given to whoever waits.
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| driver.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message
                    // The word for it is in the database's language.
                    && notice.parsed_severity() == Some(Severity::Warning)
                {
                    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.push(notice.message().to_owned());
                }
            }
        });
        Self { client, warnings, driver: task.abort_handle() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Trouble {
    pub(super) fn own(said: impl Into<String>) -> Self {
        Self { said: said.into(), is_refusal: false }
    }

    pub(super) fn refusal(said: impl Into<String>) -> Self {
        Self { said: said.into(), is_refusal: true }
    }

    fn of(error: &Error) -> Self {
        if let Some(told) = error.as_db_error() {
            let code = told.code().code();
            let said = format!("{} ({code})", told.message());
            // It ends the connection with that, and takes new ones perhaps.
            return Self { said, is_refusal: !code.starts_with(ENDING) };
        }
        let mut said = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            said = format!("{said}: {cause}");
            source = cause.source();
        }
        Self { said, is_refusal: false }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::new(Kind::Unavailable, format!("the ledger's database: {}", trouble.said))
            .hint("see to the database, and to its address in GRANTOR_STORE_URL or url in [store]")
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

/// What comes of it, unless it takes too long.
pub(super) async fn within<T>(
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    within_time(PATIENCE, work).await
}

/// The same, unless it takes longer than that.
pub(super) async fn within_time<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let done = tokio::time::timeout(time, work).await;
    done.unwrap_or_else(|_| {
        Err(Trouble::own(format!("no answer within {} seconds", time.as_secs())))
    })
}

impl Address {
    fn parse(url: &str) -> Result<Self, String> {
        let wrong = "it is no address of a PostgreSQL database, as \
                     postgres://USER:PASSWORD@HOST/DATABASE";
        let url = url.trim();
        if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(wrong.to_owned());
        }
        let (url, roots) = without_roots(url);
        // What does not parse may hold the password, and so may what the parser says of it.
        let mut config: Config = url.parse().map_err(|_: Error| wrong.to_owned())?;
        // An old primary or a standby would show what was.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(PATIENCE).application_name(NAME);
        config.keepalives_idle(PATIENCE);
        if config.get_hosts().is_empty() {
            return Err(format!("{wrong}: it names no host"));
        }
        let is_local = config.get_hosts().iter().all(is_local)
            && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        if !is_local && config.get_ssl_mode() == SslMode::Disable {
            return Err("it leaves this machine without TLS: leave sslmode=disable out".to_owned());
        }
        if !is_local || roots.is_some() {
            config.ssl_mode(SslMode::Require);
        }
        Ok(Self { config, roots: roots.map(PathBuf::from) })
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        if self.config.get_ssl_mode() != SslMode::Require {
            let (client, driver) = self.config.connect(NoTls).await?;
            return Ok(Connection::driven(client, driver));
        }
        let tls = self.tls().map_err(Trouble::own)?;
        let (client, driver) = self.config.connect(tls).await?;
        Ok(Connection::driven(client, driver))
    }

    /// The certificates of the file that is named count alone; without one, those of the machine do.
    fn tls(&self) -> Result<MakeRustlsConnect, String> {
        let mut roots = RootCertStore::empty();
        let certificates: Vec<_> = match &self.roots {
            Some(path) => {
                let shown = path.display();
                let bytes =
                    crate::input::read(path).map_err(|error| format!("{shown}: {error}"))?;
                CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect()
            }
            None => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            let of = self
                .roots
                .as_ref()
                .map_or_else(|| "this machine".to_owned(), |path| path.display().to_string());
            return Err(format!("{of} has no certificate to believe the database by"));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    fn place(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let hosts: Vec<_> = (0..)
            .zip(self.config.get_hosts())
            .map(|(at, host)| match host {
                Host::Tcp(name) => format!("{name}:{}", port(at)),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("PostgreSQL at {}, database {name}", hosts.join(","))
    }
}

/// An address without the file of authorities, which is ours to read, and that file.
fn without_roots(url: &str) -> (String, Option<String>) {
    // A password may have one, too.
    let Some((base, query)) = url.rsplit_once('?') else { return (url.to_owned(), None) };
    let own = |part: &&str| part.starts_with(ROOT_CERTIFICATE);
    let roots = query.split('&').find(own).and_then(|part| part.strip_prefix(ROOT_CERTIFICATE));
    let roots = roots.map(|path| percent_encoding::percent_decode_str(path).decode_utf8_lossy());
    let others: Vec<_> = query.split('&').filter(|part| !own(part)).collect();
    let url = match others.is_empty() {
        true => base.to_owned(),
        false => format!("{base}?{}", others.join("&")),
    };
    (url, roots.map(std::borrow::Cow::into_owned))
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_this_machine_goes_over_tls() {
        for (url, mode) in [
            ("postgres://a:b@127.0.0.1/c", SslMode::Prefer),
            ("postgres://a:b@localhost:5433/c?sslmode=disable", SslMode::Disable),
            ("postgres://a:b@localhost/c?sslrootcert=/ca.pem", SslMode::Require),
            ("postgres://a:b@db.example.com/c", SslMode::Require),
            ("postgres://a:b@db.example.com/c?sslmode=prefer", SslMode::Require),
            ("postgresql://a@localhost,db.example.com/c", SslMode::Require),
            ("postgres://a:/b=@127.0.0.1:5433,127.0.0.1:5434/c", SslMode::Prefer),
            ("postgres://a@127.0.0.1/c?options=-c%20statement_timeout%3D5000", SslMode::Prefer),
            ("postgres://a@localhost/c?hostaddr=127.0.0.1", SslMode::Prefer),
            ("postgres://a:12?b=c@127.0.0.1/c", SslMode::Prefer),
            ("postgres://a@localhost/c?hostaddr=192.0.2.2", SslMode::Require),
            ("postgres://a@localhost/c?sslrootcert=%2Fca.pem&sslmode=prefer", SslMode::Require),
        ] {
            let address = Address::parse(url).unwrap_or_else(|trouble| panic!("{url}: {trouble}"));
            assert_eq!(address.config.get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn what_is_given_to_the_database_is_what_was_given() {
        let address =
            Address::parse("postgres://a:/b=@127.0.0.1:5433/c?sslrootcert=/ca.pem").unwrap();
        assert_eq!(address.config.get_user(), Some("a"));
        assert_eq!(address.config.get_password(), Some(&b"/b="[..]));
        assert_eq!(address.roots.as_deref(), Some(std::path::Path::new("/ca.pem")));
        assert_eq!(address.place(), "PostgreSQL at 127.0.0.1:5433, database c");
        let address =
            Address::parse("postgres://a:12?b=c@127.0.0.1/c?sslrootcert=/ca.pem").unwrap();
        assert_eq!(address.config.get_password(), Some(&b"12?b=c"[..]));
        assert_eq!(address.roots.as_deref(), Some(std::path::Path::new("/ca.pem")));
    }

    #[test]
    fn what_is_no_address_is_said_without_its_password() {
        for url in [
            "",
            "mysql://a:sesame@db/c",
            "postgres://a:sesame@db.example.com/c?sslmode=disable",
            "postgres://a:sesame@localhost/c?sslmode=maybe",
            "postgres://a:sesame@localhost/c?hostaddr=192.0.2.2&sslmode=disable",
            "postgres:///c",
            "host=db password=sesame",
        ] {
            let Err(trouble) = Address::parse(url) else { panic!("{url}") };
            assert!(!trouble.contains("sesame"), "{trouble}");
        }
    }
}
