use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use grantor::cache::Cache;
use grantor::config::{Config, Flags, Sources};
use grantor::draft::{Draft, Endpoint};
use grantor::ledger::{Ledger, Past};
use grantor::outbound::{Deadline, Reply, Wire};
use grantor::requester::Requester;
use grantor::text;
use grantor::tools::{Plan, Run, Snapshot, TOOLS, Tool, Verification, WriteReply};
use grantor::vendors::{
    Find, Reach, VendorReader, Whom, centrasite, dfns, outsystems, redox, snaplogic,
};
use serde_json::{Value, json};

/// Settings with which each vendor is configured; nothing listens there.
const SETTINGS: [(&str, &str); 16] = [
    ("OUTSYSTEMS_PORTAL_URL", "http://127.0.0.1:9"),
    ("OUTSYSTEMS_CLIENT_ID", "id"),
    ("OUTSYSTEMS_CLIENT_SECRET", "s"),
    ("DFNS_API_URL", "http://127.0.0.1:9"),
    ("DFNS_AUTH_TOKEN", "t"),
    ("DFNS_CREDENTIAL_ID", "cr"),
    ("DFNS_PRIVATE_KEY", "k"),
    ("REDOX_CLIENT_ID", "id"),
    ("REDOX_KEY_ID", "kid"),
    ("REDOX_PRIVATE_KEY", "k"),
    ("REDOX_ORGANIZATION_ID", "org"),
    ("SNAPLOGIC_URL", "http://127.0.0.1:9"),
    ("SNAPLOGIC_TOKEN", "t"),
    ("CENTRASITE_BRIDGE_URL", "http://127.0.0.1:9"),
    ("CENTRASITE_USERNAME", "u"),
    ("CENTRASITE_PASSWORD", "p"),
];

/// Every endpoint that writes.
const ENDPOINTS: [Endpoint; 11] = [
    outsystems::GRANT,
    outsystems::REVOKE,
    dfns::ASSIGN,
    dfns::REVOKE,
    redox::ASSIGN,
    redox::ASSIGN_ENVIRONMENT,
    redox::UPDATE_ENVIRONMENT,
    redox::REMOVE_ENVIRONMENT,
    snaplogic::GRANT,
    snaplogic::REVOKE,
    centrasite::SET,
];

/// A line that can be read has its id answered.
pub fn line(line: &[u8]) {
    let sorted = grantor::server::sorted(line);
    let Ok(Value::Object(message)) = serde_json::from_slice::<Value>(line) else {
        assert!(sorted["message"].is_null(), "a message that is no object");
        return;
    };
    let id = message.get("id").filter(|id| id.is_string() || id.as_i64().is_some());
    if let (Some(id), true) = (id, sorted["message"].is_null()) {
        assert_eq!(sorted["id"], *id, "{message:?}");
    }
}

/// The tool that the first byte says, with arguments of JSON, at a vendor that knows every name in
/// them: whatever is drafted stays inside the path of an endpoint, with ids that can be shown.
pub fn arguments(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Ok(arguments @ Value::Object(_)) = serde_json::from_slice::<Value>(rest) else { return };
    let changing: Vec<_> =
        TOOLS.iter().filter(|tool| matches!(tool.run, Run::Change { .. })).collect();
    let tool = changing[usize::from(*first) % changing.len()];
    let mut names = BTreeSet::new();
    texts(&arguments, &mut names);
    let reply = Reply::made(200, knowing(&names).to_string().into_bytes());
    run(change(tool, arguments, &reply));
}

/// The status that the first byte says, with the rest as its body, in answer to everything: each
/// decoder reads it or says why not.
pub fn reply(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let statuses = [200, 201, 202, 204, 400, 404, 409, 412];
    let status = statuses[usize::from(*first) % statuses.len()];
    let reply = Reply::made(status, body.to_owned());
    let _ = (
        reply.message().map(|text| shown(&text)),
        reply.json::<Value>(),
        snaplogic::inner_status(&reply),
    );
    run(async {
        looks(&reply).await;
        for tool in TOOLS.iter().filter(|tool| matches!(tool.run, Run::Change { .. })) {
            let example = serde_json::from_str(tool.spec.example).unwrap();
            change(tool, example, &reply).await;
        }
    });
}

/// A ledger file of these bytes is read, or it is said why not; so are lines that say the same
/// under a seal that holds.
pub fn ledger(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("lines.jsonl"), bytes).unwrap();
    let plain = Ledger::new(dir.path(), None);
    let dir = tempfile::tempdir().unwrap();
    let (sealed, somebody) = (Ledger::new(dir.path(), None), Requester::named("somebody"));
    run(async {
        read(&plain).await;
        for line in bytes.split(|byte| *byte == b'\n').take(50) {
            let Ok(Value::Object(line)) = serde_json::from_slice(line) else { continue };
            // What a line says of itself outweighs what it was written as.
            sealed.refuse_plainly(Value::Object(line), &somebody).await;
        }
        read(&sealed).await;
        // A line that says nothing of its kind, or reports damage, is no break of the chain.
        let audit = sealed.audit(None).await.unwrap();
        let chained = |what: &str| !what.contains("seal") && !what.contains("follow");
        assert!(audit.breaks.iter().all(|found| chained(&found.what)), "{:?}", audit.breaks);
    });
}

