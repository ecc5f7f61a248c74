//! Who may see, and who may approve, what another asked for: several people, and a service, at one desk.

use std::path::PathBuf;

use grantor::approvers::key::ApproverKey;
use grantor::approvers::{Proof, Statement};
use grantor::config::{Config, Flags, Sources};
use grantor::desk::{Answer, Call, Desk, Person, PersonReply, Yes};
use grantor::failure::Failure;
use grantor::ledger::{Answered, Channel, Decision, Request, State};
use grantor::requester::{Caller, CallerKind, Groups, Requester};
use grantor::sandbox::{Options, Sandbox};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::parsed;
use super::writes::GRANTS;

/// All is asked about, and what the test adds is said of the two rights.
const ASKED: &str = r#"
@id("look") permit (principal, action in Action::"look", resource);
@id("expire") permit (principal, action == Action::"expire", resource);
"#;
const ASK: &str = r#"@id("ask") @ask permit (principal, action in [Action::"grant", Action::"revoke"], resource);"#;
const BY_SECURITY: &str = r#"@id("security")
permit (principal in Group::"https://id.example.com#security", action == Action::"approve", resource);"#;
const ISSUER: &str = "https://id.example.com";

struct Office {
    desk: Desk,
    _home: TempDir,
    _sandbox: Sandbox,
}

impl Office {
    async fn new(rules: &str, file: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let [policy, config] = ["policy.cedar", "config.toml"].map(|name| home.path().join(name));
        std::fs::write(&policy, format!("{ASKED}{rules}")).unwrap();
        std::fs::write(&config, file).unwrap();
        let flags = Flags {
            state_dir: Some(home.path().into()),
            policy: Some(policy),
            config: Some(config),
            ..Flags::default()
        };
        let (environment, from) = (sandbox.environment(), &|_: &str| None);
        let given = Some(environment.as_slice());
        let sources = Sources { flags: &flags, environment: from, floor: None, sandbox: given };
        let desk = Desk::new(Config::load(&sources).unwrap()).unwrap();
        Self { desk, _home: home, _sandbox: sandbox }
    }

    async fn call(&self, who: &Requester, tool: &str, arguments: Value) -> Value {
        self.answer(who, tool, &arguments).await.write()
    }

    async fn answer(&self, who: &Requester, tool: &str, arguments: &Value) -> Answer {
        let call = Call {
            requester: who.clone(),
            tool: tool.to_owned(),
            arguments: arguments.as_object().unwrap().clone(),
            client: None,
            asked: None,
            progress: Box::new(|_| ()),
            withdrawn: Box::new(|| false),
            person: Person::Absent,
        };
        Box::pin(self.desk.call(call)).await.unwrap()
    }

    /// Somebody's request for the grant of that number, which waits.
    async fn asks(&self, who: &Requester, grant: usize) -> Request {
        let body = self.call(who, GRANTS[grant].tool, parsed(GRANTS[grant].arguments)).await;
        assert_eq!(body["outcome"], "awaiting_consent", "{body:#}");
        self.kept(body["receipt"].as_str().unwrap()).await
    }

    async fn kept(&self, receipt: &str) -> Request {
        self.desk.ledger().request(receipt).await.unwrap().unwrap()
    }

    async fn yes(
        &self,
        request: &Request,
        who: &Requester,
        how: Channel,
    ) -> Result<Request, Failure> {
        let typed = request.content.typed.clone();
        let reply = PersonReply::Yes(typed);
        let (receipt, digest) = (request.receipt.as_str(), request.digest.as_str());
        self.desk.approve(Yes { receipt, digest, reply, who, how, proof: None }).await
    }

    /// What comes of a request that is approved.
    async fn runs(&self, request: &Request) -> Value {
        Box::pin(self.desk.run_request(request, self.desk.requester())).await.write()
    }

    /// Why somebody's yes on the page does not count, or `""`.
    fn refusal(&self, request: &Request, who: &Requester) -> String {
        let counts = self.desk.may_approve(request, who, &Channel::Page);
        counts.err().map(|failure| failure.message).unwrap_or_default()
    }
}

