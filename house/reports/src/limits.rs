//! Every limit of a foreign table, and what is said when one is passed.

use model::Lang;

/// Largest file taken.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Files inside a workbook.
pub const ENTRIES_MAX: usize = 2_000;
/// Most bytes that a workbook may unpack to.
pub const UNPACKED_BYTES_MAX: u64 = 300 * 1024 * 1024;
/// How many times larger than packed a part may be; real sheets stay below 100. Small parts may be
/// anything.
pub const RATIO_MAX: u64 = 200;
pub(crate) const RATIO_FREE_BYTES: u64 = 1024 * 1024;
/// Sheets of a workbook.
pub const SHEETS_MAX: usize = 200;
/// Rows of one sheet: a hundred thousand of a register, and room for titles, headings and notes around them.
pub const ROWS_MAX: usize = 110_000;
pub const COLUMNS_MAX: usize = 500;
/// Cells of all sheets, counted up to the last one of each row, since empty ones take memory too;
/// what a merged area fills counts once more.
pub const CELLS_MAX: usize = 4_000_000;
/// What Excel itself allows in one cell.
pub const CELL_CHARS_MAX: usize = 32_767;
/// Text of all cells: a workbook may name one long text a million times.
pub const TEXT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    #[error("larger than {0} bytes")]
    Large(u64),
    #[error("{0} is packed more than {RATIO_MAX} times")]
    Ratio(String),
    #[error("{0} unpacks to another size than it says")]
    Lies(String),
    #[error("more than {ENTRIES_MAX} files in the workbook")]
    Entries,
    #[error("more than {SHEETS_MAX} sheets")]
    Sheets,
    #[error("more than {ROWS_MAX} rows")]
    Rows,
    #[error("more than {COLUMNS_MAX} columns")]
    Columns,
    #[error("more than {CELLS_MAX} cells, or more than {TEXT_BYTES_MAX} bytes of text")]
    Cells,
    #[error("cell {0} has more than {CELL_CHARS_MAX} characters")]
    Cell(String),
    #[error("the workbook is protected by a password")]
    Encrypted,
    #[error("an old xls workbook, not xlsx")]
    Xls,
    #[error("neither a workbook nor a text")]
    Binary,
    #[error("not a readable xlsx workbook: {0}")]
    Xlsx(String),
    #[error("not a readable CSV file, line {line}: {what}")]
    Csv { line: u64, what: String },
    #[error("the file holds no rows")]
    Empty,
    #[error("could not be written: {0}")]
    Write(String),
}

impl SheetError {
    /// What is wrong, and what to do, in the reader's language.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ja => format!("{}何も取り込んでいません。", self.ja()),
            Lang::En => format!("{} Nothing was taken in.", self.en()),
        }
    }

    fn ja(&self) -> String {
        match self {
            SheetError::Large(max) => {
                format!(
                    "ファイル（展開後を含む）の上限は{}MiBです。分けて取り込んでください。",
                    max >> 20
                )
            }
            SheetError::Ratio(part) => {
                format!(
                    "圧縮率が異常です（{part}、上限{RATIO_MAX}倍）。Excelで保存し直してください。"
                )
            }
            SheetError::Lies(part) => {
                format!("ファイルが壊れています（{part}の大きさが表示と違います）。")
            }
            SheetError::Entries => {
                format!("ブック内のファイル数の上限は{ENTRIES_MAX}です。シートを分けてください。")
            }
            SheetError::Sheets => {
                format!("シート数の上限は{SHEETS_MAX}です。ブックを分けてください。")
            }
            SheetError::Rows => format!("行数の上限は{ROWS_MAX}です。分けて取り込んでください。"),
            SheetError::Columns => {
                format!("列数の上限は{COLUMNS_MAX}です。不要な列を削除してください。")
            }
            SheetError::Cells => {
                format!("セル数の上限は{CELLS_MAX}です。分けて取り込んでください。")
            }
            SheetError::Cell(at) => format!("セル{at}が{CELL_CHARS_MAX}文字を超えています。"),
            SheetError::Encrypted => {
                "パスワードで保護されています。保護を外して保存し直してください。".to_owned()
            }
            SheetError::Xls => "旧形式（xls）です。xlsxで保存し直してください。".to_owned(),
            SheetError::Binary => "CSVでもxlsxでもありません。".to_owned(),
            SheetError::Xlsx(what) => format!("xlsxとして読み取れません（{what}）。"),
            SheetError::Csv { line, what } => {
                format!("CSVとして読み取れません（{line}行目: {what}）。")
            }
            SheetError::Empty => "データがありません。".to_owned(),
            SheetError::Write(what) => format!("書き出せません（{what}）。"),
        }
    }

    fn en(&self) -> String {
        match self {
            SheetError::Large(max) => {
                format!("At most {} MiB, unpacked too: take it in parts.", max >> 20)
            }
            SheetError::Encrypted => {
                "The workbook is protected by a password: save it without.".to_owned()
            }
            SheetError::Xls => "This is an old xls workbook: save it as xlsx.".to_owned(),
            other => {
                let text = other.to_string();
                let mut chars = text.chars();
                let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
                format!("{first}{}.", chars.as_str())
            }
        }
    }
}
