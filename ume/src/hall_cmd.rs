//! `ume isms …`: gap, levels, Statement of Applicability, comparison and risks of a data folder, as
//! the pages show them, while a server may run beside; and the move from one edition of the standard to
//! the next.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use isms::{Board, Control, hall::paper};
use model::{Lang, Timestamp};
use serde_json::{Value as Json, json};
use web::when;

use crate::{
    CliError, ExitCode, bundle_cmd,
    door::Door,
    hall_process as process, print,
    registers::At,
    rooms, say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

/// The moment that is looked at.
#[derive(clap::Args)]
pub struct When {
    /// A past day (its end, where the organisation is) or a time such as 2026-11-25T09:00:00+09:00
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
}

impl When {
    /// What a text of `--as-of` means; `None` for now.
    pub(crate) async fn moment(
        text: Option<&str>,
        store: &store::Store,
    ) -> Result<Option<Timestamp>, CliError> {
        let zone = isms::welcome::zone(store).await?;
        when::moment(text.unwrap_or(""), store.now(), &zone).map_err(|error| {
            let text = error.text();
            CliError::Usage(say(&format!("--as-of: {}", text.ja), &format!("--as-of: {}", text.en)))
        })
    }

    async fn board(&self, store: &store::Store) -> Result<Board, CliError> {
        match When::moment(self.as_of.as_deref(), store).await? {
            Some(at) => Ok(isms::compute_as_of(store, &rooms::ROOMS, at).await?),
            None => Ok(isms::compute(store, &rooms::ROOMS).await?),
        }
    }
}

#[derive(Subcommand)]
pub enum IsmsCommand {
    /// Where each control stands, and what is missing to its target
    Gap {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        when: When,
        #[command(flatten)]
        shown: Shown,
    },
    /// Levels; with --why the criteria that keep a control from more, with --next what lifts it
    Level {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        when: When,
        /// Control such as 8.16, or isms
        #[arg(long, value_name = "CONTROL")]
        why: Option<String>,
        /// Only the criteria of the next level that do not pass, with hours
        #[arg(long)]
        next: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// The Statement of Applicability as it stands; exit 1 if it differs from the approved edition
    ///
    /// With --to it is written as a document to hand in: FILE.pdf or FILE.xlsx.
    Soa {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        when: When,
        /// Document to write; it must not exist yet
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
    /// The comparison with Annex A (6.1.3 c); exit 1 if a difference is not explained
    Compare {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        when: When,
        #[command(flatten)]
        shown: Shown,
    },
    /// Write an audit bundle: statement, leaves, proofs and a verifier in one ZIP; the server may run
    Bundle(bundle_cmd::Bundle),
    /// Take in what a verifier found in a bundle of this ledger
    BundleVerified(bundle_cmd::Verified),
    /// Carry the answers given for an earlier edition of the standard to a later one
    ///
    /// Rows carried over are marked to be confirmed; where several become one the weakest state counts;
    /// controls without an answer get a risk and a task. One change, which --undo takes back until
    /// something it made was signed.
    Migrate {
        #[command(flatten)]
        at: At,
        /// Edition before, such as 2013
        #[arg(default_value = "2013")]
        from: String,
        /// Edition after, such as 2022
        #[arg(default_value = "2022")]
        to: String,
        /// Show what would be done, save nothing
        #[arg(long, conflicts_with = "undo")]
        dry_run: bool,
        /// Take the last migration back
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Risks as computed from today's levels; exit 1 if one is untreated, unowned or not accepted
    Risk {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        when: When,
        #[command(flatten)]
        shown: Shown,
    },
    /// Issues, needs, interfaces and scope (4.1 to 4.3); exit 1 if some were not reviewed for a year
    Context {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Changes of the ISMS and their plans (6.3); exit 1 if one was not planned beforehand
    Changes {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// The management review (9.3)
    Review {
        #[command(subcommand)]
        command: ReviewCommand,
    },
    /// The internal audit (9.2)
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Who has read the policy in force; exit 1 if somebody is missing
    Policy {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Templates of policies, procedures and forms; with ID the Markdown of one, filled in
    Template {
        #[command(flatten)]
        data: DataFolder,
        /// Template such as information-security-policy
        id: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Subcommand)]
pub enum ReviewCommand {
    /// Inputs a to g as a review held today would report them; exit 1 if one is empty
    Pack {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Draw samples and questions, without keeping them: the same seed and state give the same
    Sample {
        #[command(flatten)]
        data: DataFolder,
        /// What chance follows from
        #[arg(long)]
        seed: String,
        /// How many samples
        #[arg(long, default_value_t = 8)]
        count: usize,
        /// Id of the auditor: what they own is not drawn
        #[arg(long, value_name = "ID")]
        auditor: Option<model::Id>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Coverage and findings; exit 1 if something is not audited in time or a finding is open
    State {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

impl IsmsCommand {
    fn data(&self) -> &DataFolder {
        match self {
            IsmsCommand::Gap { data, .. }
            | IsmsCommand::Level { data, .. }
            | IsmsCommand::Soa { data, .. }
            | IsmsCommand::Compare { data, .. }
            | IsmsCommand::Risk { data, .. }
            | IsmsCommand::Context { data, .. }
            | IsmsCommand::Changes { data, .. }
            | IsmsCommand::Policy { data, .. }
            | IsmsCommand::Template { data, .. }
            | IsmsCommand::Review { command: ReviewCommand::Pack { data, .. } }
            | IsmsCommand::Audit {
                command: AuditCommand::Sample { data, .. } | AuditCommand::State { data, .. },
            } => data,
            IsmsCommand::Bundle(asked) => &asked.data,
            IsmsCommand::BundleVerified(asked) => &asked.data,
            IsmsCommand::Migrate { at, .. } => &at.data,
        }
    }
}

/// What is printed, and whether it found something that is not in order.
pub(crate) struct Found {
    pub columns: Vec<String>,
    pub rows: Vec<Json>,
    /// The whole document, for JSON.
    pub document: Json,
    pub is_open: bool,
}

pub async fn run(command: IsmsCommand) -> Result<ExitCode, CliError> {
    let command = match command {
        IsmsCommand::Bundle(asked) => return bundle_cmd::make(asked).await,
        IsmsCommand::BundleVerified(asked) => return bundle_cmd::take(asked).await,
        IsmsCommand::Migrate { at, from, to, dry_run, undo, shown } => {
            return migrate(at, (&from, &to), dry_run, undo, shown.format).await;
        }
        reading => reading,
    };
    let settings = Settings::load(command.data())?;
    let store = settings.place.open_read_only().await?;
    let found = find(&settings, &store, command).await;
    store.db().close().await;
    let Some((found, shown)) = found? else { return Ok(ExitCode::SUCCESS) };
    match shown.format {
        crate::Format::Json => {
            print(&format!(
                "{}\n",
                serde_json::to_string_pretty(&found.document).unwrap_or_default()
            ));
        }
        format => print(&shown::rows(format, &found.columns, &found.rows)),
    }
    Ok(if found.is_open { ExitCode::from(crate::MISMATCH) } else { ExitCode::SUCCESS })
}

/// What a command finds; `None` where it has printed already.
async fn find(
    settings: &Settings,
    store: &store::Store,
    command: IsmsCommand,
) -> Result<Option<(Found, Shown)>, CliError> {
    let lang = crate::lang();
    let board = async || isms::compute(store, &rooms::ROOMS).await;
    Ok(Some(match command {
        IsmsCommand::Gap { when, shown, .. } => (gap(&when.board(store).await?, lang), shown),
        IsmsCommand::Level { when, why, next, shown, .. } => {
            (level(&when.board(store).await?, lang, why, next)?, shown)
        }
        IsmsCommand::Soa { when, to, shown, .. } => {
            let board = when.board(store).await?;
            if let Some(to) = &to {
                write_paper(settings, store, &board, to, lang).await?;
            }
            (soa(&board, lang), shown)
        }
        IsmsCommand::Compare { when, shown, .. } => {
            (compare(&when.board(store).await?, lang), shown)
        }
        IsmsCommand::Risk { when, shown, .. } => (risks(&when.board(store).await?, lang), shown),
        IsmsCommand::Context { shown, .. } => (process::context(store).await?, shown),
        IsmsCommand::Changes { shown, .. } => (process::changes(store, lang).await?, shown),
        IsmsCommand::Policy { shown, .. } => (process::policy(store).await?, shown),
        IsmsCommand::Review { command: ReviewCommand::Pack { shown, .. } } => {
            (process::pack(store, &board().await?, lang).await?, shown)
        }
        IsmsCommand::Audit { command: AuditCommand::State { shown, .. } } => {
            (process::audit(store, &board().await?, lang).await?, shown)
        }
        IsmsCommand::Audit {
            command: AuditCommand::Sample { seed, count, auditor, shown, .. },
        } => (process::sample(store, &board().await?, lang, &seed, count, auditor).await?, shown),
        IsmsCommand::Template { id: None, shown, .. } => (process::templates(lang), shown),
        IsmsCommand::Template { id: Some(id), .. } => {
            print(&process::template(store, &id, lang).await?);
            return Ok(None);
        }
        // They do not only read: `run` has taken them.
        IsmsCommand::Bundle(_) | IsmsCommand::BundleVerified(_) | IsmsCommand::Migrate { .. } => {
            return Ok(None);
        }
    }))
}

async fn migrate(
    at: At,
    (from, to): (&str, &str),
    dry_run: bool,
    undo: bool,
    format: crate::Format,
) -> Result<ExitCode, CliError> {
    let door = if dry_run { Door::reading(at).await? } else { Door::writing(at).await? };
    if undo {
        let done = door.migrate_back().await?;
        print(&shown::done(format, &say("移行を取り消しました", "migration taken back"), &done));
        return Ok(ExitCode::SUCCESS);
    }
    let done = door.migrate(from, to, dry_run).await?;
    let columns = names(&["what", "control", "from", "differ"]);
    let list = |name: &str| done[name].as_array().cloned().unwrap_or_default();
    let joined = |value: &Json, member: &str| -> String {
        let items = value.as_array().into_iter().flatten();
        let text = |item: &Json| match member {
            "" => shown::text(item),
            member => shown::text(&item[member]),
        };
        items.map(text).collect::<Vec<String>>().join(" ")
    };
    let mut rows: Vec<Json> = Vec::new();
    rows.extend(list("carried").iter().map(|c| {
        json!({
            "what": c["kind"], "control": c["control"], "from": joined(&c["sources"], "control"),
            "differ": joined(&c["differ"], ""),
        })
    }));
    rows.extend(
        list("unmapped").iter().map(
            |u| json!({"what": "unmapped", "control": "", "from": u["control"], "differ": ""}),
        ),
    );
    rows.extend(list("gaps").iter().map(|g| {
        let what = if g["new"] == true { "new" } else { "gap" };
        json!({"what": what, "control": g["control"], "from": joined(&g["builds_on"], ""), "differ": ""})
    }));
    match format {
        crate::Format::Json => print(&shown::one(format, &done)),
        format => print(&shown::rows(format, &columns, &rows)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the statement as the kind of document that the name of the file says.
async fn write_paper(
    settings: &Settings,
    store: &store::Store,
    board: &Board,
    to: &Path,
    lang: Lang,
) -> Result<(), CliError> {
    let text = std::fs::read_to_string(settings.place.folder.join("ledger/checkpoint"));
    let checkpoint = text.ok().and_then(|text| paper::Checkpoint::parse(&text));
    let hall = &board.view;
    let head = paper::Head::load(store, hall, checkpoint).await?;
    let made = match to.extension().and_then(|e| e.to_str()) {
        Some("pdf") => {
            reports::pdf::write_pdf(&hall.soa_paper(&head, lang)).map_err(|e| e.to_string())
        }
        Some("xlsx") => {
            let (columns, rows) = hall.soa_table(lang);
            let sheet = model::t("適用宣言書", "Applicability").get(lang);
            reports::write_book(sheet, &hall.soa_titles(&head, lang), &columns, &rows)
                .map_err(|e| e.text(lang))
        }
        _ => Err(say(
            "--toには.pdfか.xlsxで終わる名前を指定してください",
            "--to: give a name that ends in .pdf or .xlsx",
        )),
    };
    crate::oscal_cmd::write_new(to, &made.map_err(CliError::Usage)?)
}

pub(crate) fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|c| (*c).to_owned()).collect()
}

fn gap(board: &Board, lang: Lang) -> Found {
    let rows = board.view.gap.iter().map(|g| {
        json!({
            "control": g.control, "level": g.level.sign(),
            "target": if g.target == model::Level::None { "-" } else { g.target.sign() },
            "status": g.status.text().get(lang), "missing": g.misses, "hours": g.hours,
            "risks": format!("{}/{}", g.risks_complete, g.risks), "title": g.title(lang),
        })
    });
    Found {
        columns: names(&[
            "control", "level", "target", "status", "missing", "hours", "risks", "title",
        ]),
        rows: rows.collect(),
        document: json!({ "at": board.at.rfc3339(), "controls": board.view.gap }),
        is_open: false,
    }
}

fn level(board: &Board, lang: Lang, why: Option<String>, next: bool) -> Result<Found, CliError> {
    let chosen: Vec<&Control> = match &why {
        Some(id) => board.all().filter(|c| c.spec.control == id || c.spec.id == id).collect(),
        None => board.all().collect(),
    };
    if let (Some(id), true) = (why.as_ref(), chosen.is_empty()) {
        return Err(CliError::Usage(say(
            &format!("管理策 {id} はありません。5.7、8.16、isms のように指定してください。"),
            &format!("there is no control {id}: give one such as 5.7, 8.16 or isms"),
        )));
    }
    if why.is_none() && !next {
        let rows: Vec<Json> = board.all().map(|c| crate::status_row(c, lang)).collect();
        let document = isms::status::to_json(board, lang);
        let columns = names(&["id", "sign", "not_passing_of", "valid_until", "name"]);
        return Ok(Found { columns, rows, document, is_open: false });
    }
    let rows: Vec<Json> = chosen.into_iter().flat_map(|c| criteria(c, lang, next)).collect();
    Ok(Found {
        columns: names(&["criterion", "verdict", "reason", "hours", "text", "mend"]),
        document: json!(rows),
        rows,
        is_open: false,
    })
}

/// Criteria that do not pass, with what mends each.
fn criteria(control: &Control, lang: Lang, next: bool) -> Vec<Json> {
    let verdicts: Vec<&isms::Verdict> = match next {
        true => control.to_next(),
        false => control.verdicts.iter().filter(|v| v.status != model::Status::Pass).collect(),
    };
    let line = |v: &isms::Verdict| {
        let criterion = control.spec.criterion(v.criterion)?;
        let mend = control.spec.mends.iter().find(|m| m.criterion == v.criterion);
        let misses = v.total.saturating_sub(v.passed).max(1);
        let minutes = u64::from(criterion.minutes_per_miss).saturating_mul(misses);
        Some(json!({
            "criterion": v.criterion,
            "verdict": v.status.name(),
            "reason": v.reason.render(lang),
            "hours": minutes.div_ceil(60),
            "text": criterion.text.get(lang),
            "mend": mend.map_or("", |m| m.text.get(lang)),
            "page": format!("/rooms/{}", control.spec.id),
            "misses": v.misses,
        }))
    };
    verdicts.into_iter().filter_map(line).collect()
}

fn soa(board: &Board, lang: Lang) -> Found {
    let rows = board.view.soa.iter().map(|r| {
        json!({
            "control": r.control,
            "status": r.status_text().get(lang),
            "level": r.level.sign(),
            "evidence": r.evidence.count,
            "newest": r.evidence.newest.map(|t| t.rfc3339()),
            "lacks": r.lacks.iter().map(|l| l.text().get(lang)).collect::<Vec<_>>().join(", "),
            "title": r.title(lang),
        })
    });
    Found {
        columns: names(&["control", "status", "level", "evidence", "newest", "lacks", "title"]),
        rows: rows.collect(),
        document: board.view.soa_json(),
        is_open: !board.view.is_approved(),
    }
}

fn compare(board: &Board, lang: Lang) -> Found {
    let comparison = &board.view.comparison;
    let rows = comparison.lines.iter().map(|l| {
        json!({
            "control": l.control, "open": l.is_open(), "difference": l.kind.text().get(lang),
            "explanation": l.explanation,
        })
    });
    Found {
        columns: names(&["control", "open", "difference", "explanation"]),
        rows: rows.collect(),
        document: json!({
            "at": board.at.rfc3339(), "explained": comparison.explained,
            "open": comparison.open(), "lines": comparison.lines,
        }),
        is_open: comparison.open() > 0,
    }
}

fn risks(board: &Board, lang: Lang) -> Found {
    let hall = &board.view;
    let mut open: Vec<_> = hall.risks.iter().filter(|r| r.open).collect();
    open.sort_by_key(|r| std::cmp::Reverse(r.current.map(|e| e.size())));
    let size = |e: &Option<isms::hall::method::Estimate>| e.map(|e| e.size());
    let rows = open.iter().map(|r| {
        json!({
            "id": r.id, "inherent": size(&r.inherent), "current": size(&r.current),
            "target": size(&r.target), "treatment": r.treatment, "controls": r.controls.join(" "),
            "owner": hall.party(&r.owner), "acceptance": r.acceptance.text().get(lang),
            "name": r.name,
        })
    });
    let settled =
        |r: &&isms::hall::RiskView| r.is_treated() && r.owner.is_some() && r.acceptance.holds();
    Found {
        columns: names(&[
            "inherent",
            "current",
            "target",
            "controls",
            "owner",
            "acceptance",
            "name",
        ]),
        rows: rows.collect(),
        document: json!({
            "at": board.at.rfc3339(), "accept_at_most": hall.method.accept_at_most,
            "risks": hall.risks,
        }),
        is_open: !open.iter().all(settled),
    }
}
