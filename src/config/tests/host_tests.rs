//! Hosts, and the settings that they inherit from `monitoring`.

use super::*;

#[test]
fn a_name_with_two_meanings_in_the_yaml_versions_is_replaced_by_the_address() {
    let text = "hosts:\n- name: no\n  address: 1.1.1.1\n";
    assert_eq!(
        message(text),
        "c:2: hosts[0].name: no is false in YAML 1.1 and text in YAML 1.2, write \"no\" with quotes; the address used as name"
    );
    assert_eq!(hosts(&loaded(text).config), [("1.1.1.1", "1.1.1.1")]);
    for name in ["on", "1:30", "010", "2024-01-31", "1_000"] {
        assert!(
            host_message(&format!("name: {name}\naddress: a.b")).contains("with quotes"),
            "{name}"
        );
        assert_eq!(
            host(&format!("name: \"{name}\"\naddress: a.b")).host.name,
            name
        );
        assert_eq!(
            host(&format!("name: '{name}'\naddress: a.b")).host.name,
            name
        );
        assert_eq!(
            host(&format!("name: |-\n  {name}\naddress: a.b")).host.name,
            name
        );
    }
}

#[test]
fn a_name_can_be_a_number_or_long_or_in_any_script() {
    for (written, name) in [
        ("2024", "2024"),
        ("1.10", "1.10"),
        ("Küche 🏠", "Küche 🏠"),
        ("日本", "日本"),
    ] {
        assert_eq!(
            host(&format!("name: {written}\naddress: a.b")).host.name,
            name
        );
    }
    let config = config_without_problems("hosts: [{name: 1.10, address: a.b}]\n");
    assert_eq!(hosts(&config), [("1.10", "a.b")]);
    for length in [1000, 4096] {
        assert_eq!(
            host(&format!("name: {}\naddress: a.b", "ü".repeat(length)))
                .host
                .name
                .chars()
                .count(),
            length
        );
    }
    assert_eq!(
        host_message(&format!("name: {}\naddress: a.b", "n".repeat(4097))),
        format!(
            ".name: \"{}…\" has 4097 characters (allowed: 1 to 4096); the address used as name",
            "n".repeat(60)
        )
    );
}

#[test]
fn a_name_that_cannot_be_used_is_replaced_by_the_address() {
    for (name, wrong) in [
        ("\"\"", "is empty"),
        ("\"  \"", "is empty"),
        ("", "has no value"),
        ("true", "true is not text, write \"true\" with quotes"),
        (
            "\"a\\nb\"",
            "\"a\\nb\" has the invisible character U+000A, delete it",
        ),
        (
            "\"\\e[31m\"",
            "\"\\u{1b}[31m\" has the invisible character U+001B, delete it",
        ),
        (
            "\"\\u202Ex\"",
            "\"\\u{202e}x\" has the invisible character U+202E, delete it",
        ),
        (
            "\"a\\u200F\"",
            "\"a\\u{200f}\" has the invisible character U+200F, delete it",
        ),
        ("[a]", "a list where text belongs"),
        ("{a: b}", "a section where text belongs"),
    ] {
        assert_eq!(
            host_message(&format!("name: {name}\naddress: a.b")),
            format!(".name: {wrong}; the address used as name")
        );
    }
    assert_eq!(host("address: a.b").host.name, "a.b");
}

#[test]
fn an_address_is_used_as_written_whatever_its_meaning_in_yaml() {
    for address in [
        "::1",
        "fe80::1%eth0",
        "2001:db8::1",
        "1.1.1.1",
        "no",
        "on",
        "true",
        "\"8.8.8.8\"",
        "'::1'",
        "Example.com",
    ] {
        assert_eq!(
            host(&format!("name: x\naddress: {address}")).host.address,
            address.trim_matches(['"', '\'']).into()
        );
    }
    for lines in ["address: gateway", "address: GATEWAY"] {
        let host = host(lines);
        assert_eq!(
            (host.host.address.as_str(), host.role),
            ("gateway", Role::Gateway)
        );
    }
}

