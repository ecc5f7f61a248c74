//! RFC 6750 with a token the operator supplies.

use super::{AuthError, Authorize, Boxed, Signed};
use crate::draft::Frozen;
use crate::secret::Secret;
use crate::transport::Wire;

pub struct Bearer {
    pub token: Secret,
}

impl Authorize for Bearer {
    fn sign<'a>(
        &'a self,
        request: &'a Frozen,
        _: &'a Wire,
    ) -> Boxed<'a, Result<Signed, AuthError>> {
        Box::pin(async move {
            let token = self.token.read().await?;
            Ok(Signed::bare(request.clone()).header("authorization", "Bearer ", &token))
        })
    }

    fn forget(&self, _: u64) -> Boxed<'_, ()> {
        Box::pin(self.token.forget())
    }
}
