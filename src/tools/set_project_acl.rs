use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Change, Effect, Finding, Heard, Plan, Spec, Standing, Step, label};
use crate::access::{Access, Named, Outcome};
use crate::argument::Name;
use crate::auth::Boxed;
use crate::failure::{Failure, Kind};
use crate::transport::{Reply, refusal};
use crate::vendors::Asker;
use crate::vendors::snaplogic::space::{Path, role};
use crate::vendors::snaplogic::{self, Entry};

/// Grant a user or group access to a SnapLogic project space and its shared folder. A project path
/// is widened by SnapLogic to its whole space: the answer says so before anything is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetProjectAcl {
    /// /org/space or /org/space/project, in the vendor's letter case.
    project_or_space_path: Name,
    /// Whether the grantee is a user or a group.
    grant_type: GrantType,
    /// The user (e-mail address or exact name) or the group (exact name).
    grantee: Name,
    /// R read, W write, X execute: at least one, each once.
    #[schemars(length(min = 1, max = 3), extend("uniqueItems" = true))]
    permission_list: Vec<Permission>,
    /// Whether it also counts for all assets inside; false if left out, and always sent.
    inherit: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum GrantType {
    User,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
enum Permission {
    R,
    W,
    X,
}

/// One grantee's entry on one project space.
struct SpaceEntry {
    wanted: Access,
    space: String,
    /// The project the caller named, which the vendor widens to its space.
    project: Option<String>,
    grant_type: GrantType,
    letters: Vec<Permission>,
    inherit: bool,
    /// Whose credential asks, where it is known.
    caller: Option<String>,
}

impl Change for SetProjectAcl {
    const SPEC: Spec = Spec {
        name: "set_project_acl",
        title: "Grant SnapLogic project space access",
        effect: Effect::Grant,
        vendor: Some(snaplogic::NAME),
        docs: snaplogic::GRANT.docs,
        example: r#"{"project_or_space_path": "/Harbor/Integrations", "grant_type": "USER", "grantee": "user@example.com", "permission_list": ["R", "X"]}"#,
    };

    async fn resolve(self, ask: &Asker<'_>) -> Result<Vec<Box<dyn Step>>, Failure> {
        self.check()?;
        let given = self.project_or_space_path.as_str();
        let path = Path::parse("project_or_space_path", given)?;
        let (org, space) = (path.org, path.changeable()?);
        let grantee = match self.grant_type {
            GrantType::User => snaplogic::user(ask, org, self.grantee.as_str()).await?,
            GrantType::Group => snaplogic::group(ask, org, self.grantee.as_str()).await?,
        };
        let letters = self.permission_list.iter().map(|&letter| letter.as_str().to_owned());
        let wanted = Access {
            principal: grantee.named(),
            role: role(&letters.collect(), self.inherit.unwrap_or(false)),
            resource: Named::new(&space, None, "project_space"),
            scope: "project_space",
            expires_at: None,
            pending: false,
        };
        Ok(vec![Box::new(SpaceEntry {
            wanted,
            space,
            project: path.project.map(|_| given.to_owned()),
            grant_type: self.grant_type,
            letters: self.permission_list,
            inherit: self.inherit.unwrap_or(false),
            caller: ask.tenant.settings.get(snaplogic::USERNAME).map(str::to_owned),
        })])
    }
}

impl SetProjectAcl {
    fn check(&self) -> Result<(), Failure> {
        if self.permission_list.is_empty() {
            return Err(Failure::invalid("permission_list: needs at least one of R, W, X"));
        }
        let repeated =
            |(index, letter)| self.permission_list.iter().skip(index + 1).any(|l| l == letter);
        if self.permission_list.iter().enumerate().any(repeated) {
            return Err(Failure::invalid("permission_list: names a permission twice"));
        }
        Ok(())
    }
}

impl SpaceEntry {
    fn row(&self, entry: Entry) -> Access {
        let kind = entry.kind();
        let own = entry.subject == self.wanted.principal.id;
        let name = if own { self.wanted.principal.name.clone() } else { None };
        Access {
            principal: Named::new(entry.subject, name, kind),
            role: role(&entry.perms, entry.inherit),
            ..self.wanted.clone()
        }
    }

    fn own<'a>(&self, standing: &'a Standing) -> Option<&'a Access> {
        let wanted = &self.wanted.principal;
        standing
            .rows
            .iter()
            .find(|row| row.principal.id == wanted.id && row.principal.kind == wanted.kind)
    }

    /// Whether the list shows anybody but the caller: if not, it may be the caller's own view.
    fn shows_others(&self, rows: &[Access]) -> bool {
        let mut subjects: Vec<&str> = rows.iter().map(|row| row.principal.id.as_str()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        match &self.caller {
            Some(caller) => subjects.iter().any(|subject| !subject.eq_ignore_ascii_case(caller)),
            None => subjects.len() > 1,
        }
    }

    fn warnings(&self, now: &Standing) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(project) = &self.project {
            warnings.push(format!(
                "SnapLogic widens {project} to {} and its shared folder: the whole \
                 space is what is granted",
                self.space
            ));
        }
        if let Some(own) = self.own(now) {
            warnings.push(format!(
                "{} is there now; whether SnapLogic replaces or adds is not \
                 documented, and is read back",
                own.role.label()
            ));
        } else if !now.conclusive {
            warnings.push(
                "SnapLogic shows this credential too little to tell what is there now".to_owned(),
            );
        }
        warnings
    }
}

