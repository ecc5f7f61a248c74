//! Environment and file → settings.

use std::path::Path;

use toml::{Table, Value};

use super::Sources;
use super::file::{File, key_of};
use super::paths::of_environment;
use super::tenants::Declared;
use crate::input;
use crate::secret::{Secret, SecretSource, is_secret};
use crate::settings::{self, Found, Settings, Variable};

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The settings of a tenant: what the administrator's file says of it wins over the environment, and that
/// over the operator's file; those of a sandbox win over all. The variables of the environment are of the
/// tenant that is named as its vendor.
pub(super) fn of_tenant(
    tenant: &Declared<'_>,
    sources: &Sources<'_>,
    file: &File,
    floor: &File,
) -> Settings {
    let vendor = tenant.vendor;
    let env = |name: &str| match sources.sandbox {
        Some(values) => {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        }
        None => (sources.environment)(name),
    };
    let section = tenant.name.as_deref();
    let look = |variable: &'static Variable| {
        let key = key_of(vendor.name, variable.name);
        let of = |table: Option<&'_ Table>| table.and_then(|table| table.get(&key)).cloned();
        let called = settings::called(section, variable.name);
        let look = |env, written: Option<&Value>, file| {
            look(variable, &called, env, (sources.environment, written), file)
        };
        let bound = of(tenant.floor).and_then(|written| look(&|_| None, Some(&written), floor));
        let found = bound.or_else(|| match section {
            None => look(&env, of(tenant.own).as_ref(), file),
            Some(_) => look(&|_| None, of(tenant.own).as_ref(), file),
        });
        Some((variable.name, found?))
    };
    let found = vendor.variables.iter().filter_map(look).collect();
    let mut table = tenant.own.cloned();
    if let Some(bound) = tenant.floor {
        table.get_or_insert_default().extend(bound.clone());
    }
    Settings::new(vendor.variables, found, table).of(section)
}

/// Those of Grantor itself: `SOME_NAME` is `some_name` under `[grantor]`.
pub(super) fn own(
    variables: &'static [Variable],
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Settings {
    let look = |variable: &'static Variable| {
        let written = file.own(&key_of("grantor", variable.name));
        Some((variable.name, look(variable, variable.name, env, (env, written), file)?))
    };
    let found = variables.iter().filter_map(look).collect();
    Settings::new(variables, found, None)
}

/// `env` has the setting itself; what is written may name other variables.
fn look(
    variable: &Variable,
    called: &str,
    env: Environment<'_>,
    (others, written): (Environment<'_>, Option<&Value>),
    file: &File,
) -> Option<Found> {
    let direct = env(variable.name);
    if !variable.secret {
        let text = direct.or_else(|| input::filled(written?.as_str()?))?;
        if let Some(what) = is_secret(&text) {
            let told = "which belongs in the setting for it: it is neither shown nor sent";
            return Some(Found::Wrong(format!("{called} holds {what}, {told}")));
        }
        return Some(fit(called, text, Found::Text));
    }
    let file_variable = format!("{}_FILE", variable.name);
    let inline = |text| fit(called, text, |text| Found::Inline(text.into()));
    match (direct, of_environment(&file_variable, env)) {
        (Some(_), Ok(Some(_)) | Err(_)) => Some(Found::Twice(file_variable)),
        (Some(value), Ok(None)) => Some(inline(value)),
        (None, Ok(Some(path))) => Some(Found::File(path)),
        (None, Err(trouble)) => Some(Found::Wrong(trouble)),
        (None, Ok(None)) => hidden(called, written?, others, file),
    }
}

/// A text that may be what was meant, as what it is.
fn fit(called: &str, text: String, found: impl FnOnce(String) -> Found) -> Found {
    match input::unfit(&text) {
        Some(trouble) => Found::Wrong(format!("{called} {trouble}")),
        None => found(text),
    }
}

/// A secret that is none of a vendor's, by where it is.
///
/// # Errors
/// It cannot be told.
pub(super) fn secret(
    called: &str,
    value: &Value,
    env: Environment<'_>,
    file: &File,
) -> Result<Secret, String> {
    let origin = match hidden(called, value, env, file) {
        Some(Found::Inline(value)) => SecretSource::Inline(value),
        Some(Found::File(path)) => SecretSource::File(path),
        Some(Found::Command(line)) => SecretSource::Command(line),
        Some(Found::Unset(other)) => {
            return Err(format!("{called} refers to {other}, which is not set"));
        }
        Some(Found::Wrong(trouble)) => return Err(trouble),
        Some(Found::Text(_) | Found::Twice(_)) | None => {
            return Err(format!("{called} does not say where it is"));
        }
    };
    Ok(Secret::new(called, origin))
}

fn hidden(
    called: &str,
    value: &Value,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Option<Found> {
    let inline = |text| fit(called, text, |text| Found::Inline(text.into()));
    if let Some(text) = value.as_str() {
        return input::filled(text).map(inline);
    }
    if let Some(name) = value.get("env").and_then(Value::as_str) {
        return Some(env(name).map_or_else(|| Found::Unset(name.to_owned()), inline));
    }
    if let Some(path) = value.get("file").and_then(Value::as_str) {
        let wrong = |trouble| Found::Wrong(format!("{called}: {trouble}"));
        if let Some(trouble) = input::odd_path(path) {
            return Some(wrong(format!("its file {trouble}")));
        }
        return Some(file.below(Path::new(path), env).map_or_else(wrong, Found::File));
    }
    let line = value.get("command")?.as_array()?;
    Some(Found::Command(line.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect()))
}
