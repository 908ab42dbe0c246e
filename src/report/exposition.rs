//! Prometheus' text format, written through one builder: a family has its HELP, TYPE and samples together, and no
//! label can end its quotes (Prometheus, *Exposition formats*).
//!
//! Labels are escaped once and written many times: 1,000 databases have 26,000 samples.

use std::fmt::{Display, Write};

use crate::histogram::Histogram;

/// The meaning of a family's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A value that only goes up.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// Labels, escaped, without the braces around them.
#[derive(Clone, Debug, Default)]
pub struct Labels(String);

impl Labels {
    /// Creates labels. The names are the program's own; the values may come from anywhere.
    pub fn new(labels: &[(&str, &str)]) -> Labels {
        let mut text = Labels::default();
        for (name, value) in labels {
            text = text.and(name, value);
        }
        text
    }

    /// Adds one label.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Labels {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape(&mut self.0, value);
        self.0.push('"');
        self
    }
}

/// The text that is being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// One family that is being written.
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// Creates an exposition with a capacity of this many bytes.
    pub fn with_capacity(bytes: usize) -> Exposition {
        Exposition(String::with_capacity(bytes))
    }

    /// Begins a family; its samples follow before the next family.
    pub fn family(&mut self, name: &'static str, kind: Type, help: &str) -> Family<'_> {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        put(
            &mut self.0,
            format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"),
        );
        Family {
            text: &mut self.0,
            name,
        }
    }

    /// Returns the whole text.
    pub fn end(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Writes one sample.
    pub fn sample(&mut self, labels: &Labels, value: impl Display) {
        self.line("", labels, None, value);
    }

    /// Writes one sample with one more label, whose value is one of the program's own words.
    pub fn sample_of(&mut self, labels: &Labels, more: (&str, &'static str), value: impl Display) {
        self.line("", labels, Some(more), value);
    }

    /// Writes a histogram's samples.
    pub fn histogram(&mut self, labels: &Labels, histogram: &Histogram) {
        for (bound, count) in histogram.buckets() {
            self.line("_bucket", labels, Some(("le", &bound.to_string())), count);
        }
        self.line("_bucket", labels, Some(("le", "+Inf")), histogram.count());
        self.line("_sum", labels, None, histogram.sum());
        self.line("_count", labels, None, histogram.count());
    }

    fn line(
        &mut self,
        suffix: &str,
        Labels(labels): &Labels,
        more: Option<(&str, &str)>,
        value: impl Display,
    ) {
        let text = &mut *self.text;
        text.push_str(self.name);
        text.push_str(suffix);
        if !labels.is_empty() || more.is_some() {
            text.push('{');
            text.push_str(labels);
            if let Some((name, value)) = more {
                text.push_str(if labels.is_empty() { "" } else { "," });
                for part in [name, "=\"", value, "\""] {
                    text.push_str(part);
                }
            }
            text.push('}');
        }
        put(text, format_args!(" {value}\n"));
    }
}

fn escape(to: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => to.push_str("\\\\"),
            '"' => to.push_str("\\\""),
            '\n' => to.push_str("\\n"),
            c => to.push(c),
        }
    }
}

fn put(to: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = to.write_fmt(text); // writing to a String cannot fail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_the_format() {
        let mut text = Exposition::default();
        let labels = Labels::new(&[("a", "\"} 1\nforged 2\\"), ("b", "")]);
        let mut family = text.family("x", Type::Gauge, "An x.");
        family.sample(&labels, 3);
        family.sample_of(&Labels::default(), ("c", "word"), 4);
        family.sample(&Labels::default(), 5);
        assert_eq!(
            text.end(),
            "# HELP x An x.\n# TYPE x gauge\nx{a=\"\\\"} 1\\nforged 2\\\\\",b=\"\"} 3\nx{c=\"word\"} 4\nx 5\n"
        );
    }
}
