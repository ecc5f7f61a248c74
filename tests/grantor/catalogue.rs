use std::collections::BTreeSet;

use grantor::sandbox::story::SCENES;
use grantor::tools::{Effect, TOOLS};
use grantor::vendors::VENDORS;
use serde_json::{Value, json};

use super::harness::{Source, World, parsed, sources};
use super::schemas::served;

/// What a client may cut off, in characters.
const LONGEST_TEXT: usize = 2000;

#[test]
fn each_tool_file_is_a_line_in_the_list() {
    // Beside the tools there is what several of them share.
    let sources = sources();
    let files = sources.iter().filter(|source| source.text.contains("SPEC: Spec = Spec {"));
    let files: BTreeSet<String> = files
        .filter_map(|source| source.path.strip_prefix("tools/")?.strip_suffix(".rs"))
        .map(str::to_owned)
        .collect();
    let listed: BTreeSet<String> = TOOLS.iter().map(|tool| tool.spec.name.to_owned()).collect();
    assert_eq!(listed, files, "TOOLS in src/tools.rs (left) and the files in src/tools (right)");
    assert_eq!(listed.len(), TOOLS.len(), "a tool is listed twice");
}

#[test]
fn names_and_titles_fit_every_client() {
    for tool in &TOOLS {
        let (name, title) = (tool.spec.name, tool.spec.title);
        let letters =
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(letters && name.starts_with(|first: char| first.is_ascii_lowercase()), "{name}");
        // Some count the server's name too, and stop at sixty.
        assert!(name.len() <= 40 && name.len() + "grantor".len() < 60, "{name}");
        assert!((5..=60).contains(&title.len()) && !title.ends_with('.'), "{name}: {title}");
        assert!(!tool.spec.docs.is_empty(), "{name} is written from some page");
        let vendor = tool.spec.vendor;
        assert!(vendor.is_none_or(|name| VENDORS.iter().any(|vendor| vendor.name == name)));
    }
}

#[tokio::test]
async fn annotations_follow_from_the_effect() {
    for (tool, served) in TOOLS.iter().zip(served().await) {
        let looks = tool.spec.effect == Effect::Look;
        let expected = match looks {
            true => json!({ "readOnlyHint": true }),
            false => json!({ "destructiveHint": true }),
        };
        assert_eq!(served["annotations"], expected, "{}", tool.spec.name);
        assert_eq!(served["title"], tool.spec.title);
    }
}

#[tokio::test]
async fn descriptions_begin_with_a_short_sentence_and_fit() {
    for tool in served().await {
        let (name, text) = (&tool["name"], tool["description"].as_str().unwrap());
        let sentence = super::readme::first_sentence(text);
        let words = sentence.split_whitespace().count();
        assert!((3..=24).contains(&words) && sentence.len() <= 140, "{name}: {sentence:?}");
        assert!(text.len() < LONGEST_TEXT, "{name}: {} bytes", text.len());
    }
}

/// A doc comment is wrapped for those who read the source; a model reads paragraphs.
#[tokio::test]
async fn no_description_breaks_off_in_the_middle_of_a_line() {
    for tool in served().await {
        each_schema(&tool, "", &mut |place, schema| {
            let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(!text.replace("\n\n", "").contains('\n'), "{}{place}: {text:?}", tool["name"]);
        });
    }
}

#[tokio::test]
async fn the_instructions_fit() {
    let world = World::new().await;
    let mut raw = world.serve_raw();
    let hello = raw.hello("2025-11-25").await;
    let text = hello["result"]["instructions"].as_str().unwrap();
    assert!(text.len() < LONGEST_TEXT, "{} bytes", text.len());
    for word in [
        "confirmed",
        "already_present",
        "pending_vendor_approval",
        "unconfirmed",
        "preview",
        "refused",
        "invalid",
        "rejected",
        "unavailable",
        "mismatch",
        "unknown",
    ] {
        assert!(text.contains(&format!("{word} = ")), "{word} is not explained");
    }
}

const SHARED: [&str; 7] =
    ["vendor", "limit", "cursor", "reason", "dry_run", "expires_in", "expires_at"];

#[tokio::test]
async fn every_argument_at_every_depth_is_described() {
    // What means the same everywhere is described where it stands first.
    let mut shared = Vec::new();
    for tool in served().await {
        each_schema(&tool["inputSchema"], "", &mut |place, schema| {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (field, schema) in properties.into_iter().flatten() {
                let text = schema["description"].as_str().unwrap_or_default();
                let told = text.len() >= 3 && text.ends_with(['.', ')']);
                let told_before = text.is_empty() && place.is_empty() && shared.contains(field);
                assert!(told || told_before, "{}{place}.{field}: {text:?}", tool["name"]);
                if told && place.is_empty() && SHARED.contains(&field.as_str()) {
                    shared.push(field.clone());
                }
            }
        });
    }
}

/// Clients differ in what they understand: the common part is small.
#[tokio::test]
async fn schemas_use_only_what_every_client_understands() {
    for tool in served().await {
        let name = tool["name"].as_str().unwrap();
        for root in ["inputSchema", "outputSchema"] {
            let schema = tool[root].as_object().unwrap();
            assert_eq!(schema["type"], "object", "{name} {root}");
            for unwanted in ["title", "$schema", "anyOf", "oneOf", "allOf", "not", "enum", "$defs"]
            {
                assert!(!schema.contains_key(unwanted), "{name} {root} has {unwanted}");
            }
            each_schema(&tool[root], root, &mut |place, schema| hygiene(name, place, schema));
        }
        each_schema(&tool["inputSchema"], "", &mut |place, schema| {
            // What is in it another tool's schema says.
            let is_open = place == ".changes[].arguments";
            if schema["type"] == "object" && !is_open {
                assert_eq!(schema["additionalProperties"], false, "{name}{place}");
            }
        });
    }
}

