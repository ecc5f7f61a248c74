//! How OutSystems' lists come: sorted, a part at a time, in an envelope.

use serde_json::{Value, json};

use super::super::message::{Ask, Reply};
use super::super::modes::Pages;
use super::{problem, text};

/// The vendor's envelope, sorted as asked. `nextPageOffset` is null on the last page.
pub(super) fn page(
    pages: Pages,
    mut rows: Vec<Value>,
    ask: &Ask,
    most: usize,
) -> Result<Reply, Reply> {
    let refuse = |why: String| problem(400, &why);
    let limit = ask.number("limit", 1..=most, 100).map_err(refuse)?;
    let offset = ask.number("offset", 0..=usize::MAX, 0).map_err(refuse)?;
    if let Some(sort) = ask.param("sort") {
        let field = sort.trim_start_matches('-');
        if !["key", "name", "email", "status", "createdAt"].contains(&field) {
            return Err(problem(400, "sort is unknown."));
        }
        rows.sort_by(|a, b| text(a, field).cmp(text(b, field)));
        if sort.starts_with('-') {
            rows.reverse();
        }
    }
    let total = rows.len();
    let limit = match pages {
        Pages::Told => limit,
        Pages::Capped(most) => limit.min(most),
    };
    let results: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    if let Pages::Capped(_) = pages {
        let page = json!({ "count": results.len(), "limit": limit, "offset": offset });
        return Ok(Reply::json(200, &json!({ "page": page, "results": results })));
    }
    let next = offset.saturating_add(results.len());
    let body = json!({
        "page": {
            "count": results.len(),
            "limit": limit,
            "offset": offset,
            "nextPageOffset": (next < total).then_some(next),
            "totalResults": total,
            "totalPages": total.div_ceil(limit),
        },
        "results": results,
    });
    Ok(Reply::json(200, &body))
}
