//! An MCP client of either era with a person behind it.

use serde_json::{Value, json};

use super::harness::{Answer, Era, Raw, World};

const META: &str = "io.modelcontextprotocol";

/// What the person behind the client does with a question.
pub type Says = fn(&Value) -> Value;

pub struct Client {
    pub raw: Raw,
    era: Era,
    capabilities: Value,
    last: u64,
}

/// What a question looks like to a client: its text and its form.
#[derive(Clone, Debug)]
pub struct Asked {
    pub message: String,
    pub form: Value,
    /// What a client of the modern era has to bring back.
    pub state: Option<String>,
    /// What a client of the legacy era has to answer.
    id: Value,
}

/// A call's answer, or a question first.
#[derive(Debug)]
pub enum Heard {
    Answer(Answer),
    Question(Asked),
}

pub fn yes(_: &Value) -> Value {
    json!({ "action": "accept", "content": {} })
}

/// Types whatever name the form wants.
pub fn types(form: &Value) -> Value {
    let about = form.pointer("/properties/grantee/description").and_then(Value::as_str);
    let name = about.unwrap().strip_prefix("Type “").unwrap().strip_suffix("” to agree").unwrap();
    json!({ "action": "accept", "content": { "grantee": name } })
}

pub fn no(_: &Value) -> Value {
    json!({ "action": "decline" })
}

impl Client {
    /// A client that can ask its person with forms.
    pub async fn start(world: &World, era: Era) -> Self {
        Self::able(world, era, json!({ "elicitation": {} })).await
    }

    /// One that calls itself so.
    pub async fn called(world: &World, era: Era, name: &str) -> Self {
        Self::named(world, era, json!({ "elicitation": {} }), name).await
    }

    pub async fn able(world: &World, era: Era, capabilities: Value) -> Self {
        Self::named(world, era, capabilities, "raw").await
    }

    async fn named(world: &World, era: Era, capabilities: Value, name: &str) -> Self {
        let mut raw = world.serve_raw_logged();
        if let Era::Legacy = era {
            let params = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": capabilities,
                "clientInfo": { "name": name, "version": "1" },
            });
            raw.ask(0, "initialize", params).await;
            raw.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        }
        Self { raw, era, capabilities, last: 0 }
    }

    /// Sends a call, with what else its parameters hold, and waits for an answer or a question.
    pub async fn ask(&mut self, tool: &str, arguments: &Value, more: Value) -> Heard {
        self.send(tool, arguments, more).await;
        self.next().await
    }

    /// Sends a call, and waits for nothing.
    pub async fn send(&mut self, tool: &str, arguments: &Value, more: Value) {
        self.last += 1;
        let mut params = json!({ "name": tool, "arguments": arguments });
        if let Era::Modern = self.era {
            params["_meta"] = json!({
                format!("{META}/protocolVersion"): "2026-07-28",
                format!("{META}/clientCapabilities"): self.capabilities,
                format!("{META}/clientInfo"): { "name": "raw", "version": "1" },
            });
        }
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        let request =
            json!({ "jsonrpc": "2.0", "id": self.last, "method": "tools/call", "params": params });
        self.raw.send(&request).await;
    }

    /// The next answer or question.
    pub async fn next(&mut self) -> Heard {
        loop {
            let message = self.raw.next().await.expect("the server ended");
            if message["method"] == "elicitation/create" {
                let params = &message["params"];
                return Heard::Question(Asked {
                    message: params["message"].as_str().unwrap().to_owned(),
                    form: params["requestedSchema"].clone(),
                    state: None,
                    id: message["id"].clone(),
                });
            }
            if message["id"] != self.last {
                continue;
            }
            let result = &message["result"];
            assert!(result.is_object(), "{message}");
            if result["resultType"] == "input_required" {
                let params = &result["inputRequests"]["consent"]["params"];
                return Heard::Question(Asked {
                    message: params["message"].as_str().unwrap().to_owned(),
                    form: params["requestedSchema"].clone(),
                    state: Some(result["requestState"].as_str().unwrap().to_owned()),
                    id: Value::Null,
                });
            }
            let is_error = result["isError"].as_bool().unwrap_or(false);
            return Heard::Answer(Answer { body: result["structuredContent"].clone(), is_error });
        }
    }

    /// Answers a question: the call goes on, or is made again.
    pub async fn reply(
        &mut self,
        tool: &str,
        arguments: &Value,
        asked: &Asked,
        reply: Value,
    ) -> Heard {
        if let Some(state) = &asked.state {
            let more = json!({ "requestState": state, "inputResponses": { "consent": reply } });
            return self.ask(tool, arguments, more).await;
        }
        self.say(asked, reply).await;
        self.next().await
    }

    /// Answers a question while its call waits, and waits for nothing.
    pub async fn say(&mut self, asked: &Asked, reply: Value) {
        self.raw.send(&json!({ "jsonrpc": "2.0", "id": asked.id, "result": reply })).await;
    }

    /// Calls a tool, and lets the person answer every question; what was asked, and the answer.
    pub async fn call(
        &mut self,
        tool: &str,
        arguments: &Value,
        says: Says,
    ) -> (Vec<Asked>, Answer) {
        let mut heard = self.ask(tool, arguments, json!({})).await;
        let mut asked = Vec::new();
        loop {
            match heard {
                Heard::Answer(answer) => return (asked, answer),
                Heard::Question(question) => {
                    assert!(asked.len() < 5, "asked again and again: {question:?}");
                    heard = self.reply(tool, arguments, &question, says(&question.form)).await;
                    asked.push(question);
                }
            }
        }
    }

    /// The question that a call meets.
    pub async fn question(&mut self, tool: &str, arguments: &Value) -> Asked {
        match self.ask(tool, arguments, json!({})).await {
            Heard::Question(asked) => asked,
            Heard::Answer(answer) => panic!("{tool} was not asked for: {:#}", answer.body),
        }
    }
}

impl Heard {
    pub fn answer(self) -> Answer {
        match self {
            Self::Answer(answer) => answer,
            Self::Question(asked) => panic!("asked: {}", asked.message),
        }
    }

    pub fn question(self) -> Asked {
        match self {
            Self::Question(asked) => asked,
            Self::Answer(answer) => panic!("answered: {:#}", answer.body),
        }
    }
}
