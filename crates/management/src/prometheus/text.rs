//! The two text formats of metrics: Prometheus' own, as RabbitMQ writes it, and OpenMetrics 1.0.

use std::fmt::Write;

/// Which of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Prometheus,
    OpenMetrics,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Untyped,
    /// Untyped, and in OpenMetrics facts in labels.
    Info,
    Histogram,
}

/// A value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Number {
        Number::Whole(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        Number::Real(value)
    }
}

impl Number {
    /// Adds another one; whole numbers stay whole.
    pub(super) fn add(self, other: Number) -> Number {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => Number::Whole(a.wrapping_add(b)),
            (a, b) => Number::Real(a.real() + b.real()),
        }
    }

    fn real(self) -> f64 {
        match self {
            Number::Whole(value) => value as f64,
            Number::Real(value) => value,
        }
    }
}

/// Text of metrics that is being made.
#[derive(Debug, Default)]
pub(super) struct Text {
    format: Format,
    made: String,
    /// The family that samples are written of, with what OpenMetrics adds to the name of a counter's.
    family: String,
    suffix: &'static str,
}

impl Text {
    pub(super) fn new(format: Format) -> Text {
        Text { format, ..Text::default() }
    }

    pub(super) fn is_open_metrics(&self) -> bool {
        self.format == Format::OpenMetrics
    }

    pub(super) fn len(&self) -> usize {
        self.made.len()
    }

    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.made)
    }

    /// Begins a family; samples follow. `name` ends in `_total` for most counters, which belongs to their samples in
    /// OpenMetrics, where those of all counters end so.
    pub(super) fn family(&mut self, prefix: &str, name: &str, kind: Kind, help: &str) {
        let (stem, suffix, word) = match (self.format, kind) {
            (Format::Prometheus, Kind::Counter) => (name, "", "counter"),
            (Format::OpenMetrics, Kind::Counter) => (name.strip_suffix("_total").unwrap_or(name), "_total", "counter"),
            (_, Kind::Gauge) => (name, "", "gauge"),
            (Format::Prometheus, Kind::Untyped | Kind::Info) => (name, "", "untyped"),
            (Format::OpenMetrics, Kind::Untyped) => (name, "", "unknown"),
            (Format::OpenMetrics, Kind::Info) => (name.strip_suffix("_info").unwrap_or(name), "_info", "info"),
            (_, Kind::Histogram) => (name, "", "histogram"),
        };
        self.family.clear();
        self.family.push_str(prefix);
        self.family.push_str(stem);
        self.suffix = suffix;
        let Text { made, family, .. } = self;
        // Writing to a string does not fail.
        let _ = writeln!(made, "# TYPE {family} {word}\n# HELP {family} {help}");
    }

    /// A sample of the family; `labels` are written already, as `a="b",c="d"`.
    pub(super) fn sample(&mut self, labels: &str, value: impl Into<Number>) {
        let suffix = self.suffix;
        self.sample_of(suffix, labels, value.into());
    }

    /// A sample whose name is the family's with `suffix`.
    pub(super) fn sample_of(&mut self, suffix: &str, labels: &str, value: Number) {
        let Text { made, family, .. } = self;
        made.push_str(family);
        made.push_str(suffix);
        if !labels.is_empty() {
            made.push('{');
            made.push_str(labels);
            made.push('}');
        }
        // As Erlang writes floats: the shortest digits that say it exactly, always with a point or an exponent.
        let _ = match value {
            Number::Whole(value) => writeln!(made, " {value}"),
            Number::Real(value) if value.is_nan() => writeln!(made, " NaN"),
            Number::Real(value) if value.is_infinite() => writeln!(made, " {}Inf", if value > 0.0 { '+' } else { '-' }),
            Number::Real(value) => writeln!(made, " {value:?}"),
        };
    }

    /// When the counters of the family began to count, in s since 1970: OpenMetrics has that.
    pub(super) fn created(&mut self, labels: &str, at_s: f64) {
        if self.is_open_metrics() {
            self.sample_of("_created", labels, Number::Real(at_s));
        }
    }

    /// What comes last.
    pub(super) fn end(&mut self) {
        if self.is_open_metrics() {
            self.made.push_str("# EOF\n");
        }
    }
}

/// Appends a label; the first one when `labels` is empty.
pub(super) fn label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(name);
    labels.push_str("=\"");
    for character in value.chars() {
        match character {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            other => labels.push(other),
        }
    }
    labels.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format: Format, write: impl FnOnce(&mut Text)) -> String {
        let mut text = Text::new(format);
        write(&mut text);
        text.take()
    }

    #[test]
    fn counters_are_called_total_where_openmetrics_wants_it() {
        let write = |text: &mut Text| {
            text.family("rabbitmq_", "queues_created_total", Kind::Counter, "Queues");
            text.sample("", 3);
            text.created("", 1.5);
            text.family("rabbitmq_", "stream_segments", Kind::Counter, "Files");
            text.sample("queue=\"q\"", 1);
            text.end();
        };
        let expected = "# TYPE rabbitmq_queues_created_total counter\n# HELP rabbitmq_queues_created_total Queues\n\
                        rabbitmq_queues_created_total 3\n\
                        # TYPE rabbitmq_stream_segments counter\n# HELP rabbitmq_stream_segments Files\n\
                        rabbitmq_stream_segments{queue=\"q\"} 1\n";
        assert_eq!(text(Format::Prometheus, write), expected);
        let expected = "# TYPE rabbitmq_queues_created counter\n# HELP rabbitmq_queues_created Queues\n\
                        rabbitmq_queues_created_total 3\nrabbitmq_queues_created_created 1.5\n\
                        # TYPE rabbitmq_stream_segments counter\n# HELP rabbitmq_stream_segments Files\n\
                        rabbitmq_stream_segments_total{queue=\"q\"} 1\n# EOF\n";
        assert_eq!(text(Format::OpenMetrics, write), expected);
    }

    #[test]
    fn numbers_are_written_as_erlang_does() {
        let samples = text(Format::Prometheus, |text| {
            for value in [0.0, 30.845, 3.5e-5, 1e6, f64::NAN, f64::INFINITY] {
                text.sample("", value);
            }
            text.sample("", 1_000_000);
        });
        assert_eq!(samples, " 0.0\n 30.845\n 3.5e-5\n 1000000.0\n NaN\n +Inf\n 1000000\n");
    }

    #[test]
    fn labels_are_escaped() {
        let mut labels = String::new();
        label(&mut labels, "vhost", "/");
        label(&mut labels, "queue", "a\"b\\c\nd→");
        assert_eq!(labels, r#"vhost="/",queue="a\"b\\c\nd→""#);
    }
}
