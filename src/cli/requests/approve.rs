//! A person's yes at a terminal, with their signature where that is what counts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap_complete::ArgValueCandidates;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::approvers::key::ApproverKey;
use crate::approvers::{Approvers, Proof, Statement};
use crate::cli::call::{self, show};
use crate::cli::setup::Setup;
use crate::cli::{Global, Ran, complete, paint, person};
use crate::desk::{Carried, ConsentQuestion, Desk, Yes, takes};
use crate::failure::Failure;
use crate::ledger::{Channel, Request, State};
use crate::text;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  grantor requests approve gr-aaaaaaaaaaaaaaaaaaaaaaaaaa\n  \
    grantor requests approve gr-aaaaaaaaaaaaaaaaaaaaaaaaaa --key grantor-ada.pem")]
pub(super) struct Arguments {
    /// The receipt of the request; `grantor requests` lists them
    #[arg(add = ArgValueCandidates::new(complete::waiting))]
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
    let request = desk.waiting(&receipt).await?;
    if pem.is_none() {
        // Nobody reads a question whose answer would not count.
        let counts = desk.may_approve(&request, desk.requester(), &Channel::Terminal);
        let counts = counts.map_err(|failure| Failure {
            message: format!("not approved: {}", failure.message),
            ..failure
        })?;
        if counts.is_own_gain_unknown {
            paint::note(
                "whether this gives access to yourself is not known here: if it does, leave it to somebody else",
            );
        }
    }
    let question = ConsentQuestion::of(&request);
    let reply = tokio::task::spawn_blocking({
        let question = question.clone();
        move || person::ask(&question)
    });
    let reply = reply.await?;
    if let Err(why) = question.agreed(&reply) {
        paint::complain(&format!(
            "not approved: {why}; the request waits until {}",
            paint::time(request.until)
        ));
        return Ok(ExitCode::FAILURE);
    }
    let (how, proof) = match (desk.approvers(), pem) {
        (Some(approvers), Some(pem)) => {
            (Channel::Signature, Some(sign(approvers, pem, &request).await?))
        }
        _ => (Channel::Terminal, None),
    };
    let (digest, who) = (request.digest.as_str(), desk.requester());
    let yes = Yes { receipt: &receipt, digest, reply, who, how, proof };
    let request = desk.approve(yes).await.map_err(|failure| Failure {
        message: format!("not approved: {}", failure.message),
        ..failure
    })?;
    match request.state {
        State::Waiting => still_waits(global, &request),
        _ => carry_out(&desk, &request, global.as_json).await,
    }
}

/// Says that a yes is recorded, and that it takes those of others too.
fn still_waits(global: &Global, request: &Request) -> Ran {
    let Request { receipt, yeses, .. } = request;
    let by: Vec<_> = yeses.iter().map(|yes| text::clean(&yes.by)).collect();
    let takes = takes(&request.content.demands).unwrap_or_default();
    if global.as_json {
        let told =
            json!({ "receipt": receipt, "state": "waiting", "approved_by": by, "takes": takes });
        paint::json(&told.to_string())?;
    } else {
        paint::note(&format!(
            "your yes to {receipt} is recorded; it takes the yes of {}, and has that of {}",
            takes,
            by.join(", ")
        ));
    }
    Ok(ExitCode::from(3))
}

/// The approver's key file, where a signature is what counts.
fn sealed(approvers: Option<&Approvers>, key: Option<&Path>) -> Result<Option<String>, String> {
    match (approvers, key) {
        (None, None) => Ok(None),
        (Some(_), Some(path)) => {
            let pem = crate::input::file(path);
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
    let (question, time) = (request.content.question.as_str(), crate::clock::now());
    let signature = key.sign(&Statement { receipt, digest, question, time })?;
    let proof = Proof { key: key.public(), time, signature };
    Ok((name.to_owned(), json!(proof)))
}

/// Carries an approved request out here, or says who will.
async fn carry_out(desk: &Desk, request: &Request, as_json: bool) -> Ran {
    let receipt = &request.receipt;
    let begun = || paint::note("approved; carrying it out");
    let answer = match desk.carry_out(request, begun, desk.requester()).await? {
        Carried::Here(answer) => *answer,
        Carried::Elsewhere(why) => {
            paint::complain(&format!(
                "{receipt} is approved, and not sent from here: {why}. A running server that asked it, \
                 or one set up as that was, takes it within ten minutes, or `requests run` there; \
                 after that the approval has lapsed"
            ));
            return Ok(ExitCode::from(3));
        }
    };
    let shown = show(&answer, as_json, true)?;
    // What check_change says of a change is an answer, however the change ended.
    Ok(call::ends_as(&answer, answer.ended(), shown))
}
