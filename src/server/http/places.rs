//! Places for connections. Where all are taken, one that is idle makes room for one more: first of those on which
//! nobody has shown a token that counts, the one that has said nothing for the longest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

pub(super) struct Places {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// Counts up with everything that happens.
    now: u64,
    /// Those that wait for a request, in the order in which they make room.
    idle: BTreeMap<Rank, CancellationToken>,
}

/// Whether its caller is known, and since when it is idle.
type Rank = (bool, u64);

/// One connection's place, until it is dropped.
pub(super) struct ConnectionSlot {
    places: Arc<Places>,
    own: Mutex<Own>,
    /// Cancelled when another has it.
    pub(super) given_up: CancellationToken,
}

#[derive(Default)]
struct Own {
    is_known: bool,
    /// Requests that are being answered.
    busy: usize,
    idle: Option<Rank>,
}

/// That a request is being answered on a connection.
pub(super) struct Busy(Arc<ConnectionSlot>);

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// A place for a connection that has just come, if anybody can make room.
    pub(super) fn take(self: &Arc<Self>) -> Option<Arc<ConnectionSlot>> {
        let mut state = self.state();
        if state.taken >= self.most {
            let (_, longest) = state.idle.pop_first()?;
            longest.cancel();
        }
        state.taken += 1;
        let given_up = CancellationToken::new();
        let idle = Some(state.wait(false, &given_up));
        drop(state);
        let own = Mutex::new(Own { idle, ..Own::default() });
        Some(Arc::new(ConnectionSlot { places: self.clone(), own, given_up }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, is_known: bool, given_up: &CancellationToken) -> Rank {
        self.now += 1;
        let rank = (is_known, self.now);
        self.idle.insert(rank, given_up.clone());
        rank
    }
}

impl ConnectionSlot {
    /// Says that a request has come; nothing where the place is another's already.
    pub(super) fn busy(self: &Arc<Self>) -> Option<Busy> {
        let mut own = self.own();
        if let Some(rank) = own.idle.take() {
            self.places.state().idle.remove(&rank)?;
        }
        own.busy += 1;
        Some(Busy(self.clone()))
    }

    /// Says that whoever calls on it has shown a token that counts.
    pub(super) fn know(&self) {
        self.own().is_known = true;
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut own = self.0.own();
        own.busy -= 1;
        if own.busy == 0 {
            own.idle = Some(self.0.places.state().wait(own.is_known, &self.0.given_up));
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let idle = self.own().idle.take();
        let mut state = self.places.state();
        state.taken -= 1;
        if let Some(rank) = idle {
            state.idle.remove(&rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_makes_room_and_who_is_known_last() {
        let places = Places::new(3);
        let (known, slow, busy) =
            (places.take().unwrap(), places.take().unwrap(), places.take().unwrap());
        known.know();
        drop(known.busy());
        let at_work = busy.busy().unwrap();
        let next = places.take().expect("the slow one makes room");
        assert!(slow.given_up.is_cancelled() && !known.given_up.is_cancelled());
        assert!(slow.busy().is_none(), "it is too late for the slow one");
        drop(slow);
        let other = places.take().expect("so does the next one, of whom nobody knows who it is");
        assert!(next.given_up.is_cancelled());
        drop(next);
        let third = other.busy().unwrap();
        let last = places.take().expect("then one that is known and idle");
        assert!(known.given_up.is_cancelled() && !busy.given_up.is_cancelled());
        drop(known);
        let fourth = last.busy();
        assert!(places.take().is_none(), "who is being answered makes no room");
        drop((at_work, third, fourth));
        drop(busy);
        assert!(places.take().is_some());
    }
}
