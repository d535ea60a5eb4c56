//! Builds the .deb for this machine with packaging/build and inspects it; checks the packaging
//! scripts. packaging/try covers the other packages, and installs each.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use common::TempDir;

const NAME: &str = "ace-connection-logger";
/// About what the .deb has now: more must have a reason.
const MAX_DEB_BYTES: u64 = 1_310_000;

/// The document of docs/ that the packages leave out.
const LEFT_OUT: &str = "proof.md";

/// Mode and path of everything in the .deb except folders and docs/.
const FILES: &[(&str, &str)] = &[
    ("-rw-r-----", "/etc/ace-connection-logger/config.yaml"),
    (
        "-rw-r--r--",
        "/lib/systemd/system/ace-connection-logger-cleanup.service",
    ),
    (
        "-rw-r--r--",
        "/lib/systemd/system/ace-connection-logger-cleanup.timer",
    ),
    (
        "-rw-r--r--",
        "/lib/systemd/system/ace-connection-logger-dashboard.service",
    ),
    (
        "-rw-r--r--",
        "/lib/systemd/system/ace-connection-logger.service",
    ),
    ("-rwxr-xr-x", "/usr/bin/ace-connection-logger"),
    (
        "-rw-r--r--",
        "/usr/lib/sysusers.d/ace-connection-logger.conf",
    ),
    (
        "-rw-r--r--",
        "/usr/share/bash-completion/completions/ace-connection-logger",
    ),
    (
        "-rw-r--r--",
        "/usr/share/doc/ace-connection-logger/README.md.gz",
    ),
    (
        "-rw-r--r--",
        "/usr/share/doc/ace-connection-logger/changelog.Debian.gz",
    ),
    (
        "-rw-r--r--",
        "/usr/share/doc/ace-connection-logger/changelog.gz",
    ),
    (
        "-rw-r--r--",
        "/usr/share/doc/ace-connection-logger/copyright",
    ),
    ("-rwxr-xr-x", "/usr/share/ace-connection-logger/alerts/mail"),
    ("-rwxr-xr-x", "/usr/share/ace-connection-logger/alerts/ntfy"),
    (
        "-rwxr-xr-x",
        "/usr/share/ace-connection-logger/alerts/webhook",
    ),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/grafana/ace-connection-logger.json",
    ),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/home-assistant/ace-connection-logger.yaml",
    ),
    (
        "-rwxr-xr-x",
        "/usr/share/ace-connection-logger/mqtt/ace-mqtt",
    ),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/mqtt/ace-mqtt.service",
    ),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/prometheus/ace.alerts.yml",
    ),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/prometheus/ace.rules.yml",
    ),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/prometheus/ace.test.yml",
    ),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/prometheus/prometheus.yml",
    ),
    ("-rwxr-xr-x", "/usr/share/ace-connection-logger/push/curl"),
    (
        "-rw-r--r--",
        "/usr/share/ace-connection-logger/sysctl.d/50-ace-connection-logger.conf",
    ),
    (
        "-rw-r--r--",
        "/usr/share/doc/ace-connection-logger/third-party-notices.gz",
    ),
    (
        "-rw-r--r--",
        "/usr/share/fish/vendor_completions.d/ace-connection-logger.fish",
    ),
    (
        "-rw-r--r--",
        "/usr/share/lintian/overrides/ace-connection-logger",
    ),
    (
        "-rw-r--r--",
        "/usr/share/man/man5/ace-connection-logger.yaml.5.gz",
    ),
    (
        "-rw-r--r--",
        "/usr/share/man/man8/ace-connection-logger.8.gz",
    ),
    (
        "-rw-r--r--",
        "/usr/share/zsh/vendor-completions/_ace-connection-logger",
    ),
];

struct BuiltDeb {
    /// The folder that it was built into.
    folder: TempDir,
    deb: PathBuf,
    /// The folder that it is extracted to.
    unpacked: PathBuf,
}

/// Builds the .deb, once for all tests; `None` where that is impossible.
fn built_deb(test: &str) -> Option<&'static BuiltDeb> {
    static BUILT: OnceLock<Option<BuiltDeb>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let is_debian = Path::new("/etc/debian_version").exists()
            && output_of(Command::new("id").arg("-u")) == "0";
        is_debian.then(|| {
            let folder = TempDir::new();
            build(folder.path());
            let found: Vec<PathBuf> = std::fs::read_dir(folder.path())
                .expect("a folder")
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
                .collect();
            assert_eq!(found.len(), 1, "{found:?}");
            let unpacked = folder.path().join("unpacked");
            output_of(
                Command::new("dpkg-deb")
                    .arg("--extract")
                    .arg(&found[0])
                    .arg(&unpacked),
            );
            BuiltDeb {
                deb: found[0].clone(),
                unpacked,
                folder,
            }
        })
    });
    if built.is_none() {
        common::skip(test, "packages are built on Debian, as root");
    }
    built.as_ref()
}