#[test]
fn a_host_with_a_wrong_address_is_left_out_and_the_others_remain() {
    let text = "hosts:\n  - address: 8.8.8\n  - address: 1.1.1.1\n  - name: x\n  - address:\n  - address: [a]\n  - address: 8.8\n";
    assert_eq!(
        messages(text),
        [
            "c:2: hosts[0].address: \"8.8.8\" is neither an IP address nor a host name; host left out",
            "c:4: hosts[2]: has no address; host left out",
            "c:5: hosts[3].address: has no value; host left out",
            "c:6: hosts[4].address: a list where text belongs; host left out",
            "c:7: hosts[5].address: \"8.8\" is neither an IP address nor a host name: write it as four decimal numbers, 8.0.0.8; host left out",
        ]
    );
    assert_eq!(hosts(&loaded(text).config), [("1.1.1.1", "1.1.1.1")]);
    assert!(host_message("address: \"[::1]\"").contains("write it without brackets, ::1"));
    assert!(
        host_message("address: http://example.com/")
            .contains("write only the host of this URL, example.com")
    );
    assert!(host_message("address: '::'").contains("this machine itself is ::1"));
}

#[test]
fn only_hosts_in_the_list_are_pinged_even_if_none_is_left() {
    let empty = "hosts: []\n";
    assert_eq!(
        message(empty),
        "c:1: hosts: the list is empty; nothing is pinged"
    );
    assert_eq!(loaded(empty).config.hosts, []);
    assert_eq!(loaded("hosts:\n- address: 8.8.8\n- 5\n").config.hosts, []);
    assert_eq!(messages("hosts:\n- address: 8.8.8\n- 5\n").len(), 2);
}

#[test]
fn hosts_that_are_no_list_fall_back_to_the_built_in_hosts() {
    for (text, wrong) in [
        ("hosts:\n", "has no value: a list of hosts belongs here"),
        (
            "hosts: null\n",
            "has no value: a list of hosts belongs here",
        ),
        (
            "hosts: 8.8.8.8\n",
            "\"8.8.8.8\" where a list of hosts belongs",
        ),
        (
            "hosts:\n  name: a\n  address: a.b\n",
            "a section where a list of hosts belongs",
        ),
    ] {
        assert_eq!(
            message(text),
            format!("c:1: hosts: {wrong}; built-in hosts used")
        );
        assert_eq!(loaded(text).config, Config::default());
    }
}

#[test]
fn a_host_that_is_not_a_section_is_left_out() {
    let text = "hosts:\n- 8.8.8.8\n- [a, b]\n-\n- 5\n";
    assert_eq!(
        messages(text),
        [
            "c:2: hosts[0]: \"8.8.8.8\" where a section with keys belongs; host left out; write `- address: 8.8.8.8`",
            "c:3: hosts[1]: a list where a section with keys belongs; host left out",
            "c:4: hosts[2]: nothing where a section with keys belongs; host left out",
            "c:5: hosts[3]: 5 where a section with keys belongs; host left out",
        ]
    );
}

#[test]
fn two_hosts_with_the_same_address_and_family_are_one() {
    for (first, second) in [
        ("address: 8.8.8.8", "address: 8.8.8.8"),
        ("address: ::1", "address: 0:0:0:0:0:0:0:1"),
        ("address: 2001:DB8::A", "address: 2001:db8::a"),
        ("address: Example.com", "address: example.COM"),
        ("address: gateway", "address: Gateway"),
        ("address: a.b\n  family: 6", "address: a.b\n  family: 6"),
        ("address: 8.8.8.8\n  family: 4", "address: 8.8.8.8"),
        (
            "address: 8.8.8.8\n  source: wg0",
            "address: 8.8.8.8\n  source: wg0",
        ),
    ] {
        let text = format!("hosts:\n- {first}\n- {second}\n");
        let written = second
            .lines()
            .next()
            .unwrap()
            .strip_prefix("address: ")
            .unwrap();
        let reported = message(&text);
        assert!(
            reported.ends_with(&format!(
                "hosts[1].address: \"{written}\" is the address of hosts[0] already; this second one left out"
            )),
            "{reported}"
        );
        assert_eq!(loaded(&text).config.hosts.len(), 1);
    }
    let config = config_without_problems(
        "hosts:\n- address: a.b\n  family: 4\n- address: a.b\n  family: 6\n- address: a.b\n- address: fe80::1%a\n- address: fe80::1%b\n",
    );
    config_without_problems(
        "hosts:\n- address: 8.8.8.8\n- address: 8.8.8.8\n  source: wg0\n- address: 8.8.8.8\n  source: 192.0.2.1\n",
    );
    let families: Vec<_> = config.hosts.iter().map(|host| host.host.family).collect();
    assert_eq!(
        families,
        [Some(IpVersion::V4), Some(IpVersion::V6), None, None, None]
    );
}

