//! Who has what at the five vendors, and how it outlives a process.
//!
//! In a directory, several processes share it: each request holds an operating-system lock on `state.lock`,
//! which also counts the writes, so that an unchanged state costs a read of a few bytes and no parsing.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{centrasite, dfns, outsystems, redox, snaplogic};
use crate::owner_only;

/// Everything a request can change. What cannot change is in the fakes themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct World {
    pub outsystems: Vec<outsystems::Grant>,
    pub dfns: dfns::Books,
    pub redox: redox::Books,
    pub snaplogic: snaplogic::Books,
    pub centrasite: centrasite::Books,
}

impl World {
    pub fn seed() -> World {
        World {
            outsystems: outsystems::seed(),
            dfns: dfns::seed(),
            redox: redox::seed(),
            snaplogic: snaplogic::seed(),
            centrasite: centrasite::seed(),
        }
    }
}

pub(super) struct Store {
    held: Mutex<Held>,
    disk: Option<Disk>,
    /// How long it takes until a look shows what was changed.
    lag: Duration,
}

struct Held {
    world: World,
    /// The count in `state.lock` when `world` was read; `None` before the first time.
    revision: Option<u64>,
    /// Worlds of before, each with when it ended, as far back as a look can reach. What another process changed
    /// counts from when this one first sees it.
    past: VecDeque<(Instant, World)>,
}

impl Held {
    /// The next world, from now on.
    fn turn(&mut self, world: World, lag: Duration) {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.world, world);
        self.past.retain(|(end, _)| now.duration_since(*end) <= lag);
        if !lag.is_zero() {
            self.past.push_back((now, before));
        }
    }

    /// The world of so long ago.
    fn back(&self, lag: Duration) -> &World {
        let now = Instant::now();
        let mut past = self.past.iter();
        let then = past.find(|(end, _)| now.duration_since(*end) < lag);
        then.map_or(&self.world, |(_, world)| world)
    }
}

struct Disk {
    state: PathBuf,
    lock: File,
}

/// The lock, until dropped.
struct Locked<'a>(&'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Closing the file would release it too; there is nobody to tell.
        let _ = self.0.unlock();
    }
}

impl Store {
    pub fn open(directory: Option<&Path>, lag: Duration) -> io::Result<Store> {
        let disk = directory.map(Disk::open).transpose()?;
        let held = Held { world: World::seed(), revision: None, past: VecDeque::new() };
        Ok(Store { held: Mutex::new(held), disk, lag })
    }

    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> io::Result<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let _locked = match &self.disk {
            Some(disk) => {
                disk.lock.lock_shared()?;
                let locked = Locked(&disk.lock);
                disk.refresh(&mut held, self.lag)?;
                Some(locked)
            }
            None => None,
        };
        Ok(look(held.back(self.lag)))
    }

    /// What is so now, whatever a look shows.
    pub fn now(&self) -> serde_json::Result<serde_json::Value> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_value(&held.world)
    }

    /// From now on a look shows what was changed until now.
    pub fn catch_up(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).past.clear();
    }

    /// Written before it returns, so before anybody is told that it happened.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> io::Result<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(disk) = &self.disk else {
            let mut world = held.world.clone();
            let answer = change(&mut world);
            if world != held.world {
                held.turn(world, self.lag);
            }
            return Ok(answer);
        };
        disk.lock.lock()?;
        let _locked = Locked(&disk.lock);
        disk.refresh(&mut held, self.lag)?;
        let mut world = held.world.clone();
        let answer = change(&mut world);
        if world != held.world {
            held.revision = Some(disk.save(&world, held.revision)?);
            held.turn(world, self.lag);
        }
        Ok(answer)
    }

    /// Keeps other processes out meanwhile.
    pub fn alone<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let _held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(disk) = &self.disk else {
            return work();
        };
        disk.lock.lock()?;
        let _locked = Locked(&disk.lock);
        work()
    }

    pub fn reset(&self) -> io::Result<()> {
        self.change(|world| *world = World::seed())
    }
}

impl Disk {
    fn open(directory: &Path) -> io::Result<Disk> {
        Ok(Disk {
            state: directory.join("state.json"),
            lock: owner_only::open(&directory.join("state.lock"))?,
        })
    }

    fn refresh(&self, held: &mut Held, lag: Duration) -> io::Result<()> {
        let revision = self.revision()?;
        if held.revision == Some(revision) {
            return Ok(());
        }
        let world = match fs::read(&self.state) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let path = self.state.display();
                io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {error}"))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => World::seed(),
            Err(error) => return Err(error),
        };
        if held.revision.is_some() && world != held.world {
            held.turn(world, lag);
        } else {
            held.world = world;
        }
        held.revision = Some(revision);
        Ok(())
    }

    /// Counts before it renames: a crash between the two makes others read once too often, never once too seldom.
    fn save(&self, world: &World, revision: Option<u64>) -> io::Result<u64> {
        let next = revision.unwrap_or_default() + 1;
        let fresh = self.state.with_extension("json.new");
        owner_only::write(&fresh, &serde_json::to_vec_pretty(world)?)?;
        let mut lock = &self.lock;
        lock.rewind()?;
        lock.write_all(format!("{next:020}").as_bytes())?;
        fs::rename(&fresh, &self.state)?;
        Ok(next)
    }

    fn revision(&self) -> io::Result<u64> {
        let mut text = String::new();
        let mut lock = &self.lock;
        lock.rewind()?;
        lock.read_to_string(&mut text)?;
        Ok(text.parse().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(store: &Store) -> usize {
        store.look(|world| world.outsystems.len()).unwrap()
    }

    /// At every moment a look shows the state of so long ago, however often it was changed since.
    #[tokio::test]
    async fn a_look_shows_the_state_of_so_long_ago() {
        let lag = Duration::from_millis(600);
        let directory = tempfile::tempdir().unwrap();
        for directory in [None, Some(directory.path())] {
            let store = Store::open(directory, lag).unwrap();
            let (before, begun) = (held(&store), Instant::now());
            let mut changed = Vec::new();
            while begun.elapsed() < Duration::from_millis(1_500) {
                if changed.len() < 3 && begun.elapsed().as_millis() >= changed.len() as u128 * 200 {
                    store
                        .change(|world| {
                            let one = world.outsystems[0].clone();
                            world.outsystems.push(one);
                        })
                        .unwrap();
                    changed.push(Instant::now());
                }
                let asked = Instant::now();
                let shown = held(&store) - before;
                let slack = Duration::from_millis(60);
                let since = |at: &&Instant| asked.duration_since(**at);
                let surely = changed.iter().filter(|at| since(at) > lag + slack).count();
                let perhaps = changed.iter().filter(|at| since(at) + slack > lag).count();
                assert!((surely..=perhaps).contains(&shown), "{shown} of {surely} to {perhaps}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(held(&store) - before, 3);
        }
    }

    #[test]
    fn what_does_not_show_yet_can_be_made_to() {
        let store = Store::open(None, Duration::from_hours(1)).unwrap();
        let before = held(&store);
        store.change(|world| world.outsystems.push(world.outsystems[0].clone())).unwrap();
        assert_eq!(held(&store), before);
        store.catch_up();
        assert_eq!(held(&store), before + 1);
        store.change(|world| world.outsystems.clear()).unwrap();
        assert_eq!(held(&store), before + 1, "what comes later lags as well");
    }

    #[test]
    fn without_a_lag_a_change_shows_at_once() {
        let store = Store::open(None, Duration::ZERO).unwrap();
        let before = held(&store);
        store.change(|world| world.outsystems.clear()).unwrap();
        assert!(before > 0 && held(&store) == 0);
    }
}