/// Runs packaging/build without cargo's variables, which describe the build of this test.
fn build(into: &Path) {
    let mut command = Command::new(root_of_checkout().join("packaging/build"));
    command.args(["deb", "--into"]).arg(into);
    for (name, _) in std::env::vars_os() {
        let is_set_by_cargo = name.to_string_lossy().starts_with("CARGO")
            || name.to_string_lossy().starts_with("RUST");
        if is_set_by_cargo && name != "CARGO_HOME" && name != "RUSTUP_HOME" {
            command.env_remove(name);
        }
    }
    output_of(&mut command);
}

fn root_of_checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The standard output of a command, which must succeed.
fn output_of(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}{}",
        String::from_utf8_lossy(&stderr)
    );
    stdout.trim_end().to_string()
}

fn field(built: &BuiltDeb, name: &str) -> String {
    output_of(
        Command::new("dpkg-deb")
            .arg("--field")
            .arg(&built.deb)
            .arg(name),
    )
}

#[test]
fn the_deb_installs_exactly_these_files_owned_by_root() {
    let Some(built) = built_deb("the_deb_installs_exactly_these_files_owned_by_root") else {
        return;
    };
    let listed = output_of(Command::new("dpkg-deb").arg("--contents").arg(&built.deb));
    let mut found = BTreeMap::new();
    for line in listed.lines() {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        assert_eq!(columns[1], "root/root", "{line}");
        if !columns[0].starts_with('d') {
            found.insert(
                columns[5].trim_start_matches('.').to_string(),
                columns[0].to_string(),
            );
        }
    }
    let mut expected: BTreeMap<_, _> = FILES
        .iter()
        .map(|(mode, path)| ((*path).to_string(), (*mode).to_string()))
        .collect();
    for entry in std::fs::read_dir(root_of_checkout().join("docs")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if name == LEFT_OUT {
            continue;
        }
        // Debian compresses documentation of more than 4 kB.
        let is_large = std::fs::metadata(&path).expect("a file").len() > 4096;
        let suffix = if is_large { ".gz" } else { "" };
        expected.insert(
            format!("/usr/share/doc/{NAME}/docs/{name}{suffix}"),
            "-rw-r--r--".to_string(),
        );
    }
    assert_eq!(found, expected);
}

#[test]
fn the_deb_declares_its_version_and_its_dependencies() {
    let Some(built) = built_deb("the_deb_declares_its_version_and_its_dependencies") else {
        return;
    };
    assert_eq!(field(built, "Package"), NAME);
    assert_eq!(
        field(built, "Version"),
        format!("{}-1", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        field(built, "Architecture"),
        output_of(Command::new("dpkg").arg("--print-architecture"))
    );
    let depends = field(built, "Depends");
    let declared = depends
        .strip_prefix("libc6 (>= ")
        .and_then(|rest| rest.split_once(')'))
        .expect("libc6 comes first")
        .0;
    let program = built.unpacked.join("usr/bin").join(NAME);
    let symbols = output_of(Command::new("objdump").arg("-T").arg(&program));
    let symbol_versions: Vec<&str> = symbols
        .split_ascii_whitespace()
        .filter_map(|word| word.trim_matches(['(', ')']).strip_prefix("GLIBC_"))
        .collect();
    assert!(
        symbol_versions.len() > 20,
        "the program's symbols have versions"
    );
    let number = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .map(|part| part.parse().expect("a number"))
            .collect()
    };
    let newest = symbol_versions
        .into_iter()
        .max_by_key(|version| number(version))
        .expect("there is one");
    assert!(
        number(newest) <= number(declared),
        "the program uses symbols of glibc {newest}, the package declares {declared}"
    );

    let control = built.folder.path().join("control");
    output_of(
        Command::new("dpkg-deb")
            .arg("--control")
            .arg(&built.deb)
            .arg(&control),
    );
    let conffiles = std::fs::read_to_string(control.join("conffiles")).expect("conffiles");
    assert_eq!(conffiles, "/etc/ace-connection-logger/config.yaml\n");
}

#[test]
fn the_deb_is_small() {
    let Some(built) = built_deb("the_deb_is_small") else {
        return;
    };
    let bytes = std::fs::metadata(&built.deb).expect("the package").len();
    assert!(
        bytes <= MAX_DEB_BYTES,
        "{bytes} bytes, the limit is {MAX_DEB_BYTES}"
    );
}

