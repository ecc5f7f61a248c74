//! A grant that takes the place of what stands there: that is taken, the new one given, and the old one given
//! back where the new one is known not to have come about.

use serde_json::{Map, Value};

use super::Desk;
use super::change::{Fallback, Wish};
use crate::failure::Failure;
use crate::intent::Effect;
use crate::outbound::{CALL, Deadline};
use crate::tools::{COMMON, Inverse, LASTING, Replacement, Run, Step, Tool};
use crate::vendors::VendorReader;

/// The argument that asks for it.
const REPLACE: &str = "replace";

impl Desk {
    /// The wish as it is, or, where it is to replace what stands, the changes that come to that: of each access
    /// what is taken, what is given, and what is given back otherwise.
    ///
    /// # Errors
    /// A name means nothing or several things, or the access there is cannot be read.
    pub(super) async fn replacing<'a>(
        &'a self,
        mut wish: Wish<'a>,
    ) -> Result<Vec<Wish<'a>>, Failure> {
        let is_known = wish.tool.spec.effect == Effect::Grant;
        if !is_known || wish.arguments.shift_remove(REPLACE) != Some(Value::Bool(true)) {
            return Ok(vec![wish]);
        }
        let Run::Change { resolve, .. } = wish.tool.run else { return Ok(vec![wish]) };
        let (deadline, cache) = (Deadline::after(CALL), Some(&self.names));
        let (tenant, wire) = (wish.tenant, &self.wire);
        let reader = VendorReader { tenant, wire, deadline, cache, earlier: &[], notes: None };
        let is_own = |(name, _): &(&String, &Value)| !is_shared(name);
        let own =
            wish.arguments.iter().filter(is_own).map(|(name, one)| (name.clone(), one.clone()));
        let steps = resolve(Value::Object(own.collect()), &reader).await?;
        let mut found = Vec::new();
        for step in &steps {
            let now = step.current(&reader).await?;
            found.push(step.replacement(&now));
        }
        if found.iter().all(Option::is_none) {
            return Ok(vec![wish]);
        }
        let mut wishes = Vec::new();
        for (step, replacement) in steps.iter().zip(found) {
            wishes.extend(self.in_place(&wish, step.as_ref(), replacement).await?);
        }
        Ok(wishes)
    }

    /// One access of a wish by its ids, in the place of what stands there.
    async fn in_place<'a>(
        &'a self,
        wish: &Wish<'a>,
        step: &dyn Step,
        replacement: Option<Replacement>,
    ) -> Result<Vec<Wish<'a>>, Failure> {
        let shared = wish.arguments.iter().filter(|(name, _)| is_shared(name));
        let shared: Map<_, _> = shared.map(|(name, one)| (name.clone(), one.clone())).collect();
        let mut own = step.arguments().as_object().cloned().unwrap_or_default();
        own.extend(shared.clone());
        let give = Wish::new(wish.tool, wish.tenant, own);
        let Some(Replacement { take, back }) = replacement else { return Ok(vec![give]) };
        let because = |change: Inverse| -> Result<(&'static Tool, Map<String, Value>), Failure> {
            let mut arguments = change.arguments.as_object().cloned().unwrap_or_default();
            let kept = shared.iter().filter(|(name, _)| !LASTING.contains(&name.as_str()));
            arguments.extend(kept.map(|(name, one)| (name.clone(), one.clone())));
            Ok((self.known_tool(change.tool)?, arguments))
        };
        let (taking, taken) = because(take)?;
        let (giving, given) = because(back)?;
        let take = Wish::new(taking, wish.tenant, taken);
        let back = Wish { fallback: Some(Fallback), ..Wish::new(giving, wish.tenant, given) };
        Ok(vec![take, give, back])
    }
}

/// Whether an argument is one that other tools have too, and no part of what this one changes.
fn is_shared(name: &str) -> bool {
    LASTING.contains(&name) || COMMON.contains(&name)
}
