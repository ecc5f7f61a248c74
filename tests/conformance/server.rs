//! The tools, prompts and resources that the official conformance suite wants, behind the very HTTP front that
//! Grantor serves with: `cargo run --example conformance -- ADDRESS`. What there is stands in `fixtures.json`.

#![expect(
    deprecated,
    clippy::indexing_slicing,
    reason = "logging and sampling leave the protocol, and are in what the suite checks; what is wrong in the \
              fixtures is to be seen at once"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grantor::config::{Config, Flags, Http, Sources};
use grantor::desk::Desk;
use grantor::identity::{ClaimNames, IssuerSettings, ScopeNames};
use grantor::sandbox::Issuer;
use grantor::server::{HttpOptions, serve_http_to};
use rmcp::model::*;
use rmcp::service::{RequestContext, SubscriptionContext, SubscriptionSink};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

type Done<T> = Result<T, ErrorData>;

#[derive(Clone, Deserialize)]
struct Fixtures {
    tools: HashMap<String, Fixture>,
    /// Questions to a client, by the names that rounds call them.
    requests: HashMap<String, Value>,
    resources: Vec<Value>,
    templates: Vec<Value>,
    contents: HashMap<String, Value>,
    prompts: HashMap<String, Fixture>,
    /// Who wants to hear of changes.
    #[serde(skip)]
    listening: Arc<Mutex<Vec<SubscriptionSink>>>,
}

/// A tool or a prompt.
#[derive(Clone, Deserialize)]
struct Fixture {
    schema: Option<Value>,
    arguments: Option<Value>,
    /// What it answers; `{NAME}` in it is that argument.
    result: Value,
    #[serde(default)]
    logs: Vec<String>,
    #[serde(default)]
    logs_where_asked: bool,
    #[serde(default)]
    progress: Vec<f64>,
    /// The list that it says has changed.
    changes: Option<String>,
    /// A capability that a client must have.
    needs: Option<String>,
    /// What a client is asked while the call waits, as up to 2025-11-25.
    asks_in_between: Option<Value>,
    /// What a client is asked, a round after the other, before there is a result.
    #[serde(default)]
    rounds: Vec<HashMap<String, String>>,
    /// Whether a round is told by the state that comes back.
    #[serde(default)]
    sealed: bool,
}

/// What a request says beside its name.
struct Said {
    arguments: Map<String, Value>,
    responses: Option<InputResponses>,
    state: Option<String>,
}

const LISTED_MS: u64 = 60_000;
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
const SOUND: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";
/// Without sessions no answer comes back to a question that is asked while a call waits.
const PATIENCE: Duration = Duration::from_millis(300);

/// A value of JSON as what it should be.
fn of<T: DeserializeOwned>(value: Value) -> Done<T> {
    serde_json::from_value(value).map_err(|error| wrong(format!("a fixture is wrong: {error}")))
}

fn wrong(why: impl Into<String>) -> ErrorData {
    ErrorData::invalid_params(why.into(), None)
}

/// A value with the arguments in it that it names.
fn filled(value: &Value, arguments: &Map<String, Value>) -> Done<Value> {
    let mut text = value.to_string();
    for (name, value) in arguments {
        let quoted = json!(value.as_str().unwrap_or_default()).to_string();
        text = text.replace(&format!("{{{name}}}"), quoted.trim_matches('"'));
    }
    let mut value: Value = of(serde_json::from_str(&text).unwrap_or_default())?;
    // rmcp takes it away again where a client is of the older protocols.
    value["resultType"] = "complete".into();
    Ok(value)
}