fn caller(subject: &str, groups: &[&str]) -> Caller {
    let groups = groups.iter().map(|name| format!("{ISSUER}#{name}")).collect();
    Caller {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        kind: CallerKind::Person,
        email: Some(format!("{subject}@example.com")),
        client: Some("console".to_owned()),
        groups: Groups::Told(groups),
    }
}

fn person(subject: &str, groups: &[&str]) -> Requester {
    Requester::calling(caller(subject, groups))
}

fn service(groups: &[&str]) -> Requester {
    let kind = CallerKind::Service;
    Requester::calling(Caller { kind, email: None, ..caller("pipeline", groups) })
}

#[tokio::test]
async fn where_no_rule_names_it_nobody_approves_over_http_and_the_terminal_does_as_before() {
    // A rule without an action does not count for a right, nor does one that names others.
    for rules in [ASK, r#"@id("all") @ask permit (principal, action, resource);"#] {
        let office = Office::new(rules, "").await;
        let request = office.asks(&person("alex", &[]), 3).await;
        for who in [person("alex", &[]), person("sue", &["security"])] {
            assert!(office.refusal(&request, &who).contains("no rule of the policy"), "{rules}");
        }
        assert!(office.refusal(&request, &service(&[])).contains("no rule of the policy"));
        let root = Requester::named("root");
        assert!(office.yes(&request, &root, Channel::Terminal).await.is_ok(), "{rules}");
        assert_eq!(office.kept(&request.receipt).await.state, State::Approved);
    }
}

#[tokio::test]
async fn whom_a_rule_lets_approve_does_and_nobody_else_and_it_is_carried_out_as_its_requesters() {
    let office = Office::new(&format!("{ASK}{BY_SECURITY}"), "").await;
    let alex = person("alex", &[]);
    let request = office.asks(&alex, 3).await;
    let untold = Requester::calling(Caller { groups: Groups::Untold, ..caller("gus", &[]) });
    for (who, says) in [
        (&alex, "you asked for it yourself, and no rule"),
        (&person("bob", &["sales"]), "no rule of the policy permits"),
        // The group of another issuer, and an operating system's user.
        (&Requester::named("root"), "no rule of the policy permits"),
        (&service(&["security"]), "a service never approves"),
        (&untold, "does not say which groups"),
        (&person("sue", &["security"]), ""),
    ] {
        let why = office.refusal(&request, who);
        assert!(why.contains(says) && why.is_empty() == says.is_empty(), "{}: {why}", who.name());
    }
    let sue = person("sue", &["security"]);
    let mut wrong = request.clone();
    wrong.digest = "another".to_owned();
    let other = office.yes(&wrong, &sue, Channel::Page).await.unwrap_err();
    assert!(other.message.contains("another one by now"), "{other}");
    let approved = office.yes(&request, &sue, Channel::Page).await.unwrap();
    assert_eq!(approved.state, State::Approved);
    let again =
        office.yes(&request, &person("ann", &["security"]), Channel::Page).await.unwrap_err();
    assert!(again.message.contains("is approved already"), "{again}");
    let answer = office.runs(&approved).await;
    assert_eq!(answer["outcome"], "confirmed", "{answer:#}");
    assert_eq!(answer["approved_by"], sue.name(), "{answer:#}");
    let told = office.call(&alex, "check_change", json!({ "receipt": request.receipt })).await;
    assert_eq!((&told["outcome"], &told["requester"]), (&json!("confirmed"), &json!(alex.name())));
}

/// A process with rules of its own records no yes to what was asked under rules that say who approves.
#[tokio::test]
async fn nobody_approves_under_other_rules_than_it_was_asked_under() {
    let ruled = Office::new(&format!("{ASK}{BY_SECURITY}"), "").await;
    let request = ruled.asks(&person("alex", &[]), 3).await;
    let root = Requester::named("root");
    let anybody = r#"@id("people") permit (principal, action == Action::"approve", resource);"#;
    for rules in [ASK.to_owned(), format!("{ASK}{anybody}")] {
        let other = Office::new(&rules, "").await;
        let refused = other.desk.may_approve(&request, &root, &Channel::Terminal).err().unwrap();
        assert!(refused.message.contains("under other rules"), "{rules}: {refused}");
    }
    // Where neither rules say who approves, a yes is left to whoever has them, as before.
    let plain = Office::new(ASK, "").await;
    let request = plain.asks(&person("alex", &[]), 3).await;
    let other = Office::new(&format!("{ASK}// another text"), "").await;
    assert!(other.desk.may_approve(&request, &root, &Channel::Terminal).is_ok());
}

