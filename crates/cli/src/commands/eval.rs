//! The few expressions of Erlang that test suites and operators pass to `eval`, each done by what it means.

use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::{self, Failure};
use serde_json::{Value, json};

pub(super) const COMMANDS: &[Command] =
    &[command("eval", (1, 1), "<expression>", "Does what a few expressions of Erlang mean that tests use", eval)];

/// What an expression means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// `rabbit_alarm:set_alarm` and `clear_alarm` of a resource.
    Alarm { resource: &'static str, raised: bool },
    /// `application:set_env` of `channel_max`.
    ChannelMax(u16),
    /// `application:get_env` of `loopback_users`.
    LoopbackUsers,
    /// `application:set_env` of `loopback_users`.
    SetLoopbackUsers(Vec<String>),
    /// Whether there are as many nodes as `cluster_formation.target_cluster_size_hint` says: the probe that the cluster
    /// operator for Kubernetes had before its HTTP one.
    ReachedTargetClusterSize,
}

pub(super) fn eval(context: &Context<'_>) -> Result<(), Failure> {
    let Some(meaning) = meaning(context.argument(0)) else {
        return Err(Failure::error(
            exit::UNAVAILABLE,
            "there is no Erlang here to evaluate this; what is known: rabbit_alarm:set_alarm and clear_alarm, \
             and application:set_env of channel_max and loopback_users",
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
        }
        Meaning::ChannelMax(channels) => drop(context.put("/api/leveret/channel-max", &json!(channels))?),
        Meaning::SetLoopbackUsers(names) => drop(context.put("/api/leveret/loopback-users", &json!(names))?),
        Meaning::ReachedTargetClusterSize => {
            let answer = match context.get("/api/health/checks/reached-target-cluster-size") {
                Ok(_) => "true\n",
                Err(RequestError::Refused(_)) => "false\n",
                Err(unreachable) => return Err(unreachable.into()),
            };
            return print(answer);
        }
        Meaning::LoopbackUsers => {
            let users = context.list("/api/leveret/loopback-users")?;
            let binaries: Vec<String> =
                users.iter().filter_map(Value::as_str).map(|name| format!("<<\"{name}\">>")).collect();
            return print(&format!("[{}]\n", binaries.join(",")));
        }
    }
    print("ok\n")
}

fn meaning(expression: &str) -> Option<Meaning> {
    // White space means nothing between Erlang's tokens, and there is none in the names that are read here.
    let expression: String = expression.chars().filter(|character| !character.is_whitespace()).collect();
    if expression == "{ok,V}=application:get_env(rabbit,loopback_users),V." {
        return Some(Meaning::LoopbackUsers);
    }
    if expression == "rabbit_nodes:reached_target_cluster_size()." {
        return Some(Meaning::ReachedTargetClusterSize);
    }
    let set = expression.strip_prefix("application:set_env(rabbit,").and_then(|rest| rest.strip_suffix(")."));
    if let Some((key, value)) = set.and_then(|set| set.split_once(',')) {
        return match key {
            "channel_max" => value.parse().ok().map(Meaning::ChannelMax),
            "loopback_users" => binaries(value).map(Meaning::SetLoopbackUsers),
            _ => None,
        };
    }
    ["memory", "disk"].into_iter().find_map(|resource| {
        let set = format!("rabbit_alarm:set_alarm({{{{resource_limit,{resource},node()}},[]}}).");
        let clear = format!("rabbit_alarm:clear_alarm({{resource_limit,{resource},node()}}).");
        let raised = expression == set;
        (raised || expression == clear).then_some(Meaning::Alarm { resource, raised })
    })
}

/// A list of binaries such as `[<<"guest">>]`.
fn binaries(list: &str) -> Option<Vec<String>> {
    let inner = list.strip_prefix('[')?.strip_suffix(']')?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let name = |text: &str| {
        let name = text.strip_prefix("<<\"")?.strip_suffix("\">>")?;
        (!name.contains(['"', '\\'])).then(|| name.to_owned())
    };
    inner.split(',').map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_of_the_java_client_s_suite_are_understood() {
        let alarm = |resource, raised| Some(Meaning::Alarm { resource, raised });
        let loopback =
            |names: &[&str]| Some(Meaning::SetLoopbackUsers(names.iter().map(|name| (*name).to_owned()).collect()));
        for (expression, meant) in [
            ("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).", alarm("memory", true)),
            ("rabbit_alarm:clear_alarm({resource_limit, disk, node()}).\n", alarm("disk", false)),
            ("application:set_env(rabbit, channel_max, 2048).", Some(Meaning::ChannelMax(2048))),
            ("application:set_env(rabbit, channel_max, 0).", Some(Meaning::ChannelMax(0))),
            ("{ok, V} = application:get_env(rabbit, loopback_users), V.", Some(Meaning::LoopbackUsers)),
            ("application:set_env(rabbit, loopback_users, []).", loopback(&[])),
            ("application:set_env(rabbit, loopback_users, [<<\"guest\">>]\n).", loopback(&["guest"])),
            ("application:set_env(rabbit, loopback_users, [<<\"a\">>,<<\"b\">>]).", loopback(&["a", "b"])),
        ] {
            assert_eq!(meaning(expression), meant, "{expression}");
        }
    }

    #[test]
    fn the_probe_of_the_cluster_operator_is_understood() {
        let probe = "rabbit_nodes:reached_target_cluster_size().";
        assert_eq!(meaning(probe), Some(Meaning::ReachedTargetClusterSize));
    }

    #[test]
    fn everything_else_is_not() {
        for expression in [
            "1+1.",
            "rabbit_alarm:set_alarm({{resource_limit, files, node()}, []}).",
            "application:set_env(rabbit, channel_max, 70000).",
            "application:set_env(rabbit, channel_max, -1).",
            "application:set_env(rabbit, heartbeat, 1).",
            "application:set_env(rabbit, loopback_users, guest).",
            "application:set_env(rabbit, loopback_users, [<<\"a\\\">>]).",
        ] {
            assert_eq!(meaning(expression), None, "{expression}");
        }
    }
}
