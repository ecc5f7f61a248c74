//! The rules in force: whether they hold, and what they say of a change.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap_complete::{ArgValueCandidates, ArgValueCompleter};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::paint::{BAD, BOLD, DIM, GOOD, WAITS, with};
use super::pairs::{self, Known};
use super::table::Row;
use super::{
    Global, Ran, complete, dry_run, dry_run::DryRun, paint, policy_check, policy_test, setup,
    setup::Setup, somebody,
};
use crate::catalogue::Supposed;
use crate::config::Config;
use crate::desk::Answer;
use crate::guard::{Circumstances, Explained, Fact, Judged, Right, Rule, RuleKind as Kind};
use crate::requester::Requester;
use crate::text;
use crate::tools::{Effect, TOOLS, parse, undo_change};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check a policy and list its rules
    #[command(
        after_help = "Examples:\n  grantor policy check\n  grantor policy check rules.cedar\n\n\
        Exit status: 0 nothing found, or only warnings; 1 something to mend; 2 wrong usage."
    )]
    Check {
        /// The policy; without it, the one in force
        file: Option<PathBuf>,
    },
    /// Say what the policy makes of a change, rule by rule; nothing is sent
    Explain(Explain),
    /// Check that a policy decides as a table of cases says; nothing is sent
    Test(policy_test::Arguments),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    grantor --sandbox policy explain grant_asset_role \\\n      \
    userKey=user@example.com roleKey=Developer assetKeys=Orders\n  \
    grantor policy explain grant_asset_role --offline \\\n      \
    resource.name=Orders privileged='manages users' expires_in=PT8H\n  \
    grantor policy explain grant_asset_role --offline resource.name=Orders \\\n      \
    --requester https://id.example.com#ada \\\n      --approver https://id.example.com#bo\n\n\
    Offline a change may have: grantee, role and resource, each {id, name, kind, email}; permissions, \
    tenant (its host), tenant_name, organization, scope, privileged (why), own, width, set_size, called, \
    rows [{grantee, role, permissions, privileged, own, loses}], holds [{role, resource}], holds_all, history {extends, \
    extensions, total_minutes, requester_today, grantee_today, undone_minutes}, reason, client \
    (NAME VERSION), expires_in, expires_at, undoes, ends, extends, requester, changes_this_hour, now. \
    What is left out is supposed, and `supposed` names it.\n\n\
    Who may approve: `ask` takes somebody's yes, and says whose where not any one is enough. Whether \
    somebody's counts, --approver says; whether somebody sees the request, --viewer. WHO is a user of the \
    operating system, or of a caller over HTTP ISSUER#SUBJECT or JSON: {\"name\": \"ISSUER#SUBJECT\", \
    \"groups\": [\"ISSUER#NAME\"], \"email\": …, \"kind\": \"person\" or \"service\"}. No service approves, \
    nobody what gives access to themselves, and nobody their own request unless the rule speaks of \
    context.requester.\n\n\
    Exit status: 0 allowed, 3 asked, 1 denied, 4 no rule was asked, 2 wrong usage.")]
struct Explain {
    /// The changing tool, or undo_change; `grantor tools` lists them
    #[arg(add = ArgValueCandidates::new(complete::tools))]
    tool: String,
    /// Its arguments as KEY=VALUE, or a JSON object, or - to read that from stdin; of undo_change a receipt
    #[arg(value_name = "KEY=VALUE|JSON", add = ArgValueCompleter::new(complete::pairs))]
    typed: Vec<String>,
    /// Ask no vendor: the arguments say what is supposed of the change
    #[arg(long)]
    offline: bool,
    /// What the client says that it is: its name and its version
    #[arg(long, value_name = "NAME VERSION")]
    client: Option<String>,
    /// The time that the rules are to be told, such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = super::time::option)]
    now: Option<Timestamp>,
    /// Who asks, in place of the user of the operating system
    #[arg(long, value_name = "WHO", value_parser = somebody::option)]
    requester: Option<Requester>,
    /// Say whether this one's yes would count
    #[arg(long, value_name = "WHO", value_parser = somebody::option, conflicts_with = "viewer")]
    approver: Option<Requester>,
    /// Say whether this one would see the request
    #[arg(long, value_name = "WHO", value_parser = somebody::option)]
    viewer: Option<Requester>,
}

/// The changes that were judged, and what the call answered where there was one.
struct Outcome {
    judged: Vec<Judged>,
    answer: Option<Answer>,
    /// What was left out of a change that is supposed.
    supposed: Vec<&'static str>,
}

