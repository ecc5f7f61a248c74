//! An access review as one page: whole without a script, and sorted and filtered with one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::report::Report;
use crate::access::Named;
use crate::desk::AccessRow;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
/// More roles of one vendor than this make a matrix that nobody can read across.
const MOST_ROLES: usize = 24;
/// The resources that a cell of the matrix names.
const NAMED: usize = 3;

pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    let sandbox = if report.sandbox { " (sandbox)" } else { "" };
    let here = report.rows.iter().filter(|row| row.granted_here).count();
    let ending = report.rows.iter().filter(|row| row.access.expires_at.is_some()).count();
    page.push_str(&format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\
         <title>Access review{sandbox}, {day}</title><style>{STYLE}</style></head><body>\n\
         <header><h1>Access review{sandbox}</h1>\
         <p>Read from <time>{begun}</time> to <time>{ended}</time>, at {asked}. \
         {rows} rows: {here} granted through Grantor, {ending} with an end.</p></header>\n<main>\n",
        day = escape(report.ended.split('T').next().unwrap_or_default()),
        begun = escape(&report.begun),
        ended = escape(&report.ended),
        asked = escape(&report.asked.join(", ")),
        rows = report.rows.len(),
    ));
    unread(&mut page, report);
    ends(&mut page, report);
    for (place, rows) in by_place(report) {
        matrix(&mut page, place, &rows);
    }
    table(&mut page, report);
    page.push_str(&format!("</main>\n<script>{SCRIPT}</script>\n</body></html>\n"));
    page
}

/// What could not be read comes first: all else is only as good as that.
fn unread(page: &mut String, report: &Report) {
    page.push_str("<section><h2>What could not be read</h2>\n");
    if report.unread.is_empty() {
        page.push_str("<p>Everything was read.</p></section>\n");
        return;
    }
    page.push_str("<ul class=\"unread\">\n");
    for one in &report.unread {
        let at = one.place();
        page.push_str(&format!(
            "<li><b>{}</b>: {} <span class=\"hint\">{}</span></li>\n",
            escape(at),
            escape(&one.message),
            escape(&one.hint),
        ));
    }
    page.push_str("</ul></section>\n");
}

/// What ends, the next end first.
fn ends(page: &mut String, report: &Report) {
    let end = |row: &AccessRow| row.access.expires_at.clone();
    let mut ending: Vec<_> = report.rows.iter().filter_map(|row| Some((end(row)?, row))).collect();
    if ending.is_empty() {
        return;
    }
    ending.sort_by_key(|(end, _)| (end.parse::<Timestamp>().ok(), end.clone()));
    page.push_str("<section><h2>What ends</h2>\n<ul>\n");
    for (end, row) in ending {
        let by = row.receipt.as_ref().map(|receipt| format!(" <code>{}</code>", escape(receipt)));
        page.push_str(&format!(
            "<li><time>{}</time>: {} has {} on {}{}</li>\n",
            escape(&end),
            named(&row.access.principal),
            named(&row.access.role),
            named(&row.access.resource),
            by.unwrap_or_default(),
        ));
    }
    page.push_str("</ul></section>\n");
}

fn by_place(report: &Report) -> BTreeMap<&str, Vec<&AccessRow>> {
    let mut places: BTreeMap<&str, Vec<&AccessRow>> = BTreeMap::new();
    for row in &report.rows {
        places.entry(row.place()).or_default().push(row);
    }
    places
}

