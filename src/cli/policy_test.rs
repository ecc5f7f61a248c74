//! Whether a policy decides as a table of cases beside it says.

mod table;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::dry_run::DryRun;
use super::paint::{BAD, DIM, GOOD, with};
use super::table::Row;
use super::{Global, Ran, paint, setup, setup::Setup};
use crate::catalogue::Supposed;
use crate::config::Config;
use crate::guard::{AskedFor, Circumstances, Finding, Guard, Judged, Severity, VerdictRecord};
use crate::requester::Requester;
use crate::sandbox::Sandbox;
use crate::text;
use crate::tools::meant;
use table::{Case, Change, Decisions};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Arguments {
    /// The table, in TOML
    file: PathBuf,
}

const AFTER: &str = "\
Example, rules.test.toml beside rules.cedar:
  policy = \"rules.cedar\"            # from this file's folder; without it, the rules in force
  now = 2026-12-21T10:00:00Z        # of every case that names no other; without it, now
  time_zone = \"Europe/Berlin\"       # this and what follows as in the configuration file

  [teams.payments]
  members = [\"ada\", \"ben\"]

  [[labels]]
  label = \"production\"
  resource = \"*prod*\"

  [[case]]
  name = \"production is asked about\"
  tool = \"grant_asset_role\"
  requester = \"ada\"                 # client and now may stand here, too
  change = { resource = { name = \"Orders prod\" }, expires_in = \"PT4H\" }
  verdict = \"ask\"                   # or allow, or deny
  rule = \"ask-in-production\"        # may be left out: a rule that decided

A change is what `grantor policy explain --offline` takes; `arguments = { … }` in its place are
those of a call, which is tried at the vendors of --sandbox and not sent. A table that names its
policy is told what it declares itself, and nothing of your configuration; --policy puts another
in that policy's place. What a vendor never says of a change makes its case fail.

Who may see a request, or approve it, is a case with `viewer` or `approver` beside `requester`; each is a name,
or of a caller { name = \"ISSUER#SUBJECT\", groups = [\"ISSUER#NAME\"], email, kind, client }.

Exit status: 0 all is decided as wanted, 1 something is not or the policy has what\n`grantor policy check` would mend, 2 wrong usage, table or policy.";

/// What came of a case.
#[derive(Serialize)]
struct Outcome<'c> {
    name: &'c str,
    line: usize,
    as_wanted: bool,
    wanted: Wanted<'c>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
    /// Why the case is none, or what was not judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubles: Vec<String>,
}

#[derive(Serialize)]
struct Wanted<'c> {
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'c str>,
}

/// The strictest verdict, and the rules that decided so.
#[derive(Serialize)]
struct Found {
    verdict: &'static str,
    rules: Vec<String>,
}

/// What cases are judged by.
struct Bench<'g> {
    global: &'g Global,
    guard: Guard,
    /// The vendors that real calls are tried at.
    sandbox: Option<Sandbox>,
}

/// How it ends where there is no table, or no policy, to judge by.
const UNUSABLE: u8 = 2;

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let decisions = match Decisions::read(&arguments.file) {
        Ok(decisions) => decisions,
        Err(mistakes) => return Ok(unusable(&mistakes)),
    };
    let bench = match Bench::of(global, &decisions).await {
        Ok(bench) => bench,
        Err(mistakes) => return Ok(unusable(&mistakes)),
    };
    let found = bench.guard.findings();
    let told = found.iter().map(Finding::told);
    for warning in decisions.warnings.iter().cloned().chain(told) {
        paint::complain(&warning);
    }
    let is_sound = found.iter().all(|one| one.severity == Severity::Warning);
    let mut outcomes = Vec::new();
    for case in &decisions.cases {
        outcomes.push(bench.outcome(case).await);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.as_wanted).count();
    if global.as_json || !std::io::stdout().is_terminal() {
        let body = json!({ "cases": outcomes, "total": outcomes.len(), "failed": failed,
            "findings": found });
        paint::json(&format!("{body:#}"))?;
    } else {
        paint::lines(&shown(&outcomes, failed))?;
    }
    Ok(ExitCode::from(u8::from(failed > 0 || !is_sound)))
}

fn unusable(mistakes: &[String]) -> ExitCode {
    mistakes.iter().for_each(|mistake| paint::complain(mistake));
    ExitCode::from(UNUSABLE)
}

impl<'g> Bench<'g> {
    /// # Errors
    /// What is wrong with the rules or the configuration, in sentences.
    async fn of(global: &'g Global, decisions: &Decisions) -> Result<Self, Vec<String>> {
        let told = |error: Error| vec![error.to_string()];
        let sandbox =
            if global.sandbox { Setup::load(global).await.map_err(told)?.sandbox } else { None };
        let (policy, read_only, declared) = match &decisions.policy {
            Some(policy) => (Some(policy.clone()), false, None),
            None => {
                let config = Config::load(&setup::sources(&global.flags()));
                let config = config.map_err(|error| vec![error.to_string()])?;
                (config.policy, config.read_only, Some(config.declared))
            }
        };
        let policy = global.policy.clone().or(policy);
        let guard = Guard::load(policy.as_deref(), read_only);
        let guard = guard.map_err(|error| error.lines().collect::<Vec<_>>())?;
        let declared = decisions.declared.clone().or(declared).unwrap_or_default();
        Ok(Self { global, guard: guard.declaring(declared), sandbox })
    }