#[test]
fn the_program_and_configuration_in_the_deb_are_those_of_this_checkout() {
    let Some(built) =
        built_deb("the_program_and_configuration_in_the_deb_are_those_of_this_checkout")
    else {
        return;
    };
    let unpacked = &built.unpacked;
    let program = unpacked.join("usr/bin").join(NAME);
    assert_eq!(
        output_of(Command::new(&program).arg("--version")),
        format!("{NAME} {}", env!("CARGO_PKG_VERSION"))
    );
    let checked = output_of(
        Command::new(&program)
            .args(["check-config", "--strict", "-c"])
            .arg(unpacked.join("etc").join(NAME).join("config.yaml")),
    );
    assert!(checked.contains("no problems"), "{checked}");
    let configuration =
        std::fs::read_to_string(unpacked.join("etc").join(NAME).join("config.yaml"))
            .expect("its configuration");
    assert_eq!(
        configuration.trim_end(),
        output_of(
            Command::new(root_of_checkout().join("packaging/lib/config_profile.py")).arg("system")
        )
    );

    // The program contains no path of the machine that compiled it.
    let bytes = std::fs::read(&program).expect("the program");
    for path in [env!("CARGO_MANIFEST_DIR"), "/.cargo/"] {
        assert!(
            !bytes
                .windows(path.len())
                .any(|window| window == path.as_bytes()),
            "{path} is in the program"
        );
    }
}

#[test]
fn lintian_finds_neither_errors_nor_warnings_in_the_deb() {
    let Some(built) = built_deb("lintian_finds_neither_errors_nor_warnings_in_the_deb") else {
        return;
    };
    output_of(
        Command::new("lintian")
            .args(["--allow-root", "--fail-on", "error,warning"])
            .arg(&built.deb),
    );
}

#[test]
fn building_the_deb_is_reproducible() {
    let Some(built) = built_deb("building_the_deb_is_reproducible") else {
        return;
    };
    let again = TempDir::new();
    build(again.path());
    let listed =
        |folder: &Path| std::fs::read_to_string(folder.join("SHA256SUMS")).expect("SHA256SUMS");
    assert!(listed(again.path()).contains("_amd64.deb") || cfg!(not(target_arch = "x86_64")));
    assert_eq!(listed(built.folder.path()), listed(again.path()));
}

/// A root with every kind of file, and a script too long for the format's shortest kind of value.
fn small_root(folder: &TempDir) -> PathBuf {
    let root = folder.path().join("root");
    let write = |path: &str, mode: u32, content: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .expect("its mode");
    };
    write("etc/logger/config.yaml", 0o640, "hosts: []\n");
    write("etc/logger/empty", 0o644, "");
    write("usr/bin/logger", 0o755, &"#!/bin/sh\n".repeat(10_000));
    std::os::unix::fs::symlink("logger", root.join("usr/bin/link")).expect("a link");
    for path in ["", "etc", "etc/logger", "usr", "usr/bin"] {
        std::fs::set_permissions(
            root.join(path),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .expect("its mode");
    }
    folder.write(
        "post-install",
        &format!("#!/bin/sh\n{}", "# a line of a script\n".repeat(20)),
    );
    root
}

/// The hash of the package that packaging/lib/make_apk.py makes of [`small_root`], decompressed.
/// apk 3.0.6 has dumped, verified and installed that package; if its bytes change, check it with a
/// real apk again.
const APK_SHA256: &str = "68381e17fb5b1db6689120d80a5532f393e737038e0c77c79c3fc4def11b05e3";

#[test]
fn an_apk_is_byte_for_byte_what_apk_3_verified_and_installed() {
    let folder = TempDir::new();
    let root = small_root(&folder);
    let out = folder.path().join("small.apk");
    let mut command = Command::new(root_of_checkout().join("packaging/lib/make_apk.py"));
    command.arg(&out).arg(&root).arg("--script");
    command.arg(format!(
        "post-install={}",
        folder.path().join("post-install").display()
    ));
    command.args([
        "name=logger",
        "version=1.2-r3",
        "arch=mipsel_24kc",
        "license=MIT",
        "description=Of no use",
        "depends=libc kmod-x",
    ]);
    output_of(command.env("SOURCE_DATE_EPOCH", "1764000000"));
    let packed = std::fs::read(&out).expect("the package");
    assert_eq!(&packed[..4], b"ADBd", "compressed by deflate");
    let mut plain = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::DeflateDecoder::new(&packed[4..]),
        &mut plain,
    )
    .expect("deflate");
    let plain_path = folder.path().join("plain");
    std::fs::write(&plain_path, plain).expect("a file");
    let hash = output_of(Command::new("sha256sum").arg(&plain_path));
    assert_eq!(hash.split_once(' ').map(|(hash, _)| hash), Some(APK_SHA256));
}

