//! Text into HTML, in one way: markup is what the program's own source says, and everything else is text.

use crate::text;

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// Puts pieces behind a page: `"markup"` as it is, `(text)` as text, and `[piece]` as a piece.
macro_rules! html {
    ($to:ident;) => { {} };
    ($to:ident; $markup:literal $($rest:tt)*) => {{ $to.markup($markup); html!($to; $($rest)*) }};
    ($to:ident; ($text:expr) $($rest:tt)*) => {{ $to.text(AsRef::<str>::as_ref(&$text)); html!($to; $($rest)*) }};
    ($to:ident; [$piece:expr] $($rest:tt)*) => {{ $to.piece($piece); html!($to; $($rest)*) }};
}
pub(super) use html;

impl Html {
    /// What is written in the source, and can be nobody else's.
    pub(super) fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Whatever it is, within an element or within the quotes of an attribute. What nobody could see of it is
    /// written out.
    pub(super) fn text(&mut self, text: &str) {
        for letter in text::written_out(text).chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                letter => self.0.push(letter),
            }
        }
    }

    pub(super) fn piece(&mut self, piece: Html) {
        self.0.push_str(&piece.0);
    }

    /// A text in which each quotation keeps the direction it is written in to itself: letters that run from
    /// right to left would else move what stands beside them.
    pub(super) fn quoting(&mut self, text: &str) {
        let (mut depth, mut begun) = (0_usize, 0);
        for (at, letter) in text.char_indices() {
            match letter {
                '“' => {
                    if depth == 0 {
                        self.text(text.get(begun..at).unwrap_or_default());
                        self.markup("<bdi>");
                        begun = at;
                    }
                    depth += 1;
                }
                '”' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 {
                        let end = at + letter.len_utf8();
                        self.text(text.get(begun..end).unwrap_or_default());
                        self.markup("</bdi>");
                        begun = end;
                    }
                }
                _ => {}
            }
        }
        self.text(text.get(begun..).unwrap_or_default());
        if depth > 0 {
            self.markup("</bdi>");
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_a_text() {
        for (text, shown) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" autofocus onfocus='x'", "&quot; autofocus onfocus=&#39;x&#39;"),
            ("O'Neil & co", "O&#39;Neil &amp; co"),
            ("a\u{202e}b\u{200b}", "a\\u{202e}b\\u{200b}"),
            ("Łuk e\u{301} שלום 修理", "Łuk e\u{301} שלום 修理"),
        ] {
            let mut page = Html::default();
            html!(page; (text));
            assert_eq!(page.finish(), shown);
        }
    }

    #[test]
    fn a_quotation_keeps_its_direction_to_itself() {
        let mut page = Html::default();
        page.quoting("+ “שלום “x” <b>” (a): “r” — “open");
        let said = "+ <bdi>“שלום “x” &lt;b&gt;”</bdi> (a): <bdi>“r”</bdi> — <bdi>“open</bdi>";
        assert_eq!(page.finish(), said);
    }

    proptest! {
        /// No text brings an element, or ends an attribute.
        #[test]
        fn markup_is_the_programs_own(text in any::<String>()) {
            let mut page = Html::default();
            page.quoting(&text);
            let page = page.finish().replace("<bdi>", "").replace("</bdi>", "");
            prop_assert!(!page.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(page.matches("“").count(), text::written_out(&text).matches("“").count());
        }
    }
}
