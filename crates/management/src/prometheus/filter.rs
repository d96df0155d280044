//! What a query of the detailed metrics asks for.

use regex::Regex;

/// Longest regular expression for queues in bytes, as in RabbitMQ.
const LONGEST_PATTERN: usize = 2000;

/// Groups, virtual hosts and queues that are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    families: Vec<String>,
    /// `None` for all.
    vhosts: Option<Vec<String>>,
    queues: Option<Regex>,
}

impl Filter {
    /// Reads `family=..&vhost=..&queue=..`; the error is a text for the client, as RabbitMQ has it.
    pub(super) fn parse(query: &str) -> Result<Filter, String> {
        let mut filter = Filter::default();
        let mut patterns = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "family" => filter.families.push(decoded(value)),
                "vhost" => filter.vhosts.get_or_insert_default().push(decoded(value)),
                "queue" => patterns.push(decoded(value)),
                _ => {}
            }
        }
        match &patterns[..] {
            [] => {}
            [pattern] if pattern.is_empty() => {}
            [pattern] if pattern.len() > LONGEST_PATTERN => return Err("'queue' regex too long".to_owned()),
            [pattern] => filter.queues = Some(compile(pattern)?),
            _ => return Err("Only one 'queue' query parameter is allowed".to_owned()),
        }
        Ok(filter)
    }

    /// True for a group that is asked for.
    pub(super) fn has_family(&self, name: &str) -> bool {
        self.families.iter().any(|family| family == name)
    }

    pub(super) fn has_vhost(&self, name: &str) -> bool {
        self.vhosts.as_ref().is_none_or(|vhosts| vhosts.iter().any(|vhost| vhost == name))
    }

    pub(super) fn has_queue(&self, name: &str) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.is_match(name))
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let place = |error: &regex::Error| match regex_syntax_place(error, pattern) {
        Some(place) => format!("Invalid 'queue' regex at position {place}"),
        None => "Invalid 'queue' regex".to_owned(),
    };
    // Compiled, it takes little even where it is built to take much.
    let built = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
    built.map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("{}: {reason}", place(&error))
    })
}

/// Where the mistake is, which the message shows with a mark under the pattern.
fn regex_syntax_place(error: &regex::Error, pattern: &str) -> Option<usize> {
    let regex::Error::Syntax(text) = error else { return None };
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.trim_start() == pattern)?;
    let indent = lines[at].len() - lines[at].trim_start().len();
    lines.get(at + 1)?.find('^').map(|mark| mark.saturating_sub(indent))
}

/// A value of a query: `+` is a space, `%xx` a byte.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let ahead = rest.clone();
                let digits: Vec<u8> = ahead.take(2).collect();
                let value = std::str::from_utf8(&digits).ok().filter(|digits| digits.len() == 2);
                match value.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(value) => {
                        rest.nth(1);
                        value
                    }
                    None => byte,
                }
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_vhosts_and_queues_are_chosen() {
        let filter =
            Filter::parse("family=queue_metrics&family=x&vhost=a&vhost=%2F&queue=^or%64er%2B&other=1").unwrap();
        assert!(filter.has_family("x") && filter.has_family("queue_metrics") && !filter.has_family("y"));
        assert!(filter.has_vhost("/") && filter.has_vhost("a") && !filter.has_vhost("b"));
        assert!(filter.has_queue("orderr") && !filter.has_queue("reorder") && !filter.has_queue("or"));
        let all = Filter::parse("queue=").unwrap();
        assert!(all.has_vhost("b") && all.has_queue("q") && !all.has_family("x"));
    }

    #[test]
    fn bad_patterns_are_refused_in_words() {
        let error = |query: &str| Filter::parse(query).unwrap_err();
        assert_eq!(error("queue=a&queue=b"), "Only one 'queue' query parameter is allowed");
        assert_eq!(error(&format!("queue={}", "a".repeat(2001))), "'queue' regex too long");
        assert_eq!(error("queue=ab("), "Invalid 'queue' regex at position 2: unclosed group");
        assert!(error("queue=(((a{1000}){1000}){1000})").starts_with("Invalid 'queue' regex"), "one that is too big");
    }

    #[test]
    fn percent_signs_that_mean_nothing_stay() {
        assert_eq!(decoded("a%2"), "a%2");
        assert_eq!(decoded("%zz+%41"), "%zz A");
        assert_eq!(decoded("%"), "%");
    }
}
