//! Spans for an OpenTelemetry collector, over OTLP. The twin of `silent.rs`.
//!
//! Names follow the semantic conventions for MCP servers, GenAI tools and HTTP clients. Where the
//! environment names no collector, nothing is made and nothing is sent.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};

use super::{CallOrigin, CallSummary, Leg, Outgoing, Trace};
use crate::settings::environment;

pub(super) struct Call(Option<Span>);

pub(super) struct Request(Option<Span>);

struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

static EXPORTING: OnceLock<Exporting> = OnceLock::new();

/// How long the end of a process waits for a collector.
const FLUSH: Duration = Duration::from_secs(2);

/// Begins to export by `client`, where the environment names a collector.
///
/// # Errors
/// What the environment says of the export cannot be followed.
pub fn export(client: impl HttpClient + 'static) -> Result<(), String> {
    if !is_wanted(&environment) || EXPORTING.get().is_some() {
        return Ok(());
    }
    let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
    let exporter = exporter.map_err(|error| format!("OTEL_EXPORTER_OTLP_…: {error}"))?;
    let provider = SdkTracerProvider::builder();
    let provider = provider.with_batch_exporter(exporter).with_resource(resource()).build();
    let tracer = provider.tracer("grantor");
    let _ = EXPORTING.set(Exporting { provider, tracer });
    Ok(())
}

/// Exports what has not been exported yet.
pub fn finish() {
    if let Some(exporting) = EXPORTING.get() {
        // What a collector does not take in time is lost, and the SDK says so in the log.
        let _ = exporting.provider.shutdown_with_timeout(FLUSH);
    }
}

impl Call {
    /// A tool that is not in the catalogue has a name of the client's own making, which is not
    /// repeated.
    pub(super) fn start(tool: Option<&'static str>, asked: Option<&CallOrigin>) -> Self {
        let mut attributes = vec![KeyValue::new("gen_ai.operation.name", "execute_tool")];
        attributes.extend(tool.map(|tool| KeyValue::new("gen_ai.tool.name", tool)));
        let method = if let Some(asked) = asked {
            attributes.push(KeyValue::new("mcp.method.name", "tools/call"));
            attributes.push(KeyValue::new("jsonrpc.request.id", asked.request_id.clone()));
            attributes.push(KeyValue::new("network.transport", "pipe"));
            let version = asked.protocol.clone();
            attributes.extend(version.map(|text| KeyValue::new("mcp.protocol.version", text)));
            "tools/call"
        } else {
            "execute_tool"
        };
        let kind = if asked.is_some() { SpanKind::Server } else { SpanKind::Internal };
        let name = tool.map_or_else(|| method.to_owned(), |tool| format!("{method} {tool}"));
        let parent = asked.and_then(|asked| Some(place(asked.trace.as_ref()?, true)));
        Self(span(name, kind, attributes, parent))
    }

    pub(super) fn trace(&self) -> Option<Trace> {
        self.0.as_ref().map(trace)
    }