impl Fixtures {
    fn find<'f>(all: &'f HashMap<String, Fixture>, name: &str) -> Done<&'f Fixture> {
        all.get(name).ok_or_else(|| wrong(format!("there is no {name}")))
    }

    fn tool(name: &str, fixture: &Fixture) -> Done<Tool> {
        let schema =
            fixture.schema.clone().unwrap_or_else(|| json!({ "type": "object", "properties": {} }));
        of(json!({ "name": name, "description": "A fixture", "inputSchema": schema }))
    }

    /// What a client is to be asked before there is a result, if anything is left to ask.
    fn asked(
        &self,
        fixture: &Fixture,
        said: &Said,
        able: &Value,
    ) -> Done<Option<InputRequiredResult>> {
        let last = match said.state.as_deref() {
            None => 0,
            Some(state) => state
                .parse()
                .ok()
                .filter(|round| *round < fixture.rounds.len())
                .ok_or_else(|| wrong("no such state was given"))?,
        };
        let is_begun = said.state.is_some() || !fixture.sealed;
        let given = |name: &String| {
            said.responses.as_ref().and_then(|all| all.get(name)).is_some_and(Value::is_object)
        };
        for (round, questions) in fixture.rounds.iter().enumerate().skip(last) {
            let may = |question: &&String| {
                let method = self.requests[*question]["method"].as_str().unwrap_or_default();
                able.get(method.split('/').next().unwrap_or_default()).is_some()
            };
            let questions = questions.iter().filter(|(_, question)| may(question));
            let left: Vec<_> =
                questions.filter(|(name, _)| !(is_begun && round == last && given(name))).collect();
            if left.is_empty() {
                continue;
            }
            let requests = left
                .into_iter()
                .map(|(name, question)| (name.clone(), self.requests[question].clone()));
            let requests = of(Value::Object(requests.collect()))?;
            return Ok(Some(InputRequiredResult::new(
                Some(requests),
                fixture.sealed.then(|| round.to_string()),
            )));
        }
        Ok(None)
    }
}

/// What a client can do, as it says it with this request.
fn able(context: &RequestContext<RoleServer>) -> Value {
    json!(context.meta.client_capabilities().unwrap_or_default())
}

