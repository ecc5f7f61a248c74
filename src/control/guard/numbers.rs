//! Which numbers a field can be, and what comparing it with another one comes to.

/// A comparison, with the field on its left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Is,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// What is wrong with a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Odd {
    pub(super) why: String,
    pub(super) meant: Option<i64>,
    pub(super) hint: String,
    /// It is so whatever the field is.
    pub(super) is_always: bool,
}

impl Op {
    /// The same with its sides exchanged.
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Is => Self::Is,
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Above => Self::Below,
            Self::AtLeast => Self::AtMost,
        }
    }

    fn holds(self, field: i64, value: i64) -> bool {
        match self {
            Self::Is => field == value,
            Self::Below => field < value,
            Self::AtMost => field <= value,
            Self::Above => field > value,
            Self::AtLeast => field >= value,
        }
    }
}

/// The least and the most that a field can be.
fn range(field: &str) -> Option<(i64, i64)> {
    let (whose, name) = field.rsplit_once('.')?;
    Some(match (whose, name) {
        ("context.now" | "context.here", "hour") => (0, 23),
        ("context.now" | "context.here", "minute") => (0, 59),
        ("context.now" | "context.here", "weekday") => (1, 7),
        ("context", "width" | "set_size") => (1, i64::MAX),
        ("context", "changes_this_hour" | "reason_length" | "expires_in_minutes")
        | ("context.history", _) => (0, i64::MAX),
        _ => return None,
    })
}

/// What is wrong with comparing a field with a number; `negated`, where the comparison is turned round.
pub(super) fn wrong(field: &str, op: Op, value: i64, negated: bool) -> Option<Odd> {
    if matches!(field, "context.now.date" | "context.here.date") {
        return date(value);
    }
    let (least, most) = range(field)?;
    let ends = [op.holds(least, value), op.holds(most, value)];
    let inside = (least..=most).contains(&value);
    // Both ends alike, and nothing between them otherwise: of `is` only where the value is outside.
    if ends.first() != ends.last() || (op == Op::Is && inside) {
        return None;
    }
    let so = ends.first().copied().unwrap_or_default() != negated;
    let reaches = match most {
        i64::MAX => format!("it is {least} or more"),
        most => format!("it is {least} to {most}"),
    };
    let meant = match (field.rsplit('.').next(), op, value) {
        (Some("weekday"), Op::Is, 0) => Some(7),
        (Some("hour"), Op::Is, 24) => Some(0),
        _ => None,
    };
    let how = if so { "that is always so" } else { "that is never so" };
    let why = format!("{how}, {reaches}");
    let hint = match field.rsplit('.').next() {
        Some("weekday") => "1 is Monday, 7 is Sunday",
        Some("hour") => "hours go from 0 to 23",
        _ => "take a number that it can be",
    };
    Some(Odd { why, meant, hint: hint.to_owned(), is_always: so })
}

/// A date that no calendar has.
fn date(value: i64) -> Option<Odd> {
    if is_date(value) {
        return None;
    }
    let (year, month, day) = (value / 10_000, value / 100 % 100, value % 100);
    let turned = year * 10_000 + day * 100 + month;
    let last = (28..day).rev().map(|day| year * 10_000 + month * 100 + day).find(|at| is_date(*at));
    let whole = (1_000..=9_999).contains(&year);
    let meant = Some(turned).filter(|turned| is_date(*turned)).or(last).filter(|_| whole);
    Some(Odd {
        why: "no calendar has that date".to_owned(),
        meant,
        hint: "a date is year, month and day in one number: 20270107".to_owned(),
        is_always: false,
    })
}

fn is_date(value: i64) -> bool {
    let part = |value: i64| i8::try_from(value).ok();
    let year = i16::try_from(value / 10_000).ok().filter(|year| (1_000..=9_999).contains(year));
    let read =
        |year| jiff::civil::Date::new(year, part(value / 100 % 100)?, part(value % 100)?).ok();
    year.and_then(read).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_that_the_field_can_be() {
        let odd = |field: &str, op, value, negated| {
            wrong(field, op, value, negated).map(|odd| (odd.is_always, odd.meant))
        };
        for (field, op, value, negated, is) in [
            ("context.now.weekday", Op::Is, 0, false, Some((false, Some(7)))),
            ("context.now.weekday", Op::Is, 7, false, None),
            ("context.now.weekday", Op::Is, 0, true, Some((true, Some(7)))),
            ("context.now.weekday", Op::AtMost, 5, false, None),
            ("context.here.hour", Op::Below, 24, false, Some((true, None))),
            ("context.here.hour", Op::Below, 23, false, None),
            ("context.now.hour", Op::AtMost, 24, true, Some((false, None))),
            ("context.now.hour", Op::AtMost, 23, true, Some((false, None))),
            ("context.now.hour", Op::Is, 24, false, Some((false, Some(0)))),
            ("context.width", Op::Below, 1, false, Some((false, None))),
            ("context.width", Op::AtMost, 1, false, None),
            ("context.now.date", Op::Below, 20_261_224, false, None),
            ("context.now.date", Op::Below, 20_271_301, false, Some((false, Some(20_270_113)))),
            ("context.now.date", Op::Below, 20_270_230, false, Some((false, Some(20_270_228)))),
            ("context.now.date", Op::Below, 20_280_229, false, None),
            ("context.here.date", Op::Below, 0, false, Some((false, None))),
            ("resource.id", Op::Is, 0, false, None),
        ] {
            assert_eq!(odd(field, op, value, negated), is, "{field} {op:?} {value} {negated}");
        }
    }
}
