//! The key table as documentation.

use std::fmt::Write;

use crate::key::{Effect, KeySpec};
use crate::table::table;

/// The whole key table as one Markdown table: key, value, default, effect, when changes hold, purpose; one row each, in the table's order.
#[must_use]
pub fn markdown_table() -> String {
    let mut out =
        String::from("| key | value | default | effect | changes hold | purpose |\n|---|---|---|---|---|---|\n");
    for row in table() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            names(row),
            cell(&row.kind.to_string()),
            if row.default.is_empty() { String::new() } else { format!("`{}`", cell(row.default)) },
            row.effect,
            if row.effect == Effect::Takes { row.change.to_string() } else { String::new() },
            cell(row.doc),
        );
    }
    out
}

fn names(row: &KeySpec) -> String {
    let aliases = row.aliases.iter().map(|alias| format!(" or `{alias}`"));
    format!("`{}`", row.pattern) + &aliases.collect::<String>()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
