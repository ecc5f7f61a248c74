//! One server in a client's file: what is written of this program, and what is read of any.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Client;

/// What a client is to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// The program's absolute path.
    pub command: String,
    pub args: Vec<String>,
    /// Variables that the client asks its person for, where it can, and whether each is secret.
    pub asked: Vec<(&'static str, bool)>,
}

/// What an entry of a client's file starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    pub command: String,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

/// Fields in which clients keep the variables of a server.
const ENVIRONMENTS: [&str; 3] = ["env", "environment", "envs"];
/// How this program is called.
const OWN: &str = "grantor";

impl Entry {
    /// The entry as the client's file has it, where there was none.
    pub fn value(&self, client: &Client) -> Value {
        let mut value = Value::Object(Map::new());
        self.fill(&mut value, client);
        value
    }

    /// What it sets of an entry, in their order: command and arguments, and what else is needed.
    pub(super) fn fields(&self, client: &Client) -> Vec<(&'static str, Value)> {
        if client.shape.is_one_list {
            let words = [std::slice::from_ref(&self.command), &self.args].concat();
            return vec![("command", json!(words))];
        }
        vec![("command", json!(self.command)), ("args", json!(self.args))]
    }

    /// Fields that a new entry gets, and one that is there keeps as it has them.
    pub(super) fn also(client: &Client) -> Vec<(&'static str, Value)> {
        let also = client.shape.also.iter();
        also.map(|(name, text)| (*name, serde_json::from_str(text).unwrap_or_default())).collect()
    }

    /// The variables that the client asks for, by name.
    pub(super) fn variables(&self, client: &Client) -> Vec<(&'static str, String)> {
        let asked = self.asked.iter().filter(|_| client.shape.asks);
        asked.map(|(name, _)| (*name, format!("${{input:{name}}}"))).collect()
    }

    /// What the client asks its person for.
    pub fn inputs(&self, client: &Client) -> Option<Value> {
        let input = |(name, secret): &(&'static str, bool)| {
            json!({ "type": "promptString", "id": name, "description": format!("Grantor: {name}"),
                "password": secret })
        };
        let asked = !self.asked.is_empty() && client.shape.asks;
        asked.then(|| self.asked.iter().map(input).collect())
    }

    /// Sets what it sets of an entry, and leaves the rest.
    fn fill(&self, value: &mut Value, client: &Client) {
        let Some(fields) = value.as_object_mut() else { return };
        for (name, also) in Self::also(client) {
            fields.entry(name).or_insert(also);
        }
        for (name, field) in self.fields(client) {
            fields.insert(name.to_owned(), field);
        }
        let variables = self.variables(client);
        if variables.is_empty() {
            return;
        }
        let env = fields.entry("env").or_insert_with(|| json!({}));
        for (name, value) in variables {
            if let Some(env) = env.as_object_mut() {
                env.entry(name).or_insert(Value::String(value));
            }
        }
    }

    /// Puts it into all that a file says.
    pub(super) fn put(&self, whole: &mut Value, client: &Client) {
        if whole.is_null() {
            *whole = json!({});
        }
        let Some(fields) = whole.as_object_mut() else { return };
        if let Some(Value::Array(inputs)) = self.inputs(client) {
            let there = fields.entry("inputs").or_insert_with(|| json!([]));
            if let Some(there) = there.as_array_mut() {
                let is_new =
                    |one: &Value| !there.iter().any(|other| other.get("id") == one.get("id"));
                let new: Vec<_> = inputs.into_iter().filter(is_new).collect();
                there.extend(new);
            }
        }
        let servers = fields.entry(client.key).or_insert_with(|| json!({}));
        if let Some(servers) = servers.as_object_mut() {
            self.fill(servers.entry(self.name.clone()).or_insert_with(|| json!({})), client);
        }
    }

    /// The entry in YAML. Every text is quoted as JSON quotes it, which is YAML as well.
    pub(super) fn yaml(&self, key: &str) -> String {
        let Self { name, command, args, .. } = self;
        let mut text = format!("{key}:\n  {name}:\n    type: stdio\n    name: {name}\n");
        text.push_str(&format!("    enabled: true\n    cmd: {}\n", json!(command)));
        text.push_str(&format!("    args: {}\n    timeout: 300\n", json!(args)));
        text
    }
}

impl Started {
    /// What an entry starts, if that is a program on this machine.
    pub(super) fn read(client: &Client, entry: &Value) -> Option<Self> {
        let texts = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(|item| Some(item.as_str()?.to_owned())).collect()
        };
        let command = entry.get("command")?;
        let mut words = match client.shape.is_one_list {
            true => texts(command),
            false => vec![command.as_str()?.to_owned()],
        };
        words.extend(entry.get("args").map(texts).unwrap_or_default());
        let mut words = words.into_iter();
        let env = ENVIRONMENTS.iter().filter_map(|name| entry.get(name)?.as_object()).flatten();
        let env = env.map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        });
        Some(Self { command: words.next()?, args: words.collect(), env: env.collect() })
    }

    /// Whether it is about this program, started in whatever way: by its path, whatever it is called there,
    /// or by something that fetches it.
    pub fn is_grantor(&self) -> bool {
        let names_it = |word: &String| {
            let file = word.rsplit(['/', '\\']).next().unwrap_or(word);
            let stem = file.split(['.', ':', '@']).next().unwrap_or(file);
            stem == OWN || stem.strip_prefix(OWN).is_some_and(|rest| rest.starts_with('-'))
        };
        names_it(&self.command)
            || self.args.iter().any(names_it)
            || std::env::current_exe().is_ok_and(|own| self.is_program(&own))
    }

    /// Why the client cannot start it as it stands, or starts another program.
    pub fn fault(&self, program: &Path) -> Option<&'static str> {
        let command = Path::new(&self.command);
        let is_path = command.components().count() > 1;
        if self.is_program(program) {
            None
        } else if is_path && !command.exists() {
            Some("there is no such program")
        } else if is_path {
            Some("that is another program than this one")
        } else {
            Some("which program that is depends on the client's PATH: an absolute path does not")
        }
    }

    /// Whether its command is exactly this program.
    pub fn is_program(&self, program: &Path) -> bool {
        let [one, other] = [Path::new(&self.command), program].map(std::fs::canonicalize);
        Path::new(&self.command).is_absolute()
            && one.is_ok_and(|one| other.is_ok_and(|other| one == other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_however_it_is_started() {
        for (words, is_it) in [
            (&["/usr/bin/grantor", "--sandbox"][..], true),
            (&["grantor"], true),
            (&[r"C:\Tools\grantor.exe"], true),
            (&["npx", "-y", "grantor-mcp@1.0.0"], true),
            (&["docker", "run", "-i", "images.example.com/x/grantor:1.0"], true),
            (&["op", "run", "--", "/opt/grantor"], true),
            (&["/usr/bin/emigrantor"], false),
            (&["grantorial"], false),
            (&["npx", "-y", "other"], false),
            (&["/srv/grantor/bin/other"], false),
        ] {
            let mut words = words.iter().map(|word| (*word).to_owned());
            let started =
                Started { command: words.next().unwrap(), args: words.collect(), env: Vec::new() };
            assert_eq!(started.is_grantor(), is_it, "{started:?}");
        }
    }
}
