//! A strict reader of OpenMetrics 1.0: whatever the specification forbids is a failed test.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// The samples by name and labels.
pub type Samples = BTreeMap<(String, Labels), f64>;

struct Family {
    name: String,
    kind: String,
}

/// Reads a whole exposition.
pub fn read(text: &str) -> Samples {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let mut samples = Samples::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut said: BTreeSet<String> = BTreeSet::new();
    let mut family: Option<Family> = None;
    let mut metric: Option<Labels> = None;
    let mut finished: BTreeSet<Labels> = BTreeSet::new();
    for line in body.split_terminator('\n') {
        assert!(!line.is_empty() && !line.ends_with('\r'), "{line:?}");
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let [what, name, value] = [(); 3].map(|()| words.next().unwrap_or_default());
            assert!(["HELP", "TYPE", "UNIT"].contains(&what), "{line}");
            assert!(!value.is_empty(), "{line}");
            if family.as_ref().is_none_or(|family| family.name != name) {
                assert!(known.insert(name.to_owned()), "{name} is there twice");
                said.clear();
                finished.clear();
                metric = None;
                family = Some(Family {
                    name: name.to_owned(),
                    kind: "unknown".into(),
                });
            }
            assert!(said.insert(what.to_owned()), "{line}: said twice");
            assert!(metric.is_none(), "{line}: after samples");
            let family = family.as_mut().expect("set above");
            match what {
                "TYPE" => {
                    let kinds = ["gauge", "counter", "histogram", "info"];
                    assert!(kinds.contains(&value), "{line}");
                    family.kind = value.to_owned();
                }
                "UNIT" => assert!(name.ends_with(&format!("_{value}")), "{line}"),
                _ => assert!(!value.contains('"') || value.contains("\\\""), "{line}"),
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let family = family
            .as_ref()
            .unwrap_or_else(|| panic!("{line}: of no family"));
        let suffix = name
            .strip_prefix(family.name.as_str())
            .unwrap_or_else(|| panic!("{line}: within {}", family.name));
        let suffixes: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        assert!(suffixes.contains(&suffix), "{line}: of a {}", family.kind);
        match family.kind.as_str() {
            "counter" | "histogram" => assert!(value >= 0.0, "{line}"),
            "info" => assert_eq!(value, 1.0, "{line}"),
            _ => {}
        }
        // All samples with the same labels stand together.
        let mut own = labels.clone();
        if let Some(limit) = own.remove("le") {
            assert!(
                limit == "+Inf" || limit.contains('.'),
                "{line}: not a float as it is to be written"
            );
        }
        if metric.as_ref() != Some(&own) {
            assert!(
                finished.insert(own.clone()),
                "{line}: a metric is interrupted"
            );
            metric = Some(own);
        }
        assert!(
            samples.insert((name, labels), value).is_none(),
            "{line}: twice"
        );
    }
    check_histograms(&samples);
    samples
}

/// The last sample of each series of an export, whose samples have timestamps in order.
pub fn last_of_export(text: &str) -> Samples {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    let last = lines.map(|line| {
        let (line, _) = line.rsplit_once(' ').expect("a timestamp");
        let (name, labels, value) = sample(line);
        ((name, labels), value)
    });
    last.collect()
}

/// Name, labels and value of a line.
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, rest) = line.split_at(end);
    let is_first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    assert!(name.starts_with(is_first), "{line}");
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(
                label
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '_'),
                "{line}"
            );
            let (value, after) = quoted(after, line);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = rest.strip_prefix('}').expect("it ends there");
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    assert!(!value.contains(' '), "{line}: no timestamps");
    let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
    (name.to_owned(), labels, value)
}

fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match letters.next() {
                Some((_, 'n')) => '\n',
                Some((_, escaped @ ('\\' | '"'))) => escaped,
                other => panic!("{line}: {other:?}"),
            }),
            other => value.push(other),
        }
    }
    panic!("{line}: a value does not end")
}

/// Buckets grow to `+Inf`, which is the count.
fn check_histograms(samples: &Samples) {
    let mut buckets: BTreeMap<(&str, Labels), Vec<[f64; 2]>> = BTreeMap::new();
    for ((name, labels), value) in samples {
        if let Some(family) = name.strip_suffix("_bucket") {
            let mut own = labels.clone();
            let limit = own.remove("le").expect("a limit");
            let limit = limit.replace("+Inf", "inf").parse().expect("a number");
            buckets
                .entry((family, own))
                .or_default()
                .push([limit, *value]);
        }
    }
    for ((family, labels), mut of_metric) in buckets {
        of_metric.sort_by(|one, other| one[0].total_cmp(&other[0]));
        assert!(
            of_metric.is_sorted_by(|one, other| one[1] <= other[1]),
            "{of_metric:?}"
        );
        let [limit, all] = of_metric.last().expect("some");
        assert!(limit.is_infinite(), "{family} {labels:?}");
        let count = (format!("{family}_count"), labels);
        assert_eq!(samples.get(&count), Some(all), "{count:?}");
    }
}

#[test]
fn the_strict_reader_refuses_what_the_specification_forbids() {
    let good = "# TYPE a counter\n# HELP a H\na_total{x=\"\\\"\\\\\\n\"} 1\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2.5\n# EOF\n";
    assert_eq!(read(good).len(), 2);
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF\n\n"),
        ("a_total", "a"),
        ("b_seconds 2.5", "b_seconds 2.5\nb_seconds 3"),
        ("b_seconds 2.5", "b_seconds x"),
        ("b_seconds 2.5", "a_total 3"),
        ("b_seconds 2.5", "b_seconds 2.5\n"),
        ("UNIT b_seconds seconds", "UNIT b_seconds bytes"),
        ("TYPE b_seconds gauge", "TYPE b_seconds summary"),
        ("\\\\\\n", "\\t"),
        ("# TYPE b_seconds gauge\n", "# TYPE a gauge\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert!(std::panic::catch_unwind(|| read(&bad)).is_err(), "{bad}");
    }
    let histogram =
        |buckets: &str| format!("# TYPE h histogram\n{buckets}h_sum 1\nh_count 2\n# EOF\n");
    let bucket = |le: &str, count: u32| format!("h_bucket{{le=\"{le}\"}} {count}\n");
    read(&histogram(&(bucket("1.0", 1) + &bucket("+Inf", 2))));
    for buckets in [
        bucket("1.0", 1),
        bucket("1.0", 3) + &bucket("+Inf", 2),
        bucket("1", 1) + &bucket("+Inf", 2),
        bucket("1.0", 1) + &bucket("+Inf", 3),
    ] {
        let bad = histogram(&buckets);
        assert!(std::panic::catch_unwind(|| read(&bad)).is_err(), "{bad}");
    }
}