#[test]
fn an_address_that_is_not_of_one_host_is_refused_with_a_hint() {
    for (address, wrong) in [
        ("::ffff:10.2.0.2", "write 10.2.0.2"),
        ("fe80::1", "write the interface too, fe80::1%eth0"),
        ("255.255.255.255", "is the broadcast address"),
        ("224.0.0.1", "is a multicast address"),
        ("ff02::1", "is a multicast address"),
    ] {
        let text = format!("hosts:\n- address: '{address}'\n");
        let reported = message(&text);
        assert!(
            reported.contains(wrong) && reported.contains("host left out"),
            "{reported}"
        );
    }
}

#[test]
fn a_host_has_its_own_keys_and_inherits_the_others() {
    let text = "monitoring:\n  ping_count: 3\n  payload_bytes: 100\nhosts:\n- address: a.b\n  interval_seconds: 5\n  ping_count: 2\n  \
                timeout_seconds: 0.5\n  ping_spacing_ms: 200\n  payload_bytes: 16\n  time_to_live: 255\n  up_percent: 99.5\n  latency_limit_ms: 80\n  other_addresses: report\n  family: 6\n  source: '::1'\n  \
                role: Other\n- address: c.d\n";
    let config = config_without_problems(text);
    let expected = HostConfig {
        host: Arc::new(Host {
            name: "a.b".into(),
            address: "a.b".into(),
            family: Some(IpVersion::V6),
            source: Some(Source::Address("::1".parse::<IpAddr>().unwrap())),
        }),
        interval: Duration::from_secs(5),
        ping_count: 2,
        timeout: Duration::from_millis(500),
        spacing: Duration::from_millis(200),
        payload_bytes: 16,
        time_to_live: Some(255),
        thresholds: Thresholds {
            up_rate: 99_500,
            degraded_rate: 80_000,
            latency_limit_us: Some(80_000),
        },
        uses_other_addresses: false,
        role: Role::Other,
    };
    assert_eq!(config.hosts[0], expected);
    assert_eq!(
        (config.hosts[1].ping_count, config.hosts[1].payload_bytes),
        (3, 100)
    );
    assert_eq!(config.hosts[1].interval, Duration::from_secs(60));
}

#[test]
fn a_wrong_key_of_a_host_falls_back_to_that_of_monitoring() {
    let text = "monitoring:\n  ping_count: 3\nhosts:\n- address: a.b\n  ping_count: 0\n";
    assert_eq!(
        message(text),
        "c:5: hosts[0].ping_count: 0 is too small (allowed: a whole number, 1 to 100); monitoring's 3 used"
    );
    assert_eq!(loaded(text).config.hosts[0].ping_count, 3);
    let text =
        "monitoring:\n  ping_spacing_ms: 500\nhosts:\n- address: a.b\n  ping_spacing_ms: 5\n";
    assert!(
        message(text).ends_with(
            "(allowed: a whole number, 10 to 60000 milliseconds); monitoring's 500 used"
        ),
        "{}",
        message(text)
    );
    assert_eq!(
        loaded(text).config.hosts[0].spacing,
        Duration::from_millis(500)
    );
}

#[test]
fn a_family_or_source_that_contradicts_the_address_is_not_used() {
    assert_eq!(
        host_message("address: 8.8.8.8\nfamily: 6"),
        ".family: 6 contradicts the address 8.8.8.8; the address's own used"
    );
    assert_eq!(
        host_message("address: a.b\nfamily: 5"),
        ".family: 5 is not known (allowed: any, 4, 6); any used"
    );
    assert_eq!(
        host_message("address: 8.8.8.8\nsource: ::1"),
        ".source: ::1 is of another IP version than the host; routing chooses"
    );
    let by_family = host_message("address: a.b\nfamily: 6\nsource: 10.0.0.1");
    assert_eq!(
        by_family,
        ".source: 10.0.0.1 is of another IP version than the host; routing chooses"
    );
    assert_eq!(
        host_message("address: a.b\nsource: a b"),
        ".source: \"a b\" is neither an IP address nor an interface's name; routing chooses"
    );
    assert_eq!(
        host_message("address: a.b\nrole: far"),
        ".role: \"far\" is not known (allowed: gateway, internet, dns, other); internet used"
    );
    assert_eq!(
        host("address: a.b\nfamily: \"4\"").host.family,
        Some(IpVersion::V4)
    );
}

