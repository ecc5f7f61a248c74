//! One tenant: where it is, which credential is used, and what that credential may see.

use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;

use super::report::{Level, Report};
use crate::cache::Cache;
use crate::config::{self, Config, Unready};
use crate::failure::Kind;
use crate::outbound::auth::Trial;
use crate::outbound::{Deadline, Wire};
use crate::secret;
use crate::settings::Need;
use crate::text;
use crate::tools::{Spec, TOOLS};
use crate::vendors::{Check, Tenant, VendorReader};

/// The longest one vendor's checks may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Clocks this far apart make signed requests fail, and ends come at another time than was agreed.
const FAR: SignedDuration = SignedDuration::from_secs(60);

/// Settings as they may be shown.
pub(super) struct Shown<'a> {
    /// Those that could be read, by their names.
    named: Vec<(&'a str, SecretString)>,
    all: Vec<SecretString>,
    /// What was said of them as the settings were read.
    said: &'a [String],
}

impl<'a> Shown<'a> {
    pub(super) fn of(config: &'a Config, trials: impl Iterator<Item = &'a Trial>) -> Self {
        let named = trials.filter_map(|trial| Some((&*trial.name, trial.value.clone()?)));
        let named: Vec<_> = named.collect();
        let read = named.iter().map(|(_, secret)| secret).cloned();
        let all = config.secrets.iter().cloned().chain(read).collect();
        Self { named, all, said: &config.warnings }
    }

    /// A text of the report: a vendor may repeat to it what another's setting holds.
    fn text(&self, text: &str) -> String {
        secret::hide(text.trim_end(), &self.all)
    }

    /// A setting without any secret, and what is wrong with it where that was not said yet.
    fn setting(&self, name: &str, text: &str) -> (String, Option<String>) {
        let misplaced = self
            .named
            .iter()
            .find(|(_, secret)| secret::holds(text, &secret::Sought::whole(secret)));
        let misplaced = misplaced.map(|(secret, _)| config::misplacement(name, secret));
        (secret::hide(text, &self.all), misplaced.filter(|one| !self.said.contains(one)))
    }
}

