//! Reads the project's own sources: which files there are, and which paths a Rust file names. It judges nothing:
//! the rules stand in `tests/tidy.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// Folders that hold nothing written by hand.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", "gen"];

/// The workspace's folder.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Every file under `folder`, as paths below the workspace, in order, whose name ends in one of `endings`.
pub fn files(folder: &str, endings: &[&str]) -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let below = path.strip_prefix(&root).unwrap_or(&path);
                found.push(below.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// The text of a file below the workspace; empty if it is not text.
pub fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

/// One path a file names, with `self`, `super` and `crate` resolved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// Where it stands, from 1.
    pub line: usize,
    /// `["crate", "store", "open"]`, or what an outside path begins with.
    pub path: Vec<String>,
    /// Inside a function or module that exists in tests only.
    pub in_test: bool,
    /// Inside a test whose clock stands still: waiting costs it no time.
    pub is_paused: bool,
}

/// The module a file of a crate's `src` is, from the crate down: `domain/decide/mod.rs` is `domain::decide`.
pub fn module_of(file_below_src: &str) -> Vec<String> {
    let mut module: Vec<String> =
        file_below_src.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// The variants of an enumeration, in order; none if the file does not have it.
pub fn variants(file: &str, name: &str) -> Vec<String> {
    let Ok(file) = syn::parse_file(&text(file)) else { return vec![] };
    let found = file.items.iter().find_map(|item| {
        let syn::Item::Enum(item) = item else { return None };
        (item.ident == name).then_some(&item.variants)
    });
    let found = found.into_iter().flatten();
    found.map(|variant| variant.ident.to_string()).collect()
}

/// The files below `folder` that exist in tests only, because a module declares them so.
pub fn test_files(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(folder, &[".rs"]) {
        let Ok(parsed) = syn::parse_file(&text(&file)) else { continue };
        let (above, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let stem = name.trim_end_matches(".rs");
        let below = match stem {
            "mod" | "lib" | "main" => above.to_owned(),
            _ => format!("{above}/{stem}"),
        };
        for item in &parsed.items {
            let syn::Item::Mod(item) = item else { continue };
            if item.content.is_none() && item.attrs.iter().any(is_test_only) {
                let module = item.ident.to_string();
                found.insert(format!("{below}/{module}.rs"));
                // Declared with `#[path]`, a module lies beside the file that declares it.
                found.insert(format!("{above}/{module}.rs"));
            }
        }
    }
    found
}

/// Every path of at least two names in `text`, which is module `module`: in `use` trees, in types and
/// expressions, and inside macro calls.
pub fn named(module: &[String], text: &str) -> syn::Result<Vec<Named>> {
    let file = syn::parse_file(text)?;
    let mut reader =
        Reader { module: module.to_vec(), tests: 0, is_paused: false, found: Vec::new() };
    reader.visit_file(&file);
    Ok(reader.found)
}

struct Reader {
    module: Vec<String>,
    /// How many enclosing items exist in tests only.
    tests: usize,
    is_paused: bool,
    found: Vec<Named>,
}

impl Reader {
    fn add(&mut self, span: Span, names: &[String]) {
        if names.len() < 2 {
            return;
        }
        let mut above = self.module.clone();
        let mut rest = names;
        let mut is_ours = false;
        while let [first, tail @ ..] = rest {
            match first.as_str() {
                "crate" => above.clear(),
                "self" => {}
                "super" => drop(above.pop()),
                _ => break,
            }
            is_ours = true;
            rest = tail;
        }
        let mut path = Vec::new();
        if is_ours {
            path.push("crate".to_owned());
            path.extend(above);
        }
        path.extend_from_slice(rest);
        let (line, in_test) = (span.start().line, self.tests > 0);
        self.found.push(Named { line, path, in_test, is_paused: self.is_paused });
    }

    fn add_tree(&mut self, tree: &syn::UseTree, before: &[String], span: Span) {
        let mut path = before.to_vec();
        match tree {
            syn::UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.add_tree(&step.tree, &path, step.ident.span());
            }
            syn::UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.add(name.ident.span(), &path);
            }
            syn::UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                self.add(name.ident.span(), &path);
            }
            syn::UseTree::Glob(_) => {
                path.push("*".to_owned());
                self.add(span, &path);
            }
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.add_tree(item, before, span);
                }
            }
        }
    }

    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut chain: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(start, &chain);
                        chain.clear();
                        start = ident.span();
                    }
                    chain.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !chain.is_empty() => {
                    colons += 1;
                }
                TokenTree::Group(group) => {
                    self.add(start, &chain);
                    chain.clear();
                    self.add_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.add(start, &chain);
                    chain.clear();
                    colons = 0;
                }
            }
        }
        self.add(start, &chain);
    }

    fn within<T>(
        &mut self,
        attributes: &[syn::Attribute],
        inner: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let is_test = attributes.iter().any(is_test_only);
        self.tests += usize::from(is_test);
        let value = inner(self);
        self.tests -= usize::from(is_test);
        value
    }
}

