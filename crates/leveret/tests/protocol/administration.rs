//! Users, virtual hosts and permissions for tests: over the HTTP socket of our own broker, over the command that
//! `LEVERET_TEST_CTL` names (`rabbitmqctl` and its options) for an external one.

use std::process::Command;

use testkit::{RawClient, path_segment};

use crate::support;

/// Runs `rabbitmqctl` against the external broker; false, with a line that says so, when it is not named.
fn control(arguments: &[&str]) -> bool {
    let Ok(command) = std::env::var("LEVERET_TEST_CTL") else {
        eprintln!("skipped: LEVERET_TEST_CTL does not say how to administer the external broker");
        return false;
    };
    let mut words = command.split_whitespace();
    let program = words.next().expect("LEVERET_TEST_CTL is not empty");
    let output = Command::new(program).args(words).args(arguments).output().expect("the control command runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

/// Adds a user whose password is its name.
pub fn add_user(user: &str, tags: &str) -> bool {
    if support::is_external() {
        return control(&["add_user", user, user]) && (tags.is_empty() || control(&["set_user_tags", user, tags]));
    }
    let body = format!(r#"{{"password":"{user}","tags":"{tags}"}}"#);
    support::shared().administer("PUT", &format!("/api/users/{}", path_segment(user)), &body);
    true
}

/// Deletes a user.
pub fn delete_user(user: &str) {
    if support::is_external() {
        control(&["delete_user", user]);
    } else {
        support::shared().administer("DELETE", &format!("/api/users/{}", path_segment(user)), "");
    }
}

/// Adds a virtual host.
pub fn add_vhost(vhost: &str) -> bool {
    if support::is_external() {
        return control(&["add_vhost", vhost]);
    }
    support::shared().administer("PUT", &format!("/api/vhosts/{}", path_segment(vhost)), "{}");
    true
}

/// Deletes a virtual host with all that is in it.
pub fn delete_vhost(vhost: &str) {
    if support::is_external() {
        control(&["delete_vhost", vhost]);
    } else {
        support::shared().administer("DELETE", &format!("/api/vhosts/{}", path_segment(vhost)), "");
    }
}

/// Sets configure, write and read of a user in a virtual host.
pub fn set_permissions(vhost: &str, user: &str, [configure, write, read]: [&str; 3]) {
    if support::is_external() {
        control(&["set_permissions", "-p", vhost, user, configure, write, read]);
        return;
    }
    let path = format!("/api/permissions/{}/{}", path_segment(vhost), path_segment(user));
    let body = format!(r#"{{"configure":"{configure}","write":"{write}","read":"{read}"}}"#);
    support::shared().administer("PUT", &path, &body);
}

/// Sets write and read of a user on the routing keys of a topic exchange.
pub fn set_topic_permissions(vhost: &str, user: &str, exchange: &str, [write, read]: [&str; 2]) {
    if support::is_external() {
        control(&["set_topic_permissions", "-p", vhost, user, exchange, write, read]);
        return;
    }
    let path = format!("/api/topic-permissions/{}/{}", path_segment(vhost), path_segment(user));
    let body = format!(r#"{{"exchange":"{exchange}","write":"{write}","read":"{read}"}}"#);
    support::shared().administer("PUT", &path, &body);
}

/// Closes the connection of `client`, the only one of `user`, for a reason.
pub fn close_connection(client: &mut RawClient, user: &str, reason: &str) {
    if support::is_external() {
        control(&["close_all_user_connections", user, reason]);
        return;
    }
    let socket = client.stream().socket();
    let (peer, host) = (socket.local_addr().expect("an address"), socket.peer_addr().expect("an address"));
    let path = format!("/api/connections/{}", path_segment(&format!("{peer} -> {host}")));
    let answer = support::shared().http("DELETE", &path, &[("X-Reason", reason)], "").expect("an answer");
    assert_eq!(answer.status, 204, "{path}: {}", answer.body);
}

/// Sets limits of a user, a JSON object.
pub fn set_user_limits(user: &str, limits: &str) {
    if support::is_external() {
        control(&["set_user_limits", user, limits]);
        return;
    }
    let path = format!("/api/leveret/user-limits/{}", path_segment(user));
    support::shared().administer("PUT", &path, &format!(r#"{{"value":{limits}}}"#));
}

/// Sets the limits of a virtual host, a JSON object.
pub fn set_vhost_limits(vhost: &str, limits: &str) {
    if support::is_external() {
        control(&["set_vhost_limits", "-p", vhost, limits]);
        return;
    }
    let path = format!("/api/parameters/vhost-limits/{}/limits", path_segment(vhost));
    support::shared().administer("PUT", &path, &format!(r#"{{"value":{limits}}}"#));
}

/// The two kinds of policies, as commands and paths call them.
#[derive(Clone, Copy)]
pub enum Kind {
    User,
    Operator,
}

/// Sets a policy for queues and exchanges in `/`; false where the broker cannot be administered.
pub fn set_policy(kind: Kind, name: &str, pattern: &str, definition: &str, priority: i32) -> bool {
    if support::is_external() {
        let command = match kind {
            Kind::User => "set_policy",
            Kind::Operator => "set_operator_policy",
        };
        return control(&[command, "--priority", &priority.to_string(), name, pattern, definition]);
    }
    let body = format!(r#"{{"pattern":"{pattern}","definition":{definition},"priority":{priority}}}"#);
    support::shared().administer("PUT", &policy_path(kind, name), &body);
    true
}

/// Clears a policy in `/`.
pub fn clear_policy(kind: Kind, name: &str) {
    if support::is_external() {
        let command = match kind {
            Kind::User => "clear_policy",
            Kind::Operator => "clear_operator_policy",
        };
        control(&[command, name]);
        return;
    }
    support::shared().administer("DELETE", &policy_path(kind, name), "");
}

fn policy_path(kind: Kind, name: &str) -> String {
    let kind = match kind {
        Kind::User => "policies",
        Kind::Operator => "operator-policies",
    };
    format!("/api/{kind}/%2F/{}", path_segment(name))
}
