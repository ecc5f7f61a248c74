//! The ways in which a person is asked and answers.
//!
//! A request waits in the ledger, and each way of answering it is a [`Channel`]: what the ledger's lines
//! call it, whether a yes counts that comes by it, what somebody does who wants to answer by it later, and
//! who then carries it out is said here, once, and the compiler names each of these for another one.

use serde::{Deserialize, Serialize};

use super::Decision;

/// By what means a request was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Channel {
    /// A form that the requester's client shows to whoever sits before it, while the call waits or between
    /// two calls.
    Elicitation,
    /// What is typed at a terminal: where the call is made, or later with `requests approve`.
    Terminal,
    /// An approver's signature under the question, given with `requests approve`; and the end of a request
    /// whose signature does not hold.
    Signature,
    /// The page in a browser, to which an approver logs in.
    Page,
    /// `requests deny`, which anybody can run who can write the ledger: it only ever says no.
    Command,
    /// No person: the requester asks the same anew, and this one ends for it.
    AskedAnew,
    /// A word that another release wrote.
    Other(String),
}

/// Who carries out what was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedOutBy {
    /// The call that asked, or nobody.
    TheCall,
    /// The command that took the yes, and any process that is set up for it after a while.
    Anybody,
}

impl Channel {
    /// The one by which a request is approved that outlives its call, as its requester is told.
    pub const LATER: Self = Self::Terminal;

    /// As the lines of the ledger have it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Elicitation => "elicitation",
            Self::Terminal => "terminal",
            Self::Signature => "signature",
            Self::Page => "page",
            Self::Command => "command",
            Self::AskedAnew => "asked anew",
            Self::Other(word) => word,
        }
    }

    /// Where somebody was who answered by it, after their name; nothing where that is nobody's answer.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Elicitation => Some("in a client"),
            Self::Terminal => Some("at a terminal"),
            Self::Signature => Some("with a signature"),
            Self::Page => Some("on the page"),
            Self::Command => Some("with `grantor requests deny`"),
            Self::Other(word) => Some(word),
            Self::AskedAnew => None,
        }
    }

    /// Whether an answer may be recorded that comes by it. Where approvers are named, nobody's yes counts
    /// without their signature; anybody may say no.
    pub fn admits(&self, decision: Decision, are_approvers_named: bool) -> bool {
        match self {
            Self::Elicitation | Self::Terminal | Self::Page => {
                decision != Decision::Approved || !are_approvers_named
            }
            Self::Signature => true,
            Self::Command | Self::AskedAnew | Self::Other(_) => decision != Decision::Approved,
        }
    }

    /// Whether yeses by it count together, where it takes those of several people: only where each is known to be
    /// another one.
    pub fn counts_together(&self) -> bool {
        match self {
            Self::Signature | Self::Page => true,
            Self::Elicitation
            | Self::Terminal
            | Self::Command
            | Self::AskedAnew
            | Self::Other(_) => false,
        }
    }

    /// Whether a no by it is the word of the person whom its line names.
    pub fn is_a_persons(&self) -> bool {
        match self {
            Self::Elicitation | Self::Terminal | Self::Page | Self::Command | Self::Other(_) => {
                true
            }
            // A signature that does not hold is nobody's no.
            Self::Signature | Self::AskedAnew => false,
        }
    }

    /// Who carries out a yes that came by it.
    pub fn carried_out_by(&self) -> CarriedOutBy {
        match self {
            Self::Elicitation => CarriedOutBy::TheCall,
            Self::Terminal
            | Self::Signature
            | Self::Page
            | Self::Command
            | Self::AskedAnew
            | Self::Other(_) => CarriedOutBy::Anybody,
        }
    }

    /// What somebody does who approves a request by it once the call is over, where they can: this is what
    /// the requester is told meanwhile.
    pub fn approves_later(&self, receipt: &str) -> Option<String> {
        match self {
            Self::Terminal => {
                Some(format!("a person runs `grantor requests approve {receipt}` at a terminal"))
            }
            Self::Signature => {
                Some(format!("an approver runs `grantor requests approve {receipt} --key FILE`"))
            }
            Self::Elicitation | Self::Page | Self::Command | Self::AskedAnew | Self::Other(_) => {
                None
            }
        }
    }
}

/// All that a line may name; what it names otherwise is another release's.
const ALL: [Channel; 6] = [
    Channel::Elicitation,
    Channel::Terminal,
    Channel::Signature,
    Channel::Page,
    Channel::Command,
    Channel::AskedAnew,
];

impl From<&str> for Channel {
    fn from(word: &str) -> Self {
        let known = ALL.into_iter().find(|known| known.as_str() == word);
        known.unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}

impl From<String> for Channel {
    fn from(word: String) -> Self {
        word.as_str().into()
    }
}

impl From<Channel> for String {
    fn from(channel: Channel) -> Self {
        channel.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_way_to_a_person_says_what_comes_of_it() {
        use CarriedOutBy::{Anybody, TheCall};
        for (word, channel, yes, signed_only, is_a_persons, by, later) in [
            ("elicitation", Channel::Elicitation, true, false, true, TheCall, ""),
            ("terminal", Channel::Terminal, true, false, true, Anybody, "at a terminal"),
            ("signature", Channel::Signature, true, true, false, Anybody, "--key"),
            ("page", Channel::Page, true, false, true, Anybody, ""),
            ("command", Channel::Command, false, false, true, Anybody, ""),
            ("asked anew", Channel::AskedAnew, false, false, false, Anybody, ""),
            ("semaphore", Channel::Other("semaphore".to_owned()), false, false, true, Anybody, ""),
        ] {
            assert_eq!(json!(channel), json!(word));
            assert_eq!(serde_json::from_value::<Channel>(json!(word)).unwrap(), channel);
            assert_eq!(channel.admits(Decision::Approved, false), yes, "{word}");
            assert_eq!(channel.admits(Decision::Approved, true), signed_only, "{word}");
            for no in [Decision::Denied, Decision::Withdrawn] {
                let admits = [false, true].map(|named| channel.admits(no, named));
                assert_eq!(admits, [true; 2], "{word}: anybody may say no");
            }
            assert_eq!(channel.is_a_persons(), is_a_persons, "{word}");
            assert_eq!(channel.place().is_some(), channel != Channel::AskedAnew, "{word}");
            assert_eq!(channel.carried_out_by(), by, "{word}");
            let said = channel.approves_later("gr-1").unwrap_or_default();
            assert!(said.contains(later) && said.is_empty() == later.is_empty(), "{word}: {said}");
        }
    }
}
