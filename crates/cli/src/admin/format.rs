//! Lists in the formats of `--format`.

use super::{Failed, Options};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Columns that come first, in this order.
const FIRST: [&str; 7] = ["vhost", "name", "type", "source", "destination", "destination_type", "routing_key"];

/// An answer of the HTTP API as it is asked for; without `columns` all that there are, to the depth asked for.
pub(super) fn list(answer: &str, columns: &[String], as_json: &[&str], options: &Options) -> Result<String, Failed> {
    if options.format == "raw_json" {
        return Ok(format!("{answer}\n"));
    }
    let parsed: Value = serde_json::from_str(answer).map_err(|_| Failed::refused("the broker's answer is not JSON"))?;
    if options.format == "pretty_json" {
        return serde_json::to_string_pretty(&sorted(&parsed))
            .map(|text| text + "\n")
            .map_err(|error| Failed::refused(error.to_string()));
    }
    let print: fn(&[String], &[Vec<String>], bool) -> String = match options.format.as_str() {
        "tsv" => tsv,
        "long" => long,
        "table" => table,
        "kvp" => pairs,
        "bash" => names,
        other => return Err(Failed::usage(format!("Format {other} not recognised"))),
    };
    let depth = if columns.is_empty() { options.depth } else { usize::MAX };
    let items: Vec<Map<String, Value>> = match parsed {
        Value::Array(items) => items.into_iter().filter_map(|item| item.as_object().cloned()).collect(),
        _ => Vec::new(),
    };
    let rows: Vec<Vec<(String, String)>> = items
        .iter()
        .map(|item| {
            let mut cells = Vec::new();
            flatten("", 1, item, depth, as_json, &mut cells);
            cells
        })
        .collect();
    let columns = if columns.is_empty() { all_columns(&rows) } else { columns.to_vec() };
    if rows.is_empty() {
        return Ok(if options.quiet { String::new() } else { "No items\n".to_owned() });
    }
    let cell = |row: &Vec<(String, String)>, column: &String| {
        row.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect();
    Ok(print(&columns, &rows, options.quiet))
}

fn all_columns(rows: &[Vec<(String, String)>]) -> Vec<String> {
    let names: BTreeSet<&String> = rows.iter().flatten().map(|(name, _)| name).collect();
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    // What is not among the first is behind them; those are sorted already.
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    names
}

/// The cells of an object, those of objects in it with both names.
fn flatten(
    prefix: &str,
    depth: usize,
    item: &Map<String, Value>,
    most: usize,
    as_json: &[&str],
    cells: &mut Vec<(String, String)>,
) {
    for (key, value) in item {
        let column = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(_) if as_json.contains(&key.as_str()) => cells.push((column, python(value))),
            Value::Object(inner) if depth < most => flatten(&column, depth + 1, inner, most, as_json, cells),
            Value::Object(_) => {}
            Value::Array(values) if values.iter().all(Value::is_string) => {
                let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
                cells.push((column, texts.join(" ")));
            }
            Value::Array(_) => cells.push((column, python(value))),
            Value::String(text) => cells.push((column, text.clone())),
            Value::Bool(is_true) => cells.push((column, if *is_true { "True" } else { "False" }.to_owned())),
            Value::Null => cells.push((column, String::new())),
            Value::Number(number) => cells.push((column, number.to_string())),
        }
    }
}

/// JSON as Python writes it: with spaces, and only ASCII.
pub(super) fn python(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let pairs: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", python(&Value::from(name.as_str())), python(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::String(_) => {
            let mut text = String::new();
            for character in value.to_string().chars() {
                if character.is_ascii() {
                    text.push(character);
                } else {
                    let mut units = [0; 2];
                    text.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
                }
            }
            text
        }
        other => other.to_string(),
    }
}

/// The same with the fields of objects in their order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> =
                fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(fields.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn tsv(columns: &[String], rows: &[Vec<String>], quiet: bool) -> String {
    let mut text = if quiet { String::new() } else { columns.join("\t") + "\n" };
    text.extend(rows.iter().map(|row| row.join("\t") + "\n"));
    text
}

fn long(columns: &[String], rows: &[Vec<String>], _: bool) -> String {
    let line = format!("\n{}\n\n", "-".repeat(80));
    let width = columns.iter().map(|column| column.chars().count()).max().unwrap_or_default();
    let mut text = line.clone();
    for row in rows {
        text.extend(columns.iter().zip(row).map(|(column, cell)| format!("{column:>width$}: {cell}\n")));
        text.push_str(&line);
    }
    text
}

fn table(columns: &[String], rows: &[Vec<String>], _: bool) -> String {
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).chain(columns.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    let bar: String = widths.iter().map(|width| "-".repeat(width + 2) + "+").collect();
    let bar = format!("+{bar}\n");
    let heading: String = columns.iter().zip(&widths).map(|(name, width)| format!(" {name:^width$} |")).collect();
    let mut text = format!("{bar}|{heading}\n{bar}");
    for row in rows {
        let cells: String = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |")).collect();
        text.push_str(&format!("|{cells}\n"));
    }
    text + &bar
}

fn pairs(columns: &[String], rows: &[Vec<String>], _: bool) -> String {
    let line = |row: &Vec<String>| {
        let pairs: Vec<String> = columns.iter().zip(row).map(|(column, cell)| format!("{column}=\"{cell}\"")).collect();
        pairs.join(" ") + "\n"
    };
    rows.iter().map(line).collect()
}

fn names(columns: &[String], rows: &[Vec<String>], _: bool) -> String {
    let Some(at) = columns.iter().position(|column| column == "name") else { return String::new() };
    let names: Vec<&str> = rows.iter().filter_map(|row| row.get(at)).map(String::as_str).collect();
    names.join(" ") + "\n"
}
