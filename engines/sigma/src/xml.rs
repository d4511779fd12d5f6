//! A Windows event as XML into an arena, with the same names as its JSON.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use crate::arena::{Arena, EventError};

/// Elements inside each other.
const DEPTH_MAX: usize = 64;

impl Arena {
    /// The event is an `Event` element, as the event viewer and EVTX readers write it.
    pub fn xml(&mut self, text: &str) -> Result<(), EventError> {
        self.clear();
        let fault = |what: &dyn std::fmt::Display| EventError::Xml(what.to_string());
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Open> = Vec::new();
        let mut seen = false;
        loop {
            match reader.read_event().map_err(|e| fault(&e))? {
                Event::Start(start) => {
                    if open.len() >= DEPTH_MAX || (open.is_empty() && seen) {
                        return Err(fault(&"too many elements"));
                    }
                    seen = true;
                    let element = self.begin(&start, &mut open)?;
                    open.push(element);
                }
                Event::Empty(start) => {
                    if open.is_empty() {
                        return Err(fault(&"not an Event element"));
                    }
                    let element = self.begin(&start, &mut open)?;
                    self.end(element, open.len());
                }
                Event::End(_) => {
                    let element =
                        open.pop().ok_or_else(|| fault(&"an element ends that never began"))?;
                    self.end(element, open.len());
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        // As it stands: the same event as JSON keeps its line ends too.
                        element.text.push_str(&text.into_inner());
                    }
                }
                Event::CData(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.into_inner());
                    }
                }
                Event::GeneralRef(name) => {
                    let name = name.into_inner();
                    let c = entity(&name)
                        .ok_or_else(|| fault(&format!("entity &{name}; is not known")))?;
                    if let Some(element) = open.last_mut() {
                        element.text.push(c);
                    }
                }
                Event::DocType(_) => return Err(fault(&"a document type is not allowed")),
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            }
        }
        if !seen || !open.is_empty() {
            return Err(fault(&"no whole Event element"));
        }
        self.checked()?;
        self.seal();
        Ok(())
    }

    fn begin(&mut self, start: &BytesStart<'_>, open: &mut [Open]) -> Result<Open, EventError> {
        let fault = |what: &dyn std::fmt::Display| EventError::Xml(what.to_string());
        let local = start.local_name();
        let element: String = local.as_ref().to_owned();
        let depth = open.len();
        if depth == 0 && element != "Event" {
            return Err(fault(&"not an Event element"));
        }
        if let Some(parent) = open.last_mut() {
            parent.leaf = false;
        }
        let part = match depth {
            0 => Part::Event,
            1 => match element.as_str() {
                "System" => Part::System,
                "EventData" => Part::Data,
                "UserData" => Part::UserData,
                _ => Part::Other,
            },
            _ => open[1].part,
        };
        let mut name = element.clone();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| fault(&e))?;
            let key = attribute.key.local_name().as_ref().to_owned();
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|e| fault(&e))?;
            if attribute.key.as_ref().starts_with("xmlns") {
                continue;
            }
            match part {
                Part::System if depth == 2 => {
                    self.add_windows(&format!("{element}_{key}"), &value);
                }
                Part::Data if depth == 2 && key == "Name" => name = value.into_owned(),
                _ => {}
            }
        }
        let attributes = start.attributes().count() > 0 && part == Part::System;
        Ok(Open { name, part, text: String::new(), leaf: true, attributes })
    }

    fn end(&mut self, element: Open, depth: usize) {
        let named = match element.part {
            Part::System | Part::Data => depth == 2,
            Part::UserData => depth >= 3 && element.leaf,
            Part::Event => false,
            Part::Other => element.leaf,
        };
        // A header element that is only attributes has no value.
        if !named || (element.attributes && element.text.is_empty()) {
            return;
        }
        match element.part {
            Part::Other => self.add_windows(&format!("Event.{}", element.name), &element.text),
            _ => self.add_windows(&element.name, &element.text),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Event,
    System,
    Data,
    UserData,
    Other,
}

struct Open {
    name: String,
    part: Part,
    text: String,
    leaf: bool,
    attributes: bool,
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_has_the_names_of_json() {
        let xml = r#"<?xml version="1.0"?><Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event">
            <System><Provider Name="P"/><EventID Qualifiers="16384">7045</EventID><Channel>System</Channel></System>
            <EventData><Data Name="Service Name">a &amp; b&#x20;&lt;</Data><Data>x</Data><Data/></EventData></Event>"#;
        let mut arena = Arena::new();
        arena.xml(xml).unwrap();
        let found: Vec<_> = arena.fields().map(|(n, v)| (n, v.unwrap())).collect();
        let want = [
            ("Provider_Name", "P"),
            ("EventID_Qualifiers", "16384"),
            ("EventID", "7045"),
            ("Channel", "System"),
            ("ServiceName", "a & b <"),
            ("Data", "x"),
            ("Data", ""),
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for bad in [
            "",
            "<x/>",
            "<Event>",
            "<Event><System></Event>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><Event>&x;</Event>",
            "<Event>&x;</Event>",
            "<Event></Event><Event></Event>",
        ] {
            assert!(Arena::new().xml(bad).is_err(), "{bad}");
        }
    }
}
