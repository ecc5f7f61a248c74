use std::path::{Path, PathBuf};

use grantor::ledger::{Asking, Audit, Content, Head, Ledger};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::harness::{World, approved, parsed, requester};
use super::writes::GRANTS;

/// Keeps the ledger's key where whoever writes the ledger cannot read it.
const KEY: &str = "5c1a3f0e9b7d42868e13a6f2c4d7905b5c1a3f0e9b7d42868e13a6f2c4d7905b";

/// A ledger with three changes, each opened and closed.
async fn written() -> World {
    let world = World::new().await.set("GRANTOR_LEDGER_KEY", KEY);
    for grant in &GRANTS[2..5] {
        let ran = world.run(&["call", grant.tool, grant.arguments]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
    }
    assert_eq!(world.ledger().len(), 6);
    world
}

fn path(world: &World) -> PathBuf {
    world.path("state/lines.jsonl")
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn write(path: &Path, lines: &[String]) {
    std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

fn head(stdout: &str) -> String {
    let line = stdout.lines().find(|line| line.trim_start().starts_with("head")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// Whatever is done to the lines shows, and where.
#[tokio::test]
async fn no_line_is_changed_taken_out_or_put_in_unseen() {
    let world = written().await;
    let whole = world.run(&["ledger", "verify"]).await;
    assert_eq!((whole.status, whole.stderr.as_str()), (0, ""), "{whole:#?}");
    assert!(whole.stdout.contains("6 lines in 1 file, one chain"), "{}", whole.stdout);
    let head = head(&whole.stdout);
    let path = path(&world);
    let original = lines(&path);
    type Edit = fn(&mut Vec<String>);
    let edits: [(&str, Edit, Option<usize>); 12] = [
        ("a name is changed", |lines| lines[4] = lines[4].replace("API Team", "X"), Some(5)),
        ("an address", |lines| lines[2] = lines[2].replace("user@example.com", "a@b.c"), Some(3)),
        ("a line is taken out", |lines| drop(lines.remove(3)), Some(4)),
        ("two lines change places", |lines| lines.swap(2, 3), Some(3)),
        ("a line is repeated", |lines| lines.insert(2, lines[1].clone()), Some(3)),
        ("a line without a seal is added", |lines| lines.push(forged(lines, "")), Some(7)),
        ("a line with another's seal", |lines| lines.push(forged(lines, SEAL)), Some(7)),
        ("the first line is taken out", |lines| drop(lines.remove(0)), Some(1)),
        ("the first lines are taken out", |lines| drop(lines.drain(..3)), Some(1)),
        ("an entry is put in", |lines| lines.insert(1, "{}".to_owned()), Some(2)),
        ("an entry without place and seal is added", |lines| lines.push(bare(lines)), Some(7)),
        // On half a line, as a writer leaves it that dies, nothing is built.
        ("half a line is there", |lines| lines.insert(1, lines[0][..40].to_owned()), None),
    ];
    for (what, edit, at) in edits {
        let mut changed = original.clone();
        edit(&mut changed);
        write(&path, &changed);
        let ran = world.run(&["ledger", "verify"]).await;
        assert_ne!(changed, original, "{what}");
        let Some(at) = at else {
            assert_eq!(ran.status, 0, "{what}: {ran:#?}");
            assert!(ran.stdout.contains("1 line beside the ledger's own"), "{}", ran.stdout);
            continue;
        };
        assert_eq!(ran.status, 1, "{what}: {ran:#?}");
        assert!(ran.stderr.contains(&format!("lines.jsonl:{at}: ")), "{what}: {}", ran.stderr);
    }
    let cut = original[..4].to_vec();
    write(&path, &cut);
    let ran = world.run(&["ledger", "verify"]).await;
    assert_eq!(ran.status, 1, "the head beside the lines shows it: {ran:#?}");
    assert!(ran.stderr.contains("the last lines were cut off"), "{}", ran.stderr);
    let ran = world.run(&["ledger", "verify", "--head", &head]).await;
    assert_eq!(ran.status, 1, "the head that was noted does: {ran:#?}");
    assert!(ran.stderr.contains("were cut off"), "{}", ran.stderr);
    write(&path, &original);
    assert_eq!(world.run(&["ledger", "verify", "--head", &head]).await.status, 0);
}

const SEAL: &str = r#","seal":"0000000000000000000000000000000000000000000000000000000000000000""#;

/// What somebody without the key adds after the last line, as well as they can.
fn forged(lines: &[String], seal: &str) -> String {
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, lines.last().unwrap().as_bytes());
    let prev: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let line = json!({
        "event": "over", "receipt": last["receipt"], "time": last["time"], "requester": "eve",
        "process": "eve", "note": "all is well", "seq": last["seq"].as_u64().unwrap() + 1,
        "prev": prev, "key": last["key"],
    });
    let line = line.to_string();
    format!("{}{seal}}}", line.strip_suffix('}').unwrap())
}

/// Rewriting all of it takes the key.
#[tokio::test]
async fn under_another_key_the_whole_ledger_is_strange() {
    let world = written().await;
    let other = world.set("GRANTOR_LEDGER_KEY", KEY.replace('5', "6"));
    let ran = other.run(&["ledger", "verify"]).await;
    assert_eq!(ran.status, 1);
    assert_eq!(ran.stderr.matches("not among those given").count(), 6, "{}", ran.stderr);
    // With the old key behind the new one, what the old one sealed still counts.
    let both = format!("{}\n{KEY}", KEY.replace('5', "6"));
    let both = other.set("GRANTOR_LEDGER_KEY", both);
    assert_eq!(both.run(&["ledger", "verify"]).await.status, 0);
}

/// A yes that somebody wrote into the file who has not the key is no yes.
#[tokio::test]
async fn a_forged_line_is_not_acted_on() {
    let world = World::asking().await.set("GRANTOR_LEDGER_KEY", KEY);
    let grant = &GRANTS[3];
    let body = parsed(&world.run(&["call", grant.tool, grant.arguments]).await.stdout);
    let receipt = body["receipt"].as_str().unwrap();
    let line = {
        let lines = lines(&path(&world));
        let mut line = parsed(&forged(&lines, SEAL));
        line["event"] = "answered".into();
        line["receipt"] = receipt.into();
        let more = json!(approved("eve"));
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        // In the order in which a line says these.
        for last in ["seq", "prev", "key", "seal"] {
            let value = line.as_object_mut().unwrap().remove(last).unwrap();
            line[last] = value;
        }
        line.to_string()
    };
    let before = lines(&path(&world));
    write(&path(&world), &[before.clone(), vec![line]].concat());
    let ran = world.run(&["requests", "run"]).await;
    assert!(world.writes().is_empty(), "{ran:#?}");
    assert!(ran.stderr.contains("does not hold its seal"), "it is said: {}", ran.stderr);
    // The same by the one who has the key is a yes.
    write(&path(&world), &before);
    let ledger = Ledger::new(&world.path("state"), Some(secret(KEY)));
    ledger.answer(receipt, &approved("eve"), &requester()).await.unwrap();
    assert_eq!(world.run(&["requests", "run"]).await.status, 0);
    assert_eq!(world.writes().len(), 1);
}

fn secret(value: &str) -> grantor::secret::Secret {
    grantor::secret::Secret::new("KEY", grantor::secret::SecretSource::Inline(value.into()))
}

/// A line that is changed after it was found is not believed when it is read.
#[tokio::test]
async fn what_was_read_before_is_checked_again() {
    let world = written().await;
    let receipt = world.ledger()[0]["receipt"].as_str().unwrap().to_owned();
    let check = json!({ "receipt": receipt }).to_string();
    let ran = world.run(&["call", "check_change", &check]).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "confirmed", "{ran:#?}");
    let path = path(&world);
    let mut changed = lines(&path);
    // As long as before, so that everything after it stays where it is.
    changed[0] = changed[0].replace("Marta Lindqvist", "Maria Lindqvist");
    write(&path, &changed);
    let ran = world.run(&["call", "check_change", &check]).await;
    let body = parsed(&ran.stdout);
    assert_eq!(body["outcome"], "refused", "{ran:#?}");
    assert!(body["summary"].as_str().unwrap().contains("cannot be relied on"), "{body:#}");
}

/// Two processes that come to one approval at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_approval_is_spent_once_whoever_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = [(), ()].map(|()| Ledger::new(dir.path(), None));
    let user = requester();
    for _ in 0..50 {
        let until = Timestamp::now() + SignedDuration::from_mins(10);
        let asking = Asking { digest: "digest", until, content: Content::default() };
        let (receipt, _) = one.ask(&asking, &user).await.unwrap();
        let approved = approved("eve");
        let (first, second) = tokio::join!(
            one.answer(&receipt, &approved, &user),
            two.answer(&receipt, &approved, &user)
        );
        assert!(first.is_ok() ^ second.is_ok(), "{first:?} {second:?}");
        let (first, second) = tokio::join!(one.spend(&receipt, &user), two.spend(&receipt, &user));
        assert!(first.is_ok() ^ second.is_ok(), "{first:?} {second:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_too_short_stops_every_change() {
    let world = World::new().await.set("GRANTOR_LEDGER_KEY", "hunter2");
    let ran = world.run(&["call", GRANTS[3].tool, GRANTS[3].arguments]).await;
    assert_eq!(parsed(&ran.stdout)["outcome"], "unavailable", "{ran:#?}");
    assert!(ran.stdout.contains("openssl rand -hex 32"), "{}", ran.stdout);
    assert!(world.writes().is_empty());
}

/// Who was to make the key may have died over it, or had no room for it; a ledger that has lines has
/// lost its key then.
#[tokio::test]
async fn a_key_file_that_is_empty_is_none() {
    let world = World::new().await;
    let key = world.path("state/seal.key");
    std::fs::create_dir_all(world.path("state")).unwrap();
    std::fs::write(&key, "").unwrap();
    let grant = &GRANTS[3];
    let ran = world.run(&["call", grant.tool, grant.arguments]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    let verified = world.run(&["ledger", "verify"]).await;
    assert_eq!(verified.status, 0, "{verified:#?}");
    std::fs::write(&key, "\n").unwrap();
    let ran = world.run(&["call", GRANTS[4].tool, GRANTS[4].arguments]).await;
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stdout.contains("the key that sealed them is not given"), "{}", ran.stdout);
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "\n", "no other key is made");
}

/// The index is made from the ledger: gone, garbled or behind, it is made again.
#[tokio::test]
async fn the_index_can_be_lost() {
    let world = written().await;
    let changes = async || {
        let ran = world.run(&["call", "check_change", "{}"]).await;
        assert_eq!(ran.status, 0, "{ran:#?}");
        parsed(&ran.stdout)["changes"].clone()
    };
    let all = changes().await;
    assert_eq!(all.as_array().unwrap().len(), 3);
    let index = world.path("state/ledger.index");
    std::fs::remove_file(&index).unwrap();
    assert_eq!(changes().await, all);
    std::fs::write(
        &index,
        "this is no database, and is longer than a header of one would be, by far",
    )
    .unwrap();
    assert_eq!(changes().await, all);
    // Lines that are gone are gone from the index too, and that is said.
    let path = path(&world);
    let kept = lines(&path)[..2].to_vec();
    write(&path, &kept);
    let ran = world.run(&["call", "check_change", "{}"]).await;
    let body = parsed(&ran.stdout);
    assert_eq!((ran.status, body["changes"].as_array().unwrap().len()), (1, 1), "{ran:#?}");
    assert!(body["warnings"].to_string().contains("cut off"), "{body:#}");
}

/// A line as it is, but for all that shows where it stands and who wrote it.
fn bare(lines: &[String]) -> String {
    let mut line: Value = serde_json::from_str(&lines[1]).unwrap();
    for name in ["seq", "prev", "key", "seal"] {
        line.as_object_mut().unwrap().remove(name).unwrap();
    }
    line.to_string()
}

/// A writer that dies over a line leaves half of it: the next one goes on after it.
#[tokio::test]
async fn half_a_line_hides_none_of_the_others() {
    let world = written().await;
    let path = path(&world);
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str(r#"{"event":"open","receipt":"gr-half"#);
    std::fs::write(&path, text).unwrap();
    let grant = &GRANTS[7];
    assert_eq!(world.run(&["call", grant.tool, grant.arguments]).await.status, 0);
    let ran = world.run(&["ledger", "verify"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    assert!(ran.stdout.contains("1 line beside the ledger's own"), "{}", ran.stdout);
    let ran = world.run(&["call", "check_change", "{}"]).await;
    assert_eq!(parsed(&ran.stdout)["changes"].as_array().unwrap().len(), 4);
}

/// A ledger that has grown goes on in a new file, and nothing of the old one is lost.
#[tokio::test]
async fn a_full_file_is_followed_by_another_on_the_same_chain() {
    let world = written().await;
    // The second change: the first took a privileged role away, which is not given back.
    let receipt = world.ledger()[2]["receipt"].as_str().unwrap().to_owned();
    let state = world.path("state");
    let ledger = Ledger::new(&state, Some(secret(KEY)));
    // More than one file holds, in few lines.
    let note = "x".repeat(1_000_000);
    for _ in 0..69 {
        ledger.refuse_plainly(json!({ "note": note }), &requester()).await;
    }
    let files = || {
        let names = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".jsonl"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(files(), ["ledger.jsonl", "lines-000000000001.jsonl", "lines.jsonl"]);
    let Audit { files: count, lines, breaks, head, .. } = ledger.audit(None).await.unwrap();
    assert_eq!((count, lines, breaks.len()), (2, 75, 0));
    assert_eq!(head.map(|Head { seq, .. }| seq), Some(75));
    // Another process finds what is in the old file, and undoes it.
    let undo = world.run(&["undo", &receipt]).await;
    assert_eq!(undo.status, 0, "{undo:#?}");
    assert_eq!(world.run(&["ledger", "verify"]).await.status, 0);
}

/// What is handed to a log collector has the shape of its class, and says what happened.
#[tokio::test]
async fn changes_are_exported_as_events_of_user_access() {
    let world = written().await;
    let refused =
        r#"{"userKey": "user@example.com", "roleKey": "Administrator", "assetKeys": ["Orders"]}"#;
    assert_eq!(world.run(&["call", "grant_asset_role", refused]).await.status, 1);
    let receipt = world.ledger()[2]["receipt"].as_str().unwrap().to_owned();
    assert_eq!(world.run(&["undo", &receipt]).await.status, 0);
    let ran = world.run(&["ledger", "export", "--format", "ocsf"]).await;
    let events: Vec<Value> = ran.stdout.lines().map(parsed).collect();
    let said: Vec<_> = events
        .iter()
        .map(|event| {
            let text = |place: &str| event.pointer(place).unwrap().as_str().unwrap();
            let class = (event["class_uid"].as_u64(), event["type_uid"].as_u64());
            (class, text("/status"), text("/privileges/0"), text("/resources/0/name"))
        })
        .collect();
    let (assign, revoke) = ((Some(3005), Some(300_501)), (Some(3005), Some(300_502)));
    assert_eq!(
        said,
        [
            (assign, "Success", "member", "4271"),
            (assign, "Success", "Read & Execute", "/Harbor/Integrations"),
            (assign, "Success", "Modify", "BillingService"),
            (assign, "Failure", "Administrator", "Orders"),
            (revoke, "Success", "all access", "/Harbor/Integrations"),
        ]
    );
    for event in &events {
        assert!(event["time"].as_i64().unwrap() > 1_700_000_000_000, "{event:#}");
        assert_eq!(event["metadata"]["version"], "1.6.0");
        assert!(event["user"]["uid"].is_string() && event["actor"]["user"]["name"].is_string());
    }
    let plain = world.run(&["ledger", "export"]).await.stdout;
    assert_eq!(plain, std::fs::read_to_string(path(&world)).unwrap(), "the lines as they are");
}

/// The end of the ledger for a person, and nothing that a vendor could have put in to fool them.
#[tokio::test]
async fn the_last_lines_are_shown() {
    let world = written().await;
    let ran = world.run(&["ledger", "tail", "-n", "2"]).await;
    // A heading stands above the two.
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);
    assert!(ran.stdout.contains("BillingService") && ran.stdout.contains("confirmed"));
    assert!(!ran.stdout.contains('\u{1b}'), "no colour in a pipe");
    let world = World::new().await;
    assert_eq!(world.run(&["ledger"]).await.status, 0, "a ledger that is not there is empty");
    assert!(!world.path("state/lines.jsonl").exists(), "and stays so");
}

/// Several servers, as several clients start them, on one ledger at the same time.
async fn crowd(changes: usize) {
    let world = World::new().await;
    let people = ["Sam Rivera", "Tomás Ferreira", "Hiro Tanaka", "Grace Okafor"];
    let spaces = ["/Harbor/Finance", "/Harbor/Integrations"];
    let places = people.iter().flat_map(|person| spaces.iter().map(move |space| (*person, *space)));
    let servers = places.map(async |(grantee, path)| {
        let server = world.serve().await;
        for number in 0..changes {
            let mut arguments = json!({ "project_or_space_path": path, "grant_type": "USER",
                "grantee": grantee });
            let tool = if number % 2 == 0 {
                arguments["permission_list"] = json!(["R"]);
                "set_project_acl"
            } else {
                "remove_project_acl"
            };
            let answer = server.call(tool, arguments).await;
            assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
        }
        server.stop().await;
    });
    let servers: Vec<_> = servers.collect();
    let count = servers.len() * changes;
    futures_util::future::join_all(servers).await;
    let ledger = world.ledger();
    let receipts: std::collections::BTreeSet<_> =
        ledger.iter().map(|line| line["receipt"].as_str().unwrap()).collect();
    assert_eq!((ledger.len(), receipts.len()), (2 * count, count));
    let ran = world.run(&["ledger", "verify"]).await;
    assert_eq!(ran.status, 0, "{ran:#?}");
    println!("{count} receipts; {}", ran.stdout.lines().next().unwrap().trim());
}

#[tokio::test]
async fn eight_servers_write_one_chain() {
    crowd(12).await;
}

#[tokio::test]
#[ignore = "takes minutes: cargo test --test grantor eight_thousand -- --ignored --nocapture"]
async fn eight_thousand_changes_by_eight_servers_are_one_chain() {
    crowd(1_000).await;
}