/// What was found of one thing: a word for it, how it is, and in words.
type Found = (&'static str, Level, String);

pub(super) async fn examine(
    tenant: &Tenant,
    wire: &Wire,
    trials: &[Trial],
    settings: &Shown<'_>,
) -> Report {
    let vendor = tenant.vendor;
    let mut report = Report::default();
    head(&mut report, tenant, settings);
    let deadline = Deadline::after(PATIENCE);
    let reader = VendorReader { tenant, wire, deadline, cache: None, earlier: &[], notes: None };
    let mut found: Vec<Found> = Vec::new();
    found.extend(trials.iter().map(tried));
    let mut ahead = None;
    for check in vendor.checks {
        found.push(examine_one(&reader, check, &mut ahead).await);
    }
    found.extend(ahead.and_then(clock));
    found.extend(examine_aliases(&reader).await);
    for (word, level, text) in found {
        report.add(word, level, settings.text(&text));
    }
    let of = |spec: &&Spec| spec.vendor == Some(vendor.name);
    for spec in TOOLS.iter().map(|tool| tool.spec).filter(of) {
        let (name, needs) = (spec.name, spec.needs);
        let text = format!("{name} needs {needs}; only a change can show that");
        report.add("unseen", Level::Note, text);
    }
    report
}

/// What came of trying a secret. One that may not be what was meant is not well, though it can be read.
fn tried(trial: &Trial) -> Found {
    let Trial { name, found, odd, .. } = trial;
    match (found, odd) {
        (Ok(_), Some(odd)) => ("mend", Level::Look, format!("{name} {odd}")),
        (Ok(what), None) => ("ok", Level::Good, format!("{name} {what}")),
        (Err(error), _) => ("failed", Level::Bad, error.failure().by_doctor().to_string()),
    }
}

/// Where it is, and what is set for it.
fn head(report: &mut Report, tenant: &Tenant, settings: &Shown<'_>) {
    let (base, _) = settings.setting("", tenant.account.base.as_str());
    let read_only = if tenant.read_only { " (read-only)" } else { "" };
    report.title(&title(tenant), Level::Note, &format!("{base}{read_only}"));
    for variable in tenant.vendor.variables {
        let value = if variable.secret {
            tenant.settings.origin(variable.name)
        } else {
            tenant.settings.get(variable.name).map(str::to_owned)
        };
        let Some(value) = value else { continue };
        let name = tenant.settings.called(variable.name);
        let (value, misplaced) = settings.setting(&name, &value);
        report.add(&name, Level::Note, text::clean(&value));
        if let Some(misplaced) = misplaced {
            report.add("mend", Level::Look, misplaced);
        }
    }
}

/// What a tenant is called: its vendor, and the operator's name for it where there is one.
fn title(tenant: &Tenant) -> String {
    let vendor = tenant.vendor.title;
    let Some(name) = &tenant.id.name else { return vendor.to_owned() };
    let title = tenant.title.as_deref().map(|title| format!(", “{}”", text::clean(title)));
    format!("{vendor} ({name}{})", title.unwrap_or_default())
}

async fn examine_one(
    reader: &VendorReader<'_>,
    check: &Check,
    ahead: &mut Option<SignedDuration>,
) -> Found {
    let asked = match (check.query)(reader.tenant) {
        Ok(question) => reader.reply(&question).await.map(|reply| *ahead = Some(reply.ahead)),
        Err(failure) => Err(failure),
    };
    let what = check.permission;
    match asked {
        Ok(()) => ("ok", Level::Good, what.to_owned()),
        Err(failure) if failure.kind == Kind::NotListable => {
            ("unasked", Level::Look, format!("{what}: {}", failure.message))
        }
        Err(failure) => {
            let absent = failure.kind == Kind::NotPermitted && failure.status == Some(403);
            let none = failure.kind == Kind::NotFound;
            if let Some(lost) = check.without.filter(|_| absent || none) {
                let why = if none { "there are none here".to_owned() } else { failure.to_string() };
                let lost = if none { String::new() } else { format!("; without it {lost}") };
                return ("absent", Level::Look, format!("{what}: {why}{lost}"));
            }
            let word = if absent { "absent" } else { "failed" };
            (word, Level::Bad, format!("{what}: {}", failure.by_doctor()))
        }
    }
}

/// That this machine's clock and the vendor's are far apart, where they are.
fn clock(ahead: SignedDuration) -> Option<Found> {
    let far = ahead.abs().as_secs();
    let which = if ahead.is_negative() { "ahead of" } else { "behind" };
    let text = format!(
        "this machine's clock is {far} s {which} the vendor's: signed requests may be refused, and access \
         ends at another time than was agreed to; set it by NTP"
    );
    (ahead.abs() > FAR).then_some(("clock", Level::Look, text))
}

/// Whether each alias of a tenant means somebody there, as far as that can be read.
async fn examine_aliases(reader: &VendorReader<'_>) -> Vec<Found> {
    let names = Cache::lasting(PATIENCE);
    let reader = &VendorReader { cache: Some(&names), ..*reader };
    let (mut found, mut fitting, mut unread): (Vec<Found>, _, _) = (Vec::new(), 0, None);
    for address in reader.tenant.people.addresses() {
        match (reader.tenant.vendor.person)(reader, address).await {
            Ok(_) => fitting += 1,
            Err(failure)
                if matches!(failure.kind, Kind::Invalid | Kind::Ambiguous | Kind::Refused) =>
            {
                found.push(("mend", Level::Bad, failure.to_string()));
            }
            Err(failure) => unread = Some(failure),
        }
    }
    if let Some(failure) = unread {
        found.push(("unasked", Level::Look, format!("aliases: {}", failure.message)));
    } else if fitting > 0 {
        found.push(("ok", Level::Good, format!("aliases of people: {fitting}")));
    }
    found
}

/// A tenant that lacks something.
pub(super) fn lacking(report: &mut Report, unready: &Unready) {
    if unready.absent {
        let needs =
            unready.vendor.variables.iter().filter(|variable| variable.need == Need::Required);
        let needs: Vec<_> = needs.map(|variable| variable.name).collect();
        let about = format!("not configured; needs {}", needs.join(", "));
        report.title(&unready.title(), Level::Note, &about);
        return;
    }
    report.title(&unready.title(), Level::Bad, "half configured");
    for trouble in &unready.troubles {
        report.add("mend", Level::Bad, text::clean(trouble));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_far_apart_are_told_and_which_one_is_ahead() {
        let told = |seconds| clock(SignedDuration::from_secs(seconds)).map(|(.., text)| text);
        assert!(told(120).unwrap().contains("120 s behind the vendor's"));
        assert!(told(-90).unwrap().contains("90 s ahead of the vendor's"));
        assert_eq!([told(0), told(60), told(-60)], [None, None, None]);
    }
}
