//! Why a document is not in the rule set: the place, the reason, what to do.

use std::fmt;

/// A document that was refused. The others of its file and set are not touched by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub file: String,
    /// From 1
    pub line: usize,
    /// From 1
    pub column: usize,
    /// Title of the document, as far as it was read
    pub title: String,
    pub id: Option<String>,
    pub reason: Reason,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)
    }
}

/// A fault inside a file, before the file's name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub line: usize,
    pub column: usize,
    pub reason: Reason,
}

impl Fault {
    pub fn at(place: Place, reason: Reason) -> Fault {
        Fault { line: place.line, column: place.column, reason }
    }
}

/// Line and column from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub line: usize,
    pub column: usize,
}

/// What stands inside a reason, in Japanese: what is ours is translated, a rule's own words stay.
trait InJa {
    fn in_ja(&self) -> String;
}

impl InJa for usize {
    fn in_ja(&self) -> String {
        self.to_string()
    }
}

impl InJa for &'static str {
    fn in_ja(&self) -> String {
        translated(self)
    }
}

impl InJa for String {
    fn in_ja(&self) -> String {
        translated(self)
    }
}

/// A phrase of [`PHRASES`], alone or behind what it is about.
fn translated(text: &str) -> String {
    let phrase = PHRASES.iter().find_map(|(en, ja)| Some((text.strip_suffix(en)?, ja)));
    phrase.map_or_else(|| text.to_owned(), |(before, ja)| format!("{before}{ja}"))
}

const PHRASES: &[(&str, &str)] = &[
    // limits
    ("bytes in a file", "ファイルのバイト数"),
    ("bytes after aliases", "エイリアス展開後のバイト数"),
    ("YAML values in a file", "ファイル内のYAMLの値の数"),
    ("levels of lists and maps", "リストとマップの入れ子の段数"),
    ("bytes in a value", "値のバイト数"),
    ("predicates in a rule", "ルール内の判定の数"),
    ("predicates in a condition", "conditionを展開した判定の数"),
    ("levels in a condition", "conditionの入れ子の段数"),
    ("documents in a set", "文書の数"),
    ("correlations on each other", "correlationの重なりの段数"),
    ("rules in a correlation", "correlationが参照するルールの数"),
    // what a modifier takes
    ("a text or a number", "文字列か数を指定してください"),
    ("a text; put numbers in quotes", "文字列を指定してください。数は引用符で囲みます"),
    ("a text such as 10.0.0.0/8", "10.0.0.0/8のような文字列を指定してください"),
    ("a text", "文字列を指定してください"),
    ("a regular expression; write it behind re", "reの後に書いてください"),
    ("the name of a field", "フィールド名を指定してください"),
    ("true or false", "trueかfalseを指定してください"),
    ("a number", "数を指定してください"),
    ("from 0 to 59", "0から59"),
    ("from 0 to 23", "0から23"),
    ("from 1 to 31", "1から31"),
    ("from 1 to 53", "1から53"),
    ("from 1 to 12", "1から12"),
    ("from 0 to 9999", "0から9999"),
    ("from 1 to 100000000", "1から100000000"),
    ("0 to 100", "0から100"),
    // conditions
    (" is not expected here", "はここに書けません"),
    ("a bracket is not closed", "括弧が閉じていません"),
    ("it ends where a name is expected", "名前があるはずの所で終わっています"),
    (" of is not known; write 1 of or all of", " ofは使えません。1 ofかall ofと書いてください"),
    (" in lower case", "（小文字で書いてください）"),
    ("after of a pattern or them is expected", "ofの後にはパターンかthemが必要です"),
    ("write a map such as gte: 10", "gte: 10のようなマップで書いてください"),
    (
        " is not known here; known are gt, gte, lt, lte, eq, neq, field",
        "は使えません（使えるのはgt, gte, lt, lte, eq, neq, field）",
    ),
    ("no comparison; add one such as gte: 10", "比較がありません。gte: 10のように書いてください"),
    (
        "more than two comparisons; chain correlations instead",
        "比較が三つ以上あります。correlationを重ねてください",
    ),
    (
        "a range has a lower and an upper bound, no eq or neq",
        "範囲は下限と上限で書きます。eqとneqは使えません",
    ),
    ("a range has a lower and an upper bound", "範囲は下限と上限で書きます"),
    (
        "field has no meaning for this type; remove it",
        "この型でfieldは意味を持ちません。外してください",
    ),
    (
        "more than one field; only value_count takes several",
        "fieldが二つ以上あります。複数はvalue_countだけです",
    ),
    (
        "it holds when nothing happens; name a rule that must occur",
        "何も起きなくても成り立ちます。起きるべきルールを入れてください",
    ),
    // Ume's own
    ("session needs a condition with gt or gte", "sessionにはgtかgteの条件が必要です"),
    (
        "periodic needs event_count with gt or gte",
        "periodicにはevent_countとgtかgteの条件が必要です",
    ),
    ("periodic needs events and jitter_permille", "periodicにはeventsとjitter_permilleが必要です"),
    ("periodic needs three events or more", "periodicのeventsは3以上にしてください"),
    ("known are groups, session and periodic", "使えるのはgroups・session・periodicです"),
];

