//! What is wrong with a pattern, in Japanese. A test holds that every reason of the reader has its sentence.

/// How a reason begins, and its sentence: `{}` is the rest of the reason.
const REASONS: [(&str, &str); 24] = [
    ("a comment that does not end", "コメントが閉じられていません"),
    ("a character that has no place here: ", "ここに置けない文字です: {}"),
    ("a number too large", "数値が大きすぎます"),
    (
        "a backslash stands only before ' or another backslash",
        "\\は'か\\の前にだけ置けます。\\そのものは\\\\と書いてください",
    ),
    ("a text that does not end", "文字列が閉じられていません"),
    ("a constant that does not end", "定数が閉じられていません"),
    ("no timestamp; it is written ", "時刻ではありません。{}のように書きます"),
    ("no hexadecimal bytes; they are written ", "16進のバイト列ではありません。{}のように書きます"),
    (
        "no base64; it is written with = at its end, as in ",
        "base64ではありません。{}のように末尾の=まで書きます",
    ),
    ("brackets deeper than ", "括弧の入れ子が{}段を超えています"),
    ("a chain of more than ", "条件の連なりが上限を超えています: {}"),
    (
        "a qualifier that stands here already",
        "同じ修飾子が重なっています。括弧で囲めば重ねられます",
    ),
    ("REPEATS takes ", "REPEATSの回数の範囲は{}です"),
    ("WITHIN takes more than 0 seconds", "WITHINの秒数は0より大きくしてください"),
    ("STOP must come after START", "STOPはSTARTより後の時刻にしてください"),
    ("a path of more than ", "パスの段数が上限を超えています: {}"),
    ("an index too large", "添字が大きすぎます"),
    ("values of one set are of one type", "一つの集合の値は同じ型にしてください"),
    ("a set of more than ", "集合の値の数が上限を超えています: {}"),
    ("no network such as ", "ネットワークではありません。{}のように書きます"),
    ("longer than ", "パターンの長さが上限を超えています: {}"),
    ("MATCHES: ", "MATCHESの正規表現の誤りです: {}"),
    ("more than ", "条件の数が上限を超えています: {}"),
    ("expected ", "{}"),
];

/// What may be expected, and how it is called.
const EXPECTED: [(&str, &str); 15] = [
    ("the end, AND, OR, FOLLOWEDBY or a qualifier", "終わり、AND、OR、FOLLOWEDBYまたは修飾子"),
    ("\"[\" or \"(\"", "「[」か「(」"),
    ("how many times", "回数"),
    ("a number of seconds", "秒数"),
    ("a timestamp such as t'2026-01-31T12:00:00Z'", "t'2026-01-31T12:00:00Z'のような時刻"),
    (
        "EXISTS (NOT stands before EXISTS or before an operator)",
        "EXISTS（NOTはEXISTSか演算子の前に置きます）",
    ),
    ("a path such as file:name", "file:nameのようなパス"),
    (
        "a name without hyphen, or quoted as 'tcp-ext'",
        "ハイフンのない名前（あれば'tcp-ext'のように引用符で囲みます）",
    ),
    ("the name of a property", "項目名"),
    ("an index or *", "添字か*"),
    ("an operator", "演算子"),
    ("a value that has an order", "大小のある値"),
    ("a value", "値"),
    ("\",\" or \")\"", "「,」か「)」"),
    ("a quoted text", "引用符で囲んだ文字列"),
];

/// The reason's sentence; none where it is not known.
pub(super) fn ja(what: &str) -> Option<String> {
    let (rest, sentence) =
        REASONS.iter().find_map(|(head, sentence)| Some((what.strip_prefix(head)?, *sentence)))?;
    if sentence == "{}" {
        return expected(rest);
    }
    Some(sentence.replace("{}", rest))
}

fn expected(rest: &str) -> Option<String> {
    let (wanted, found) = rest.rsplit_once(", found ").or_else(|| rest.split_once(", found "))?;
    let known = EXPECTED.iter().find(|(en, _)| *en == wanted).map(|(_, ja)| *ja);
    // Marks and keywords are called as they are written.
    let plain = wanted.starts_with('"') || wanted.bytes().all(|byte| byte.is_ascii_uppercase());
    let wanted = known.or_else(|| plain.then_some(wanted))?;
    let found = if found == "the end" { "終わり" } else { found };
    Some(format!("{wanted}が必要ですが、{found}があります"))
}

#[cfg(test)]
mod tests {
    use crate::pattern::parse;

    const WRONG: [&str; 36] = [
        "",
        "[",
        "[a",
        "[a:",
        "[a:b",
        "[a:b =",
        "[a:b = 1",
        "[a:b = 1] x",
        "[a:b = 1] REPEATS",
        "[a:b = 1] REPEATS 0 TIMES",
        "[a:b = 1] REPEATS 2",
        "[a:b = 1] WITHIN 0 SECONDS",
        "[a:b = 1] WITHIN x",
        "[a:b = 1] WITHIN 5 MINUTES",
        "[a:b = 1] START t'2026-01-01T00:00:00Z' STOP t'2025-01-01T00:00:00Z'",
        "[a:b = 1] START 1",
        "[a:b = 'x]",
        "[a:b = t'x']",
        "[a:b = h'0']",
        "[a:b = b'?']",
        "[a:b = t'",
        "[a:b = 'a\\b']",
        "[a:b IN (1, 'a')]",
        "[a:b IN (1 2)]",
        "[a:b < true]",
        "[a:b ISSUBSET 'x']",
        "[a:b MATCHES '(']",
        "[a:b MATCHES 1]",
        "[a:b[x] = 1]",
        "[a:b[99999999999999999999999] = 1]",
        "[a:b.c-d = 1]",
        "[a:b = 1] /* x",
        "[a:b = §]",
        "[NOT a:b = 1]",
        "[a:b = 1] WITHIN 1 SECONDS WITHIN 2 SECONDS",
        "[a:b = 999999999999999999999999999999999999999999999999]",
    ];

    #[test]
    fn every_reason_has_its_sentence_in_japanese() {
        for wrong in WRONG {
            let error = parse(wrong).expect_err(wrong);
            let (ja, en) = error.words();
            assert!(super::ja(&error.what).is_some(), "{wrong}: {}", error.what);
            let kana = |ch: char| ('ぁ'..='ヶ').contains(&ch);
            assert!(
                ja.chars().filter(|ch| kana(*ch)).count() > 6 && !en.contains(kana),
                "{ja} / {en}"
            );
        }
        let deep = "[".to_owned() + &"(".repeat(10_000);
        let many = format!("[a:b IN ({}1)]", "1,".repeat(200_000));
        for wrong in [
            deep,
            many,
            "[a:b = 1] OR ".repeat(200_000),
            format!("[a:{} = 1]", "b.".repeat(10_000)),
        ] {
            if let Err(error) = parse(&wrong) {
                assert!(super::ja(&error.what).is_some(), "{}", error.what);
            }
        }
    }
}
