//! What replicas share of one account: until when the vendor wants no requests, and how much of its documented
//! rate is used up.
//!
//! Both are numbers in one text, which whoever changes it compares and swaps. A replica takes requests just before it
//! sends them, and those that it does not send soon lapse: one that dies takes a few with it. Where the text cannot
//! be read in time, each replica goes by what it knows itself, as it does without any other.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::{LONGEST_PAUSE, parts};
use crate::failure::{Failure, Kind};

/// Where all replicas keep one text about an account.
pub trait KeptByAll: Send + Sync {
    /// What is kept there, as long as its time is not over.
    fn get(&self) -> BoxFuture<'_, Result<Option<String>, Failure>>;

    /// Keeps something that long where `before` is kept now, or where nothing is, for none; whether it was so.
    fn swap<'a>(
        &'a self,
        before: Option<&'a str>,
        value: &'a str,
        lasts: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>>;
}

/// One account's, as one replica knows it.
pub(super) struct Shared {
    kept: Box<dyn KeptByAll>,
    /// None where the vendor documents none.
    rate: Option<Rate>,
    known: tokio::sync::Mutex<Known>,
    /// It was said that the text cannot be read.
    is_told: AtomicBool,
}

/// The rate that all replicas keep together.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// How many requests may go at once.
    burst: i64,
    /// After how many microseconds one more may.
    period: i64,
}

/// What was found at the last look.
#[derive(Debug, Default)]
struct Known {
    looked: Option<Instant>,
    /// How many more requests may be sent that were taken then.
    left: i64,
    /// Before that, nobody need look whether there is room.
    full_until: Option<Instant>,
    /// Before that, this replica goes by what it knows itself.
    alone_until: Option<Instant>,
}

/// What is in the text, by the clock that all replicas share, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// When nothing of the rate will be used up any more.
    free_at: i64,
    paused_until: i64,
}

/// How long what was found, or taken, is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long a call waits for the text at most.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long nobody looks after that was not enough.
const ALONE: Duration = Duration::from_secs(10);
/// How often somebody who is overtaken tries again, and then how soon.
const TRIES: usize = 5;
const SOON: Duration = Duration::from_millis(50);

impl Shared {
    /// Of an account at which so many requests are documented in each window.
    pub(super) fn new(kept: Box<dyn KeptByAll>, documented: Option<(u32, Duration)>) -> Self {
        let rate = documented.and_then(|(most, window)| Rate::of(most, window));
        Self { kept, rate, known: tokio::sync::Mutex::default(), is_told: AtomicBool::new(false) }
    }

