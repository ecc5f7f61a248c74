//! The tools: one file each, and one line in [`TOOLS`].
//!
//! A tool is a typed value: its fields are its JSON Schema, its doc comment is the description a
//! model reads, one `SPEC` says what it is. A [`Look`] reads and answers rows. A [`Change`]
//! resolves names to ids and becomes [`Step`]s, each of which the desk takes down the one road.

pub mod apply_changes;
mod arguments;
mod asset_role;
mod asset_table;
mod assign_environment_role;
mod assign_organization_role;
mod assign_permission;
mod assignment;
pub mod check_change;
mod common;
pub mod copy_access;
mod find_principals;
mod find_resources;
mod giving;
mod grant_asset_role;
pub mod list_access;
pub mod list_roles;
mod look;
mod member_role;
pub mod remove_all_access;
mod remove_environment_role;
mod remove_project_acl;
mod revoke_asset_role;
mod revoke_permission;
mod set_asset_permissions;
pub mod set_expiry;
mod set_project_acl;
mod space_entry;
mod step;
#[cfg(test)]
mod tables;
pub mod undo_change;

use std::sync::LazyLock;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::access::{Access, Named, Role};
use crate::config::Unready;
use crate::failure::Failure;
pub use crate::intent::{Effect, Term};
use crate::ledger::{Ledger, Record, Trouble, Whose};
use crate::outbound::{Deadline, Wire};
use crate::schema;
use crate::vendors::{Organization, Tenant, VendorReader};
use apply_changes::ApplyChanges;
pub use arguments::{fit, fit_as, meant};
use check_change::CheckChange;
pub use common::{COMMON, Common, LASTING, Lasting, STARTS, starting};
use copy_access::CopyAccess;
pub use giving::{Gives, OneChange, Takes, giving, takes_from_list, taking};
pub use look::{MOST_BYTES, Which, write_cursor};
use remove_all_access::RemoveAllAccess;
use set_expiry::SetExpiry;
pub use step::{Given, Part, Plan, Replacement, Snapshot, Step, Verification, WriteReply};
use undo_change::UndoChange;

/// Every tool, in the order clients see them.
pub static TOOLS: [Tool; 20] = [
    Tool::look::<list_roles::ListRoles>(),
    Tool::look::<find_principals::FindPrincipals>(),
    Tool::look::<find_resources::FindResources>(),
    Tool::look::<list_access::ListAccess>(),
    Tool::change::<grant_asset_role::GrantAssetRole>(),
    Tool::change::<revoke_asset_role::RevokeAssetRole>(),
    Tool::change::<assign_permission::AssignPermission>(),
    Tool::change::<revoke_permission::RevokePermission>(),
    Tool::change::<assign_organization_role::AssignOrganizationRole>(),
    Tool::change::<assign_environment_role::AssignEnvironmentRole>(),
    Tool::change::<remove_environment_role::RemoveEnvironmentRole>(),
    Tool::change::<set_project_acl::SetProjectAcl>(),
    Tool::change::<remove_project_acl::RemoveProjectAcl>(),
    Tool::change::<set_asset_permissions::SetAssetPermissions>(),
    Tool::other::<ApplyChanges>(&apply_changes::SPEC, |_| Vec::new(), Run::Set(SetOf::Listed)),
    Tool::other::<CopyAccess>(&copy_access::SPEC, |_| Vec::new(), COPY),
    Tool::other::<RemoveAllAccess>(&remove_all_access::SPEC, |_| Vec::new(), REMOVE),
    Tool::other::<SetExpiry>(&set_expiry::SPEC, set_expiry::wrong, Run::Set(SetOf::End)),
    Tool::other::<CheckChange>(&check_change::SPEC, check_change::wrong, Run::Check),
    Tool::other::<UndoChange>(&undo_change::SPEC, |_| Vec::new(), Run::Undo),
];

