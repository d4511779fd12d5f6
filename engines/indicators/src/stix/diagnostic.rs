//! What is wrong with a document, and where.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A MUST of the specification is broken.
    Error,
    /// A SHOULD is broken, or something bites those who read it.
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One finding of [`validate`](super::validate).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// JSON pointer (RFC 6901) into the document.
    pub pointer: String,
    pub rule: Rule,
    /// What the sentence of the rule speaks of.
    pub detail: String,
}

impl Diagnostic {
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    pub fn en(&self) -> String {
        self.rule.sentences().0.replace("{}", &self.detail)
    }

    pub fn ja(&self) -> String {
        self.rule.sentences().1.replace("{}", &self.detail)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{place}: {}: {} ({})", self.severity().as_str(), self.en(), self.rule.id())
    }
}

macro_rules! rules {
    ($($rule:ident $severity:ident $id:literal, $en:literal, $ja:literal;)*) => {
        /// What a document is held to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($rule,)*
        }

        impl Rule {
            pub const ALL: &[Rule] = &[$(Rule::$rule,)*];

            /// The stable word.
            pub fn id(self) -> &'static str {
                match self {
                    $(Rule::$rule => $id,)*
                }
            }

            pub fn severity(self) -> Severity {
                match self {
                    $(Rule::$rule => Severity::$severity,)*
                }
            }

            fn sentences(self) -> (&'static str, &'static str) {
                match self {
                    $(Rule::$rule => ($en, $ja),)*
                }
            }
        }
    };
}

rules! {
    Json Error "json", "this is no JSON: {}", "JSONとして読めません: {}";
    Limit Error "limit", "more than {}", "上限を超えています: {}";
    NotObject Error "not-object", "an object is expected here", "ここにはオブジェクトが必要です";
    Missing Error "missing", "{} is missing", "{}がありません";
    Type Error "type", "this must be {}", "{}でなければなりません";
    TypeName Error "type-name", "{} is no name of a type: lower-case letters, digits and hyphens, 3 to 250 of them", "{}は型名になりません（英小文字・数字・ハイフンで3～250字）";
    UnknownType Warning "unknown-type", "type {} is not of STIX 2.1 and no extension says what it is", "型{}はSTIX 2.1になく、拡張の宣言もありません";
    Id Error "id", "{} is no identifier: a type, two hyphens and a UUID", "{}は識別子の形ではありません（型--UUID）";
    IdType Error "id-type", "the identifier is not of type {}", "識別子の型が{}ではありません";
    IdVersion Warning "id-version", "the UUID of {} is neither version 4 nor, for an observable, version 5", "{}のUUIDが第4版（観測対象は第5版）ではありません";
    ScoId Warning "sco-id", "the identifier made of what this observable is would be {}", "この観測対象の内容から作る識別子は{}です";
    DuplicateId Warning "duplicate-id", "{} stands here already in the same version", "{}の同じ版が既にあります";
    RefType Error "ref-type", "a reference to {} is expected", "{}への参照でなければなりません";
    RefMissing Warning "ref-missing", "{} is not in the bundle", "{}がバンドルにありません";
    SpecVersion Error "spec-version", "spec_version {} is not known here: 2.1, or 2.0 for what is older", "spec_version {}は扱えません（2.1、旧版は2.0）";
    OldVersion Warning "old-version", "this is STIX {}; it is read, and judged by the rules of 2.1 as far as they agree", "STIX {}です。読み取りますが、判定は2.1と共通の規則に限ります";
    Timestamp Error "timestamp", "{} is no timestamp such as 2026-01-31T12:00:00.000Z", "{}は2026-01-31T12:00:00.000Zのような時刻ではありません";
    Millis Error "millis", "{} must tell milliseconds", "{}はミリ秒まで書いてください";
    TimeOrder Error "time-order", "{}", "時刻の順序が逆です: {}";
    Range Error "range", "this must lie in {}", "値は{}の範囲でなければなりません";
    EmptyList Error "empty-list", "a list must not be empty: leave it out", "リストは空にできません。項目ごと省いてください";
    EmptyText Warning "empty-text", "{} is empty", "{}が空です";
    EmptyMap Error "empty-map", "a dictionary must not be empty: leave it out", "辞書は空にできません。項目ごと省いてください";
    NoNull Error "null", "null is no value: leave the property out", "nullは値になりません。項目ごと省いてください";
    Enumeration Error "enumeration", "{} is not one of the allowed words", "{}は許された語ではありません";
    Vocabulary Warning "vocabulary", "{} is not in the suggested vocabulary", "{}は推奨語彙にありません";
    Hex Error "hex", "this is no even number of hexadecimal digits", "偶数桁の16進数ではありません";
    Binary Error "binary", "this is no base64", "base64ではありません";
    Key Error "key", "{} is no key: letters, digits, - and _, 1 to 250 of them", "{}はキーになりません（英数字・-・_で1～250字）";
    HashKey Warning "hash-key", "{} is not a suggested name of a hash", "{}は推奨されるハッシュ名ではありません";
    HashValue Error "hash-value", "this is no value of {}", "{}の値ではありません";
    Format Error "format", "{} is not well formed", "{}の形が正しくありません";
    FormatHint Warning "format-hint", "{}", "{}";
    AnyOf Error "any-of", "one of these must be there: {}", "次のいずれかが必要です: {}";
    OneOf Error "one-of", "exactly one of these must be there: {}", "次のうち一つだけが必要です: {}";
    Needs Error "needs", "{}", "組になる項目がありません: {}";
    NotBoth Error "not-both", "{} cannot stand together", "{}は同時に書けません";
    Custom Warning "custom-property", "{} is not of this type and no extension says what it is", "{}はこの型の項目ではなく、拡張の宣言もありません";
    Deprecated Warning "deprecated", "{} is deprecated", "{}は非推奨です";
    PropertyName Error "property-name", "{} is no name of a property: lower-case letters, digits and _, 3 to 250 of them", "{}は項目名になりません（英小文字・数字・_で3～250字）";
    Selector Error "selector", "selector {} leads to nothing in this object", "セレクタ{}に当たる値がありません";
    OwnMarking Error "own-marking", "a marking cannot mark itself", "マーキングが自分自身を指しています";
    Extension Error "extension", "{} is no extension of this type", "{}はこの型の拡張ではありません";
    ExtensionType Error "extension-type", "an extension by a definition says what it is in extension_type: {}", "extension_typeがないか正しくありません: {}";
    Language Error "language", "{} is no language tag such as en or ja-JP", "{}はenやja-JPのような言語タグではありません";
    Translation Warning "translation", "{}", "翻訳が元の値に合いません: {}";
    Pattern Error "pattern", "{}", "パターンの誤りです: {}";
    Tlp Error "tlp", "{}", "TLPの定義ではありません: {}";
    Relation Warning "relation", "the specification suggests no such relationship: {}", "仕様が挙げる関係ではありません: {}";
    KillChain Warning "kill-chain", "{} is best written in lower case with hyphens", "{}は英小文字とハイフンで書くのが望まれます";
    External Warning "external", "{}", "外部参照の形が違います: {}";
    Multipart Error "multipart", "{}", "is_multipartと本文が合いません: {}";
    Bundle Error "bundle", "{}", "バンドルの誤りです: {}";
}
