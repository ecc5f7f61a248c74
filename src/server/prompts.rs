//! What a person may start from a client's menu. A prompt is a text that leads the assistant to a few
//! calls of this server: making it calls nothing and asks no vendor, and neither does completing what
//! is typed for it. What a client sends for an argument is data: checked here, quoted in `words`.

mod words;

use rmcp::ErrorData;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, GetPromptRequestParams, GetPromptResult,
    JsonObject, PaginatedRequestParams, Prompt, PromptArgument, PromptMessage, Reference, Role,
};

use crate::catalogue::{self, Found};
use crate::config::Config;
use crate::text;
use crate::vendors::Vendor;

/// A prompt before anybody has filled it in.
struct Template {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: &'static [Argument],
    /// The tools that its text leads to: without one of them it is not offered.
    tools: &'static [&'static str],
    /// Whether it ends with a change of somebody's access.
    changes: bool,
    text: fn(&Filled<'_>) -> String,
}

struct Argument {
    name: &'static str,
    description: &'static str,
    required: bool,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A person, a role or a resource, as the requester names it.
    Named,
    Reason,
    Duration,
    Vendor,
    Tenant,
}

/// A prompt's arguments, each checked.
struct Filled<'c> {
    config: &'c Config,
    values: Vec<(&'static str, String)>,
}

const PERSON: Argument = Argument {
    name: "person",
    description: "Who it is about: e-mail address, exact name or id.",
    required: true,
    kind: Kind::Named,
};
const RESOURCE: Argument = Argument {
    name: "resource",
    description: "On what: exact name, path or id.",
    required: false,
    kind: Kind::Named,
};
const VENDOR: Argument = Argument {
    name: "vendor",
    description: "Only there; everywhere if left out.",
    required: false,
    kind: Kind::Vendor,
};
const TENANT: Argument = Argument {
    name: catalogue::TENANT,
    description: "Which tenant.",
    required: false,
    kind: Kind::Tenant,
};
const ENDS: Argument = Argument {
    name: "expires_in",
    description: "How long it lasts, such as P7D or 8 hours.",
    required: false,
    kind: Kind::Duration,
};
const REASON: Argument = Argument {
    name: "reason",
    description: "Why; kept in the ledger.",
    required: false,
    kind: Kind::Reason,
};

/// Every prompt, in the order clients see them. Clients that take arguments by their place take them in
/// the order in which they stand here.
const TEMPLATES: [Template; 4] = [
    Template {
        name: "onboard",
        title: "Onboard somebody",
        description: "Give somebody the access that their work takes, as a colleague has it.",
        arguments: &[
            PERSON,
            Argument {
                name: "like",
                description: "A colleague whose access is copied.",
                required: false,
                ..PERSON
            },
            VENDOR,
            ENDS,
            REASON,
        ],
        tools: &["copy_access", "apply_changes"],
        changes: true,
        text: words::onboard,
    },
    Template {
        name: "offboard",
        title: "Offboard somebody",
        description: "Take away all of somebody's access that can be taken, and say what is left.",
        arguments: &[PERSON, VENDOR, REASON],
        tools: &["remove_all_access"],
        changes: true,
        text: words::offboard,
    },
    Template {
        name: "access_review",
        title: "Review access",
        description: "Go through who holds what, what is privileged, and what ends soon.",
        arguments: &[
            Argument { required: false, description: "Only theirs.", ..PERSON },
            Argument { description: "Only on this.", ..RESOURCE },
            VENDOR,
            TENANT,
        ],
        tools: &["list_access", "check_change"],
        changes: false,
        text: words::access_review,
    },
    Template {
        name: "time_boxed_grant",
        title: "Grant for a time",
        description: "Give somebody a role that is taken back by itself when its time is over.",
        arguments: &[
            PERSON,
            Argument { name: "role", description: "Which role.", required: true, ..RESOURCE },
            Argument { required: true, ..ENDS },
            RESOURCE,
            TENANT,
            REASON,
        ],
        tools: &["set_expiry"],
        changes: true,
        text: words::time_boxed_grant,
    },
];

