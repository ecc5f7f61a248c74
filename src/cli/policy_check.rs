//! `policy check`: what is wrong with a policy, and what in it does not mean what it seems to.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Global, Ran, paint, policy::table, setup};
use crate::config::Config;
use crate::guard::{Finding, Guard, PolicyError, Rule};

pub(super) fn run(global: &Global, file: Option<PathBuf>) -> Ran {
    let (guard, path) = match file {
        Some(file) => {
            let guard = Guard::load(Some(&file), false);
            // A policy in a repository is looked at by itself, unless a configuration is named beside it.
            let guard = match &global.config {
                Some(_) => {
                    let config = Config::load(&setup::sources(&global.flags()))?;
                    guard.map(|guard| guard.declaring(config.declared))
                }
                None => guard,
            };
            (guard, Some(file))
        }
        None => {
            let config = Config::load(&setup::sources(&global.flags()))?;
            let guard = Guard::load(config.policy.as_deref(), false);
            (guard.map(|guard| guard.declaring(config.declared.clone())), config.policy)
        }
    };
    let found = match &guard {
        Ok(guard) => guard.findings(),
        Err(error) => error.findings().collect(),
    };
    let ok = guard.is_ok() && !found.iter().any(Finding::fails);
    if global.as_json {
        let rules = guard.as_ref().map(Guard::rules).unwrap_or_default();
        let rules: Vec<_> = rules.iter().map(rule).collect();
        let body = json!({ "ok": ok, "rules": rules, "findings": found });
        paint::json(&format!("{body:#}"))?;
    } else {
        tell(&guard, &found, path.as_deref())?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn rule(rule: &Rule) -> Value {
    let Rule { id, effect, ask, demand, hint, contact, line } = rule;
    let mut told = json!({ "id": id, "effect": effect.as_str(), "line": line });
    for (name, text) in [("ask", ask), ("hint", hint), ("contact", contact)] {
        if let Some(text) = text {
            crate::json::put(&mut told, name, json!(text));
        }
    }
    if let Some(demand) = demand {
        crate::json::put(&mut told, "approvals", json!(demand.people));
        if let Some(group) = &demand.of {
            crate::json::put(&mut told, "approvers", json!(group));
        }
    }
    told
}

fn tell(
    guard: &Result<Guard, PolicyError>,
    found: &[Finding],
    path: Option<&Path>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let guard = match guard {
        Ok(guard) => guard,
        Err(error) => {
            error.lines().for_each(|line| paint::complain(&line));
            return Ok(());
        }
    };
    paint::lines(&table(guard.rules()))?;
    // What it was read from a moment ago: the lines are only shown.
    let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    for finding in found {
        let hint = finding.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        paint::complain(&format!("{}{hint}", finding.told()));
        let line = text.lines().nth(finding.line.saturating_sub(1)).filter(|_| finding.line > 0);
        if let (Some(line), Some(new)) = (line, &finding.replacement) {
            paint::complain(&format!("    it says:   {}", line.trim()));
            paint::complain(&format!("    should be: {}", new.trim()));
        }
    }
    Ok(())
}
