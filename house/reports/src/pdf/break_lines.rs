//! Lines of a given width, by the rules of Japanese typesetting (JIS X 4051): a word of Latin letters
//! stays whole, closing marks and small kana do not begin a line, opening brackets do not end one.

use super::{CELL_CHARS_MAX, face::Face};

/// What may not begin a line (行頭禁則).
const NOT_FIRST: &str = "、。，．・：；？！‼⁇⁈⁉ー－゛゜ヽヾゝゞ々〻’”）〕］｝〉》」』】〙〗〟｠»‐–〜～…‥,.:;?!)]}%％‰℃′″\
                         ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ";
/// What may not end one (行末禁則).
const NOT_LAST: &str = "‘“（〔［｛〈《「『【〘〖〝｟«([{￥¥$＄£#＃№";
/// Most characters that hold together; a longer run is broken anywhere.
const ATOM_CHARS_MAX: usize = 60;

/// Breaks a text; an empty one gives one empty line.
pub(super) fn lines(face: &Face, text: &str, size: f32, width: f32) -> Vec<String> {
    let mut out = Vec::new();
    for paragraph in shortened(text).split('\n') {
        broken(face, paragraph, size, width, &mut out);
    }
    out
}

/// Without control characters, and no longer than allowed.
fn shortened(text: &str) -> String {
    let mut clean: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| *c == '\n' || !(c.is_control() || ('\u{200b}'..='\u{200f}').contains(c)))
        .take(CELL_CHARS_MAX + 1)
        .collect();
    if clean.chars().count() > CELL_CHARS_MAX {
        clean = clean.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect();
    }
    clean.trim_end().to_owned()
}

fn broken(face: &Face, paragraph: &str, size: f32, width: f32, out: &mut Vec<String>) {
    let (mut line, mut used) = (String::new(), 0.0);
    for atom in atoms(paragraph) {
        let wide = face.width(&atom, size);
        // White space that would end the line hangs over it.
        let visible = face.width(atom.trim_end(), size);
        if used + visible > width && !line.is_empty() {
            out.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0.0;
        }
        if visible <= width {
            line.push_str(&atom);
            used += wide;
            continue;
        }
        // No line holds it: broken wherever the line is full.
        for c in atom.chars() {
            let one = face.char_width(c, size);
            if used + one > width && !line.is_empty() {
                out.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(c);
            used += one;
        }
    }
    out.push(line.trim_end().to_owned());
}

/// Pieces between which a line may break.
fn atoms(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for c in text.chars() {
        let joins = before.is_some_and(|before| holds(before, c));
        match all.last_mut() {
            Some(last) if joins && last.chars().count() < ATOM_CHARS_MAX => last.push(c),
            _ => all.push(c.to_string()),
        }
        before = Some(c);
    }
    all
}

/// Whether no line may break between the two.
fn holds(before: char, after: char) -> bool {
    let is_word = |c: char| c.is_alphanumeric() && !is_ideographic(c) || "_'/.-@&+#=".contains(c);
    if after == ' ' {
        return true;
    }
    if before == ' ' {
        return false;
    }
    NOT_FIRST.contains(after) || NOT_LAST.contains(before) || (is_word(before) && is_word(after))
}

/// Characters between which Japanese breaks anywhere.
fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str, chars: f32) -> Vec<String> {
        lines(&Face::shipped().unwrap(), text, 10.0, chars * 10.0 + 0.01)
    }

    #[test]
    fn closing_marks_do_not_begin_and_opening_ones_do_not_end_a_line() {
        assert_eq!(lines_of("管理策を選ぶ。次に", 6.0), ["管理策を選", "ぶ。次に"]);
        assert_eq!(lines_of("方針は「設定」を", 4.0), ["方針は", "「設定」", "を"]);
        assert_eq!(lines_of("サーバーとチェック", 4.0), ["サーバー", "とチェッ", "ク"]);
    }

    #[test]
    fn latin_words_stay_whole_unless_no_line_holds_them() {
        assert_eq!(lines_of("規格 ISO/IEC 27001 の", 8.0), ["規格 ISO/IEC", "27001 の"]);
        let long = "a".repeat(100);
        let broken = lines_of(&long, 5.0);
        assert!(broken.len() > 5 && broken.concat() == long, "{broken:?}");
    }

    #[test]
    fn no_line_is_wider_than_its_column_and_no_character_is_lost() {
        let face = Face::shipped().unwrap();
        let text =
            "「情報（資産）」の台帳、config.toml の変更……を、年1回以上・漏れなく確かめる。ー々ッ"
                .repeat(9);
        for width in [25.0f32, 40.0, 77.7, 200.0] {
            let lines = lines(&face, &text, 7.5, width);
            for line in &lines {
                assert!(face.width(line, 7.5) <= width + 0.01, "{line}");
            }
            let whole: String = lines.concat().split(' ').collect();
            assert_eq!(whole, text.split(' ').collect::<String>());
        }
    }

    #[test]
    fn an_empty_text_is_one_line_and_line_feeds_are_kept() {
        assert_eq!(lines_of("", 3.0), [""]);
        assert_eq!(lines_of("あ\r\nい\n", 3.0), ["あ", "い"]);
    }
}
