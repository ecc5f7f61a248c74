//! Who may grant what: every resolved change is judged on what it really is.
//!
//! The rules are Cedar: denied unless permitted, and one forbid outweighs every permit. A rule that
//! cannot be evaluated denies, and a permit with `@ask` among those that apply makes it a question.
//!
//! ```text
//!  Intent ──facts──► Cedar requests ──rules──► a ruling each ──ruling──► the strictest ──► Verdict
//!             one for the whole change; one for each row, where it is for several;
//!             one more as a revocation, where a tool that sets access takes some away
//! ```
//!
//! - `rules` reads a policy's text, checks it in every way that can be checked before the first change, and
//!   asks Cedar; `annotations` are what its author put at each rule. `nesting` bounds how deep the text goes before anything parses it.
//! - `facts` is what rules can speak of: the principal, action and resource of a Cedar request, and its
//!   context. `policies/grantor.cedarschema` is its contract with authors of policies.
//!   `fields` lists each, and whose word it is; `declared` is what the configuration says, `gains` who has more
//!   afterwards, `address` and `said` take texts apart, `records` has people and roles as rules see them.
//! - `findings` are rules that hold and do not mean what they seem to, `words` and `numbers` what a field can
//!   be, and `teams` finds rules about teams that there are not.
//! - `ruling` joins what is said of the whole and of each row: a denial outweighs a question, a question a yes.
//! - `rights` says who may see and who may approve what another asked for.
//! - `explain` asks the same rules one by one, to say why; it decides nothing.
//!
//! A [`Guard`] is read once and never changes; [`Guard::judge`] is pure, so whoever judges the same intent in
//! the same [`Circumstances`] gets the same verdict, in another process too. Its [`hash`](Guard::hash) is over
//! the rules' text and the schema: a consent names it, and counts under no other.
//!
//! ```
//! # use grantor::{catalogue::Supposed, guard::{Circumstances, Guard, Verdict}, requester::Requester};
//! let rules = r#"@id("anything") permit(principal, action, resource);"#;
//! let guard = Guard::compile("mine.cedar", rules, false)?;
//! let now = "2026-07-04T00:00:00Z".parse()?;
//! let intent = Supposed::default().intent("set_project_acl", now)?;
//! let sam = Requester::named("sam");
//! let at = Circumstances { requester: &sam, changes_this_hour: 0, now };
//! assert!(matches!(guard.judge(intent, &at), Verdict::Allow(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod annotations;
mod declared;
mod explain;
mod facts;
mod fields;
mod findings;
mod gains;
mod nesting;
mod numbers;
mod records;
mod rights;
mod rules;
mod ruling;
mod said;
mod teams;
mod values;
mod words;

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;

pub use declared::{Accounts, Declared, Label, UNLABELLED};
pub use explain::{Explained, Judged};
pub use fields::{FIELDS, Fact, FactSource, Field};
pub use findings::{Finding, Severity};
pub use rights::{AskedFor, Right};
pub use rules::{Rule, RuleKind};
pub use values::minutes;

pub use super::permit::{Demand, Denied, NeedsConsent, Permitted, VerdictRecord};
use crate::failure::Failure;
use crate::intent::{Cause, Intent, JudgedPart};
use crate::requester::Requester;
use crate::text;
use facts::{Case, Language, Subject};
use rules::Rules;
use ruling::Ruling;

/// The rules in force, read once: a file that changes afterwards changes nothing.
#[derive(Clone)]
pub struct Guard {
    read_only: bool,
    rules: InForce,
    /// Made when it is first asked for.
    hash: Arc<OnceLock<String>>,
    /// None where it was not asked what is declared.
    declared: Option<Arc<Declared>>,
    witness: Option<Arc<Witness>>,
}

/// The built-in rules are compiled when they are first asked for: that they hold is known before a
/// release is made, and a server is up sooner.
#[derive(Clone)]
enum InForce {
    BuiltIn,
    Given(Arc<Rules>),
}

/// Told of each change that is judged; it has no say.
pub type Witness = dyn Fn(&Intent, &Circumstances<'_>) + Send + Sync;

/// What bears on a change beside the change itself.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Who asks; of a right, who would see or approve.
    pub requester: &'a Requester,
    /// How many changes the requester has had sent in the hour before.
    pub changes_this_hour: u32,
    pub now: Timestamp,
}

