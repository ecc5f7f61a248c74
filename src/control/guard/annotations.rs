//! What the author of a rule annotated it with: its id, whether it asks and whose yes that takes, and what is said
//! where it denies.

use cedar_policy::{Policy, PolicyId, PolicySet};

use super::rights::Right;
use super::rules::{Rule, RuleKind, is_on, line_of};
use super::{PolicyMistake, READ_ONLY};
use crate::control::permit::Demand;

/// All that an annotation may be called. Another one is a slip, and a slip in `@ask` would allow.
const ANNOTATIONS: [&str; 6] = ["id", "ask", "hint", "contact", APPROVALS, APPROVERS];
/// How many different people have to say yes, and who they are.
const APPROVALS: &str = "approvals";
const APPROVERS: &str = "approvers";
/// More people than any change takes.
const MOST_APPROVALS: usize = 9;
const LONGEST_ID: usize = 64;

/// The rules by the ids their author gave them, with nothing that has no effect.
pub(super) fn named(
    text: &str,
    written: &PolicySet,
) -> Result<(Vec<Rule>, Vec<Policy>), Vec<PolicyMistake>> {
    let (mut rules, mut policies, mut troubles) = (Vec::<Rule>::new(), Vec::new(), Vec::new());
    for template in written.templates() {
        let line = line_of(text, &template.to_cedar(), 0).1;
        let rule = template.annotation("id").map(str::to_owned);
        let what = "slots such as ?principal are never filled, so it would never apply; name whom \
                    it is about";
        troubles.push(PolicyMistake::at(line, rule, what.to_owned()));
    }
    let mut from = 0;
    for policy in in_order(written) {
        let (end, line) = line_of(text, &policy.to_cedar().unwrap_or_default(), from);
        from = end;
        match rule(policy, line, &rules) {
            Ok(rule) => {
                policies.push(policy.new_id(PolicyId::new(&rule.id)));
                rules.push(rule);
            }
            Err(trouble) => troubles.push(trouble),
        }
    }
    if rules.is_empty() && troubles.is_empty() {
        let what = "it has no rule, and would deny everything; write at least one permit";
        troubles.push(PolicyMistake::whole(what.to_owned()));
    }
    troubles.sort_by_key(|trouble| trouble.line);
    if troubles.is_empty() { Ok((rules, policies)) } else { Err(troubles) }
}

fn rule(policy: &Policy, line: usize, earlier: &[Rule]) -> Result<Rule, PolicyMistake> {
    // All at once: Cedar parses the name of each that it is asked for.
    let noted: Vec<_> = policy.annotations().collect();
    let text = |wanted: &str| {
        let found = noted.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, text)| (*text).to_owned())
    };
    let id = text("id");
    let trouble = |text: String| Err(PolicyMistake::at(line, id.clone(), text));
    let Some(id) = id.clone().filter(|id| !id.is_empty()) else {
        return trouble("it has no @id; give it one, which answers and ledger name".to_owned());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if id.len() > LONGEST_ID || !id.chars().all(plain) {
        return trouble(format!(
            "its @id must be at most {LONGEST_ID} letters, digits, -, _ and . of ASCII"
        ));
    }
    if id == READ_ONLY {
        return trouble(format!("{READ_ONLY} is a rule of Grantor's own; call it otherwise"));
    }
    if let Some(other) = earlier.iter().find(|other| other.id == id) {
        return trouble(format!("line {} has a rule of that @id; rename one of them", other.line));
    }
    let known = |name: &&str| ANNOTATIONS.contains(name);
    if let Some(other) = noted.iter().map(|(name, _)| *name).find(|name| !known(name)) {
        let known = ANNOTATIONS.map(|name| format!("@{name}")).join(", ");
        return trouble(format!("there is no @{other}; there are {known}"));
    }
    let effect = match policy.effect() {
        cedar_policy::Effect::Permit => RuleKind::Permit,
        cedar_policy::Effect::Forbid => RuleKind::Forbid,
    };
    let (ask, hint, contact) = (text("ask"), text("hint"), text("contact"));
    let demand = match demand(text(APPROVALS), text(APPROVERS)) {
        Ok(demand) => demand,
        Err(wrong) => return trouble(wrong),
    };
    let is_of_right = Right::ALL.into_iter().any(|right| is_on(policy, right));
    match effect {
        RuleKind::Permit if ask.is_some() && is_of_right => trouble(
            "nobody is asked about seeing and approving; leave @ask out, or the action".to_owned(),
        ),
        _ if demand.is_some() && ask.is_none() => trouble(format!(
            "@{APPROVALS} and @{APPROVERS} say whose yes a question takes; put them on a permit with @ask"
        )),
        RuleKind::Forbid if ask.is_some() => {
            trouble("a forbid asks nobody; put @ask on a permit".to_owned())
        }
        RuleKind::Permit if hint.is_some() => {
            trouble("@hint is shown where a forbid denies; put it there".to_owned())
        }
        RuleKind::Permit if contact.is_some() => {
            trouble("@contact is shown where a forbid denies; put it there".to_owned())
        }
        RuleKind::Forbid if contact.as_deref().is_some_and(crate::text::is_blank) => {
            trouble("its @contact names nobody; give whom to turn to, or leave it out".to_owned())
        }
        effect => Ok(Rule { id, effect, ask, demand, hint, contact, line }),
    }
}

/// Whose yeses a rule's question takes, as its annotations say.
fn demand(approvals: Option<String>, approvers: Option<String>) -> Result<Option<Demand>, String> {
    let people = match approvals.as_deref().map(str::parse::<usize>) {
        None => 1,
        Some(Ok(people)) if (1..=MOST_APPROVALS).contains(&people) => people,
        Some(_) => {
            return Err(format!(
                "@{APPROVALS} is how many different people have to say yes: from \"1\" to \"{MOST_APPROVALS}\""
            ));
        }
    };
    if approvers.as_deref().is_some_and(crate::text::is_blank) {
        return Err(format!(
            "@{APPROVERS} names nobody: give a team of the configuration, or an issuer's group as ISSUER#NAME"
        ));
    }
    let is_plain = people == 1 && approvers.is_none();
    Ok((!is_plain).then_some(Demand { people, of: approvers }))
}

/// Rules as they are written: Cedar calls them policy0, policy1 and so on.
fn in_order(set: &PolicySet) -> Vec<&Policy> {
    let mut policies: Vec<_> = set.policies().collect();
    policies.sort_by_key(|policy| {
        policy.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    });
    policies
}
