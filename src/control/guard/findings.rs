//! Rules that hold and do not mean what they seem to, each with the line as it should be.
//!
//! `tree` is the text taken apart, `literals` compares what a rule writes with what a field can be, `absent`
//! finds what a rule lets through where a fact is not there, `whole` looks at rules beside each other, and
//! `mended` (with `unread`) says in the schema's words what keeps a policy from loading.

mod absent;
mod literals;
pub(super) mod mended;
mod tree;
pub(super) mod unread;
mod whole;

use serde::Serialize;

use super::declared::Declared;
use tree::{Span, Written};

/// Something in a policy that does not mean what it seems to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// 0 where it is the whole file.
    pub line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub kind: &'static str,
    /// Only to be known: it may be meant.
    pub severity: Severity,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The whole line as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

/// What may be meant as it is written.
const MAY_BE_MEANT: [&str; 5] =
    ["always_true", "name_for_id", "requester", "precedence", "approvals"];

impl Finding {
    pub(super) fn new(kind: &'static str, line: usize, message: String) -> Self {
        let severity = match MAY_BE_MEANT.contains(&kind) {
            true => Severity::Warning,
            false => Severity::Error,
        };
        let (column, rule, hint, replacement) = (None, None, None, None);
        Self { line, column, rule, kind, severity, message, hint, replacement }
    }

