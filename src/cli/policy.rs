//! The rules in force: whether they hold, and what they say of a change.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::paint::{BAD, BOLD, DIM, GOOD, WAITS, with};
use super::{Global, Ran, call, paint, setup, setup::Setup};
use crate::catalogue::Supposed;
use crate::config::Config;
use crate::desk::{Answer, Call, Desk, Person};
use crate::guard::{Circumstances, Guard, Judged, Rule, RuleKind as Kind};
use crate::text;
use crate::tools::{Effect, TOOLS, parse};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check a policy and list its rules
    #[command(after_help = "Examples:\n  grantor policy check\n  grantor policy check rules.cedar")]
    Check {
        /// The policy; without it, the one in force
        file: Option<PathBuf>,
    },
    /// Say what the policy makes of a change, rule by rule; nothing is sent
    Explain(Explain),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    grantor --sandbox policy explain grant_asset_role '{\"userKey\": \"user@example.com\", \
    \"roleKey\": \"Developer\", \"assetKeys\": [\"Orders\"]}'\n  \
    grantor policy explain grant_asset_role --offline '{\"resource\": {\"name\": \"Orders\"}, \
    \"privileged\": \"manages users\", \"expires_in\": \"PT8H\"}'\n\n\
    Offline a change may have: grantee, role and resource, each {id, name, kind}; permissions, \
    tenant (its host), tenant_name, scope, privileged (why), own, width, rows [{grantee, role, permissions, privileged, \
    own, loses}], holds [{role, resource}], reason, client, \
    expires_in, expires_at, undoes, ends, requester, changes_this_hour, now.\n\n\
    Exit status: 0 allowed, 3 asked, 1 denied or not judged, 2 wrong usage.")]
struct Explain {
    /// The changing tool; `grantor tools` lists them
    tool: String,
    /// Its arguments as a JSON object, or - to read them from stdin [default: {}]
    json: Option<String>,
    /// Ask no vendor: the JSON object says what is supposed of the change
    #[arg(long)]
    offline: bool,
    /// Print JSON on a terminal too
    #[arg(long = "json")]
    as_json: bool,
}

/// The changes that were judged, and what the call answered where there was one.
struct Outcome {
    judged: Vec<Judged>,
    answer: Option<Answer>,
}

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    match arguments.command {
        Command::Check { file } => check(global, file),
        Command::Explain(explain) => match explain.fields() {
            Ok(fields) => explain.run(global, fields).await,
            Err(trouble) => {
                paint::complain(&trouble);
                Ok(ExitCode::from(2))
            }
        },
    }
}

