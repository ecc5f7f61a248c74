//! Tools × configured vendors: what is listed, and what a name means.

mod recalled;
mod supposed;
mod untold;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

pub use recalled::{Recalled, recalled};
pub use supposed::Supposed;

use crate::config::Config;
use crate::failure::Failure;
use crate::schema;
use crate::text::{self, Word};
pub use crate::tools::Tool;
use crate::tools::{Effect, Run, TOOLS};
use crate::vendors::Tenant;

/// What the name of a tool means in this configuration.
pub enum Found {
    Unknown,
    /// Known, and switched off here.
    Off(&'static Tool, Failure),
    On(&'static Tool),
}

/// The tool of this name.
pub fn find(name: &str, config: &Config) -> Found {
    let Some(tool) = TOOLS.iter().find(|tool| tool.spec.name == name) else {
        return Found::Unknown;
    };
    match off(tool, config) {
        Some(failure) => Found::Off(tool, failure),
        None => Found::On(tool),
    }
}

/// The tools that are on, in their order.
pub fn listed(config: &Config) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(|tool| off(tool, config).is_none())
}

/// Why a tool is off, if it is.
fn off(tool: &Tool, config: &Config) -> Option<Failure> {
    let name = tool.spec.name;
    if tool.spec.effect.writes() && config.read_only {
        return Some(
            Failure::refused(format!("{name} changes access, and this server is read-only"))
                .hint("an administrator starts it without --read-only and GRANTOR_READ_ONLY"),
        );
    }
    let Some(vendor) = tool.spec.vendor else {
        return config.nobody().map(|why| {
            Failure::invalid(format!("{name} has no vendor to ask: {why}"))
                .hint("`grantor doctor` says what each vendor needs")
        });
    };
    let mut tenants = config.tenants_of(vendor).peekable();
    if tenants.peek().is_some() {
        let locked = tenants.all(|tenant| tenant.read_only);
        return locked.then(|| read_only(name, config.tenants_of(vendor)));
    }
    let Some(missing) = config.troubles(vendor) else {
        let trouble = format!("{name} needs {vendor}, which is left out here");
        return Some(Failure::invalid(trouble).hint(format!(
            "start without --vendor and GRANTOR_VENDORS (`vendors` in the configuration file), or \
             name {vendor} there"
        )));
    };
    let missing = missing.join("; ");
    Some(
        Failure::invalid(format!("{name} needs {vendor}, which is not configured: {missing}"))
            .hint("set what is missing and restart; `grantor doctor` checks it"),
    )
}

/// What is said of a change where nothing may be changed.
pub fn read_only<'t>(tool: &str, tenants: impl Iterator<Item = &'t Tenant>) -> Failure {
    let names: Vec<_> = tenants.map(|tenant| tenant.id.word()).collect();
    let names = names.join(", ");
    Failure::refused(format!("{tool} changes access, and {names} is read-only here"))
        .hint("an administrator opens it in its section of the configuration file")
}

/// The argument that names a tenant.
pub const TENANT: &str = "tenant";

/// Whether a tool is for vendors, or one vendor, so that a tenant can be named.
pub fn takes_tenant(tool: &str) -> bool {
    TOOLS.iter().any(|known| known.spec.name == tool && names_tenants(known))
}

fn names_tenants(tool: &Tool) -> bool {
    matches!(tool.run, Run::Look(_) | Run::Change { .. } | Run::Check)
}

/// The tenants that a tool can be called for.
fn tenants<'c>(tool: &'c Tool, config: &'c Config) -> impl Iterator<Item = &'c Tenant> {
    let fits = |tenant: &&Tenant| {
        names_tenants(tool) && tool.spec.vendor.is_none_or(|vendor| tenant.vendor.name == vendor)
    };
    config.tenants.iter().filter(fits)
}

/// What the arguments of a tool may be in this configuration: where a vendor has several tenants, one
/// is named.
fn input<'c>(tool: &'c Tool, config: &'c Config) -> Cow<'c, Value> {
    if !tenants(tool, config).any(|tenant| tenant.is_one_of_several) {
        return Cow::Borrowed(&tool.schema);
    }
    let names: Vec<_> = tenants(tool, config).map(|tenant| tenant.id.word()).collect();
    let mut input = tool.schema.clone();
    let argument = json!({ "properties": { TENANT: { "type": "string", "enum": names } } });
    input = schema::with(input, &argument);
    if tool.spec.effect.writes() {
        let required =
            input.as_object_mut().map(|root| root.entry("required").or_insert(json!([])));
        if let Some(Value::Array(required)) = required {
            required.push(TENANT.into());
        }
    }
    Cow::Owned(input)
}

