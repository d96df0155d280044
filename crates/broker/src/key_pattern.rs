//! Patterns of routing keys as topic bindings write them, for whoever looks at messages one by one.

/// A pattern: words between dots, `*` for any one word, `#` for any number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern(Vec<Vec<u8>>);

impl KeyPattern {
    /// The pattern written as `text`; without `*` and `#` it is one key.
    pub fn new(text: &str) -> KeyPattern {
        KeyPattern(text.as_bytes().split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect())
    }

    /// True for a key that a topic exchange would send to a queue bound by this pattern.
    ///
    /// Only the last `#` is tried again where it led nowhere, so that it takes at most words times words steps.
    pub(crate) fn is_match(&self, key: &[u8]) -> bool {
        let words: Vec<&[u8]> = if key.is_empty() { Vec::new() } else { key.split(|byte| *byte == b'.').collect() };
        let pattern: &[Vec<u8>] = if self.0.len() == 1 && self.0[0].is_empty() { &[] } else { &self.0 };
        let (mut at, mut word, mut again) = (0, 0, None);
        while word < words.len() {
            match pattern.get(at).map(Vec::as_slice) {
                Some(b"#") => {
                    again = Some((at, word));
                    at += 1;
                }
                Some(wanted) if wanted == b"*" || wanted == words[word] => {
                    at += 1;
                    word += 1;
                }
                _ => {
                    let Some((hash, from)) = again else { return false };
                    again = Some((hash, from + 1));
                    (at, word) = (hash + 1, from + 1);
                }
            }
        }
        pattern[at..].iter().all(|rest| rest == b"#")
    }
}

#[cfg(test)]
mod tests {
    use super::KeyPattern;

    #[test]
    fn patterns_mean_what_topic_bindings_mean() {
        for (pattern, key, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("a.#", "a", true),
            ("a.#.z", "a.z", true),
            ("a.#.z", "a.b.c.z", true),
            ("a.#.z", "a.b.c", false),
            ("#.b.#", "a.b.c", true),
            ("*.#.*", "a", false),
            ("*.#.*", "a.b", true),
            ("#.a.#.b", "x.a.a.y.b", true),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("*", "", false),
        ] {
            assert_eq!(KeyPattern::new(pattern).is_match(key.as_bytes()), expected, "{pattern} and {key}");
        }
    }
}
