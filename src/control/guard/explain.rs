//! Why a change is judged as it is: rule by rule, down to the first thing that is not so.

use cedar_policy::{
    Authorizer, Decision, Entities, Policy as CedarPolicy, PolicySet, Request, Response,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::facts::{Case, READ_IF_NAMED, Subject};
use super::fields::{self, Fact};
use super::rules::{Rule, RuleKind};
use super::ruling::{self, Ruling};
use super::{Circumstances, Guard, VerdictRecord, apart};
use crate::intent::Intent;

/// A verdict, and what each rule had to do with it.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// The change in words.
    pub summary: String,
    pub policy: VerdictRecord,
    /// What whoever is judged is told, where no rule says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// Whose yeses it takes, where a person is asked and not any one is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
    /// Who asks, and the action that it is judged as.
    pub principal: String,
    pub action: String,
    /// What the rules were told; of one of several, what is not as it is of the whole call.
    #[serde(serialize_with = "fields::nested")]
    pub facts: Vec<Fact>,
    /// Facts of the whole call that one of several does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<&'static str>,
    pub rules: Vec<Explained>,
    /// What the rules say of each whose access changes, where it is not one alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Judged>,
}

/// What one rule says of one change.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    pub id: String,
    pub effect: &'static str,
    pub satisfied: bool,
    pub why: String,
}

/// A request, for evaluating parts of rules.
struct RuleQuestion {
    request: Request,
    entities: Entities,
}

impl Guard {
    /// The verdict on a change with every rule's part in it. Nothing comes of it.
    pub fn explain(&self, intent: &Intent, at: &Circumstances<'_>) -> Judged {
        let ruling = self.ruling(intent, at);
        let row = |row| {
            let case = self.case(Subject::Row(intent, row), at);
            let ruling = self.in_force().decide(case);
            self.judged(ruling::name(row), &ruling, &[case], Vec::new())
        };
        let rows: Vec<_> = apart(intent).iter().map(row).collect();
        let (one, other) = intent.judged_as();
        let judged: Vec<_> = [Some(one), other].into_iter().flatten().collect();
        let case = |one| self.case(Subject::Change(one), at);
        let cases: Vec<_> = judged.iter().map(|one| case(one.as_ref())).collect();
        let mut judged = self.judged(intent.summary.clone(), &ruling, &cases, rows);
        for row in &mut judged.rows {
            let has = |fact: &&Fact| row.facts.iter().any(|own| own.field == fact.field);
            let lacks = judged.facts.iter().filter(|fact| !has(fact));
            row.absent = lacks.map(|fact| fact.field.name).collect();
            row.facts.retain(|fact| !judged.facts.contains(fact));
        }
        judged
    }

    /// Whether a fact is one that the rules were told: some are read only where a rule names them.
    fn was_told(&self, name: &str) -> bool {
        !READ_IF_NAMED.contains(&name) || self.in_force().mention(name)
    }

    pub(super) fn judged(
        &self,
        summary: String,
        ruling: &Ruling,
        cases: &[Case<'_>],
        rows: Vec<Judged>,
    ) -> Judged {
        let (verdict, deciding) = ruling.verdict();
        let language = self.in_force().language;
        let ask = |case: &Case<'_>| language.ask(*case, &|_| true);
        let asked: Vec<_> = cases.iter().map(ask).collect();
        let explain = |rule: &Rule| {
            let each = asked.iter().map(|asked| match (asked, self.in_force().policy(rule)) {
                (Ok((request, entities)), Some(policy)) => {
                    let (request, entities) = (request.clone(), entities.clone());
                    RuleQuestion { request, entities }.why(policy)
                }
                (Err(trouble), _) => (false, trouble.clone()),
                (_, None) => (false, "it is not in force".to_owned()),
            });
            // A change that gives and takes is judged twice: a rule has to do with either.
            let (satisfied, why) = each
                .reduce(|one, other| if other.0 && !one.0 { other } else { one })
                .unwrap_or_default();
            Explained { id: rule.id.clone(), effect: rule.effect.as_str(), satisfied, why }
        };
        let told = cases.first().and_then(|case| {
            let (request, entities) = language.ask(*case, &|name| self.was_told(name)).ok()?;
            Some((case.at.requester.name().to_owned(), fields::facts(&request, &entities)))
        });
        let (principal, facts) = told.unwrap_or_default();
        let actions: Vec<_> = cases.iter().map(Case::action).collect();
        Judged {
            summary,
            policy: VerdictRecord { verdict, rules: deciding.to_vec() },
            says: None,
            takes: ruling.takes(),
            principal,
            action: actions.join(", "),
            facts,
            absent: Vec::new(),
            rules: self.rules().iter().map(explain).collect(),
            rows,
        }
    }
}

impl RuleQuestion {
    fn why(&self, policy: &CedarPolicy) -> (bool, String) {
        let response = self.evaluate(policy.clone());
        if let Some(error) = response.diagnostics().errors().next() {
            return (false, format!("it cannot be evaluated: {error}"));
        }
        if response.diagnostics().reason().next().is_some() {
            return (true, "all it asks for is so".to_owned());
        }
        (
            false,
            self.unmet(policy)
                .unwrap_or_else(|| "it is about other requesters, actions or resources".to_owned()),
        )
    }

    /// The first condition that is not met; none where the rule is about something else already.
    fn unmet(&self, policy: &CedarPolicy) -> Option<String> {
        let mut whole = policy.to_json().ok()?;
        let conditions = whole.get_mut("conditions").map(Value::take)?;
        *whole.get_mut("conditions")? = json!([]);
        let about = CedarPolicy::from_json(None, whole).ok()?;
        self.evaluate(about).diagnostics().reason().next()?;
        conditions.as_array()?.iter().find_map(|condition| {
            let body = condition.get("body")?;
            if condition.get("kind")?.as_str()? == "unless" {
                let holds = self.holds(body)?;
                return holds.then(|| format!("excepted, because this is so: {}", shown(body)));
            }
            self.first_unmet(body).map(|part| format!("this is not so: {}", shown(part)))
        })
    }

    /// Of parts joined by `&&`, the first that does not hold: later ones may rest on it.
    fn first_unmet<'v>(&self, body: &'v Value) -> Option<&'v Value> {
        if let Some(both) = body.get("&&") {
            let side = |side| both.get(side).and_then(|part| self.first_unmet(part));
            return side("left").or_else(|| side("right"));
        }
        (!self.holds(body)?).then_some(body)
    }

    fn holds(&self, body: &Value) -> Option<bool> {
        Some(self.evaluate(alone(body)?).decision() == Decision::Allow)
    }

    fn evaluate(&self, policy: CedarPolicy) -> Response {
        let set = PolicySet::from_policies([policy]).unwrap_or_default();
        Authorizer::new().is_authorized(&self.request, &set, &self.entities)
    }
}

/// A condition by itself, as the one rule of a policy.
fn alone(body: &Value) -> Option<CedarPolicy> {
    let any = json!({ "op": "All" });
    let rule = json!({
        "effect": "permit", "principal": any, "action": any, "resource": any,
        "conditions": [{ "kind": "when", "body": body }],
    });
    CedarPolicy::from_json(None, rule).ok()
}

/// A condition as Cedar writes it, on one line.
fn shown(body: &Value) -> String {
    let text = alone(body).and_then(|policy| policy.to_cedar()).unwrap_or_default();
    let inner = text.split_once("when {").and_then(|(_, rest)| rest.rsplit_once('}'));
    let inner = inner.map_or(text.as_str(), |(inner, _)| inner);
    inner.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl RuleKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}