const COPY: Run = Run::Set(SetOf::Wholesale(Wholesale::Copied));
const REMOVE: Run = Run::Set(SetOf::Wholesale(Wholesale::Removed));

/// What is true of a tool before anyone calls it.
#[derive(Debug)]
pub struct Spec {
    pub name: &'static str,
    pub title: &'static str,
    pub effect: Effect,
    /// The vendor it changes; a look asks any.
    pub vendor: Option<&'static str>,
    /// The permission a credential needs for it, as the vendor calls it.
    pub needs: &'static str,
    /// The vendor page this was written from.
    pub docs: &'static str,
    /// Arguments that work against the sandbox, as JSON.
    pub example: &'static str,
}

/// A tool that reads.
///
/// Its fields are its arguments; they fit the schema when [`look`](Self::look) is called. It asks as many
/// tenants as its arguments name, at the same time, until `context.deadline`. The trouble of one tenant is a
/// [`Problem`] beside the rows of the others, and never an empty list.
pub trait Look: DeserializeOwned + JsonSchema + Send + 'static {
    const SPEC: Spec;
    fn look(self, context: LookContext<'_>) -> impl Future<Output = Result<Rows, Failure>> + Send;
}

/// A tool that writes to somebody's access.
///
/// Its fields are its arguments; they fit the schema when [`resolve`](Self::resolve) is called, which happens
/// anew each time that the road is taken: once for a preview, and again after a person has agreed. It sends
/// nothing that writes, and neither does anything else here: a change gives steps, and the desk carries them
/// out. [`inverse`](Self::inverse) and [`rebase`](Self::rebase) are called on the ledger's record of an
/// earlier change, perhaps by another process and a later release.
pub trait Change: DeserializeOwned + JsonSchema + Send + 'static {
    const SPEC: Spec;

    /// Turns names into ids, through the vendor's own look-ups, and gives one step for each access that
    /// changes. A name that means several, or none, is an error that lists candidates; nothing is guessed.
    fn resolve(
        self,
        reader: &VendorReader<'_>,
    ) -> impl Future<Output = Result<Vec<Box<dyn Step>>, Failure>> + Send;

    /// What is wrong with several arguments together, which no schema says. One that is wrong by
    /// itself is there as null.
    fn wrong(_: &Map<String, Value>) -> Vec<Failure> {
        Vec::new()
    }

    /// How many values there are where this tool writes.
    const HOLDS: Holds = Holds::Many;

    /// The record of an earlier change with the rows of others as they are now: for vendors that
    /// take a whole list at once. `is_own` says whose rows are the change's.
    fn rebase(
        _earlier: &mut Record,
        _is_own: &IsOwn<'_>,
        _reader: &VendorReader<'_>,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }

    /// The change that restores what was there before this one.
    ///
    /// # Errors
    /// What was there before is not known.
    fn inverse(record: &Record) -> Result<Inverse, Failure>;

    /// What of an earlier change stays where it is taken back, in words; none where all of it goes.
    fn stays(_record: &Record) -> Option<&'static str> {
        None
    }

    /// How this tool gives somebody an access as a row of another has it; none where rows of that kind are
    /// not its own. `there` is what they hold on that resource themselves.
    fn gives(_row: &Access, _to: &Named, _there: &[Access]) -> Option<Gives> {
        None
    }

    /// How it takes a row from its holder; none where such rows are not its own. `there` is all that is held
    /// on that resource, where the tool writes a whole list.
    fn takes(_row: &Access, _there: &[Access]) -> Option<Takes> {
        None
    }

    /// What an administrator can do by hand where the vendor cannot be reached by program.
    ///
    /// # Errors
    /// The arguments do not fit.
    fn by_hand(&self) -> Result<Option<Value>, Failure> {
        Ok(None)
    }
}

/// Whether a row is one that a change made or took.
pub type IsOwn<'a> = dyn Fn(&Access) -> bool + Send + Sync + 'a;

