//! What taking a change back leaves where other changes of Grantor's overlap it. Pure.
//!
//! A place holds one value, or none: what one principal has on one resource, or whether they have
//! one role there. Timed changes lie on each other like layers: the latest that runs counts, and
//! under all of them is what stood before the first.

use std::collections::HashMap;

use jiff::Timestamp;

/// What one change of Grantor's did in one place.
#[derive(Clone, Debug)]
pub(super) struct Moved<V> {
    pub receipt: String,
    pub at: Timestamp,
    pub before: Option<V>,
    pub after: Option<V>,
    /// When it ends, where it does.
    pub until: Option<Timestamp>,
    /// Its end needs nothing more.
    pub over: bool,
    /// What it takes back, and whether that is done.
    pub back: Option<Back>,
}

/// How a change takes another one back.
#[derive(Clone, Debug)]
pub(super) struct Back {
    pub of: String,
    pub is_end: bool,
    pub done: bool,
}

/// What taking a change back leaves in a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Remainder<V> {
    /// This, until then; and that must stand there now.
    To { value: Option<V>, until: Option<Timestamp>, found: Option<V> },
    /// What stands there: a later timed change, which has an end of its own.
    Covered(String),
    /// What stands there: another end took this one back with it.
    Done,
    /// Somebody gave or took it since: what would be left if that were not so.
    Changed { by: Option<String>, value: Option<V>, found: Option<V> },
}

/// One change that has not been taken back; or what others put there, which has no receipt.
#[derive(Clone, Debug)]
struct Layer<V> {
    receipt: Option<String>,
    value: Option<V>,
    until: Option<Timestamp>,
    over: bool,
}

#[derive(Clone, Debug)]
struct Layers<V> {
    base: Option<V>,
    layers: Vec<Layer<V>>,
}

/// What taking back `receipt` leaves at that time, from what changed the place in their order.
/// The first of them is the first that bears on it.
pub(super) fn remaining<V: Clone + PartialEq>(
    history: &[Moved<V>],
    receipt: &str,
    now: Timestamp,
) -> Remainder<V> {
    let base = history.first().and_then(|first| first.before.clone());
    let mut layers = Layers { base: base.clone(), layers: Vec::new() };
    let (mut found, mut earlier) = (base, HashMap::new());
    for moved in history {
        if moved.before != found {
            layers.push(None, moved.before.clone(), None, false);
        }
        earlier.insert(moved.receipt.as_str(), layers.clone());
        layers.take(moved, &earlier);
        found.clone_from(&moved.after);
    }
    let own = |layer: &Layer<V>| layer.receipt.as_deref() == Some(receipt);
    let Some(place) = layers.layers.iter().position(own) else {
        let last = history.last().is_some_and(|last| last.receipt == receipt);
        return match earlier.get(receipt).filter(|_| last) {
            // It only took something back: then that is there again.
            Some(before) => {
                let (value, until) = before.counts(before.layers.len(), now);
                Remainder::To { value, until, found }
            }
            None => Remainder::Done,
        };
    };
    let (value, until) = layers.counts(place, now);
    let above = layers.layers.get(place + 1..).unwrap_or_default();
    // One whose end found nothing to do covers nothing any more.
    let mut above = above.iter().filter(|layer| !layer.over);
    match (above.clone().find(|layer| layer.until.is_none()), above.next_back()) {
        (Some(lasting), _) => Remainder::Changed { by: lasting.receipt.clone(), value, found },
        (None, Some(Layer { receipt: Some(by), .. })) => Remainder::Covered(by.clone()),
        (None, _) => Remainder::To { value, until, found },
    }
}

impl<V: Clone + PartialEq> Layers<V> {
    fn push(
        &mut self,
        receipt: Option<String>,
        value: Option<V>,
        until: Option<Timestamp>,
        over: bool,
    ) {
        self.layers.push(Layer { receipt, value, until, over });
    }

