use futures_util::StreamExt as _;
use h2::Reason;
use serde_json::json;

use super::front::{Fronts, Mishap, PROTOCOLS};
use super::harness::{World, parsed};
use super::writes::{GRANTS, Grant};

/// Most of a case is waiting.
const AT_ONCE: usize = 8;

/// What a vendor offers is spoken: every look and every change works, and each is sent once.
#[tokio::test]
async fn everything_works_over_either_protocol_that_a_vendor_offers() {
    for protocol in PROTOCOLS {
        let (fronts, world) = Fronts::start(World::new().await, protocol).await;
        let server = world.serve().await;
        for (tool, arguments) in [
            ("list_roles", "{}"),
            ("find_principals", r#"{"query": "a"}"#),
            ("find_resources", "{}"),
            ("list_access", r#"{"principal": "alex.kim@example.com"}"#),
        ] {
            let body = server.call(tool, parsed(arguments)).await.body;
            assert!(body["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{body:#}");
            let problems = body["problems"].as_array().unwrap();
            // CentraSite knows nobody by an address.
            let told = ["not_listable", "not_found"];
            assert!(
                problems.iter().all(|one| told.iter().any(|kind| one["kind"] == *kind)),
                "{body:#}"
            );
        }
        for grant in &GRANTS {
            let before = world.writes().len();
            let answer = server.call(grant.tool, parsed(grant.arguments)).await;
            assert_eq!(answer.outcome(), "confirmed", "{protocol}: {:#}", answer.body);
            assert_eq!(world.writes().len() - before, 1, "{}", grant.tool);
        }
        let seen = fronts.seen();
        assert!(seen.keys().all(|(spoken, _)| spoken == protocol), "{seen:?}");
        let all = world.sandbox.journal().len();
        // The address of the token endpoint is asked for on the way there.
        assert_eq!(seen.values().sum::<usize>(), all - 1, "{seen:?}");
    }
}

/// Trouble that only HTTP/2 knows, for a write at each vendor: one word, and never a second write.
#[tokio::test]
async fn a_write_over_http_2_is_never_sent_twice() {
    let cases = [
        // The vendor says that it did nothing with it; nobody takes its word.
        (Mishap::Reset(Reason::REFUSED_STREAM), "unknown"),
        (Mishap::Reset(Reason::ENHANCE_YOUR_CALM), "unknown"),
        (Mishap::Reset(Reason::HTTP_1_1_REQUIRED), "unknown"),
        (Mishap::GoAwayBefore(Reason::NO_ERROR), "unknown"),
        (Mishap::GoAwayBefore(Reason::ENHANCE_YOUR_CALM), "unknown"),
        (Mishap::Close, "unknown"),
        (Mishap::ResetAfter(Reason::REFUSED_STREAM), "confirmed"),
        (Mishap::ResetAfter(Reason::INTERNAL_ERROR), "confirmed"),
        (Mishap::ResetInside(Reason::CANCEL), "confirmed"),
        (Mishap::GoAwayAfter(Reason::NO_ERROR), "confirmed"),
        (Mishap::GoAwayAfter(Reason::INTERNAL_ERROR), "confirmed"),
        (Mishap::GoAwayGently, "confirmed"),
        (Mishap::CloseAfter, "confirmed"),
    ];
    let each = cases.into_iter().flat_map(|(mishap, outcome)| {
        GRANTS[..5].iter().map(move |grant| check(grant, mishap, outcome))
    });
    futures_util::stream::iter(each).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

async fn check(grant: &Grant, mishap: Mishap, outcome: &str) {
    let case = format!("{}: {mishap:?}", grant.tool);
    let (fronts, world) = Fronts::start(World::new().await, "h2").await;
    let server = world.serve().await;
    fronts.inject(grant.method, grant.path, mishap);
    let answer = server.call(grant.tool, parsed(grant.arguments)).await;
    assert_eq!(answer.outcome(), outcome, "{case}: {:#}", answer.body);
    assert!(fronts.met(), "{case}");
    let applied = usize::from(outcome == "confirmed");
    assert_eq!(world.writes().len(), applied, "{case}");
    let sent = |key: &(String, String)| fronts.seen().get(key).copied().unwrap_or_default();
    // Dfns asks for two signing steps, and tokens are asked for with POST as well.
    let before = match (grant.vendor, grant.method) {
        ("dfns", _) => 2,
        ("outsystems", _) => 1,
        _ => 0,
    };
    let key = ("h2".to_owned(), grant.method.to_owned());
    assert_eq!(sent(&key), before + 1, "{case}: {:?}", fronts.seen());
    // Whatever became of the connection, the next call has one.
    let looked = server.call("list_roles", json!({ "vendor": grant.vendor })).await;
    assert!(!looked.is_error || grant.vendor == "centrasite", "{case}: {:#}", looked.body);
    let receipt = answer.body["receipt"].as_str().unwrap();
    let checked = server.call("check_change", json!({ "receipt": receipt })).await;
    assert!(!checked.is_error, "{case}: {:#}", checked.body);
    assert_eq!(world.writes().len(), applied, "{case}");
}
