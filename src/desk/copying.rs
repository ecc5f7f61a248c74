//! What there is to give somebody so that they hold what another holds.

use jiff::Timestamp;
use serde_json::Value;

use super::expanding::{Expansion, cached, locked};
use super::holders::{Holder, Person};
use super::task::Expanded;
use super::{Call, Desk};
use crate::access::Access;
use crate::argument::{Duration, Name};
use crate::failure::{Failure, Kind};
use crate::text::{self, Word};
use crate::tools::copy_access::CopyAccess;
use crate::tools::{LASTING, giving, parse};
use crate::vendors::Tenant;

/// What holds for all that is copied.
struct Terms {
    except: Vec<Name>,
    /// How long it may last at most, as it is given and as it is read.
    expires_in: Option<(Value, Duration)>,
    now: Timestamp,
}

impl Desk {
    /// A wish for each access that one holds directly and another lacks.
    pub(super) async fn copy(&self, call: &Call) -> Result<(Expansion<'_>, bool), Failure> {
        let arguments = parse(Value::Object(call.arguments.clone()))?;
        let CopyAccess { from, to, vendor, except, reason, dry_run, expires_in } = arguments;
        let tenants = cached(self.tenants_asked(vendor)?);
        let [from, to] = [("from", &from), ("to", &to)]
            .map(|(argument, name)| Person { argument, name: name.as_str() });
        let (givers, getters) =
            tokio::join!(self.holders(&tenants, from, call), self.holders(&tenants, to, call));
        let (givers, getters) = Failure::both(givers, getters)?;
        let given = call.arguments.get(LASTING[0]).cloned();
        let terms = Terms {
            except: except.unwrap_or_default(),
            expires_in: given.zip(expires_in),
            now: self.now(),
        };
        terms.check(&givers)?;
        let mut expansion = Expansion::new(reason);
        let pairs = givers.into_iter().zip(getters);
        for ((tenant, _), (giver, getter)) in tenants.iter().zip(pairs) {
            match giver {
                Ok(giver) => copy_at(&mut expansion, tenant, &giver, getter, &terms)?,
                Err(failure) => expansion.unknown(tenant, &failure),
            }
        }
        Ok((expansion, dry_run.unwrap_or(false)))
    }
}

/// What there is to copy at one tenant.
///
/// # Errors
/// Both are one.
fn copy_at<'a>(
    expansion: &mut Expansion<'a>,
    tenant: &'a Tenant,
    giver: &Holder,
    getter: Result<Holder, Failure>,
    terms: &Terms,
) -> Result<(), Failure> {
    for trouble in &giver.troubles {
        expansion.unknown(tenant, trouble);
    }
    let wanted = giver.rows.iter().filter(|row| !terms.excepts(row));
    let getter = match getter {
        Ok(getter) => getter,
        // Whom nobody knows is given nothing; what would be given is said.
        Err(failure) if failure.kind == Kind::Invalid => {
            wanted.for_each(|row| expansion.against(tenant, row, failure.clone()));
            return Ok(());
        }
        Err(failure) => {
            expansion.unknown(tenant, &failure);
            return Ok(());
        }
    };
    if giver.who.is(&getter.who) {
        let trouble = format!("{} is from as well", getter.who.label());
        return Err(Failure::invalid(trouble).of("to").hint("name two people"));
    }
    let mut is_idle = giver.troubles.is_empty();
    for row in wanted {
        if let Some(locked) = locked(tenant) {
            expansion.against(tenant, row, locked);
            is_idle = false;
            continue;
        }
        let change = giving(tenant.vendor, row, &getter.who, &getter.rows);
        let change = change.and_then(|change| match change {
            Some(change) => Ok(Some((change, terms.end(row)?))),
            None => Ok(None),
        });
        is_idle &= matches!(change, Ok(None));
        match change {
            Ok(None) => {}
            Ok(Some((change, end))) => {
                let notes = giver.notes.iter().chain(&getter.notes).cloned().collect();
                expansion.wish(tenant, change, Expanded::giving(row, &getter.who, notes), end);
            }
            Err(failure) => expansion.against(tenant, row, failure),
        }
    }
    if is_idle {
        expansion.idle(tenant);
    }
    Ok(())
}

impl Terms {
    fn excepts(&self, row: &Access) -> bool {
        self.except.iter().any(|name| is_called(row, name.as_str()))
    }

    /// Makes sure that each exception is one: what is misspelt would be copied.
    fn check(&self, givers: &[Result<Holder, Failure>]) -> Result<(), Failure> {
        let is_known = |failure: &Failure| failure.kind == Kind::Invalid;
        let is_all = |one: &Result<Holder, Failure>| match one {
            Ok(holder) => holder.troubles.iter().all(|one| one.kind == Kind::NotListable),
            Err(failure) => is_known(failure) || failure.kind == Kind::NotListable,
        };
        // What cannot be read is not copied either.
        if !givers.iter().all(is_all) {
            return Ok(());
        }
        let rows: Vec<_> = givers.iter().flatten().flat_map(|holder| &holder.rows).collect();
        let is_none = |name: &&Name| !rows.iter().any(|row| is_called(row, name.as_str()));
        let strange = self.except.iter().enumerate().filter(|(_, name)| is_none(name));
        let wrong = strange.map(|(index, name)| {
            let name = text::quote(Word::Caller, name.as_str());
            Err(Failure::invalid(format!("nothing that is held has the id or exact name {name}"))
                .of(&format!("except[{index}]"))
                .hint("list_access shows what is held, by role and resource"))
        });
        Failure::every::<()>(wrong).map(|_| ())
    }

