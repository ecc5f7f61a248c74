use serde_json::json;

use super::harness::{Ran, World, parsed};

const SIGNS: [&str; 2] = ["DFNS_PRIVATE_KEY", "REDOX_PRIVATE_KEY"];

/// What doctor says of a world: the lines that tell of trouble.
async fn check(world: &World, ends: i32) -> (Ran, Vec<String>) {
    let ran = world.run(&["doctor"]).await;
    assert_eq!(ran.status, ends, "{ran:#?}");
    assert!(!ran.stdout.contains("grantor doctor"), "it is running: {}", ran.stdout);
    assert!(world.writes().is_empty());
    assert_eq!(world.count("POST", "/auth/action"), 0, "no signature leaves");
    let trouble = |line: &&str| line.trim_start().starts_with("failed");
    let troubles = ran.stdout.lines().filter(trouble).map(str::to_owned).collect();
    (ran, troubles)
}

/// The same without the settings that the other checks of these vendors take.
async fn keys_alone() -> World {
    World::new().await.unset("REDOX_ORGANIZATION_ID").unset("SNAPLOGIC_ORG")
}

#[tokio::test]
async fn a_key_that_signs_is_said_to() {
    let world = keys_alone().await;
    let (ran, _) = check(&world, 0).await;
    for name in SIGNS {
        let line = format!("ok      {name} signs");
        assert!(ran.stdout.contains(&line), "{line}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_named_with_what_to_do() {
    let label = |pem: &str, kind: &str| pem.replace("PRIVATE KEY", kind);
    for name in SIGNS {
        let known = keys_alone().await.variable(name).to_owned();
        for (given, words) in [
            (known[..known.len() / 2].to_owned(), "between its BEGIN and END lines"),
            (known.replacen("\nM", "\n!", 1), "between its BEGIN and END lines"),
            (known.replacen("\nM", "\nMM", 1), "BEGIN and END lines|is not a whole"),
            (label(&known, "ENCRYPTED PRIVATE KEY"), "openssl pkey"),
            (label(&known, "PUBLIC KEY"), "the private key is needed"),
            (label(&known, "OPENSSH PRIVATE KEY"), "ssh-keygen"),
            ("/etc/keys/own.pem".to_owned(), "BEGIN PRIVATE KEY"),
        ] {
            assert_ne!(given, known);
            let world = keys_alone().await.set(name, &given);
            let (ran, troubles) = check(&world, 1).await;
            let [line] = troubles.as_slice() else { panic!("{given}: {}", ran.stdout) };
            let told = words.split('|').any(|words| line.contains(words));
            assert!(line.contains(name) && told, "{words}: {line}");
            hides(&ran, &known);
        }
    }
}

/// No stretch of a key that would help anybody.
fn hides(ran: &Ran, key: &str) {
    let inside = key.lines().filter(|line| !line.starts_with("-----"));
    for part in inside.flat_map(|line| line.as_bytes().chunks(8)) {
        let part = std::str::from_utf8(part).unwrap();
        let said = ran.stdout.contains(part) || ran.stderr.contains(part);
        assert!(part.len() < 8 || !said, "{ran:#?}");
    }
}

#[tokio::test]
async fn a_key_of_another_kind_than_the_vendor_takes_is_named() {
    let world = keys_alone().await;
    let other = world.variable("DFNS_PRIVATE_KEY").to_owned();
    let world = world.set("REDOX_PRIVATE_KEY", other);
    let (ran, troubles) = check(&world, 1).await;
    assert!(troubles[0].contains("REDOX_PRIVATE_KEY is not an RSA key"), "{}", ran.stdout);
}

/// Files and commands are read, also where nothing else would need them.
#[tokio::test]
async fn a_secret_that_is_not_where_it_should_be_is_named() {
    for name in ["DFNS_PRIVATE_KEY", "REDOX_PRIVATE_KEY", "SNAPLOGIC_PASSWORD"] {
        let world = keys_alone().await.unset(name);
        let config = world.path("config.toml");
        let world = world.set("GRANTOR_CONFIG", config.to_str().unwrap());
        std::fs::write(&config, "").unwrap();
        let nowhere = world.path("nowhere");
        let world = world.set(&format!("{name}_FILE"), nowhere.to_str().unwrap());
        let (ran, troubles) = check(&world, 1).await;
        assert!(troubles[0].contains("nowhere") && troubles[0].contains(name), "{}", ran.stdout);
        let world = world.unset(&format!("{name}_FILE"));
        let (vendor, key) = name.split_once('_').unwrap();
        let (vendor, key) = (vendor.to_lowercase(), key.to_lowercase());
        let command = r#"{ command = ["sh", "-c", "echo hunter2; exit 3"] }"#;
        std::fs::write(&config, format!("[{vendor}]\n{key} = {command}\n")).unwrap();
        let (ran, troubles) = check(&world, 1).await;
        let told = troubles[0].contains("exit status: 3") && troubles[0].contains(name);
        assert!(told && !ran.stdout.contains("hunter2"), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn a_ledger_key_that_is_none_is_named() {
    let world = World::new().await.set("GRANTOR_LEDGER_KEY", "hunter2");
    let (ran, _) = check(&world, 1).await;
    assert!(ran.stdout.contains("GRANTOR_LEDGER_KEY: "), "{}", ran.stdout);
    assert!(ran.stdout.contains("openssl rand -hex 32") && !ran.stdout.contains("hunter2"));
    assert!(!world.path("state").exists());
}

/// Each trouble reads as one sentence, whatever it is.
#[tokio::test]
async fn what_is_to_be_mended_is_not_all_missing() {
    for (world, line) in [
        (World::new().await.unset("DFNS_AUTH_TOKEN"), "mend  DFNS_AUTH_TOKEN is missing"),
        (
            World::new().await.set("SNAPLOGIC_URL", "http://elastic.example.com"),
            "mend  SNAPLOGIC_URL must be https",
        ),
    ] {
        let (ran, _) = check(&world, 1).await;
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
}

/// Somebody pasted a secret where something else belongs: it is named, and shown nowhere.
#[tokio::test]
async fn a_setting_that_holds_a_secret_is_named_and_not_shown() {
    const KEY: &str = "holds a private key, which belongs in the setting for it";
    const TOKEN: &str = "holds a signed token, which belongs in the setting for it";
    let held = |id: &str, secret: &str| format!("{id} holds the text of {secret}");
    let pairs = [
        ("OUTSYSTEMS_CLIENT_ID", "OUTSYSTEMS_CLIENT_SECRET"),
        ("DFNS_CREDENTIAL_ID", "DFNS_AUTH_TOKEN"),
        ("SNAPLOGIC_USERNAME", "SNAPLOGIC_PASSWORD"),
        ("CENTRASITE_USERNAME", "CENTRASITE_PASSWORD"),
        ("DFNS_CREDENTIAL_ID", "DFNS_PRIVATE_KEY"),
        ("REDOX_CLIENT_ID", "REDOX_PRIVATE_KEY"),
        ("REDOX_KEY_ID", "DFNS_PRIVATE_KEY"),
        // Another vendor's, and one that stands within a longer text.
        ("REDOX_KEY_ID", "OUTSYSTEMS_CLIENT_SECRET"),
        ("REDOX_ORGANIZATION_ID", "CENTRASITE_PASSWORD"),
        ("SNAPLOGIC_ORG", "OUTSYSTEMS_CLIENT_SECRET"),
    ];
    for (index, (id, name)) in pairs.into_iter().enumerate() {
        let ways = if index < 4 { &[false, true][..] } else { &[false] };
        for &from_a_file in ways {
            let mut world = World::new().await;
            let secret = world.variable(name).to_owned();
            let pasted = match (name.ends_with("_KEY"), from_a_file) {
                (false, true) => format!(" x-{secret}-x"),
                _ => secret.clone(),
            };
            world = world.set(id, pasted);
            if from_a_file {
                let file = world.path("a secret");
                std::fs::write(&file, &secret).unwrap();
                world = world.unset(name).set(&format!("{name}_FILE"), file.to_str().unwrap());
            }
            // A key and a token are told by their form, whoever's they are.
            let is_key = name.ends_with("_KEY");
            let expected = match (is_key, name) {
                (true, _) => format!("{id} {KEY}"),
                (_, "DFNS_AUTH_TOKEN") if !from_a_file => format!("{id} {TOKEN}"),
                _ => held(id, name),
            };
            let doctor = world.run(&["doctor"]).await;
            let told = doctor.stdout.matches(&expected).count();
            assert_eq!(told, 1, "{id} {name}: {doctor:#?}");
            let call = world.run(&["call", "list_roles"]).await;
            assert!(from_a_file && !is_key || call.stderr.contains(&expected), "{id}: {call:#?}");
            let lines = secret.lines().filter(|line| line.len() > 8 && !line.starts_with('-'));
            for (line, ran) in lines.flat_map(|line| [(line, &doctor), (line, &call)]) {
                let shown = [&ran.stdout, &ran.stderr].map(|text| text.contains(line));
                assert_eq!(shown, [false; 2], "{id} {name}: {ran:#?}");
            }
        }
    }
    // A short password that is part of other settings gives itself away in none of them.
    let world = World::new().await.set("CENTRASITE_PASSWORD", "1").set("CENTRASITE_USERNAME", "1");
    let doctor = world.run(&["doctor"]).await.stdout;
    assert!(doctor.contains("CENTRASITE_USERNAME  [REDACTED]"), "{doctor}");
    assert_eq!(doctor.matches("[REDACTED]").count(), 1, "{doctor}");
}

/// Where no vendor is ready, the last word is what is missing, and not that nothing is configured.
#[tokio::test]
async fn what_is_half_configured_is_not_said_to_be_none() {
    let bare = async || {
        let mut world = World::new().await;
        for (name, _) in world.sandbox.environment() {
            world = world.unset(name);
        }
        world
    };
    for (set, says, not) in [
        (&[][..], "no vendor is configured; `grantor demo`", "ready"),
        (
            &[("DFNS_AUTH_TOKEN", "t"), ("DFNS_CREDENTIAL_ID", "c")],
            "no vendor is ready; Dfns: DFNS_PRIVATE_KEY is missing",
            "no vendor is configured",
        ),
        (
            &[("SNAPLOGIC_URL", "https://elastic.example.com"), ("REDOX_KEY_ID", "k")],
            "REDOX_PRIVATE_KEY is missing",
            "no vendor is configured",
        ),
        (
            &[("GRANTOR_VENDORS", "redox"), ("SNAPLOGIC_URL", "https://elastic.example.com")],
            "none of the vendors that are asked for is configured (redox)",
            "no vendor is configured",
        ),
    ] {
        let mut world = bare().await;
        for (name, value) in set {
            world = world.set(name, *value);
        }
        let ran = world.run(&["doctor"]).await;
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains(says) && !ran.stderr.contains(not), "{says}: {ran:#?}");
        let ran = world.run(&["call", "list_roles", "{}"]).await;
        let says = says.split("; `").next().unwrap();
        assert!(ran.stderr.contains(says) && !ran.stderr.contains(not), "{says}: {ran:#?}");
        // An answer says what stderr says, whoever is asked without a vendor.
        for (tool, arguments) in [
            ("list_roles", json!({})),
            ("list_roles", json!({ "vendor": "dfns" })),
            ("find_principals", json!({ "query": "Sam" })),
            ("find_resources", json!({})),
            ("list_access", json!({ "principal": "Sam Rivera" })),
            ("check_change", json!({})),
            ("undo_change", json!({ "receipt": "gr-0000000000000000" })),
        ] {
            let answer = parsed(&world.run(&["call", tool, &arguments.to_string()]).await.stdout);
            let summary = answer["summary"].as_str().unwrap();
            assert!(summary.contains(says) && !summary.contains(not), "{tool}: {summary}");
            assert!(!summary.contains("none is configured"), "{tool}: {summary}");
        }
    }
    // One that lacks something beside others that do not.
    let world = World::new().await.unset("DFNS_PRIVATE_KEY");
    let server = world.serve().await;
    for tool in ["list_roles", "find_resources"] {
        let answer = server.call(tool, json!({ "vendor": "dfns" })).await;
        let summary = answer.summary();
        let says = "dfns is not configured here: DFNS_PRIVATE_KEY is missing";
        assert!(answer.is_error && summary.contains(says), "{summary}");
    }
}

/// A proxy that cannot be used is said once, whether a vendor is set or not; where no vendor needs it,
/// nothing is wrong.
#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_said() {
    let line = "network  HTTPS_PROXY is in quotes";
    let world = World::new().await.set("HTTPS_PROXY", "\"http://127.0.0.1:9\"");
    let ran = world.run(&["doctor"]).await;
    assert!(ran.status == 0 && ran.stdout.contains(line), "{ran:#?}");
    let mut world = world.set("SSL_CERT_FILE", "");
    for (name, _) in world.sandbox.environment() {
        world = world.unset(name);
    }
    let ran = world.run(&["doctor"]).await;
    assert!(ran.status == 1 && ran.stdout.contains(line), "{ran:#?}");
    let ran = world.unset("HTTPS_PROXY").run(&["doctor"]).await;
    assert!(ran.stdout.contains("network  SSL_CERT_FILE is set and empty"), "{ran:#?}");
}
