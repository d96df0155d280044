//! The few expressions of Erlang that test suites pass to `eval`, each done by what it means.

use crate::context::{Context, print};
use crate::exit::{self, Failure};
use serde_json::json;

/// What an expression means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// `rabbit_alarm:set_alarm` and `clear_alarm` of a resource.
    Alarm { resource: &'static str, raised: bool },
}

pub(super) fn eval(context: &Context<'_>) -> Result<(), Failure> {
    let Some(meaning) = meaning(context.argument(0)) else {
        return Err(Failure::error(
            exit::UNAVAILABLE,
            "there is no Erlang here to evaluate this; of expressions, only those that raise and clear alarms are known",
        ));
    };
    match meaning {
        Meaning::Alarm { resource, raised } => {
            let path = format!("/api/leveret/alarms/{resource}");
            if raised {
                context.put(&path, &json!({}))?
            } else {
                context.delete(&path)?
            };
            print("ok\n")
        }
    }
}

fn meaning(expression: &str) -> Option<Meaning> {
    // White space means nothing between Erlang's tokens.
    let expression: String = expression.chars().filter(|character| !character.is_whitespace()).collect();
    ["memory", "disk"].into_iter().find_map(|resource| {
        let set = format!("rabbit_alarm:set_alarm({{{{resource_limit,{resource},node()}},[]}}).");
        let clear = format!("rabbit_alarm:clear_alarm({{resource_limit,{resource},node()}}).");
        (expression == set)
            .then_some(Meaning::Alarm { resource, raised: true })
            .or_else(|| (expression == clear).then_some(Meaning::Alarm { resource, raised: false }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_understood() {
        let alarm = |resource, raised| Some(Meaning::Alarm { resource, raised });
        for (expression, meant) in [
            ("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).", alarm("memory", true)),
            ("rabbit_alarm:clear_alarm({resource_limit, disk, node()}).\n", alarm("disk", false)),
            ("rabbit_alarm:set_alarm({{resource_limit, files, node()}, []}).", None),
            ("1+1.", None),
        ] {
            assert_eq!(meaning(expression), meant, "{expression}");
        }
    }
}