/// What the rules say of the requester, they say of them as they were when they asked.
#[tokio::test]
async fn what_a_rule_says_of_whoever_asked_is_kept_with_the_request() {
    let by_their_own = r#"@id("own") permit (principal, action == Action::"approve", resource)
        when { principal.kind == "person" && principal != context.requester
            && context.requester in Group::"https://id.example.com#crew"
            && context.requester has email && context.requester.email like "*@example.com"
            && context.effect == "grant" && context.width == 1 && context.approvals == 0 };"#;
    let office = Office::new(&format!("{ASK}{by_their_own}"), "").await;
    let (of_crew, other) = (person("alex", &["crew"]), person("eve", &[]));
    let (one, another) = (office.asks(&of_crew, 3).await, office.asks(&other, 0).await);
    assert_eq!(office.refusal(&one, &other), "");
    assert!(office.refusal(&one, &of_crew).contains("no rule"));
    assert!(office.refusal(&another, &of_crew).contains("no rule"));
}

#[tokio::test]
async fn two_people_are_two_and_each_is_of_the_group_that_is_named() {
    let ask = r#"@id("ask") @ask("Production.") @approvals("2") @approvers("https://id.example.com#security")
        permit (principal, action in Action::"grant", resource);"#;
    let anybody = r#"@id("people") permit (principal, action == Action::"approve", resource);"#;
    let office = Office::new(&format!("{ask}{anybody}"), "").await;
    let alex = person("alex", &[]);
    let request = office.asks(&alex, 3).await;
    let question = &request.content.question;
    let takes = "the yes of 2 different people of https://id.example.com#security";
    assert!(question.contains(&format!("Policy: it takes {takes}")), "{question}");
    let (sue, ann) = (person("sue", &["security"]), person("ann", &["security"]));
    let bob = office.refusal(&request, &person("bob", &["sales"]));
    assert!(bob.contains(takes) && bob.contains("is not among them"), "{bob}");
    // One terminal is one person, however often they come.
    let root = office.desk.may_approve(&request, &sue, &Channel::Terminal).err().unwrap();
    assert!(root.message.contains(takes), "{root}");
    let half = office.yes(&request, &sue, Channel::Page).await.unwrap();
    assert_eq!(half.state, State::Waiting);
    assert!(office.yes(&half, &sue, Channel::Page).await.unwrap_err().message.contains("already"));
    let told = office.call(&alex, "check_change", json!({ "receipt": request.receipt })).await;
    assert_eq!(told["outcome"], "awaiting_consent");
    let summary = told["note"].as_str().unwrap();
    assert!(summary.contains(takes) && summary.contains("#sue"), "{told:#}");
    let done = office.yes(&half, &ann, Channel::Page).await.unwrap();
    assert_eq!(done.state, State::Approved);
    let answer = office.runs(&done).await;
    assert_eq!(answer["outcome"], "confirmed", "{answer:#}");
    assert_eq!(answer["approved_by"], format!("{}, {}", sue.name(), ann.name()));
}

#[tokio::test]
async fn a_no_ends_what_one_of_two_has_said_yes_to() {
    let ask = r#"@id("ask") @ask @approvals("2") permit (principal, action in Action::"grant", resource);"#;
    let office = Office::new(&format!("{ask}{BY_SECURITY}"), "").await;
    let request = office.asks(&person("alex", &[]), 3).await;
    let (sue, ann) = (person("sue", &["security"]), person("ann", &["security"]));
    office.yes(&request, &sue, Channel::Page).await.unwrap();
    // Whoever may not approve may not say no either, and does not learn that it is there.
    let bob = person("bob", &["sales"]);
    let refused = office.desk.deny(&request.receipt, Channel::Page, None, &bob).await.unwrap_err();
    assert!(refused.message.contains("the ledger has no change"), "{refused}");
    let reason = Some("the wrong Sam".to_owned());
    office.desk.deny(&request.receipt, Channel::Page, reason, &ann).await.unwrap();
    assert_eq!(office.kept(&request.receipt).await.state, State::Denied);
    assert!(office.yes(&request, &ann, Channel::Page).await.is_err());
}

