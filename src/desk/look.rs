//! One look: rows of all the vendors that are asked.

use std::sync::Arc;

use serde_json::Value;

use super::{Answer, Call, Desk};
use crate::ledger::told_to;
use crate::outbound::{CALL, Deadline};
use crate::requester::Requester;
use crate::tools::list_roles::ListRoles;
use crate::tools::{Look as _, LookContext, LookFn, Tool};
use crate::vendors::Tenant;

/// Where a row says by which receipt access was given.
const RECEIPT: &str = "receipt";

impl Desk {
    /// Asks vendors and changes nothing.
    pub(super) async fn look(
        &self,
        tool: &Tool,
        look: LookFn,
        call: Call,
        named: Option<&str>,
    ) -> Answer {
        let context = self.look_context(named);
        let arguments = Value::Object(call.arguments);
        let shared = (tool.spec.name == ListRoles::SPEC.name)
            .then(|| format!("{} {arguments}", named.unwrap_or_default()));
        let answer = async {
            let answer = match look(arguments, context).await {
                Ok(mut rows) => {
                    rows.troubles = told_to(&call.requester, rows.troubles);
                    self.hide_receipts(&mut rows.rows, &call.requester).await;
                    Answer::rows(rows)
                }
                Err(failure) => Answer::unasked(&failure),
            };
            answer.finish(self.config.sandbox)
        };
        let Some(question) = shared else { return answer.await };
        let shared = self.roles.answer(question, async { Arc::new(answer.await) }).await;
        Answer::clone(&shared)
    }

    /// Takes the receipts out of rows that are not for a caller to see: that there is access is the vendor's word,
    /// and who asked for it is not.
    async fn hide_receipts(&self, rows: &mut [Value], to: &Requester) {
        if to.caller().is_none() {
            return;
        }
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            let Some(receipt) = row.get(RECEIPT).and_then(Value::as_str) else { continue };
            if !self.may_see(receipt, to).await.unwrap_or(false) {
                row.shift_remove(RECEIPT);
            }
        }
    }

    /// Whom a look asks: the tenant that is named, or all.
    pub(super) fn look_context(&self, named: Option<&str>) -> LookContext<'_> {
        let is_asked = |tenant: &&Tenant| named.is_none_or(|name| tenant.id.word() == name);
        let tenants = self.config.tenants.iter().filter(is_asked).collect();
        let (unready, wire) = (&self.config.unready, &self.wire);
        let deadline = Deadline::after(CALL);
        LookContext { tenants, unready, wire, ledger: &self.ledger, deadline }
    }
}
