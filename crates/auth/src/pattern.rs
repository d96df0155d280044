//! The regular expressions of permissions and policies.
//!
//! RabbitMQ runs them with PCRE. Ours are of the `regex` crate: linear in time whatever the pattern, which look-around,
//! back-references and atomic groups cannot be. Those are refused when a permission is set, with a text that says so.
//! What else differs: characters are Unicode's where RabbitMQ's are bytes (`^.$` matches `é`, and `\w`, `\d`, `\s` match
//! beyond ASCII), `$` matches at the very end only and not before a last line feed, and a possessive quantifier is an
//! ordinary one.

use std::fmt;

use regex::Regex;

/// A compiled pattern: matches anywhere in a name unless anchored, and an empty one matches the empty name only.
#[derive(Clone)]
pub struct Pattern(Matcher);

#[derive(Clone)]
enum Matcher {
    /// `.*` and its like, which most permissions are.
    Everything,
    /// The empty pattern, `^$`.
    Nothing,
    Regex(Regex),
}

/// A pattern that cannot be used; one line that quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("regular expression '{pattern}' is not supported: {reason}")]
pub struct PatternError {
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong, in the words of the regular expression compiler.
    pub reason: String,
}

impl Pattern {
    /// Compiles `pattern`.
    pub fn compile(pattern: &str) -> Result<Pattern, PatternError> {
        Ok(Pattern(match pattern {
            "" | "^$" => Matcher::Nothing,
            ".*" | "^.*" | ".*$" | "^.*$" => Matcher::Everything,
            other => Matcher::Regex(Regex::new(&from_pcre(other)).map_err(|error| unsupported(other, &error))?),
        }))
    }

    /// Compiles the pattern of a policy, where an empty one matches every name.
    pub fn compile_search(pattern: &str) -> Result<Pattern, PatternError> {
        if pattern.is_empty() { Ok(Pattern(Matcher::Everything)) } else { Pattern::compile(pattern) }
    }

    /// True when the pattern is found in `name`.
    pub fn is_match(&self, name: &str) -> bool {
        match &self.0 {
            Matcher::Everything => true,
            Matcher::Nothing => name.is_empty(),
            Matcher::Regex(regex) => regex.is_match(name),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Matcher::Everything => f.write_str("Pattern(.*)"),
            Matcher::Nothing => f.write_str("Pattern(^$)"),
            Matcher::Regex(regex) => write!(f, "Pattern({regex})"),
        }
    }
}

fn unsupported(pattern: &str, error: &regex::Error) -> PatternError {
    let reason = match error {
        // The parser draws the pattern over several lines; its last line is the reason.
        regex::Error::Syntax(text) => text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        regex::Error::CompiledTooBig(limit) => format!("it would take more than {limit} bytes"),
        other => other.to_string(),
    };
    PatternError { pattern: pattern.to_owned(), reason }
}

/// Writes out what PCRE takes literally and the `regex` crate does not: a brace that opens no quantifier, and brackets,
/// ampersands and tildes inside a class.
fn from_pcre(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    let mut class = false;
    let mut class_start = false;
    while let Some(c) = rest.next() {
        let first_in_class = std::mem::take(&mut class_start);
        match c {
            '\\' => {
                out.push(c);
                let escaped = rest.next();
                out.extend(escaped);
                // `\p{Greek}` and `\x{e9}` have braces of their own.
                if matches!(escaped, Some('p' | 'P' | 'x')) && rest.as_str().starts_with('{') {
                    out.extend(rest.next());
                }
            }
            '[' if !class => {
                class = true;
                class_start = true;
                out.push(c);
                if rest.as_str().starts_with('^') {
                    out.extend(rest.next());
                }
            }
            ']' if class && !first_in_class => {
                class = false;
                out.push(c);
            }
            '[' if !rest.as_str().starts_with(':') => out.push_str("\\["),
            '[' => {
                // A POSIX class, to its own closing bracket.
                out.push(c);
                for c in rest.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '&' | '~' if class => out.extend(['\\', c]),
            '{' if !class && !opens_quantifier(rest.as_str()) => out.push_str("\\{"),
            c => out.push(c),
        }
    }
    out
}

/// True when `rest`, behind an opening brace, goes on as `3}`, `3,}` or `3,5}`.
fn opens_quantifier(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        Some((least, most)) => !least.is_empty() && digits(least) && digits(most),
        None => !inside.is_empty() && digits(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked against `re:run/3` of Erlang 25.
    #[track_caller]
    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let compiled = Pattern::compile(pattern).unwrap();
        for name in matching {
            assert!(compiled.is_match(name), "{pattern} should match {name:?}");
        }
        for name in other {
            assert!(!compiled.is_match(name), "{pattern} should not match {name:?}");
        }
    }

    #[test]
    fn patterns_are_not_anchored() {
        check("orders", &["orders", "my.orders.new"], &["order"]);
        check("^orders", &["orders.new"], &["my.orders"]);
        check("^(a|b)$", &["a", "b"], &["ab", ""]);
    }

    #[test]
    fn an_empty_pattern_matches_the_empty_name_only() {
        check("", &[""], &["a"]);
        check("^$", &[""], &["a"]);
    }

    #[test]
    fn an_empty_pattern_of_a_policy_matches_every_name() {
        assert!(Pattern::compile_search("").unwrap().is_match("a"));
        assert!(!Pattern::compile_search("^$").unwrap().is_match("a"));
    }

    #[test]
    fn everything_is_everything() {
        check(".*", &["", "a", "日本"], &[]);
        check("^.*$", &["", "a"], &[]);
    }

    #[test]
    fn what_pcre_takes_literally_is_literal() {
        check("^a{b}$", &["a{b}"], &["ab"]);
        check("^a{2}$", &["aa"], &["a{2}"]);
        check("^a{2,}$", &["aaa"], &["a"]);
        check("^a{,2}$", &["a{,2}"], &["aa"]);
        check("^a{1,2}$", &["aa"], &["aaa"]);
        check("{", &["a{"], &["a"]);
        check("^[[]$", &["["], &["a"]);
        check("^[a[b]$", &["[", "a"], &["c"]);
        check("^[]a]$", &["]", "a"], &["b"]);
        check("^[^]a]$", &["b"], &["]", "a"]);
        check("^[a&&b]$", &["&", "a", "b"], &["c"]);
        check("^[a~~b]$", &["~", "a"], &["c"]);
        check("^[[:alpha:].]+$", &["a.b"], &["1"]);
        check(r"^a\.b\{$", &["a.b{"], &["axb{"]);
        check(r"^\x{41}$", &["A"], &["B"]);
    }

    #[test]
    fn what_cannot_be_matched_in_linear_time_is_refused_by_reason() {
        for (pattern, reason) in [
            ("^(?!amq\\.).*", "look-around, including look-ahead and look-behind, is not supported"),
            ("(?<=a)b", "look-around, including look-ahead and look-behind, is not supported"),
            (r"(a)\1", "backreferences are not supported"),
            ("(a", "unclosed group"),
        ] {
            let error = Pattern::compile(pattern).unwrap_err();
            assert_eq!(error.to_string(), format!("regular expression '{pattern}' is not supported: {reason}"));
        }
    }

    #[test]
    fn a_pattern_that_takes_too_much_memory_is_refused() {
        let error = Pattern::compile("((a{1000}){1000}){1000}").unwrap_err();
        assert!(error.reason.starts_with("it would take more than"), "{error}");
    }
}
