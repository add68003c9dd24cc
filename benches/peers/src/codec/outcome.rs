use std::error::Error;
use std::fmt::Write;

use super::LIMIT;
use crate::measure::Figure;
use crate::peers::{Class, PEERS, Peer};

/// What we mean to reach.
#[derive(Clone, Copy, Default)]
pub struct Bars {
    /// How many times as fast as the fastest of the others.
    pub ratio: Option<f64>,
    /// Of `sansocket (tokio)`, in nanoseconds.
    pub ns: Option<f64>,
}

/// The figures of one race.
pub struct Outcome {
    pub group: &'static str,
    pub workload: String,
    /// Bytes of payload in a unit.
    pub len: usize,
    pub bars: Bars,
    pub figures: Vec<Figure>,
    /// Of the build with link-time optimization.
    pub lto: Option<Vec<Figure>>,
}

/// Ours beside the fastest of the others.
pub struct Lead<'f> {
    pub ours: &'f Figure,
    pub other: &'f Figure,
}

impl Lead<'_> {
    /// How many times as fast as the other.
    pub fn ratio(&self) -> f64 {
        self.other.ns / self.ours.ns
    }
}

impl Outcome {
    /// What cannot be beaten, if there is such a lane.
    pub fn limit(&self) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == LIMIT)
    }

    /// The lead of each build, in a class or among all.
    pub fn leads(&self, class: Option<Class>) -> Vec<Lead<'_>> {
        let builds = std::iter::once(&self.figures).chain(&self.lto);
        builds
            .filter_map(|figures| self.lead(figures, class))
            .collect()
    }

    /// The lowest lead of the builds, among all.
    pub fn ratio(&self) -> Option<f64> {
        let leads = self.leads(None);
        leads.iter().map(Lead::ratio).min_by(f64::total_cmp)
    }

    /// Whether the lowest lead, to two digits, does not reach the bar.
    pub fn is_under_bar(&self) -> bool {
        let ratio = self.ratio().zip(self.bars.ratio);
        ratio.is_some_and(|(ratio, bar)| ratio < bar - 0.005)
    }

    fn lead<'f>(&self, figures: &'f [Figure], class: Option<Class>) -> Option<Lead<'f>> {
        let fastest = |is_ours| {
            let asked = figures.iter().filter(|figure| {
                let peer = peer(&figure.name);
                let is_asked = class.is_none_or(|class| self.class(peer) == Some(class));
                figure.name != LIMIT && peer.is_some_and(|peer| peer.is_ours) == is_ours && is_asked
            });
            asked.min_by(|a, b| a.ns.total_cmp(&b.ns))
        };
        Some(Lead {
            ours: fastest(true)?,
            other: fastest(false)?,
        })
    }

    /// Whether a message is lent makes no difference unless it is received.
    fn class(&self, peer: Option<&Peer>) -> Option<Class> {
        match peer?.class {
            Class::Lending if self.group != "receive" => Some(Class::Owning),
            class => Some(class),
        }
    }

    /// The figures, for [`read_lines`].
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        for figure in &self.figures {
            let (group, workload, name) = (self.group, &self.workload, &figure.name);
            let (ns, spread) = (figure.ns, figure.spread);
            let (allocations, writes) = (figure.allocations, figure.writes);
            writeln!(
                lines,
                "{group}\t{workload}\t{name}\t{ns}\t{spread}\t{allocations}\t{writes}"
            )
            .expect("a string");
        }
        lines
    }
}

fn peer(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}

/// Takes what another build measured from its lines.
pub fn read_lines(outcomes: &mut [Outcome], lines: &str) -> Result<(), Box<dyn Error>> {
    for line in lines.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [group, workload, name, ns, spread, allocations, writes] = fields[..] else {
            return Err(line.into());
        };
        let outcome = outcomes
            .iter_mut()
            .find(|outcome| outcome.group == group && outcome.workload == workload);
        let figures = &mut outcome.ok_or(line)?.lto;
        figures.get_or_insert_default().push(Figure {
            name: name.into(),
            ns: ns.parse()?,
            spread: spread.parse()?,
            allocations: allocations.parse()?,
            writes: writes.parse()?,
        });
    }
    Ok(())
}
