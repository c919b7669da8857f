//! What somebody else has changed between the read and the write.

use crate::{
    client::{Client, rule_list::RuleList},
    failure::{Exit, Failure},
    output::Output,
    rule::difference,
};

/// Prints what has changed since the rules were read, if that is why a write failed.
pub(crate) async fn tell(client: &Client, out: &Output, before: &RuleList, failure: &Failure) {
    if failure.exit != Exit::Changed {
        return;
    }
    // The failure itself is told anyway.
    let Ok(now) = RuleList::read(client).await else {
        return;
    };
    let changes = difference::between(&before.rules, &now.rules);
    if !changes.is_empty() {
        let name = client.name();
        out.note(format_args!("{name}  was changed meanwhile:"));
    }
    for (_, lines) in changes {
        out.note(lines);
    }
}