/// How long access usually lasts: what completion offers.
const USUAL: [&str; 5] = ["PT1H", "PT8H", "P1D", "P7D", "P30D"];
/// As long as a name, and as a reason, that a tool takes.
const LONGEST: usize = 256;
const LONGEST_REASON: usize = 1_000;

/// Lists are short, and have one page.
pub(super) fn one_page(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    if request.is_some_and(|request| request.cursor.is_some()) {
        let trouble = "the list has one page, so no cursor is valid";
        return Err(ErrorData::invalid_params(trouble, None));
    }
    Ok(())
}

/// The prompts that make sense in this configuration.
pub(super) fn listed(config: &Config) -> Vec<Prompt> {
    let offered = TEMPLATES.iter().filter(|template| template.why_not(config).is_none());
    let listed = offered.map(|template| {
        let arguments = template.arguments.iter().filter(|argument| argument.is_useful(config));
        let arguments = arguments.map(|argument| {
            PromptArgument::new(argument.name)
                .with_description(argument.description)
                .with_required(argument.required)
        });
        Prompt::new(template.name, Some(template.description), Some(arguments.collect()))
            .with_title(template.title)
    });
    listed.collect()
}

/// A prompt with its arguments in it.
///
/// # Errors
/// There is no such prompt here, or an argument is not one, is missing or cannot be meant.
pub(super) fn filled(
    config: &Config,
    request: GetPromptRequestParams,
) -> Result<GetPromptResult, ErrorData> {
    let template = find(config, &request.name)?;
    let values = template.take(config, request.arguments.unwrap_or_default())?;
    let text = (template.text)(&Filled { config, values });
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(template.description))
}

/// What may be typed for an argument: of what is configured alone.
///
/// # Errors
/// There is no such prompt or argument here.
pub(super) fn completed(
    config: &Config,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let Reference::Prompt(prompt) = &request.r#ref else {
        return Err(wrong("there are no resources here, so that nothing of one can be completed"));
    };
    let argument = find(config, &prompt.name)?.argument(&request.argument.name)?;
    let given = |name: &str| request.context.as_ref()?.get_argument(name);
    let (vendor, tenant) = (given(VENDOR.name), given(TENANT.name));
    let choices: Vec<&str> = match argument.kind {
        Kind::Named | Kind::Reason => Vec::new(),
        Kind::Duration => USUAL.to_vec(),
        Kind::Vendor => {
            let is_there = |vendor: &&&Vendor| {
                let mut own = config.tenants_of(vendor.name);
                tenant.is_none_or(|name| own.any(|one| one.id.word() == name))
            };
            vendors(config).iter().filter(is_there).map(|vendor| vendor.name).collect()
        }
        Kind::Tenant => {
            let tenants = config.tenants.iter();
            let there = tenants.filter(|one| vendor.is_none_or(|name| name == one.vendor.name));
            there.map(|tenant| tenant.id.word()).collect()
        }
    };
    let typed = request.argument.value.to_lowercase();
    let fitting = choices.into_iter().filter(|choice| choice.to_lowercase().starts_with(&typed));
    let fitting: Vec<String> = fitting.map(str::to_owned).collect();
    let total = u32::try_from(fitting.len()).ok();
    let is_more = fitting.len() > CompletionInfo::MAX_VALUES;
    let first = fitting.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    let completion = CompletionInfo::with_pagination(first, total, is_more);
    Ok(CompleteResult::new(completion.map_err(wrong)?))
}

fn find(config: &Config, name: &str) -> Result<&'static Template, ErrorData> {
    let Some(template) = TEMPLATES.iter().find(|template| template.name == name) else {
        let known: Vec<_> = TEMPLATES.iter().map(|template| template.name).collect();
        return Err(wrong(format!("there is no such prompt; there are {}", known.join(", "))));
    };
    match template.why_not(config) {
        Some(why) => Err(wrong(format!("{name} is not offered here: {why}"))),
        None => Ok(template),
    }
}

/// What is wrong with a request, in our own words: errors are logged, and what was typed is not.
fn wrong(why: impl Into<String>) -> ErrorData {
    ErrorData::invalid_params(crate::invocation::commands(&why.into()), None)
}

