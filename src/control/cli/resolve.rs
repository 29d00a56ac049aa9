//! From what the user typed to what the server shall do: defaults, and checks across options.

use std::time::Duration;

use super::arguments::Arguments;
use super::error::{UsageError, quoted};
use super::values::{HeaderLine, Int, Share, Truth, integer};
use crate::config::{
    BindTarget, Config, DefaultHeaders, FORWARDED_ALLOW_IPS_DEFAULT, HttpLimits, LogLevel,
    OutputLimits, Placement, RELOAD_DELAY_DEFAULT, Reload, TraceConfig, WebSocketConfig,
    WebSockets,
};
use crate::reload::plan::Asked;
use crate::ws_config::WsEngine;

impl TryFrom<Arguments> for Config {
    type Error = UsageError;

    /// Fails when options contradict each other or ask for what does not exist yet.
    fn try_from(given: Arguments) -> Result<Config, UsageError> {
        // An empty path is none, as with uvicorn.
        let uds = given.uds.clone().filter(|path| !path.is_empty());
        let is_unix = |target: &BindTarget| matches!(target, BindTarget::Unix(_));
        if given.uds_mode.is_some() && uds.is_none() && !given.bind.iter().any(is_unix) {
            return Err(UsageError::new("Option '--uds-mode' needs '--uds'."));
        }
        let health_path = given.health_path.clone().filter(|path| !path.is_empty());
        if health_path.as_deref().is_some_and(|path| !is_path(path)) {
            return Err(UsageError::new(
                "Option '--health-path' needs a path that begins with '/' and has no '?'.",
            ));
        }
        let workers = given.workers.map(workers).transpose()?;
        let reload = reload(&given)?;
        let preload = given.preload.is_some_and(truth);
        if preload && reload.enabled {
            return Err(UsageError::new(
                "Option '--preload' cannot be combined with '--reload'.",
            ));
        }
        let tls = super::tls::resolve(&given)?;
        let trace = trace(&given)?;
        let mut config = Config::default();
        set_limits(&mut config.http.limits, &given);
        set_output_limits(&mut config.output, &given);
        set_headers(&mut config.http.headers, &given);
        set_websocket(&mut config.http.websocket, &given);
        config.http.websocket.machine.unsent_bytes_max = config.output.unsent_bytes_max;
        let seconds = |Int(seconds)| Duration::from_secs(unsigned(seconds));
        Ok(Config {
            app: given.words.into_iter().next().unwrap_or(config.app),
            app_dir: given.app_dir.or(config.app_dir),
            factory: given.factory.map_or(config.factory, truth),
            interface: given.interface.unwrap_or(config.interface),
            lifespan: given.lifespan.unwrap_or(config.lifespan),
            env_files: given.env_file.into_iter().map(|path| path.0).collect(),
            root_path: given.root_path.unwrap_or(config.root_path),
            reset_contextvars: given
                .reset_contextvars
                .map_or(config.reset_contextvars, truth),
            wsgi_threads: given
                .wsgi_threads
                .map_or(config.wsgi_threads, |Int(n)| narrow(n)),
            event_loop: given.event_loop.unwrap_or(config.event_loop),
            placement: given
                .io_threads
                .map_or(config.placement, |Int(n)| placement(n)),
            python: given.python.map(|path| path.0),
            binds: given.bind,
            host: given.host.unwrap_or(config.host),
            port: given.port.map_or(config.port, |Int(port)| narrow(port)),
            uds: uds.map(Into::into),
            uds_mode: given.uds_mode.map(|mode| mode.0),
            fd: given.fd.map(|Int(fd)| narrow(fd)),
            backlog: given.backlog.map_or(config.backlog, |Int(n)| narrow(n)),
            tls,
            http_engine: given.http.unwrap_or(config.http_engine),
            http: config.http,
            output: config.output,
            proxy_headers: given.proxy_headers.map_or(config.proxy_headers, truth),
            forwarded_allow_ips: given.forwarded_allow_ips,
            limit_concurrency: given.limit_concurrency.map(|Int(n)| narrow(n)),
            limit_max_requests: given.limit_max_requests.map(|Int(n)| unsigned(n)),
            limit_max_requests_jitter: given
                .limit_max_requests_jitter
                .map_or(config.limit_max_requests_jitter, |Int(n)| unsigned(n)),
            workers,
            dropped: Vec::new(),
            preload,
            reload,
            worker_healthcheck_timeout: given
                .timeout_worker_healthcheck
                .map_or(config.worker_healthcheck_timeout, seconds),
            graceful_shutdown_timeout: given
                .timeout_graceful_shutdown
                .map_or(config.graceful_shutdown_timeout, seconds),
            drain_delay: given.drain_delay.map_or(config.drain_delay, |s| s.0),
            health_path,
            worker_memory_max_mib: given.limit_worker_memory.map(|Int(n)| unsigned(n)),
            worker_age_max: given
                .limit_worker_age
                .map(|Int(n)| Duration::from_secs(unsigned(n))),
            restart_blocked_workers: given
                .restart_blocked_workers
                .map_or(config.restart_blocked_workers, truth),
            pid_file: given
                .pid_file
                .filter(|path| !path.is_empty())
                .map(Into::into),
            log_config: given.log_config.map(|path| path.0),
            log_level: given.log_level,
            access_log: given.access_log.map_or(config.access_log, truth),
            use_colors: given.use_colors.map(truth),
            trace,
        })
    }
}