/// What the guard says of one intent.
#[derive(Debug)]
pub enum Verdict {
    Allow(Box<Permitted>),
    Ask(Box<NeedsConsent>),
    Deny(Box<Denied>),
}

/// What keeps a policy from being used; nothing is served without one.
#[derive(Clone, Debug)]
pub struct PolicyError {
    pub file: String,
    /// Never empty; in the order of their lines.
    pub troubles: Vec<PolicyMistake>,
}

/// One mistake in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyMistake {
    /// Where it is; 0 where it is the whole file.
    pub line: usize,
    pub rule: Option<String>,
    pub text: String,
    pub kind: &'static str,
    pub hint: Option<String>,
    /// The whole line as it should be.
    pub replacement: Option<String>,
}

/// The rule that `--read-only` is: before all others, and above every policy.
const READ_ONLY: &str = "read-only";
const BUILT_IN: &str = include_str!("../../policies/default.cedar");
#[expect(clippy::expect_used, reason = "the text is part of the program, and a test compiles it")]
static BUILT_IN_RULES: LazyLock<Rules> =
    LazyLock::new(|| Rules::compile(BUILT_IN).expect("the built-in rules hold"));

static NOTHING_DECLARED: LazyLock<Declared> = LazyLock::new(Declared::default);

impl Guard {
    /// The built-in rules.
    pub fn built_in(read_only: bool) -> Self {
        Self::of(InForce::BuiltIn, read_only)
    }

