//! Patterns of scopes, where `*` stands for any text and everything else may be percent-encoded.

/// A pattern, its parts between the wildcards decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard(Vec<Vec<u8>>);

impl Wildcard {
    /// `None` for a pattern with a `%` that begins no two hexadecimal digits: it matches nothing, as in RabbitMQ.
    pub(super) fn parse(pattern: &str) -> Option<Wildcard> {
        pattern.split('*').map(decode).collect::<Option<_>>().map(Wildcard)
    }

    /// Each part is found where it comes first, and never looked for further on, as RabbitMQ does: `*a` does not match
    /// `aa`.
    pub(super) fn matches(&self, subject: &str) -> bool {
        let subject = subject.as_bytes();
        let Some((first, mut rest)) = self.0.split_first() else { return false };
        if !subject.starts_with(first) {
            return false;
        }
        let mut at = first.len();
        loop {
            match rest {
                [last] if last.is_empty() => return true,
                [] => return at == subject.len(),
                _ if at == subject.len() => return false,
                [part, more @ ..] => {
                    if !part.is_empty() {
                        let Some(found) = find(&subject[at..], part) else { return false };
                        at += found + part.len();
                    }
                    rest = more;
                }
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// As forms are decoded: `+` is a space.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(bytes.next()?)? << 4 | digit(bytes.next()?)?
            }
            byte => byte,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of RabbitMQ's `wildcard_match_SUITE`.
    #[test]
    fn patterns_match_as_in_rabbitmq() {
        for (expected, subject, pattern) in [
            (true, "value", "value"),
            (true, "string with / special % characters", "string%20with%20%2F%20special%20%25%20characters"),
            (true, "pattern with  plus  spaces", "pattern+with++plus++spaces"),
            (true, "case with * special / characters", "case+with+%2a+special+%2f+characters"),
            (false, "casesensitive", "CaseSensitive"),
            (false, "foo", "fo"),
            (false, "foo", "fooo"),
            (false, "string with unescaped % character", "string with unescaped % character"),
            (true, "wildcard * is matched by wildcard", "wildcard * is matched by wildcard"),
            (true, "wildcard * and anything else is matched by wildcard", "wildcard * is matched by wildcard"),
            (true, "wildcard * is matched by urlencoded", "wildcard+%2a+is+matched+by+urlencoded"),
            (false, "wildcard * and extra is not matched by urlencoded", "wildcard+%2a+is+not+matched+by+urlencoded"),
            (true, "pattern with  spaces", "pattern with  spaces"),
            (true, "foo", "*oo"),
            (true, "foo", "*foo"),
            (true, "foo", "*"),
            (true, "", "*"),
            (true, "line * with * special * characters", "*+characters"),
            (true, "line * with * special * characters", "*special+%2A+characters"),
            (false, "foo", "*r"),
            (false, "foo", "*foobar"),
            (true, "foo", "fo*"),
            (true, "foo", "foo*"),
            (true, "line * with * special * characters", "line+*"),
            (true, "line * with * special * characters", "line+%2a*"),
            (true, "string with unescaped *", "string+with+unescaped+*"),
            (false, "foo", "b*"),
            (false, "foo", "barfoo*"),
            (true, "string", "*str*ing*"),
            (true, "str*ing", "*str*ing*"),
            (true, "some long string", "some*string"),
            (true, "some long string", "some*long*string"),
            (true, "some long string", "*some*string*"),
            (true, "some long string", "*long*"),
            (true, "some long string", "*+*+*"),
            (false, "some string", "*+*+*"),
            (false, "some long string", "some*other*string"),
            (true, "some long string", "s*e*str*"),
            (false, "some long string", "s*z*str*"),
            (false, "string", "*some*"),
            (false, "string", "*some*string*"),
            // Not in its suite, but so there.
            (false, "aa", "*a"),
            (true, "ab", "a**b"),
        ] {
            let matched = Wildcard::parse(pattern).is_some_and(|pattern| pattern.matches(subject));
            assert_eq!(matched, expected, "{subject:?} by {pattern:?}");
        }
    }
}
