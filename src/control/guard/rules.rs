//! A policy's text: checked in every way that can be checked before the first change, and decided.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Decision, EntityUid, Policy, PolicyId,
    PolicySet, Response, Schema, ValidationMode, ValidationWarning, Validator,
};
use miette::Diagnostic;
use serde_json::Value;

use super::annotations::named;
use super::facts::{Case, GROUP, Language, REQUESTER};
use super::findings::{mended, unread};
use super::rights::Right;
use super::ruling::Ruling;
use super::{PolicyMistake, nesting};
use crate::control::permit::Demand;

/// A policy that was checked.
pub(super) struct Rules {
    pub(super) language: &'static Language,
    pub(super) text: String,
    set: PolicySet,
    see: OnceLock<OnRight>,
    approve: OnceLock<OnRight>,
    listed: Vec<Rule>,
    /// Every name and text in the rules; none where they cannot be told.
    words: OnceLock<Option<HashSet<String>>>,
}

/// The rules whose heads name a right, and of these those that may speak of one's own request.
struct OnRight {
    all: PolicySet,
    of_own: PolicySet,
}

/// One rule, as its author annotated it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub effect: RuleKind,
    /// A permit that makes it a question, and what it says of that.
    pub ask: Option<String>,
    /// Whose yeses it takes, where one is not enough or not everybody's.
    pub demand: Option<Demand>,
    /// What would satisfy a forbid.
    pub hint: Option<String>,
    /// Whom to turn to where a forbid denies.
    pub contact: Option<String>,
    pub line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    Permit,
    Forbid,
}

impl Rules {
    pub(super) fn compile(text: &str) -> Result<Self, Vec<PolicyMistake>> {
        nesting::check(text).map_err(|trouble| vec![trouble])?;
        let crowded = || Err(vec![PolicyMistake::whole("it could not be checked".to_owned())]);
        nesting::with_room(|| Self::checked(text)).unwrap_or_else(crowded)
    }

    fn checked(text: &str) -> Result<Self, Vec<PolicyMistake>> {
        let written: PolicySet = text.parse().map_err(|errors| unparsed(text, &errors))?;
        let (listed, policies) = named(text, &written)?;
        let language = Language::get().map_err(|text| vec![PolicyMistake::whole(text)])?;
        let set = PolicySet::from_policies(policies)
            .map_err(|error| vec![PolicyMistake::whole(error.to_string())])?;
        check(text, &listed, &set, &language.schema)?;
        let (text, words) = (text.to_owned(), OnceLock::new());
        let (see, approve) = (OnceLock::new(), OnceLock::new());
        Ok(Self { language, text, set, see, approve, listed, words })
    }

    pub(super) fn listed(&self) -> &[Rule] {
        &self.listed
    }

    pub(super) fn policy(&self, rule: &Rule) -> Option<&Policy> {
        self.set.policy(&PolicyId::new(&rule.id))
    }

    /// All rules, each with its text.
    pub(super) fn written(&self) -> impl Iterator<Item = (&Rule, &Policy)> {
        self.listed.iter().filter_map(|rule| Some((rule, self.policy(rule)?)))
    }

    /// Whether a rule may ask for a field of this name. Strict validation leaves rules no way to a
    /// field but by its name.
    pub(super) fn mention(&self, name: &str) -> bool {
        self.words
            .get_or_init(|| words_of(&self.set))
            .as_ref()
            .is_none_or(|words| words.contains(name))
    }

    /// Whether a rule's head names a right.
    pub(super) fn names(&self, right: Right) -> bool {
        !self.on(right).all.is_empty()
    }

    /// Whether the head of the rule of this id names a right.
    pub(super) fn is_on(&self, id: &str, right: Right) -> bool {
        self.set.policy(&PolicyId::new(id)).is_some_and(|policy| is_on(policy, right))
    }

    /// What the rules say of a right that their heads name; of one's own request, what those permits say alone
    /// that speak of who asked for it.
    pub(super) fn decide_right(&self, right: Right, is_own: bool, case: Case<'_>) -> Ruling {
        let OnRight { all, of_own } = self.on(right);
        self.decided_by(if is_own { of_own } else { all }, case)
    }

    fn on(&self, right: Right) -> &OnRight {
        let kept = match right {
            Right::See => &self.see,
            Right::Approve => &self.approve,
        };
        kept.get_or_init(|| {
            let named = || self.set.policies().filter(|policy| is_on(policy, right)).cloned();
            let is_of_own = |policy: &Policy| {
                policy.effect() == cedar_policy::Effect::Forbid || speaks_of(policy, REQUESTER)
            };
            // Their ids are apart: they are of one set.
            OnRight {
                all: PolicySet::from_policies(named()).unwrap_or_default(),
                of_own: PolicySet::from_policies(named().filter(is_of_own)).unwrap_or_default(),
            }
        })
    }

    pub(super) fn decide(&self, case: Case<'_>) -> Ruling {
        self.decided_by(&self.set, case)
    }

