//! Settings → tenants that can be asked, told apart where a vendor has several.

use super::tenants::Declared;
use super::{Config, ConfigError, Unready};
use crate::settings::Settings;
use crate::vendors::{People, Tenant, TenantId, VENDORS};

impl Config {
    pub(super) fn add(
        &mut self,
        declared: Declared<'_>,
        settings: Settings,
        people: People,
        has_floor: bool,
    ) {
        let Declared { vendor, name, title, read_only, formerly, floor, barred, .. } = declared;
        self.warnings.extend(settings.warnings());
        let mut troubles = settings.wrong();
        let connected = (vendor.connect)(&settings);
        if let Some(why) = barred.filter(|_| !settings.is_empty()) {
            troubles.insert(0, why);
        }
        match connected {
            Ok(account) if troubles.is_empty() => {
                let base = account.base.as_str();
                let place = if self.sandbox { "sandbox" } else { base }.to_owned();
                let id = TenantId { vendor: vendor.name, place, name, formerly };
                // Where there is an administrator's file, nobody else's names are facts.
                let is_fact = floor.is_some() || !has_floor;
                let told = if is_fact { id.word() } else { vendor.name }.to_owned();
                let is_one_of_several = false;
                self.tenants.push(Tenant {
                    vendor,
                    id,
                    title,
                    read_only,
                    is_one_of_several,
                    told,
                    account,
                    settings,
                    people,
                });
            }
            connected => {
                let absent = name.is_none() && settings.is_empty();
                let found = connected.err().unwrap_or_default().into_iter();
                let more = found.filter(|one| !troubles.contains(one));
                let more: Vec<_> = more.collect();
                troubles.extend(more);
                self.unready.push(Unready { vendor, name, absent, troubles });
            }
        }
    }

    /// Finds the vendors of which there are several tenants, whether all of them are ready or not.
    ///
    /// # Errors
    /// Two are one under two names.
    pub(super) fn tell_apart(&mut self) -> Result<(), ConfigError> {
        for vendor in VENDORS {
            let half = |one: &&Unready| one.vendor.name == vendor.name && !one.absent;
            let half = self.unready.iter().filter(half).count();
            let own = |tenant: &&mut Tenant| tenant.vendor.name == vendor.name;
            let mut ready: Vec<_> = self.tenants.iter_mut().filter(own).collect();
            let several = half + ready.len() > 1;
            for (index, one) in ready.iter().enumerate() {
                let same = |other: &&&mut Tenant| {
                    other.id.place == one.id.place && other.settings.is_same(&one.settings)
                };
                if let Some(other) = ready.iter().take(index).find(same) {
                    return Err(ConfigError(format!(
                        "{} and {} are one tenant of {}: the same place and the same credential; \
                         keep one of them, and give it the other's name with `formerly`",
                        other.id.word(),
                        one.id.word(),
                        vendor.name
                    )));
                }
            }
            ready.iter_mut().for_each(|one| one.is_one_of_several = several);
        }
        // What nobody set is nothing to be told of where the vendor has tenants of other names.
        let named: Vec<_> = self.tenants.iter().map(|tenant| tenant.vendor.name).collect();
        let named_half: Vec<_> =
            self.unready.iter().filter(|one| !one.absent).map(|one| one.vendor.name).collect();
        self.unready.retain(|one| {
            let name = one.vendor.name;
            !one.absent || !(named.contains(&name) || named_half.contains(&name))
        });
        Ok(())
    }
}

impl Unready {
    /// What it is called where a person reads of it.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.vendor.title),
            None => self.vendor.title.to_owned(),
        }
    }

    /// The same where a program does.
    pub fn word(&self) -> &str {
        self.name.as_deref().unwrap_or(self.vendor.name)
    }
}