/// The arguments of a call as its tool wants them, and the tenant that they name. `at` is their path, where
/// they stand inside others.
///
/// # Errors
/// All that does not fit, at once.
pub fn fit(
    tool: &Tool,
    config: &Config,
    at: &str,
    mut arguments: Map<String, Value>,
) -> Result<(Map<String, Value>, Option<String>), Failure> {
    let own = |argument: &str| match at {
        "" => argument.to_owned(),
        at => format!("{at}.{argument}"),
    };
    let input = input(tool, config);
    let mut named = None;
    let given = arguments.get(TENANT).and_then(Value::as_str).map(str::trim);
    if matches!(input, Cow::Borrowed(_))
        && names_tenants(tool)
        && let Some(given) = given.filter(|given| !given.is_empty())
    {
        // Where there is but one, it may be named all the same.
        if !tenants(tool, config).any(|tenant| tenant.id.word() == given) {
            let words: Vec<_> = tenants(tool, config).map(|tenant| tenant.id.word()).collect();
            let given = text::quote(Word::Caller, given);
            let trouble =
                format!("there is no tenant {given} here; there are {}", words.join(", "));
            return Err(Failure::invalid(trouble).of(&own(TENANT)));
        }
        named = Some(given.to_owned());
        arguments.shift_remove(TENANT);
    }
    let mut fitted = crate::tools::fit_as(tool, &input, at, arguments)?;
    let given = fitted.shift_remove(TENANT);
    let named = named.or_else(|| Some(given?.as_str()?.to_owned()));
    let vendor = fitted.get("vendor").and_then(Value::as_str).filter(|_| named.is_some());
    let of = tenants(tool, config).find(|one| Some(one.id.word()) == named.as_deref());
    if let (Some(vendor), Some(tenant)) = (vendor, of)
        && tenant.vendor.name != vendor
    {
        let of = tenant.vendor.name;
        return Err(Failure::invalid(format!("is a tenant of {of}, and the vendor is {vendor}"))
            .of(&own(TENANT))
            .hint("give one of the two"));
    }
    Ok((fitted, named))
}

/// A tool exactly as `tools/list` serves it in this configuration.
pub fn served(tool: &Tool, config: &Config) -> Value {
    let mut input = input(tool, config).into_owned();
    if let Some(Value::Array(vendors)) = input.pointer_mut("/properties/vendor/enum") {
        // Whoever names another all the same is told what it lacks.
        let is_here = |name: &Value| config.tenants.iter().any(|one| name == one.vendor.name);
        vendors.retain(is_here);
        let is_only = vendors.len() == 1;
        let properties = input.get_mut("properties").and_then(Value::as_object_mut);
        if let Some(properties) = properties.filter(|_| is_only) {
            properties.shift_remove("vendor");
        }
    }
    for name in SHARED {
        let is_told = told_before(tool, name, config);
        let argument = input.pointer_mut(&format!("/properties/{name}"));
        if let Some(Value::Object(argument)) = argument.filter(|_| is_told) {
            argument.shift_remove("description");
        }
    }
    defined(tool, input)
}

/// Arguments that mean the same wherever they stand: what the first tool of the list that has one says of it
/// holds for all.
const SHARED: [&str; 7] =
    ["vendor", "limit", "cursor", "reason", "dry_run", "expires_in", "expires_at"];

/// Whether an earlier tool of the list describes an argument in the same words.
fn told_before(tool: &Tool, name: &str, config: &Config) -> bool {
    let of = |tool: &Tool| tool.schema.pointer(&format!("/properties/{name}")).cloned();
    let own = of(tool);
    let earlier = listed(config).take_while(|other| other.spec.name != tool.spec.name);
    own.is_some() && earlier.into_iter().any(|other| of(other) == own)
}

/// The same where each vendor has one tenant.
pub fn definition(tool: &Tool) -> Value {
    defined(tool, tool.schema.clone())
}