    fn decided_by(&self, set: &PolicySet, case: Case<'_>) -> Ruling {
        if case.is_of_untold_groups() && self.mention(GROUP) {
            return groups_untold();
        }
        let response = match self.ask(set, case) {
            Ok(response) => response,
            Err(trouble) => return unjudged(&trouble),
        };
        // Cedar leaves out a rule that fails; a forbid that is left out would be a yes.
        let errors: Vec<_> = response.diagnostics().errors().collect();
        if !errors.is_empty() {
            let rules = errors.iter().map(|error| failed(error).to_string()).collect();
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            return broken(rules, &errors);
        }
        let deciding: HashSet<&PolicyId> = response.diagnostics().reason().collect();
        let decides = |rule: &&Rule| deciding.contains(&PolicyId::new(&rule.id));
        let deciding: Vec<&Rule> = self.listed.iter().filter(decides).collect();
        match response.decision() {
            Decision::Allow => permitted(&deciding),
            Decision::Deny => denied(&deciding),
        }
    }

    fn ask(&self, set: &PolicySet, case: Case<'_>) -> Result<Response, String> {
        let wanted = |name: &str| self.mention(name);
        let (request, entities) = self.language.ask(case, &wanted)?;
        Ok(Authorizer::new().is_authorized(&request, set, &entities))
    }
}

/// Whether a rule's head names a right.
pub(super) fn is_on(policy: &Policy, right: Right) -> bool {
    let names = |uid: &EntityUid| uid.id().unescaped() == right.action();
    match policy.action_constraint() {
        ActionConstraint::Any => false,
        ActionConstraint::Eq(only) => names(&only),
        ActionConstraint::In(all) => all.iter().any(names),
    }
}

/// Whether a rule asks for a field of this name.
fn speaks_of(policy: &Policy, name: &str) -> bool {
    let alone = PolicySet::from_policies([policy.clone()]).unwrap_or_default();
    words_of(&alone).is_none_or(|words| words.contains(name))
}

/// What is said where the rules go by groups, and nobody says which ones the requester is in.
fn groups_untold() -> Ruling {
    Ruling::Deny {
        rules: vec!["groups-untold".to_owned()],
        message: "rules here go by groups, and the token does not say which groups the requester is in"
            .to_owned(),
        hint: "they are in more than a token holds: an administrator has the issuer put only those into it \
               that matter here"
            .to_owned(),
    }
}

/// The rule that could not be evaluated.
fn failed(error: &AuthorizationError) -> &PolicyId {
    let AuthorizationError::PolicyEvaluationError(error) = error;
    error.policy_id()
}