fn check(global: &Global, file: Option<PathBuf>) -> Ran {
    let policy = match file {
        Some(file) => Some(file),
        None => Config::load(&setup::sources(&global.flags()))?.policy,
    };
    match Guard::load(policy.as_deref(), false) {
        Ok(guard) => {
            paint::lines(&table(guard.rules()))?;
            guard.warnings().iter().for_each(|warning| paint::complain(warning));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            error.lines().for_each(|line| paint::complain(&line));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn table(rules: &[Rule]) -> String {
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    let line = |rule: &Rule| {
        let effect = match rule.effect {
            Kind::Permit if rule.ask.is_some() => with(WAITS, "ask   "),
            Kind::Permit => with(GOOD, "permit"),
            Kind::Forbid => with(BAD, "forbid"),
        };
        let said = rule.ask.as_ref().or(rule.hint.as_ref()).map(String::as_str).unwrap_or_default();
        let said = if said.is_empty() { String::new() } else { with(DIM, said) };
        format!("{}\n", format!("{effect}  {:width$}  {said}", rule.id).trim_end())
    };
    rules.iter().map(line).collect()
}

impl Explain {
    /// # Errors
    /// Wrong usage, in words.
    fn fields(&self) -> Result<Map<String, Value>, String> {
        // Only a change has a dry run: anything else would be carried out.
        let changes = |effect| matches!(effect, Effect::Grant | Effect::Revoke);
        let mut tools = TOOLS.iter().map(|tool| tool.spec);
        if !tools.any(|spec| spec.name == self.tool && changes(spec.effect)) {
            return Err(format!(
                "{:?} is no tool that grants or revokes; `grantor tools` lists them",
                self.tool
            ));
        }
        call::object(self.json.as_deref())
    }

    async fn run(self, global: &Global, fields: Map<String, Value>) -> Ran {
        let found = if self.offline {
            self.suppose(global, fields)?
        } else {
            self.dry_run(global, fields).await?
        };
        if self.as_json || !std::io::stdout().is_terminal() {
            let mut body = json!({ "judged": found.judged });
            if let Some(answer) = &found.answer {
                crate::json::put(&mut body, "answer", answer.write());
            }
            paint::json(&format!("{body:#}"))?;
        } else {
            paint::lines(&found.shown())?;
        }
        Ok(ExitCode::from(found.status()))
    }

    /// What the policy says of a change that is only supposed.
    fn suppose(&self, global: &Global, fields: Map<String, Value>) -> Result<Outcome, Error> {
        let config = Config::load(&setup::sources(&global.flags()))?;
        let guard = Guard::load(config.policy.as_deref(), config.read_only)?;
        let supposed: Supposed = parse(Value::Object(fields)).map_err(|failure| failure.message)?;
        let requester = supposed.requester.clone().unwrap_or_else(|| "somebody".to_owned());
        let at = Circumstances {
            requester: &requester,
            changes_this_hour: supposed.changes_this_hour,
            now: supposed.now(Timestamp::now()),
        };
        let judged = vec![guard.explain(&supposed.intent(&self.tool, at.now)?, &at)];
        Ok(Outcome { judged, answer: None })
    }

    /// What the policy says of a change as the vendor knows it, up to the point of sending it.
    async fn dry_run(
        &self,
        global: &Global,
        mut fields: Map<String, Value>,
    ) -> Result<Outcome, Error> {
        let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
        let guard = Guard::load(config.policy.as_deref(), config.read_only)?;
        let judged = Arc::new(Mutex::new(Vec::new()));
        let (judge, told) = (guard.clone(), judged.clone());
        let guard = guard.with_witness(Arc::new(move |intent, at| {
            told.lock().unwrap_or_else(PoisonError::into_inner).push(judge.explain(intent, at));
        }));
        fields.insert("dry_run".to_owned(), Value::Bool(true));
        let call = Call {
            requester: config.requester.clone(),
            tool: self.tool.clone(),
            arguments: fields,
            client: None,
            asked: None,
            progress: Box::new(|_| ()),
            withdrawn: Box::new(|| false),
            person: Person::Absent,
        };
        let answer = Desk::with(config, guard).call(call).await;
        let answer = answer.map_err(|_| format!("there is no tool {:?}", self.tool))?;
        let judged = std::mem::take(&mut *judged.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Outcome { judged, answer: Some(answer) })
    }
}

impl Outcome {
    /// That of the worst verdict, or of the answer where nothing came to be judged.
    fn status(&self) -> u8 {
        let verdicts: Vec<_> = self.judged.iter().map(|judged| judged.policy.verdict).collect();
        match &self.answer {
            _ if verdicts.contains(&"deny") => 1,
            _ if verdicts.contains(&"ask") => 3,
            _ if !verdicts.is_empty() => 0,
            Some(answer) => answer.outcome().map_or(1, crate::access::Outcome::exit_status),
            None => 1,
        }
    }

    fn shown(&self) -> String {
        match &self.answer {
            Some(answer) if self.judged.is_empty() => paint::answer(&answer.shown()),
            _ => self.judged.iter().map(shown).collect(),
        }
    }
}

fn shown(judged: &Judged) -> String {
    let verdict = match judged.policy.verdict {
        "allow" => with(GOOD, "allow"),
        "ask" => with(WAITS, "ask"),
        other => with(BAD, other),
    };
    let mut shown = format!("{verdict}  {}\n", with(BOLD, &text::clean(&judged.summary)));
    let width = judged.rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    for rule in &judged.rules {
        let decides = judged.policy.rules.contains(&rule.id);
        let mark = if decides { "»" } else { " " };
        let (effect, why) = (rule.effect, with(DIM, &text::clean(&rule.why)));
        shown.push_str(&format!("{mark} {effect}  {:width$}  {why}\n", rule.id));
    }
    // Each whose access changes, below what is said of the whole call.
    shown.extend(judged.rows.iter().map(self::shown));
    shown
}
