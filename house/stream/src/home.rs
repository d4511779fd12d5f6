//! What lines are taken for that do not say it themselves: when, where and in which encoding they were written.
//!
//! What the register says of a source or of a sender goes before what holds for all. It is looked up for each line as
//! it is read, so a change holds for every line that is not archived yet; the archive stays as it was read. Pure.

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;

use crate::{
    decode::Encoding,
    entry::{Frame, Tag},
    event::{Event, Format},
    headers::Headers,
    parse::{Manner, parse_as},
};

/// What is known of lines beyond what they say.
#[derive(Clone, Debug)]
pub struct Home {
    /// Zone of lines that name none.
    pub zone: TimeZone,
    /// Host of lines that were read from files of the machine that took them in.
    pub host: Option<String>,
    pub manners: Arc<Manners>,
}

/// How single sources and senders write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// By name, in lower case; an agent's also without the agent's name.
    pub sources: BTreeMap<String, Own>,
    /// By address.
    pub peers: BTreeMap<String, Own>,
}

/// How one of them writes, where it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    pub zone: Option<TimeZone>,
    pub encoding: Option<Encoding>,
}

impl Manners {
    fn of(&self, frame: &Frame) -> Option<&Own> {
        if self.peers.is_empty() && self.sources.is_empty() {
            return None;
        }
        let by_peer = frame.line.peer.as_deref().and_then(|peer| self.peers.get(peer));
        by_peer.or_else(|| {
            let name = frame.source.to_lowercase();
            let own = name.rsplit('/').next().unwrap_or(&name);
            self.sources.get(&name).or_else(|| self.sources.get(own))
        })
    }
}

impl Home {
    /// The event in a frame, where an earlier line may have named its columns.
    pub(crate) fn event(&self, frame: &Frame, headers: &mut Headers) -> Event {
        let header = headers.learn(frame);
        let own = self.manners.of(frame);
        let manner = Manner {
            zone: own.and_then(|own| own.zone.as_ref()).unwrap_or(&self.zone),
            // Ume wrote it, or it names its encoding field by field.
            encoding: own.and_then(|own| own.encoding).filter(|_| says_nothing(frame.line.format)),
        };
        let event = parse_as(&frame.line, &frame.source, frame.arrived, &manner, header);
        self.placed(event, frame)
    }

    /// Lines of an agent's files are its machine's, those of a file that was read here this machine's, if they name no
    /// host themselves.
    fn placed(&self, mut event: Event, frame: &Frame) -> Event {
        if event.host.is_empty() {
            let own = match frame.tag {
                Tag::Mark(..) => self.host.as_deref(),
                Tag::Number(..) => frame.source.split_once('/').map(|(agent, _)| agent),
                Tag::None | Tag::Id(_) => None,
            };
            own.unwrap_or_default().clone_into(&mut event.host);
        }
        event
    }
}

fn says_nothing(format: Format) -> bool {
    !matches!(format, Format::Otlp | Format::JournalExport | Format::Journal)
}