/// How many values there are where a tool writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A principal has each role on a resource or not.
    Many,
    /// A principal has one value on a resource.
    One,
    /// The same, and a call may be for several principals.
    List,
}

/// A change that undoes another, by ids.
#[derive(Debug)]
pub struct Inverse {
    pub tool: &'static str,
    pub arguments: Value,
}

impl Inverse {
    /// Whether it gives access, rather than taking it away.
    pub fn grants(&self) -> bool {
        let own = |tool: &&Tool| tool.spec.name == self.tool;
        TOOLS.iter().find(own).is_none_or(|tool| tool.spec.effect == Effect::Grant)
    }
}

/// Whom a look may ask.
pub struct LookContext<'a> {
    pub tenants: Vec<&'a Tenant>,
    /// The vendors that lack something.
    pub unready: &'a [Unready],
    pub wire: &'a Wire,
    pub ledger: &'a Ledger,
    pub deadline: Deadline,
}

/// What a look answers.
#[derive(Debug, Default)]
pub struct Rows {
    pub rows: Vec<Value>,
    pub next_cursor: Option<String>,
    pub problems: Vec<Problem>,
    /// What was named means nothing anywhere: the problems say so of each vendor.
    pub unknown: Option<Failure>,
    /// Why there is nothing, where that is no trouble.
    pub note: Option<String>,
    /// How many vendors were asked: an error is when all of them failed.
    pub asked: usize,
    /// What of the ledger cannot be acted on, where it was read.
    pub troubles: Vec<Trouble>,
    /// Why the ledger could not be read, where it was to be.
    pub ledger: Option<Failure>,
}

/// One tenant's trouble, beside the others' rows.
#[derive(Debug)]
pub struct Problem {
    pub vendor: &'static str,
    /// Its name, where the vendor has others beside it.
    pub tenant: Option<String>,
    pub failure: Failure,
    /// Rows came all the same.
    pub partial: bool,
    /// The cursor goes on where this stopped the list.
    pub goes_on: bool,
}

/// A tool with its type erased.
pub struct Tool {
    pub spec: &'static Spec,
    /// What its arguments may be; made when it is first asked for.
    pub schema: LazyLock<Value>,
    pub wrong: WrongFn,
    pub run: Run,
}

/// What is wrong with several arguments together.
pub type WrongFn = fn(&Map<String, Value>) -> Vec<Failure>;

/// A look with its type erased.
pub type LookFn = for<'a> fn(Value, LookContext<'a>) -> BoxFuture<'a, Result<Rows, Failure>>;
/// A change's arguments to its steps, with its type erased.
pub type ResolveFn =
    for<'a> fn(Value, &'a VendorReader<'a>) -> BoxFuture<'a, Result<Vec<Box<dyn Step>>, Failure>>;

/// Brings the record of an earlier change up to the list there is, with its type erased.
pub type RebaseFn = for<'a> fn(
    &'a mut Record,
    &'a IsOwn<'a>,
    &'a VendorReader<'a>,
) -> BoxFuture<'a, Result<(), Failure>>;

pub enum Run {
    Look(LookFn),
    Change {
        holds: Holds,
        rebase: RebaseFn,
        resolve: ResolveFn,
        inverse: fn(&Record) -> Result<Inverse, Failure>,
        stays: fn(&Record) -> Option<&'static str>,
        gives: fn(&Access, &Named, &[Access]) -> Option<Gives>,
        takes: fn(&Access, &[Access]) -> Option<Takes>,
        by_hand: fn(Value) -> Result<Option<Value>, Failure>,
    },
    /// Looks at receipts, and at vendors for their sake.
    Check,
    /// Enters the road with the inverse of a receipt's change.
    Undo,
    /// Enters the road with several changes as one.
    Set(SetOf),
}

/// Where the changes of a set come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOf {
    /// The call lists them.
    Listed,
    /// They are what people hold whom the call names.
    Wholesale(Wholesale),
    /// The end of a grant moves: mostly one change, or two where the vendor keeps the end.
    End,
}

