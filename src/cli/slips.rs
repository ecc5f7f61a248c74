//! What to do next where a command line is none.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::tools::TOOLS;

/// What somebody may have meant, beyond what the parser says.
pub(super) fn hint(told: &clap::Error) -> Option<String> {
    let context = |kind| match told.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    match told.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = context(ContextKind::InvalidSubcommand);
            let mut names = TOOLS.iter().map(|tool| tool.spec.name);
            let bare = names.find(|name| typed.iter().any(|typed| typed == name))?;
            Some(format!("this is a tool: `grantor call {bare}` calls it"))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = context(ContextKind::InvalidArg);
            let is_missing = |name: &str| missing.iter().any(|one| one == name);
            let usage = told.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
            match () {
                () if is_missing("<TOOL>") => Some(
                    "`grantor tools` lists the tools, and `grantor tools TOOL` says what one takes"
                        .to_owned(),
                ),
                () if is_missing("<RECEIPT>") && usage.contains(" undo ") => {
                    Some("`grantor changes --ids` lists changes with their receipts".to_owned())
                }
                () if is_missing("<RECEIPT>") => {
                    Some("`grantor requests` lists what waits, with its receipt".to_owned())
                }
                () if is_missing("<OLD>") => {
                    Some("`grantor access export --format json -o FILE` makes one".to_owned())
                }
                () => None,
            }
        }
        _ => None,
    }
}