/// Declares the reasons once: variant, name for counting, English, Japanese.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $(($($arg:ident: $ty:ty),+))? = $code:literal, $en:literal, $ja:literal;)+) => {
        /// The reasons for which a document is refused.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $variant $(($($ty),+))?,)+ }

        impl Reason {
            /// A short name, the same for ever; counters use it.
            pub fn code(&self) -> &'static str {
                match self { $(Reason::$variant { .. } => $code,)+ }
            }

            pub fn en(&self) -> String {
                match self { $(Reason::$variant $(($($arg),+))? => format!($en),)+ }
            }

            pub fn ja(&self) -> String {
                match self {
                    $(Reason::$variant $(($($arg),+))? => {
                        $($(let $arg = $arg.in_ja();)+)?
                        format!($ja)
                    })+
                }
            }
        }
    };
}

reasons! {
    Utf8 = "utf8", "the file is not UTF-8; save it as UTF-8", "ファイルがUTF-8ではありません。UTF-8で保存し直してください";
    Yaml(what: String) = "yaml", "YAML: {what}", "YAMLの誤りです: {what}";
    Twice(key: String) = "twice", "key {key:?} stands twice; remove one of them", "キー「{key}」が二つあります。一方を削除してください";
    KeyType = "key-type", "a key is not a text; write it as a text", "キーが文字列ではありません。文字列にしてください";
    Tag(tag: String) = "tag", "YAML tag {tag} is not known; write the value without it", "YAMLのタグ{tag}は扱えません。タグを外して書いてください";
    Alias = "alias", "alias of an anchor that is not complete; write the value out", "閉じていないアンカーへの別名です。値をそのまま書いてください";
    Limit(what: &'static str, max: usize) = "limit", "more than {max} {what}; split it or raise the limit", "上限を超えています（{what}: {max}）。分割するか上限を上げてください";
    NotAMap = "not-a-map", "a document must be a map of attributes such as title and detection", "文書はtitleやdetectionなどの属性を持つマップでなければなりません";
    KindUnknown = "kind", "neither detection, correlation nor filter; add one of them", "detection・correlation・filterのいずれもありません。どれかを書いてください";
    KindTwofold = "kinds", "more than one of detection, correlation and filter; give each a document of its own", "detection・correlation・filterが二つ以上あります。文書を分けてください";
    Missing(key: String) = "missing", "{key} is missing; add it", "{key}がありません。追加してください";
    WantsText(key: String) = "wants-text", "{key} must be a text", "{key}は文字列で書いてください";
    WantsMap(key: String) = "wants-map", "{key} must be a map", "{key}はマップで書いてください";
    WantsList(key: String) = "wants-list", "{key} must be a list", "{key}はリストで書いてください";
    WantsBool(key: String) = "wants-bool", "{key} must be true or false", "{key}はtrueかfalseで書いてください";
    WantsNumber(key: String) = "wants-number", "{key} must be a number", "{key}は数で書いてください";
    TooLong(key: String, max: usize) = "too-long", "{key} is longer than {max} characters; shorten it", "{key}が{max}文字を超えています。短くしてください";
    TooShort(key: String, min: usize) = "too-short", "an entry of {key} is shorter than {min} characters", "{key}の項目は{min}文字以上にしてください";
    Repeated(key: String, value: String) = "repeated", "{key} lists {value:?} twice; remove one", "{key}に「{value}」が二つあります。一方を削除してください";
    Empty(key: String) = "empty", "{key} is empty; give it at least one entry", "{key}が空です。一つ以上書いてください";
    NotOneOf(key: String, value: String, known: &'static str) = "not-one-of", "{key} {value:?} is not one of {known}", "{key}「{value}」は使えません（{known}のいずれか）";
    Date(key: String, value: String) = "date", "{key} {value:?} is not a date like 2026-04-01", "{key}「{value}」は2026-04-01のような日付ではありません";
    TagForm(value: String) = "tag-form", "tag {value:?} is not of the form namespace.name in lower-case letters, digits, - and _", "タグ「{value}」は「名前空間.名前」（英小文字・数字・-・_）の形ではありません";
    Taxonomy(value: String) = "taxonomy", "taxonomy {value:?} is not known here; configure it or use sigma", "タクソノミー「{value}」は登録されていません。登録するかsigmaを使ってください";
    SelectionScalar(name: String) = "selection-scalar", "{name} is a single value; write a list for keywords or a map of fields", "{name}が単独の値です。キーワードはリスト、フィールドはマップで書いてください";
    Timeframe = "timeframe", "timeframe belongs to the old aggregation; write a correlation document", "timeframeは旧形式の集計です。correlationの文書で書いてください";
    NestedList(name: String) = "nested-list", "{name} has a list inside a list; write one flat list", "{name}でリストが入れ子になっています。一段のリストにしてください";
    NestedMap(name: String) = "nested-map", "{name} has a map as value; join the names with dots", "{name}の値がマップです。名前をドットでつないで書いてください";
    NullInList(name: String) = "null-in-list", "{name} has null inside a list; make it a selection of its own", "{name}のリストにnullがあります。別のセレクションに分けてください";
    NullKeyword(name: String) = "null-keyword", "{name} searches for null; a keyword must be a text or a number", "{name}のキーワードがnullです。文字列か数にしてください";
    NullModified(name: String) = "null-modified", "{name} puts modifiers on null; null takes none", "{name}でnullに修飾子が付いています。nullに修飾子は使えません";
    Modifier(name: String) = "modifier", "modifier {name:?} is not known; correct or remove it", "修飾子「{name}」は未知です。修正するか外してください";
    ModifierTwice(name: String) = "modifier-twice", "modifier {name:?} stands twice; remove one", "修飾子「{name}」が二つあります。一方を外してください";
    ModifierType(name: String, wants: &'static str) = "modifier-type", "modifier {name:?} takes {wants}", "修飾子「{name}」の値の型が違います（{wants}）";
    ModifierOrder(name: String, after: String) = "modifier-order", "modifier {name:?} cannot follow {after:?}; change the order or remove one", "修飾子「{name}」は「{after}」の後には置けません。順序を変えるか外してください";
    ModifierKeyword(name: String) = "modifier-keyword", "modifier {name:?} needs a field", "修飾子「{name}」にはフィールド名が必要です";
    AllOfOne(name: String) = "all-of-one", "{name} uses all with a single value; give it a list of two or more", "{name}のallに値が一つしかありません。二つ以上のリストにしてください";
    Wildcard(name: String) = "wildcard", "modifier {name:?} cannot encode wildcards; escape them or place it before contains", "修飾子「{name}」はワイルドカードを変換できません。エスケープするかcontainsより前に置いてください";
    Unfinished(name: String) = "unfinished", "{name} makes bytes that no text can hold; follow it with base64 or base64offset", "{name}の結果は文字列になりません。base64かbase64offsetを続けてください";
    Placeholder(name: String) = "placeholder", "placeholder %{name}% has no values; register them or switch the rule off", "プレースホルダー%{name}%の値がありません。登録するかルールを無効にしてください";
    Cidr(value: String) = "cidr", "{value:?} is not a network like 10.0.0.0/8 or fe80::/10 (no bits beyond the prefix)", "「{value}」は10.0.0.0/8やfe80::/10のようなネットワークではありません（接頭辞より後のビットは0）";
    Regex(what: String) = "regex", "regular expression: {what}", "正規表現の誤りです: {what}";
    OutOfRange(name: String, range: &'static str) = "out-of-range", "{name} takes numbers {range}", "{name}は{range}の数です";
    Condition(what: String) = "condition", "condition: {what}", "conditionの誤りです: {what}";
    ConditionPipe = "condition-pipe", "the condition has a |, the old aggregation; write a correlation document", "conditionに|（旧形式の集計）があります。correlationの文書で書いてください";
    ConditionName(name: String) = "condition-name", "the condition names {name:?}, which is not defined; define it or correct the name", "conditionの「{name}」が定義されていません。定義するか名前を直してください";
    ConditionPattern(pattern: String) = "condition-pattern", "no search identifier meets {pattern:?}; correct the pattern", "「{pattern}」に当たる検索識別子がありません。パターンを直してください";
    DoubleId(id: String, other: String) = "double-id", "id {id} is also that of {other}; give one of them a new id", "id {id}は{other}と重複しています。一方に新しいidを付けてください";
    DoubleName(name: String, other: String) = "double-name", "name {name:?} is also that of {other}; rename one of them", "name「{name}」は{other}と重複しています。一方の名前を変えてください";
    Reference(name: String) = "reference", "rule {name:?} is not in the set; add it or correct the reference", "ルール「{name}」がありません。追加するか参照を直してください";
    ReferenceOff(name: String) = "reference-off", "rule {name:?} is deprecated or unsupported and off; switch it on or remove the reference", "ルール「{name}」は非推奨または未対応のため無効です。有効にするか参照を外してください";
    Cycle(name: String) = "cycle", "correlations refer to each other in a circle through {name:?}; break it", "correlationの参照が「{name}」で循環しています。循環を解いてください";
    FilterLogsource(name: String) = "filter-logsource", "the filter's logsource is not that of rule {name:?}; correct one of them", "フィルターのlogsourceがルール「{name}」と合いません。どちらかを直してください";
    FilterTarget(name: String) = "filter-target", "{name:?} is a correlation; name the detection rules under it", "「{name}」はcorrelationです。その下の検出ルールを指定してください";
    Timespan(value: String) = "timespan", "timespan {value:?} is not a number above 0 followed by s, m, h or d", "timespan「{value}」は正の数＋s・m・h・dの形ではありません";
    CorrelationKey(key: String) = "correlation-key", "{key:?} is not known in a correlation; remove it or put Ume's own under ume", "correlationに「{key}」は使えません。外すか、Ume独自の項目はumeの下に書いてください";
    FilterKey(key: String) = "filter-key", "{key:?} is not known in a filter", "filterに「{key}」は使えません";
    ConditionMap(what: String) = "correlation-condition", "correlation condition: {what}", "correlationのcondition: {what}";
    AliasRule(name: String) = "alias-rule", "an alias names rule {name:?}, which the correlation does not list; add it or remove it", "aliasesの「{name}」はrulesにありません。追加するか外してください";
    Extension(what: String) = "extension", "ume: {what}", "ume: {what}";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en())
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_japanese_and_a_rules_own_words_stay() {
        let limit = Reason::Limit("bytes in a value", 5);
        assert_eq!(
            limit.ja(),
            "上限を超えています（値のバイト数: 5）。分割するか上限を上げてください"
        );
        let condition = Reason::Condition("\"or\" is not expected here".into());
        assert_eq!(condition.ja(), "conditionの誤りです: \"or\"はここに書けません");
        let modifier = Reason::ModifierType("gt".into(), "a number");
        assert_eq!(modifier.ja(), "修飾子「gt」の値の型が違います（数を指定してください）");
        assert_eq!(
            Reason::Modifier("near".into()).ja(),
            "修飾子「near」は未知です。修正するか外してください"
        );
    }

    /// A longer phrase stands before one that it ends with.
    #[test]
    fn no_phrase_hides_another() {
        for (at, (en, _)) in PHRASES.iter().enumerate() {
            let hides = PHRASES[..at].iter().find(|(before, _)| en.ends_with(before));
            assert_eq!(hides, None, "{en}");
        }
    }
}
