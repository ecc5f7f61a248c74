//! Names at a vendor that narrows its lists by letters: what may have one, and what may have been meant.

use serde::de::DeserializeOwned;

use super::{FEW, is_key, list};
use crate::draft::Query;
use crate::failure::{Failure, Kind};
use crate::text;
use crate::vendors::{Known, ListPosition, Listing, NameOrId, Row, VendorReader, offering};

/// Whatever may have, or look like, this name: all there is where that is little, else what has its
/// plain part, since the vendor compares letters and a reader does not.
pub(super) async fn alike<T: Row + DeserializeOwned>(
    reader: &VendorReader<'_>,
    query: Query,
    filter: &'static str,
    name: &str,
) -> Result<Vec<T>, Failure> {
    let few = list(reader, query.clone(), ListPosition::default(), FEW, |_| true).await?;
    if few.next.is_none() {
        return few.complete();
    }
    let query = query.maybe(filter, text::plain_part(name));
    list(reader, query, ListPosition::default(), usize::MAX, |_| true).await?.complete()
}

/// A list that the vendor narrows by letters.
pub(super) struct Names {
    pub query: Query,
    pub filter: &'static str,
}

impl Names {
    /// The failure of a look-up by name, with those that may have been meant: of all there are where they
    /// are few, else of those that parts of the name find. What cannot be read is offered to nobody.
    pub(super) async fn offered<T: Row + DeserializeOwned, K: Known>(
        &self,
        reader: &VendorReader<'_>,
        failure: Failure,
        (what, wanted): (&str, NameOrId<'_>),
        into: fn(T) -> K,
    ) -> Failure {
        let text = wanted.as_str();
        if failure.kind != Kind::Invalid || matches!(wanted, NameOrId::Id(_)) || is_key(text) {
            return failure;
        }
        let few = |query| list::<T>(reader, query, ListPosition::default(), FEW, |_| true);
        let rows = match few(self.query.clone()).await {
            Ok(Listing { rows, next: None, .. }) => rows,
            Ok(_) => {
                let parts = text::parts(wanted.sought()).into_iter();
                let parts = parts.map(|part| few(self.query.clone().with(self.filter, part)));
                let found = futures_util::future::join_all(parts).await;
                found.into_iter().flatten().flat_map(|listing| listing.rows).collect()
            }
            Err(_) => return failure,
        };
        let mut known: Vec<K> = Vec::new();
        for one in rows.into_iter().map(into) {
            if known.iter().all(|other| other.id() != one.id()) {
                known.push(one);
            }
        }
        offering(failure, what, wanted, &known)
    }
}