impl Step for SpaceEntry {
    fn wanted(&self) -> &Access {
        &self.wanted
    }

    fn summary(&self) -> String {
        let Access { principal, role, resource, .. } = &self.wanted;
        format!("grant {} on {} to {}", role.label(), label(resource), label(principal))
    }

    fn privileged(&self) -> Option<String> {
        let group = &self.wanted.principal.id;
        let system = self.grant_type == GrantType::Group
            && snaplogic::SYSTEM_GROUPS.contains(&group.as_str());
        system.then(|| format!("{group} is a system group of the whole environment"))
    }

    /// The other rows only tell how much the vendor shows.
    fn bears(&self, row: &Access) -> bool {
        row.principal.id == self.wanted.principal.id
    }

    fn current<'a>(&'a self, ask: &'a Asker<'a>) -> Boxed<'a, Result<Standing, Failure>> {
        Box::pin(async move {
            let acl =
                snaplogic::acl(ask, &self.space).await.map_err(|failure| match failure.kind {
                    Kind::NotFound => Failure::invalid(format!(
                        "project_or_space_path: there is no {}",
                        self.space
                    ))
                    .hint("paths are case-sensitive; give the space as SnapLogic shows it"),
                    _ => failure,
                })?;
            let rows: Vec<Access> = acl.into_iter().map(|entry| self.row(entry)).collect();
            let conclusive = self.shows_others(&rows);
            Ok(Standing { rows, conclusive, version: None })
        })
    }

    fn plan(&self, now: &Standing) -> Result<Plan, Failure> {
        if self.own(now).is_some_and(|row| row.role.id == self.wanted.role.id) {
            let outcome = Outcome::AlreadyPresent;
            return Ok(Plan::Already { outcome, warnings: self.warnings(now) });
        }
        let draft =
            snaplogic::GRANT.draft(&[("project_or_space_path", &self.space)])?.body(json!({
                "grant_type": self.grant_type,
                "grantee": self.wanted.principal.id,
                "permission_list": self.letters,
                "inherit": self.inherit,
            }));
        let others = now.rows.iter().filter(|row| row.principal.id != self.wanted.principal.id);
        let after = others.cloned().chain([self.wanted.clone()]).collect();
        Ok(Plan::Send { draft, after, warnings: self.warnings(now) })
    }

    /// The status is the answer, but the library's error shape may hide under a 200.
    fn heard(&self, reply: &Reply) -> Heard {
        let inner = snaplogic::inner_status(reply).filter(|_| reply.is_success());
        match inner {
            Some(500..) => {
                Heard::Garbled("the answer carries a failure of the vendor's own".to_owned())
            }
            Some(status @ 400..) => {
                Heard::No(refusal(&Reply { status, ..reply.clone() }, "SnapLogic"))
            }
            _ => Heard::by_status(reply),
        }
    }

    fn verify(&self, _: &Standing, now: &Standing) -> Finding {
        match self.own(now) {
            Some(row) if row.role.id == self.wanted.role.id => Finding::There,
            Some(row) => Finding::Elsewise(format!("{} is there instead", row.role.label())),
            None if now.conclusive => Finding::Elsewise("the grantee is not listed".to_owned()),
            None => Finding::CannotTell,
        }
    }
}

impl Permission {
    fn as_str(self) -> &'static str {
        match self {
            Self::R => "R",
            Self::W => "W",
            Self::X => "X",
        }
    }
}