    /// By how much it is too early for `requests` requests; where it is not, they are taken, and with them what
    /// the others need who can go at once: `waiting` are all of them.
    pub(super) async fn early(&self, requests: u32, waiting: usize) -> Option<Duration> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        if known.alone_until.is_some_and(|until| now < until) {
            return None;
        }
        // More than a burst never fits: the whole of it is as much as can be waited for.
        let requests = self.rate.map_or(0, |rate| rate.burst.min(requests.into()));
        if known.looked.is_some_and(|looked| now.duration_since(looked) < GOOD_FOR) {
            let full = known.full_until.map(|until| until.saturating_duration_since(now));
            if let Some(wait) = full.filter(|wait| !wait.is_zero()) {
                return Some(wait);
            }
            if known.left >= requests {
                known.left -= requests;
                return None;
            }
        }
        // All who wait have the same patience, so that nobody waits twice.
        match self.in_time(self.look(requests, waiting)).await {
            Some(found) => {
                let (early, left) = found.map_or_else(|wait| (Some(wait), 0), |left| (None, left));
                let looked = Instant::now();
                let full_until = early.map(|wait| looked + wait);
                *known = Known { looked: Some(looked), left, full_until, alone_until: None };
                early
            }
            None => {
                *known = Known { alone_until: Some(Instant::now() + ALONE), ..Known::default() };
                None
            }
        }
    }

    /// Has no replica send anything for this long; a longer pause stays.
    pub(super) async fn pause(&self, wait: Duration) {
        let _ = self.in_time(self.tell(wait)).await;
    }

    /// How many requests were taken beside those that were asked for, or how long there is no room for them.
    async fn look(&self, requests: i64, waiting: usize) -> Result<Result<i64, Duration>, Failure> {
        for _ in 0..TRIES {
            let before = self.kept.get().await?;
            let (state, now) = (State::read(before.as_deref()), now());
            if let Some(left) = state.paused(now) {
                return Ok(Err(left));
            }
            let Some(rate) = self.rate else { return Ok(Ok(0)) };
            let wanted = i64::try_from(waiting).unwrap_or(0).max(requests);
            match rate.take(state, now, requests, wanted) {
                Err(wait) => return Ok(Err(wait)),
                Ok((after, taken)) => {
                    if self.replace(before.as_deref(), after, now).await? {
                        return Ok(Ok(taken - requests));
                    }
                }
            }
        }
        // Many take at this very moment, and one of them has it each time.
        Ok(Err(SOON))
    }

    async fn tell(&self, wait: Duration) -> Result<(), Failure> {
        for _ in 0..TRIES {
            let before = self.kept.get().await?;
            let (state, now) = (State::read(before.as_deref()), now());
            let paused_until = now.saturating_add(micros(wait));
            let is_known = state.paused_until >= paused_until;
            if is_known
                || self.replace(before.as_deref(), State { paused_until, ..state }, now).await?
            {
                return Ok(());
            }
        }
        Err(Failure::new(Kind::Unavailable, "others write at the same moment"))
    }

    async fn replace(&self, before: Option<&str>, state: State, now: i64) -> Result<bool, Failure> {
        let over = state.free_at.max(state.paused_until).saturating_sub(now).max(0);
        let lasts = Duration::from_micros(over.unsigned_abs()) + GOOD_FOR;
        self.kept.swap(before, &state.to_string(), lasts).await
    }

    /// What comes of it in time; what does not come is told once.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Option<T> {
        let why = match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(done)) => {
                self.is_told.store(false, Relaxed);
                return Some(done);
            }
            Ok(Err(failure)) => failure.message,
            Err(_) => "no answer in time".to_owned(),
        };
        if !self.is_told.swap(true, Relaxed) {
            tracing::warn!(
                %why,
                "what replicas share of a vendor's rate is not known here: this one keeps its own pace"
            );
        }
        None
    }
}

impl Rate {
    /// So that no window holds more than `most`, however long before it is sent a request was taken.
    fn of(most: u32, window: Duration) -> Option<Self> {
        let (burst, spread) = parts(most);
        let period = micros(window + GOOD_FOR).checked_div(spread.into())?;
        (burst > 0 && period > 0).then_some(Self { burst: burst.into(), period })
    }

    /// Takes `wanted` requests, or as many as there is room for, but not fewer than `needed`.
    fn take(
        self,
        state: State,
        now: i64,
        needed: i64,
        wanted: i64,
    ) -> Result<(State, i64), Duration> {
        let whole = self.burst * self.period;
        // Nobody can have used up more than all of it: anything else is no state that this wrote.
        let free_at = state.free_at.clamp(now, now.saturating_add(whole));
        let room = whole - (free_at - now);
        let taken = wanted.min(room / self.period);
        if taken < needed {
            let missing = needed * self.period - room;
            return Err(Duration::from_micros(missing.unsigned_abs()));
        }
        Ok((State { free_at: free_at + taken * self.period, ..state }, taken))
    }
}

impl State {
    /// What somebody else wrote counts as nothing where it cannot be read.
    fn read(text: Option<&str>) -> Self {
        let numbers = text.and_then(|text| {
            let (free_at, paused_until) = text.split_once(' ')?;
            Some(Self { free_at: free_at.parse().ok()?, paused_until: paused_until.parse().ok()? })
        });
        numbers.unwrap_or_default()
    }

    /// For how long nobody is to send anything: never for good, whatever is there.
    fn paused(self, now: i64) -> Option<Duration> {
        let left = self.paused_until.saturating_sub(now);
        (left > 0).then(|| Duration::from_micros(left.unsigned_abs()).min(LONGEST_PAUSE))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.free_at, self.paused_until)
    }
}