    fn take(&mut self, moved: &Moved<V>, earlier: &HashMap<&str, Self>) {
        let of = match &moved.back {
            Some(back) if !back.done => return,
            Some(Back { of, is_end: true, .. }) => {
                let ended = |layer: &Layer<V>| layer.receipt.as_deref() == Some(of);
                // What was over by then went with it.
                self.layers.retain(|layer| !ended(layer) && layer.runs(moved.at));
                return;
            }
            Some(Back { of, .. }) => Some(of.as_str()),
            None => None,
        };
        let before = of.and_then(|of| earlier.get(of));
        if let Some(before) = before {
            self.clone_from(before);
        }
        if before.is_none() || moved.until.is_some() {
            let receipt = Some(moved.receipt.clone());
            self.push(receipt, moved.after.clone(), moved.until, moved.over);
        }
    }

    /// What counts of the layers under this one, and until when.
    fn counts(&self, place: usize, now: Timestamp) -> (Option<V>, Option<Timestamp>) {
        let running = self.layers.iter().take(place).rev().find(|layer| layer.runs(now));
        running.map_or((self.base.clone(), None), |layer| (layer.value.clone(), layer.until))
    }
}

impl<V> Layer<V> {
    fn runs(&self, now: Timestamp) -> bool {
        !self.over && self.until.is_none_or(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A place as the vendor has it, and what Grantor did there.
    struct World {
        value: Option<&'static str>,
        history: Vec<Moved<&'static str>>,
        now: i64,
    }

    impl World {
        fn new(value: Option<&'static str>) -> Self {
            Self { value, history: Vec::new(), now: 0 }
        }

        fn change(
            &mut self,
            receipt: &str,
            after: Option<&'static str>,
            until: Option<i64>,
            back: Option<Back>,
        ) {
            self.now += 1;
            let before = std::mem::replace(&mut self.value, after);
            let until = until.map(at);
            let (receipt, at) = (receipt.to_owned(), at(self.now));
            self.history.push(Moved { receipt, at, before, after, until, over: false, back });
        }

        fn grant(&mut self, receipt: &str, value: &'static str, until: i64) {
            self.change(receipt, Some(value), Some(until), None);
        }

        fn back(&mut self, of: &str, is_end: bool, now: i64) -> Remainder<&'static str> {
            self.now = now;
            let left = remaining(&self.history, of, at(now));
            match &left {
                Remainder::To { value, until, found } if *found == self.value => {
                    let back = Back { of: of.to_owned(), is_end, done: true };
                    let until = until.filter(|_| !is_end).map(Timestamp::as_second);
                    self.change(&format!("-{of}"), *value, until, Some(back));
                }
                Remainder::Covered(_) if is_end => {
                    let own = self.history.iter_mut().find(|moved| moved.receipt == of);
                    own.unwrap().over = true;
                }
                _ => {}
            }
            left
        }
    }

    /// Every order of the ends of three, on what others had given before or on nothing.
    #[test]
    fn grants_that_overlap_end_in_any_order() {
        let names = ["one", "two", "three"];
        for base in [None, Some("base")] {
            for ends in [
                [1, 2, 3],
                [1, 3, 2],
                [2, 1, 3],
                [2, 3, 1],
                [3, 1, 2],
                [3, 2, 1],
                [1, 1, 1],
                [2, 1, 1],
            ] {
                let mut world = World::new(base);
                for (name, end) in names.iter().zip(ends) {
                    world.grant(name, name, end * 100);
                }
                for now in [100, 200, 300] {
                    for (name, end) in names.iter().zip(ends) {
                        if end * 100 == now {
                            world.back(name, true, now);
                        }
                    }
                    let running = names.iter().zip(ends).rev().find(|(_, end)| end * 100 > now);
                    let wanted = running.map(|(name, _)| *name).or(base);
                    assert_eq!(world.value, wanted, "{base:?} {ends:?} at {now}");
                }
            }
        }
    }

    /// An end that comes late, after those of later grants, finds its work done.
    #[test]
    fn an_end_takes_along_what_was_over_under_it() {
        let mut world = World::new(Some("base"));
        world.grant("one", "one", 100);
        world.grant("two", "two", 100);
        assert!(matches!(world.back("two", true, 150), Remainder::To { value: Some("base"), .. }));
        assert_eq!(world.back("one", true, 150), Remainder::Done);
        assert_eq!(world.value, Some("base"));
    }

    /// An end that finds what it would leave there already sends nothing, and covers nothing.
    #[test]
    fn the_same_value_again_does_not_outlast_its_end() {
        let mut world = World::new(Some("base"));
        world.grant("one", "value", 300);
        world.grant("two", "other", 100);
        world.grant("three", "value", 200);
        assert_eq!(world.back("two", true, 100), Remainder::Covered("three".to_owned()));
        let left = remaining(&world.history, "three", at(200));
        let same =
            Remainder::To { value: Some("value"), until: Some(at(300)), found: Some("value") };
        assert_eq!(left, same);
        world.history[2].over = true;
        assert!(matches!(world.back("one", true, 300), Remainder::To { .. }));
        assert_eq!(world.value, Some("base"));
    }

    #[test]
    fn what_others_put_there_stays() {
        let mut world = World::new(None);
        world.grant("one", "one", 100);
        world.value = Some("others'");
        world.grant("two", "two", 200);
        let by_others = Remainder::Changed { by: None, value: None, found: Some("two") };
        assert_eq!(world.back("one", true, 100), by_others);
        assert!(matches!(
            world.back("two", true, 200),
            Remainder::To { value: Some("others'"), .. }
        ));
        // What stands now is not what Grantor left: the reader of the vendor compares.
        let mut world = World::new(None);
        world.grant("one", "one", 100);
        world.value = Some("others'");
        let left = world.back("one", true, 100);
        assert_eq!(left, Remainder::To { value: None, until: None, found: Some("one") });
        assert_eq!(world.value, Some("others'"));
    }

    #[test]
    fn a_lasting_change_outlasts_the_ends_under_it() {
        let mut world = World::new(None);
        world.grant("one", "one", 100);
        world.change("lasting", Some("lasting"), None, None);
        world.grant("two", "two", 200);
        let Remainder::Changed { by, .. } = world.back("one", true, 100) else { panic!() };
        assert_eq!(by.as_deref(), Some("lasting"));
        world.back("two", true, 200);
        assert_eq!(world.value, Some("lasting"));
    }

    /// What a removal took away comes back for as long as it was to last, and not after that.
    #[test]
    fn undoing_brings_back_what_is_left_of_an_end() {
        for (now, wanted) in [(50, (Some("one"), Some(at(100)))), (150, (None, None))] {
            let mut world = World::new(None);
            world.grant("one", "one", 100);
            world.change("removal", None, None, None);
            let Remainder::To { value, until, .. } = world.back("removal", false, now) else {
                panic!()
            };
            assert_eq!((value, until), wanted, "a removal at {now}");
            let mut world = World::new(None);
            world.grant("one", "one", 100);
            world.back("one", false, 20);
            assert_eq!(world.value, None);
            let Remainder::To { value, until, .. } = world.back("-one", false, now) else {
                panic!()
            };
            assert_eq!((value, until), wanted, "an undo at {now}");
        }
        // What was given back for a time goes again, once.
        let mut world = World::new(Some("base"));
        world.grant("one", "one", 100);
        world.change("removal", None, None, None);
        world.back("removal", false, 50);
        assert_eq!(world.value, Some("one"));
        assert_eq!(world.back("one", true, 100), Remainder::Covered("-removal".to_owned()));
        world.back("-removal", true, 100);
        assert_eq!(world.value, Some("base"));
    }

    #[test]
    fn undoing_the_latest_leaves_what_runs_under_it() {
        let mut world = World::new(None);
        world.grant("one", "one", 100);
        world.grant("two", "two", 200);
        assert_eq!(world.back("one", false, 50), Remainder::Covered("two".to_owned()));
        world.back("two", false, 50);
        assert_eq!(world.value, Some("one"));
        assert_eq!(world.back("one", true, 100), Remainder::Covered("-two".to_owned()));
        world.back("-two", true, 100);
        assert_eq!(world.value, None);
        let mut world = World::new(None);
        world.grant("one", "one", 100);
        world.grant("two", "two", 200);
        world.back("two", false, 150);
        assert_eq!(world.value, None, "the first is over by then");
    }
}
