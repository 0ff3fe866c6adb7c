//! What a program says about itself: a wrong one in an archive is found by users, and by nobody before.

use anyhow::{Context, Result, bail};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Architecture, BinaryFormat, Object};

use crate::platform::Platform;

/// Sees that a program is for this platform, and that one for Linux asks for no loader and so for no C library.
///
/// # Errors
/// Says what it is instead.
pub fn verify(program: &[u8], platform: Platform) -> Result<()> {
    let file = object::File::parse(program).context("it is no program")?;
    let format = match platform.os {
        "linux" => BinaryFormat::Elf,
        "darwin" => BinaryFormat::MachO,
        _ => BinaryFormat::Pe,
    };
    let architecture = match platform.arch {
        "amd64" => Architecture::X86_64,
        _ => Architecture::Aarch64,
    };
    if (file.format(), file.architecture()) != (format, architecture) {
        bail!("it is for {:?} in {:?}", file.architecture(), file.format());
    }
    if let Some(loader) = loader(program)? {
        bail!("it is not static: it asks for {loader}");
    }
    Ok(())
}

/// The program that an ELF file wants to be started by.
fn loader(program: &[u8]) -> Result<Option<String>> {
    let Ok(header) = object::elf::FileHeader64::<object::Endianness>::parse(program) else {
        return Ok(None);
    };
    let endian = header.endian()?;
    for segment in header.program_headers(endian, program)? {
        if let Some(path) = segment.interpreter(endian, program)? {
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(program: &[u8], platform: &str) -> String {
        let refused = verify(program, platform.parse().unwrap());
        refused.unwrap_err().to_string()
    }

    #[test]
    fn a_program_of_another_platform_and_no_program_at_all_are_refused() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(refusal(&own, "windows/amd64").starts_with("it is for "));
        assert_eq!(refusal(b"#!/bin/sh\n", "linux/amd64"), "it is no program");
    }

    /// Tests are linked against the C library of the machine that runs them.
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_program_that_needs_a_loader_is_refused() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let platform = if cfg!(target_arch = "x86_64") {
            "linux/amd64"
        } else {
            "linux/arm64"
        };
        let said = refusal(&own, platform);
        assert!(said.starts_with("it is not static: it asks for /lib"), "{said}");
    }
}
