//! RFC 6750 with a token the operator supplies.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{AuthError, Authorize, Signed, Trial, claims};
use crate::outbound::{Frozen, Wire};
use crate::secret::Secret;

pub struct Bearer {
    pub token: Secret,
}

impl Authorize for Bearer {
    fn sign<'a>(
        &'a self,
        request: &'a Frozen,
        _: &'a Wire,
    ) -> BoxFuture<'a, Result<Signed, AuthError>> {
        Box::pin(async move {
            let token = self.token.token().await?;
            Ok(Signed::bare(request.clone()).header("authorization", "Bearer ", &token))
        })
    }

    fn trials(&self) -> BoxFuture<'_, Vec<Trial>> {
        Box::pin(async move { vec![Trial::token(&self.token).await] })
    }

    fn forget(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(self.token.forget())
    }

    fn claims<'a>(&'a self, _: &'a Wire) -> BoxFuture<'a, Option<Value>> {
        Box::pin(async move { claims(&self.token.token().await.ok()?) })
    }
}