#[test]
fn make_apk_refuses_unknown_arguments_and_a_missing_time_stamp() {
    let folder = TempDir::new();
    let root = small_root(&folder);
    let refused = |arguments: &[&str], epoch: Option<&str>| {
        let mut command = Command::new(root_of_checkout().join("packaging/lib/make_apk.py"));
        command
            .arg(folder.path().join("x.apk"))
            .arg(&root)
            .args(arguments)
            .env_remove("SOURCE_DATE_EPOCH");
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        let output = command.output().expect("it runs");
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(
        refused(&["name=a", "version=1", "colour=red"], Some("1"))
            .contains("colour=red: no such field")
    );
    assert!(
        refused(&["name=a", "version=1", "--script", "after=x"], Some("1"))
            .contains("after=x: no such script")
    );
    assert!(refused(&["name=a"], Some("1")).contains("name and version must be given"));
    assert!(refused(&["name=a", "version=1"], None).contains("SOURCE_DATE_EPOCH: must be set"));
}

/// Stubs of the makefiles of OpenWrt's build system that the package's Makefile includes.
const MAKEFILE_STUBS: &[(&str, &str)] = &[
    (
        "rules.mk",
        "INCLUDE_DIR := $(TOPDIR)/include\nINSTALL_DIR := install -d -m0755\nINSTALL_BIN := install -m0755\nINSTALL_DATA := install -m0644\nCP := cp -fpR\n",
    ),
    (
        "include/package.mk",
        "define BuildPackage\nprepare:\n\t$(Build/Prepare)\ninstall:\n\t$(call Package/$(1)/install,$(DESTDIR))\nabout:\n\t@echo $(PKG_NAME) $(PKG_VERSION)-$(PKG_RELEASE) $(PKG_LICENSE)\nendef\n",
    ),
    (
        "feeds/packages/lang/rust/rust-package.mk",
        "RustBinPackage =\n",
    ),
];

#[test]
fn the_openwrt_makefile_copies_the_whole_source_and_installs_the_same_files() {
    let folder = TempDir::new();
    for (path, text) in MAKEFILE_STUBS {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("built/bin")).expect("a folder");
    std::fs::write(at("built/bin").join(NAME), "the program").expect("a file");
    // A link, as the Makefile's first comment recommends.
    std::os::unix::fs::symlink(root_of_checkout().join("packaging/openwrt"), at("package"))
        .expect("a link");
    let make = |target: &str| {
        let mut command = Command::new("make");
        command
            .arg("--no-print-directory")
            .arg("-C")
            .arg(at("package"))
            .arg(target);
        for (name, value) in [
            ("TOPDIR", ""),
            ("PKG_BUILD_DIR", "source"),
            ("PKG_INSTALL_DIR", "built"),
            ("DESTDIR", "installed"),
        ] {
            command.arg(format!("{name}={}", at(value).display()));
        }
        output_of(&mut command)
    };
    assert_eq!(
        make("about"),
        format!("{NAME} {}-1 MIT", env!("CARGO_PKG_VERSION"))
    );

    make("prepare");
    output_of(
        Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--offline",
                "--locked",
                "--no-deps",
                "--format-version=1",
            ])
            .current_dir(at("source")),
    );
    for needed in [
        ".cargo/config.toml",
        "build.rs",
        "static/index.html",
        "src/main.rs",
        "config.yaml",
    ] {
        assert!(at("source").join(needed).exists(), "{needed}");
    }

    make("install");
    let listed = output_of(
        Command::new("find")
            .args([".", "!", "-type", "d", "-printf", "%m /%P\n"])
            .current_dir(at("installed")),
    );
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            "640 /etc/ace-connection-logger/config.yaml",
            "644 /etc/capabilities/ace-connection-logger.json",
            "755 /etc/init.d/ace-connection-logger",
            "755 /usr/bin/ace-connection-logger",
        ]
    );
}

