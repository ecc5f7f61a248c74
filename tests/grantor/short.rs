//! What an answer to a change costs a model, in tokens of `o200k`.

use grantor::sandbox::Modes;
use serde_json::{Value, json};

use super::harness::{Era, World, parsed};
use super::person::{Client, types, yes};
use super::writes::GRANTS;

/// The most that a plain `confirmed` of one change costs.
const ONE: usize = 260;
/// The most that each further item adds.
const EACH: usize = 60;

pub fn tokens(body: &Value) -> usize {
    let text = body.to_string();
    tiktoken_rs::o200k_base_singleton().encode_ordinary(&text).len()
}

/// A person who agrees, and types what there is to type.
fn agrees(form: &Value) -> Value {
    if form.pointer("/properties/grantee").is_some() { types(form) } else { yes(form) }
}

/// At each vendor, granted and taken, whether the policy allows it or a person does.
#[tokio::test]
async fn a_confirmed_change_is_told_in_few_tokens() {
    let mut long = Vec::new();
    for (asks, grant) in
        [false, true].into_iter().flat_map(|asks| GRANTS.iter().map(move |one| (asks, one)))
    {
        let world = if asks { World::asking().await } else { World::new().await };
        let mut client = Client::start(&world, Era::Legacy).await;
        let (asked, answer) = client.call(grant.tool, &parsed(grant.arguments), agrees).await;
        if answer.outcome() != "confirmed" {
            continue;
        }
        println!("{}, asked {}: {} tokens", grant.tool, asked.len(), tokens(&answer.body));
        // What there is to warn of has no bound of its own.
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("warnings");
        let (plain, body) = (tokens(&body), &body);
        if plain > ONE {
            long.push(format!("{plain} tokens: {body}"));
        }
        for absent in ["request", "vendor_status", "items", "candidates", "hint"] {
            assert!(body.get(absent).is_none(), "{absent}: {body:#}");
        }
        assert_eq!(body.get("policy").is_some(), !asked.is_empty(), "{body:#}");
        assert_eq!(body.get("approved_by").is_some(), !asked.is_empty(), "{body:#}");
        assert!(body["before"].is_array() && body["after"].is_array(), "{body:#}");
        for named in ["principal", "role", "resource"] {
            let id = body[named]["id"].as_str().unwrap();
            if id.len() > 20 && id != body[named]["name"] {
                assert_eq!(body.to_string().matches(id).count(), 1, "{id} twice: {body:#}");
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// Of many, each is one short line: what it is of, how it ended, and its receipt.
#[tokio::test]
async fn each_further_item_adds_little() {
    let world = World::with(Modes { many_assets: true, ..Modes::default() }).await;
    let server = world.serve().await;
    let mut first = 1;
    for count in [2, 8] {
        let assets: Vec<_> = (first..first + count).map(|at| format!("App {at:03}")).collect();
        first += count;
        let arguments =
            json!({ "userKey": "user@example.com", "roleKey": "Developer", "assetKeys": assets });
        let answer = server.call("grant_asset_role", arguments).await;
        assert_eq!(answer.outcome(), "confirmed", "{:#}", answer.body);
        println!("{count} items: {} tokens", tokens(&answer.body));
        let most = ONE + EACH * (count - 1);
        assert!(tokens(&answer.body) <= most, "{} tokens: {}", tokens(&answer.body), answer.body);
        let items = answer.body["items"].as_array().unwrap();
        assert_eq!(items.len(), count);
        for item in items {
            let fields: Vec<_> = item.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["resource", "outcome", "receipt"], "{item:#}");
            assert!(item["resource"]["id"].is_string() && item["resource"]["name"].is_string());
        }
    }
}

/// All of a row is still there to ask for.
#[tokio::test]
async fn the_whole_row_is_in_check_change() {
    let world = World::new().await;
    let server = world.serve().await;
    let answer = server.call(GRANTS[0].tool, parsed(GRANTS[0].arguments)).await;
    let row = &answer.body["after"][0];
    assert!(row.get("principal").is_none() && row.get("resource").is_none(), "{row:#}");
    let look = json!({ "receipt": answer.body["receipt"] });
    let checked = server.call("check_change", look).await;
    let now: &Value = &checked.body["now"][0];
    assert_eq!(now["principal"], answer.body["principal"]);
    assert_eq!(now["resource"], answer.body["resource"]);
    assert_eq!((&now["role"], &row["role"]["name"]), (&answer.body["role"], &now["role"]["name"]));
}
