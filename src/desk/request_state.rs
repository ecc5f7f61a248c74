//! What a client carries between two calls, the second of which brings a person's answer: the receipt of the
//! request, sealed for its requester and for a while.

use super::Desk;
use super::consent::GOOD;
use crate::failure::Failure;
use crate::requester::Requester;

/// What the seal is for.
const PURPOSE: &str = "request state";

impl Desk {
    /// A receipt for the way through a client and back.
    pub(super) async fn sealed(
        &self,
        receipt: &str,
        requester: &Requester,
    ) -> Result<String, Failure> {
        let end = (crate::clock::now() + GOOD).as_second();
        let seal = self.ledger.seal(PURPOSE, bound(receipt, end, requester).as_bytes()).await?;
        Ok(format!("{receipt}.{end}.{}", crate::text::hex(&seal)))
    }

    /// The receipt that a client brings back.
    ///
    /// # Errors
    /// It was not given out here, to this requester, or it is too old.
    pub(super) async fn unseal(
        &self,
        state: &str,
        requester: &Requester,
    ) -> Result<String, Failure> {
        let wrong = || {
            Failure::refused("requestState is not one that was given out here, or it is too old")
                .hint("call the tool again without it: the person is asked anew")
        };
        let [receipt, end, seal] =
            <[&str; 3]>::try_from(state.split('.').collect::<Vec<_>>()).map_err(|_| wrong())?;
        let is_as_given = |number: &i64| number.to_string() == end;
        let end: i64 = end.parse().ok().filter(is_as_given).ok_or_else(wrong)?;
        let made = self.ledger.seal(PURPOSE, bound(receipt, end, requester).as_bytes()).await?;
        let made = crate::text::hex(&made);
        let same =
            aws_lc_rs::constant_time::verify_slices_are_equal(made.as_bytes(), seal.as_bytes());
        if same.is_err() || end < crate::clock::now().as_second() {
            return Err(wrong());
        }
        Ok(receipt.to_owned())
    }
}

/// What a state is bound to.
fn bound(receipt: &str, end: i64, requester: &Requester) -> String {
    format!("{receipt} {end} {}", requester.name())
}
