//! CSV and TSV as Japan writes them: UTF-8 with or without mark, UTF-16 with one, CP932, EUC-JP.

use crate::{
    Sheet, SheetError, address, disarmed,
    limits::{CELL_CHARS_MAX, CELLS_MAX, COLUMNS_MAX, ROWS_MAX},
};

pub(crate) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let text = decode(bytes)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&text))
        .from_reader(text.as_bytes());
    let (mut rows, mut cells): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
    let mut record = csv::StringRecord::new();
    loop {
        let more = reader.read_record(&mut record).map_err(|e| SheetError::Csv {
            line: e.position().map_or(0, csv::Position::line),
            what: e.to_string(),
        })?;
        if !more {
            break;
        }
        if rows.len() >= ROWS_MAX {
            return Err(SheetError::Rows);
        }
        if record.len() > COLUMNS_MAX {
            return Err(SheetError::Columns);
        }
        cells += record.len();
        if cells > CELLS_MAX {
            return Err(SheetError::Cells);
        }
        // A quote that is never closed swallows the rest of the file into one cell.
        if let Some(column) = record.iter().position(|c| c.chars().count() > CELL_CHARS_MAX) {
            return Err(SheetError::Cell(address(rows.len(), column)));
        }
        rows.push(record.iter().map(|cell| disarmed(cell.trim()).to_owned()).collect());
    }
    Ok(Sheet { name: "CSV".to_owned(), rows, ..Sheet::default() })
}

fn decode(bytes: &[u8]) -> Result<String, SheetError> {
    for (mark, encoding) in
        [(&b"\xff\xfe"[..], encoding_rs::UTF_16LE), (&b"\xfe\xff"[..], encoding_rs::UTF_16BE)]
    {
        if let Some(rest) = bytes.strip_prefix(mark) {
            let (text, broken) = encoding.decode_without_bom_handling(rest);
            return if broken { Err(SheetError::Binary) } else { Ok(text.into_owned()) };
        }
    }
    if bytes.contains(&0) {
        return Err(SheetError::Binary);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => japanese(bytes),
    })
}

/// CP932 unless the bytes make EUC-JP and better Japanese that way: kanji and kana of EUC-JP turn into
/// half-width katakana when they are read as CP932.
fn japanese(bytes: &[u8]) -> String {
    let (sjis, sjis_broken) = encoding_rs::SHIFT_JIS.decode_without_bom_handling(bytes);
    let (euc, euc_broken) = encoding_rs::EUC_JP.decode_without_bom_handling(bytes);
    let half = |text: &str| text.chars().filter(|c| ('\u{ff61}'..='\u{ff9f}').contains(c)).count();
    let is_euc = !euc_broken && (sjis_broken || half(&euc) < half(&sjis));
    if is_euc { euc } else { sjis }.into_owned()
}

/// Tab or semicolon where the first lines have more of them than commas.
fn delimiter(text: &str) -> u8 {
    let head = || text.lines().take(5).flat_map(str::bytes);
    let count = |wanted: u8| head().filter(|b| *b == wanted).count();
    let commas = count(b',');
    [b'\t', b';'].into_iter().find(|other| count(*other) > commas).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first as read;

    #[test]
    fn a_cp932_csv_is_read_as_japanese() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("名称,部署\r\n梅子,総務部\r\n");
        let sheet = read(&bytes).expect("read");
        assert_eq!(sheet.rows[1], ["梅子", "総務部"]);
    }

    #[test]
    fn every_encoding_that_japan_writes_reads_the_same() {
        let text = "名称,部署,備考\r\n梅子,総務部,ﾒﾓ①\r\n竹男,情報システム課,～\r\n";
        let utf16 = |mark: &[u8], unit: fn(u16) -> [u8; 2]| {
            mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
        };
        let files = [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            encoding_rs::SHIFT_JIS.encode(text).0.into_owned(),
            utf16(b"\xff\xfe", u16::to_le_bytes),
            utf16(b"\xfe\xff", u16::to_be_bytes),
            text.replace(',', "\t").into_bytes(),
        ];
        for file in files {
            let sheet = read(&file).expect("read");
            assert_eq!(sheet.rows[1], ["梅子", "総務部", "ﾒﾓ①"]);
            assert_eq!(sheet.rows[2], ["竹男", "情報システム課", "～"]);
        }
        let euc = encoding_rs::EUC_JP.encode("名称,部署\n梅子,総務部\nカナ,営業\n").0.into_owned();
        assert_eq!(read(&euc).expect("read").rows[2], ["カナ", "営業"]);
        // Half-width katakana alone, as old systems write it.
        let half = encoding_rs::SHIFT_JIS.encode("ﾅﾏｴ,ﾌﾞｼｮ\nｳﾒｺ,ｿｳﾑ\n").0.into_owned();
        assert_eq!(read(&half).expect("read").rows[1], ["ｳﾒｺ", "ｿｳﾑ"]);
    }

    #[test]
    fn a_quote_never_closed_names_the_cell_it_swallows() {
        let giant = format!("name,note\r\nx,\"{}", "line\r\n".repeat(100_000));
        let refused = read(giant.as_bytes());
        assert!(matches!(&refused, Err(SheetError::Cell(at)) if at == "B2"), "{refused:?}");
        let whole = format!("name,note\r\nx,\"{}\"\r\n", "あ\n".repeat(10_000));
        assert_eq!(read(whole.as_bytes()).expect("read").rows.len(), 2);
    }

    #[test]
    fn too_many_columns_rows_and_cells_are_each_refused_by_name() {
        let columns = format!("name{}\r\n", ",".repeat(1_000_000));
        assert!(matches!(read(columns.as_bytes()), Err(SheetError::Columns)));
        let rows = "a\n".repeat(ROWS_MAX + 1);
        assert!(matches!(read(rows.as_bytes()), Err(SheetError::Rows)));
        let line = format!("a{}\n", ",".repeat(COLUMNS_MAX - 1));
        let cells = line.repeat(CELLS_MAX / COLUMNS_MAX + 1);
        assert!(matches!(read(cells.as_bytes()), Err(SheetError::Cells)));
    }
}
