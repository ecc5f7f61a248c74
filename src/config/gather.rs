//! Environment and file → settings.

use std::path::Path;

use toml::Value;

use super::Sources;
use super::file::{File, key_of};
use super::paths::of_environment;
use crate::given;
use crate::settings::{Found, Settings, Variable};
use crate::vendors::Vendor;

/// The settings of a vendor: the environment wins over the file, and those of a sandbox over both.
pub(super) fn of_vendor(vendor: &Vendor, sources: &Sources<'_>, file: &File) -> Settings {
    let section = file.vendor(vendor.name).filter(|_| sources.sandbox.is_none());
    let env = |name: &str| match sources.sandbox {
        Some(values) => {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        }
        None => (sources.environment)(name),
    };
    let look = |variable: &'static Variable| {
        let written = section.and_then(|table| table.get(&key_of(vendor.name, variable.name)));
        Some((variable.name, look(variable, &env, written, file)?))
    };
    let found = vendor.variables.iter().filter_map(look).collect();
    Settings::new(vendor.variables, found, section.cloned())
}

/// Those of Grantor itself: `SOME_NAME` is `some_name` under `[grantor]`.
pub(super) fn own(
    variables: &'static [Variable],
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Settings {
    let look = |variable: &'static Variable| {
        let written = file.own(&key_of("grantor", variable.name));
        Some((variable.name, look(variable, env, written, file)?))
    };
    let found = variables.iter().filter_map(look).collect();
    Settings::new(variables, found, None)
}

fn look(
    variable: &Variable,
    env: &dyn Fn(&str) -> Option<String>,
    written: Option<&Value>,
    file: &File,
) -> Option<Found> {
    let direct = env(variable.name);
    if !variable.secret {
        let text = direct.or_else(|| given::filled(written?.as_str()?))?;
        return Some(fit(variable, text, Found::Text));
    }
    let file_variable = format!("{}_FILE", variable.name);
    let inline = |text| fit(variable, text, |text| Found::Inline(text.into()));
    match (direct, of_environment(&file_variable, env)) {
        (Some(_), Ok(Some(_)) | Err(_)) => Some(Found::Twice(file_variable)),
        (Some(value), Ok(None)) => Some(inline(value)),
        (None, Ok(Some(path))) => Some(Found::File(path)),
        (None, Err(trouble)) => Some(Found::Wrong(trouble)),
        (None, Ok(None)) => hidden(variable, written?, env, file),
    }
}

/// A text that may be what was meant, as what it is.
fn fit(variable: &Variable, text: String, found: impl FnOnce(String) -> Found) -> Found {
    match given::unfit(&text) {
        Some(trouble) => Found::Wrong(format!("{} {trouble}", variable.name)),
        None => found(text),
    }
}

fn hidden(
    variable: &Variable,
    value: &Value,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Option<Found> {
    let inline = |text| fit(variable, text, |text| Found::Inline(text.into()));
    if let Some(text) = value.as_str() {
        return given::filled(text).map(inline);
    }
    if let Some(name) = value.get("env").and_then(Value::as_str) {
        return Some(env(name).map_or_else(|| Found::Unset(name.to_owned()), inline));
    }
    if let Some(path) = value.get("file").and_then(Value::as_str) {
        let wrong = |trouble| Found::Wrong(format!("{}: {trouble}", variable.name));
        if let Some(trouble) = given::odd_path(path) {
            return Some(wrong(format!("its file {trouble}")));
        }
        return Some(file.below(Path::new(path), env).map_or_else(wrong, Found::File));
    }
    let line = value.get("command")?.as_array()?;
    Some(Found::Command(line.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect()))
}
