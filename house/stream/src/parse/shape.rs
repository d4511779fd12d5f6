//! What kind of line an event came from.

use crate::event::Event;

/// The field that holds [`Shape::name`]; a line cannot set it itself.
pub const SHAPE_FIELD: &str = "ume.shape";

/// Declares the shapes once: variant, name, whether the whole line is read by its reader.
macro_rules! shapes {
    ($($variant:ident = $name:literal, $whole:literal;)+) => {
        /// How a line was read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Shape { $($variant,)+ }
        impl Shape {
            pub fn name(self) -> &'static str {
                match self { $(Shape::$variant => $name,)+ }
            }
            fn of_name(name: &str) -> Option<Shape> {
                match name { $($name => Some(Shape::$variant),)+ _ => None }
            }
            /// Whether nothing is left that the program's name could tell more about.
            pub(super) fn is_whole(self) -> bool {
                match self { $(Shape::$variant => $whole,)+ }
            }
        }
    };
}

shapes! {
    Syslog = "syslog", false;
    Journal = "journal", false;
    Json = "json", false;
    Otlp = "otlp", false;
    Package = "package", true;
    Audit = "audit", true;
    AuditJoined = "audit_joined", true;
    Netfilter = "netfilter", true;
    Ring = "kernel_ring", false;
    WebAccess = "web_access", true;
    WebError = "web_error", true;
    Proxy = "proxy", true;
    Cisco = "cisco", true;
    Yamaha = "yamaha", true;
    Fortigate = "fortigate", true;
    Cef = "cef", true;
    Leef = "leef", true;
    Postgresql = "postgresql", true;
    Mariadb = "mariadb", true;
    Eve = "eve", true;
    Zeek = "zeek", true;
    Snort = "snort", true;
    Clamav = "clamav", true;
    Smart = "smartctl", true;
    Sel = "ipmi_sel", true;
    Windows = "windows", true;
    Kubernetes = "kubernetes", true;
    Okta = "okta", true;
    Entra = "entra", true;
    Cloudtrail = "cloudtrail", true;
    Keycloak = "keycloak", true;
}

impl Shape {
    /// The shape of an event, as its parser wrote it down.
    pub fn of(event: &Event) -> Option<Shape> {
        Shape::of_name(event.fields.get(SHAPE_FIELD)?)
    }
}
