//! The same figures of another build: with link-time optimization.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, io};

/// What `lines` prints, built with the profile `lto`.
pub fn lto(is_quick: bool) -> Result<String, Box<dyn Error>> {
    let executable = env::current_exe()?;
    // The directory of the profile is in that of the target.
    let target = executable.ancestors().nth(2).ok_or("a target directory")?;
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--profile", "lto", "--manifest-path"]);
    build.arg(manifest).arg("--target-dir").arg(target);
    succeeded(build.status()?.success())?;
    let mut run = Command::new(target.join("lto").join("peers"));
    run.arg("lines");
    run.args(is_quick.then_some("--quick"));
    let output = run.stderr(Stdio::inherit()).output()?;
    succeeded(output.status.success())?;
    Ok(String::from_utf8(output.stdout)?)
}

fn succeeded(has_succeeded: bool) -> io::Result<()> {
    if has_succeeded {
        Ok(())
    } else {
        Err(io::Error::other("the build with link-time optimization"))
    }
}