/// Who holds what at one place: people down, roles across, and in each cell on what.
fn matrix<'r>(page: &mut String, place: &str, rows: &[&'r AccessRow]) {
    let roles: BTreeSet<_> =
        rows.iter().map(|row| (shown(&row.access.role), &row.access.role.id)).collect();
    let person = |row: &&'r AccessRow| {
        let principal = &row.access.principal;
        ((shown(principal), &principal.id, &principal.kind), principal)
    };
    let people: BTreeMap<_, _> = rows.iter().map(person).collect();
    page.push_str(&format!("<section><h2>{}</h2>\n", escape(place)));
    if roles.len() > MOST_ROLES {
        page.push_str(&format!(
            "<p>{} people and groups hold {} different roles: see the rows below.</p></section>\n",
            people.len(),
            roles.len(),
        ));
        return;
    }
    let mut cells: BTreeMap<_, Vec<&AccessRow>> = BTreeMap::new();
    for row in rows {
        let principal = &row.access.principal;
        let place = (&principal.id, &principal.kind, &row.access.role.id);
        cells.entry(place).or_default().push(row);
    }
    page.push_str(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Who holds what\">\
         <table class=\"matrix\"><thead><tr><th scope=\"col\">Who</th>",
    );
    for (role, id) in &roles {
        page.push_str(&format!("<th scope=\"col\" title=\"{}\">{}</th>", escape(id), escape(role)));
    }
    page.push_str("</tr></thead><tbody>\n");
    for ((_, id, kind), person) in &people {
        page.push_str(&format!("<tr><th scope=\"row\">{}</th>", named(person)));
        for (_, role) in &roles {
            page.push_str(&cell(
                cells.get(&(*id, *kind, *role)).map(Vec::as_slice).unwrap_or_default(),
            ));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div></section>\n");
}

fn cell(rows: &[&AccessRow]) -> String {
    if rows.is_empty() {
        return "<td></td>".to_owned();
    }
    let marked = |row: &&&AccessRow| {
        let mark = match (row.granted_here, row.access.expires_at.is_some()) {
            (true, true) => " <abbr title=\"granted through Grantor, and ends\">●◷</abbr>",
            (true, false) => " <abbr title=\"granted through Grantor\">●</abbr>",
            (false, true) => " <abbr title=\"ends\">◷</abbr>",
            (false, false) => "",
        };
        let not_yet = match &row.access.starts_at {
            _ if row.access.pending => " (waits for approval)".to_owned(),
            Some(start) => format!(" (from {})", escape(start)),
            None => String::new(),
        };
        format!("{}{not_yet}{mark}", escape(&shown(&row.access.resource)))
    };
    let mut said: Vec<_> = rows.iter().take(NAMED).map(|row| marked(&row)).collect();
    if rows.len() > NAMED {
        said.push(format!("and {} more", rows.len() - NAMED));
    }
    format!("<td>{}</td>", said.join("<br>"))
}

/// Every row there is.
fn table(page: &mut String, report: &Report) {
    page.push_str(
        "<section><h2>Every row</h2>\n\
         <p class=\"filter\" hidden><label>Show rows with <input type=\"search\" id=\"filter\"></label> \
         <output id=\"count\"></output></p>\n\
         <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Every row\">\
         <table id=\"rows\"><thead><tr>",
    );
    for head in ["Where", "Who", "Role", "On", "Reach", "Through", "Begins", "Ends", "Granted by"] {
        page.push_str(&format!("<th scope=\"col\">{head}</th>"));
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in &report.rows {
        let access = &row.access;
        let time = |time: &Option<String>| escape(time.as_deref().unwrap_or_default());
        let pending = if access.pending { " <b>waits for approval</b>" } else { "" };
        let by = match (&row.receipt, row.granted_here) {
            (Some(receipt), _) => format!("Grantor, <code>{}</code>", escape(receipt)),
            (None, true) => "Grantor".to_owned(),
            (None, false) => "not through Grantor".to_owned(),
        };
        page.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}{pending}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{by}</td></tr>\n",
            escape(row.place()),
            named(&access.principal),
            named(&access.role),
            named(&access.resource),
            escape(&access.scope),
            access.via.as_ref().map(named).unwrap_or_default(),
            time(&access.starts_at),
            time(&access.expires_at),
        ));
    }
    page.push_str("</tbody></table></div></section>\n");
}

/// A name, with what tells it from others of that name beside it.
fn named(one: &Named) -> String {
    let aside = one.email.as_ref().filter(|email| Some(*email) != one.name.as_ref());
    let aside = aside.or(one.name.as_ref().map(|_| &one.id));
    let aside = aside.map(|aside| format!(" <span class=\"id\">{}</span>", escape(aside)));
    format!("{}{}", escape(&shown(one)), aside.unwrap_or_default())
}

fn shown(one: &Named) -> String {
    one.name.clone().or_else(|| one.email.clone()).unwrap_or_else(|| one.id.clone())
}

/// Text as text: names are the vendors', and anybody's.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Access;

    fn report(names: &[&str]) -> Report {
        let row = |name: &&str| {
            let one = |id: &str, name: &str| Named::new(id, Some(name.to_owned()), "user");
            let id = format!("u-{}", name.len());
            let access =
                Access::of(one(&id, name), one("r", "Reader"), one("a", "Orders"), "asset");
            let vendor = "dfns".to_owned();
            AccessRow { vendor, tenant: None, access, granted_here: false, receipt: None }
        };
        Report { rows: names.iter().map(row).collect(), ..Report::default() }
    }

    #[test]
    fn a_name_is_text_wherever_it_stands() {
        let page = page(&report(&["<script>alert(1)</script>", "\" onload=\"x", "O'Neil & co"]));
        assert_eq!(page.matches("<script>").count(), 1, "only the page's own");
        assert!(!page.contains("\" onload") && page.contains("&quot; onload"));
        assert!(page.contains("O&#39;Neil &amp; co"));
    }

    /// Whoever holds something is a row of the matrix and of the table, each role a column.
    #[test]
    fn everybody_is_in_the_matrix_and_in_the_table() {
        let page = page(&report(&["Ada", "Bo"]));
        for name in ["Ada", "Bo"] {
            let header = format!("<th scope=\"row\">{name} <");
            assert_eq!(page.matches(&header).count(), 1, "{name} in the matrix");
            assert_eq!(page.matches(&format!("<td>{name} <")).count(), 1, "{name} in the table");
        }
        assert_eq!(page.matches(">Reader</th>").count(), 1);
        assert!(page.contains("Everything was read."));
    }
}
