//! Prometheus' text format, written through one builder: a family has its HELP, TYPE and samples
//! together, and no label can break out of its quotes (Prometheus, *Exposition formats*).

use std::fmt::{Display, Write};

use crate::histogram::Histogram;

/// What a family's samples mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Goes up alone.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// The text being written.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// One family being written.
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a family; its samples follow before the next one begins.
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

    /// The whole text.
    pub fn end(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// A histogram's samples.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        for (bound, count) in histogram.buckets() {
            self.line("_bucket", labels, Some(&bound.to_string()), count);
        }
        self.line("_bucket", labels, Some("+Inf"), histogram.count());
        self.line("_sum", labels, None, histogram.sum());
        self.line("_count", labels, None, histogram.count());
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: impl Display,
    ) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        let mut between = '{';
        for (label, text) in labels.iter().copied().chain(bound) {
            self.text.push(between);
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(self.text, text);
            self.text.push('"');
            between = ',';
        }
        if between == ',' {
            self.text.push('}');
        }
        put(self.text, format_args!(" {value}\n"));
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
        text.family("x", Type::Gauge, "An x.")
            .sample(&[("a", "\"} 1\nforged 2\\"), ("b", "")], 3);
        assert_eq!(
            text.end(),
            "# HELP x An x.\n# TYPE x gauge\nx{a=\"\\\"} 1\\nforged 2\\\\\",b=\"\"} 3\n"
        );
    }
}