/// A file of those whose keys approve, and the folder that it is in.
fn approvers(keys: &[(&str, ApproverKey)]) -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("approvers");
    let lines = keys.iter().map(|(name, key)| format!("{name} {}\n", key.public()));
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    (home, path)
}

/// The signature of a key under a request's question, as the ledger keeps it.
fn signed(request: &Request, key: &ApproverKey) -> Value {
    let (receipt, digest) = (request.receipt.as_str(), request.digest.as_str());
    let (question, time) = (request.content.question.as_str(), Timestamp::now());
    let signature = key.sign(&Statement { receipt, digest, question, time }).unwrap();
    json!(Proof { key: key.public(), time, signature })
}

/// Two signatures of two people count; a signature and a yes on the page are of two kinds.
#[tokio::test]
async fn signatures_count_together_and_with_nothing_else() {
    let ask = r#"@id("ask") @ask @approvals("2") permit (principal, action in Action::"grant", resource);"#;
    let keys = ["ada", "ben"].map(|name| (name, ApproverKey::generate().unwrap()));
    let (_home, approvers) = approvers(&keys);
    let file = format!("[grantor]\napprovers = {approvers:?}\n");
    let office = Office::new(&format!("{ask}{BY_SECURITY}"), &file).await;
    let sue = person("sue", &["security"]);
    let request = office.asks(&person("alex", &[]), 3).await;
    assert!(office.refusal(&request, &sue).contains("only an approver's signature"));
    let rules =
        r#"@id("keys") permit (principal in Team::"keys", action == Action::"approve", resource);"#;
    let file = format!("{file}[teams.keys]\nmembers = [\"ada\", \"ben\"]\n");
    let office = Office::new(&format!("{ask}{rules}"), &file).await;
    let request = office.asks(&person("alex", &[]), 3).await;
    let root = office.desk.requester().clone();
    for (number, (name, key)) in keys.iter().enumerate() {
        let (receipt, proof) = (request.receipt.as_str(), signed(&request, key));
        let yes = || Yes {
            receipt,
            digest: &request.digest,
            reply: PersonReply::Yes(request.content.typed.clone()),
            who: &root,
            how: Channel::Signature,
            proof: Some(((*name).to_owned(), proof.clone())),
        };
        let after = office.desk.approve(yes()).await.unwrap();
        let states = [State::Waiting, State::Approved];
        assert_eq!(after.state, states[number], "{name}");
        assert!(office.desk.approve(yes()).await.is_err(), "{name} is one, however often");
    }
    let done = office.kept(&request.receipt).await;
    let answer = office.runs(&done).await;
    assert_eq!(
        (&answer["outcome"], &answer["approved_by"]),
        (&json!("confirmed"), &json!("ada, ben"))
    );
}