/// What becomes of all that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wholesale {
    /// Another is given it.
    Copied,
    /// It is taken.
    Removed,
}

impl Tool {
    const fn look<L: Look>() -> Self {
        let run = Run::Look(look::<L>);
        Self {
            spec: &L::SPEC,
            schema: LazyLock::new(schema::input::<L>),
            wrong: |_| Vec::new(),
            run,
        }
    }

    const fn other<A: JsonSchema>(spec: &'static Spec, wrong: WrongFn, run: Run) -> Self {
        Self { spec, schema: LazyLock::new(schema::input::<A>), wrong, run }
    }

    const fn change<C: Change>() -> Self {
        let (resolve, by_hand) = (resolve::<C> as ResolveFn, by_hand::<C>);
        let rebase: RebaseFn =
            |earlier, is_own, reader| Box::pin(C::rebase(earlier, is_own, reader));
        let run = Run::Change {
            holds: C::HOLDS,
            rebase,
            resolve,
            inverse: C::inverse,
            stays: C::stays,
            gives: C::gives,
            takes: C::takes,
            by_hand,
        };
        Self { spec: &C::SPEC, schema: LazyLock::new(change_input::<C>), wrong: C::wrong, run }
    }
}

/// Whose changes of a resource are a tenant's, for the ledger.
pub fn whose(tenant: &Tenant, resource: &str, own: &Organization) -> Whose {
    Whose {
        place: tenant.id.place.clone(),
        names: tenant.id.names(),
        organization: tenant.organization_of(resource, own),
    }
}

/// Whether this is the name of a tool that changes something.
pub fn changes(name: &str) -> bool {
    TOOLS.iter().any(|tool| tool.spec.name == name && tool.spec.effect.writes())
}

/// Whether a tool makes one change, which a set may have in it.
pub fn changing(tool: &Tool) -> bool {
    matches!(tool.run, Run::Change { .. } | Run::Undo)
}

/// Why a grant of the role is one of privilege, where it is.
fn privilege(role: &Role) -> Option<String> {
    let name = role.named().label();
    role.privileged.then(|| match &role.description {
        Some(unshown) => format!("{name}: {unshown}"),
        None => format!("{name} lets its holder change who may do what"),
    })
}

/// What to know before a privileged role is taken away: giving it back is a privileged grant.
fn one_way(role: &Named) -> String {
    format!("undoing this grants {}, which is privileged: the policy may refuse it", role.label())
}

/// Arguments to their type, once they [`fit`] the tool's schema.
///
/// # Errors
/// `Invalid`, naming the field that does not fit all the same.
pub fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, Failure> {
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let failure = Failure::invalid("does not fit the tool's inputSchema");
        match error.path().to_string().as_str() {
            "." => Failure::invalid("the arguments do not fit the tool's inputSchema"),
            path => failure.of(path),
        }
    })
}

/// The arguments of a change: its own, then those of its kind.
fn change_input<C: Change>() -> Value {
    let own = schema::input::<C>();
    let own = match C::SPEC.effect {
        Effect::Grant => schema::with(own, &schema::input::<Lasting>()),
        Effect::Look | Effect::Revoke | Effect::Undo | Effect::Set => own,
    };
    schema::with(own, &schema::input::<Common>())
}

fn look<L: Look>(
    arguments: Value,
    context: LookContext<'_>,
) -> BoxFuture<'_, Result<Rows, Failure>> {
    Box::pin(async move { parse::<L>(arguments)?.look(context).await })
}

fn resolve<'a, C: Change>(
    arguments: Value,
    reader: &'a VendorReader<'a>,
) -> BoxFuture<'a, Result<Vec<Box<dyn Step>>, Failure>> {
    Box::pin(async move { parse::<C>(arguments)?.resolve(reader).await })
}

fn by_hand<C: Change>(arguments: Value) -> Result<Option<Value>, Failure> {
    parse::<C>(arguments)?.by_hand()
}