    pub(super) fn of(self, rule: &str) -> Self {
        Self { rule: Some(rule.to_owned()).filter(|rule| !rule.is_empty()), ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Whether `policy check` fails by it.
    pub fn fails(&self) -> bool {
        self.severity == Severity::Error
    }

    /// In one line.
    pub fn told(&self) -> String {
        let place = if self.line == 0 { String::new() } else { format!("line {}: ", self.line) };
        let rule = self.rule.as_ref().map(|rule| format!("{rule} ")).unwrap_or_default();
        format!("{place}{rule}{}", self.message)
    }
}

/// A finding at a place of the text, and what should stand there.
fn at(
    text: &str,
    rule: &Written<'_>,
    kind: &'static str,
    span: Option<Span>,
    message: String,
    new: Option<String>,
) -> Finding {
    let fallback = tree::start(rule.policy);
    let (start, end) = span.unwrap_or((fallback, fallback));
    let (line, from) = line_at(text, start);
    let mut finding = Finding::new(kind, line, message).of(&rule.id);
    let before = text.get(from..start).unwrap_or_default();
    finding.column = span.map(|_| before.chars().count() + 1);
    finding.replacement = new.and_then(|new| replaced(text, (start, end), &new));
    finding
}

/// The number of the line and where it begins.
fn line_at(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    (1 + before.matches('\n').count(), before.rfind('\n').map_or(0, |at| at + 1))
}

/// The line that a span is in, with something else in its place; none where it is in several.
fn replaced(text: &str, (start, end): Span, new: &str) -> Option<String> {
    let (_, from) = line_at(text, start);
    let to = text.get(start..)?.find('\n').map_or(text.len(), |at| start + at);
    (end <= to).then(|| Some(format!("{}{new}{}", text.get(from..start)?, text.get(end..to)?)))?
}

/// All that is found in a policy that loads, in the order of its lines.
pub(super) fn find(text: &str, declared: Option<&Declared>) -> Vec<Finding> {
    let Some(policies) = tree::parsed(text) else { return Vec::new() };
    let rules: Vec<_> = policies.iter().map(tree::written).collect();
    let mut found = whole::find(text, &rules);
    for rule in &rules {
        found.extend(literals::find(text, rule, declared));
        found.extend(absent::find(text, rule, &rules));
    }
    found.sort_by_key(|one| (one.line, one.column));
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;

    /// Nothing is found in it.
    const BASE: &str = r#"@id("look") permit (principal, action in Action::"look", resource);
@id("expire") permit (principal, action == Action::"expire", resource);
@id("privileged-role") forbid (principal, action in Action::"grant", resource) when { context.privileged };
@id("own-identity") forbid (principal, action in Action::"grant", resource) when { context.own };
"#;
    const CHANGE: &str = "@id(\"change\") permit (principal, action in [Action::\"grant\", Action::\"revoke\"], resource);\n";

    fn found(text: &str) -> Vec<Finding> {
        match Guard::compile("mine.cedar", text, false) {
            Ok(guard) => guard.findings(),
            Err(error) => error.findings().collect(),
        }
    }

    fn kinds(text: &str) -> Vec<&'static str> {
        found(text).iter().map(|finding| finding.kind).collect()
    }

    fn forbid(when: &str) -> String {
        format!(
            "{BASE}{CHANGE}@id(\"it\")\nforbid (principal, action in Action::\"grant\", resource)\n{when};\n"
        )
    }

    fn permit(when: &str) -> String {
        format!(
            "{BASE}@id(\"it\")\npermit (principal, action in Action::\"grant\", resource)\n{when};\n"
        )
    }

    #[test]
    fn a_condition_is_found_and_the_one_that_is_meant_is_not() {
        let mut wrong = Vec::new();
        for (kind, bad, good) in CONDITIONS {
            let (bad, good) = (forbid(bad), forbid(good));
            let mended = mended(&bad, kind);
            let so = [
                kinds(&bad).contains(kind),
                kinds(&good).is_empty(),
                !kinds(&mended).contains(kind),
                Guard::compile("x", &mended, false).is_ok(),
            ];
            if so != [true; 4] {
                let all = [&bad, &good, &mended].map(|text| found(text));
                wrong.push(format!("{kind} {so:?} {bad} {good} {mended}: {all:#?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The text with what is found of a kind as it should be.
    fn mended(text: &str, kind: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..4 {
            let next = found(&text).into_iter().find(|finding| finding.kind == kind);
            let Some(finding) = next else { break };
            let Some(new) = finding.replacement else { break };
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines[finding.line - 1] = new;
            text = lines.join("\n");
        }
        text
    }

    /// A kind, a condition of a forbid that has it, and one near it that has none.
    const CONDITIONS: &[(&str, &str, &str)] = &[
        (
            "unknown_word",
            r#"when { resource.vendor == "OutSystems" }"#,
            r#"when { resource.kind == "asset" }"#,
        ),
        (
            "unknown_word",
            r#"when { resource.kind == "project" }"#,
            r#"when { resource.kind == "project_space" }"#,
        ),
        (
            "unknown_word",
            r#"when { context.effect != "Grant" }"#,
            r#"when { context.effect != "grant" }"#,
        ),
        (
            "unknown_word",
            r#"when { context.kinds.containsAny(["user", "Service Account"]) }"#,
            r#"when { context.kinds.containsAny(["user", "service_account"]) }"#,
        ),
        (
            "unknown_word",
            r#"when { ["tokens"].contains(context.grantee.kind) }"#,
            r#"when { ["token"].contains(context.grantee.kind) }"#,
        ),
        (
            "unknown_word",
            r#"when { context.gains.domains.contains("@Example.com") }"#,
            r#"when { context.gains.domains.contains("example.com") }"#,
        ),
        (
            "unknown_word",
            r#"unless { context.ticket_projects.contains("ops") }"#,
            r#"unless { context.ticket_projects.contains("OPS") }"#,
        ),
        (
            "unknown_word",
            r#"when { resource.tenant like "Prod*" }"#,
            r#"when { resource.tenant like "prod*" }"#,
        ),
        (
            "unknown_word",
            r#"when { resource == Resource::"OutSystems:asset:1" }"#,
            r#"when { resource == Resource::"outsystems:asset:1" }"#,
        ),
        ("date", "when { context.now.date < 2026-12-24 }", "when { context.now.date < 20261224 }"),
        (
            "date",
            "when { 2026-12-24 >= context.here.date }",
            "when { 20261224 >= context.here.date }",
        ),
        ("date", "when { context.now.date < 20271301 }", "when { context.now.date < 20270113 }"),
        (
            "date",
            "when { context.now.date < datetime(\"2027-01-07\") }",
            "when { context.now.date < 20270107 }",
        ),
        (
            "date",
            "when { context.now.date < \"2027-01-07\" }",
            "when { context.now.date < 20270107 }",
        ),
        ("number", "when { context.now.weekday == 0 }", "when { context.now.weekday == 7 }"),
        (
            "unknown_field",
            r#"when { (resource has nmae && resource.nmae like "*prod*") || context.wide }"#,
            r#"when { resource.folded like "*prod*" || context.wide }"#,
        ),
        ("unknown_field", "when { context.privlieged }", "when { context.privileged }"),
        (
            "unknown_field",
            "when { context.expires_in > 480 }",
            "when { if context has expires_in_minutes then context.expires_in_minutes > 480 else true }",
        ),
        (
            "unknown_field",
            r#"when { context.grantee.email like "*@example.com" }"#,
            r#"when { context.gains.domains.contains("example.com") }"#,
        ),
        (
            "literal_star",
            r#"when { context.role.id like "HARBOR\*" }"#,
            r#"when { context.role.id like "HARBOR*" }"#,
        ),
        (
            "fails_open",
            "when { context has for_self && context.for_self }",
            "unless { context has for_self && !context.for_self }",
        ),
        (
            "fails_open",
            "when { context has expires_in_minutes && context.expires_in_minutes > 480 && context.wide }",
            "when { context has undoes && context.undoes like \"gr-*\" }",
        ),
        (
            "fails_open",
            "when { if context has history then context.history.extends else false }",
            "when { if context has history then context.history.extends else true }",
        ),
        (
            "fails_open",
            r#"when { context has history && context has reason && context.history.extends && context.reason like "x" }"#,
            "unless { context has reason && context.reason like \"x\" }",
        ),
        (
            "holds",
            r#"when { context.holds.contains("A on B") }"#,
            r#"when { !context.holds_all || context.holds.contains("A on B") }"#,
        ),
        (
            "folded",
            r#"when { resource.folded like "*Prod*" }"#,
            r#"when { resource.folded like "*prod *" }"#,
        ),
        (
            "folded",
            r#"when { context.role.folded == "évaluation" }"#,
            r#"when { context.role.folded == "evaluation" }"#,
        ),
        ("name_for_id", r#"when { resource.id == "Orders" }"#, r#"when { resource.id == "a-1" }"#),
        (
            "client",
            r#"unless { context has client && context.client == "Claude Desktop" }"#,
            r#"unless { context has client_name && context.client_name == "Claude Desktop" }"#,
        ),
        (
            "requester",
            r#"when { principal == Requester::"Root" }"#,
            r#"when { principal == Requester::"root" }"#,
        ),
        ("group", r#"when { principal in Group::"x" }"#, r#"when { principal in Team::"x" }"#),
        (
            "precedence",
            "when { context.wide || context.now.hour > 18 && context.now.weekday < 6 }",
            "when { context.wide || (context.now.hour > 18 && context.now.weekday < 6) }",
        ),
        ("precedence", "when { !context has reason }", "when { !(context has reason) }"),
        (
            "action",
            r#"when { action == Action::"grant" }"#,
            r#"when { action in Action::"grant" }"#,
        ),
        (
            "principal",
            r#"when { principal in ["ada", "ben"] }"#,
            r#"when { principal in [Requester::"ada", Requester::"ben"] }"#,
        ),
        (
            "principal",
            r#"when { principal == User::"ada" }"#,
            r#"when { principal == Requester::"ada" }"#,
        ),
        (
            "may_be_absent",
            r#"when { resource.name like "*prod*" }"#,
            r#"when { if resource has name then resource.name like "*prod*" else true }"#,
        ),
        (
            "may_be_absent",
            "unless { context.expires_in_minutes <= 480 }",
            "unless { context has expires_in_minutes && context.expires_in_minutes <= 480 }",
        ),
        ("set", r#"when { context.kinds == "token" }"#, r#"when { context.kinds == ["token"] }"#),
        (
            "set",
            r#"when { context.grantee.kind in ["token"] }"#,
            r#"when { ["token"].contains(context.grantee.kind) }"#,
        ),
        ("load", "when { context.kinds.size() > 0 }", "when { !context.kinds.isEmpty() }"),
        (
            "load",
            r#"when { resource.name.toLower() like "*prod*" }"#,
            r#"when { resource.folded like "*prod*" }"#,
        ),
        (
            "set",
            r#"when { "token" in context.kinds }"#,
            r#"when { context.kinds.contains("token") }"#,
        ),
        (
            "set",
            r#"when { context.kinds.contains(["token", "group"]) }"#,
            r#"when { context.kinds.containsAll(["token", "group"]) }"#,
        ),
        (
            "set",
            r#"when { resource.id.contains("Harbor") }"#,
            r#"when { resource.id like "*Harbor*" }"#,
        ),
        (
            "set",
            r#"when { !resource.id.contains("Harbor") }"#,
            r#"when { !(resource.id like "*Harbor*") }"#,
        ),
        (
            "principal",
            r#"when { principal == "ada" }"#,
            r#"when { principal == Requester::"ada" }"#,
        ),
        (
            "unknown_field",
            r#"when { context.grantee.email == "Ada@example.com" }"#,
            r#"when { context.gains.emails.contains("ada@example.com") }"#,
        ),
        (
            "load",
            r#"unless { context.reason.length() >= 20 }"#,
            r#"unless { context.reason_length >= 20 }"#,
        ),
        ("load", "when { context.grantees.size() > 3 }", "when { context.width > 3 }"),
        (
            "load",
            r#"when { context.kinds.includes("token") }"#,
            r#"when { context.kinds.contains("token") }"#,
        ),
        (
            "load",
            r#"when { resource.id.endsWith("/shared") }"#,
            r#"when { resource.id like "*/shared" }"#,
        ),
        (
            "load",
            r#"when { resource.id.startsWith("/Harbor") }"#,
            r#"when { resource.id like "/Harbor*" }"#,
        ),
    ];

    #[test]
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn a_rule_is_found_beside_others_and_the_one_that_is_meant_is_not() {
        let ask = "@id(\"ask\") @ask permit (principal, action in [Action::\"grant\", Action::\"revoke\"], resource)";
        let all = |rest: &str| format!("{BASE}{CHANGE}{rest}\n");
        let without = |id: &str| {
            let kept = BASE.lines().filter(|line| !line.contains(&format!("\"{id}\")")));
            format!("{}\n{CHANGE}", kept.collect::<Vec<_>>().join("\n"))
        };
        for (kind, bad, good) in [
            ("ends", without("expire"), all("")),
            ("privileged", without("privileged-role"), all("")),
            ("own_identity", without("own-identity"), all("")),
            (
                "ends",
                all(
                    "@id(\"f\") forbid (principal, action, resource) when { context.now.date < 20270107 };",
                ),
                all(
                    "@id(\"f\") forbid (principal, action in Action::\"grant\", resource) when { context.now.date < 20270107 };",
                ),
            ),
            (
                "ends",
                all("@id(\"f\") forbid (principal, action == Action::\"expire\", resource);"),
                all(
                    "@id(\"f\") forbid (principal, action == Action::\"grant_asset_role\", resource);",
                ),
            ),
            (
                "nobody_is_asked",
                format!("{BASE}@id(\"a\") @ask permit (principal, action, resource);"),
                format!("{BASE}{ask};"),
            ),
            (
                "nobody_is_asked",
                all("@id(\"a\") @ask permit (principal, action == Action::\"expire\", resource);"),
                all(
                    "@id(\"a\") @ask permit (principal, action == Action::\"grant_asset_role\", resource);",
                ),
            ),
            (
                "nobody_is_asked",
                all("@id(\"a\") @ask permit (principal, action in Action::\"look\", resource);"),
                all("@id(\"a\") @ask permit (principal, action in Action::\"undo\", resource);"),
            ),
            ("covered", all(&format!("{ask};")), all(&format!("{ask} when {{ context.wide }};"))),
            (
                "covered",
                all(
                    "@id(\"f\") forbid (principal, action in [Action::\"grant\", Action::\"revoke\"], resource);",
                ),
                all("@id(\"f\") forbid (principal, action in Action::\"grant\", resource);"),
            ),
            (
                "one_yes",
                format!(
                    "{BASE}{}",
                    ask.replace("@ask", "@ask(\"Two people must approve this.\")") + ";"
                ),
                format!(
                    "{BASE}{}",
                    ask.replace("@ask", "@ask(\"Is it for one of the two projects?\")") + ";"
                ),
            ),
            (
                "folded",
                permit("when { resource.folded like \"*test*\" }"),
                permit("when { resource has name && resource.name like \"*test*\" }"),
            ),
            (
                "fails_open",
                permit("unless { context has for_self && context.for_self }"),
                permit("when { context has for_self && context.for_self }"),
            ),
            (
                "fails_open",
                forbid("when { context has reason && context.reason like \"*x*\" }"),
                forbid("when { context has reason && context.reason like \"*x*\" }")
                    + "@id(\"r\") forbid (principal, action in Action::\"grant\", resource) unless { context has reason };",
            ),
            (
                "action",
                all("@id(\"f\") forbid (principal, action == Action::\"grant\", resource);"),
                all("@id(\"f\") forbid (principal, action in Action::\"grant\", resource);"),
            ),
            (
                "principal",
                all(
                    "@id(\"f\") forbid (principal in Users::\"x\", action in Action::\"grant\", resource);",
                ),
                all(
                    "@id(\"f\") forbid (principal in Team::\"x\", action in Action::\"grant\", resource);",
                ),
            ),
            (
                "load",
                all(
                    "@id(\"f\") forbid (principal in [\"ada\"], action in Action::\"grant\", resource);",
                ),
                all(
                    "@id(\"f\") forbid (principal, action in Action::\"grant\", resource) when { principal in [Requester::\"ada\"] };",
                ),
            ),
            (
                "load",
                all("@id(\"f\") forbid (principal, action == \"grant\", resource);"),
                all("@id(\"f\") forbid (principal, action in Action::\"grant\", resource);"),
            ),
            (
                "load",
                all(
                    "@id(\"f\") forbid (principal == \"ada\", action in Action::\"grant\", resource);",
                ),
                all(
                    "@id(\"f\") forbid (principal == Requester::\"ada\", action in Action::\"grant\", resource);",
                ),
            ),
            (
                "number",
                forbid("when { context.now.hour > 24 }"),
                forbid("when { context.now.hour > 22 }"),
            ),
            (
                "always_true",
                forbid("when { context.now.hour < 24 }"),
                forbid("when { context.now.hour < 23 }"),
            ),
            (
                "always_true",
                forbid("when { context.width >= 1 }"),
                forbid("when { context.width > 1 }"),
            ),
        ] {
            assert!(kinds(&bad).contains(&kind), "{kind} {bad}: {:#?}", found(&bad));
            let mended = mended(&bad, kind);
            // That a text does not load is found by whoever reads it; what it should be is found here.
            let loads = Guard::compile("x", &mended, false).is_ok();
            assert!(loads && (kind != "load" || mended != bad), "{bad}: {mended}");
            assert_eq!(kinds(&good), Vec::<&str>::new(), "{good}: {:#?}", found(&good));
        }
    }

    /// Nobody at this machine is called so; whoever calls over HTTP is.
    #[test]
    fn callers_and_their_groups_are_called_as_an_issuer_has_it() {
        for text in [
            r#"when { principal == Requester::"https://id.example.com#00uABC" }"#,
            r#"when { principal in Group::"https://id.example.com#Help Desk" }"#,
        ] {
            assert_eq!(kinds(&forbid(text)), Vec::<&str>::new(), "{text}");
        }
        for text in [
            r#"when { principal in Group::"x#y" }"#,
            r#"when { principal in Group::"https://x#" }"#,
        ] {
            assert_eq!(kinds(&forbid(text)), ["group"], "{text}");
        }
    }

    #[test]
    fn what_may_be_meant_is_only_a_warning() {
        for (text, fails) in [
            ("when { context.now.hour < 24 }", false),
            ("when { principal == Requester::\"Root\" }", false),
            ("when { resource.id == \"Orders\" }", false),
            ("when { resource.kind == \"project\" }", true),
        ] {
            let found = found(&forbid(text));
            assert!(!found.is_empty() && found.iter().any(Finding::fails) == fails, "{found:#?}");
        }
    }

    #[test]
    fn what_is_handed_out_has_nothing_that_is_found() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let examples = std::fs::read_dir(folder.join("examples")).unwrap();
        let mut files: Vec<_> = examples.map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "cedar"));
        files.push(folder.join("default.cedar"));
        assert!(files.len() >= 8, "{files:?}");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            assert_eq!(found(&text), Vec::new(), "{}", file.display());
        }
        assert_eq!(found(&format!("{BASE}{CHANGE}")), Vec::new());
    }

    #[test]
    fn a_finding_is_in_the_line_and_column_of_the_word() {
        let text = forbid("when { context.wide &&\n  resource.kind == \"Asset\" }");
        let [one] = &found(&text)[..] else { panic!("{:#?}", found(&text)) };
        assert_eq!(
            (one.line, one.column, one.rule.as_deref()),
            (9, Some(20), Some("it")),
            "{one:#?}"
        );
        assert_eq!(one.replacement.as_deref(), Some("  resource.kind == \"asset\" };"));
        let said = "line 9: it compares resource.kind with \"Asset\"";
        assert!(one.told().starts_with(said), "{}", one.told());
    }

    #[test]
    fn the_optional_fields_are_those_of_the_schema() {
        let schema: serde_json::Value = serde_json::from_str(crate::guard::facts::SCHEMA).unwrap();
        let of = &schema[""];
        let types = [
            ("resource", &of["entityTypes"]["Resource"]["shape"]),
            ("context", &of["commonTypes"]["Change"]),
            ("context.grantee", &of["commonTypes"]["Grantee"]),
            ("context.role", &of["commonTypes"]["Role"]),
        ];
        let mut optional = Vec::new();
        for (whose, shape) in types {
            let attributes = shape["attributes"].as_object().unwrap();
            let absent = attributes.iter().filter(|(_, of)| of["required"] == false);
            optional.extend(absent.map(|(name, _)| format!("{whose}.{name}")));
        }
        let mut known: Vec<_> = mended::OPTIONAL.iter().map(|&name| name.to_owned()).collect();
        known.sort_unstable();
        optional.sort_unstable();
        assert_eq!(known, optional);
    }
}
