use crate::rules::action::Action;
use crate::rules::decider::Decider;
use crate::rules::test::Match;

/// A way on which a packet does not arrive.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop<'a> {
    /// How it ends.
    pub kind: StopKind<'a>,
    /// Where it ends.
    pub by: Decider<'a>,
    /// What must hold for it and is not known; all of it.
    pub conditions: Vec<&'a Match>,
    /// What may let the packet escape before it comes there.
    pub unless: Vec<Decider<'a>>,
}

/// How a packet does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind<'a> {
    /// It vanishes.
    Dropped,
    /// It is turned away, in this manner.
    Rejected(&'a str),
    /// What becomes of it is not known: a program decides, or the rule could not be read.
    Unknown(&'a str),
}

impl Stop<'_> {
    /// Whether every packet that was meant ends here.
    pub fn is_certain(&self) -> bool {
        self.conditions.is_empty() && self.unless.is_empty() && !matches!(self.kind, StopKind::Unknown(_))
    }
}

/// Something that is done to a packet which goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect<'a> {
    /// What: a translation, no tracking, a smaller segment size.
    pub action: &'a Action,
    /// By which rule.
    pub by: Decider<'a>,
    /// What must hold for it and is not known.
    pub conditions: Vec<&'a Match>,
    /// What may let the packet escape before it comes there.
    pub unless: Vec<Decider<'a>>,
}

impl Effect<'_> {
    /// Whether it is done to every packet that was meant.
    pub fn is_certain(&self) -> bool {
        self.conditions.is_empty() && self.unless.is_empty()
    }
}

/// What became of a packet at one hook.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Walk<'a> {
    /// Every way on which it ends here, in the order in which they were met.
    pub stops: Vec<Stop<'a>>,
    /// What is done to it, in order.
    pub effects: Vec<Effect<'a>>,
    /// What let it pass, in order: one for each base chain or more.
    pub accepted: Vec<Decider<'a>>,
    /// Whether it can pass at all.
    pub can_pass: bool,
    /// Why the walk was not finished, if it was not.
    pub broken_off: Option<String>,
}

/// What became of a packet, in one word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome<'w, 'a> {
    /// Nothing stops it.
    Passes,
    /// It ends here.
    Stopped(&'w Stop<'a>),
    /// It may end here: the first such way. The others are in [`Walk::stops`].
    Perhaps(&'w Stop<'a>),
    /// The rules lead nowhere: too many, or in a circle.
    Unknown,
}

impl<'a> Walk<'a> {
    /// The outcome. A certain end outranks a possible one.
    pub fn outcome(&self) -> Outcome<'_, 'a> {
        if let Some(stop) = self.stops.iter().find(|stop| stop.is_certain()) {
            return Outcome::Stopped(stop);
        }
        if self.broken_off.is_some() {
            return Outcome::Unknown;
        }
        match self.stops.first() {
            None if self.can_pass => Outcome::Passes,
            None => Outcome::Unknown,
            Some(stop) if self.can_pass => Outcome::Perhaps(stop),
            // Every way ends; which of them is taken is not known.
            Some(stop) => Outcome::Stopped(stop),
        }
    }
}
