//! The section `push`: what a message says of each mistake.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_mistake_in_push_has_a_message_that_says_what_to_write() {
    for (section, expected) in [
        (
            "url: 127.0.0.1:8086/write",
            "push.url: has no scheme, write http://HOST:PORT/PATH; nothing is sent",
        ),
        (
            "url: 'https://x.example/write'",
            "push.url: is of the scheme https, which this program does not speak; use push.command with curl, as docs/push.md shows; nothing is sent",
        ),
        (
            "url: 'ftp://x/'",
            "push.url: is of the scheme ftp, write http://HOST:PORT/PATH; nothing is sent",
        ),
        (
            "url: 'http://x:0/'",
            "push.url: has no port from 1 to 65535, write http://HOST:PORT/PATH; nothing is sent",
        ),
        (
            "url: 'http://:80/'",
            "push.url: names no host, write http://HOST:PORT/PATH; nothing is sent",
        ),
        (
            "url: 'http://[::1/'",
            "push.url: has a [ without a ], write http://HOST:PORT/PATH; nothing is sent",
        ),
        (
            "url: 'http://[::1]8086/'",
            "push.url: has no : after the ], write http://HOST:PORT/PATH; nothing is sent",
        ),
        (
            "url: 'http://x/a b'",
            "push.url: has a # or a character that is to be written as %XX in its path; nothing is sent",
        ),
        (
            "url: 'http://me:geheim@x/'",
            "push.url: has a user name in it; write what the engine asks for to a file and name it as push.token_file; nothing is sent",
        ),
        (
            "url: 'http://x/write?db=a&precision=s'",
            "push.url: has precision= in it, and the times are sent in nanoseconds, which is what engines take without it; remove it",
        ),
        (
            "url: 'http://x/', command: [a]",
            "push.url: url and command are both given, and only one can be used; nothing is sent",
        ),
        (
            "labels: {a: b}",
            "push.labels: there is neither push.url nor push.command; nothing is sent",
        ),
        (
            "command: []",
            "push.command: the list is empty; nothing is sent",
        ),
        (
            "command: curl",
            "push.command: \"curl\" where a list of words belongs: the program and its arguments; nothing is sent",
        ),
        (
            "url: 'http://x/', format: graphite",
            "push.format: \"graphite\" is not known (allowed: influx, remote-write); default influx used",
        ),
        (
            "command: [a], token_file: /t",
            "push.token_file: is for push.url: a command reads its secrets itself; not used",
        ),
        (
            "url: 'http://x/', labels: [a]",
            "push.labels: a list where names with values belong; left out",
        ),
        (
            "url: 'http://x/', labels: {a-b: c}",
            "push.labels.a-b: is no name of a label (letters, digits and _, a digit not first); left out",
        ),
        (
            "url: 'http://x/', labels: {host: c}",
            "push.labels.host: is a label that the series have for themselves; left out",
        ),
        (
            "url: 'http://x/', labels: {__x: c}",
            "push.labels.__x: is a label that the series have for themselves; left out",
        ),
        (
            "url: 'http://x/', labels: {rtt_avg: b}",
            "push.labels.rtt_avg: is a label that the series have for themselves; left out",
        ),
        (
            "url: 'http://x/', labels: {a: }",
            "push.labels.a: has no value; left out",
        ),
        (
            "url: 'http://x/', labels: {a: b, a: c}",
            "push.labels.a: is given twice; left out",
        ),
        (
            "url: 'http://x/', batch_seconds: 0",
            "push.batch_seconds: 0 is too small (allowed: 0.1 to 3600 seconds); default 60 used",
        ),
    ] {
        let text = message(&format!("push: {{{section}}}"));
        assert_eq!(text, format!("c:1: {expected}"), "{section}");
        assert!(!text.contains("geheim"), "{text}");
    }
}

