//! Which files are tests: those named, and the YAML files of the folders named, in the order of their names.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The most files one run takes.
const FILES_MAX: usize = 2_000;
/// How deep folders are searched.
const DEPTH_MAX: usize = 16;

/// Every test file, each folder's in the order of their names.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, DEPTH_MAX, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        return Err(Failure::usage("no_tests", "there is no .yaml or .yml file in there"));
    }
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage("unreadable", format!("cannot read {}: {error}", folder.display()))
    };
    if depth == 0 {
        let text = format!("{} lies deeper than {DEPTH_MAX} folders", folder.display());
        return Err(Failure::usage("too_deep", text));
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // Links are not followed into folders: they may lead in circles.
        let is_folder = entry.file_type().map_err(unreadable)?.is_dir();
        entries.push((entry.path(), is_folder));
    }
    entries.sort();
    for (path, is_folder) in entries {
        if is_folder {
            walk(&path, depth - 1, found)?;
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            let text = format!("there are more than {FILES_MAX} files; name fewer folders");
            return Err(Failure::usage("too_many", text));
        }
    }
    Ok(())
}
