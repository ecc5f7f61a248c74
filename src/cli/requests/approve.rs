//! A person's yes at a terminal, with their signature where that is what counts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::text;
use crate::access::Outcome;
use crate::approvers::key::ApproverKey;
use crate::approvers::{Approvers, Proof, Statement};
use crate::cli::call::{self, show};
use crate::cli::setup::Setup;
use crate::cli::{Global, Ran, paint, person};
use crate::desk::{Call, ConsentQuestion, Desk, Person, PersonReply};
use crate::failure::Failure;
use crate::ledger::{Decision, Request, State};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  grantor requests approve gr-aaaaaaaaaaaaaaaaaaaaaaaaaa\n  \
    grantor requests approve gr-aaaaaaaaaaaaaaaaaaaaaaaaaa --key grantor-ada.pem")]
pub(super) struct Arguments {
    /// The receipt of the request; `grantor requests` lists them
    receipt: String,
    /// Sign with this key, where approvers are set; `grantor requests key` makes one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

pub(super) async fn run(global: &Global, arguments: Arguments) -> Ran {
    let Arguments { receipt, key } = arguments;
    if !person::is_here() {
        paint::complain(
            "approving takes a person at a terminal: run it where stdin and stderr are one",
        );
        return Ok(ExitCode::from(2));
    }
    let Setup { config, sandbox: _sandbox } = Setup::load(global).await?;
    let desk = Desk::new(config)?;
    let pem = match sealed(desk.approvers(), key.as_deref()) {
        Ok(pem) => pem,
        Err(trouble) => {
            paint::complain(&trouble);
            return Ok(ExitCode::from(2));
        }
    };
    let request = waiting(&desk, &receipt).await?;
    let question = question(&request);
    let agreed = tokio::task::spawn_blocking({
        let question = question.clone();
        move || agrees(&question)
    });
    if let Err(why) = agreed.await? {
        paint::complain(&format!(
            "not approved: {why}; the request waits until {}",
            paint::time(request.until)
        ));
        return Ok(ExitCode::FAILURE);
    }
    let (how, proof) = match (desk.approvers(), pem) {
        (Some(approvers), Some(pem)) => ("signature", Some(sign(approvers, pem, &request).await?)),
        _ => ("terminal", None),
    };
    desk.decide(&receipt, Decision::Approved, how, proof).await.map_err(|failure| Failure {
        message: format!("not approved: {}", failure.message),
        ..failure
    })?;
    carry_out(&desk, &request).await
}

/// The approver's key file, where a signature is what counts.
fn sealed(approvers: Option<&Approvers>, key: Option<&Path>) -> Result<Option<String>, String> {
    match (approvers, key) {
        (None, None) => Ok(None),
        (Some(_), Some(path)) => {
            let pem = crate::given::file(path);
            pem.map(Some).map_err(|error| format!("{}: {error}", path.display()))
        }
        (Some(_), None) => Err("only an approver's signature approves here: give --key FILE; \
                                `grantor requests key` makes one"
            .to_owned()),
        (None, Some(_)) => {
            Err("a signature counts for nothing here: GRANTOR_APPROVERS is not set".to_owned())
        }
    }
}

async fn waiting(desk: &Desk, receipt: &str) -> Result<Request, Failure> {
    let hint = "`grantor requests` lists those that wait; for those of a sandbox add --sandbox";
    let request = desk.ledger().request(receipt).await?.ok_or_else(|| {
        Failure::invalid(format!("the ledger has no request {receipt}")).hint(hint)
    })?;
    match request.state {
        State::Waiting => Ok(request),
        State::Approved => Err(Failure::refused(format!("request {receipt} is approved already"))
            .hint("a running server carries it out, or `grantor requests run`")),
        State::Spent => {
            let check = format!("`grantor call check_change '{}'`", json!({ "receipt": receipt }));
            Err(Failure::refused(format!("request {receipt} {}", State::Spent.words()))
                .hint(format!("{check} says how it ended")))
        }
        state => {
            let words = state.words();
            Err(Failure::refused(format!("request {receipt} {words}")).hint(hint))
        }
    }
}

/// The question as it was kept, cleaned once more: whoever can write the ledger could have put
/// something else there.
fn question(request: &Request) -> ConsentQuestion {
    let clean = |text: &str| crate::text::clean(text);
    let lines = text(request, "question").lines().map(crate::text::strip).collect::<Vec<_>>();
    let typed = request.content.get("typed").and_then(Value::as_str).map(clean);
    ConsentQuestion { summary: clean(text(request, "summary")), text: lines.join("\n"), typed }
}

/// Asks; a slip of the hand can be tried again, so nothing but a yes is a decision.
fn agrees(question: &ConsentQuestion) -> Result<(), &'static str> {
    match (person::ask(question), &question.typed) {
        (PersonReply::Yes(None), None) => Ok(()),
        (PersonReply::Yes(Some(typed)), Some(name)) if ConsentQuestion::is_typed(name, &typed) => {
            Ok(())
        }
        (PersonReply::Yes(_), _) => Err("what you typed is not the name of who gets the access"),
        (PersonReply::No | PersonReply::Closed | PersonReply::Silence, _) => Err("nobody said yes"),
    }
}