#[test]
fn an_address_has_a_host_a_port_and_a_path_and_is_shown_without_its_query() {
    for (url, authority, target, shown) in [
        ("http://a.example", "a.example", "/", "http://a.example/"),
        (
            "HTTP://10.0.0.1:8086/write?db=a&p=x",
            "10.0.0.1:8086",
            "/write?db=a&p=x",
            "http://10.0.0.1:8086/write",
        ),
        (
            "http://[::1]:8428/api",
            "[::1]:8428",
            "/api",
            "http://[::1]:8428/api",
        ),
        (
            "http://[fd00::1]?a",
            "[fd00::1]",
            "/?a",
            "http://[fd00::1]/",
        ),
        ("http://localhost:/", "localhost", "/", "http://localhost/"),
    ] {
        let config = config_without_problems(&format!("push: {{url: '{url}'}}"));
        let Some(PushConfig {
            way: PushWay::Url(parsed),
            ..
        }) = config.push
        else {
            panic!("{url}: no address");
        };
        assert_eq!(
            (
                parsed.authority().as_str(),
                parsed.target.as_str(),
                parsed.to_string().as_str()
            ),
            (authority, target, shown)
        );
    }
    let config = config_without_problems("push: {batch_seconds: 5}");
    assert_eq!(config.push, None);
    let config = config_without_problems(
        "push: {command: [curl, -s], labels: {site: 7, b_1: x}, timeout_seconds: 5}",
    );
    let push = config.push.unwrap();
    assert_eq!(push.way, PushWay::Command(vec!["curl".into(), "-s".into()]));
    assert_eq!(
        push.labels,
        [("b_1".into(), "x".into()), ("site".into(), "7".to_string())]
    );
    assert_eq!(
        (push.batch, push.timeout),
        (Duration::from_secs(60), Duration::from_secs(5))
    );
}

#[test]
fn files_that_are_not_as_they_must_be_are_a_problem_but_do_not_stop_the_monitor() {
    let name = format!("ace-connection-logger-push-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    let shown = folder.display();
    let file = |name: &str, content: &str, mode: u32| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("open", "t", 0o644);
    file("empty", "", 0o600);
    file("right", "t\r\n", 0o640);
    file("blank", " \n", 0o600);
    file("two", "t\nu\n", 0o600);
    file("long", &"t".repeat(9000), 0o600);
    file("program", "#!/bin/sh\n", 0o644);
    let url = "url: 'http://x/'";
    for (section, expected) in [
        (
            format!("{url}, token_file: {shown}/none"),
            Some(format!("{shown}/none: there is no such file")),
        ),
        (
            format!("{url}, token_file: {shown}/open"),
            Some(format!(
                "{shown}/open can be read by every user of this machine: chmod o= {shown}/open"
            )),
        ),
        (
            format!("{url}, token_file: {shown}/empty"),
            Some(format!("{shown}/empty is empty")),
        ),
        (
            format!("{url}, token_file: {shown}"),
            Some(format!("{shown} is not a file")),
        ),
        (format!("{url}, token_file: {shown}/right"), None),
        (
            format!("{url}, token_file: {shown}/blank"),
            Some(format!("{shown}/blank is empty")),
        ),
        (
            format!("{url}, token_file: {shown}/two"),
            Some(format!(
                "{shown}/two has more than one line, or other characters than ASCII"
            )),
        ),
        (
            format!("{url}, token_file: {shown}/long"),
            Some(format!("{shown}/long has more than 8192 bytes")),
        ),
        (
            "command: ['', x]".to_owned(),
            Some("its first word, the program, is empty".to_owned()),
        ),
        (
            format!("command: ['{shown}']"),
            Some(format!("{shown} is not a file")),
        ),
        (
            format!("command: [{shown}/program]"),
            Some(format!(
                "{shown}/program cannot be executed: chmod +x {shown}/program"
            )),
        ),
        (
            format!("command: [{shown}/none]"),
            Some(format!("{shown}/none: there is no such program")),
        ),
        (
            "command: [no-such-program-anywhere]".to_string(),
            Some("no-such-program-anywhere: there is no such program in PATH".to_string()),
        ),
        ("command: [sh]".to_string(), None),
    ] {
        let text = format!("hosts: [{{address: a.example}}]\npush: {{{section}}}\n");
        fs::write(folder.join("config.yaml"), &text).unwrap();
        let loaded = load(&folder.join("config.yaml")).unwrap();
        let found: Vec<&str> = loaded
            .errors(false)
            .map(|problem| problem.text.as_str())
            .collect();
        assert_eq!(found, expected.as_deref().as_slice(), "{section}");
        assert_eq!(loaded.refused_by_strict().count(), 0);
        assert!(loaded.config.push.is_some());
        // Only the file of the configuration is looked at where its bytes are given.
        assert_eq!(parse(text.as_bytes(), "c").problems, []);
    }
    fs::remove_dir_all(&folder).unwrap();
}