/// How it ends where no rule was asked: what is so already, or cannot be told, is not judged.
const NOT_ASKED: u8 = 4;

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    match arguments.command {
        Command::Check { file } => policy_check::run(global, file),
        Command::Test(table) => policy_test::run(global, table).await,
        Command::Explain(explain) => match explain.fields() {
            Ok(fields) => explain.run(global, fields).await,
            Err(trouble) => {
                paint::complain(&trouble);
                Ok(ExitCode::from(2))
            }
        },
    }
}

/// What is supposed of a change.
///
/// # Errors
/// Something in it is of another kind than it can be.
fn supposed(fields: Map<String, Value>) -> Result<Supposed, String> {
    parse(Value::Object(fields)).map_err(|failure| {
        let at = failure.argument.unwrap_or_else(|| "something in it".to_owned());
        format!("{at} is of another kind; `grantor policy explain --help` says what there is")
    })
}

fn is_receipt(given: &str) -> bool {
    !given.trim_start().starts_with('{') && !given.contains('=') && given != "-"
}

pub(super) fn table(rules: &[Rule]) -> String {
    let row = |rule: &Rule| {
        let effect = match rule.effect {
            Kind::Permit if rule.ask.is_some() => with(WAITS, "ask"),
            Kind::Permit => with(GOOD, "permit"),
            Kind::Forbid => with(BAD, "forbid"),
        };
        let said = rule.ask.as_ref().or(rule.hint.as_ref()).filter(|said| !said.is_empty());
        let said = said.map(|said| with(DIM, said));
        Row { cells: [effect, rule.id.clone()], text: said.unwrap_or_default(), more: Vec::new() }
    };
    let rows: Vec<_> = rules.iter().map(row).collect();
    super::table::table(["EFFECT", "RULE"], "WHAT IT SAYS TO WHOEVER ASKS", &rows)
}

impl Explain {
    /// # Errors
    /// Wrong usage, in words.
    fn fields(&self) -> Result<Map<String, Value>, String> {
        // Only a change has a dry run: anything else would be carried out.
        let undoes = self.tool == undo_change::SPEC.name;
        if undoes && self.offline {
            return Err(format!(
                "{} is known by the ledger and the vendor; offline name the tool that would undo it, and \
                 \"undoes\": \"RECEIPT\"",
                self.tool
            ));
        }
        if undoes
            && let [receipt] = self.typed.as_slice()
            && is_receipt(receipt)
        {
            return Ok(Map::from_iter([("receipt".to_owned(), receipt.as_str().into())]));
        }
        let changes = |effect| matches!(effect, Effect::Grant | Effect::Revoke);
        let mut tools = TOOLS.iter().map(|tool| tool.spec);
        if !undoes && !tools.any(|spec| spec.name == self.tool && changes(spec.effect)) {
            return Err(format!(
                "{:?} is no tool that grants or revokes; `grantor tools` lists them",
                self.tool
            ));
        }
        match self.offline {
            true => {
                let fields = pairs::read(&self.typed, &Known::supposed());
                let fields = fields.and_then(pairs::supposed)?;
                supposed(fields.clone()).map(|_| fields)
            }
            false => pairs::read(&self.typed, &Known::of(&self.tool)),
        }
    }

    async fn run(self, global: &Global, fields: Map<String, Value>) -> Ran {
        let found = if self.offline {
            self.suppose(global, fields)?
        } else {
            self.dry_run(global, fields).await?
        };
        if global.as_json || !std::io::stdout().is_terminal() {
            let mut body = json!({ "judged": found.judged });
            // Facts hold names as vendors send them.
            text::clean_value(&mut body);
            if let Some(answer) = &found.answer {
                crate::json::put(&mut body, "answer", answer.write());
            }
            if !found.supposed.is_empty() {
                crate::json::put(&mut body, "supposed", json!(found.supposed));
            }
            paint::json(&format!("{body:#}"))?;
        } else {
            paint::lines(&found.shown())?;
        }
        Ok(ExitCode::from(found.status()))
    }

    /// Who would approve the request, or see it, where that is the question.
    fn right(&self) -> Option<(Right, Requester)> {
        let approver = self.approver.clone().map(|who| (Right::Approve, who));
        approver.or_else(|| self.viewer.clone().map(|who| (Right::See, who)))
    }

