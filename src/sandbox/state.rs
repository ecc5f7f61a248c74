//! Who has what at the five vendors, and how it outlives a process.
//!
//! In a directory, several processes share it: each request holds an operating-system lock on `state.lock`,
//! which also counts the writes, so that an unchanged state costs a read of a few bytes and no parsing.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{centrasite, dfns, outsystems, redox, snaplogic};
use crate::private;

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
}

struct Held {
    world: World,
    /// The count in `state.lock` when `world` was read; `None` before the first time.
    revision: Option<u64>,
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
    pub fn open(directory: Option<&Path>) -> io::Result<Store> {
        let disk = directory.map(Disk::open).transpose()?;
        let held = Mutex::new(Held { world: World::seed(), revision: None });
        Ok(Store { held, disk })
    }

    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> io::Result<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let _locked = match &self.disk {
            Some(disk) => {
                disk.lock.lock_shared()?;
                let locked = Locked(&disk.lock);
                disk.refresh(&mut held)?;
                Some(locked)
            }
            None => None,
        };
        Ok(look(&held.world))
    }

    /// Written before it returns, so before anybody is told that it happened.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> io::Result<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(disk) = &self.disk else {
            return Ok(change(&mut held.world));
        };
        disk.lock.lock()?;
        let _locked = Locked(&disk.lock);
        disk.refresh(&mut held)?;
        let mut world = held.world.clone();
        let answer = change(&mut world);
        if world != held.world {
            held.revision = Some(disk.save(&world, held.revision)?);
            held.world = world;
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
            lock: private::open(&directory.join("state.lock"))?,
        })
    }

    fn refresh(&self, held: &mut Held) -> io::Result<()> {
        let revision = self.revision()?;
        if held.revision == Some(revision) {
            return Ok(());
        }
        held.world = match fs::read(&self.state) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let path = self.state.display();
                io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {error}"))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => World::seed(),
            Err(error) => return Err(error),
        };
        held.revision = Some(revision);
        Ok(())
    }

    /// Counts before it renames: a crash between the two makes others read once too often, never once too seldom.
    fn save(&self, world: &World, revision: Option<u64>) -> io::Result<u64> {
        let next = revision.unwrap_or_default() + 1;
        let fresh = self.state.with_extension("json.new");
        private::write(&fresh, &serde_json::to_vec_pretty(world)?)?;
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
