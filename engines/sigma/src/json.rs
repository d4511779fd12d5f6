//! JSON events straight into an arena, without a tree between.
//!
//! An object with one `Event` as EVTX dumps write it is flattened like the event's XML: header elements and
//! their attributes (`Provider_Name`), the names of `EventData`, the leaves of `UserData`.

use std::fmt::{self, Write};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::arena::{Arena, EventError, Kind};

impl Arena {
    /// The event is a JSON object.
    pub fn json(&mut self, bytes: &[u8]) -> Result<(), EventError> {
        self.clear();
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let mut path = String::with_capacity(64);
        let seed = Seed { arena: self, path: &mut path, at: At::Root };
        let read = seed.deserialize(&mut reader).and_then(|()| reader.end());
        read.map_err(|error| EventError::Json(error.to_string()))?;
        self.checked()?;
        self.seal();
        Ok(())
    }

    /// The same from a value that has been read.
    pub fn value(&mut self, value: &serde_json::Value) -> Result<(), EventError> {
        self.clear();
        let mut path = String::new();
        let seed = Seed { arena: self, path: &mut path, at: At::Root };
        seed.deserialize(value).map_err(|error| EventError::Json(error.to_string()))?;
        self.checked()?;
        self.seal();
        Ok(())
    }
}

/// Where in the event a value stands.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Root,
    Plain,
    /// The value of `Event`
    Event,
    /// `System`: elements and attributes
    System,
    /// A header element's value
    Header,
    /// Attributes of a header element
    Attributes,
    /// `EventData`, or below the first element of `UserData`
    Data,
    /// The value of a named datum
    Datum,
    UserData,
}

struct Seed<'a> {
    arena: &'a mut Arena,
    path: &'a mut String,
    at: At,
}

impl Seed<'_> {
    fn empty(&self) -> Kind {
        match self.at {
            At::Root | At::Plain => Kind::Null,
            _ => Kind::Void,
        }
    }

    fn add(self, value: &str) {
        match self.empty() {
            Kind::Void => self.arena.add_windows(self.path, value),
            _ => self.arena.add(self.path, value, Kind::Value),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        if self.at == At::Root {
            return Err(E::custom("not an object"));
        }
        self.add(value);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_str(itoa::Buffer::new().format(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_str(itoa::Buffer::new().format(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{value:?}");
        self.visit_str(&text)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.at == At::Root {
            return Err(E::custom("not an object"));
        }
        let kind = self.empty();
        self.arena.add(self.path, "", kind);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.at == At::Root {
            return Err(A::Error::custom("not an object"));
        }
        let mut any = false;
        while items
            .next_element_seed(Seed { arena: self.arena, path: self.path, at: self.at })?
            .is_some()
        {
            any = true;
        }
        if !any {
            self.arena.add(self.path, "", Kind::Inner);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.at == At::Plain {
            self.arena.add(self.path, "", Kind::Inner);
        }
        let length = self.path.len();
        while let Some(key) = entries.next_key::<Key<'de>>()? {
            let at = step(self.at, self.path, &key.0);
            match at {
                Some(at) => {
                    entries.next_value_seed(Seed { arena: self.arena, path: self.path, at })?
                }
                None => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
            self.path.truncate(length);
        }
        Ok(())
    }
}

/// Goes to the value of `key`: what it is, its name in `path`. `None` leaves it out (name spaces of XML).
fn step(at: At, path: &mut String, key: &str) -> Option<At> {
    match at {
        At::Root if key == "Event" => {
            path.push_str(key);
            Some(At::Event)
        }
        At::Event if matches!(key, "System" | "EventData" | "UserData") => {
            path.clear();
            Some(match key {
                "System" => At::System,
                "EventData" => At::Data,
                _ => At::UserData,
            })
        }
        At::Event if key.starts_with('#') || key.ends_with("_attributes") => None,
        At::Root | At::Plain | At::Event => {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
            Some(At::Plain)
        }
        At::System => Some(match key.strip_suffix("_attributes") {
            Some(element) => {
                path.push_str(element);
                At::Attributes
            }
            None => {
                path.push_str(key);
                At::Header
            }
        }),
        At::Header if key == "#attributes" => Some(At::Attributes),
        At::Header if key == "#text" => Some(At::Header),
        At::Header => None,
        At::Attributes if key == "xmlns" => None,
        At::Attributes => {
            path.push('_');
            path.push_str(key);
            Some(At::Header)
        }
        At::Data | At::Datum if key == "#text" => Some(At::Datum),
        At::Data | At::Datum if key == "#attributes" || key.ends_with("_attributes") => None,
        At::Data | At::Datum => {
            path.clear();
            path.push_str(key);
            Some(At::Datum)
        }
        At::UserData if key.starts_with('#') || key.ends_with("_attributes") => None,
        At::UserData => Some(At::Data),
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'de>(std::borrow::Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'de>, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(key.into()))
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(key.to_owned().into()))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(json: &str) -> Vec<(String, Option<String>)> {
        let mut arena = Arena::new();
        arena.json(json.as_bytes()).unwrap();
        arena.fields().map(|(n, v)| (n.to_owned(), v.map(str::to_owned))).collect()
    }

    fn want(pairs: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), v.map(str::to_owned))).collect()
    }

    #[test]
    fn maps_and_lists_become_dotted_names_with_several_values() {
        let found = flat(
            r#"{"a":{"b":1,"c":["x",{"d":null}]},"a.e":true,"New Value":1.5,"l":[],"u":"é\n"}"#,
        );
        let wanted = want(&[
            ("a", None),
            ("a.b", Some("1")),
            ("a.c", Some("x")),
            ("a.c", None),
            ("a.c.d", None),
            ("a.e", Some("true")),
            ("NewValue", Some("1.5")),
            ("l", None),
            ("u", Some("é\n")),
        ]);
        assert_eq!(found, wanted);
    }

    #[test]
    fn windows_events_have_the_names_of_sigma() {
        let found = flat(
            r##"{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"P"}},
            "EventID":{"#attributes":{"Qualifiers":16384},"#text":7045},"Correlation":null,"Channel":"System",
            "Execution_attributes":{"ProcessID":4}},
            "EventData":{"Service Name":"s","Empty":"","Data":{"#text":["a","b"]}}}}"##,
        );
        let wanted = want(&[
            ("Provider_Name", Some("P")),
            ("EventID_Qualifiers", Some("16384")),
            ("EventID", Some("7045")),
            ("Correlation", Some("")),
            ("Channel", Some("System")),
            ("Execution_ProcessID", Some("4")),
            ("ServiceName", Some("s")),
            ("Empty", Some("")),
            ("Data", Some("a")),
            ("Data", Some("b")),
        ]);
        assert_eq!(found, wanted);
        let user = flat(
            r#"{"Event":{"UserData":{"LogFileCleared":{"xmlns_attributes":1,"SubjectUserName":"u"}}}}"#,
        );
        assert_eq!(user, want(&[("SubjectUserName", Some("u"))]));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in ["", "[]", "1", "null", "\"x\"", "{", "{} {}", "{\"a\":1,}"] {
            assert!(matches!(Arena::new().json(bad.as_bytes()), Err(EventError::Json(_))), "{bad}");
        }
        assert!(Arena::new().json(&[b'{', b'"', 0xff, b'"', b':', b'1', b'}']).is_err());
        let deep = format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000));
        assert!(Arena::new().json(deep.as_bytes()).is_err());
    }
}