    /// What the policy says of a change that is only supposed.
    fn suppose(&self, global: &Global, fields: Map<String, Value>) -> Result<Outcome, Error> {
        let config = Config::load(&setup::sources(&global.flags()))?;
        let guard = config.guard()?;
        let given = |field: &str| match field {
            "client" => self.client.is_some(),
            "now" => self.now.is_some(),
            "requester" => self.requester.is_some(),
            _ => false,
        };
        let left = Supposed::FIELDS.into_iter();
        let left = left.filter(|field| !fields.contains_key(*field) && !given(field)).collect();
        let mut supposed = supposed(fields)?;
        supposed.client = self.client.clone().or(supposed.client);
        let requester = match (&self.requester, &supposed.requester) {
            (Some(requester), _) => requester.clone(),
            (None, named) => Requester::named(named.as_deref().unwrap_or("somebody")),
        };
        let at = Circumstances {
            requester: &requester,
            changes_this_hour: supposed.changes_this_hour,
            now: self.now.unwrap_or_else(|| supposed.now(Timestamp::now())),
        };
        let intent = supposed.intent(&self.tool, at.now)?;
        let judged = match self.right() {
            Some((right, who)) => dry_run::explain_right(&guard, right, &intent, (&at, &who)),
            None => guard.explain(&intent, &at),
        };
        let judged = vec![judged];
        Ok(Outcome { judged, answer: None, supposed: left })
    }

    /// What the policy says of a change as the vendor knows it, up to the point of sending it.
    async fn dry_run(&self, global: &Global, fields: Map<String, Value>) -> Result<Outcome, Error> {
        let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
        let guard = config.guard()?;
        let rehearsed = DryRun {
            tool: self.tool.clone(),
            arguments: fields,
            requester: self.requester.clone(),
            right: self.right(),
            client: self.client.clone(),
            now: self.now,
        };
        let (judged, answer) = rehearsed.judged(config, guard).await?;
        Ok(Outcome { judged, answer: Some(answer), supposed: Vec::new() })
    }
}

impl Outcome {
    /// That of the worst verdict.
    fn status(&self) -> u8 {
        let verdicts: Vec<_> = self.judged.iter().map(|judged| judged.policy.verdict).collect();
        match () {
            () if verdicts.contains(&"deny") => 1,
            () if verdicts.contains(&"ask") => 3,
            () if !verdicts.is_empty() => 0,
            () => NOT_ASKED,
        }
    }

    fn shown(&self) -> String {
        match &self.answer {
            Some(answer) if self.judged.is_empty() => paint::answer(&answer.shown()),
            _ => self.judged.iter().map(shown).chain(self.left_out()).collect(),
        }
    }

    /// What is only supposed, in a sentence.
    fn left_out(&self) -> Option<String> {
        let left = self.supposed.join(", ");
        let told = format!("no vendor was asked; supposed, because it was not said: {left}");
        (!left.is_empty()).then(|| format!("{}\n", with(DIM, &told)))
    }
}

/// As much of a fact as a reader at a terminal can use; JSON has all of it.
const LONGEST_FACT: usize = 1_000;

/// Who asks for what, as the rules see it, and whose word that is.
fn facts(judged: &Judged) -> String {
    let about = [("principal", &judged.principal), ("action", &judged.action)];
    let about = about.map(|(name, value)| (name, text::clean(value), "who asks, and for what"));
    let facts = judged.facts.iter().map(|Fact { field, value }| {
        let value = text::clean(&value.to_string());
        (field.name, text::short(&value, LONGEST_FACT).into_owned(), field.from.words())
    });
    // Of the whole call it is so, and of this one it is not.
    let absent = judged.absent.iter().map(|name| (*name, "absent".to_owned(), "of this one"));
    let all: Vec<_> = about.into_iter().chain(facts).chain(absent).collect();
    let row = |(name, value, from): (&str, String, &str)| Row {
        cells: [name.to_owned()],
        text: format!("{value}  {}", with(DIM, from)),
        more: Vec::new(),
    };
    let rows: Vec<_> = all.into_iter().map(row).collect();
    super::table::table(["FACT"], "VALUE, AND WHOSE WORD IT IS", &rows)
}

fn shown(judged: &Judged) -> String {
    let verdict = match judged.policy.verdict {
        "allow" => with(GOOD, "allow"),
        "ask" => with(WAITS, "ask"),
        other => with(BAD, other),
    };
    let mut shown = format!("{verdict}  {}\n", with(BOLD, &text::clean(&judged.summary)));
    let takes = judged.takes.as_ref().map(|takes| format!("it takes the yes of {takes}"));
    for told in judged.says.iter().chain(&takes) {
        shown.push_str(&format!("     {}\n", with(DIM, &text::clean(told))));
    }
    let row = |rule: &Explained| {
        let decides = judged.policy.rules.contains(&rule.id);
        let mark = if decides { "»" } else { " " };
        Row {
            cells: [format!("{mark} {}", rule.effect), rule.id.clone()],
            text: with(DIM, &text::clean(&rule.why)),
            more: Vec::new(),
        }
    };
    let rows: Vec<_> = judged.rules.iter().map(row).collect();
    shown.push_str(&super::table::table(["  EFFECT", "RULE"], "WHY (» decides)", &rows));
    shown.push_str(&facts(judged));
    // Each whose access changes, below what is said of the whole call.
    shown.extend(judged.rows.iter().map(self::shown));
    shown
}
