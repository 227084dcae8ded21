//! Metrics with a parameter in their name, and metrics that a pipeline file defines.
//!
//! A [`Metric`] is copied everywhere, so what belongs to a written one is kept once for the whole process and referred to:
//! there are as many as files name, a few dozen.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use tidemill_core::TaskKind;

use super::names::{Kind, Spread};
use super::own::OwnMetric;
use super::{Direction, Metric};

/// A metric whose name was written with a parameter, or defined. Equal if the names are.
#[derive(Clone, Copy)]
pub struct Written(&'static WrittenMetric);

/// What a name means.
#[derive(Debug, PartialEq)]
struct WrittenMetric {
    name: String,
    title: String,
    about: String,
    direction: Direction,
    range: (f64, f64),
    kind: Kind,
}

static KNOWN: Mutex<Vec<&'static WrittenMetric>> = Mutex::new(Vec::new());

impl Written {
    fn keep(metric: WrittenMetric) -> Self {
        // A panic elsewhere leaves the list as it was.
        let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(same) = known.iter().find(|same| ***same == metric) {
            return Self(same);
        }
        let kept: &'static WrittenMetric = Box::leak(Box::new(metric));
        known.push(kept);
        Self(kept)
    }

    /// The metric of this kind, under the name that it was written with.
    pub(super) fn of(name: &str, kind: Kind) -> Self {
        let base = kind.base();
        let (direction, range) = match &kind {
            Kind::Own(own) => (own.direction(), (f64::NEG_INFINITY, f64::INFINITY)),
            Kind::Undefined => (Direction::Neutral, (f64::NEG_INFINITY, f64::INFINITY)),
            Kind::Spread { how: Spread::Ratio, .. } => (Direction::Higher, (0.0, 1.0)),
            Kind::Spread { .. } => (Direction::Lower, (0.0, f64::INFINITY)),
            _ => base.map_or((Direction::Neutral, (f64::NEG_INFINITY, f64::INFINITY)), |base| {
                (base.direction(), base.range())
            }),
        };
        let (title, about) = (kind.title(name), kind.about());
        Self::keep(WrittenMetric { name: name.to_owned(), title, about, direction, range, kind })
    }

    /// A metric that a pipeline file defines.
    pub(crate) fn own(own: &OwnMetric) -> Self {
        Self::of(&own.name, Kind::Own(own.clone()))
    }

    /// A name whose definition is elsewhere.
    pub(super) fn undefined(name: &str) -> Self {
        Self::of(name, Kind::Undefined)
    }

    /// What the name means.
    pub(crate) fn kind(self) -> &'static Kind {
        &self.0.kind
    }

    pub(super) fn name(self) -> &'static str {
        &self.0.name
    }

    pub(super) fn title(self) -> &'static str {
        &self.0.title
    }

    pub(super) fn about(self) -> &'static str {
        &self.0.about
    }

    pub(super) fn direction(self) -> Direction {
        self.0.direction
    }

    pub(super) fn range(self) -> (f64, f64) {
        self.0.range
    }

    pub(super) fn applies_to(self, task: TaskKind) -> bool {
        self.0.kind.applies_to(task)
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Written {}

impl PartialOrd for Written {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Written {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.name.cmp(&other.0.name)
    }
}

impl Hash for Written {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl Metric {
    /// The metric that a pipeline file defines.
    pub fn own(own: &OwnMetric) -> Self {
        Self::Written(Written::own(own))
    }

    /// The definition in a pipeline file, of a metric that has one.
    pub fn definition(self) -> Option<&'static OwnMetric> {
        match self {
            Self::Written(written) => match written.kind() {
                Kind::Own(own) => Some(own),
                _ => None,
            },
            _ => None,
        }
    }
}
