//! Makes the table of what characters look like, from the crate that knows it: the crate keeps it as pointers,
//! and each page of pointers costs every start of the program; a text costs none.

use std::io::Write as _;
use std::path::Path;

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

#[expect(clippy::disallowed_methods, reason = "this is how cargo says where to write")]
fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    let table = std::fs::File::create(Path::new(&folder).join("looks.txt"))?;
    let mut table = std::io::BufWriter::new(table);
    // A line for each character that looks like something else and is not taken apart before.
    for c in '\0'..=char::MAX {
        let text = c.encode_utf8(&mut [0; 4]).to_owned();
        let looks: String = skeleton(&text).collect();
        if looks != text && text.nfd().eq([c]) {
            writeln!(table, "{c}{looks}")?;
        }
    }
    table.flush()
}