    async fn outcome<'c>(&self, case: &'c Case) -> Outcome<'c> {
        let found = match &case.change {
            Change::Supposed(supposed) => self.supposed(case, supposed),
            Change::Real(arguments) => self.real(case, arguments).await,
        };
        let (found, mut troubles) = match found {
            Ok(found) => (Some(found), Vec::new()),
            Err(troubles) => (None, troubles),
        };
        troubles.extend(case.rule.as_deref().and_then(|rule| self.no_rule(rule)));
        let is_wanted = |found: &Found| {
            let decided = |rule: &String| found.rules.contains(rule);
            found.verdict == case.verdict && case.rule.as_ref().is_none_or(decided)
        };
        Outcome {
            name: &case.name,
            line: case.line,
            as_wanted: troubles.is_empty() && found.as_ref().is_some_and(is_wanted),
            wanted: Wanted { verdict: case.verdict, rule: case.rule.as_deref() },
            found,
            troubles,
        }
    }

    fn no_rule(&self, rule: &str) -> Option<String> {
        let names: Vec<_> = self.guard.rules().iter().map(|known| known.id.as_str()).collect();
        let is_known = names.contains(&rule);
        (!is_known).then(|| format!("there is no rule {rule:?}{}", meant(rule, &names)))
    }

    fn supposed(&self, case: &Case, supposed: &Supposed) -> Result<Found, Vec<String>> {
        let untold = supposed.untold(case.tool);
        if !untold.is_empty() {
            return Err(untold);
        }
        let somebody = Requester::named("somebody");
        let by = case.requester.as_ref().unwrap_or(&somebody);
        let (right, who) =
            case.right.as_ref().map_or((None, by), |(right, who)| (Some(*right), who));
        let at = Circumstances {
            requester: who,
            changes_this_hour: supposed.changes_this_hour,
            now: case.now.unwrap_or_else(Timestamp::now),
        };
        let supposed = Supposed { client: case.client.clone(), ..supposed.clone() };
        let intent = supposed.intent(case.tool, at.now).map_err(|failure| vec![failure.message])?;
        let judged = match right {
            Some(right) if !self.guard.rules_on(right) => {
                return Err(vec![format!("no rule names {}", right.action())]);
            }
            Some(right) => {
                let asked = AskedFor { intent: &intent, by, approvals: 0 };
                self.guard.explain_right(right, asked, &at)
            }
            None => self.guard.explain(&intent, &at),
        };
        strictest(&[judged]).ok_or_else(Vec::new)
    }

    async fn real(
        &self,
        case: &Case,
        arguments: &Map<String, Value>,
    ) -> Result<Found, Vec<String>> {
        let Some(sandbox) = &self.sandbox else {
            let told = "arguments are a real call, which is tried at the sandbox alone: run this with \
                        --sandbox, or suppose a change";
            return Err(vec![told.to_owned()]);
        };
        let told = |error: Error| vec![error.to_string()];
        let (flags, environment) = (self.global.flags(), sandbox.environment());
        let mut sources = setup::sources(&flags);
        sources.sandbox = Some(&environment);
        let config = Config::load(&sources).map_err(|error| told(error.into()))?;
        let rehearsed = DryRun {
            tool: case.tool.to_owned(),
            arguments: arguments.clone(),
            requester: case.requester.clone(),
            client: case.client.clone(),
            now: case.now,
            right: None,
        };
        let (judged, answer) = rehearsed.judged(config, self.guard.clone()).await.map_err(told)?;
        strictest(&judged).ok_or_else(|| {
            let answer = answer.write();
            let why = answer.get("summary").and_then(Value::as_str).unwrap_or_default();
            vec![format!("no rule was asked: {why}")]
        })
    }
}

/// What all of them come to: one that is denied denies the call.
fn strictest(judged: &[Judged]) -> Option<Found> {
    let VerdictRecord { verdict, rules } =
        VerdictRecord::strictest(judged.iter().map(|one| &one.policy))?;
    Some(Found { verdict, rules })
}

/// One row a case, and what is not as wanted below it.
fn shown(outcomes: &[Outcome<'_>], failed: usize) -> String {
    let row = |outcome: &Outcome<'_>| {
        let mark = if outcome.as_wanted { with(GOOD, "✓") } else { with(BAD, "✗") };
        let wrong = (!outcome.as_wanted).then(|| outcome.wrong());
        let troubles = wrong.into_iter().chain(outcome.troubles.iter().cloned());
        Row {
            cells: [mark, with(DIM, &text::clean(&outcome.decided()))],
            text: text::clean(outcome.name),
            more: troubles.map(|trouble| text::clean(&trouble)).collect(),
        }
    };
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    let table = super::table::table(["", "DECIDED"], "CASE", &rows);
    let total = paint::counted(outcomes.len() as u64, "case");
    let told = match failed {
        0 => format!("{total}, all as wanted"),
        failed => format!("{total}, {failed} not as wanted"),
    };
    let style = if failed == 0 { GOOD } else { BAD };
    format!("{table}{}\n", with(style, &told))
}

impl Outcome<'_> {
    /// The verdict, and the rules that decided so, in a few words.
    fn decided(&self) -> String {
        match &self.found {
            None => "nothing was judged".to_owned(),
            Some(Found { verdict, rules }) if rules.is_empty() => format!("{verdict}, by no rule"),
            Some(Found { verdict, rules }) => format!("{verdict} by {}", rules.join(", ")),
        }
    }

    /// What was wanted in its place.
    fn wrong(&self) -> String {
        let wanted = match self.wanted.rule {
            Some(rule) => format!("{} by {rule}", self.wanted.verdict),
            None => self.wanted.verdict.to_owned(),
        };
        let found = self.found.as_ref().map(|_| format!("found {}", self.decided()));
        let found = found.unwrap_or_else(|| self.decided());
        format!("line {}: wanted {wanted}, {found}", self.line)
    }
}
