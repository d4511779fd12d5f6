//! Why a document could not be read or must not be written.

/// Bounds of what is read; a document beyond one of them is refused with the place where it passes it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file, and of the text that YAML aliases expand to
    pub bytes: usize,
    /// Lists and objects inside each other; more than [`Limits::DEPTH_MAX`] cannot be asked for
    pub depth: usize,
    /// Values, those that YAML aliases expand to included
    pub nodes: usize,
    /// Bytes of a member's name
    pub name: usize,
}

impl Limits {
    /// Readers and writers recurse; this many levels fit a thread's stack with room to spare.
    pub const DEPTH_MAX: usize = 512;

    pub(crate) fn depth(&self) -> usize {
        self.depth.min(Self::DEPTH_MAX)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: 64 << 20, depth: 200, nodes: 2_000_000, name: 1_024 }
    }
}

/// A document that cannot be read: what, and where as pointer, line and column (from 1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault} (line {line}, column {column})", shown(pointer))]
pub struct ReadError {
    pub pointer: String,
    pub line: usize,
    pub column: usize,
    pub fault: Fault,
}

fn shown(pointer: &str) -> &str {
    if pointer.is_empty() { "the document" } else { pointer }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("larger than {0} bytes; split the document")]
    Bytes(usize),
    #[error("nested deeper than {0} levels; OSCAL needs some 30")]
    Depth(usize),
    #[error("more than {0} values; split the document")]
    Nodes(usize),
    #[error("a member's name is longer than {0} bytes")]
    Name(usize),
    #[error("not UTF-8; save the file as UTF-8")]
    Utf8,
    #[error("{0}")]
    Syntax(String),
    #[error("member {0:?} stands twice; remove one of them")]
    Twice(String),
    #[error("tag {0} is not known; JSON has no such type, write the value without it")]
    Tag(String),
    #[error("alias of an anchor that is not complete; write the value out")]
    Alias,
    #[error("merge key <<; YAML 1.2 has none, write the members out")]
    MergeKey,
    #[error("a member's name is a list or an object; JSON knows texts only")]
    Key,
    #[error("{0} is a number that JSON cannot write")]
    Number(String),
    #[error("more than one YAML document; give each a file of its own")]
    Several,
}

impl Fault {
    /// The same in Japanese.
    pub fn ja(&self) -> String {
        match self {
            Fault::Bytes(n) => format!("{n}バイトを超えています。文書を分けてください"),
            Fault::Depth(n) => format!("入れ子が{n}段を超えています（OSCALは30段ほどで足ります）"),
            Fault::Nodes(n) => format!("値が{n}個を超えています。文書を分けてください"),
            Fault::Name(n) => format!("メンバー名が{n}バイトを超えています"),
            Fault::Utf8 => "UTF-8ではありません。UTF-8で保存し直してください".to_owned(),
            Fault::Syntax(what) => format!("構文の誤りです: {what}"),
            Fault::Twice(name) => {
                format!("メンバー「{name}」が二つあります。一方を削除してください")
            }
            Fault::Tag(tag) => {
                format!("タグ{tag}は扱えません。JSONにない型です。タグを外して書いてください")
            }
            Fault::Alias => {
                "閉じていないアンカーへの別名です。値をそのまま書いてください".to_owned()
            }
            Fault::MergeKey => {
                "マージキー << はYAML 1.2にありません。メンバーをそのまま書いてください".to_owned()
            }
            Fault::Key => "メンバー名がリストかオブジェクトです。文字列にしてください".to_owned(),
            Fault::Number(text) => format!("{text}はJSONで表せない数です"),
            Fault::Several => {
                "YAML文書が二つ以上あります。一つずつ別のファイルにしてください".to_owned()
            }
        }
    }
}
