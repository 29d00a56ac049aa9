//! What only a build script can know: whether this Python has a GIL, where libpython is (the binary
//! looks for it there), which Python this build is for, and which Python sources the binary
//! carries. For the wheel it builds the program without Python that is the parent of workers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// The Python package, relative to this crate.
const PACKAGE: &str = "python/smolcorn";

/// The program that the wheel carries, as cargo calls it, and as the wheel does (`pyproject.toml`).
const SUPERVISOR: &str = "smolcorn-supervisor";
const SUPERVISOR_CARRIED: &str = "smolcorn";

/// The package that has that program, and its features, which are some of ours.
const CONTROL: &str = "smolcorn-control";
const CONTROL_FEATURES: [&str; 2] = ["async-h1", "tungstenite"];

/// Those of its modules that no server imports by itself.
const FOR_PROGRAMS: &str = "smolcorn.compat";

/// Compiles modules, relative to this crate.
const COMPILER: &str = "src/embed/compile.py";

/// Set while the extension module of the wheel is built.
const EXTENSION: &str = "PYO3_BUILD_EXTENSION_MODULE";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={EXTENSION}");
    pyo3_build_config::use_pyo3_cfgs();
    // The wheel names no libpython, for it runs inside the user's interpreter, and it brings its
    // Python sources as files.
    if env::var_os(EXTENSION).is_some() {
        let is_release = variable("PROFILE")? == "release";
        let has_supervisor = env::var_os("CARGO_CFG_UNIX").is_some();
        // Without it the parent of workers is a Python process: good enough to develop with.
        return match is_release && has_supervisor {
            true => build_supervisor(),
            false => Ok(()),
        };
    }
    pyo3_build_config::add_libpython_rpath_link_args();
    name_python();
    embed_package()
}

/// Builds the supervisor for the wheel, with a cargo of its own: what is built now is a library.
fn build_supervisor() -> io::Result<()> {
    for source in ["Cargo.toml", "Cargo.lock", "src/control", "actors"] {
        println!("cargo:rerun-if-changed={source}");
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let (folder, target) = (out.join("supervisor"), variable("TARGET")?);
    let is_on = |name: &&&str| {
        let name = name.to_uppercase().replace('-', "_");
        env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
    };
    let features: Vec<&str> = CONTROL_FEATURES.iter().filter(is_on).copied().collect();
    let status = Command::new(variable("CARGO")?)
        .args(["build", "--release", "--package", CONTROL])
        .args(["--bin", SUPERVISOR, "--features", &features.join(",")])
        // Whatever it needs this crate needs as well, and so it is there.
        .args(["--locked", "--offline", "--target", &target])
        .arg("--target-dir")
        .arg(&folder)
        // It waits most of the time.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
        .env_remove(EXTENSION)
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{SUPERVISOR}: cargo: {status}")));
    }
    let built = folder.join(&target).join("release").join(SUPERVISOR);
    fs::copy(built, out.join(SUPERVISOR_CARRIED))?;
    Ok(())
}

/// Tells the crate which Python it is for, as `3.13`, or `3.13t` when free-threaded.
fn name_python() {
    let python = pyo3_build_config::get();
    let version = python.version();
    let threads = if python.target_abi().kind().is_free_threaded() {
        "t"
    } else {
        ""
    };
    println!(
        "cargo:rustc-env=SMOLCORN_PYTHON_VERSION={}.{}{threads}",
        version.major, version.minor
    );
}

/// Writes the package's modules, and their list, for `src/embed/package.rs`.
fn embed_package() -> io::Result<()> {
    println!("cargo:rerun-if-changed={PACKAGE}");
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut modules = Vec::new();
    collect_modules(&root.join(PACKAGE), "smolcorn", &mut modules)?;
    modules.sort();
    let folder = PathBuf::from(variable("OUT_DIR")?);
    let compiled = modules
        .iter()
        .filter(|(name, ..)| !name.starts_with(FOR_PROGRAMS));
    let are_compiled = compile(compiled, &folder)?;
    for (name, path, _) in &modules {
        let has_bytecode = are_compiled && !name.starts_with(FOR_PROGRAMS);
        let bytecode = match has_bytecode {
            true => fs::read(folder.join(format!("{name}.pyc")))?,
            false => Vec::new(),
        };
        deflate(&bytecode, &folder.join(format!("{name}.pyc.deflated")))?;
        deflate(
            &fs::read(path)?,
            &folder.join(format!("{name}.py.deflated")),
        )?;
    }
    fs::write(folder.join("package.rs"), package_source(&modules))
}

/// Compiles modules into `folder`; false if there is no Python for that. Without, the binary
/// compiles them at each start.
fn compile<'a>(modules: impl Iterator<Item = &'a Module>, folder: &Path) -> io::Result<bool> {
    println!("cargo:rerun-if-changed={COMPILER}");
    let compiler = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join(COMPILER);
    // Where one is built for another system, there is none that could run here.
    let Some(python) = pyo3_build_config::get().executable() else {
        return Ok(false);
    };
    let status = Command::new(python)
        .arg("-I")
        .arg(compiler)
        .arg(folder)
        .args(modules.map(|(name, path, _)| format!("{name}={}", path.display())))
        .status()?;
    match status.success() {
        true => Ok(true),
        false => Err(io::Error::other(format!("{COMPILER}: {status}"))),
    }
}

/// Writes `content` to `path`, deflated.
fn deflate(content: &[u8], path: &Path) -> io::Result<()> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    fs::write(path, encoder.finish()?)
}

/// A module of the package: its dotted name, its file, and whether it is a package itself.
type Module = (String, PathBuf, bool);

/// Gathers the modules below `folder`, whose dotted name is `package`.
fn collect_modules(folder: &Path, package: &str, modules: &mut Vec<Module>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        if path.is_dir() {
            if path.join("__init__.py").is_file() {
                collect_modules(&path, &format!("{package}.{stem}"), modules)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "py") {
            if stem == "__init__" {
                modules.push((package.to_owned(), path, true));
            } else {
                modules.push((format!("{package}.{stem}"), path, false));
            }
        }
    }
    Ok(())
}

/// The Rust expression that is written.
fn package_source(modules: &[Module]) -> String {
    let mut source = String::from("&[\n");
    for (name, _, is_package) in modules {
        let file = |ending| {
            format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.{ending}.deflated\"))")
        };
        source.push_str(&format!(
            "    Module {{ name: {name:?}, is_package: {is_package}, source: {}, bytecode: {} }},\n",
            file("py"),
            file("pyc"),
        ));
    }
    source.push_str("]\n");
    source
}

/// A variable that cargo sets for build scripts.
fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}