    /// Rules from their text; `file` is what errors call it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn compile(file: &str, text: &str, read_only: bool) -> Result<Self, PolicyError> {
        let rules = Rules::compile(text)
            .map_err(|troubles| PolicyError { file: file.to_owned(), troubles })?;
        Ok(Self::of(InForce::Given(Arc::new(rules)), read_only))
    }

    fn of(rules: InForce, read_only: bool) -> Self {
        Self { read_only, rules, hash: Arc::default(), declared: None, witness: None }
    }

    /// Gets ready to compile rules, which takes longer than all else at a start, while others go on with theirs: what
    /// Cedar makes when it is first needed, and the language that the rules are in.
    pub fn expect_rules() {
        drop(std::thread::Builder::new().spawn(cedar_policy::Authorizer::new));
        drop(std::thread::Builder::new().spawn(Language::get));
    }

    /// The same rules, where this is declared for them to speak of.
    #[must_use]
    pub fn declaring(self, declared: Declared) -> Self {
        Self { hash: Arc::default(), declared: Some(Arc::new(declared)), ..self }
    }

    /// SHA-256, in hexadecimal, of the rules' text, of the schema they are read by and of what is declared
    /// beside them: what a person agreed to under other rules can be told by it. Whether the server is read-only is no part of
    /// it, nor is what the file is called.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let rules = match &self.rules {
                InForce::BuiltIn => BUILT_IN,
                InForce::Given(rules) => &rules.text,
            };
            let of_rules = hash(rules);
            match self.declared.as_deref().filter(|declared| !declared.is_empty()) {
                Some(declared) => hash_of(&[&of_rules, &declared.canonical()]),
                None => of_rules,
            }
        })
    }

    /// Has every judgement told to `witness`.
    #[must_use]
    pub fn with_witness(self, witness: Arc<Witness>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// The rules in the order they are written in.
    pub fn rules(&self) -> &[Rule] {
        self.in_force().listed()
    }

    /// Whether any rule asks how many changes there were: whoever judges need not count otherwise.
    pub fn counts_changes(&self) -> bool {
        self.in_force().mention("changes_this_hour")
    }

    /// Whether any rule asks for this fact: whoever judges need not read it otherwise.
    pub fn asks_for(&self, fact: &str) -> bool {
        self.in_force().mention(fact)
    }

    /// Judges one intent. Pure: the same intent in the same circumstances gets the same verdict.
    pub fn judge(&self, intent: Intent, at: &Circumstances<'_>) -> Verdict {
        if let Some(witness) = &self.witness {
            witness(&intent, at);
        }
        match self.ruling(&intent, at) {
            Ruling::Allow(rules) => {
                let policy = VerdictRecord { verdict: "allow", rules };
                Verdict::Allow(Box::new(Permitted::new(intent, policy)))
            }
            Ruling::Ask { rules, why, demands } => {
                let policy = VerdictRecord { verdict: "ask", rules };
                let typed = intent.privileged.is_some() || facts::is_wide(&intent);
                Verdict::Ask(Box::new(
                    NeedsConsent::new(intent, policy, why, typed).demanding(demands),
                ))
            }
            Ruling::Deny { rules, message, hint } => {
                let policy = VerdictRecord { verdict: "deny", rules };
                Verdict::Deny(Box::new(Denied { intent, message, hint, policy }))
            }
        }
    }

    /// Whether the rules let the end of a timed change through, as the intent tells of it.
    ///
    /// # Errors
    /// `Refused`, with the rules that say so.
    pub fn end(&self, intent: &Intent, at: &Circumstances<'_>) -> Result<(), Failure> {
        match self.ruling(intent, at) {
            Ruling::Allow(_) => Ok(()),
            Ruling::Ask { rules, .. } => {
                let rules = rules.join(", ");
                Err(Failure::refused(format!("nobody is asked at the end (rule {rules})"))
                    .hint("an administrator takes @ask from the rule that permits `expire`"))
            }
            Ruling::Deny { rules, hint, .. } if rules.is_empty() => {
                Err(Failure::refused("no rule of the policy permits `expire`").hint(hint))
            }
            Ruling::Deny { message, hint, .. } => Err(Failure::refused(message).hint(hint)),
        }
    }

    /// Whether the rules let the end of a timed change give this back: it is judged as what its tool
    /// does. A question was answered with the consent to the grant.
    ///
    /// # Errors
    /// `Refused`, with the rules that say so.
    pub fn giving(&self, intent: &Intent, at: &Circumstances<'_>) -> Result<(), Failure> {
        let mut ruling = self.in_force().decide(self.case(Subject::Giving(intent), at));
        add_privilege(&mut ruling, intent);
        match ruling {
            Ruling::Allow(_) | Ruling::Ask { .. } => Ok(()),
            Ruling::Deny { message, hint, .. } => Err(Failure::refused(message).hint(hint)),
        }
    }

    /// What is to be known of a policy that loads.
    pub fn warnings(&self) -> Vec<String> {
        self.findings().iter().map(Finding::told).collect()
    }

    /// What holds in a policy that loads and does not mean what it seems to, in the order of its lines.
    pub fn findings(&self) -> Vec<Finding> {
        // The built-in rules have none; nobody waits for them to be compiled to hear that.
        let InForce::Given(rules) = &self.rules else { return Vec::new() };
        let declared = self.declared.as_deref();
        let find = || findings::find(&rules.text, declared);
        let mut found = nesting::with_room(find).unwrap_or_default();
        found.extend(declared.into_iter().flat_map(|declared| teams::undeclared(rules, declared)));
        found.extend(teams::signatures_alone(rules));
        // What is read-only grants nothing that would end.
        found.retain(|finding| !self.read_only || finding.line > 0);
        found.sort_by_key(|finding| finding.line);
        found
    }

    /// Whether somebody may look, before any vendor is asked.
    ///
    /// # Errors
    /// `Refused`, with the rules that say so.
    pub fn look(
        &self,
        tool: &'static str,
        client: Option<&str>,
        at: &Circumstances<'_>,
    ) -> Result<(), Failure> {
        match self.in_force().decide(self.case(Subject::Look { tool, client }, at)) {
            // Nobody is asked about looking: that is said when the policy loads.
            Ruling::Allow(_) | Ruling::Ask { .. } => Ok(()),
            Ruling::Deny { message, hint, .. } => Err(Failure::refused(message).hint(hint)),
        }
    }

    fn case<'a>(&'a self, subject: Subject<'a>, at: &'a Circumstances<'a>) -> Case<'a> {
        Case { subject, at, declared: self.declared.as_deref().unwrap_or(&NOTHING_DECLARED) }
    }

    fn in_force(&self) -> &Rules {
        match &self.rules {
            InForce::BuiltIn => &BUILT_IN_RULES,
            InForce::Given(rules) => rules,
        }
    }

    fn ruling(&self, intent: &Intent, at: &Circumstances<'_>) -> Ruling {
        if self.read_only {
            return Ruling::Deny {
                rules: vec![READ_ONLY.to_owned()],
                message: "this server is read-only".to_owned(),
                hint: "an administrator starts it without --read-only".to_owned(),
            };
        }
        let decide = |one: &Intent| self.in_force().decide(self.case(Subject::Change(one), at));
        let (one, other) = intent.judged_as();
        let mut whole = match other {
            Some(other) => decide(&one).stricter(decide(&other)),
            None => decide(&one),
        };
        add_privilege(&mut whole, intent);
        let rows: Vec<_> = self.rows(intent, at);
        if rows.is_empty() {
            return whole;
        }
        // Each row has its own permit: what all of them together are called, no rule need speak for.
        // Only where the rules speak of several they are about the whole call as well.
        if whole.is_unspoken() && !self.in_force().mention(facts::SEVERAL) {
            whole = Ruling::Allow(Vec::new());
        }
        Ruling::strictest(whole, rows)
    }

    /// What the rules say of each row of a change that is for several, or takes away too.
    fn rows<'i>(
        &self,
        intent: &'i Intent,
        at: &Circumstances<'_>,
    ) -> Vec<(&'i JudgedPart, Ruling)> {
        let decide = |row: &'i JudgedPart| {
            (row, self.in_force().decide(self.case(Subject::Row(intent, row), at)))
        };
        apart(intent).iter().map(decide).collect()
    }
}

