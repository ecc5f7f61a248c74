//! Many reads of one kind: a few at a time, and never more than a budget.

use futures_util::future::join_all;

use crate::failure::{Failure, Kind};

/// How many reads of one call are under way at once.
const AT_ONCE: usize = 8;

/// What many reads brought, and what is missing.
pub(super) struct FannedOut<T> {
    pub found: Vec<T>,
    /// Why some of it is missing.
    pub problem: Option<Failure>,
}

/// Reads for each of `items`, at most `budget` of them.
///
/// # Errors
/// Every read failed: the first failure.
pub(super) async fn each<I, T, F: Future<Output = Result<T, Failure>>>(
    what: &str,
    items: Vec<I>,
    budget: usize,
    read: impl Fn(I) -> F,
) -> Result<FannedOut<T>, Failure> {
    let left_out = items.len().saturating_sub(budget);
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    let mut items = items.into_iter().take(budget);
    loop {
        let batch: Vec<_> = items.by_ref().take(AT_ONCE).map(&read).collect();
        if batch.is_empty() {
            break;
        }
        for answer in join_all(batch).await {
            match answer {
                Ok(one) => found.push(one),
                Err(failure) => failed.push(failure),
            }
        }
    }
    if found.is_empty() && !failed.is_empty() {
        return Err(failed.swap_remove(0));
    }
    let problem = (left_out + failed.len() > 0).then(|| {
        let why = failed.first().map(|failure| format!(" ({})", failure.message));
        let failed = failed.len();
        Failure::new(
            Kind::Incomplete,
            format!(
                "{left_out} {what} were not looked at and {failed} could not be read{}",
                why.unwrap_or_default()
            ),
        )
        .hint("narrow the question down, for example to one resource")
    });
    Ok(FannedOut { found, problem })
}
