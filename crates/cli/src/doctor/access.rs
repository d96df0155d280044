//! Rules about users and their passwords.

use super::facts::{Facts, text};
use super::{Finding, Severity, about};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256, Sha512};

/// Users who may do everything that are still few.
const ADMINISTRATORS: usize = 3;
/// Bytes of salt before a hash.
const SALT: usize = 4;
/// Passwords that everybody tries first; a user's own name is one, too.
const GUESSED: [&str; 6] = ["guest", "admin", "password", "rabbitmq", "changeme", "secret"];

/// True if the password of the user is this one, for hashes that are cheap to try.
fn has_password(user: &Value, password: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(text(user, "password_hash")) else { return false };
    let Some((salt, hash)) = bytes.split_at_checked(SALT) else { return false };
    let salted = [salt, password.as_bytes()].concat();
    match text(user, "hashing_algorithm") {
        "rabbit_password_hashing_sha256" => Sha256::digest(salted)[..] == *hash,
        "rabbit_password_hashing_sha512" => Sha512::digest(salted)[..] == *hash,
        _ => false,
    }
}

pub(super) fn default_passwords(facts: &Facts) -> Vec<Finding> {
    let is_guessed = |user: &&Value| {
        let own = text(user, "name");
        GUESSED.into_iter().chain([own]).any(|password| has_password(user, password))
    };
    let guessed: Vec<&str> = facts.users.iter().filter(is_guessed).map(|user| text(user, "name")).collect();
    let is_local = |name: &&str| facts.loopback_users.iter().any(|local| local == name);
    let (local, open): (Vec<&str>, Vec<&str>) = guessed.iter().partition(|name| is_local(name));
    let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let advice =
        "change it: leveret ctl change_password <username>; or delete the user: leveret ctl delete_user <username>";
    let mut findings = about(
        Severity::Critical,
        "default_password",
        "users who may come from anywhere have a password that everybody tries first",
        names(open),
        advice,
    );
    findings.extend(about(
        Severity::Info,
        "default_password_local",
        "users have a password that everybody tries first; they may only come from this host",
        names(local),
        advice,
    ));
    findings
}

pub(super) fn weak_hashes(facts: &Facts) -> Vec<Finding> {
    let weak = facts.users.iter().filter(|user| text(user, "hashing_algorithm") == "rabbit_password_hashing_md5");
    about(
        Severity::Warning,
        "weak_password_hash",
        "passwords are kept as MD5 hashes",
        weak.map(|user| text(user, "name").to_owned()).collect(),
        "set them anew, even to what they are: leveret ctl change_password <username>",
    )
}

pub(super) fn without_password(facts: &Facts) -> Vec<Finding> {
    let without = facts.users.iter().filter(|user| text(user, "password_hash").is_empty());
    about(
        Severity::Info,
        "no_password",
        "users have no password, and can only log in by certificate or another backend",
        without.map(|user| text(user, "name").to_owned()).collect(),
        "if nobody does, delete them: leveret ctl delete_user <username>",
    )
}

pub(super) fn administrators(facts: &Facts) -> Vec<Finding> {
    let is_administrator = |user: &&Value| match &user["tags"] {
        Value::Array(tags) => tags.iter().any(|tag| tag == "administrator"),
        // RabbitMQ before 3.9 has them in one text.
        tags => tags.as_str().is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == "administrator")),
    };
    let all: Vec<String> =
        facts.users.iter().filter(is_administrator).map(|user| text(user, "name").to_owned()).collect();
    if all.len() <= ADMINISTRATORS {
        return Vec::new();
    }
    about(
        Severity::Info,
        "many_administrators",
        &format!("{} users may do everything", all.len()),
        all,
        "take the tag from those who only publish and consume: leveret ctl set_user_tags <username> none",
    )
}
