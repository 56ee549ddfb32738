//! Inputs become files: each once, in name order, nothing missing in silence.

use std::fs;
use std::path::Path;

use flowaudit::ingest::find;
use tempfile::TempDir;

fn tree() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["b/2.log", "b/1.log", "a.log", ".hidden/x.log", "b/.dot", "b/c/3.log"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    folder
}

fn names(folder: &Path, inputs: &[&str]) -> Vec<String> {
    let root = folder.to_string_lossy().into_owned();
    let inputs: Vec<String> = inputs.iter().map(|input| input.replace('~', &root)).collect();
    let found = find(&inputs).unwrap();
    assert_eq!(found.failures, []);
    found.sources.iter().map(|source| source.name.replace(&root, "~")).collect()
}

#[test]
fn folders_are_walked_and_files_come_once() {
    let folder = tree();
    let all = ["~/a.log", "~/b/1.log", "~/b/2.log", "~/b/c/3.log"];
    let cases: [(&[&str], &[&str]); 6] = [
        (&["~"], &all),
        (&["~/b", "~/a.log", "~/b/1.log"], &all),
        (&["~/*.log"], &all[..1]),
        (&["~/b/*.log", "~/b/[12].log"], &all[1..3]),
        (&["~/**/?.log"], &all),
        (&["-", "~/a.log", "-"], &["-", "~/a.log"]),
    ];
    for (inputs, expected) in cases {
        let mut found = names(folder.path(), inputs);
        found.retain(|name| !name.contains(".hidden"));
        assert_eq!(found, expected, "{inputs:?}");
    }
}

#[test]
fn what_was_named_and_is_not_there_is_an_error() {
    for input in ["/nowhere/at/all.log", "/nowhere/*.log", ""] {
        let error = find(&[input.to_owned()]).unwrap_err();
        assert!(error.0.starts_with(input), "{input}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn links_do_not_hang_and_do_not_double() {
    use std::os::unix::fs::symlink;
    let folder = tree();
    symlink(folder.path(), folder.path().join("b/loop")).unwrap();
    symlink(folder.path().join("a.log"), folder.path().join("link.log")).unwrap();
    assert_eq!(names(folder.path(), &["~"]), ["~/a.log", "~/b/1.log", "~/b/2.log", "~/b/c/3.log"]);
    symlink(folder.path().join("gone"), folder.path().join("broken.log")).unwrap();
    let found = find(&[folder.path().to_string_lossy().into_owned()]).unwrap();
    assert_eq!((found.sources.len(), found.failures.len()), (4, 1));
    assert!(found.failures[0].0.ends_with("broken.log"));
}