/// Who signed, and their signature under this request.
async fn sign(
    approvers: &Approvers,
    pem: String,
    request: &Request,
) -> Result<(String, Value), Error> {
    let opened = tokio::task::spawn_blocking(move || {
        let passphrase = rpassword::prompt_password("Passphrase of your key: ")?;
        ApproverKey::open(&pem, &SecretString::from(passphrase))
            .map_err(|error| Error::from(format!("not approved: the key {error}")))
    });
    let key = opened.await??;
    let name = approvers.named(&key.public()).ok_or_else(|| {
        Failure::refused("not approved: this key is not one of the approvers'").hint(
            "an administrator adds its line to the file of GRANTOR_APPROVERS; it is on the last \
             line that `grantor requests key` printed",
        )
    })?;
    let Request { receipt, digest, .. } = request;
    let (question, time) = (text(request, "question"), Timestamp::now());
    let signature = key.sign(&Statement { receipt, digest, question, time })?;
    let proof = Proof { key: key.public(), time, signature };
    Ok((name.to_owned(), json!(proof)))
}

/// Carries an approved request out where its vendor is configured, and says who will elsewhere.
async fn carry_out(desk: &Desk, request: &Request) -> Ran {
    let receipt = &request.receipt;
    let elsewhere = match desk.elsewhere(request).await {
        _ if desk.config().read_only => Some("this process is read-only".to_owned()),
        elsewhere => elsewhere,
    };
    if let Some(why) = elsewhere {
        paint::complain(&format!(
            "{receipt} is approved, and not sent from here: {why}. A running server that asked it, \
             or one set up as that was, takes it within ten minutes, or `grantor requests run` there; \
             after that the approval has lapsed"
        ));
        return Ok(ExitCode::from(3));
    }
    paint::note("approved; carrying it out");
    // A server that is at it already has it in hand, and is waited for.
    let _claim = desk.claimed().await?;
    let now = desk.ledger().request(receipt).await?;
    let answer = match now.filter(|request| request.state == State::Approved) {
        Some(request) => desk.run_request(&request).await,
        None => check(desk, receipt).await?,
    };
    let shown = show(&answer, false, true)?;
    // What check_change says of a change is an answer, however the change ended.
    let ended = answer.body.get("outcome").and_then(|word| Outcome::deserialize(word).ok());
    let answer = crate::desk::Answer { outcome: ended.or(answer.outcome), ..answer };
    Ok(call::ends(&answer, shown))
}

/// What became of a request that somebody else has carried out.
async fn check(desk: &Desk, receipt: &str) -> Result<crate::desk::Answer, Error> {
    let arguments = Map::from_iter([("receipt".to_owned(), receipt.into())]);
    let call = Call {
        tool: "check_change".to_owned(),
        arguments,
        client: None,
        asked: None,
        progress: Box::new(|_| ()),
        withdrawn: Box::new(|| false),
        person: Person::Absent,
    };
    desk.call(call).await.map_err(|_| "there is no check_change".into())
}
