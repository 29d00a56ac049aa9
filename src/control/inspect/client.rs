//! `smolcorn inspect PID`: asks a server that runs, and prints its answer.

use std::time::Duration;

/// The word on the command line.
pub const COMMAND: &str = "inspect";

const USAGE: &str = "Usage: smolcorn inspect PID [--watch SECONDS]";

const HELP: &str = "
Shows what the server with the process number PID does now: its actors, what waits
for what, and where the event loop is. Of a parent of workers: every worker.

  --watch SECONDS  Show it again and again, with so much time between.";

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Asked {
    process: u32,
    /// Again and again, with so much time between.
    every: Option<Duration>,
}

/// Does what `arguments` (behind the word) say. Returns the exit code: 0; 1 when there is no
/// answer; 2 for a bad command line.
pub fn run(arguments: &[String]) -> i32 {
    if arguments.iter().any(|word| word == "--help") {
        println!("{USAGE}\n{HELP}");
        return 0;
    }
    let asked = match read(arguments) {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("{USAGE}\n\nError: {error}");
            return 2;
        }
    };
    match show(asked) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("Error: {error}");
            1
        }
    }
}

fn read(arguments: &[String]) -> Result<Asked, String> {
    let mut process = None;
    let mut every = None;
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if word == "--watch" {
            let seconds = rest.next().and_then(|text| text.parse().ok());
            let seconds = seconds.filter(|seconds| (0.1..=86_400.0).contains(seconds));
            let seconds = seconds.ok_or("'--watch' needs seconds, 0.1 or more.")?;
            every = Some(Duration::from_secs_f64(seconds));
        } else if process.is_none() {
            let number = word.parse().ok().filter(|number| *number > 0);
            process = Some(number.ok_or_else(|| format!("'{word}' is no number of a process."))?);
        } else {
            return Err(format!("'{word}' is too much."));
        }
    }
    match process {
        Some(process) => Ok(Asked { process, every }),
        None => Err("The number of a process is missing.".to_owned()),
    }
}

#[cfg(not(target_os = "linux"))]
fn show(_: Asked) -> Result<(), String> {
    Err("'smolcorn inspect' needs Linux. Elsewhere a server answers SIGUSR1.".to_owned())
}

#[cfg(target_os = "linux")]
use linux::show;

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IsTerminal, Read, Write};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    use std::path::Path;

    use super::*;

    /// How long a server may take to answer.
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

    pub fn show(asked: Asked) -> Result<(), String> {
        let mut stdout = io::stdout();
        let mut text = answer_of(asked.process)?;
        loop {
            if asked.every.is_some() && stdout.is_terminal() {
                text.insert_str(0, "\x1b[H\x1b[2J");
            }
            let printed = stdout.write_all(text.as_bytes());
            if printed.and_then(|()| stdout.flush()).is_err() {
                // Whoever closed the other end has seen enough.
                return Ok(());
            }
            let Some(every) = asked.every else {
                return Ok(());
            };
            std::thread::sleep(every);
            text = match answer_of(asked.process) {
                Ok(text) => text,
                // It has ended.
                Err(_) => return Ok(()),
            };
        }
    }

    /// What a process says of itself, or what its workers say.
    fn answer_of(process: u32) -> Result<String, String> {
        if !Path::new(&format!("/proc/{process}")).exists() {
            return Err(format!("There is no process {process}."));
        }
        let mut answers = Vec::new();
        for number in family_of(process) {
            match ask(number) {
                Ok(text) if text.is_empty() => {
                    return Err(format!(
                        "Process {number} answers its own user and root only."
                    ));
                }
                Ok(text) => answers.push(text),
                Err(_) => {}
            }
        }
        if answers.is_empty() {
            return Err(format!(
                "Process {process} is no smolcorn server that runs."
            ));
        }
        Ok(answers.join("\n"))
    }

    fn ask(process: u32) -> io::Result<String> {
        let name = crate::inspect::socket_name(process);
        let mut stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        // Anybody may take a name; the kernel knows who did.
        let server = rustix::net::sockopt::socket_peercred(&stream)?;
        if u32::try_from(server.pid.as_raw_nonzero().get()) != Ok(process) {
            return Err(io::ErrorKind::NotFound.into());
        }
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// `process` and those that it has started: a parent of workers has no actors itself. With
    /// `--preload` there is one more between the parent and its workers.
    fn family_of(process: u32) -> Vec<u32> {
        const GENERATIONS: usize = 2;
        let mut family = vec![process];
        let mut last = family.clone();
        for _ in 0..GENERATIONS {
            last = last.into_iter().flat_map(children).collect();
            family.extend(&last);
        }
        family
    }

    fn children(process: u32) -> Vec<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
        let tasks = tasks.into_iter().flatten().flatten();
        let lists = tasks.filter_map(|task| {
            let list = std::fs::read_to_string(task.path().join("children"));
            list.ok()
        });
        lists
            .flat_map(|list| {
                let numbers = list.split_whitespace().filter_map(|text| text.parse().ok());
                numbers.collect::<Vec<u32>>()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &[&str]) -> Result<Asked, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        read(&words)
    }

    #[test]
    fn a_process_is_asked_once_or_again_and_again() {
        let asked = |every| Asked { process: 12, every };
        assert_eq!(read_words(&["12"]), Ok(asked(None)));
        let second = Some(Duration::from_secs(1));
        assert_eq!(read_words(&["12", "--watch", "1"]), Ok(asked(second)));
        assert_eq!(read_words(&["--watch", "1", "12"]), Ok(asked(second)));
    }

    #[test]
    fn a_bad_command_line_says_what_is_wrong() {
        for (words, error) in [
            (&[][..], "The number of a process is missing."),
            (&["x"], "'x' is no number of a process."),
            (&["0"], "'0' is no number of a process."),
            (&["1", "2"], "'2' is too much."),
            (&["1", "--watch"], "'--watch' needs seconds, 0.1 or more."),
            (
                &["1", "--watch", "0"],
                "'--watch' needs seconds, 0.1 or more.",
            ),
        ] {
            assert_eq!(read_words(words), Err(error.to_owned()), "{words:?}");
        }
    }
}
