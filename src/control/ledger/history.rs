//! What was done before a change and after it, for those that overlap.

use jiff::Timestamp;

use super::shelf::Changes;
use super::{Ledger, Record};
use crate::failure::Failure;

impl Ledger {
    /// The timed changes that stand, whether their time has come or not.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn standing(&self) -> Result<Vec<Record>, Failure> {
        self.due(Timestamp::MAX).await
    }

    /// The changes that were opened from then on, or whose end was moved, in the order in which they were
    /// opened.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn since(&self, then: Timestamp) -> Result<Vec<Record>, Failure> {
        let mut records = self.changes(Changes::Recent(then)).await?;
        let is_moved = |record: &Record| record.extended.iter().any(|moved| moved.at >= then);
        records.retain(|record| record.opened() >= then || is_moved(record));
        records.sort_by_key(Record::opened);
        Ok(records)
    }
}
