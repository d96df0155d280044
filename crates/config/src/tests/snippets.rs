//! RabbitMQ's own examples of its configuration language, which are not in this repository.

use std::path::PathBuf;

use crate::{Error, Loader};

/// The texts of a file of examples: `{name, "configuration", ...}`, each string in pieces that Erlang puts together.
fn texts(file: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = file;
    while let Some(start) = rest.find("\n{").or_else(|| rest.find("\n {")) {
        rest = &rest[start + 2..];
        let Some((name, after)) = rest.split_once(',') else { break };
        if name.contains(['"', '[', '}']) || !after.trim_start().starts_with('"') {
            continue;
        }
        let (mut text, mut after) = (String::new(), after.trim_start());
        while let Some(piece) = after.strip_prefix('"') {
            let mut end = 0;
            let bytes = piece.as_bytes();
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            text += &piece[..end].replace("\\\"", "\"").replace("\\\\", "\\").replace("\\n", "\n");
            after = piece[end + 1..].trim_start();
        }
        texts.push(text);
        rest = after;
    }
    texts
}

/// What is refused on purpose: what only RabbitMQ can decrypt, what would be unsafe to ignore, sockets that are files.
fn is_meant(error: &Error) -> bool {
    match error {
        Error::Encrypted { .. } | Error::Refused { .. } => true,
        Error::BadValue { value, .. } => value.starts_with("local:/") || value.starts_with("unix:/"),
        _ => false,
    }
}

/// `LEVERET_SNIPPETS` names a folder with the files `*.snippets` of RabbitMQ's `config_schema_SUITE_data`.
#[test]
#[ignore = "needs files of RabbitMQ's sources: LEVERET_SNIPPETS=FOLDER cargo test -p config --lib snippets -- --ignored --nocapture"]
fn every_example_of_rabbitmq_is_read() {
    let folder = PathBuf::from(std::env::var_os("LEVERET_SNIPPETS").expect("LEVERET_SNIPPETS names a folder"));
    let (mut read, mut problems) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for text in texts(&std::fs::read_to_string(&path).unwrap()) {
            read += 1;
            let mut loader = Loader::with_environment(|name| Some(name.to_owned()));
            let mut wrong = Vec::new();
            loader.lines(path.file_name().unwrap().into(), text.as_bytes(), &mut wrong);
            loader.check(&mut wrong);
            wrong.retain(|error| !is_meant(error));
            problems.extend(wrong.iter().map(|error| format!("{error}\n    {}", text.trim().replace('\n', "\n    "))));
        }
    }
    assert!(read > 0, "no examples in there");
    assert!(problems.is_empty(), "{} of {read} examples:\n{}", problems.len(), problems.join("\n"));
}
