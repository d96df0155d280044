//! Values as RabbitMQ's tool prints them in columns.

use crate::term;
use serde_json::Value;

/// A column that is a list of pairs of atoms in RabbitMQ, where other objects are tables of AMQP.
const ATOM_PAIRS: &str = "cluster_state";

/// A value in a column: texts as they are, objects as lists of pairs.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            let texts: Vec<String> = values.iter().map(cell).collect();
            format!("[{}]", texts.join(", "))
        }
        other => nested(other),
    }
}

/// A value in the column of this name.
pub(crate) fn cell_of(column: &str, value: &Value) -> String {
    match value {
        Value::Object(fields) if column == ATOM_PAIRS => {
            let pairs: Vec<String> =
                fields.iter().map(|(name, value)| format!("{{{}, {}}}", term::atom(name), cell(value))).collect();
            format!("[{}]", pairs.join(", "))
        }
        other => cell(other),
    }
}

/// A value as an Erlang term, texts as strings.
fn nested(value: &Value) -> String {
    match value {
        Value::Null => "undefined".to_owned(),
        Value::String(text) => term::quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(nested).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let pairs: Vec<String> =
                fields.iter().map(|(name, value)| format!("{{{},{}}}", term::quoted(name), nested(value))).collect();
            format!("[{}]", pairs.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_look_as_rabbitmqs() {
        for (value, shown) in [
            (json!("name"), "name"),
            (json!("a\tb\\c\"d\n"), "a\tb\\c\"d\n"),
            (json!(null), ""),
            (json!(7), "7"),
            (json!(true), "true"),
            (json!([]), "[]"),
            (json!({}), "[]"),
            (json!(["administrator", "a\\b"]), "[administrator, a\\b]"),
            (
                json!({"product": "RabbitMQ", "capabilities": {"basic.nack": true}, "n": 1, "l": ["a", 2]}),
                r#"[{"product","RabbitMQ"},{"capabilities",[{"basic.nack",true}]},{"n",1},{"l",["a",2]}]"#,
            ),
            (
                json!({"x-a": "t\tb\\c\"d\n", "x-t": {"k\"\\": "v", "l": ["a\"", 1]}}),
                r#"[{"x-a","t\tb\\c\"d\n"},{"x-t",[{"k\"\\","v"},{"l",["a\"",1]}]}]"#,
            ),
        ] {
            assert_eq!(cell(&value), shown);
        }
    }

    #[test]
    fn states_of_nodes_are_pairs_of_atoms() {
        let states = json!({"rabbit@h": "running", "rabbit@h-2": "stopped"});
        assert_eq!(cell_of("cluster_state", &states), "[{rabbit@h, running}, {'rabbit@h-2', stopped}]");
        assert_eq!(cell_of("arguments", &json!({"a": "b"})), r#"[{"a","b"}]"#);
    }
}