fn defined(tool: &Tool, mut input: Value) -> Value {
    let spec = tool.spec;
    let description = input.as_object_mut().and_then(|root| root.shift_remove("description"));
    let looks = spec.effect == Effect::Look;
    json!({
        "name": spec.name,
        "title": spec.title,
        "description": description,
        "inputSchema": input,
        "outputSchema": match tool.run {
            Run::Look(_) => schema::look_output(),
            Run::Check => schema::check_output(),
            Run::Change { .. } | Run::Undo | Run::Set(_) => schema::change_output(),
        },
        // What the protocol takes for granted is left out: that a tool changes something, each time anew, and
        // reaches others.
        "annotations": match looks {
            true => json!({ "readOnlyHint": true }),
            false => json!({ "destructiveHint": true }),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Sources};

    const SETTINGS: [(&str, &str); 13] = [
        ("OUTSYSTEMS_PORTAL_URL", "https://portal.example.com"),
        ("OUTSYSTEMS_CLIENT_ID", "id"),
        ("OUTSYSTEMS_CLIENT_SECRET", "s"),
        ("DFNS_AUTH_TOKEN", "t"),
        ("DFNS_CREDENTIAL_ID", "cr"),
        ("DFNS_PRIVATE_KEY", "k"),
        ("REDOX_CLIENT_ID", "id"),
        ("REDOX_KEY_ID", "kid"),
        ("REDOX_PRIVATE_KEY", "k"),
        ("SNAPLOGIC_URL", "https://elastic.example.com"),
        ("SNAPLOGIC_TOKEN", "t"),
        ("CENTRASITE_BRIDGE_URL", "https://bridge.example.com"),
        ("CENTRASITE_USERNAME", "u"),
    ];

    fn configured(flags: &Flags) -> Config {
        let environment = |name: &str| {
            let value = SETTINGS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            value.or((name == "CENTRASITE_PASSWORD").then_some("p")).map(str::to_owned)
        };
        let sources = Sources { flags, environment: &environment, floor: None, sandbox: None };
        Config::load(&sources).unwrap()
    }

    /// What `tools/list` costs a client, in tokens, with these vendors configured.
    fn tokens(vendors: &[&str]) -> usize {
        let vendors = vendors.iter().map(|&vendor| vendor.to_owned()).collect();
        let flags = Flags { state_dir: Some("unused".into()), vendors, ..Flags::default() };
        let config = configured(&flags);
        let list: Vec<_> = listed(&config).map(|tool| served(tool, &config)).collect();
        let text = json!({ "tools": list }).to_string();
        tiktoken_rs::o200k_base().unwrap().encode_ordinary(&text).len()
    }

    #[test]
    fn the_tool_list_of_two_tenants_each_fits_its_budget() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let section = |vendor: &crate::vendors::Vendor| {
            let mut text = format!("[tenants.{}-production]\nvendor = {0:?}\n", vendor.name);
            for (name, value) in SETTINGS.iter().chain([&("CENTRASITE_PASSWORD", "other")]) {
                if vendor.variables.iter().any(|known| known.name == *name) {
                    let key = name.split_once('_').unwrap().1.to_lowercase();
                    text.push_str(&format!("{key} = \"{value}\"\n"));
                }
            }
            // So that it is no second name of the vendor's own tenant.
            let url = text.find("https://").map_or(text.len(), |at| at + "https://".len());
            text.insert_str(url, "production.");
            text.replace("auth_token = \"t\"", "auth_token = \"t2\"")
                .replace("client_id = \"id\"", "client_id = \"id2\"")
        };
        let file: String = crate::vendors::VENDORS.iter().map(|vendor| section(vendor)).collect();
        // Where a vendor has no setting for its place, the text has none either.
        let file = file.replace("\nproduction.", "\n");
        std::fs::write(&path, file).unwrap();
        let flags =
            Flags { state_dir: Some("unused".into()), config: Some(path), ..Flags::default() };
        let config = configured(&flags);
        assert!(config.tenants.iter().all(|tenant| tenant.is_one_of_several));
        assert_eq!(config.tenants.len(), 10);
        let list: Vec<_> = listed(&config).map(|tool| served(tool, &config)).collect();
        for tool in &list {
            let required = tool["inputSchema"]["required"].as_array();
            let required = required.is_some_and(|names| names.contains(&json!(TENANT)));
            let named = tool["inputSchema"]["properties"][TENANT]["enum"].as_array().map(Vec::len);
            let (wanted, name) = match tool["name"].as_str().unwrap() {
                "apply_changes" | "copy_access" | "remove_all_access" | "set_expiry"
                | "undo_change" => ((None, false), &tool["name"]),
                _ if tool["annotations"]["readOnlyHint"] == true => {
                    ((Some(10), false), &tool["name"])
                }
                _ => ((Some(2), true), &tool["name"]),
            };
            assert_eq!((named, required), wanted, "{name}");
        }
        let text = json!({ "tools": list }).to_string();
        let all = tiktoken_rs::o200k_base().unwrap().encode_ordinary(&text).len();
        println!("tools/list with two tenants each: {all} tokens (o200k)");
        assert!(all <= 5_300, "{all}");
    }

    #[test]
    fn the_tool_list_fits_its_budget() {
        let all = tokens(&[]);
        println!("tools/list with all vendors: {all} tokens (o200k)");
        assert!(all <= 4_900, "{all}");
        for vendor in crate::vendors::VENDORS {
            let one = tokens(&[vendor.name]);
            println!("tools/list with {}: {one} tokens (o200k)", vendor.name);
            assert!(one <= 2_500, "{}: {one}", vendor.name);
        }
    }
}
