//! RFC 6750 with a token the operator supplies.

use serde_json::Value;

use super::{AuthError, Authorize, Boxed, Signed, Trial, claims};
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
            let token = self.token.token().await?;
            Ok(Signed::bare(request.clone()).header("authorization", "Bearer ", &token))
        })
    }

    fn trials(&self) -> Boxed<'_, Vec<Trial>> {
        Box::pin(async move { vec![Trial::token(&self.token).await] })
    }

    fn forget(&self, _: u64) -> Boxed<'_, ()> {
        Box::pin(self.token.forget())
    }

    fn claims<'a>(&'a self, _: &'a Wire) -> Boxed<'a, Option<Value>> {
        Box::pin(async move { claims(&self.token.token().await.ok()?) })
    }
}
