//! The command `backup`: the copy is complete even while another program writes, and never
//! overwrites a file.

use super::*;

#[test]
fn a_backup_is_consistent_while_a_writer_is_busy() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    let path = folder.path().join(FILE);
    let mut database = open(&path);
    let one = host("one", "192.0.2.1");
    let pair = |i: i64| {
        [
            check(&one, i * 10, &[Some(1)]),
            check(&host("two", "192.0.2.2"), i * 10, &[Some(1)]),
        ]
    };
    write(&mut database, &pair(0), 0);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let mut i = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                i += 1;
                write(&mut database, &pair(i), 0);
            }
        });
        let copies = scope.spawn(|| {
            for index in 0..5 {
                let copy = folder.path().join(format!("copy {index}"));
                let name = copy.to_string_lossy().into_owned();
                expect_success(program(folder.path(), &["backup", &name]));
                expect_whole(&copy);
                assert_eq!(number(&copy, "pragma application_id"), 0x4143_4c67);
                let counts = rows(&copy, "select count(*) from check_result group by host_id");
                assert!(
                    counts.len() == 2 && counts[0] == counts[1],
                    "half a commit: {counts:?}"
                );
                drop(open(&copy));
                assert_eq!(number(&copy, "select count(*) > 0 from ping_results"), 1);
            }
        });
        let copied = copies.join();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        busy.join().expect("the writer ends well");
        copied.expect("every copy is whole");
    });
}

#[test]
fn a_backup_overwrites_nothing_and_leaves_no_partial_file() {
    let folder = TempDir::new();
    configure(&folder, FILE, &["127.0.0.1"]);
    drop(open(&folder.path().join(FILE)));
    folder.write("taken", "mine");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).expect("a link");
    for name in ["taken", "link", "."] {
        let refused = program(folder.path(), &["backup", name]);
        assert_eq!(refused.code, Some(1), "{name}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("exists already"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("taken")).expect("it is there"),
        "mine"
    );
    let missing = program(folder.path(), &["backup", "no/such/folder/copy"]);
    assert_eq!(missing.code, Some(74), "{}", missing.stderr);
    for name in ["file:copy?mode=memory", ":memory:", "sp ace'q\"%20#ü"] {
        expect_success(program(folder.path(), &["backup", name]));
        expect_whole(&folder.path().join(name));
    }
    for left in ["again.part", "again.part-journal"] {
        fs::write(folder.path().join(left), "of a copy that was broken off").expect("a file");
    }
    expect_success(program(folder.path(), &["backup", "again"]));
    expect_whole(&folder.path().join("again"));
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains(".part")),
        "{left:?}"
    );
}

#[test]
fn a_backup_to_a_full_disk_leaves_no_partial_file() {
    let test = "copies::a_backup_to_a_full_disk_leaves_no_partial_file";
    with_small_disk(test, 64, |folder, small| {
        configure(folder, FILE, &["127.0.0.1"]);
        let mut database = open(&folder.path().join(FILE));
        let one = host("one", "192.0.2.1");
        let many: Vec<_> = (0..5000)
            .map(|i| check(&one, i * 1000, &[Some(9), None, Some(1)]))
            .collect();
        write(&mut database, &many, 0);
        let failed = program(folder.path(), &["backup", "small/copy"]);
        assert_eq!(failed.code, Some(74), "{}", failed.stderr);
        assert!(failed.stderr.contains("full"), "{}", failed.stderr);
        let left: Vec<_> = fs::read_dir(small)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, [""; 0]);
    });
}
