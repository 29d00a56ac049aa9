//! Which events somebody wants: those of named actors, and those of a share of the connections.

use std::fmt;
use std::str::FromStr;

use super::{Event, What};
use crate::actor::{ActorName, ConnectionId};

/// Names one actor, or all of a kind: `connection#42`, `connection`, `dispatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// All listeners.
    Listeners,
    /// All connections.
    Connections,
    /// One actor.
    One(ActorName),
}

/// A text that names no actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownActor;

impl FromStr for Pattern {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Pattern, UnknownActor> {
        let (kind, number) = match text.split_once('#') {
            Some((kind, number)) => (kind, Some(number)),
            None => (text, None),
        };
        match (kind, number) {
            ("dispatch", None) => Ok(Pattern::One(ActorName::Dispatch)),
            ("listener", None) => Ok(Pattern::Listeners),
            ("connection", None) => Ok(Pattern::Connections),
            ("listener", Some(number)) => number
                .parse()
                .map(|number| Pattern::One(ActorName::Listener(number)))
                .map_err(|_| UnknownActor),
            ("connection", Some(number)) => number
                .parse()
                .map(|id| Pattern::One(ActorName::Connection(ConnectionId(id))))
                .map_err(|_| UnknownActor),
            _ => Err(UnknownActor),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Listeners => f.write_str("listener"),
            Pattern::Connections => f.write_str("connection"),
            Pattern::One(actor) => actor.fmt(f),
        }
    }
}

impl Pattern {
    fn matches(self, actor: ActorName) -> bool {
        match self {
            Pattern::Listeners => matches!(actor, ActorName::Listener(_)),
            Pattern::Connections => matches!(actor, ActorName::Connection(_)),
            Pattern::One(one) => one == actor,
        }
    }
}

/// Which events are wanted. By default all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Whose; empty: everybody's.
    pub actors: Vec<Pattern>,
    /// The share of connections whose events are wanted, from 0 to 1; `None`: all. Which they are
    /// follows from their numbers, so that it is the same for everything about one of them.
    pub share: Option<f64>,
}

impl Filter {
    /// True when events of `actor` are wanted.
    pub fn wants_actor(&self, actor: ActorName) -> bool {
        let named =
            self.actors.is_empty() || self.actors.iter().any(|pattern| pattern.matches(actor));
        named && self.samples(actor)
    }

    /// True for all but the connections that are left out by their number.
    fn samples(&self, actor: ActorName) -> bool {
        match (self.share, actor) {
            (Some(share), ActorName::Connection(ConnectionId(id))) => {
                // Neighbouring numbers spread evenly (the golden ratio in 64 bits).
                let place = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                (place as f64) < share * 2f64.powi(64)
            }
            _ => true,
        }
    }

    /// True when the event is wanted: its actor is, and no connection that is left out has to do
    /// with it. The application's work is also wanted with the connection that it is done for.
    pub fn wants(&self, event: &Event<'_>) -> bool {
        let about = event.about;
        if !about.is_none_or(|other| self.samples(other)) {
            return false;
        }
        match event.what {
            What::Work { .. } => {
                self.wants_actor(event.actor) || about.is_some_and(|other| self.wants_actor(other))
            }
            _ => self.wants_actor(event.actor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTION: ActorName = ActorName::Connection(ConnectionId(42));

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    #[test]
    fn actors_are_named_as_traces_name_them() {
        for text in [
            "dispatch",
            "listener",
            "connection",
            "listener#1",
            "connection#42",
        ] {
            assert_eq!(
                text.parse::<Pattern>().map(|p| p.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "dispatch#1", "connection#", "connection#x", "worker"] {
            assert_eq!(text.parse::<Pattern>(), Err(UnknownActor), "{text}");
        }
    }

    #[test]
    fn a_kind_stands_for_all_of_it_and_nothing_for_everybody() {
        let filter = |texts: &[&str]| Filter {
            actors: patterns(texts),
            share: None,
        };
        assert!(filter(&[]).wants_actor(CONNECTION));
        assert!(filter(&["connection"]).wants_actor(CONNECTION));
        assert!(filter(&["dispatch", "connection#42"]).wants_actor(CONNECTION));
        assert!(!filter(&["connection#43"]).wants_actor(CONNECTION));
        assert!(!filter(&["connection"]).wants_actor(ActorName::Dispatch));
    }

    #[test]
    fn a_share_of_the_connections_is_wanted_and_all_other_actors() {
        let filter = |share| Filter {
            actors: Vec::new(),
            share: Some(share),
        };
        let count = |share: f64| {
            (1..=10_000)
                .filter(|id| filter(share).wants_actor(ActorName::Connection(ConnectionId(*id))))
                .count()
        };
        assert_eq!(count(0.0), 0);
        assert_eq!(count(1.0), 10_000);
        assert!((950..=1050).contains(&count(0.1)), "{}", count(0.1));
        assert!(filter(0.0).wants_actor(ActorName::Dispatch));
    }

    #[test]
    fn what_concerns_a_connection_that_is_left_out_is_not_wanted() {
        let filter = Filter {
            actors: Vec::new(),
            share: Some(0.0),
        };
        let event = |actor, about| Event {
            at: 0,
            actor,
            about,
            what: What::Started,
        };
        assert!(filter.wants(&event(ActorName::Dispatch, None)));
        assert!(!filter.wants(&event(ActorName::Dispatch, Some(CONNECTION))));
        assert!(!filter.wants(&event(CONNECTION, Some(ActorName::Dispatch))));
    }
}
