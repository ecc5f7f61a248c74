//! What waits for one endpoint, and how far its lines were read: a file that is replaced at once.

use std::collections::VecDeque;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::home::Home;
use super::settings::Endpoint;
use super::signature::Key;
use crate::failure::{Failure, Kind};
use crate::ledger::{Bookmark, Happening, Ledger, Noted, NotedPage};

/// What an endpoint was told, and what waits for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outbox {
    #[serde(skip)]
    home: Home,
    /// How far the lines were read.
    read: Bookmark,
    /// Until when time was looked at.
    looked: Timestamp,
    /// The day whose head was told last.
    #[serde(default)]
    head: Option<String>,
    /// What it was not told yet, the oldest first.
    pub waiting: VecDeque<Noted>,
    /// Since when it cannot be told, where it cannot.
    #[serde(default)]
    pub failing: Option<Failing>,
    /// It said that it is gone, being set up like this.
    #[serde(default)]
    pub gone: Option<String>,
    /// How many it was told, and when last.
    #[serde(default)]
    pub told: u64,
    #[serde(default)]
    pub last: Option<Timestamp>,
    /// How many were given up.
    #[serde(default)]
    pub given_up: u64,
    /// How many tries failed.
    #[serde(default)]
    pub failed: u64,
}

/// That an endpoint does not take what it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failing {
    pub since: Timestamp,
    pub tries: u32,
    /// When it is tried again.
    pub next: Timestamp,
    pub why: String,
}

/// How an endpoint stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The host, where that can be told.
    pub host: Option<String>,
    /// The public keys that its signatures are checked with.
    pub keys: Vec<String>,
    /// How far it was told; nothing where no server has looked at it yet: it begins where the ledger ends then.
    pub backlog: Option<Backlog>,
    /// Why the last try failed, and when the next is.
    pub trouble: Option<(String, Timestamp)>,
    pub is_gone: bool,
}

/// What an endpoint was told, and what it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The number of the line up to which it was told.
    pub line: u64,
    /// How many notices wait; there may be more, where there are so many.
    pub waits: usize,
    /// When the oldest of them came about.
    pub oldest: Option<Timestamp>,
    pub told: u64,
    pub last: Option<Timestamp>,
    pub given_up: u64,
    pub failed: u64,
}

/// How long a line with a time may be under way to its file: what lapses is looked at that much later.
const SETTLED: SignedDuration = SignedDuration::from_secs(2);
/// How often what nothing came of is written down.
const SELDOM: SignedDuration = SignedDuration::from_hours(1);

/// What is kept of it, if anything is.
async fn load(mut home: Home) -> Result<Option<Outbox>, Failure> {
    let Some(bytes) = home.read().await? else { return Ok(None) };
    match serde_json::from_slice::<Outbox>(&bytes) {
        Ok(outbox) => Ok(Some(Outbox { home, ..outbox })),
        Err(error) => {
            Err(Failure::new(Kind::Unavailable, format!("{home} cannot be read: {error}"))
                .hint(super::home::DELETE))
        }
    }
}

impl Outbox {
    /// That of an endpoint; one that is new begins where the ledger ends.
    ///
    /// # Errors
    /// It cannot be read or written, or the ledger cannot.
    pub(super) async fn open(
        dir: &Path,
        endpoint: &Endpoint,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let home = Home::of(dir, &endpoint.name, ledger).await?;
        if let Some(outbox) = load(home.clone()).await? {
            return Ok(outbox);
        }
        let mut outbox = Self {
            home,
            read: ledger.end().await?,
            looked: now,
            head: Some(day(now)),
            waiting: VecDeque::new(),
            failing: None,
            gone: None,
            told: 0,
            last: None,
            given_up: 0,
            failed: 0,
        };
        outbox.save().await?;
        Ok(outbox)
    }

    /// # Errors
    /// It cannot be written.
    pub(super) async fn save(&mut self) -> Result<(), Failure> {
        let text = serde_json::to_string(self).map_err(|error| {
            Failure::new(Kind::Unavailable, format!("{} cannot be kept: {error}", self.home))
        })?;
        self.home.write(text).await
    }

