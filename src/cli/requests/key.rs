//! A new signing key for somebody who approves.

use std::path::PathBuf;
use std::process::ExitCode;

use secrecy::{ExposeSecret as _, SecretString};

use crate::approvers::key::ApproverKey;
use crate::approvers::{NAME, is_name};
use crate::cli::{Ran, paint, person, status};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Short ones are found by trying, whatever is done to them.
const SHORTEST: usize = 12;

pub(super) async fn run(name: &str, out: Option<PathBuf>) -> Ran {
    let usage = |trouble: String| {
        paint::complain(&trouble);
        Ok(ExitCode::from(2))
    };
    if !is_name(name) {
        return usage(format!("{name:?} is no name: it is made of {NAME}"));
    }
    let path = out.unwrap_or_else(|| format!("grantor-{name}.pem").into());
    let shown = path.display();
    if path.symlink_metadata().is_ok() {
        return usage(format!("{shown} is there already, and a key is never written over"));
    }
    if !person::is_here() {
        return usage("a key is made under a passphrase: run it at a terminal".to_owned());
    }
    let made = tokio::task::spawn_blocking(|| {
        let passphrase = passphrase()?;
        let key = ApproverKey::generate()?;
        Ok::<_, Error>((key.public(), key.sealed(&passphrase)?))
    });
    let (public, pem) = made.await??;
    crate::owner_only::create_new(&path, pem.as_bytes())
        .map_err(|error| format!("{shown}: {error}"))?;
    paint::note(&format!("{shown} is yours alone; this line goes into the approvers file:"));
    let is_told = paint::told(&format!("{name} {public}\n"), &format!("the key is in {shown}"));
    Ok(status::worst([u8::from(!is_told)]))
}

fn passphrase() -> Result<SecretString, Error> {
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map(SecretString::from);
    let first = ask("A passphrase for the key: ")?;
    if first.expose_secret().chars().count() < SHORTEST {
        return Err(format!("a passphrase has at least {SHORTEST} characters").into());
    }
    let second = ask("The same again: ")?;
    if first.expose_secret() != second.expose_secret() {
        return Err("the two are not the same".into());
    }
    Ok(first)
}
