use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

use crate::golden;

/// The program's table is that of the crate: a line for each character that looks like something else and is not
/// taken apart before.
#[test]
fn the_table_is_what_unicode_says() {
    let mut table = String::new();
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        let looks: String = skeleton(&text).collect();
        if looks != text && text.nfd().eq([c]) {
            table.push_str(&format!("{c}{looks}\n"));
        }
    }
    let expected = BTreeMap::from([("table.txt".to_owned(), table)]);
    golden::check("src/text/skeleton", "skeleton::", &expected);
}