/// By their address, by an account or alias that is theirs; where it cannot be told, anybody but whoever asked.
#[tokio::test]
async fn nobody_approves_what_gives_access_to_themselves() {
    let anybody = r#"@id("people") permit (principal, action == Action::"approve", resource)
        when { principal != context.requester || principal == context.requester };"#;
    let file = r#"
        [accounts."https://id.example.com#other"]
        snaplogic = ["user@example.com"]
        [people."alias@example.com"]
        centrasite = "HARBOR\\mlindqvist"
        [people."second@example.com"]
        snaplogic = "User@Example.com"
    "#;
    let office = Office::new(&format!("{ASK}{anybody}"), file).await;
    let myself = "gives access to themselves";
    let unknown = "is not known";
    let alex = person("alex", &[]);
    let to_user = office.asks(&alex, 3).await;
    let for_self = office.asks(&person("user", &[]), 0).await;
    let set = json!({ "asset": "BillingService", "userGroupAssetPermission": [
        { "user": "Marta Lindqvist", "permission": "Full" }] });
    let to_alias = office.call(&alex, "set_asset_permissions", set).await;
    assert_eq!(to_alias["outcome"], "awaiting_consent", "{to_alias:#}");
    let to_alias = office.kept(to_alias["receipt"].as_str().unwrap_or_default()).await;
    let to_group = office.asks(&alex, 4).await;
    for (what, request, who, says) in [
        ("their address", &to_user, person("user", &[]), myself),
        ("an account of theirs", &to_user, person("other", &[]), myself),
        ("somebody else's", &to_user, person("sue", &[]), ""),
        ("their own request for another", &to_user, alex.clone(), ""),
        ("their own request for themselves", &for_self, person("user", &[]), myself),
        ("an alias of theirs", &to_alias, person("alias", &[]), myself),
        // A look-up takes an alias by any of its names, and so does this.
        ("an alias that is an address", &to_user, person("second", &[]), myself),
        ("a group that they may be in, asked by another", &to_group, person("sue", &[]), ""),
        ("a group that they may be in, asked by them", &to_group, alex.clone(), unknown),
    ] {
        let why = office.refusal(request, &who);
        assert!(why.contains(says) && why.is_empty() == says.is_empty(), "{what}: {why}");
    }
    let of_group = office.desk.may_approve(&to_group, &person("sue", &[]), &Channel::Page).unwrap();
    assert!(of_group.is_own_gain_unknown, "the question says so");
    let told = office.desk.may_approve(&to_user, &person("sue", &[]), &Channel::Page).unwrap();
    assert!(!told.is_own_gain_unknown);
}

/// A permit for all says nothing of one's own request: a rule has to speak of who asked.
#[tokio::test]
async fn ones_own_request_is_approved_only_where_a_rule_says_so() {
    for (rule, may) in [
        ("permit (principal, action == Action::\"approve\", resource)", false),
        (
            "permit (principal, action == Action::\"approve\", resource) when { context.requester == principal }",
            true,
        ),
    ] {
        let office = Office::new(&format!("{ASK}@id(\"r\") {rule};"), "").await;
        let alex = person("alex", &[]);
        let request = office.asks(&alex, 3).await;
        assert_eq!(office.refusal(&request, &alex).is_empty(), may, "{rule}");
        assert_eq!(office.refusal(&request, &person("sue", &[])).is_empty(), !may, "{rule}");
    }
}

/// A receipt is there for its requester, for whom a rule lets see it, and for who may approve it.
#[tokio::test]
async fn what_one_may_not_see_is_answered_as_what_there_is_not() {
    let see = r#"@id("auditors") permit (principal in Group::"https://id.example.com#audit",
        action == Action::"see", resource) when { resource.vendor == "snaplogic" };"#;
    let office = Office::new(&format!("{ASK}{BY_SECURITY}{see}"), "").await;
    let alex = person("alex", &[]);
    let at_snaplogic = office.asks(&alex, 3).await.receipt;
    let at_outsystems = office.asks(&alex, 0).await.receipt;
    for (who, sees) in [
        (alex.clone(), [true, true]),
        (person("audrey", &["audit"]), [true, false]),
        (person("sue", &["security"]), [true, true]),
        (person("bob", &["sales"]), [false, false]),
        (service(&["security"]), [false, false]),
        (Requester::named("root"), [true, true]),
    ] {
        let listed = office.call(&who, "check_change", json!({})).await;
        let listed: Vec<_> = listed["changes"].as_array().into_iter().flatten().collect();
        for (receipt, is_seen) in [&at_snaplogic, &at_outsystems].into_iter().zip(sees) {
            let one = office.call(&who, "check_change", json!({ "receipt": receipt })).await;
            let is_told = one["outcome"] == "awaiting_consent";
            assert_eq!(is_told, is_seen, "{}: {one:#}", who.name());
            let is_listed = listed.iter().any(|row| row["receipt"] == receipt.as_str());
            assert_eq!(is_listed, is_seen, "{}: {listed:#?}", who.name());
            if !is_seen {
                let unknown = "gr-aaaaaaaaaaaaaaaaaaaaaaaaaa";
                let none = office.call(&who, "check_change", json!({ "receipt": unknown })).await;
                let told = one.to_string().replace(receipt.as_str(), unknown);
                assert_eq!(told, none.to_string(), "{}", who.name());
            }
        }
    }
}