/// The packages that tests/run installs as root on a Debian whose only programs are these, each a
/// shell script.
fn installed_by_tests_run(programs: &[(&str, &str)]) -> Vec<String> {
    let folder = TempDir::new();
    let root = [("id", "echo 0"), ("apt-get", "echo \"$@\" >>\"$HOME/apt\"")];
    for (name, text) in root.iter().chain(programs) {
        folder.write_program(name, &format!("#!/bin/sh\n{text}\n"));
    }
    std::os::unix::fs::symlink("/usr/bin/dirname", folder.path().join("dirname")).expect("a link");
    let output = Command::new(root_of_checkout().join("tests/run"))
        .env("PATH", folder.path())
        .env("HOME", folder.path())
        .output()
        .expect("it runs");
    // Without cargo it ends after the installation.
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("install Rust"), "{stderr}");
    let calls = std::fs::read_to_string(folder.path().join("apt")).expect("apt-get was called");
    calls.split_whitespace().map(String::from).collect()
}

#[test]
fn tests_run_installs_git_and_the_c_headers_where_they_are_missing() {
    let is_installed = |packages: &[String], name: &str| packages.iter().any(|one| one == name);
    let minimal = installed_by_tests_run(&[]);
    for package in ["git", "gcc", "libc6-dev"] {
        assert!(is_installed(&minimal, package), "{package}: {minimal:?}");
    }
    // `apt-get install --no-install-recommends gcc` brings a compiler without headers.
    let no_headers = installed_by_tests_run(&[("cc", "exit 1"), ("git", "")]);
    assert!(is_installed(&no_headers, "libc6-dev"), "{no_headers:?}");
    for package in ["git", "gcc"] {
        assert!(!is_installed(&no_headers, package), "{package}");
    }
    let complete = installed_by_tests_run(&[("cc", ""), ("git", "")]);
    assert!(!is_installed(&complete, "libc6-dev"), "{complete:?}");
}

#[test]
fn a_build_outside_a_git_checkout_needs_source_date_epoch() {
    let folder = TempDir::new();
    output_of(
        Command::new("cp")
            .arg("-r")
            .args(["packaging", "Cargo.toml"].map(|name| root_of_checkout().join(name)))
            .arg(folder.path()),
    );
    let build = |epoch: Option<&str>| {
        let mut command = Command::new(folder.path().join("packaging/build"));
        // With a time stamp the next step fails: there is no such .deb.
        command
            .args(["deb", "--arch", "mipsel"])
            .env_remove("SOURCE_DATE_EPOCH");
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        let output = command.output().expect("it runs");
        assert!(!output.status.success(), "{epoch:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for epoch in [None, Some(""), Some("yesterday")] {
        let stderr = build(epoch);
        assert!(
            stderr.contains("SOURCE_DATE_EPOCH: must be set"),
            "{epoch:?}: {stderr}"
        );
    }
    let stderr = build(Some("1764000000"));
    assert!(stderr.contains("deb: exists for x86_64"), "{stderr}");
    // A checkout whose git is not installed, or reports no commit.
    std::fs::create_dir(folder.path().join(".git")).expect("a folder");
    let stderr = build(None);
    assert!(
        stderr.contains("SOURCE_DATE_EPOCH: must be set"),
        "{stderr}"
    );
}

/// Every shell script, except those of the services, which tests/service/scripts.rs checks.
const SCRIPTS: &[&str] = &[
    "packaging/build",
    "packaging/try",
    "packaging/ports",
    "packaging/install.sh",
    "packaging/lib",
    "packaging/kinds",
    "packaging/alerts",
    "packaging/mqtt/ace-mqtt",
    "packaging/push",
    "packaging/debian/ace-connection-logger.postinst",
    "packaging/debian/ace-connection-logger.postrm",
    "tests/run",
    "tests/long",
    "tests/run_for_hours",
    "tests/small_memory",
    "tests/qemu",
    "tests/coverage",
    "tests/mutants",
    "tests/proof",
    "tests/service/booted",
    "fuzz/run",
    "benches/run",
    "benches/sites/measure",
    ".ci/run",
];

#[test]
fn shellcheck_warns_of_nothing_in_any_script() {
    if Command::new("shellcheck")
        .arg("--version")
        .output()
        .is_err()
    {
        return common::skip(
            "shellcheck_warns_of_nothing_in_any_script",
            "shellcheck is not installed",
        );
    }
    let mut command = Command::new("shellcheck");
    // 2034 and 2154 do not see that a sourced file uses the variables of the file that sources it.
    command
        .args([
            "--severity=warning",
            "--external-sources",
            "--exclude=SC2034,SC2154",
        ])
        .current_dir(root_of_checkout());
    for script in SCRIPTS {
        let path = root_of_checkout().join(script);
        if path.is_dir() {
            let files = std::fs::read_dir(&path)
                .expect("a folder")
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_none_or(|extension| extension != "py"));
            command.args(files);
        } else {
            assert!(path.is_file(), "{script}");
            command.arg(path);
        }
    }
    output_of(&mut command);
}
