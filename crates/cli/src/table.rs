//! Lists in the formats that scripts read.

use crate::formatter::Formatter;
use crate::{pretty, term, value};
use serde_json::{Map, Value};

/// Rows under column names.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Table {
    /// Prints the rows; without any, only JSON has something to say. `headers` = with a row of column names.
    pub(crate) fn format(&self, formatter: Formatter, headers: bool) -> String {
        match formatter {
            Formatter::Table | Formatter::Report => self.separated("\t", headers, &str::to_owned),
            // RabbitMQ's has the names of columns even where nobody wants headers.
            Formatter::Csv => self.separated(",", true, &quote),
            Formatter::Json => self.json(),
            Formatter::JsonStream => self.objects().map(|object| format!("{object}\n\n")).collect(),
            Formatter::PrettyTable if self.rows.is_empty() => String::new(),
            Formatter::PrettyTable => {
                let cells = |row: &Vec<Value>| {
                    self.columns.iter().zip(row).map(|(column, value)| pretty::cell(column, value)).collect()
                };
                pretty::frame(&self.columns, &self.rows.iter().map(cells).collect::<Vec<_>>())
            }
            Formatter::Erlang => format!("{}\n", term::rows(&self.columns, &self.rows)),
            Formatter::StringPerLine => {
                self.rows.iter().flatten().map(|value| format!("{}\n", value::cell(value))).collect()
            }
        }
    }

    fn separated(&self, separator: &str, headers: bool, written: &dyn Fn(&str) -> String) -> String {
        let mut text = String::new();
        if headers && !self.rows.is_empty() {
            let names: Vec<String> = self.columns.iter().map(|name| written(name)).collect();
            text.push_str(&names.join(separator));
            text.push('\n');
        }
        for row in &self.rows {
            let cells = self.columns.iter().zip(row).map(|(column, value)| written(&value::cell_of(column, value)));
            text.push_str(&cells.collect::<Vec<_>>().join(separator));
            text.push('\n');
        }
        text
    }

    fn json(&self) -> String {
        let mut text = String::from("[\n");
        for (at, object) in self.objects().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(&object.to_string());
            text.push('\n');
        }
        text.push_str("]\n");
        text
    }

    fn objects(&self) -> impl Iterator<Item = Value> {
        self.rows.iter().map(|row| {
            let fields = self.columns.iter().cloned().zip(row.iter().cloned());
            Value::Object(fields.collect::<Map<_, _>>())
        })
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn users() -> Table {
        Table {
            columns: vec!["user".to_owned(), "tags".to_owned()],
            rows: vec![vec![json!("guest"), json!(["administrator"])], vec![json!("a\"b"), json!([])]],
        }
    }

    #[test]
    fn formats_are_rabbitmqs() {
        assert_eq!(users().format(Formatter::Table, true), "user\ttags\nguest\t[administrator]\na\"b\t[]\n");
        assert_eq!(users().format(Formatter::Table, false), "guest\t[administrator]\na\"b\t[]\n");
        assert_eq!(
            users().format(Formatter::Json, true),
            "[\n{\"user\":\"guest\",\"tags\":[\"administrator\"]}\n,{\"user\":\"a\\\"b\",\"tags\":[]}\n]\n"
        );
        assert_eq!(
            users().format(Formatter::Csv, true),
            "\"user\",\"tags\"\n\"guest\",\"[administrator]\"\n\"a\"\"b\",\"[]\"\n"
        );
    }

    #[test]
    fn texts_have_no_escapes_but_those_of_the_format() {
        let table = Table { columns: vec!["pattern".to_owned()], rows: vec![vec![json!("^q\\.\t\"")]] };
        assert_eq!(table.format(Formatter::Table, false), "^q\\.\t\"\n");
        assert_eq!(table.format(Formatter::Csv, false), "\"pattern\"\n\"^q\\.\t\"\"\"\n");
        assert_eq!(table.format(Formatter::Json, false), "[\n{\"pattern\":\"^q\\\\.\\t\\\"\"}\n]\n");
        assert_eq!(table.format(Formatter::Erlang, false), "[[{pattern,<<\"^q\\\\.\\t\\\"\">>}]]\n");
    }

    #[test]
    fn an_empty_list_has_no_header() {
        let empty = Table { columns: vec!["user".to_owned()], rows: Vec::new() };
        assert_eq!(empty.format(Formatter::Table, true), "");
        assert_eq!(empty.format(Formatter::Json, true), "[\n]\n");
    }
}
