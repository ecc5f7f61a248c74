//! What whoever called is told where a person did not agree: at one's own terminal both are the same person.

use crate::failure::Failure;
use crate::ledger::Channel;

/// A no.
pub(super) fn denied(how: &Channel) -> Failure {
    match how {
        Channel::Terminal => Failure::refused("you said no")
            .hint("nothing is to be done; the same command asks you again"),
        _ => Failure::refused("the person said no").hint(
            "tell the requester; the same call asks the person again, so call again only if they changed their \
             mind",
        ),
    }
}

/// A question that was closed without an answer.
pub(super) fn dismissed(how: &Channel) -> Failure {
    let hint = match how {
        Channel::Terminal => "if it is still wanted, the same command asks you anew",
        _ => "call again if it is still wanted: the person is asked anew",
    };
    Failure::refused("the question was closed without an answer").hint(hint)
}
