//! Hashes of passwords, and values of configuration files that RabbitMQ encrypts.

use super::{Command, command, refused};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::{Value, json};
use std::io::Read;

const NO_ENCRYPTION: &str = "encrypted values of configuration files are not available here: \
                             put secrets into files or environment variables that only the broker's user can read";

pub(super) const COMMANDS: &[Command] = &[
    command(
        "hash_password",
        (0, 1),
        "<cleartext_password> [--hashing-algorithm <algorithm>]",
        "Hashes a password for definitions",
        hash,
    ),
    refused(
        "encode",
        "value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>] [--decode] [--list-ciphers] [--list-hashes]",
        "Encrypts a value of a configuration file",
        NO_ENCRYPTION,
    ),
    refused(
        "decode",
        "value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]",
        "Decrypts a value of a configuration file",
        NO_ENCRYPTION,
    ),
    refused(
        "encrypt_conf_value",
        "value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]",
        "Encrypts a value of a configuration file",
        NO_ENCRYPTION,
    ),
    refused(
        "decrypt_conf_value",
        "value passphrase [--cipher <cipher>] [--hash <hash>] [--iterations <iterations>]",
        "Decrypts a value of a configuration file",
        NO_ENCRYPTION,
    ),
    refused("list_ciphers", "", "Lists ciphers for values of configuration files", NO_ENCRYPTION)
        .of(Tools::LOOKING)
        .under(Section::Monitoring),
    command("list_hashes", (0, 0), "", "Lists hash functions for passwords", list_hashes)
        .of(Tools::LOOKING)
        .under(Section::Monitoring),
];

/// Longest password read from standard input, in bytes.
const PASSWORD_LIMIT: u64 = 4096;
/// As names in the table of RabbitMQ's hashing algorithms.
const HASHES: [&str; 3] = ["sha512", "sha256", "md5"];

fn hash(context: &Context<'_>) -> Result<(), Failure> {
    let mut password = context.argument(0).to_owned();
    if password.is_empty() {
        let read = std::io::stdin().lock().take(PASSWORD_LIMIT).read_to_string(&mut password);
        password = password.lines().next().unwrap_or_default().to_owned();
        if read.is_err() || password.is_empty() {
            return Err(Failure::error(exit::DATA_ERROR, "Password is not provided via argument or stdin"));
        }
    }
    if let Some(other) = context.option("hashing-algorithm").filter(|name| !name.contains("sha256")) {
        let text = format!("the broker hashes new passwords with SHA-256, not with {other}");
        return Err(Failure::error(exit::UNAVAILABLE, text));
    }
    context.banner("Will hash password ...")?;
    let answer = context.get(&format!("/api/auth/hash_password/{}", segment(&password)))?;
    let hash = answer["ok"].as_str().unwrap_or_default();
    context.result(&json!({ "result": "ok", "value": hash }), hash)
}

fn list_hashes(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Listing supported hash algorithms ...")?;
    let all: Value = HASHES.into_iter().map(Value::from).collect();
    context.result(&json!({ "result": "ok", "value": all }), &format!("[{}]", HASHES.join(",")))
}
