//! The status document: what `ume status --format json` and `GET /api/v1/status` say.

use model::{Lang, Status};
use serde_json::{Value as Json, json};

use crate::{Board, Control};

/// `{"at", "controls": [{id, name, level, level_by_slides, target, valid_until, failing}]}`; `failing`
/// lists every criterion that does not pass, with its verdict and reason. `controls` are exactly the
/// eleven; the ISMS itself stands beside them as `isms`.
pub fn to_json(board: &Board, lang: Lang) -> Json {
    let controls: Vec<Json> = board.controls.iter().map(|c| control(c, lang)).collect();
    json!({
        "at": board.at.rfc3339(),
        "controls": controls,
        "isms": control(&board.hall, lang),
        "scope": board.scope,
    })
}

fn control(control: &Control, lang: Lang) -> Json {
    let failing: Vec<Json> = control
        .verdicts
        .iter()
        .filter(|v| v.status != Status::Pass)
        .map(|v| {
            json!({
                "criterion": v.criterion,
                "verdict": v.status.name(),
                "reason": v.reason.render(lang),
            })
        })
        .collect();
    json!({
        "id": control.spec.control,
        "room": control.spec.id,
        "name": control.spec.name.get(lang),
        "level": control.level.name(),
        "level_by_slides": control.level_by_slides.name(),
        "target": control.target.name(),
        "valid_until": control.valid_until.map(|t| t.rfc3339()),
        "failing": failing,
    })
}