impl Config {
    /// Settles what two variables say that are read late: after the application's environment
    /// file, from which they may come. Options, and variables with our prefixes, win over them.
    pub fn with_late_environment(
        mut self,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, UsageError> {
        let mut is_from_host = false;
        if self.workers.is_none() {
            let text = env("WEB_CONCURRENCY").filter(|text| !text.is_empty());
            is_from_host = text.is_some();
            self.workers = Some(text.map_or(Ok(1), |text| web_concurrency(&text))?);
        }
        if is_from_host {
            self.drop_limits_of_workers();
        }
        self.refuse_limits_of_workers()?;
        if self.forwarded_allow_ips.is_none() {
            // An empty variable is a list without members: nobody is trusted.
            let text = env("FORWARDED_ALLOW_IPS");
            self.forwarded_allow_ips =
                Some(text.unwrap_or_else(|| FORWARDED_ALLOW_IPS_DEFAULT.to_owned()));
        }
        Ok(self)
    }

    /// What only a supervisor can do must not be asked of a process that has none.
    fn refuse_limits_of_workers(&self) -> Result<(), UsageError> {
        match self.limits_without_workers().first() {
            None => Ok(()),
            Some(option) => Err(UsageError::new(format!(
                "Option '{option}' needs more than one worker (--workers)."
            ))),
        }
    }

    /// The same where the machine decides how many workers there are, and one command line serves
    /// on small machines and on large ones: nothing of it is wrong on a small one.
    fn drop_limits_of_workers(&mut self) {
        self.dropped = self.limits_without_workers();
        if !self.dropped.is_empty() {
            self.worker_memory_max_mib = None;
            self.worker_age_max = None;
            self.restart_blocked_workers = false;
            self.preload = false;
        }
    }

    /// Options that are given and that a single process cannot fulfil.
    fn limits_without_workers(&self) -> Vec<&'static str> {
        if self.workers.is_some_and(|workers| workers > 1) {
            return Vec::new();
        }
        let given = [
            (
                "--limit-worker-memory",
                self.worker_memory_max_mib.is_some(),
            ),
            ("--limit-worker-age", self.worker_age_max.is_some()),
            ("--restart-blocked-workers", self.restart_blocked_workers),
            ("--preload", self.preload),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(option, _)| option).collect()
    }
}

/// True for what can be the path of a request.
fn is_path(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.starts_with('/') && bytes.all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte))
}

fn truth(Truth(value): Truth) -> bool {
    value
}

/// A number whose type has checked that it is not negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A number whose type has checked that it fits; one that a smaller machine cannot hold becomes
/// what it can hold.
fn narrow<T: TryFrom<i64> + Bounded>(number: i64) -> T {
    T::try_from(number).unwrap_or(T::MAX)
}

/// What has a largest value.
trait Bounded {
    const MAX: Self;
}

macro_rules! bounded {
    ($($number:ty),*) => { $(impl Bounded for $number { const MAX: Self = <$number>::MAX; })* };
}
bounded!(u16, u32, i32, usize);

fn placement(io_threads: i64) -> Placement {
    match io_threads {
        0 => Placement::Fused,
        n => Placement::Threads(narrow(n)),
    }
}

/// What is traced.
fn trace(given: &Arguments) -> Result<TraceConfig, UsageError> {
    let file = given.trace_file.clone().filter(|path| !path.is_empty());
    let share = given.trace_sample.map(|Share(millionths)| millionths);
    // A whole share asks for nothing.
    let share = share.filter(|millionths| *millionths < 1_000_000);
    let is_traced = file.is_some() || given.log_level == Some(LogLevel::Trace);
    let useless = [
        ("--trace-sample", share.is_some()),
        ("--trace-actors", given.trace_actors.is_some()),
    ]
    .into_iter()
    .find(|(_, is_given)| *is_given && !is_traced);
    if let Some((option, _)) = useless {
        return Err(UsageError::new(format!(
            "Option '{option}' needs '--trace-file' or '--log-level trace'."
        )));
    }
    Ok(TraceConfig {
        file: file.map(Into::into),
        share_millionths: share,
        actors: given.trace_actors.clone().map_or(Vec::new(), |list| list.0),
    })
}

