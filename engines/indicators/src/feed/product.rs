//! Names of products: CPE 2.2 URIs, CPE 2.3 formatted strings, JVN's own ids.
//!
//! What matters here is who is meant, so of a name vendor, product and version are taken; the rest is for engines that
//! compare versions.

use super::{Product, WORD_BYTES_MAX};

/// Why a name of a product is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    #[error("begins neither with cpe:/, cpe:2.3: nor jvnpid:1.0:")]
    Binding,
    #[error("longer than {WORD_BYTES_MAX} bytes")]
    Long,
    #[error("names no product")]
    Empty,
}

/// Reads a name in any of the three forms.
pub(super) fn read(text: &str) -> Result<Product, ProductError> {
    let text = text.trim();
    if text.len() > WORD_BYTES_MAX {
        return Err(ProductError::Long);
    }
    let parts: Vec<String> = if let Some(rest) = prefixed(text, "cpe:2.3:") {
        split_escaped(rest)
    } else if let Some(rest) = prefixed(text, "cpe:/") {
        rest.split(':').map(percent).collect()
    } else if let Some(rest) = prefixed(text, "jvnpid:1.0:") {
        rest.split(':').map(percent).collect()
    } else {
        return Err(ProductError::Binding);
    };
    // Some of JVN's 2.3 names bear the escapes of 2.2.
    let part = |at: usize| parts.get(at).map(|part| percent(part)).unwrap_or_default();
    let (kind, vendor, name, version) = (part(0), part(1), part(2), part(3));
    let is_any = |text: &str| text.is_empty() || text == "*" || text == "-";
    if is_any(&name) {
        return Err(ProductError::Empty);
    }
    let is_jvnpid = prefixed(text, "jvnpid:").is_some();
    let cpe = match is_jvnpid {
        true => String::new(),
        false => {
            let bound = |text: &str| if is_any(text) { "*".to_owned() } else { escape(text) };
            format!("cpe:2.3:{}:{}:{}:*:*:*:*:*:*:*:*", bound(&kind), bound(&vendor), bound(&name))
        }
    };
    Ok(Product {
        vendor: words(&vendor),
        name: words(&name),
        versions: if is_any(&version) { Vec::new() } else { vec![version] },
        cpe,
        jvnpid: if is_jvnpid { text.to_owned() } else { String::new() },
    })
}

fn prefixed<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// At colons that no backslash stands before; the backslashes go.
fn split_escaped(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => {
                if let (Some(next), Some(last)) = (signs.next(), parts.last_mut()) {
                    last.push(next);
                }
            }
            ':' => parts.push(String::new()),
            _ => {
                if let Some(last) = parts.last_mut() {
                    last.push(sign);
                }
            }
        }
    }
    parts
}

fn percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned().replace(char::is_control, " ")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.to_lowercase().chars() {
        if sign.is_ascii_punctuation() && !matches!(sign, '_' | '.' | '-') {
            out.push('\\');
        }
        out.push(sign);
    }
    out
}

fn words(text: &str) -> String {
    text.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bindings_of_a_name_are_one() {
        let old = read("cpe:/a:joomla:joomla%21:3.10.5").expect("2.2");
        let new = read(r"cpe:2.3:a:joomla:joomla\!:3.10.5:*:*:*:*:*:*:*").expect("2.3");
        assert_eq!(old, new);
        assert_eq!((old.vendor.as_str(), old.name.as_str()), ("joomla", "joomla!"));
        assert_eq!(old.versions, ["3.10.5"]);
        assert_eq!(old.cpe, r"cpe:2.3:a:joomla:joomla\!:*:*:*:*:*:*:*:*");
    }

    #[test]
    fn percent_signs_in_the_new_binding_are_read_too() {
        let name = "cpe:2.3:a:rockwellautomation:industrial_%28idc%29:*:*:*:*:*:*:*:*";
        let product = read(name).expect("product");
        assert_eq!(product.name, "industrial (idc)");
        assert!(product.versions.is_empty());
    }

    #[test]
    fn jvns_own_ids_name_products_without_a_cpe() {
        let product = read("jvnpid:1.0::dendai.ac.jp:myjvn_api:4.0.0").expect("product");
        assert_eq!((product.vendor.as_str(), product.name.as_str()), ("dendai.ac.jp", "myjvn api"));
        assert_eq!((product.versions.len(), product.cpe.as_str()), (1, ""));
        assert_eq!(product.jvnpid, "jvnpid:1.0::dendai.ac.jp:myjvn_api:4.0.0");
    }

    #[test]
    fn what_names_no_product_is_refused() {
        assert_eq!(read("cpe:/:ipa"), Err(ProductError::Empty));
        assert_eq!(read("pkg:npm/x"), Err(ProductError::Binding));
        assert_eq!(read("cpe:2.3:a:x:*"), Err(ProductError::Empty));
        assert_eq!(read(&format!("cpe:/a:{}:x", "v".repeat(5_000))), Err(ProductError::Long));
    }
}