/// `#[cfg(test)]`, `#[test]`, `#[tokio::test]`.
fn is_test_only(attribute: &syn::Attribute) -> bool {
    let last = attribute.path().segments.last().map(|segment| segment.ident.to_string());
    match last.as_deref() {
        Some("test") => true,
        Some("cfg") => attribute
            .meta
            .require_list()
            .is_ok_and(|list| list.tokens.to_string().split_whitespace().eq(["test"])),
        Some(_) | None => false,
    }
}

/// `#[tokio::test(start_paused = true)]`.
fn pauses_the_clock(attribute: &syn::Attribute) -> bool {
    let list = attribute.meta.require_list();
    list.is_ok_and(|list| list.tokens.to_string().contains("start_paused = true"))
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_none() {
            return;
        }
        self.module.push(item.ident.to_string());
        self.within(&item.attrs, |reader| visit::visit_item_mod(reader, item));
        self.module.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let is_paused = item.attrs.iter().any(pauses_the_clock);
        let before = std::mem::replace(&mut self.is_paused, is_paused);
        self.within(&item.attrs, |reader| visit::visit_item_fn(reader, item));
        self.is_paused = before;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.within(&item.attrs, |reader| {
            reader.add_tree(&item.tree, &[], item.use_token.span);
        });
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|one| one.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.add(first.ident.span(), &names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::{module_of, named};

    fn check(module: &str, text: &str, expected: &[&str]) {
        let found = named(&module_of(module), text).expect("the text is Rust");
        let found: Vec<String> =
            found.iter().map(|one| format!("{} {}", one.line, one.path.join("::"))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn use_trees_are_taken_apart() {
        check(
            "domain/decide/mod.rs",
            "use crate::{store::open, domain::id::Id as Other};\nuse super::super::search::*;\nuse self::desk;",
            &[
                "1 crate::store::open",
                "1 crate::domain::id::Id",
                "2 crate::search::*",
                "3 crate::domain::decide::desk",
            ],
        );
    }

    #[test]
    fn paths_in_types_calls_and_macros_are_seen() {
        check(
            "worker/mod.rs",
            "fn f(a: crate::store::Key) {\n  crate::door::go::<super::app::T>();\n  matches!(x, crate::ai::A(crate::door::B));\n}",
            &[
                "1 crate::store::Key",
                "2 crate::door::go",
                "2 crate::app::T",
                "3 crate::ai::A",
                "3 crate::door::B",
            ],
        );
    }

    #[test]
    fn inline_modules_count_as_a_step() {
        check(
            "domain/id.rs",
            "#[cfg(test)] mod tests { use super::Id; use super::super::key::Key; }",
            &["1 crate::domain::id::Id", "1 crate::domain::key::Key"],
        );
    }
}
