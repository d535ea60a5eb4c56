//! The text of the file: its encoding, its syntax, its size.

use super::*;

#[test]
fn a_tab_is_reported_as_the_cause_of_a_syntax_error() {
    let text = "monitoring:\n  ping_count: 5\n\tinterval_seconds: 60\n";
    let reported = message(text);
    assert!(
        reported
            .starts_with("c:3: column 1: not YAML: a tab indents here, and YAML wants spaces: "),
        "{reported}"
    );
    assert!(
        reported.ends_with("; default configuration used"),
        "{reported}"
    );
    assert!(loaded(text).is_unusable());
    let first = message("monitoring:\n\tping_count: 5\n");
    assert!(
        first.starts_with("c:2: column 1: not YAML: a tab"),
        "{first}"
    );
}

#[test]
fn a_syntax_error_is_reported_with_line_and_column_and_all_defaults_are_used() {
    for (text, place) in [
        (
            "monitoring:\n  ping_count: [5\n",
            "c:3: column 1: not YAML: ",
        ),
        ("a: b: c\n", "c:1: column 5: not YAML: "),
        ("a: \"b\n", "c:2: column 1: not YAML: "),
        ("a: *b\n", "c:1: column 4: not YAML: "),
        ("a: @b\n", "c:1: column 4: not YAML: "),
        (
            "a:\n- address: [::1]\n",
            "c:2: column 13: not YAML: an IPv6 address is written without brackets: ",
        ),
        (
            "a:\n  host: ::\n",
            "c:2: column 10: not YAML: write \"::\" with quotes: ",
        ),
        ("&a &a x\n", "c:1: column 4: not YAML: "),
        ("\"a\"\nb: 1\n", "c:2: column 1: not YAML: "),
        (
            "a: 1\n---\nb: 1\n",
            "c:2: column 1: not YAML: a second document begins",
        ),
        (
            "---\na: 1\n---\nb: 1\n",
            "c:3: column 1: not YAML: a second document begins",
        ),
    ] {
        let reported = message(text);
        assert!(reported.starts_with(place), "{reported}");
        assert!(loaded(text).is_unusable());
        assert_eq!(loaded(text).config, Config::default());
    }
}