/// What the options of reloading say.
fn reload(given: &Arguments) -> Result<Reload, UsageError> {
    let enabled = given.reload.is_some_and(truth);
    if enabled && !cfg!(unix) {
        return Err(UsageError::unavailable("Option '--reload' on this system"));
    }
    let folders = given.reload_dir.iter().map(|folder| folder.0.clone());
    Ok(Reload {
        enabled,
        asked: Asked {
            folders: folders.collect(),
            includes: given.reload_include.clone(),
            excludes: given.reload_exclude.clone(),
        },
        delay: given
            .reload_delay
            .map_or(RELOAD_DELAY_DEFAULT, |delay| delay.0),
        polling: given.reload_polling.is_some_and(truth),
    })
}

/// None and below mean one, as with uvicorn.
fn workers(Int(number): super::arguments::AnyInt) -> Result<u32, UsageError> {
    match number {
        ..=1 => Ok(1),
        many => several(many.into(), "Option '--workers' above 1"),
    }
}

/// More than one, where the system lets a parent hand sockets down.
fn several(number: i128, what: &str) -> Result<u32, UsageError> {
    if cfg!(unix) {
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    } else {
        Err(UsageError::unavailable(what))
    }
}

fn web_concurrency(text: &str) -> Result<u32, UsageError> {
    match integer(text) {
        Some(..=1) => Ok(1),
        Some(many) => several(many, "WEB_CONCURRENCY above 1"),
        None => {
            let what = format!("{} is not a valid integer.", quoted(text));
            Err(UsageError::invalid_value("WEB_CONCURRENCY", &what))
        }
    }
}

fn set_limits(limits: &mut HttpLimits, given: &Arguments) {
    if let Some(Int(bytes)) = given
        .limit_head_size
        .or(given.h11_max_incomplete_event_size)
    {
        limits.head_bytes_max = narrow(bytes);
    }
    if let Some(Int(headers)) = given.limit_header_count {
        limits.header_count_max = narrow(headers);
    }
    limits.body_bytes_max = given.limit_request_body.map(|Int(bytes)| unsigned(bytes));
    if let Some(Int(bytes)) = given.limit_unread_body {
        limits.drain_bytes_max = unsigned(bytes);
    }
    if let Some(Int(bytes)) = given.limit_body_buffer {
        limits.body_unread_max = narrow(bytes);
    }
    if let Some(Int(seconds)) = given.timeout_keep_alive {
        limits.keep_alive_timeout = Duration::from_secs(unsigned(seconds));
    }
    if let Some(seconds) = given.timeout_head {
        limits.head_timeout = seconds.0;
    }
    if let Some(seconds) = given.timeout_body {
        limits.body_timeout = seconds.0;
    }
}

fn set_output_limits(limits: &mut OutputLimits, given: &Arguments) {
    if let Some(Int(bytes)) = given.limit_write_buffer {
        limits.unsent_bytes_max = narrow(bytes);
    }
    if let Some(seconds) = given.timeout_write {
        limits.write_timeout = seconds.0;
    }
}

fn set_websocket(config: &mut WebSocketConfig, given: &Arguments) {
    config.engine = given.ws.unwrap_or(config.engine);
    let machine = &mut config.machine;
    machine.engine = match config.engine {
        #[cfg(feature = "tungstenite")]
        WebSockets::Tungstenite => WsEngine::Tungstenite,
        WebSockets::Auto | WebSockets::Off => WsEngine::Native,
    };
    if let Some(Int(bytes)) = given.ws_max_size {
        machine.message_bytes_max = narrow(bytes);
    }
    if let Some(Int(messages)) = given.ws_max_queue {
        machine.queue_messages_max = narrow(messages);
    }
    if let Some(seconds) = &given.ws_ping_interval {
        machine.ping_interval = seconds.or_never();
    }
    if let Some(seconds) = &given.ws_ping_timeout {
        machine.ping_timeout = seconds.or_never();
    }
    if let Some(compress) = given.ws_per_message_deflate {
        machine.per_message_deflate = truth(compress);
    }
}

fn set_headers(headers: &mut DefaultHeaders, given: &Arguments) {
    headers.date = given.date_header.map_or(headers.date, truth);
    headers.server = given.server_header.map_or(headers.server, truth);
    let lines = given.header.iter().cloned();
    headers.extra = lines.map(|HeaderLine(name, value)| (name, value)).collect();
}