fn now() -> i64 {
    crate::clock::now().as_microsecond()
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Mutex};

    use super::super::Pace;
    use super::*;
    use crate::outbound::Deadline;

    /// What stands for the place that replicas share.
    #[derive(Clone, Default)]
    struct Place {
        text: Arc<Mutex<Option<String>>>,
        looks: Arc<AtomicUsize>,
        mood: Mood,
    }

    #[derive(Clone, Copy, Default, PartialEq)]
    enum Mood {
        #[default]
        Works,
        Refuses,
        Hangs,
        /// Somebody else is always quicker.
        Overtakes,
    }

    impl Place {
        fn of(mood: Mood) -> Self {
            Self { mood, ..Self::default() }
        }

        /// A replica that keeps its pace here.
        fn replica(&self, mut pace: Pace) -> Pace {
            pace.share(Box::new(self.clone()));
            pace
        }

        fn looks(&self) -> usize {
            self.looks.load(Relaxed)
        }

        async fn works(&self) -> Result<(), Failure> {
            match self.mood {
                Mood::Works | Mood::Overtakes => Ok(()),
                Mood::Refuses => Err(Failure::new(Kind::Unavailable, "it is down")),
                Mood::Hangs => std::future::pending().await,
            }
        }
    }

    impl KeptByAll for Place {
        fn get(&self) -> BoxFuture<'_, Result<Option<String>, Failure>> {
            self.looks.fetch_add(1, Relaxed);
            Box::pin(async {
                self.works().await?;
                Ok(self.text.lock().unwrap().clone())
            })
        }

        fn swap<'a>(
            &'a self,
            before: Option<&'a str>,
            value: &'a str,
            _: Duration,
        ) -> BoxFuture<'a, Result<bool, Failure>> {
            Box::pin(async move {
                self.works().await?;
                let mut text = self.text.lock().unwrap();
                let is_so = text.as_deref() == before && self.mood != Mood::Overtakes;
                if is_so {
                    *text = Some(value.to_owned());
                }
                Ok(is_so)
            })
        }
    }

    /// So long that nothing of it comes back while a test runs.
    const WINDOW: Duration = Duration::from_hours(1);

    async fn turn(pace: &Pace) -> Result<(), Duration> {
        let soon = Deadline::after(Duration::from_millis(1));
        pace.turn(NonZeroU32::MIN, "vendor", soon).await.map(drop)
    }

    async fn turns(pace: &Pace, count: usize) -> usize {
        let mut made = 0;
        for _ in 0..count {
            made += usize::from(turn(pace).await.is_ok());
        }
        made
    }

    #[tokio::test]
    async fn replicas_share_one_burst() {
        let place = Place::default();
        let one = place.replica(Pace::of(100, WINDOW));
        let other = place.replica(Pace::of(100, WINDOW));
        assert_eq!((turns(&one, 40).await, turns(&other, 40).await), (40, 20));
        assert_eq!(turns(&one, 40).await, 0);
        let later = place.replica(Pace::of(100, WINDOW));
        let wait = turn(&later).await.unwrap_err();
        assert!(wait > Duration::from_secs(1), "one that has just started: {wait:?}");
    }

    #[tokio::test]
    async fn what_one_is_told_keeps_all_from_asking() {
        let place = Place::default();
        let (one, other) = (place.replica(Pace::default()), place.replica(Pace::default()));
        one.pause(Duration::from_secs(50)).await;
        one.pause(Duration::from_secs(5)).await;
        let wait = turn(&other).await.unwrap_err();
        assert!(wait > Duration::from_secs(5), "a shorter one does not end it: {wait:?}");
        let rated = place.replica(Pace::of(100, WINDOW));
        assert!(turn(&rated).await.is_err(), "where a rate is documented as well");
    }

    #[tokio::test]
    async fn a_pause_leaves_what_is_used_up_and_the_other_way_round() {
        let place = Place::default();
        let shared = Shared::new(Box::new(place.clone()), Some((100, WINDOW)));
        assert_eq!(shared.early(60, 1).await, None);
        shared.pause(Duration::from_secs(50)).await;
        let state = State::read(place.text.lock().unwrap().as_deref());
        assert!(state.paused(now()).is_some_and(|left| left > Duration::from_secs(5)));
        let rate = Rate::of(100, WINDOW).unwrap();
        assert!(rate.take(state, now(), 1, 1).is_err(), "{state}");
    }

    #[tokio::test]
    async fn a_pause_ends_for_all_and_is_never_for_good() {
        let place = Place::default();
        *place.text.lock().unwrap() = Some(format!("{0} {0}", i64::MAX));
        let wait = turn(&place.replica(Pace::default())).await.unwrap_err();
        assert!(wait <= LONGEST_PAUSE, "{wait:?}");
        *place.text.lock().unwrap() = Some(format!("0 {}", now() - 1));
        assert!(turn(&place.replica(Pace::default())).await.is_ok(), "it is over");
        *place.text.lock().unwrap() = Some("sesame".to_owned());
        assert!(turn(&place.replica(Pace::of(100, WINDOW))).await.is_ok(), "it says nothing");
    }

    #[tokio::test]
    async fn nobody_looks_before_each_request() {
        let place = Place::default();
        assert_eq!(turns(&place.replica(Pace::default()), 1_000).await, 1_000);
        assert!(place.looks() < 500, "{}", place.looks());
    }

    /// Those who wait behind the first one, and can go at once, go by its look.
    #[tokio::test]
    async fn one_look_takes_for_all_who_wait() {
        let place = Place::default();
        let shared = Shared::new(Box::new(place.clone()), Some((100, WINDOW)));
        assert_eq!(shared.early(1, 3).await, None);
        let state = State::read(place.text.lock().unwrap().as_deref());
        let rate = Rate::of(100, WINDOW).unwrap();
        let (_, left) = rate.take(state, now(), 1, 100).unwrap();
        assert_eq!(left, 57, "of a burst of 60");
        assert_eq!(shared.known.lock().await.left, 2, "for the others");
    }

    #[tokio::test]
    async fn where_nothing_can_be_read_each_replica_keeps_its_own_pace() {
        for mood in [Mood::Refuses, Mood::Hangs] {
            let place = Place::of(mood);
            let pace = place.replica(Pace::of(100, WINDOW));
            let patient = Deadline::after(Duration::from_secs(50));
            assert!(pace.turn(NonZeroU32::MIN, "vendor", patient).await.is_ok());
            assert_eq!(turns(&pace, 100).await, 59, "its own burst is 60");
            assert!(place.looks() < 30, "{}", place.looks());
            pace.pause(Duration::from_secs(50)).await;
            assert!(pace.paused().is_some(), "it keeps a pause that it is told itself");
        }
    }

    #[tokio::test]
    async fn whoever_is_overtaken_waits_a_little() {
        let pace = Place::of(Mood::Overtakes).replica(Pace::of(100, WINDOW));
        assert!(turn(&pace).await.is_err_and(|wait| wait <= SOON));
    }

    /// Replicas that take as soon as they may, for three windows of every documented rate. What went at first was
    /// sent as late as it may be, and all else as it was taken: that makes the fullest window there is.
    #[test]
    fn no_window_ever_holds_more_than_the_vendor_documents() {
        let minute = Duration::from_mins(1);
        for (most, window) in [(100, minute), (1_000, minute), (7_500, 5 * minute)] {
            let rate = Rate::of(most, window).unwrap();
            let most = usize::try_from(most).unwrap();
            let (mut state, mut sent, mut now) = (State::default(), Vec::new(), 0);
            while now < 3 * micros(window) {
                match rate.take(state, now, 1, 16) {
                    Ok((after, taken)) => {
                        state = after;
                        let late = if now < micros(GOOD_FOR) { micros(GOOD_FOR) } else { 0 };
                        sent.extend((0..taken).map(|_| now + late));
                    }
                    Err(wait) => now += micros(wait),
                }
            }
            sent.sort_unstable();
            let crowded = sent.windows(most + 1).find(|some| some[most] - some[0] < micros(window));
            assert_eq!(crowded.map(|some| some[0]), None, "more than {most} from then on");
            assert!(sent.len() > most, "{} is slower than it need be", sent.len());
        }
    }
}
