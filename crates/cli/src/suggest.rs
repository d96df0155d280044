//! The nearest name to one that nobody knows.

/// How alike two names must be, from 0 to 1, before one is taken for the other; RabbitMQ's limit.
const LIMIT: f64 = 0.77;

/// The name among `known` that is most like `typed`, if one is like it.
pub fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let with_likeness = known.map(|name| (name, likeness(name, typed)));
    let best = with_likeness.max_by(|(_, one), (_, other)| one.total_cmp(other));
    best.filter(|(_, likeness)| *likeness >= LIMIT).map(|(name, _)| name)
}

/// Jaro's similarity: shared characters near the same place, less those in another order.
fn likeness(one: &str, other: &str) -> f64 {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.is_empty() || other.is_empty() {
        return if one.len() == other.len() { 1.0 } else { 0.0 };
    }
    let window = (one.len().max(other.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; other.len()];
    let mut shared = Vec::new();
    for (at, character) in one.iter().enumerate() {
        let near = at.saturating_sub(window)..(at + window + 1).min(other.len());
        let found = near.into_iter().find(|place| !taken[*place] && other[*place] == *character);
        if let Some(place) = found {
            taken[place] = true;
            shared.push(*character);
        }
    }
    if shared.is_empty() {
        return 0.0;
    }
    let in_other = other.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(character, _)| character);
    let moved = shared.iter().zip(in_other).filter(|(one, other)| one != other).count() as f64 / 2.0;
    let count = shared.len() as f64;
    (count / one.len() as f64 + count / other.len() as f64 + (count - moved) / count) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_jaros() {
        for (one, other, expected) in
            [("martha", "marhta", 0.944), ("dixon", "dicksonx", 0.767), ("same", "same", 1.0), ("ab", "cd", 0.0)]
        {
            assert!((likeness(one, other) - expected).abs() < 0.001, "{one} {other} {}", likeness(one, other));
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_seen() {
        let known = ["list_users", "list_queues", "add_user"];
        assert_eq!(nearest("list_userz", known.into_iter()), Some("list_users"));
        assert_eq!(nearest("fooobarbaz", known.into_iter()), None);
    }
}