    /// Takes in what has happened since, where nothing waits; whether something does then. What time brings comes
    /// once every line was read, so that it never comes before what it is about.
    ///
    /// # Errors
    /// The ledger cannot be read, or what was found not be kept.
    pub(super) async fn fill(
        &mut self,
        endpoint: &Endpoint,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        while self.waiting.is_empty() {
            let NotedPage { noted, read, more, is_lost } = ledger.noted(self.read.clone()).await?;
            if is_lost {
                let endpoint = &endpoint.name;
                tracing::warn!(
                    endpoint,
                    "the ledger is another than it was, or ends earlier: what is in it is not told, and \
                     what comes is"
                );
            }
            let mut has_moved = read != self.read;
            self.read = read;
            self.waiting.extend(told_of(noted, endpoint, now));
            if !more {
                let by_time = self.by_time(endpoint, ledger, now).await?;
                has_moved |= now.duration_since(self.looked) > SELDOM || !by_time.is_empty();
                self.waiting.extend(by_time.into_iter().filter(|one| endpoint.wants(one)));
                if has_moved {
                    self.looked = until(now).max(self.looked);
                }
            }
            if has_moved {
                self.save().await?;
            }
            if !more {
                break;
            }
        }
        Ok(!self.waiting.is_empty())
    }

    async fn by_time(
        &mut self,
        endpoint: &Endpoint,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<Vec<Noted>, Failure> {
        let mut all = Vec::new();
        if until(now) > self.looked {
            all = ledger.noted_by_time((self.looked, until(now)), endpoint.ahead).await?;
        }
        if self.head.as_ref() != Some(&day(now))
            && endpoint.events.contains(&Happening::Head)
            && let Some(head) = Noted::head(&self.read, now)
        {
            self.head = Some(day(now));
            all.push(head);
        }
        Ok(all)
    }
}

/// What an endpoint is told of what lines are.
fn told_of(
    noted: Vec<Noted>,
    endpoint: &Endpoint,
    now: Timestamp,
) -> impl Iterator<Item = Noted> + '_ {
    let with_near = move |one: Noted| {
        let near = one.moved_near(endpoint.ahead, now);
        [Some(one), near].into_iter().flatten()
    };
    noted.into_iter().flat_map(with_near).filter(|one| endpoint.wants(one))
}

fn until(now: Timestamp) -> Timestamp {
    now.checked_sub(SETTLED).unwrap_or(now)
}

/// The day, in UTC.
fn day(now: Timestamp) -> String {
    now.to_string().chars().take(10).collect()
}

/// How an endpoint stands, which is only looked at.
///
/// # Errors
/// Its file or the ledger cannot be read.
pub(super) async fn standing(
    dir: &Path,
    endpoint: &Endpoint,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Standing, Failure> {
    let (url, keys) = (endpoint.address().await, endpoint.keys().await);
    let set_up = url.as_ref().err().or(keys.as_ref().err()).cloned();
    let known = load(Home::of(dir, &endpoint.name, ledger).await?).await?;
    let failing = known.as_ref().and_then(|outbox| outbox.failing.clone());
    let fingerprint = url.as_ref().ok().map(|url| endpoint.fingerprint(url));
    let gone = known.as_ref().and_then(|outbox| outbox.gone.clone());
    let backlog = match known {
        Some(outbox) => Some(outbox.backlog(endpoint, ledger, now).await?),
        None => None,
    };
    Ok(Standing {
        host: url.ok().and_then(|url| url.host_str().map(str::to_owned)),
        keys: keys.iter().flatten().filter_map(Key::public).collect(),
        backlog,
        trouble: match set_up {
            Some(why) => Some((why, now)),
            None => failing.map(|failing| (failing.why, failing.next)),
        },
        is_gone: gone.is_some() && gone == fingerprint,
    })
}

/// What an endpoint was told and was not; nothing where no server has looked at it yet.
///
/// # Errors
/// Its file or the ledger cannot be read.
pub(super) async fn backlog(
    dir: &Path,
    endpoint: &Endpoint,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Option<Backlog>, Failure> {
    match load(Home::of(dir, &endpoint.name, ledger).await?).await? {
        Some(outbox) => outbox.backlog(endpoint, ledger, now).await.map(Some),
        None => Ok(None),
    }
}

impl Outbox {
    async fn backlog(
        self,
        endpoint: &Endpoint,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<Backlog, Failure> {
        let page = ledger.noted(self.read.clone()).await?;
        let line = self.read.head().map_or(0, |(line, _)| line);
        let times: Vec<_> = told_of(page.noted, endpoint, now).map(|one| one.time).collect();
        let waiting = self.waiting.iter().map(|one| one.time);
        Ok(Backlog {
            line,
            waits: self.waiting.len() + times.len(),
            oldest: waiting.chain(times).next(),
            told: self.told,
            last: self.last,
            given_up: self.given_up,
            failed: self.failed,
        })
    }
}
