use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tried;

/// JSON of any shape, with the words that matter among its keys and texts.
fn values() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "id",
        "name",
        "key",
        "results",
        "items",
        "payload",
        "memberships",
        "role",
        "user",
        "acl",
        "groups",
        "users",
        "username",
        "assets",
        "principals",
        "kind",
        "permissions",
        "version",
        "total",
        "page",
        "nextPageOffset",
        "success",
        "response_map",
        "http_status_code",
        "message",
        "error",
        "a",
        "..",
        "/",
        "%2e%2e",
        "\u{200b}",
        "\u{202e}x",
        "us-aaaaa",
        "R",
        "USER",
        "View",
        "jsonrpc",
        "2.0",
        "method",
        "tools/call",
        "params",
        "arguments",
        "event",
        "receipt",
        "gr-1",
    ]);
    let words = words.prop_map(str::to_owned);
    let text = prop_oneof![3 => words.clone(), 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Arguments that fit each tool's own example, with other texts in it.
fn arguments() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[a-z]{1,8}",
        any::<String>(),
        Just("../x".to_owned()),
        Just("a/../b".to_owned()),
        Just("a\u{200b}b".to_owned()),
        Just("%2e%2e/x?y#z".to_owned()),
        Just("/Org/Space".to_owned()),
    ];
    (0_u8..10, prop::collection::vec(text, 1..6)).prop_map(|(tool, mut texts)| {
        let changing =
            |tool: &&grantor::tools::Tool| matches!(tool.run, grantor::tools::Run::Change { .. });
        let tools: Vec<_> = grantor::tools::TOOLS.iter().filter(changing).collect();
        let mut value = serde_json::from_str(tools[usize::from(tool)].spec.example).unwrap();
        replace(&mut value, &mut texts);
        [vec![tool], value.to_string().into_bytes()].concat()
    })
}

/// Words with a meaning of their own stay.
fn replace(value: &mut Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text)
            if !matches!(text.as_str(), "USER" | "GROUP" | "R" | "W" | "X" | "Modify") =>
        {
            texts.rotate_left(1);
            text.clone_from(&texts[0]);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, texts)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, texts)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_is_sorted(bytes in prop::collection::vec(any::<u8>(), 0..200), value in values(), id in any::<i64>()) {
        tried::line(&bytes);
        tried::line(value.to_string().as_bytes());
        let wrapped = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": value });
        tried::line(wrapped.to_string().as_bytes());
    }

    #[test]
    fn any_answer_is_read_or_garbled(status in any::<u8>(), value in values(), cut in 0_usize..40) {
        let mut bytes = [vec![status], value.to_string().into_bytes()].concat();
        tried::reply(&bytes);
        bytes.truncate(cut);
        tried::reply(&bytes);
    }

    #[test]
    fn any_arguments_stay_inside_their_endpoint(bytes in arguments()) {
        tried::arguments(&bytes);
    }

    #[test]
    fn any_ledger_is_read_or_refused(lines in prop::collection::vec(values(), 0..4), cut in any::<u16>()) {
        let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
        let mut bytes = lines.join("\n").into_bytes();
        bytes.truncate(usize::from(cut));
        tried::ledger(&bytes);
    }
}

/// What a fuzzer finds is kept as a file of `fuzz/cases/TARGET/`.
#[test]
fn each_case_of_the_fuzzer_holds() {
    let targets: [(&str, fn(&[u8])); 4] = [
        ("line", tried::line),
        ("reply", tried::reply),
        ("arguments", tried::arguments),
        ("ledger", tried::ledger),
    ];
    for (name, target) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/cases").join(name);
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        for entry in entries {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
        }
    }
}
