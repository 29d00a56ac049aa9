//! What processes of one server tell each other and no command line may say, because everybody on
//! the machine can read that: the password of private keys. It comes through a pipe.

use std::fs::File;
use std::io::{self, Read};

use super::link::{Inheritance, UPGRADE_VARIABLE, WORKER_VARIABLE};
use crate::config::{Config, Secret};
use crate::net::descriptor;

/// The option whose value is no argument of the processes that a supervisor starts.
pub const OPTION: &str = "ssl-keyfile-password";

/// Completes a configuration whose command line a supervisor has written. Every other
/// configuration stays as it is.
///
/// # Errors
/// The system's: the pipe is not there, because the variable was not meant for this process.
pub fn complete(config: &mut Config) -> io::Result<()> {
    let text = [WORKER_VARIABLE, UPGRADE_VARIABLE]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let inheritance = text.as_deref().and_then(Inheritance::decode);
    let Some(fd) = inheritance.and_then(|inheritance| inheritance.secrets) else {
        return Ok(());
    };
    let mut password = String::new();
    File::from(descriptor::take(fd)?).read_to_string(&mut password)?;
    if let Some(tls) = &mut config.tls {
        tls.key_password = Some(Secret(password));
    }
    Ok(())
}

/// The password that a configuration knows.
pub fn of(config: &Config) -> Option<Secret> {
    config.tls.as_ref()?.key_password.clone()
}
