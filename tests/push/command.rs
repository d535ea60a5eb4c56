//! `push.command`: a program that gets the batches on its standard input.

use super::*;
use common::skip;
use engine::Behaviour;

#[test]
fn a_command_gets_every_check_once_it_ends_with_0() {
    let site = Site::new(2, 200);
    // Fails at first, then appends the batch.
    let script = site.folder.write_program(
        "send",
        "#!/bin/sh\n[ -e there ] || { touch there; echo 'no line' >&2; exit 7; }\ncat >>lines\n",
    );
    let folder = site.folder.path().display().to_string();
    let script = script.display().to_string();
    let section =
        format!("{{command: [sh, -c, 'cd {folder} && exec {script}'], batch_seconds: 1}}");
    site.send_until(&section, "the failure", |site| {
        site.state().failure.is_some()
    });
    let failure = site.state().failure.expect("a failure");
    assert_eq!(failure.text, "exit status: 7");
    assert_eq!(failure.output, "no line");
    site.send_all(&section);
    let lines = std::fs::read_to_string(site.folder.path().join("lines")).expect("lines");
    assert_eq!(lines.lines().count(), points(&site.path(), &[]).len());
}

#[test]
fn exit_status_65_has_the_batch_halved_until_the_refused_sample_is_found() {
    let site = Site::new(1, 200);
    let refused = format!("{}000000", START + 77_000);
    let lines = site.folder.path().join("lines").display().to_string();
    let script = site.folder.write_program(
        "send",
        &format!("#!/bin/sh\ncat >\"$0.in\"; grep -q {refused} \"$0.in\" && exit 65; cat \"$0.in\" >>{lines}\n"),
    );
    site.send_all(&format!(
        "{{command: ['{}'], batch_seconds: 1}}",
        script.display()
    ));
    assert_eq!(site.state().refused, 1);
    let lines = std::fs::read_to_string(lines).expect("lines");
    assert_eq!(lines.lines().count(), points(&site.path(), &[]).len() - 1);
}

#[test]
fn a_command_that_hangs_is_killed_and_one_that_does_not_exist_is_named() {
    let site = Site::new(1, 5);
    for (command, why) in [
        ("sleep, '100'", "killed after 1."),
        ("/nowhere/x", "No such file or directory"),
    ] {
        let section = format!("{{command: [{command}], batch_seconds: 1, timeout_seconds: 1}}");
        site.send_until(&section, why, |site| {
            site.state()
                .failure
                .is_some_and(|failure| failure.text.starts_with(why))
        });
    }
}

#[test]
fn the_packaged_script_tells_what_is_refused_from_what_cannot_be_taken_now() {
    const TEST: &str = "the_packaged_script_tells_what_is_refused_from_what_cannot_be_taken_now";
    let folders = std::env::var("PATH").unwrap_or_default();
    if !std::env::split_paths(&folders).any(|folder| folder.join("curl").exists()) {
        return skip(TEST, "curl is not installed");
    }
    let (engine, site) = (Engine::start(), Site::new(1, 200));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/push/curl");
    let options = site.folder.write("options", "header = \"X-Token: t\"\n");
    let section = format!(
        "{{command: ['{}', '{}', --config, '{}'], batch_seconds: 1}}",
        script.display(),
        engine.url(),
        options.display()
    );
    engine.always(Behaviour::Answer(
        "HTTP/1.1 503 Busy\r\nContent-Length: 8\r\n\r\nlater on",
    ));
    site.send_until(&section, "the failure", |site| {
        site.state().failure.is_some()
    });
    let failure = site.state().failure.expect("a failure");
    assert_eq!(
        (failure.text.as_str(), failure.output.as_str()),
        ("exit status: 1", "503 later on")
    );
    engine.always(Behaviour::RefuseLinesWith("1762086973007000000"));
    site.send_all(&section);
    assert_eq!(site.state().refused, 1);
    assert_eq!(engine.points().len(), points(&site.path(), &[]).len() - 1);
    let heads = engine.state().heads.clone();
    assert!(heads.iter().all(|head| head.contains("X-Token: t")));
    drop(engine);
    for check in checks(1, 5, START + 500_000) {
        assert!(site.writer().handle().record(check));
    }
    site.send_until(&section, "that nobody listens", |site| {
        site.state()
            .failure
            .is_some_and(|failure| failure.output.contains("onnect"))
    });
}