#[test]
fn text_that_is_not_utf_8_is_unreadable() {
    let utf_16 = |text: &str, to_bytes: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
    };
    for (bytes, expected) in [
        (
            utf_16("\u{feff}a: 1", u16::to_le_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            utf_16("\u{feff}a: 1", u16::to_be_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            utf_16("a: 1", u16::to_le_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            utf_16("a: 1", u16::to_be_bytes),
            "c: is UTF-16, save it as UTF-8; default configuration used",
        ),
        (
            b"a: 1\nb: \xfc\n".to_vec(),
            "c:2: the byte 0xfc is not UTF-8, save the file as UTF-8; default configuration used",
        ),
        (
            b"a: 1\n\nb: \0\n".to_vec(),
            "c:3: has a NUL byte, which no text has; default configuration used",
        ),
    ] {
        let loaded = parse(&bytes, "c");
        assert_eq!(
            loaded
                .problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [expected]
        );
        assert!(loaded.is_unusable());
        assert_eq!(loaded.problems[0].kind, ProblemKind::Unreadable);
    }
    assert!(
        parse(&[0xc3, 0x28], "c").is_unusable()
            && parse(&[0; 5], "c").is_unusable()
            && parse(&[0], "c").is_unusable()
    );
}

#[test]
fn anchors_aliases_and_merge_keys_are_resolved() {
    let text = "hosts:\n- &a\n  address: a.b\n  ping_count: 7\n- <<: *a\n  address: c.d\n- {<<: [*a], address: e.f, ping_count: 8}\n";
    let config = config_without_problems(text);
    let counts: Vec<_> = config
        .hosts
        .iter()
        .map(|host| (host.host.address.as_str(), host.ping_count))
        .collect();
    assert_eq!(counts, [("a.b", 7), ("c.d", 7), ("e.f", 8)]);
    // A merged section merges another one; its own keys come first.
    let text = "hosts:\n- &a {address: a.b, ping_count: 7, payload_bytes: 60}\n- &b {<<: *a, address: c.d, ping_count: 8}\n- {<<: *b, address: e.f}\n";
    let host = &config_without_problems(text).hosts[2];
    assert_eq!(
        (
            host.host.address.as_str(),
            host.ping_count,
            host.payload_bytes
        ),
        ("e.f", 8, 60)
    );
    let config = config_without_problems(
        "monitoring:\n  ping_count: &n 6\n  payload_bytes: 60\nhosts:\n- address: a.b\n  ping_count: *n\n",
    );
    assert_eq!(config.hosts[0].ping_count, 6);
    let wrong = message("logging:\n  <<: 5\n");
    assert_eq!(
        wrong,
        "c:2: logging.<<: 5 where a section to merge belongs; nothing merged"
    );
    // A wrong value from an alias is reported without a line.
    let alias = messages("hosts:\n- &a\n  address: 8.8.8\n- *a\n");
    assert_eq!(alias.len(), 2);
    assert!(
        alias[0].starts_with("c:3: hosts[0].address: ")
            && alias[1].starts_with("c: hosts[1].address: "),
        "{alias:?}"
    );
}

#[test]
fn tags_of_other_programs_construct_nothing() {
    for tag in [
        "!!python/object:os.system",
        "!!python/name:os",
        "!x",
        "!!binary",
    ] {
        let reported = message(&format!("monitoring:\n  ping_count: {tag} 5\n"));
        assert!(
            reported.starts_with(&format!(
                "c:2: monitoring.ping_count: a value with the tag {tag} is not a number"
            )),
            "{reported}"
        );
        let reported = message(&format!("monitoring: {tag} {{ping_count: 5}}\n"));
        assert!(
            reported.contains(&format!("a value with the tag {tag} where a section")),
            "{reported}"
        );
    }
    assert_eq!(
        config_without_problems("monitoring:\n  ping_count: !!int 7\n").hosts[0].ping_count,
        7
    );
    assert_eq!(host("name: !!str no\naddress: a.b").host.name, "no");
}

#[test]
fn exponentially_nested_aliases_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let reported = message(&text);
    assert!(reported.contains("repe"), "{reported}");
    let mut text = format!("a: &a {}\nb:\n", "x".repeat(1_000_000));
    text.push_str(&"- *a\n".repeat(50_000));
    assert!(message(&text).contains("aliases repeat too much"));
}

#[test]
fn deep_nesting_is_a_syntax_error_and_not_a_crash() {
    for text in [
        "[".repeat(1000),
        "{a: ".repeat(1000),
        "{a: ".repeat(1_000_000),
        "- ".repeat(20_000),
        format!("{}{}", "[".repeat(500), "]".repeat(500)),
    ] {
        let loaded = loaded(&text);
        assert!(loaded.is_unusable());
        assert_eq!(loaded.problems.len(), 1);
    }
}

#[test]
fn ten_thousand_hosts_are_read_and_problems_have_their_lines() {
    let mut text = "hosts:\n".to_owned();
    for index in 0..10_000 {
        writeln!(
            text,
            "- name: Host {index}\n  address: 10.0.{}.{}\n  colour: red",
            index / 250,
            index % 250
        )
        .unwrap();
    }
    let loaded = loaded(&text);
    assert_eq!(loaded.config.hosts.len(), 10_000);
    assert_eq!(
        loaded.config.hosts[9_999].host.address.as_str(),
        "10.0.39.249"
    );
    let lines: Vec<_> = loaded.problems.iter().map(|problem| problem.line).collect();
    let mut expected: Vec<_> = (0..1000).map(|index| Some(4 + 3 * index)).collect();
    expected.push(None);
    assert_eq!(lines, expected);
    let last = loaded.problems[1000].to_string();
    assert!(last.ends_with("9000 more of them are not listed"), "{last}");
}

#[test]
fn a_file_of_countless_short_values_is_refused_before_it_is_parsed() {
    for text in [
        format!("alerts: {{command: [{}]}}", "x, ".repeat(300_000)),
        "k: 1\n".repeat(200_000),
        "hosts:\n".to_owned() + &"- x\n".repeat(200_000),
    ] {
        let loaded = loaded(&text);
        assert!(loaded.is_unusable());
        let reported = loaded.problems[0].to_string();
        assert!(
            reported.contains("more than 200000 keys and values"),
            "{reported}"
        );
    }
}