#[test]
fn the_default_spacing_shrinks_until_a_check_fits() {
    let spacing = |text: &str| {
        config_without_problems(&format!("monitoring:\n{text}")).hosts[0]
            .spacing
            .as_millis()
    };
    assert_eq!(spacing("  interval_seconds: 6\n"), 1000);
    assert_eq!(spacing("  interval_seconds: 5\n"), 750);
    assert_eq!(spacing("  interval_seconds: 2.04\n"), 10);
    assert_eq!(spacing("  interval_seconds: 2\n  ping_count: 1\n"), 1000);
    assert_eq!(spacing("  interval_seconds: 60\n  ping_count: 100\n"), 585);
    assert_eq!(
        spacing("  interval_seconds: 60\n  ping_spacing_ms: 14500\n"),
        14_500
    );
}

#[test]
fn a_check_that_cannot_fit_is_noted_once_and_is_no_problem() {
    let text = "monitoring:\n  interval_seconds: 2\nhosts:\n- address: a.b\n- address: c.d\n- address: e.f\n  ping_count: 50\n";
    let loaded = loaded(text);
    assert_eq!(loaded.errors(true).count(), 0);
    assert_eq!(
        message(text),
        "c:2: monitoring.interval_seconds: 5 pings 10 ms apart with a timeout of 2 s can take longer than the interval of 2 s; \
         a check that overruns skips the ticks it covers"
    );
    assert_eq!(loaded.problems[0].kind, ProblemKind::Note);
    assert_eq!(loaded.config.hosts[0].spacing, Duration::from_millis(10));
    let single = message("monitoring:\n  interval_seconds: 1\n  ping_count: 1\n");
    assert!(
        single.contains("one ping with a timeout of 2 s can take longer than the interval of 1 s"),
        "{single}"
    );
    let own = "hosts:\n- address: a.b\n- address: c.d\n  interval_seconds: 1\n";
    assert!(
        message(own).starts_with("c:4: hosts[1].interval_seconds: 5 pings"),
        "{}",
        message(own)
    );
}

#[test]
fn a_spacing_that_does_not_fit_is_a_problem() {
    let text = "monitoring:\n  interval_seconds: 10\n  ping_spacing_ms: 5000\n";
    assert_eq!(
        message(text),
        "c:3: monitoring.ping_spacing_ms: 5000 does not fit: 5 pings 5000 ms apart with a timeout of 2 s can take longer than the interval of \
         10 s; 2000 used"
    );
    assert_eq!(loaded(text).errors(true).count(), 1);
    assert_eq!(
        loaded(text).config.hosts[0].spacing,
        Duration::from_millis(2000)
    );
    let overrun = message("monitoring:\n  interval_seconds: 1\n  ping_spacing_ms: 100\n");
    assert!(
        overrun.ends_with("; 10 used, and each check overruns: the ticks it covers are skipped"),
        "{overrun}"
    );
    let own = message("hosts:\n- address: a.b\n  ping_spacing_ms: 60000\n");
    assert!(
        own.starts_with("c:3: hosts[0].ping_spacing_ms: 60000 does not fit")
            && own.ends_with("; 14500 used"),
        "{own}"
    );
    let inherited = "monitoring:\n  ping_spacing_ms: 5000\nhosts:\n- address: a.b\n  interval_seconds: 10\n- address: c.d\n";
    assert!(
        message(inherited).starts_with("c:5: hosts[0].interval_seconds: 5000 does not fit"),
        "{}",
        message(inherited)
    );
    assert_eq!(loaded(inherited).errors(true).count(), 0);
    assert_eq!(
        loaded(inherited).config.hosts[0].spacing,
        Duration::from_millis(2000)
    );
    assert_eq!(
        loaded(inherited).config.hosts[1].spacing,
        Duration::from_millis(5000)
    );
}

#[test]
fn a_family_that_repeats_the_version_of_the_address_is_the_same_host() {
    let with = |family: &str| {
        config_without_problems(&format!("hosts: [{{address: 8.8.8.8{family}}}]")).hosts
    };
    assert_eq!(with(", family: 4"), with(""));
    assert_eq!(with(", family: any"), with(""));
}
