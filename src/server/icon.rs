//! How the server introduces itself, with a picture for clients that show one.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rmcp::model::{Icon, Implementation, ProtocolVersion};

/// Drawn by `docs/picture/icon.py`.
const PNG: &[u8] = include_bytes!("icon.png");
const SIZE: &str = "64x64";

/// The server's name, without a picture: what every modern result carries.
pub(super) fn plain() -> Implementation {
    Implementation::new("grantor", env!("CARGO_PKG_VERSION")).with_title("Grantor")
}

/// The same with the picture. It is a `data:` URI, because a client need not fetch what a process on
/// its own machine names.
pub(super) fn pictured() -> Implementation {
    let source = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(PNG));
    let icon = Icon::new(source).with_mime_type("image/png").with_sizes(vec![SIZE.to_owned()]);
    plain().with_icons(vec![icon])
}

/// The one that a client of this revision knows how to read: icons came with 2025-11-25.
pub(super) fn of_revision(version: &ProtocolVersion) -> Implementation {
    if *version >= ProtocolVersion::V_2025_11_25 { pictured() } else { plain() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_a_small_png_of_the_size_that_is_said() {
        assert_eq!(PNG[..8], *b"\x89PNG\r\n\x1a\n");
        let side = |at: usize| u32::from_be_bytes(PNG[at..at + 4].try_into().unwrap());
        assert_eq!(format!("{}x{}", side(16), side(20)), SIZE);
        assert!(PNG.len() < 3_000, "{} bytes go to every client that connects", PNG.len());
    }
}