/// The rows that say something else than the change as a whole. An end was agreed to as a whole, and is
/// judged as that: access must not be left standing for one of several.
fn apart(intent: &Intent) -> &[JudgedPart] {
    match intent.rows.as_slice() {
        _ if matches!(intent.cause, Cause::Expiry(_)) => &[],
        [only]
            if only.effect == intent.effect
                && only.wanted.principal == intent.wanted.principal
                && only.wanted.role == intent.wanted.role =>
        {
            &[]
        }
        rows => rows,
    }
}

/// The schema's own text stands for its version, so that nobody has to count it up.
fn hash(rules: &str) -> String {
    hash_of(&[facts::SCHEMA, rules])
}

fn hash_of(parts: &[&str]) -> String {
    let mut all = Context::new(&SHA256);
    for part in parts {
        // With its length before it no part can begin in the other.
        all.update(&part.len().to_be_bytes());
        all.update(part.as_bytes());
    }
    text::hex(all.finish().as_ref())
}

fn add_privilege(ruling: &mut Ruling, intent: &Intent) {
    if let (Ruling::Deny { message, .. }, Some(privilege)) = (ruling, &intent.privileged) {
        message.push_str(&format!("; it is privileged: {privilege}"));
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules().iter().map(|rule| &rule.id).collect();
        f.debug_struct("Guard")
            .field("read_only", &self.read_only)
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

impl PolicyError {
    /// Something that is wrong with the file and not with a line of it.
    pub fn whole(file: String, text: String) -> Self {
        Self { file, troubles: vec![PolicyMistake::at(0, None, text)] }
    }

    /// Each trouble with the place it is at: `FILE:LINE: rule "ID": what to do`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.troubles.iter().map(|trouble| {
            let line = if trouble.line == 0 { String::new() } else { format!(":{}", trouble.line) };
            let rule = trouble.rule.as_ref().map(|rule| format!("rule {rule:?}: "));
            let more = trouble.hint.iter().map(|hint| format!("; {hint}"));
            let new = trouble.replacement.iter().map(|line| format!("; write: {}", line.trim()));
            let more: String = more.chain(new).collect();
            format!("{}{line}: {}{}{more}", self.file, rule.unwrap_or_default(), trouble.text)
        })
    }

    /// The same as findings.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.troubles.iter().cloned().map(|trouble| Finding {
            rule: trouble.rule,
            hint: trouble.hint,
            replacement: trouble.replacement,
            severity: Severity::Error,
            ..Finding::new(trouble.kind, trouble.line, trouble.text)
        })
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().next().unwrap_or_default())?;
        match self.troubles.as_slice() {
            [] | [PolicyMistake { line: 0, .. }] => Ok(()),
            [_] => f.write_str("; nothing is served until that is mended"),
            [_, more @ ..] => {
                write!(f, " (and {} more; `grantor policy check` lists them)", more.len())
            }
        }
    }
}

impl std::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the built-in rules without compiling them is so.
    #[test]
    fn the_built_in_rules_hold_and_need_no_warning() {
        let compiled = Guard::compile("default.cedar", BUILT_IN, false).unwrap();
        assert_eq!(compiled.warnings(), Vec::<String>::new());
        let built_in = Guard::built_in(false);
        let ids =
            |guard: &Guard| guard.rules().iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        assert_eq!((built_in.hash(), ids(&built_in)), (compiled.hash(), ids(&compiled)));
    }
}