    pub(super) fn end(&mut self, vendor: Option<&str>, told: &CallSummary) {
        let Some(span) = &mut self.0 else { return };
        let mut set = |key: &'static str, value: Value| {
            span.set_attribute(KeyValue::new(key, value));
        };
        if let Some(vendor) = vendor {
            set("grantor.vendor", vendor.to_owned().into());
        }
        if let Some(outcome) = told.outcome {
            set("grantor.outcome", outcome.as_str().into());
        }
        if !told.receipts.is_empty() {
            let receipts = told.receipts.iter().cloned().map(Into::into).collect();
            set("grantor.receipts", Value::Array(opentelemetry::Array::String(receipts)));
        }
        if told.is_unknown_tool {
            // The client's mistake: the conventions do not count it as an error of the server.
            set("rpc.response.status_code", "-32602".into());
        }
        if told.is_error {
            set("error.type", "tool_error".into());
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Request {
    pub(super) fn start(outgoing: &Outgoing<'_>, leg: Leg, parent: Option<&Trace>) -> Self {
        let url = outgoing.url;
        let mut attributes = vec![
            KeyValue::new("http.request.method", outgoing.method),
            KeyValue::new("server.address", url.host_str().unwrap_or_default().to_owned()),
            KeyValue::new("url.full", scrubbed(outgoing)),
            KeyValue::new("url.template", outgoing.template.to_string()),
        ];
        let port = url.port_or_known_default();
        attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
        if let Leg::Attempt(number @ 2..) = leg {
            attributes.push(KeyValue::new("http.request.resend_count", i64::from(number - 1)));
        }
        let name = format!("{} {}", outgoing.method, outgoing.template);
        let parent = parent.map(|parent| place(parent, false));
        Self(span(name, SpanKind::Client, attributes, parent))
    }

    pub(super) fn trace(&self) -> Option<Trace> {
        self.0.as_ref().map(trace)
    }

    pub(super) fn end(mut self, ended: Result<u16, &'static str>) {
        let Some(span) = &mut self.0 else { return };
        if let Ok(status) = ended {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        let error = match ended {
            Ok(status) => (status >= 400).then(|| status.to_string()),
            Err(trouble) => Some(trouble.to_owned()),
        };
        if let Some(error) = error {
            span.set_attribute(KeyValue::new("error.type", error));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// Whether the standard variables name a collector, and none of them switches the export off.
fn is_wanted(environment: &dyn Fn(&str) -> Option<String>) -> bool {
    let says = |name: &str, word: &str| {
        environment(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let named = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    named.into_iter().any(|name| environment(name).is_some())
        && !says("OTEL_SDK_DISABLED", "true")
        && !says("OTEL_TRACES_EXPORTER", "none")
}

/// What the environment says of this service, and its name where it gives none.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let build = || Resource::builder().with_attribute(version.clone());
    let given = build().build();
    let name = given.get(&"service.name".into()).map(|name| name.to_string());
    match name {
        Some(name) if !name.starts_with("unknown_service") => given,
        _ => build().with_service_name("grantor").build(),
    }
}

fn span(
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    parent: Option<SpanContext>,
) -> Option<Span> {
    let Exporting { tracer, .. } = EXPORTING.get()?;
    let context = Context::new();
    let context = match parent {
        Some(parent) => context.with_remote_span_context(parent),
        None => context,
    };
    let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
    Some(tracer.build_with_context(builder, &context))
}

fn place(trace: &Trace, remote: bool) -> SpanContext {
    let state = trace.state.as_deref().and_then(|state| state.parse().ok());
    let (id, parent) = (TraceId::from(trace.id), SpanId::from(trace.parent));
    let flags = TraceFlags::new(trace.flags);
    SpanContext::new(id, parent, flags, remote, state.unwrap_or(TraceState::NONE))
}

fn trace(span: &Span) -> Trace {
    let at = span.span_context();
    Trace {
        id: u128::from_be_bytes(at.trace_id().to_bytes()),
        parent: u64::from_be_bytes(at.span_id().to_bytes()),
        flags: at.trace_flags().to_u8(),
        state: Some(at.trace_state().header()).filter(|state| !state.is_empty()),
    }
}

/// The URL without its query, and without what fills its path: either may name a person.
fn scrubbed(outgoing: &Outgoing<'_>) -> String {
    let scrub = |segment: &str| match segment.starts_with('{') {
        true => "REDACTED".to_owned(),
        false => segment.to_owned(),
    };
    let path = outgoing.template.split('/').map(scrub).collect::<Vec<_>>().join("/");
    let prefix = outgoing.url.path().strip_suffix(outgoing.path).unwrap_or_default();
    format!("{}{prefix}{path}", outgoing.url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_wanted_where_a_collector_is_named() {
        let check = |set: &[(&str, &str)], wanted: bool| {
            let environment = |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_wanted(&environment), wanted, "{set:?}");
        };
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        check(&[], false);
        check(&[("OTEL_SERVICE_NAME", "x")], false);
        check(&[endpoint], true);
        check(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/v1/traces")], true);
        check(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")], false);
        check(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")], false);
        check(&[endpoint, ("OTEL_TRACES_EXPORTER", "otlp")], true);
    }

    #[test]
    fn a_url_is_exported_without_what_may_name_a_person() {
        let url = "https://gw.example.com/v/users/sam%40example.com/acl/a/b?q=sam".parse().unwrap();
        let (path, template) = ("/users/sam%40example.com/acl/a/b", "/users/{email}/acl/{+path}");
        let outgoing = Outgoing { method: "GET", url: &url, path, template };
        let wanted = "https://gw.example.com/v/users/REDACTED/acl/REDACTED";
        assert_eq!(scrubbed(&outgoing), wanted);
    }
}