/// The vendors of which a tenant is ready, each once.
fn vendors(config: &Config) -> Vec<&'static Vendor> {
    let mut vendors: Vec<_> = config.tenants.iter().map(|tenant| tenant.vendor).collect();
    vendors.dedup_by_key(|vendor| vendor.name);
    vendors
}

impl Template {
    /// Why this makes no sense here, where it makes none.
    fn why_not(&self, config: &Config) -> Option<String> {
        for tool in self.tools {
            match catalogue::find(tool, config) {
                Found::On(_) => {}
                Found::Off(_, failure) => return Some(failure.message),
                Found::Unknown => return Some(format!("there is no {tool}")),
            }
        }
        // Each tenant may be closed to changes by itself.
        let is_open = config.tenants.iter().any(|tenant| !tenant.read_only);
        (self.changes && !is_open).then(|| "every tenant is read-only".to_owned())
    }

    fn argument(&self, name: &str) -> Result<&'static Argument, ErrorData> {
        self.arguments.iter().find(|argument| argument.name == name).ok_or_else(|| {
            let known: Vec<_> = self.arguments.iter().map(|argument| argument.name).collect();
            let (own, known) = (self.name, known.join(", "));
            wrong(format!("{own} has no such argument; there are {known}"))
        })
    }

    /// The arguments of a request as they may be used; what is left empty is not given.
    fn take(
        &self,
        config: &Config,
        given: JsonObject,
    ) -> Result<Vec<(&'static str, String)>, ErrorData> {
        let mut values = Vec::new();
        for (name, value) in given {
            let argument = self.argument(&name)?;
            let name = argument.name;
            let Some(value) = value.as_str() else {
                return Err(wrong(format!("{name} must be text")));
            };
            if !text::is_blank(value) {
                let value = argument.kind.check(config, value.trim());
                values.push((name, value.map_err(|why| wrong(format!("{name} {why}")))?));
            }
        }
        let is_given = |name: &str| values.iter().any(|(given, _)| *given == name);
        let missing = |argument: &&Argument| argument.required && !is_given(argument.name);
        match self.arguments.iter().find(missing) {
            Some(argument) => Err(wrong(format!("{} is missing", argument.name))),
            None => Ok(values),
        }
    }
}

impl Argument {
    /// Whether there is something to choose from.
    fn is_useful(&self, config: &Config) -> bool {
        match self.kind {
            Kind::Vendor => vendors(config).len() > 1,
            Kind::Tenant => config.tenants.iter().any(|tenant| tenant.is_one_of_several),
            Kind::Named | Kind::Reason | Kind::Duration => true,
        }
    }
}

impl Kind {
    /// A value as a tool takes it, or what is wrong with it.
    fn check(self, config: &Config, value: &str) -> Result<String, String> {
        let longest = if self == Self::Reason { LONGEST_REASON } else { LONGEST };
        if value.chars().count() > longest {
            return Err(format!("must have at most {longest} characters"));
        }
        if !text::is_clean(value) {
            return Err("holds a line end, or characters that cannot be seen".to_owned());
        }
        match self {
            Self::Named | Self::Reason => Ok(value.to_owned()),
            Self::Duration => duration(value),
            Self::Vendor => {
                let names = vendors(config).iter().map(|vendor| vendor.name).collect();
                one_of(names, value)
            }
            Self::Tenant => {
                one_of(config.tenants.iter().map(|tenant| tenant.id.word()).collect(), value)
            }
        }
    }
}

/// How long, as people write it, in the form that tools take.
fn duration(value: &str) -> Result<String, String> {
    match value.parse::<jiff::Span>() {
        Ok(span) if span.is_positive() => Ok(span.to_string()),
        _ => Err("must be a time such as P7D, PT8H, 7 days or 8 hours".to_owned()),
    }
}

fn one_of(known: Vec<&str>, value: &str) -> Result<String, String> {
    if known.contains(&value) {
        return Ok(value.to_owned());
    }
    Err(format!("must be one of {}", known.join(", ")))
}

impl Filled<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }
}