/// A list of what one may see goes on at its cursor to the end, and skips what one may not.
#[tokio::test]
async fn a_list_with_gaps_comes_to_its_end() {
    let see = r#"@id("auditors") permit (principal in Group::"https://id.example.com#audit",
        action == Action::"see", resource) when { context.requester in Group::"https://id.example.com#crew" };"#;
    let office = Office::new(&format!("{ASK}{see}"), "").await;
    let mut theirs = Vec::new();
    for (number, grant) in [3, 0, 1, 2, 7, 8].into_iter().enumerate() {
        let (name, group) = if number % 2 == 0 { ("alex", "crew") } else { ("eve", "others") };
        let request = office.asks(&person(name, &[group]), grant).await;
        theirs.extend((number % 2 == 0).then_some(request.receipt));
    }
    let audrey = person("audrey", &["audit"]);
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    for _ in 0..9 {
        let mut arguments = json!({ "limit": 1 });
        if cursor.is_string() {
            arguments["cursor"] = cursor.clone();
        }
        let page = office.call(&audrey, "check_change", arguments).await;
        let rows = page["changes"].as_array().cloned().unwrap_or_default();
        seen.extend(rows.iter().map(|row| row["receipt"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    theirs.reverse();
    assert_eq!(seen, theirs);
    assert!(cursor.is_null(), "the list ends");
}

/// What a client brings back of one call is no answer to another.
#[tokio::test]
async fn a_page_that_was_shown_for_one_call_answers_no_other() {
    let office = Office::new(&format!("{ASK}{BY_SECURITY}"), "").await;
    let (alex, sue) = (person("alex", &[]), person("sue", &["security"]));
    let arguments = parsed(GRANTS[3].arguments);
    let answer = office.answer(&alex, GRANTS[3].tool, &arguments).await;
    let state = office.desk.led_to(&answer, &alex).await.unwrap();
    let request = office.kept(answer.waits_for().unwrap()).await;
    let since = async |tool: &str, arguments: &Value, who: &Requester| {
        let arguments = arguments.as_object().unwrap().clone();
        Box::pin(office.desk.since_led(&state, (tool, arguments), who)).await
    };
    assert!(since(GRANTS[3].tool, &arguments, &alex).await.is_none(), "it waits");
    let done = office.yes(&request, &sue, Channel::Page).await.unwrap();
    office.runs(&done).await;
    let mut other = arguments.clone();
    other["permission_list"] = json!(["R"]);
    for (tool, arguments, who, is) in [
        (GRANTS[3].tool, &arguments, &alex, true),
        (GRANTS[3].tool, &other, &alex, false),
        ("remove_project_acl", &arguments, &alex, false),
        (GRANTS[0].tool, &arguments, &alex, false),
        (GRANTS[3].tool, &arguments, &sue, false),
    ] {
        let found = since(tool, arguments, who).await;
        assert_eq!(found.is_some(), is, "{tool} {arguments} {}", who.name());
    }
}

/// Whoever sends goes by its own rules and keys: the ledger's word that a signer counts makes no signature count.
#[tokio::test]
async fn what_the_ledger_says_of_a_signature_makes_it_count_for_nobody() {
    let ask = r#"@id("ask") @ask @approvals("2") @approvers("keys")
        permit (principal, action in Action::"grant", resource);"#;
    let keys = ["ada", "eve"].map(|name| (name, ApproverKey::generate().unwrap()));
    let (_home, approvers) = approvers(&keys);
    let file = format!("[grantor]\napprovers = {approvers:?}\n[teams.keys]\nmembers = [\"ada\"]\n");
    let office = Office::new(ask, &file).await;
    let request = office.asks(&person("alex", &[]), 3).await;
    for (name, key) in &keys {
        let (receipt, proof) = (request.receipt.as_str(), signed(&request, key));
        // As whoever can write the ledger would have it: eve is said to be of the group.
        let answered = Answered {
            until: Some(Timestamp::now() + jiff::SignedDuration::from_mins(9)),
            proof: Some(proof),
            meets: vec![0],
            ..Answered::new(Decision::Approved, *name, Channel::Signature)
        };
        office.desk.ledger().answer(receipt, &answered, office.desk.requester()).await.unwrap();
    }
    let approved = office.kept(&request.receipt).await;
    assert_eq!(approved.state, State::Approved);
    let answer = office.runs(&approved).await;
    assert_eq!(answer["outcome"], "refused", "{answer:#}");
    assert!(answer["summary"].as_str().unwrap().contains("not all have signed"), "{answer:#}");
}

/// Of what nobody had to be asked about, rules on `see` know who asked as well.
#[tokio::test]
async fn who_made_a_change_unasked_is_known_to_whoever_judges_who_sees_it() {
    let rules = r#"
        @id("free") permit (principal, action in Action::"grant", resource);
        @id("see") permit (principal, action == Action::"see", resource);
        @id("not-of-programs") forbid (principal, action == Action::"see", resource)
        when { context.requester.kind == "service" };
        @id("not-of-crew") forbid (principal, action == Action::"see", resource)
        when { context.requester in Group::"https://id.example.com#crew" };"#;
    let office = Office::new(rules, "").await;
    let reader = person("audrey", &[]);
    for (who, grant, sees) in [
        (service(&[]), 3, false),
        (person("alex", &["crew"]), 0, false),
        (person("bo", &[]), 1, true),
    ] {
        let arguments = parsed(GRANTS[grant].arguments);
        let done = office.call(&who, GRANTS[grant].tool, arguments).await;
        assert_eq!(done["outcome"], "confirmed", "{done:#}");
        let told =
            office.call(&reader, "check_change", json!({ "receipt": done["receipt"] })).await;
        assert_eq!(told["outcome"] == "confirmed", sees, "{}: {told:#}", who.name());
    }
}

/// How long access is to last counts from when it was asked for, however late somebody looks.
#[tokio::test]
async fn a_limit_on_what_may_be_approved_is_not_waited_out() {
    let rule = r#"@id("an-hour") permit (principal, action == Action::"approve", resource)
        when { context has expires_in_minutes && context.expires_in_minutes <= 60 };"#;
    let office = Office::new(&format!("{ASK}{rule}"), "").await;
    let sue = person("sue", &[]);
    let mut requests = Vec::new();
    for (lasts, grant) in [("PT60M", 3), ("PT61M", 0)] {
        let mut arguments = parsed(GRANTS[grant].arguments);
        arguments["expires_in"] = lasts.into();
        let body = office.call(&person("alex", &[]), GRANTS[grant].tool, arguments).await;
        requests.push(office.kept(body["receipt"].as_str().unwrap()).await);
    }
    let later = Timestamp::now() + jiff::SignedDuration::from_mins(5);
    let Office { desk, _home, _sandbox } = office;
    let desk = desk.supposing(Some(later));
    let may = |request| desk.may_approve(request, &sue, &Channel::Page).is_ok();
    assert_eq!(requests.iter().map(may).collect::<Vec<_>>(), [true, false]);
}

/// What another did to one's own access is told without their receipt.
#[tokio::test]
async fn what_touched_ones_own_change_is_another_change() {
    let free = r#"@id("free") permit (principal, action in [Action::"grant", Action::"revoke"], resource);"#;
    let office = Office::new(free, "").await;
    let (alex, tom) = (person("alex", &[]), person("tom", &[]));
    let granted = office.call(&alex, GRANTS[0].tool, parsed(GRANTS[0].arguments)).await;
    let revoked = office.call(&tom, "revoke_asset_role", parsed(GRANTS[0].arguments)).await;
    let [granted, revoked] = [granted, revoked].map(|done| {
        assert_eq!(done["outcome"], "confirmed", "{done:#}");
        done["receipt"].as_str().unwrap().to_owned()
    });
    for (tool, arguments) in [
        ("check_change", json!({ "receipt": granted })),
        ("check_change", json!({})),
        ("undo_change", json!({ "receipt": granted })),
        ("set_expiry", json!({ "receipt": granted, "expires_in": "PT1H" })),
    ] {
        let told = office.call(&alex, tool, arguments).await.to_string();
        assert!(told.contains("another change") && !told.contains(&revoked), "{tool}: {told}");
    }
    let told =
        office.call(&Requester::named("root"), "check_change", json!({ "receipt": granted })).await;
    assert!(told.to_string().contains(&revoked), "whoever is at the machine: {told:#}");
}
