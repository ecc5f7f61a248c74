//! What the ledger keeps of a question, and of a set about which nobody is asked: each change, and where.

use super::prepare::Prepared;
use super::question::ConsentQuestion;
use super::task::{ChangeContext, ChangeRequest};
use crate::guard::Demand;
use crate::ledger::{AskedAt, Content};

/// Whose yeses the changes take, all of them together.
pub(super) fn demands(prepared: &[Prepared<'_>]) -> Vec<Demand> {
    let mut demands: Vec<Demand> = Vec::new();
    for demand in prepared.iter().flat_map(|one| one.next.demands()) {
        if !demands.contains(demand) {
            demands.push(demand.clone());
        }
    }
    demands
}

/// What is kept of a question.
pub(super) fn asked(
    context: &ChangeContext,
    prepared: &[Prepared<'_>],
    question: &ConsentQuestion,
) -> Content {
    let first = prepared.first().map(|one| one.task.request);
    let is_single = |_: &&ChangeRequest<'_>| !context.is_set();
    let at = prepared.iter().find_map(|one| one.next.intent()).filter(|_| !context.is_set());
    let vendor = first.filter(is_single).and_then(|request| request.tool.spec.vendor);
    Content {
        vendor: vendor.map(str::to_owned),
        tenant: at.map(|intent| intent.tenant.clone()),
        tenant_name: at.and_then(|intent| intent.tenant_name.clone()),
        organization: at.and_then(|intent| intent.organization.clone()),
        term: first.filter(is_single).map(|request| request.term),
        summary: question.summary.clone(),
        question: question.text.clone(),
        typed: question.typed.clone(),
        ..changes(context, prepared)
    }
}

/// A set that nobody has to be asked about, as the ledger keeps it.
pub(super) fn of_set(context: &ChangeContext, prepared: &[Prepared<'_>], policy: &str) -> Content {
    let summary = ConsentQuestion::summary(prepared);
    Content { policy: Some(policy.to_owned()), summary, ..changes(context, prepared) }
}

/// Each change that is to be sent, and where.
fn changes(context: &ChangeContext, prepared: &[Prepared<'_>]) -> Content {
    let numbered = prepared.iter().enumerate();
    let is_back = |one: &Prepared<'_>| one.task.request.is_fallback;
    let backs = numbered.clone().filter(|(_, one)| is_back(one)).map(|(at, _)| at + 1).collect();
    let numbered = numbered.filter(|(_, one)| !is_back(one));
    let judged: Vec<_> =
        numbered.filter_map(|(at, one)| Some((at + 1, one.next.judged()?))).collect();
    let mut places: Vec<AskedAt> = Vec::new();
    for (_, (intent, _)) in judged.iter().filter(|_| context.is_set()) {
        let at = AskedAt {
            vendor: Some(intent.vendor.to_owned()),
            place: intent.tenant.clone(),
            name: intent.tenant_name.clone(),
            organization: intent.organization.clone(),
        };
        if !places.contains(&at) {
            places.push(at);
        }
    }
    let numbers = judged.iter().map(|(number, _)| *number);
    let rules = judged.iter().flat_map(|(_, (_, rules))| rules.iter().cloned());
    Content {
        tool: context.called.tool.clone(),
        arguments: context.called.arguments.clone(),
        client: context.client.clone(),
        caller: context.requester.caller().cloned(),
        rules: rules.collect(),
        numbers: if context.is_set() { numbers.collect() } else { Vec::new() },
        backs,
        places,
        intents: judged.iter().map(|(_, (intent, _))| intent.asked_about()).collect(),
        demands: demands(prepared),
        ..Content::default()
    }
}
