//! Tools × configured vendors: what is listed, and what a name means.

mod supposed;

use serde_json::{Value, json};

pub use supposed::Supposed;

use crate::config::Config;
use crate::failure::Failure;
use crate::schema;
pub use crate::tools::Tool;
use crate::tools::{Effect, Run, TOOLS};

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
    if config.tenant(vendor).is_some() {
        return None;
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

/// A tool exactly as `tools/list` serves it.
pub fn definition(tool: &Tool) -> Value {
    let spec = tool.spec;
    let mut input = tool.schema.clone();
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
            Run::Change { .. } | Run::Undo => schema::change_output(),
        },
        "annotations": {
            "readOnlyHint": looks,
            "destructiveHint": !looks,
            "idempotentHint": looks,
            "openWorldHint": true,
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

    /// What `tools/list` costs a client, in tokens, with these vendors configured.
    fn tokens(vendors: &[&str]) -> usize {
        let vendors = vendors.iter().map(|&vendor| vendor.to_owned()).collect();
        let flags = Flags { state_dir: Some("unused".into()), vendors, ..Flags::default() };
        let environment = |name: &str| {
            let value = SETTINGS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            value.or((name == "CENTRASITE_PASSWORD").then_some("p")).map(str::to_owned)
        };
        let sources =
            Sources { flags: &flags, environment: &environment, floor: None, sandbox: None };
        let config = Config::load(&sources).unwrap();
        let list: Vec<_> = listed(&config).map(definition).collect();
        let text = json!({ "tools": list }).to_string();
        tiktoken_rs::o200k_base().unwrap().encode_ordinary(&text).len()
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
