//! Tables in frames, drawn with the line characters of a VT100 as RabbitMQ draws them.

use serde_json::Value;

const HORIZONTAL: &str = "q";
const VERTICAL: &str = "\x1b(0x\x1b(B";

/// A frame around a heading and rows; each cell is as wide as the widest of its column.
pub(crate) fn frame(columns: &[String], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.chain(columns.get(at)).map(|cell| width(cell)).max().unwrap_or_default()
        })
        .collect();
    let mut text = rule(&widths, "l", "w", "k");
    let heading: Vec<(String, usize)> =
        columns.iter().map(|name| (format!("\x1b[1m{name}\x1b[0m"), width(name))).collect();
    text.push_str(&line(&heading, &widths));
    for row in rows {
        text.push_str(&rule(&widths, "t", "n", "u"));
        let cells: Vec<(String, usize)> = row.iter().map(|cell| (cell.clone(), width(cell))).collect();
        text.push_str(&line(&cells, &widths));
    }
    text.push_str(&rule(&widths, "m", "v", "j"));
    text
}

/// A value in a cell of this column; RabbitMQ writes texts of a list one behind the other.
pub(crate) fn cell(column: &str, value: &Value) -> String {
    match value {
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().filter_map(Value::as_str).collect()
        }
        other => crate::value::cell_of(column, other),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn rule(widths: &[usize], left: &str, middle: &str, right: &str) -> String {
    // A space stands before a cell and one behind it.
    let spans: Vec<String> = widths.iter().map(|width| HORIZONTAL.repeat(width + 2)).collect();
    format!("\x1b(0{left}{}{right}\x1b(B\n", spans.join(middle))
}

fn line(cells: &[(String, usize)], widths: &[usize]) -> String {
    let mut text = VERTICAL.to_owned();
    for ((cell, taken), width) in cells.iter().zip(widths) {
        text.push_str(&format!(" {cell}{} {VERTICAL}", " ".repeat(width.saturating_sub(*taken))));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_frame_is_rabbitmqs() {
        let drawn =
            frame(&["user".to_owned(), "tags".to_owned()], &[vec!["guest".to_owned(), "administrator".to_owned()]]);
        let expected = "\x1b(0lqqqqqqqwqqqqqqqqqqqqqqqk\x1b(B\n\
            \x1b(0x\x1b(B \x1b[1muser\x1b[0m  \x1b(0x\x1b(B \x1b[1mtags\x1b[0m          \x1b(0x\x1b(B\n\
            \x1b(0tqqqqqqqnqqqqqqqqqqqqqqqu\x1b(B\n\
            \x1b(0x\x1b(B guest \x1b(0x\x1b(B administrator \x1b(0x\x1b(B\n\
            \x1b(0mqqqqqqqvqqqqqqqqqqqqqqqj\x1b(B\n";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn texts_of_a_list_have_nothing_between_them() {
        assert_eq!(cell("tags", &json!(["management", "monitoring"])), "managementmonitoring");
        assert_eq!(cell("durable", &json!(false)), "false");
    }
}
