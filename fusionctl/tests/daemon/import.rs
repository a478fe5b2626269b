//! `article import`: what is put, what is refused and why, and a second run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::process::Daemon;
use crate::run::{Ran, run};

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn article(title: &str) -> String {
    format!("---\ntitle: \"{title}\"\nid: 77\nlocale: de\n---\n\nBody of {title}.\n")
}

async fn import(daemon: &Daemon, dir: &Path) -> Ran {
    run(daemon.address, &["article", "import", dir.to_str().unwrap(), "-o", "json"]).await
}

fn counts(json: &Value) -> [u64; 4] {
    ["created", "changed", "unchanged", "refused"].map(|name| json[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_second_import_changes_nothing() {
    let daemon = Daemon::start().await;
    let dir = tempfile::tempdir().unwrap();
    for index in 0..40 {
        write(dir.path(), &format!("part-{}/page-{index}.md", index % 3), article("A page"));
    }
    write(dir.path(), ".git/hidden.md", article("Hidden"));
    write(dir.path(), "readme.txt", "no article");
    let first = import(&daemon, dir.path()).await;
    assert_eq!((first.exit, counts(&first.json())), (0, [40, 0, 0, 0]), "{first:?}");
    assert_eq!(first.json()["files"][0]["sourcePath"], "part-0/page-0.md");
    assert_eq!(first.json()["files"][0]["externalId"], "77");
    {
        let rows = daemon.mock.rows();
        let stored = &rows.articles["part-0/page-0.md"];
        assert_eq!((stored.title.as_str(), stored.locale.as_str()), ("A page", "de"));
        assert_eq!(stored.body, "Body of A page.\n");
        assert_eq!(stored.client_id.len(), 32);
    }
    write(dir.path(), "part-0/page-0.md", article("Another page"));
    let second = import(&daemon, dir.path()).await;
    assert_eq!((second.exit, counts(&second.json())), (0, [0, 1, 39, 0]));
}

#[tokio::test]
async fn what_cannot_be_an_article_is_named_with_its_reason() {
    let daemon = Daemon::start().await;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "good.md", article("Good"));
    write(dir.path(), "no-title.md", "---\nid: 1\n---\nBody");
    write(dir.path(), "no-head.md", "# A heading\n");
    write(dir.path(), "open-head.md", "---\ntitle: a\n");
    write(dir.path(), "latin1.md", b"---\ntitle: caf\xe9\n---\n");
    write(dir.path(), "huge.md", format!("{}{}", article("Huge"), "x".repeat(256 * 1024)));
    write(dir.path(), "unwanted.md", format!("{}refuse me", article("Unwanted")));
    let mut expected = vec![
        ("huge.md", "too_large"),
        ("latin1.md", "not_utf8"),
        ("no-head.md", "no_title"),
        ("no-title.md", "no_title"),
        ("open-head.md", "bad_front_matter"),
        ("unwanted.md", "invalid_argument"),
    ];
    #[cfg(unix)]
    {
        let outside = dir.path().join("good.md");
        std::os::unix::fs::symlink(outside, dir.path().join("link.md")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        expected.push(("link.md", "symbolic_link"));
    }
    expected.sort_unstable();
    let ran = import(&daemon, dir.path()).await;
    assert_eq!(ran.exit, 11, "{ran:?}");
    let json = ran.json();
    assert_eq!(counts(&json), [1, 0, 0, expected.len() as u64]);
    let files = json["files"].as_array().unwrap();
    let refused: Vec<(&str, &str)> = files
        .iter()
        .filter(|file| file["outcome"] == "refused")
        .map(|file| (file["sourcePath"].as_str().unwrap(), file["code"].as_str().unwrap()))
        .collect();
    assert_eq!(refused, expected);
    assert_eq!((&ran.failure()["code"], &ran.failure()["exit"]), (&"partial".into(), &11.into()));

    let words = ["article", "import", dir.path().to_str().unwrap()];
    let table = run(daemon.address, &words).await;
    assert_eq!(table.exit, 11);
    assert!(table.stdout.contains("unchanged  1\n"), "{table:?}");
    assert!(table.stdout.contains("refused  latin1.md     not UTF-8 text"), "{table:?}");
    assert!(table.stderr.starts_with("error: "), "{table:?}");
}

#[tokio::test]
async fn a_missing_folder_and_a_missing_daemon_end_the_import() {
    let mut daemon = Daemon::start().await;
    let missing = import(&daemon, Path::new("/nonexistent/help")).await;
    assert_eq!((missing.exit, missing.stdout.as_str()), (2, ""));
    daemon.kill().await;
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(import(&daemon, dir.path()).await.exit, 9);
}
