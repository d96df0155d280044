//! RABBITMQ_LOGS and RABBITMQ_LOG: which keys their words stand for.

/// Where RABBITMQ_LOGS says that the log goes: `-`, `-stderr`, `exchange:`, `journald:`, `syslog:` or a file.
pub(crate) fn outputs(place: &str) -> Vec<(String, String)> {
    let settings: &[(&str, &str)] = match place {
        "-" => &[("log.console", "true"), ("log.console.stdio", "stdout"), ("log.file", "false")],
        "-stderr" => &[("log.console", "true"), ("log.console.stdio", "stderr"), ("log.file", "false")],
        // As in RabbitMQ, whatever stands behind the colon.
        place if place.starts_with("exchange:") => &[("log.exchange", "true"), ("log.file", "false")],
        // What is not there yet takes the place of no other output.
        place if place.starts_with("journald:") => &[("log.journald", "true")],
        place if place.starts_with("syslog:") => &[("log.syslog", "true")],
        file => &[("log.file", file)],
    };
    settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

/// What the items of RABBITMQ_LOG say, which commas separate.
pub(crate) fn levels(items: &str) -> Vec<(String, String)> {
    items.split(',').map(str::trim).filter(|item| !item.is_empty()).flat_map(of_item).collect()
}

/// What one item of RABBITMQ_LOG says: a level, `CATEGORY=LEVEL`, `+color`, `+json` or `+single_line`.
fn of_item(item: &str) -> Vec<(String, String)> {
    let either = |on: &'static str, off: &'static str| if item.starts_with('-') { off } else { on };
    let both = |key: &str, text: &str| {
        ["console", "file"].map(|output| (format!("log.{output}.formatter{key}"), text.to_owned())).to_vec()
    };
    match item {
        "+color" | "-color" => vec![("log.console.use_colors".to_owned(), either("true", "false").to_owned())],
        "+json" | "-json" => both("", either("json", "plaintext")),
        "+single_line" | "-single_line" => both(".single_line", either("on", "off")),
        item => match item.split_once('=') {
            Some((category, level)) => vec![(format!("log.{category}.level"), level.to_owned())],
            None => vec![("log.default.level".to_owned(), item.to_owned())],
        },
    }
}
