//! RFC 7617: user name and password in every request.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::{AuthError, Authorize, Signed, Trial};
use crate::outbound::{Frozen, Wire};
use crate::secret::{Secret, expose};

pub struct Basic {
    pub username: String,
    pub password: Secret,
}

impl Authorize for Basic {
    fn sign<'a>(
        &'a self,
        request: &'a Frozen,
        _: &'a Wire,
    ) -> BoxFuture<'a, Result<Signed, AuthError>> {
        Box::pin(async move {
            let password = self.password.read().await?;
            let pair = format!("{}:{}", self.username, expose(&password));
            let proof = SecretString::from(BASE64_STANDARD.encode(pair));
            let signed = Signed::bare(request.clone()).header("authorization", "Basic ", &proof);
            Ok(signed.hiding(&password))
        })
    }

    fn trials(&self) -> BoxFuture<'_, Vec<Trial>> {
        Box::pin(async move { vec![Trial::reading(&self.password).await] })
    }

    fn forget(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(self.password.forget())
    }
}
