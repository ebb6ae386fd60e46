//! Reads which modules a WebAssembly file imports from. Nothing else of the format is understood here.
//!
//! A browser has no module `env`: a native-only dependency that the compiler accepted shows up there.

use std::collections::BTreeSet;

use crate::failure::{Failure, Result};

const MAGIC: &[u8] = b"\0asm\x01\0\0\0";
const IMPORT_SECTION: u8 = 2;

/// Fails when the module would import something that no browser provides.
pub fn check(wasm: &[u8], file: &str) -> Result {
    let modules = modules(wasm).ok_or_else(|| {
        Failure::new(
            format!("{file} is not a WebAssembly module"),
            "run `cargo clean`, then the command again",
        )
    })?;
    if modules.contains("env") {
        return Err(Failure::new(
            format!("{file} imports from the module `env`: a dependency expects a native system"),
            "find the dependency with `cargo tree -p warren-wasm --target wasm32-unknown-unknown` and turn off its native features",
        ));
    }
    Ok(())
}

/// The names of the imported modules; nothing if the bytes are malformed.
fn modules(wasm: &[u8]) -> Option<BTreeSet<String>> {
    let mut rest = Reader(wasm.strip_prefix(MAGIC)?);
    while !rest.0.is_empty() {
        let id = rest.byte()?;
        let length = rest.number()?;
        let contents = rest.take(length)?;
        if id == IMPORT_SECTION {
            return import_section(Reader(contents));
        }
    }
    Some(BTreeSet::new())
}

fn import_section(mut section: Reader) -> Option<BTreeSet<String>> {
    let mut modules = BTreeSet::new();
    for _ in 0..section.number()? {
        modules.insert(section.name()?);
        section.name()?;
        section.skip_description()?;
    }
    Some(modules)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// An unsigned LEB128 number.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn name(&mut self) -> Option<String> {
        let length = self.number()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn skip_description(&mut self) -> Option<()> {
        match self.byte()? {
            0 => self.number().map(drop),
            1 => {
                self.byte()?;
                self.skip_limits()
            }
            2 => self.skip_limits(),
            3 => self.take(2).map(drop),
            4 => {
                self.byte()?;
                self.number().map(drop)
            }
            _ => None,
        }
    }

    fn skip_limits(&mut self) -> Option<()> {
        let has_maximum = self.byte()? & 1 == 1;
        self.number()?;
        if has_maximum {
            self.number().map(drop)
        } else {
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wasm(imports: &[(&str, &[u8])]) -> Vec<u8> {
        let mut section = vec![imports.len() as u8];
        for (module, description) in imports {
            for name in [*module, "name"] {
                section.push(name.len() as u8);
                section.extend_from_slice(name.as_bytes());
            }
            section.extend_from_slice(description);
        }
        // A type section of one byte comes first, as in real modules.
        let mut bytes = [MAGIC, &[1, 1, 0, IMPORT_SECTION, section.len() as u8]].concat();
        bytes.extend(section);
        bytes
    }

    #[test]
    fn lists_modules_of_every_kind_of_import() {
        let bytes = wasm(&[
            ("f", &[0, 0x85, 0x01]),
            ("t", &[1, 0x70, 1, 0, 9]),
            ("m", &[2, 0, 1]),
            ("g", &[3, 0x7f, 0]),
            ("e", &[4, 0, 2]),
        ]);
        let found: Vec<String> = modules(&bytes).unwrap().into_iter().collect();
        assert_eq!(found, ["e", "f", "g", "m", "t"]);
    }

    #[test]
    fn refuses_env_and_only_env() {
        assert!(
            check(&wasm(&[("wbg", &[0, 0]), ("env", &[0, 0])]), "x.wasm")
                .unwrap_err()
                .to_string()
                .contains("`env`")
        );
        assert_eq!(check(&wasm(&[("environment", &[0, 0])]), "x.wasm"), Ok(()));
    }

    #[test]
    fn a_module_without_imports_is_fine() {
        assert!(modules(MAGIC).unwrap().is_empty());
    }

    #[test]
    fn malformed_bytes_are_refused() {
        let good = wasm(&[("env", &[0, 0])]);
        assert!(modules(b"\x7fELF").is_none());
        for length in MAGIC.len() + 1..good.len() {
            if length != MAGIC.len() + 3 {
                assert!(modules(&good[..length]).is_none(), "cut at {length}");
            }
        }
    }
}
