//! Words of the pages about threats.

use model::t;
use web::frame::Cx;

use crate::work::ten::{
    editions::{Moved, Threat},
    standing::Live,
};

pub(super) fn title(cx: &Cx, threat: &Threat) -> String {
    cx.either(&threat.title.0, &threat.title.1).to_owned()
}

pub(super) fn moved(cx: &Cx, moved: Moved) -> &'static str {
    let text = match moved {
        Moved::New => t("新規", "new"),
        Moved::Gone => t("圏外", "gone"),
        Moved::Up => t("上昇", "up"),
        Moved::Down => t("下降", "down"),
        Moved::Same => t("変わらず", "same"),
        Moved::Unranked => t("順位なし", "no ranks"),
    };
    cx.pick(&text)
}

pub(super) fn live(cx: &Cx, live: Live) -> &'static str {
    let text = match live {
        Live::Passing => t("効いている", "holds"),
        Live::Failing => t("効いていない", "does not hold"),
        Live::Unknown => t("不明", "unknown"),
    };
    cx.pick(&text)
}