    /// When what is copied ends: as what it is copied from, or sooner.
    ///
    /// # Errors
    /// That has ended, or its end cannot be read.
    fn end(&self, row: &Access) -> Result<Option<(&'static str, Value)>, Failure> {
        let shorter = self.expires_in.as_ref().map(|(given, _)| (LASTING[0], given.clone()));
        let Some(end) = row.expires_at.as_deref() else { return Ok(shorter) };
        let shown = text::quoted(end);
        let Ok(end) = end.parse::<Timestamp>() else {
            return Err(Failure::refused(format!("its end cannot be read: {shown}"))
                .hint("grant it by itself, with an end"));
        };
        if end <= self.now {
            return Err(Failure::refused(format!("it ended at {shown}, and is still listed"))
                .hint("check_change shows which ends are overdue"));
        }
        let is_sooner = |(_, lasts): &(Value, Duration)| {
            lasts.after(self.now).is_some_and(|sooner| sooner < end)
        };
        let shorter = shorter.filter(|_| self.expires_in.as_ref().is_some_and(is_sooner));
        Ok(Some(shorter.unwrap_or_else(|| (LASTING[1], end.to_string().into()))))
    }
}

/// Whether a row's role or resource has this id or exact name.
fn is_called(row: &Access, name: &str) -> bool {
    [&row.role, &row.resource].into_iter().any(|one| {
        one.id == name || one.name.as_deref().is_some_and(|own| text::same_name(own, name))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::Named;

    fn row(end: Option<&str>) -> Access {
        let named = |id: &str, name: &str| Named::new(id, Some(name.to_owned()), "asset");
        let (role, orders) = (named("r-1", "Developer"), named("a-1", "Orders"));
        Access {
            expires_at: end.map(str::to_owned),
            ..Access::of(named("ana", "Ana"), role, orders, "asset")
        }
    }

    fn terms(expires_in: Option<&str>) -> Terms {
        let expires_in =
            expires_in.map(|text| (json!(text), serde_json::from_value(json!(text)).unwrap()));
        Terms { except: Vec::new(), expires_in, now: "2026-01-01T00:00:00Z".parse().unwrap() }
    }

    /// An end is kept, and never put off.
    #[test]
    fn what_is_copied_ends_as_what_it_is_copied_from_or_sooner() {
        for (end, expires_in, told) in [
            (None, None, "never"),
            (None, Some("P7D"), r#"expires_in "P7D""#),
            (Some("2026-02-01T00:00:00Z"), None, r#"expires_at "2026-02-01T00:00:00Z""#),
            (Some("2026-02-01T00:00:00+01:00"), None, r#"expires_at "2026-01-31T23:00:00Z""#),
            (Some("2026-02-01T00:00:00Z"), Some("P7D"), r#"expires_in "P7D""#),
            (Some("2026-01-03T00:00:00Z"), Some("P7D"), r#"expires_at "2026-01-03T00:00:00Z""#),
            (
                Some("2026-01-01T00:00:00Z"),
                None,
                "it ended at “2026-01-01T00:00:00Z”, and is still listed",
            ),
            (Some("soon"), Some("P7D"), "its end cannot be read: “soon”"),
        ] {
            let found = match terms(expires_in).end(&row(end)) {
                Ok(Some((name, value))) => format!("{name} {value}"),
                Ok(None) => "never".to_owned(),
                Err(failure) => failure.message,
            };
            assert_eq!(found, told, "{end:?} {expires_in:?}");
        }
    }

    #[test]
    fn an_exception_is_a_role_or_a_resource_by_its_exact_name_or_id() {
        for (name, is) in [
            ("Orders", true),
            ("a-1", true),
            ("Developer", true),
            ("r-1", true),
            ("Order", false),
            ("orders", false),
            ("Ana", false),
        ] {
            assert_eq!(is_called(&row(None), name), is, "{name}");
        }
    }

    /// What is misspelt would be copied: nothing is, unless not all could be read.
    #[test]
    fn an_exception_that_excepts_nothing_is_no_exception() {
        let holder = |trouble: Option<Kind>| {
            let troubles = trouble.map(|kind| Failure::new(kind, "no")).into_iter().collect();
            let (who, notes) = (row(None).principal, Vec::new());
            Ok(Holder { who, rows: vec![row(None)], troubles, notes })
        };
        let down = || Err(Failure::new(Kind::Unavailable, "down"));
        let nobody = || Err(Failure::invalid("nobody"));
        for (name, givers, fits) in [
            ("Orders", vec![holder(None), nobody()], true),
            ("Ordrs", vec![holder(None), nobody()], false),
            ("Ordrs", vec![holder(Some(Kind::NotListable))], false),
            ("Ordrs", vec![holder(Some(Kind::RateLimited))], true),
            ("Ordrs", vec![holder(None), down()], true),
        ] {
            let except = vec![serde_json::from_value(json!(name)).unwrap()];
            let checked = Terms { except, ..terms(None) }.check(&givers);
            assert_eq!(checked.is_ok(), fits, "{name}");
        }
    }
}
