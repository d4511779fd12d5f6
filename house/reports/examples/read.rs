//! Reads a workbook, finds its tables and walks their rows: what `benches/import.py` measures.

use std::{error::Error, process::ExitCode};

use reports::{find, fold_header};

const KNOWN: [&str; 10] = [
    "機器名",
    "種別",
    "メーカー",
    "型番",
    "製造番号",
    "使用者",
    "設置場所",
    "購入日",
    "保守期限",
    "備考",
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: read FILE");
        return Ok(ExitCode::from(2));
    };
    let words: Vec<String> = KNOWN.iter().map(|word| fold_header(word)).collect();
    let book = reports::read(&std::fs::read(path)?)?;
    let (mut rows, mut bytes) = (0usize, 0usize);
    for sheet in &book.sheets {
        for table in find::tables(sheet, &|word| words.iter().any(|known| known == word)) {
            for (_, cells) in table.records(sheet) {
                rows += 1;
                bytes += cells.iter().map(|cell| cell.text.len()).sum::<usize>();
            }
        }
    }
    println!("{rows} rows, {bytes} bytes");
    Ok(ExitCode::SUCCESS)
}