fn hygiene(name: &str, place: &str, schema: &Value) {
    let at = format!("{name} {place}");
    let fields = schema.as_object().unwrap_or_else(|| panic!("{at} is {schema}, no object"));
    assert!(!fields.contains_key("$ref"), "{at} refers to another place");
    assert!(!fields.contains_key("const"), "{at}");
    let kind = fields.get("type").unwrap_or_else(|| panic!("{at} has no type"));
    assert!(kind.is_string(), "{at} has several types: {kind}");
    if kind == "array" {
        assert!(fields.contains_key("items"), "{at} does not say of what");
    }
    if let Some(format) = fields.get("format") {
        let known = ["uuid", "duration", "date-time"];
        assert!(known.iter().any(|known| format == known), "{at} has the format {format}");
    }
    assert!(fields.get("default").is_none_or(|default| !default.is_null()), "{at}");
}

/// Visits a schema and those in it, each with its place.
fn each_schema(schema: &Value, place: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(place, schema);
    for keyword in ["properties", "inputSchema"] {
        let inner = schema.get(keyword).and_then(Value::as_object);
        for (field, inner) in inner.into_iter().flatten().filter(|_| keyword == "properties") {
            each_schema(inner, &format!("{place}.{field}"), visit);
        }
    }
    if let Some(root) = schema.get("inputSchema") {
        each_schema(root, place, visit);
    }
    if let Some(items) = schema.get("items") {
        each_schema(items, &format!("{place}[]"), visit);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let choices = schema.get(keyword).and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            each_schema(choice, &format!("{place}({keyword})"), visit);
        }
    }
}

#[tokio::test]
async fn each_example_is_accepted_and_fits_its_schema() {
    let world = World::new().await;
    let server = world.serve().await;
    for tool in &TOOLS {
        let (name, mut arguments) = (tool.spec.name, parsed(tool.spec.example));
        let schema = tool.schema.clone();
        for field in arguments.as_object().unwrap().keys() {
            assert!(schema["properties"].get(field).is_some(), "{name}: {field} is no argument");
        }
        for field in schema["required"].as_array().into_iter().flatten() {
            let field = field.as_str().unwrap();
            assert!(arguments.get(field).is_some(), "{name}: the example lacks {field}");
        }
        if arguments.get("receipt").is_some() {
            // There is no receipt that every ledger has.
            let answer = server.call(name, arguments).await;
            assert!(answer.summary().contains("has no change"), "{:#}", answer.body);
            continue;
        }
        if tool.spec.effect.writes() {
            arguments["dry_run"] = json!(true);
        }
        let answer = server.call(name, arguments).await;
        assert!(!answer.is_error, "{name}: {:#}", answer.body);
    }
}

/// An example of a change that changes nothing shows nothing.
#[tokio::test]
async fn each_example_of_a_change_changes_something() {
    let world = World::new().await;
    let server = world.serve().await;
    let changes = TOOLS.iter().filter(|tool| tool.spec.effect.writes());
    let mut idle = Vec::new();
    for tool in changes.filter(|tool| !tool.spec.example.contains("receipt")) {
        let answer = server.call(tool.spec.name, parsed(tool.spec.example)).await;
        if answer.outcome() != "confirmed" {
            idle.push(format!("{} is {}", tool.spec.name, answer.outcome()));
        }
    }
    assert!(idle.is_empty(), "{idle:?}");
}

/// Every hole in a path has a field of that name where the endpoint is used.
#[test]
fn every_field_of_an_endpoints_path_is_filled() {
    let sources = sources();
    let mut checked = 0;
    for Source { path, text } in sources.iter().filter(|source| source.path.starts_with("vendors/"))
    {
        for constant in text.split("const ").skip(1) {
            let declared = constant.split(';').next().unwrap();
            let Some((name, rest)) = declared.split_once(": ") else { continue };
            if !rest.starts_with("Source") && !rest.starts_with("Endpoint") {
                continue;
            }
            let template = rest.split("path: \"").nth(1).unwrap().split('"').next().unwrap();
            for hole in template.split('{').skip(1) {
                let field = hole.split('}').next().unwrap().trim_start_matches('+');
                let vendor = path.split(['/', '.']).nth(1).unwrap();
                let fills = |source: &&Source| {
                    let near = source.path.starts_with(&format!("vendors/{vendor}"))
                        || source.text.contains(&format!("{vendor}::"));
                    near && source.text.contains(&format!("(\"{field}\","))
                };
                let filled = sources.iter().any(|source| fills(&source));
                assert!(filled, "src/{path}: {name} {{{field}}}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "only {checked} fields found: has the notation changed?");
}

#[tokio::test]
async fn no_request_of_the_story_has_a_hole_in_its_path() {
    let world = World::new().await;
    let server = world.serve().await;
    for scene in &SCENES {
        server.call(scene.tool, parsed(scene.arguments)).await;
    }
    for seen in world.sandbox.journal() {
        let whole = !seen.path.contains(['{', '}']) && !seen.path.contains("%7B");
        assert!(whole && !seen.path.contains("//"), "{}", seen.path);
    }
}
