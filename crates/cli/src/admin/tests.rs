use super::objects::{self, Verb};
use super::options::parse_section;
use super::{Failed, Options, format};
use serde_json::{Value, json};

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn options(line: &str) -> Options {
    // A file that is there for nobody, so that the home directory has no say.
    let mut given = words("-c /dev/null");
    given.extend(words(line));
    Options::read(&given).unwrap_or_else(|failed| panic!("{failed:?}"))
}

#[test]
fn options_stand_anywhere_and_may_be_shortened() {
    let read = options("-Hh list -P 1 queues --user=u -p p -qf tsv --sort-r name");
    assert_eq!((read.host.as_str(), read.port.as_str()), ("h", "1"));
    assert_eq!((read.username.as_str(), read.password.as_str(), read.format.as_str()), ("u", "p", "tsv"));
    assert!(read.quiet && read.sort_reverse);
    assert_eq!(read.words, ["list", "queues", "name"]);
    let read = options("-U http://a:b@h:99/x list queues");
    assert_eq!((read.host, read.port, read.username, read.password), ("h".into(), "99".into(), "a".into(), "b".into()));
    for wrong in ["--nope", "-x", "--host", "--depth=x list", "-k list queues"] {
        assert!(Options::read(&words(&format!("-c /dev/null {wrong}"))).is_err(), "{wrong}");
    }
}

#[test]
fn a_section_of_the_file_is_read() {
    let text = "# c\n[a]\nhostname = x\n[b]\nHostname: y\npassword = 5%%\n";
    let pairs = |name: &str| parse_section(text, name);
    assert_eq!(pairs("b"), Some(vec![("hostname".into(), "y".into()), ("password".into(), "5%".into())]));
    assert_eq!(pairs("c"), None);
}

#[track_caller]
fn parse(verb: Verb, line: &str) -> Result<(String, Value), Failed> {
    let all = words(line);
    let object = objects::find(verb, &all[0]).expect("the kind is known");
    object.parse(&all[1..], "/").map(|(path, upload)| (path, Value::Object(upload)))
}

#[test]
fn arguments_become_a_path_and_a_body() {
    let (path, body) = parse(Verb::Declare, "queue name=a/b queue_type=quorum arguments={\"x-max-length\":1}").unwrap();
    assert_eq!(path, "/queues/%2F/a%2Fb");
    assert_eq!(body["arguments"], json!({ "x-max-length": 1, "x-queue-type": "quorum" }));
    assert_eq!(body["durable"], "true");
    let (path, _) = parse(Verb::Declare, "binding source=s destination=d destination_type=exchange").unwrap();
    assert_eq!(path, "/bindings/%2F/e/s/e/d");
    let (path, _) = parse(Verb::Delete, "binding source=s destination=d destination_type=queue").unwrap();
    assert_eq!(path, "/bindings/%2F/e/s/q/d/~");
}

#[test]
fn wrong_arguments_are_named() {
    let failed = |line: &str| parse(Verb::Declare, line).map_err(|Failed(text)| text).unwrap_err();
    assert!(failed("queue").contains("mandatory argument \"name\" is required"));
    assert!(failed("queue q").contains("Argument \"q\" not in the name=value format"));
    assert!(failed("queue name=q x=y").contains("Argument \"x\" is not recognised"));
    assert!(
        failed("user name=u tags=")
            .contains("one of mandatory arguments \"['password', 'password_hash']\" is required")
    );
    assert!(failed("queue name=q arguments={").starts_with("ERROR: Could not parse JSON:\n  {"));
}

#[track_caller]
fn listed(line: &str, answer: &Value, columns: &[&str]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    format::list(&answer.to_string(), &columns, &["value"], &options(line)).unwrap()
}

#[test]
fn lists_have_rabbitmqadmins_formats() {
    let queues = json!([{ "name": "q", "messages": 3 }, { "name": "long", "messages": 0 }]);
    let columns = ["name", "messages"];
    assert_eq!(
        listed("list", &queues, &columns),
        "+------+----------+\n| name | messages |\n+------+----------+\n| q    | 3        |\n| long | 0        |\n+------+----------+\n"
    );
    assert_eq!(listed("-f tsv", &queues, &columns), "name\tmessages\nq\t3\nlong\t0\n");
    assert_eq!(listed("-q -f tsv", &queues, &columns), "q\t3\nlong\t0\n");
    assert_eq!(listed("-f kvp", &queues, &columns), "name=\"q\" messages=\"3\"\nname=\"long\" messages=\"0\"\n");
    assert_eq!(listed("-f bash", &queues, &columns), "q long\n");
    assert_eq!(listed("list", &json!([]), &columns), "No items\n");
    assert!(listed("-f long", &queues, &columns).contains("    name: q\nmessages: 3\n"));
}

#[test]
fn columns_of_objects_are_found_to_the_depth_asked_for() {
    let items = json!([{ "z": { "y": { "x": true } }, "value": { "é": [1, "a"] }, "name": "n", "tags": ["a", "b"] }]);
    assert_eq!(listed("-f tsv", &items, &[]), "name\ttags\tvalue\nn\ta b\t{\"\\u00e9\": [1, \"a\"]}\n");
    assert_eq!(listed("-f tsv -d 3", &items, &["z.y.x"]), "z.y.x\nTrue\n");
}