async fn read(ledger: &Ledger) {
    let (now, somebody) = (jiff::Timestamp::now(), Requester::named("somebody"));
    let _ = (ledger.past(Past::all(now), 10).await, ledger.entry("gr-1").await);
    let _ = (ledger.requests().await, ledger.audit(None).await);
    let _ = (ledger.find("gr-1").await, ledger.request("gr-1").await);
    let _ = (
        ledger.orphans(now).await,
        ledger.due(now).await,
        ledger.changes_since(&somebody, now).await,
    );
}

/// Whatever a text is, what is shown of it can be seen.
fn shown(text: &str) {
    for shown in [text::clean(text), text::exact(text), text::quoted(text)] {
        assert!(!text::hides(&shown) && text::strip(&shown) == shown, "{shown:?}");
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future);
}

fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let environment = |name: &str| {
            let found = SETTINGS.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let flags = Flags { state_dir: Some(PathBuf::from("unused")), ..Flags::default() };
        let sources =
            Sources { flags: &flags, environment: &environment, floor: None, sandbox: None };
        Config::load(&sources).unwrap()
    })
}

async fn looks(reply: &Reply) {
    let (wire, cache) = (Wire::default(), Cache::answering(Ok(Arc::new(reply.clone()))));
    let find = || Find { limit: 50, ..Find::matching("a") };
    let reach =
        || Reach { principal: Some(Whom::Named("a".to_owned())), limit: 50, ..Reach::default() };
    for tenant in &config().tenants {
        let deadline = Deadline::after(Duration::ZERO);
        let reader = VendorReader {
            tenant,
            wire: &wire,
            deadline,
            cache: Some(&cache),
            earlier: &[],
            notes: None,
        };
        let _ = (
            (tenant.vendor.roles)(&reader, find()).await,
            (tenant.vendor.principals)(&reader, find()).await,
        );
        let _ = (
            (tenant.vendor.resources)(&reader, find()).await,
            (tenant.vendor.access)(&reader, reach()).await,
        );
    }
}

/// A change as far as its draft, and what would be made of this answer to it.
async fn change(tool: &Tool, arguments: Value, reply: &Reply) {
    let Run::Change { resolve, .. } = tool.run else { return };
    let (wire, cache) = (Wire::default(), Cache::answering(Ok(Arc::new(reply.clone()))));
    let tenant = config().tenants_of(tool.spec.vendor.unwrap()).next().unwrap();
    let deadline = Deadline::after(Duration::ZERO);
    let reader = VendorReader {
        tenant,
        wire: &wire,
        deadline,
        cache: Some(&cache),
        earlier: &[],
        notes: None,
    };
    let Ok(steps) = resolve(arguments, &reader).await else { return };
    for step in steps {
        shown(&step.summary());
        let wanted = step.wanted();
        assert!(
            !wanted.principal.id.is_empty() && text::is_clean(&wanted.principal.id),
            "{wanted:?}"
        );
        if let WriteReply::No(failure) | WriteReply::Exists(failure) = step.interpret(reply) {
            shown(&failure.message);
        }
        let now = step.current(&reader).await.unwrap_or_else(|_| Snapshot::default());
        if let Ok(Plan::Send { draft, .. }) = step.plan(&now) {
            stays(&draft);
        }
        if let Verification::Elsewise(words) = step.verify(&now, &now) {
            shown(&words);
        }
    }
}

/// Whether a draft is one of an endpoint's, whatever it was filled with.
fn stays(draft: &Draft) {
    let shown = draft.shown();
    let (method, path) = (shown["method"].as_str().unwrap(), shown["path"].as_str().unwrap());
    let path = path.split('?').next().unwrap();
    let fits = |endpoint: &Endpoint| endpoint.verb.as_str() == method && fits(endpoint.path, path);
    assert!(ENDPOINTS.iter().any(fits), "{method} {path}");
}

fn fits(template: &str, path: &str) -> bool {
    let (mut segments, mut parts) = (path.split('/'), template.split('/'));
    let name = |segment: &str| !segment.is_empty() && !matches!(segment, "." | "..");
    loop {
        match (parts.next(), segments.next()) {
            (None, None) => return true,
            // Several segments, to the end.
            (Some(part), Some(first)) if part.starts_with("{+") => {
                return name(first) && segments.all(name);
            }
            (Some(part), Some(segment)) if part.starts_with('{') && name(segment) => {}
            (Some(part), Some(segment)) if part == segment => {}
            _ => return false,
        }
    }
}

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => _ = found.insert(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

/// An answer in every vendor's shape at once, in which each name is an id as well.
fn knowing(names: &BTreeSet<String>) -> Value {
    let each = |make: fn(&String) -> Value| names.iter().map(make).collect::<Vec<_>>();
    let first = names.first().cloned().unwrap_or_default();
    json!({
        "key": first, "assetKey": first, "id": first, "name": first, "username": first,
        "results": each(|s| json!({ "key": s, "assetKey": s, "name": s, "email": s })),
        "items": each(|s| json!({
            "id": s, "userId": s, "tokenId": s, "name": s, "userInfo": { "userId": s },
            "permissionId": s, "identityId": s })),
        "payload": {
            "success": true,
            "memberships": each(|s| json!({
                "role": { "id": s, "name": s }, "user": { "id": s, "fullname": s } })),
            "environments": each(|s| json!({ "id": s, "name": s })),
        },
        "groups": names, "members": names, "acl": [],
        "users": each(|s| json!({ "username": s, "first_name": s })),
        "assets": each(|s| json!({ "id": s, "name": s })),
        "principals": names.iter().flat_map(|s| ["user", "group"].map(|kind| {
            json!({ "kind": kind, "id": s, "name": s }) })).collect::<Vec<_>>(),
        "version": 7, "permissions": [],
    })
}
