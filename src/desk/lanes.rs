//! What is done at one tenant goes in order, and tenants side by side.

use futures_util::future::join_all;

/// What goes in one order: each with its place among all.
pub(super) type Lane<T> = Vec<(usize, T)>;

/// Works through all, those that are at one tenant in their order and the others beside them; what comes of
/// them, in the order of all.
pub(super) async fn side_by_side<T, R, W: Future<Output = Lane<R>>>(
    all: impl IntoIterator<Item = T>,
    are_at_one_tenant: impl Fn(&T, &T) -> bool,
    work: impl Fn(Lane<T>) -> W,
) -> Vec<R> {
    let mut lanes: Vec<Lane<T>> = Vec::new();
    for (index, one) in all.into_iter().enumerate() {
        let is_there = |lane: &&mut Lane<T>| {
            lane.first().is_some_and(|(_, first)| are_at_one_tenant(first, &one))
        };
        match lanes.iter_mut().find(is_there) {
            Some(lane) => lane.push((index, one)),
            None => lanes.push(vec![(index, one)]),
        }
    }
    let done = join_all(lanes.into_iter().map(work)).await;
    let mut done: Vec<_> = done.into_iter().flatten().collect();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters stand for tenants: each goes in its order, and all come out as they went in.
    #[tokio::test]
    async fn each_tenant_keeps_its_order_and_all_theirs() {
        let seen = std::sync::Mutex::new(Vec::new());
        let all = ["a1", "b1", "a2", "c1", "b2"];
        let work = async |lane: Lane<&'static str>| {
            let names: Vec<_> = lane.iter().map(|(_, name)| *name).collect();
            seen.lock().unwrap().push(names.join(" "));
            lane
        };
        let done = side_by_side(all, |one, other| one[..1] == other[..1], work).await;
        assert_eq!(done, all);
        assert_eq!(*seen.lock().unwrap(), ["a1 a2", "b1 b2", "c1"]);
    }
}
