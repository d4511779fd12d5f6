//! Licences of a component.

use super::Rest;

/// How a licence is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LicenceForm {
    /// By an identifier of the SPDX list.
    Id,
    /// By a name of one's own.
    Name,
    /// By an SPDX expression.
    Expression,
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acknowledgement {
    /// The authors of the component.
    Declared,
    /// Whoever looked at it.
    Concluded,
}

/// A licence.
#[derive(Clone, Debug, PartialEq)]
pub struct Licence {
    /// How it is named.
    pub form: LicenceForm,
    /// Identifier, name or expression as written.
    pub text: String,
    /// Who says so, where that is said.
    pub acknowledgement: Option<Acknowledgement>,
    /// Everything else: text, URL, terms of use.
    pub rest: Rest,
}

impl Licence {
    /// A licence that is only named. The form follows from the text: an identifier of the SPDX list,
    /// a valid expression, or else a name.
    /// `Apache-2.0+` is an expression: the list has the identifier without the sign.
    pub fn declared(text: &str) -> Licence {
        let form = match spdx::Expression::parse(text) {
            Ok(_) if spdx::license_id(text).is_some_and(|id| id.name == text) => LicenceForm::Id,
            Ok(_) => LicenceForm::Expression,
            Err(_) => LicenceForm::Name,
        };
        let acknowledgement = Some(Acknowledgement::Declared);
        Licence { form, text: text.to_owned(), acknowledgement, rest: Rest::new() }
    }

    /// The parsed expression; `None` of names, and of what is none.
    pub fn expression(&self) -> Option<spdx::Expression> {
        match self.form {
            LicenceForm::Name => None,
            LicenceForm::Id | LicenceForm::Expression => spdx::Expression::parse(&self.text).ok(),
        }
    }
}
