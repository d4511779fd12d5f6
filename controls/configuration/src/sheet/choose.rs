//! What a person says of the columns of a table, in place of what was proposed.

use std::collections::{BTreeMap, BTreeSet};

use model::{Lang, Text, t};
use reports::Book;

use super::map::{FILLED, Place, Role, SheetMap, Shifted, first_free};

/// Role and host of each column chosen, by its number in the file from 0.
pub type Roles = BTreeMap<usize, (Role, Option<String>)>;

/// Why a choice makes no map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(transparent)]
    Shifted(#[from] Shifted),
    #[error("{sheet}: no column holds the {}", role.text().en)]
    Lacks { sheet: String, role: Role },
    #[error("{sheet}: two columns hold the {}", role.text().en)]
    Twice { sheet: String, role: Role },
}

impl Unfit {
    pub fn text(&self, lang: Lang) -> String {
        match (self, lang) {
            (Unfit::Shifted(shifted), Lang::Ja) => shifted.ja(),
            (Unfit::Lacks { sheet, role }, Lang::Ja) => {
                format!("シート「{sheet}」に「{}」の列がありません。", role.text().ja)
            }
            (Unfit::Twice { sheet, role }, Lang::Ja) => {
                format!("シート「{sheet}」で「{}」の列が重複しています。", role.text().ja)
            }
            (other, Lang::En) => format!("{other}."),
        }
    }
}

impl Role {
    /// What a reader calls it.
    pub fn text(self) -> Text {
        match self {
            Role::Number => t("番号", "number"),
            Role::Group => t("分類", "section"),
            Role::Item => t("項目", "item"),
            Role::File => t("設定ファイル", "configuration file"),
            Role::Design => t("設計値", "design value"),
            Role::Unit => t("単位", "unit"),
            Role::Default => t("既定値", "default"),
            Role::Actual => t("実機値", "actual value"),
            Role::Difference => t("差分", "difference"),
            Role::Verdict => t("判定", "result"),
            Role::CheckedOn => t("確認日", "day of the check"),
            Role::Evidence => t("根拠", "evidence"),
            Role::Note => t("備考", "note"),
            Role::Host => t("ホスト名", "host"),
        }
    }

    /// Its name in forms and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Number => "number",
            Role::Group => "group",
            Role::Item => "item",
            Role::File => "file",
            Role::Design => "design",
            Role::Unit => "unit",
            Role::Default => "default",
            Role::Actual => "actual",
            Role::Difference => "difference",
            Role::Verdict => "verdict",
            Role::CheckedOn => "checked_on",
            Role::Evidence => "evidence",
            Role::Note => "note",
            Role::Host => "host",
        }
    }

    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl SheetMap {
    /// The same table with the roles chosen; columns that nobody names are left alone, and what Ume
    /// fills and the table lacks becomes new columns.
    pub fn chosen(
        &self,
        book: &Book,
        roles: &Roles,
        host: Option<String>,
    ) -> Result<SheetMap, Unfit> {
        let mut plain = self.clone();
        plain.columns.retain(|place| !place.new);
        let (sheet, table) = plain.locate(book)?;
        let left = sheet.origin.1 as usize;
        let mut columns = Vec::new();
        for column in &table.columns {
            let at = left + column.at;
            let Some((role, host)) = roles.get(&at) else { continue };
            let (role, host, header) = (*role, host.clone(), column.text());
            columns.push(Place { role, at, header, host, new: false });
        }
        let name = sheet.name.clone();
        for role in [Role::Item, Role::Design] {
            if columns.iter().all(|place| place.role != role) {
                return Err(Unfit::Lacks { sheet: name, role });
            }
        }
        let mut seen = BTreeSet::new();
        for place in &columns {
            let single = place.role == Role::Design || FILLED.contains(&place.role);
            if single && !seen.insert((place.role, place.host.clone())) {
                return Err(Unfit::Twice { sheet: name, role: place.role });
            }
        }
        let japanese = table.columns.iter().any(|column| !column.text().is_ascii());
        let (header_row, free) = (self.header_row, first_free(sheet));
        let mut map = SheetMap { sheet: name, header_row, columns, host };
        map.add_new(free, japanese);
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::map::propose;
    use reports::Sheet;

    fn book() -> Book {
        let rows = [["項目", "本番", "設定値", "備考"], ["Port", "2222", "22", "x"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        let sheet = Sheet { name: "設計".into(), rows, ..Sheet::default() };
        Book { sheets: vec![sheet], since_1904: false }
    }

    #[test]
    fn what_a_person_says_goes_before_what_was_proposed() {
        let book = book();
        let proposed = propose(&book, &[]).remove(0);
        assert_eq!(proposed.place(Role::Design, None).map(|place| place.at), Some(2));
        let roles = Roles::from([(0, (Role::Item, None)), (1, (Role::Design, None))]);
        let map = proposed.chosen(&book, &roles, Some("web1".into())).expect("fits");
        assert_eq!(map.place(Role::Design, None).map(|place| place.at), Some(1));
        assert_eq!(map.host.as_deref(), Some("web1"));
        assert_eq!(map.columns.iter().filter(|place| place.new).count(), FILLED.len());
        assert!(map.columns.iter().filter(|place| place.new).all(|place| place.at >= 4));
    }

    #[test]
    fn a_map_without_items_or_with_two_design_columns_of_a_host_is_refused() {
        let book = book();
        let proposed = propose(&book, &[]).remove(0);
        let only = Roles::from([(1, (Role::Design, None))]);
        let error = proposed.chosen(&book, &only, None).expect_err("no item");
        assert!(error.text(Lang::Ja).contains("項目"), "{error}");
        let twice = Roles::from([
            (0, (Role::Item, None)),
            (1, (Role::Design, None)),
            (2, (Role::Design, None)),
        ]);
        assert!(matches!(proposed.chosen(&book, &twice, None), Err(Unfit::Twice { .. })));
        for role in Role::ALL {
            assert_eq!(Role::named(role.as_str()), Some(role));
            assert_eq!(serde_json::json!(role), role.as_str());
        }
    }
}
