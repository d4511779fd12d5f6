//! Identity providers and clouds that send JSON: Okta, Microsoft Entra ID, AWS CloudTrail, Keycloak. Their own
//! names stay, dotted where they are nested; who, from where and how it ended get Ume's names.

use serde_json::{Map, Value};

use super::{CLASS_ACCOUNT, CLASS_API, CLASS_AUTHENTICATION, Draft, Shape};

/// Sets names, class and shape; `false` if the object is of none of them.
pub fn json(draft: &mut Draft, object: &Map<String, Value>) -> bool {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    match () {
        () if object.contains_key("eventType") && object.contains_key("actor") => okta(draft),
        () if text("eventSource").ends_with(".amazonaws.com")
            && object.contains_key("eventName") =>
        {
            cloudtrail(draft, text("eventName"));
        }
        () if object.contains_key("operationName") && is_entra(text("category")) => {
            entra(draft, text("category"));
        }
        () if object.contains_key("realmId") && object.contains_key("type") => {
            keycloak(draft, text("type"));
        }
        () => return false,
    }
    true
}

/// Whether the object may be one of them, before it is taken apart.
pub fn is_likely(object: &Map<String, Value>) -> bool {
    ["actor", "eventSource", "operationName", "realmId"]
        .iter()
        .any(|name| object.contains_key(*name))
}

fn first(draft: &Draft, names: &[&str]) -> String {
    names.iter().find_map(|name| draft.get(name)).unwrap_or_default().to_owned()
}

/// Puts who, from where and how it ended.
fn who(draft: &mut Draft, users: &[&str], addresses: &[&str], outcome: &str) {
    let (user, address) = (first(draft, users), first(draft, addresses));
    draft.set_some("user", &user);
    draft.set_some("src_ip", &address);
    if !outcome.is_empty() {
        draft.set("outcome", outcome);
    }
}

fn okta(draft: &mut Draft) {
    draft.shape = Some(Shape::Okta);
    let outcome = match draft.get("outcome.result") {
        Some("SUCCESS" | "ALLOW") => "success",
        Some("FAILURE" | "DENY") => "failure",
        _ => "",
    };
    let kind = draft.get("eventType").unwrap_or_default();
    draft.class = match () {
        () if kind.starts_with("user.session") || kind.starts_with("user.authentication") => {
            CLASS_AUTHENTICATION
        }
        () if kind.starts_with("user.") || kind.starts_with("group.") => CLASS_ACCOUNT,
        () => CLASS_API,
    };
    draft.time = draft.get("published").and_then(model::Timestamp::parse).or(draft.time);
    who(draft, &["actor.alternateId"], &["client.ipAddress"], outcome);
}

fn cloudtrail(draft: &mut Draft, name: &str) {
    draft.shape = Some(Shape::Cloudtrail);
    let signed_in = name == "ConsoleLogin";
    let outcome = match (draft.get("responseElements.ConsoleLogin"), draft.get("errorCode")) {
        (Some("Failure"), _) | (_, Some(_)) => "failure",
        _ => "success",
    };
    draft.class = if signed_in { CLASS_AUTHENTICATION } else { CLASS_API };
    draft.time = draft.get("eventTime").and_then(model::Timestamp::parse).or(draft.time);
    let users = ["userIdentity.userName", "userIdentity.arn", "userIdentity.type"];
    who(draft, &users, &["sourceIPAddress"], outcome);
}

fn is_entra(category: &str) -> bool {
    category.ends_with("SignInLogs") || category == "AuditLogs"
}

fn entra(draft: &mut Draft, category: &str) {
    draft.shape = Some(Shape::Entra);
    let result = first(draft, &["resultType", "properties.status.errorCode", "properties.result"]);
    let outcome = match result.as_str() {
        "" => "",
        "0" | "success" | "Success" => "success",
        _ => "failure",
    };
    draft.alias("ResultType", "resultType");
    draft.alias("OperationName", "operationName");
    draft.class = if category == "AuditLogs" { CLASS_ACCOUNT } else { CLASS_AUTHENTICATION };
    let users = [
        "properties.userPrincipalName",
        "properties.initiatedBy.user.userPrincipalName",
        "identity",
    ];
    who(draft, &users, &["callerIpAddress", "properties.ipAddress"], outcome);
}

fn keycloak(draft: &mut Draft, kind: &str) {
    draft.shape = Some(Shape::Keycloak);
    let outcome = if kind.ends_with("_ERROR") { "failure" } else { "success" };
    draft.class = match () {
        () if kind.starts_with("LOGIN") || kind.starts_with("LOGOUT") => CLASS_AUTHENTICATION,
        () if kind.starts_with("UPDATE") || kind.starts_with("REGISTER") => CLASS_ACCOUNT,
        () => 0,
    };
    who(draft, &["details.username", "userId"], &["ipAddress"], outcome);
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_line;
    use crate::event::Format;

    #[test]
    fn four_providers_say_who_from_where_and_how_it_ended() {
        for (line, class) in [
            (
                r#"{"eventType":"user.session.start","published":"2026-01-01T00:00:00Z","actor":{"alternateId":"mika"},"client":{"ipAddress":"192.0.2.7"},"outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"}}"#,
                3002,
            ),
            (
                r#"{"time":"2026-01-01T00:00:00Z","category":"SignInLogs","operationName":"Sign-in activity","resultType":"50126","callerIpAddress":"192.0.2.7","properties":{"userPrincipalName":"mika"}}"#,
                3002,
            ),
            (
                r#"{"eventTime":"2026-01-01T00:00:00Z","eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","sourceIPAddress":"192.0.2.7","userIdentity":{"type":"IAMUser","userName":"mika"},"responseElements":{"ConsoleLogin":"Failure"}}"#,
                3002,
            ),
            (
                r#"{"time":1767225600000,"type":"LOGIN_ERROR","realmId":"r","clientId":"c","ipAddress":"192.0.2.7","error":"invalid_user_credentials","details":{"username":"mika"}}"#,
                3002,
            ),
        ] {
            let e = read_line(line, Format::Json);
            let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
            assert_eq!(
                (field("user"), field("src_ip"), field("outcome")),
                ("mika", "192.0.2.7", "failure"),
                "{line}"
            );
            assert_eq!(
                (e.class, e.event_time.unwrap().0),
                (class, 1_767_225_600_000_000),
                "{line}"
            );
        }
        let e = read_line(
            r#"{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","userIdentity":{"userName":"mika"}}"#,
            Format::Json,
        );
        assert_eq!((e.class, e.fields["outcome"].as_str()), (6003, "success"));
    }
}