/// Asks the client while the call waits, and gives what it answers.
async fn in_between(
    question: Value,
    context: &RequestContext<RoleServer>,
) -> Result<Value, String> {
    let params = question["params"].clone();
    let asked = async {
        if question["method"] == "elicitation/create" {
            let params = of(params).map_err(|error| error.to_string())?;
            context
                .peer
                .create_elicitation(params)
                .await
                .map(|answer| json!(answer))
                .map_err(|error| error.to_string())
        } else {
            let params = of(params).map_err(|error| error.to_string())?;
            context
                .peer
                .create_message(params)
                .await
                .map(|answer| json!(answer))
                .map_err(|error| error.to_string())
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.map_err(|_| "no answer came".to_owned()).flatten()
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let able = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_completions()
            .enable_logging();
        let able = able.enable_resources().enable_resources_subscribe().build();
        ServerConfig::new(able).with_server_info(Implementation::new("fixtures", "1"))
    }

    fn accepted_subscription_filter(
        &self,
        asked: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(asked.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Done<()> {
        self.listening.lock().map_err(|_| wrong("broken"))?.push(context.sink().clone());
        context.cancelled().await;
        Ok(())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        Self::tool(name, self.tools.get(name)?).ok()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Done<ListToolsResult> {
        let tools: Done<Vec<_>> =
            self.tools.iter().map(|(name, fixture)| Self::tool(name, fixture)).collect();
        Ok(ListToolsResult::with_all_items(tools?)
            .with_ttl_ms(LISTED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Done<CallToolResponse> {
        let fixture = Self::find(&self.tools, &request.name)?;
        let able = able(&context);
        if fixture.needs.as_ref().is_some_and(|name| able.get(name).is_none()) {
            let needed = ClientCapabilities::builder().enable_sampling().build();
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        let mut said = Said {
            arguments: request.arguments.unwrap_or_default(),
            responses: request.input_responses,
            state: request.request_state,
        };
        if let Some(asked) = self.asked(fixture, &said, &able)? {
            return Ok(CallToolResponse::InputRequired(asked));
        }
        let asked = fixture.logs_where_asked.then(|| context.meta.log_level()).flatten();
        for (level, text) in fixture
            .logs
            .iter()
            .map(|text| (LoggingLevel::Info, text.as_str()))
            .chain(asked.map(|level| (level, "asked")))
        {
            let _ = context
                .peer
                .notify_logging_message(LoggingMessageNotificationParam::new(level, json!(text)))
                .await;
        }
        for made in &fixture.progress {
            if let Some(token) = context.meta.get_progress_token() {
                let _ = context
                    .peer
                    .notify_progress(ProgressNotificationParam::new(token, *made).with_total(100.0))
                    .await;
            }
        }
        if let Some(list) = &fixture.changes {
            let listening = self.listening.lock().map_err(|_| wrong("broken"))?.clone();
            for sink in listening {
                // Whoever has gone hears nothing.
                let _ = match list.as_str() {
                    "tools" => sink.notify_tool_list_changed().await,
                    _ => sink.notify_prompt_list_changed().await,
                };
            }
        }
        if let Some(question) = &fixture.asks_in_between {
            match in_between(filled(question, &said.arguments)?, &context).await {
                Ok(answer) => said.arguments.insert("answer".to_owned(), answer.to_string().into()),
                Err(why) => return Ok(CallToolResult::error(vec![ContentBlock::text(why)]).into()),
            };
        }
        Ok(of::<CallToolResult>(filled(&fixture.result, &said.arguments)?)?.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Done<ListPromptsResult> {
        let prompts = self.prompts.iter().map(|(name, fixture)| {
            of(json!({ "name": name, "description": "A fixture", "arguments": fixture.arguments }))
        });
        let prompts: Done<Vec<_>> = prompts.collect();
        Ok(ListPromptsResult::with_all_items(prompts?)
            .with_ttl_ms(LISTED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Done<GetPromptResponse> {
        let fixture = Self::find(&self.prompts, &request.name)?;
        let said = Said {
            arguments: request.arguments.unwrap_or_default(),
            responses: request.input_responses,
            state: request.request_state,
        };
        if let Some(asked) = self.asked(fixture, &said, &able(&context))? {
            return Ok(GetPromptResponse::InputRequired(asked));
        }
        Ok(of::<GetPromptResult>(filled(&fixture.result, &said.arguments)?)?.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Done<ListResourcesResult> {
        let all: Done<Vec<_>> = self.resources.iter().cloned().map(of).collect();
        Ok(ListResourcesResult::with_all_items(all?)
            .with_ttl_ms(LISTED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Done<ListResourceTemplatesResult> {
        let all: Done<Vec<_>> = self.templates.iter().cloned().map(of).collect();
        Ok(ListResourceTemplatesResult::with_all_items(all?)
            .with_ttl_ms(LISTED_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Done<ReadResourceResponse> {
        let Some(content) = self.contents.get(&request.uri) else {
            let at = Some(json!({ "uri": request.uri }));
            return Err(ErrorData::resource_not_found("there is no such resource", at));
        };
        let read = ReadResourceResult::new(vec![of(content.clone())?]);
        Ok(read.with_ttl_ms(LISTED_MS).with_cache_scope(CacheScope::Public).into())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Done<()> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Done<()> {
        Ok(())
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: RequestContext<RoleServer>) -> Done<()> {
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Done<CompleteResult> {
        Ok(CompleteResult::new(
            CompletionInfo::new(vec![format!("{}1", request.argument.value)]).map_err(wrong)?,
        ))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let address: SocketAddr = std::env::args().nth(1).ok_or("which address?")?.parse()?;
    let text = include_str!("fixtures.json").replace("\"IMAGE\"", &format!("{PICTURE:?}"));
    let fixtures: Fixtures =
        serde_json::from_str(&text.replace("\"AUDIO\"", &format!("{SOUND:?}")))?;
    let issuer = Issuer::start("fixtures").await?;
    let trusted = IssuerSettings {
        name: "fixtures".to_owned(),
        issuer: issuer.url().to_owned(),
        audiences: vec!["fixtures".to_owned()],
        jwks: None,
        claims: ClaimNames::default(),
        scopes: ScopeNames::default(),
        login: None,
    };
    let state = tempfile::tempdir()?;
    let flags = Flags { state_dir: Some(state.path().into()), ..Flags::default() };
    let sources =
        Sources { flags: &flags, environment: &|_| None, floor: None, sandbox: Some(&[]) };
    let mut config = Config::load(&sources)?;
    config.http = Http { issuers: vec![trusted], ..Http::default() };
    let options = HttpOptions { address, tls: None, behind_proxy: false };
    serve_http_to(Desk::new(config)?, &options, fixtures, |address, _| {
        use std::io::Write as _;
        let at = format!("http://{address}/mcp {}/token?who=alex", issuer.url());
        let _ = writeln!(std::io::stdout(), "{at}");
    })
    .await
}
