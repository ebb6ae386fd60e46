//! Gives what a WebAssembly module imports short names, in the module and in its JavaScript.
//!
//! The generated names carry hashes, which no compressor makes smaller, and a page would download each of them
//! twice. Numbers do as well: only these two files ever see them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::failure::{CHECK_DISK, Failure, OrFail, Result};

/// The names of imports. Each one's place among them is its short name.
pub struct ShortNames(Vec<String>);

impl ShortNames {
    /// For these imports; one that is imported twice has one name.
    pub fn new<'a>(imports: impl Iterator<Item = &'a str>) -> Self {
        let names: BTreeSet<&str> = imports.collect();
        Self(names.into_iter().map(str::to_owned).collect())
    }

    /// The short name of an import; of what is none, its own.
    pub fn of(&self, name: &str) -> String {
        let place = self.0.iter().position(|known| known == name);
        place.map_or_else(|| name.to_owned(), |place| place.to_string())
    }

    /// Writes them into the JavaScript that provides the imports.
    pub fn write_to(&self, file: &Path) -> Result {
        let shown = file.display();
        let script =
            fs::read_to_string(file).or_fail(format!("cannot read {shown}"), CHECK_DISK)?;
        fs::write(file, self.rename(script)?).or_fail(format!("cannot write {shown}"), CHECK_DISK)
    }

    fn rename(&self, mut script: String) -> Result<String> {
        for (place, name) in self.0.iter().enumerate() {
            let defined = format!(" {name}: function(");
            if script.matches(&defined).count() != 1 {
                return Err(Failure::new(
                    format!("the generated JavaScript does not define the import {name} once"),
                    "wasm-bindgen writes imports in another way now: teach it to xtask/src/short_names.rs",
                ));
            }
            script = script.replace(&defined, &format!(" {place}: function("));
        }
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "const import0 = {\n  __proto__: null,\n  __wbg_new_12ab: function(arg0) {},\n  __wbg_new_no_args_34cd: function() { return f(function (arg0) {}, arguments); },\n};\n";

    fn names() -> ShortNames {
        ShortNames::new(["__wbg_new_no_args_34cd", "__wbg_new_12ab", "__wbg_new_12ab"].into_iter())
    }

    #[test]
    fn module_and_script_agree() {
        let names = names();
        assert_eq!(names.of("__wbg_new_12ab"), "0");
        assert_eq!(names.of("__wbg_new_no_args_34cd"), "1");
        assert_eq!(names.of("memory"), "memory");
        let renamed = names.rename(SCRIPT.to_owned()).unwrap();
        assert_eq!(
            renamed,
            "const import0 = {\n  __proto__: null,\n  0: function(arg0) {},\n  1: function() { return f(function (arg0) {}, arguments); },\n};\n"
        );
    }

    #[test]
    fn an_import_that_the_script_does_not_define_is_an_error() {
        for script in ["", &SCRIPT.repeat(2)] {
            let failure = names().rename(script.to_owned()).unwrap_err();
            assert!(failure.to_string().contains("__wbg_new_12ab"), "{failure}");
        }
    }
}
