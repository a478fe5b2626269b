//! Flattens a tree of TypeScript modules into one minified script.
//!
//! It knows exactly the module syntax the sources use: `import { name } from "./file.ts"`, `import
//! text from "./file.css"` and `export` before a declaration. Anything else is an error, never a
//! guess: it must not rename, so two modules may not declare the same name at top level.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use oxc::allocator::Allocator;
use oxc::ast::ast::{ImportDeclaration, ImportDeclarationSpecifier, Statement};
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc::diagnostics::Diagnostics;
use oxc::minifier::{CompressOptions, MangleOptions, Minifier, MinifierOptions};
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::{GetSpan, SourceType, Span};
use oxc::transformer::{TransformOptions, Transformer};

use crate::css;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How the browser loads the result.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A classic script of a foreign page: it leaks no name.
    Script,
    /// `<script type="module">` of our own page.
    Module,
}

/// A compiled script and every file it was made of.
pub(crate) struct Bundle {
    pub(crate) code: String,
    pub(crate) sources: Vec<PathBuf>,
}

pub(crate) fn compile(entry: &Path, kind: Kind) -> Result<Bundle> {
    let mut graph = Graph::default();
    graph.visit(&entry.canonicalize()?)?;
    let body = graph.text;
    let source = format!("(() => {{\n\"use strict\";\n{body}\n}})();\n");
    Ok(Bundle { code: minify(&source, entry, kind)?, sources: graph.sources })
}

/// The modules met so far, their text in an order that declares before it uses.
#[derive(Default)]
struct Graph {
    sources: Vec<PathBuf>,
    text: String,
    names: BTreeMap<String, PathBuf>,
}

impl Graph {
    fn visit(&mut self, path: &Path) -> Result<()> {
        if self.sources.iter().any(|seen| seen == path) {
            return Ok(());
        }
        self.sources.push(path.to_owned());
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, &text, SourceType::ts()).parse();
        fail_on(&parsed.diagnostics, path)?;
        self.claim_names(&parsed.program, path)?;

        let mut blanks = Vec::new();
        for statement in &parsed.program.body {
            if let Statement::ImportDeclaration(import) = statement {
                self.follow(import, path)?;
                blanks.push(import.span);
            } else if let Statement::ExportDeclaration(export) = statement {
                blanks.push(Span::new(export.span.start, export.declaration.span().start));
            } else if statement.is_module_declaration() {
                return Err(at(path, &text, statement.span(), "this export form is not supported"));
            }
        }
        self.text.push_str(&blank(&text, &blanks));
        self.text.push('\n');
        Ok(())
    }

    /// Every top-level name, types included, belongs to one module of the bundle.
    fn claim_names(&mut self, program: &oxc::ast::ast::Program<'_>, path: &Path) -> Result<()> {
        let built = SemanticBuilder::new().with_check_syntax_error(true).build(program);
        fail_on(&built.diagnostics, path)?;
        let scoping = built.semantic.scoping();
        for symbol in scoping.iter_bindings_in(scoping.root_scope_id()) {
            if scoping.symbol_flags(symbol).is_import() {
                continue;
            }
            let name = scoping.symbol_name(symbol).to_owned();
            if let Some(other) = self.names.insert(name.clone(), path.to_owned()) {
                let (here, there) = (path.display(), other.display());
                return Err(format!("{here}: `{name}` is also declared in {there}").into());
            }
        }
        Ok(())
    }

    fn follow(&mut self, import: &ImportDeclaration<'_>, path: &Path) -> Result<()> {
        let target = import.source.value.as_str();
        let folder = path.parent().ok_or("a source file has a folder")?;
        if import.import_kind.is_type() {
            return Ok(());
        }
        if !target.starts_with("./") {
            return Err(format!("{}: `{target}` is not a relative import", path.display()).into());
        }
        let file = folder.join(target).canonicalize();
        let file = file.map_err(|error| format!("{}: {target}: {error}", path.display()))?;
        for specifier in import.specifiers.iter().flatten() {
            if let ImportDeclarationSpecifier::ImportSpecifier(named) = specifier
                && named.imported.name() == named.local.name.as_str()
            {
                continue;
            }
            if let ImportDeclarationSpecifier::ImportDefaultSpecifier(text) = specifier
                && target.ends_with(".css")
            {
                self.inline_css(&file, text.local.name.as_str())?;
                continue;
            }
            return Err(format!("{}: rename in `{target}`", path.display()).into());
        }
        if target.ends_with(".css") { Ok(()) } else { self.visit(&file) }
    }

    fn inline_css(&mut self, file: &Path, name: &str) -> Result<()> {
        self.sources.push(file.to_owned());
        if let Some(other) = self.names.insert(name.to_owned(), file.to_owned()) {
            return Err(format!("`{name}` is also declared in {}", other.display()).into());
        }
        let text = css::minify(&fs::read_to_string(file)?);
        self.text.push_str(&format!("const {name} = {text:?};\n"));
        Ok(())
    }
}

/// The text with the spans turned into blanks; line numbers stay true.
fn blank(text: &str, spans: &[Span]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for span in spans {
        out.push_str(&text[from..span.start as usize]);
        let cut = &text[span.start as usize..span.end as usize];
        out.extend(cut.chars().map(|c| if c == '\n' { c } else { ' ' }));
        from = span.end as usize;
    }
    out.push_str(&text[from..]);
    out
}

/// Strips the types, compresses, mangles and prints.
fn minify(source: &str, entry: &Path, kind: Kind) -> Result<String> {
    let allocator = Allocator::default();
    let source_type = match kind {
        Kind::Script => SourceType::ts().with_script(true),
        Kind::Module => SourceType::ts(),
    };
    let parsed = Parser::new(&allocator, source, source_type).parse();
    fail_on(&parsed.diagnostics, entry)?;
    let mut program = parsed.program;

    let scoping = SemanticBuilder::new().build(&program).semantic.into_scoping();
    let stripped = Transformer::new(&allocator, entry, &TransformOptions::default())
        .build_with_scoping(scoping, &mut program);
    fail_on(&stripped.diagnostics, entry)?;

    let options = MinifierOptions {
        mangle: Some(MangleOptions::default()),
        mangle_properties: None,
        compress: Some(CompressOptions::smallest()),
    };
    let minified = Minifier::new(options).minify(&allocator, &mut program);
    let printed = Codegen::new()
        .with_options(CodegenOptions {
            minify: true,
            comments: CommentOptions::disabled(),
            ..CodegenOptions::default()
        })
        .with_scoping(minified.scoping)
        .with_private_member_mappings(minified.class_private_mappings)
        .build(&program);
    Ok(printed.code)
}

fn fail_on(diagnostics: &Diagnostics, path: &Path) -> Result<()> {
    match diagnostics.first() {
        None => Ok(()),
        Some(first) => Err(format!("{}: {first}", path.display()).into()),
    }
}

fn at(path: &Path, text: &str, span: Span, what: &str) -> Box<dyn Error> {
    let line = text[..span.start as usize].matches('\n').count() + 1;
    format!("{}:{line}: {what}", path.display()).into()
}
