//! Definitions as files, with `leveret ctl`.

use crate::{LEVERET, fails, leveret};
use std::process::{Command, Stdio};
use testkit::BrokerProcess;

fn ctl(broker: &BrokerProcess, arguments: &[&str]) -> Command {
    let mut command = leveret();
    command.arg("--data-dir").arg(broker.data_dir()).arg("ctl").args(arguments);
    command
}

#[track_caller]
fn output_of(mut command: Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_exported_can_be_imported() {
    let (from, to) = (BrokerProcess::start(LEVERET, &[]), BrokerProcess::start(LEVERET, &[]));
    from.administer("PUT", "/api/queues/%2F/q", r#"{"durable":true,"arguments":{"x-max-length":3}}"#);
    let file = from.data_dir().join("d.json");
    let path = file.to_str().unwrap();
    let exported = output_of(ctl(&from, &["export_definitions", path]));
    assert_eq!(exported, format!("Exporting definitions in JSON to a file at \"{path}\" ...\n"));
    let imported = output_of(ctl(&to, &["import_definitions", path]));
    let expected = format!(
        "Importing definitions in JSON from a file at \"{path}\" ...\nSuccessfully started definition import. This \
         process is asynchronous and can take some time. Watch target node logs for completion.\n\n"
    );
    assert_eq!(imported, expected);
    let queues = |broker: &BrokerProcess| {
        let text = output_of(ctl(broker, &["export_definitions", "-"]));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["queues"].clone()
    };
    assert_eq!(queues(&to), queues(&from));
    assert_eq!(queues(&to)[0]["arguments"]["x-max-length"], 3);
    let mut from_input = ctl(&to, &["import_definitions", "-q"]);
    from_input.stdin(Stdio::from(std::fs::File::open(&file).unwrap()));
    assert_eq!(output_of(from_input), "");
}

/// Texts and codes measured on RabbitMQ 3.10.8.
#[test]
fn files_that_make_no_sense_are_named() {
    let broker = BrokerProcess::start(LEVERET, &[]);
    fails(ctl(&broker, &["export_definitions"]), 64, &["not enough arguments."]);
    fails(ctl(&broker, &["export_definitions", "a", "b"]), 64, &["too many arguments."]);
    fails(ctl(&broker, &["export_definitions", "/nope/e.json"]), 65, &["Bad argument: Directory /nope does not exist"]);
    fails(ctl(&broker, &["export_definitions", "a", "--format", "x"]), 65, &["Format should be either json or erlang"]);
    fails(
        ctl(&broker, &["import_definitions", "/nope/x.json"]),
        65,
        &["Bad argument: File /nope/x.json does not exist"],
    );
    let file = broker.data_dir().join("bad.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "").unwrap();
    fails(ctl(&broker, &["import_definitions", path]), 65, &["is zero-sized"]);
    std::fs::write(&file, "{").unwrap();
    fails(ctl(&broker, &["import_definitions", path]), 65, &["Failed to deserialise input (format: JSON)"]);
    std::fs::write(&file, r#"{"queues":[{"name":"q"}]}"#).unwrap();
    fails(ctl(&broker, &["import_definitions", path]), 69, &["Error:\ninvalid_definitions_file"]);
}
