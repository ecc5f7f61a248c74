//! Tools × configured vendors: what is listed, and what a name means.

use serde_json::{Value, json};

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
        let none = config.tenants.is_empty();
        let trouble = format!("{name} has no vendor to ask: none is configured");
        return none.then(|| {
            Failure::invalid(trouble).hint("`grantor doctor` says what each vendor needs")
        });
    };
    if config.tenant(vendor).is_some() {
        return None;
    }
    let missing = config.troubles(vendor).join("; ");
    Some(
        Failure::invalid(format!("{name} needs {vendor}, which is not configured: {missing}"))
            .hint("set what is missing and restart; `grantor doctor` checks it"),
    )
}

/// A tool exactly as `tools/list` serves it.
pub fn definition(tool: &Tool) -> Value {
    let spec = tool.spec;
    let mut input = (tool.schema)();
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
            "title": spec.title,
            "readOnlyHint": looks,
            "destructiveHint": !looks,
            "idempotentHint": looks,
            "openWorldHint": true,
        },
    })
}
