//! Amounts of bytes in units.

/// A unit that commands show bytes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Megabytes,
    Gigabytes,
}

impl Unit {
    /// The unit of this name.
    pub(crate) fn named(name: &str) -> Option<Unit> {
        match name.to_ascii_lowercase().as_str() {
            "bytes" => Some(Unit::Bytes),
            "mb" => Some(Unit::Megabytes),
            "gb" => Some(Unit::Gigabytes),
            _ => None,
        }
    }

    /// An amount with up to four digits behind the point, and the unit.
    pub(crate) fn show(self, bytes: u64) -> String {
        match self {
            Unit::Bytes => format!("{bytes} bytes"),
            Unit::Megabytes => format!("{} mb", rounded(bytes as f64 / 1e6, 4)),
            Unit::Gigabytes => format!("{} gb", rounded(bytes as f64 / 1e9, 4)),
        }
    }
}

/// A number as Erlang prints it after rounding: at least one digit behind the point, and no zeros at its end.
pub(crate) fn rounded(number: f64, digits: i32) -> String {
    let factor = 10f64.powi(digits);
    let number = (number * factor).round() / factor;
    if number.fract() == 0.0 { format!("{number:.1}") } else { number.to_string() }
}

/// A number of bytes with RabbitMQ's units: `k`, `M`, `G` and with `iB` of 1024, `kB`, `MB`, `GB` of 1000.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: u64 = match unit {
        "" => 1,
        "k" | "kiB" | "K" | "KiB" | "KIB" | "kib" => 1 << 10,
        "M" | "MiB" | "MIB" | "mib" | "m" => 1 << 20,
        "G" | "GiB" | "GIB" | "gib" | "g" => 1 << 30,
        "kB" | "KB" | "kb" => 1000,
        "MB" | "mb" => 1_000_000,
        "GB" | "gb" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_as_rabbitmq_does() {
        assert_eq!(Unit::Gigabytes.show(137_700_000), "0.1377 gb");
        assert_eq!(Unit::Gigabytes.show(0), "0.0 gb");
        assert_eq!(Unit::Megabytes.show(233_000), "0.233 mb");
        assert_eq!(rounded(65.0, 2), "65.0");
        assert_eq!(rounded(65.222, 2), "65.22");
    }

    #[test]
    fn amounts_of_memory_have_rabbitmqs_units() {
        for (text, bytes) in [
            ("100", Some(100)),
            ("2GB", Some(2_000_000_000)),
            ("512MiB", Some(512 << 20)),
            ("1k", Some(1024)),
            ("", None),
            ("x", None),
            ("99999999999999999999", None),
            ("99999999999999G", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }
}