fn words_of(rules: &PolicySet) -> Option<HashSet<String>> {
    let mut words = HashSet::new();
    let mut left = rules.policies().map(Policy::to_json).collect::<Result<Vec<_>, _>>().ok()?;
    while let Some(value) = left.pop() {
        match value {
            Value::String(word) => drop(words.insert(word)),
            Value::Array(values) => left.extend(values),
            Value::Object(fields) => {
                for (name, value) in fields {
                    words.insert(name);
                    left.push(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Some(words)
}

fn permitted(deciding: &[&Rule]) -> Ruling {
    let asking: Vec<_> = deciding.iter().filter(|rule| rule.ask.is_some()).copied().collect();
    if asking.is_empty() {
        return Ruling::Allow(ids(deciding));
    }
    let why = texts(asking.iter().filter_map(|rule| rule.ask.as_deref()));
    let mut demands = Vec::new();
    for demand in asking.iter().filter_map(|rule| rule.demand.clone()) {
        if !demands.contains(&demand) {
            demands.push(demand);
        }
    }
    Ruling::Ask { rules: ids(&asking), why, demands }
}

fn denied(deciding: &[&Rule]) -> Ruling {
    let rules = ids(deciding);
    if rules.is_empty() {
        return Ruling::Deny {
            rules,
            message: "no rule of the policy permits this".to_owned(),
            hint: "an administrator writes a rule that does; `grantor policy explain` shows why \
                   none of them applies"
                .to_owned(),
        };
    }
    let hint = texts(deciding.iter().filter_map(|rule| rule.hint.as_deref()));
    let contact = texts(deciding.iter().filter_map(|rule| rule.contact.as_deref()));
    let turn = (!contact.is_empty()).then(|| format!("turn to {contact}"));
    let hint = [Some(hint).filter(|hint| !hint.is_empty()), turn];
    let hint = hint.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let usual = || "an administrator decides in the policy what it takes".to_owned();
    Ruling::Deny {
        message: format!("the policy forbids this (rule {})", rules.join(", ")),
        hint: Some(hint).filter(|hint| !hint.is_empty()).unwrap_or_else(usual),
        rules,
    }
}

fn broken(mut rules: Vec<String>, failed: &[String]) -> Ruling {
    rules.sort_unstable();
    Ruling::Deny {
        message: format!("a rule of the policy cannot be evaluated: {}", failed.join("; ")),
        hint: "an administrator mends the rule; until then nothing is allowed that it bears on"
            .to_owned(),
        rules,
    }
}

fn unjudged(trouble: &str) -> Ruling {
    Ruling::Deny {
        rules: Vec::new(),
        message: format!("this change cannot be put before the policy: {trouble}"),
        hint: "nothing is allowed that cannot be judged; report this".to_owned(),
    }
}

fn ids(rules: &[&Rule]) -> Vec<String> {
    rules.iter().map(|rule| rule.id.clone()).collect()
}

/// Texts in their order, each once.
fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept.join("; ")
}

/// What the schema has against a rule, and rules that can never apply.
fn check(
    text: &str,
    listed: &[Rule],
    set: &PolicySet,
    schema: &Schema,
) -> Result<(), Vec<PolicyMistake>> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let mut troubles = BTreeMap::new();
    let mut add = |id: &PolicyId, error: &dyn Diagnostic| {
        let rule = listed.iter().find(|rule| id.to_string() == rule.id);
        let line = line_at(text, error).or(rule.map(|rule| rule.line)).unwrap_or_default();
        let message = error.to_string();
        let message = message.trim_start_matches(&format!("for policy `{id}`, "));
        let text = format!("{message}{}", help(error));
        let trouble = PolicyMistake::at(line, Some(id.to_string()), text);
        let known: &mut PolicyMistake =
            troubles.entry((line, without_tools(message))).or_insert_with(|| trouble.clone());
        // Cedar finds them in no order; a reader sees the same one each time.
        if trouble.text < known.text {
            *known = trouble;
        }
    };
    for error in result.validation_errors() {
        add(error.policy_id(), error);
    }
    let wrong = |id| result.validation_errors().any(|error| error.policy_id() == id);
    for warning in result.validation_warnings().filter(|warning| matters(warning)) {
        if !wrong(warning.policy_id()) {
            add(warning.policy_id(), warning);
        }
    }
    if troubles.is_empty() {
        return Ok(());
    }
    Err(in_our_words(text, troubles.into_values().collect()))
}

/// What is known of a mistake in the words of the schema, in place of what Cedar says of it.
fn in_our_words(text: &str, mut troubles: Vec<PolicyMistake>) -> Vec<PolicyMistake> {
    for found in mended::find(text) {
        let of_rule = |trouble: &PolicyMistake| trouble.kind == LOAD && trouble.rule == found.rule;
        if !troubles.iter().any(|trouble| of_rule(trouble) || trouble.rule == found.rule) {
            continue;
        }
        // A rule that can never apply is one because of what was found in it.
        let is_whole =
            |text: &str| text.contains("impossible") || text.contains("applicable action");
        troubles.retain(|trouble| {
            !of_rule(trouble) || (trouble.line != found.line && !is_whole(&trouble.text))
        });
        troubles.push(PolicyMistake {
            line: found.line,
            rule: found.rule,
            text: found.message,
            kind: found.kind,
            hint: found.hint,
            replacement: found.replacement,
        });
    }
    troubles.sort_by_key(|trouble| trouble.line);
    troubles
}

/// A message whatever tool it is about: the same mistake is found once for each.
fn without_tools(message: &str) -> String {
    let mut parts = message.split("Action::\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('"').map_or(part, |(_, rest)| rest))
}

/// A rule that can never apply protects nothing, and one that hides its text deceives its reader.
fn matters(warning: &ValidationWarning) -> bool {
    matches!(
        warning,
        ValidationWarning::ImpossiblePolicy(_)
            | ValidationWarning::InvalidActionApplication(_)
            | ValidationWarning::BidiCharsInString(_)
            | ValidationWarning::BidiCharsInIdentifier(_)
    )
}

fn unparsed(text: &str, errors: &cedar_policy::ParseErrors) -> Vec<PolicyMistake> {
    let trouble = |error: &cedar_policy::ParseError| {
        let number = line_at(text, error).unwrap_or(1);
        let line = text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
        match unread::unread(line, &error.to_string()) {
            Some((message, replacement)) => {
                PolicyMistake { replacement, ..PolicyMistake::at(number, None, message) }
            }
            None => PolicyMistake::at(number, None, format!("{error}{}", help(error))),
        }
    };
    errors.iter().map(trouble).collect()
}

fn help(error: &dyn Diagnostic) -> String {
    error.help().map(|help| format!("; {help}")).unwrap_or_default()
}

fn line_at(text: &str, error: &dyn Diagnostic) -> Option<usize> {
    let span = error.labels()?.next()?;
    Some(line(text, span.offset()))
}

fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

/// Where a rule's text ends, and the line it starts in, looked for after `from`.
pub(super) fn line_of(text: &str, rule: &str, from: usize) -> (usize, usize) {
    let rest = text.get(from..).unwrap_or_default();
    match rest.find(rule) {
        Some(start) => (from + start + rule.len(), line(text, from + start)),
        None => (from, line(text, from)),
    }
}

/// The kind of a mistake that keeps a policy from loading.
const LOAD: &str = "load";

impl PolicyMistake {
    pub(super) fn whole(text: String) -> Self {
        Self::at(0, None, text)
    }

    pub(super) fn at(line: usize, rule: Option<String>, text: String) -> Self {
        Self { line, rule, text, kind: LOAD, hint: None, replacement: None }
    }
}
