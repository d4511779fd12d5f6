//! Record types of the hall.

use model::{Choice, Field, FieldType, RecordSpec, Writer, t};

use super::fields::{
    LEVEL, choice, control, count, date, file, flag, hash, list, number, permille, scope, text,
};

const SOA_STATUS: FieldType = FieldType::Enum(web::book::SOA_STATUSES);

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "isms.attested",
        writer: Writer::Ume,
        title: t("申告", "Attestation"),
        fields: &[
            text("criterion", t("基準", "Criterion")).required(),
            date("held_on", t("実施日", "Held on")).required(),
            file("file", t("添付ファイル", "Attached file")),
        ],
    },
    RecordSpec {
        ty: "isms.imported",
        writer: Writer::Anyone,
        title: t("文書からの取り込み", "Taken from a document"),
        fields: &[
            text("criterion", t("基準", "Criterion")).required(),
            text("document", t("文書", "Document")).required(),
            count("rows", t("行数", "Rows")),
            date("held_on", t("文書の日付", "Date of the document")).required(),
            file("file", t("添付ファイル", "Attached file")),
        ],
    },
    RecordSpec {
        ty: "isms.gap_assessed",
        writer: Writer::Ume,
        title: t("ギャップ分析", "Gap analysis"),
        fields: &[
            control(),
            Field::new("level", t("レベル", "Level"), LEVEL).required(),
            count("risks_linked", t("結び付けたリスク", "Risks linked")),
            count(
                "risks_complete",
                t("脅威とリスク源の両方があるリスク", "Risks with threat and risk source"),
            ),
        ],
    },
    RecordSpec {
        ty: "isms.risk_state",
        writer: Writer::Ume,
        title: t("リスクの状況", "State of risks"),
        fields: &[
            scope(),
            count("open", t("扱い中のリスク", "Open risks")).required(),
            count("untreated", t("対応のないもの", "Without a treatment")).required(),
            count("unowned", t("所有者のないもの", "Without an owner")).required(),
            count(
                "unsigned",
                t("残留リスクに有効な署名がないもの", "Residual risk not signed, or expired"),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "isms.shredded",
        writer: Writer::Ume,
        title: t("消去", "Shredding"),
        fields: &[
            list("records", t("記録", "Records")),
            list("rows", t("台帳の行", "Rows")),
            list("files", t("ファイルの保管名", "Files, by the name they lay under")),
            text("decision", t("決定", "Decision")).required(),
            text("cohort", t("期限の区分", "Expiry cohort")),
            count("epoch", t("破棄した鍵の世代", "Epoch of the destroyed key")),
        ],
    },
    RecordSpec {
        ty: "isms.ledger_forked",
        writer: Writer::Ume,
        title: t("証跡の分岐", "Fork of the ledger"),
        fields: &[
            text("decision", t("決定", "Decision")).required(),
            count("published_size", t("公開済みの葉の数", "Published leaves")).required(),
            // A witness's word names no root.
            hash("published_root", t("公開済みのルート", "Published root")),
            text("seen_by", t("公開済みの末尾を見た証人", "Witness that saw the published end")),
            count("size", t("残った葉の数", "Leaves left")).required(),
        ],
    },
    RecordSpec {
        ty: "isms.account_changed",
        writer: Writer::Ume,
        title: t("アカウントの変更", "Account changed"),
        fields: &[
            ACCOUNT_ID,
            text("change", t("変更", "Change")).required(),
            text("role", t("役割", "Role")).required(),
            list("sites", t("拠点", "Sites")),
        ],
    },
    RecordSpec {
        ty: "isms.signed_in",
        writer: Writer::Ume,
        title: t("サインイン", "Sign-in"),
        fields: &[ACCOUNT_ID, text("method", t("方法", "Method")).required()],
    },
    RecordSpec {
        ty: "isms.sign_in_refused",
        writer: Writer::Ume,
        title: t("サインインの拒否", "Refused sign-ins"),
        fields: &[
            ACCOUNT_ID,
            count("count", t("件数", "Count")).required(),
            count("throttled", t("うち待機による拒否", "Of which made to wait")).required(),
        ],
    },
    RecordSpec {
        ty: "isms.level_changed",
        writer: Writer::Ume,
        title: t("レベルの変化", "Level changed"),
        fields: &[
            control(),
            Field::new("from", t("前", "From"), LEVEL).required(),
            Field::new("to", t("後", "To"), LEVEL).required(),
            text("cause", t("きっかけになった基準", "Criterion that caused it")),
        ],
    },
    RecordSpec {
        ty: "isms.drops_state",
        writer: Writer::Ume,
        title: t("低下への対応", "How drops were answered"),
        fields: &[
            scope(),
            count("drops", t("低下", "Drops")).required(),
            count(
                "without_task_in_24_h",
                t("24時間以内にタスクがないもの", "Without a task within 24 hours"),
            )
            .required(),
            permille("closed_in_time_permille", t("期限内に終えた割合", "Closed in time"))
                .required(),
        ],
    },
    RecordSpec {
        ty: "isms.soa_snapshot",
        writer: Writer::Ume,
        title: t("適用宣言書の版", "Statement of Applicability, signed"),
        fields: &[
            scope(),
            hash("soa_hash", t("内容のハッシュ", "Hash of the content")).required(),
            flag("approved", t("承認済み", "Approved")).required(),
            count("rows", t("管理策", "Controls")).required(),
            count("applicable", t("適用する管理策", "Applicable")),
            count("excluded", t("除外した管理策", "Excluded")),
            text("decision", t("承認の決定", "Decision that approved it")),
            text("until", t("承認の期限", "Approved until")),
        ],
    },
    RecordSpec {
        ty: "isms.soa_compared",
        writer: Writer::Ume,
        title: t("附属書Aとの比較", "Compared with Annex A"),
        fields: &[
            scope(),
            count("explained", t("説明のある管理策", "Controls explained")).required(),
            count("open_differences", t("説明のない差", "Differences not explained")).required(),
            number(
                "difference_age_days",
                t(
                    "承認した版と違ってからの日数（同じなら0）",
                    "Days since it differs from the approved version (0 if equal)",
                ),
                "d",
            )
            .required(),
            count("applicable", t("適用する管理策", "Applicable")),
            permille(
                "evidenced_permille",
                t("新しい証拠に基づく割合", "Resting on fresh evidence"),
            ),
        ],
    },
    RecordSpec {
        ty: "isms.review_pack",
        writer: Writer::Ume,
        title: t("マネジメントレビュー", "Management review"),
        fields: &[
            scope(),
            date("held_on", t("開催日", "Held on")).required(),
            count("inputs_present", t("揃ったインプット（a～g）", "Inputs present (a to g)"))
                .required(),
            count("inputs_empty", t("理由のない空のインプット", "Empty inputs without a reason"))
                .required(),
            count("instructions", t("指示", "Instructions")),
            count(
                "instructions_without_task",
                t("タスクのない指示", "Instructions without a task"),
            )
            .required(),
            text("review", t("レビュー", "Review")),
            text("decision", t("署名した決定", "Decision that signed it")),
        ],
    },
    RecordSpec {
        ty: "isms.audit_sample",
        writer: Writer::Ume,
        title: t("監査の抜き取り", "Audit sample"),
        fields: &[
            control(),
            text("seed", t("乱数の種", "Seed")),
            count("asked", t("確かめた件数", "Samples")).required(),
            Field::new("auditor", t("監査員", "Auditor"), FieldType::Party).required(),
            Field::new(
                "control_owner",
                t("管理策の責任者", "Owner of the control"),
                FieldType::Party,
            )
            .required(),
            count("repeats", t("続けて同じ質問", "Same question in a row")),
            count("auditor_in_a_row", t("続けて同じ監査員", "Same auditor in a row")),
            text("question", t("質問", "Question")),
            Field::new(
                "result",
                t("結果", "Result"),
                FieldType::Enum(&[
                    choice("conform", "適合", "Conforms"),
                    choice("major", "重大な不適合", "Major"),
                    choice("minor", "軽微な不適合", "Minor"),
                    choice("observation", "観察事項", "Observation"),
                ]),
            ),
            text("audit", t("監査", "Audit")),
        ],
    },
    RecordSpec {
        ty: "isms.audit_state",
        writer: Writer::Ume,
        title: t("監査の状況", "State of the audit"),
        fields: &[
            control(),
            count(
                "applicable_unaudited_36_months",
                t(
                    "36か月監査していない適用管理策",
                    "Applicable controls not audited for 36 months",
                ),
            )
            .required(),
            count(
                "findings_unverified",
                t("有効性を確かめずに閉じた所見", "Findings closed without effectiveness check"),
            )
            .required(),
            count("findings_overdue", t("期限を過ぎた所見", "Findings overdue")).required(),
        ],
    },
    RecordSpec {
        ty: "isms.audit_finding",
        writer: Writer::Ume,
        title: t("監査の所見", "Audit finding"),
        fields: &[
            control(),
            Field::new("grade", t("区分", "Grade"), FieldType::Enum(GRADES)).required(),
            flag("corrected", t("修正した", "Corrected")),
            flag("cause_found", t("原因が分かった", "Cause found")),
            count("similar_cases", t("同じような例", "Similar cases")),
            flag("effective", t("有効性を確かめた", "Effectiveness checked")),
        ],
    },
    RecordSpec {
        ty: "isms.change_judged",
        writer: Writer::Ume,
        title: t("変更の判定", "Change judged"),
        fields: &[
            text("what", t("変えたもの", "What changed")).required(),
            flag("above_threshold", t("計画が要る大きさ", "Above the threshold")).required(),
            flag(
                "plan_signed_before",
                t("事前に署名した計画がある", "A plan was signed beforehand"),
            )
            .required(),
            text("change", t("変更の識別", "Which change")),
            text("plan", t("計画", "Plan")),
            count("rules", t("変えたルール", "Rules changed")),
        ],
    },
    RecordSpec {
        ty: "isms.training_completed",
        writer: Writer::Anyone,
        title: t("教育の修了", "Training completed"),
        fields: &[
            text("course", t("講座", "Course")).required(),
            permille("score_permille", t("得点率", "Score")),
            date("held_on", t("実施日", "Held on")),
        ],
    },
    RecordSpec {
        ty: "isms.ack_given",
        writer: Writer::Ume,
        title: t("方針の確認", "Policy acknowledged"),
        fields: &[
            hash("document_hash", t("読んだ版のハッシュ", "Hash of the version read")).required(),
            flag("current", t("現行版", "Current version")).required(),
            text("language", t("読んだ言語", "Language")),
        ],
    },
    RecordSpec {
        ty: "isms.import_run",
        writer: Writer::Ume,
        title: t("取り込み", "Import run"),
        fields: &[
            text("kind", t("種類", "Kind")).required(),
            hash("file_hash", t("ファイルのハッシュ", "Hash of the file")).required(),
            count("rows", t("行", "Rows")).required(),
            count("accepted", t("取り込んだ行", "Accepted")),
            count("refused", t("断った行", "Refused")),
            count("added", t("追加した行", "Added")),
            count("changed", t("変更した行", "Changed")),
            count("same", t("変わらない行", "Unchanged")),
            count("warned", t("確認が要る行", "With warnings")),
            Field::new("mapping", t("列の対応", "Where columns went"), FieldType::Object),
            file("file", t("ファイル", "File")),
        ],
    },
    RecordSpec {
        ty: "isms.soa_imported",
        writer: Writer::Ume,
        title: t("適用宣言書からの取り込み", "Taken from a Statement of Applicability"),
        fields: &[
            control(),
            flag("applicable", t("適用", "Applicable")).required(),
            Field::new("status", t("実施状況", "Status"), SOA_STATUS),
            file("file", t("ファイル", "File")),
        ],
    },
    RecordSpec {
        ty: "isms.migrated",
        writer: Writer::Ume,
        title: t("規格の移行", "Migration of the standard"),
        fields: &[
            text("from", t("移行元", "From")).required(),
            text("to", t("移行先", "To")).required(),
            count("answers", t("移行元の回答", "Answers before")).required(),
            count("carried", t("引き継いだ管理策", "Controls carried over")).required(),
            count("unmapped", t("対応のない回答", "Answers without a successor")).required(),
            count("gaps", t("回答のない管理策", "Controls without an answer")).required(),
            flag("undone", t("取り消し", "Undone")).required(),
        ],
    },
    RecordSpec {
        ty: "isms.export_run",
        writer: Writer::Ume,
        title: t("書き出し", "Export run"),
        fields: &[
            text("format", t("形式", "Format")).required(),
            text("what", t("対象", "What")),
            hash("file_hash", t("ファイルのハッシュ", "Hash of the file")).required(),
            date("as_of", t("時点", "As of")),
        ],
    },
    RecordSpec {
        ty: "isms.bundle_verified",
        writer: Writer::Ume,
        title: t("監査バンドルの検証", "Bundle verified"),
        fields: &[
            scope(),
            hash("bundle_hash", t("バンドルのハッシュ", "Hash of the bundle")).required(),
            flag("off_server", t("サーバーの外で検証した", "Verified off the server")).required(),
            count("proofs", t("確かめた証明", "Proofs checked")).required(),
            count("failed", t("合わなかったもの", "What did not hold")).required(),
            Field::new("verifier", t("検証した組織", "Verified by"), FieldType::Party),
            hash("key_hash", t("検証者の署名鍵のハッシュ", "Hash of the verifier's key")),
            hash("verdict_hash", t("検証結果のハッシュ", "Hash of the verdict")),
        ],
    },
    RecordSpec {
        ty: "isms.checkpoint_published",
        writer: Writer::Ume,
        title: t("チェックポイントの公開", "Checkpoint published"),
        fields: &[
            scope(),
            count("size", t("葉の数", "Leaves")).required(),
            hash("root", t("ルート", "Root")).required(),
            count("witnesses", t("外部の証人", "Outside witnesses")),
            flag("time_stamped", t("タイムスタンプ局の印", "Time-stamped")),
            list("names", t("証人とタイムスタンプ局", "Witnesses and authorities")),
        ],
    },
    RecordSpec {
        ty: "isms.measured_day",
        writer: Writer::Ume,
        title: t("一日の計測", "A day's measurement"),
        fields: &[
            scope(),
            count("criteria", t("基準", "Criteria")).required(),
            count("unknown", t("不明", "Unknown")).required(),
            count("stale", t("期限切れ", "Stale")).required(),
            number(
                "clean_days",
                t("不明も期限切れもない日の連続", "Days in a row without unknown or stale"),
                "d",
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "isms.table_change",
        writer: Writer::Ume,
        title: t("台帳の変更", "Row changed"),
        fields: &[
            text("table", t("表", "Table")).required(),
            text("row", t("行", "Row")).required(),
            count("version", t("版", "Version")).required(),
            hash("commit", t("内容の約束", "Commitment")),
        ],
    },
    RecordSpec {
        ty: "isms.proof_failed",
        writer: Writer::Ume,
        title: t("証明の不一致", "Proof failed"),
        fields: &[
            text("place", t("場所", "Place")).required(),
            count("index", t("葉の番号", "Leaf")),
            hash("expected", t("期待したハッシュ", "Hash expected")),
            hash("found", t("見つかったハッシュ", "Hash found")),
        ],
    },
    RecordSpec {
        ty: "isms.backup_made",
        writer: Writer::Ume,
        title: t("バックアップの作成", "Backup made"),
        fields: BACKUP_FIELDS,
    },
    RecordSpec {
        ty: "isms.backup_restored",
        writer: Writer::Ume,
        title: t("バックアップの復元", "Backup restored"),
        fields: &[
            Field::new("made_at", t("作成日時", "Made at"), FieldType::Text).required(),
            Field::new("sha256", t("ファイルのSHA-256", "SHA-256 of the file"), FieldType::Text)
                .required(),
            Field::new("files", t("ファイル数", "Files"), COUNT).required(),
            Field::new("bytes", t("復元したバイト数", "Bytes restored"), COUNT).required(),
            Field::new("leaves", t("検証した証跡の件数", "Leaves verified"), COUNT).required(),
            Field::new("rows", t("検証した行数", "Rows verified"), COUNT).required(),
            Field::new(
                "unreadable",
                t("鍵がなく読めない添付データ", "Payloads unreadable without their key"),
                COUNT,
            ),
            Field::new("mismatches", t("不一致", "Mismatches"), COUNT).required(),
        ],
    },
];

/// How grave a finding is.
pub(crate) const GRADES: &[Choice] = &[
    choice("major", "重大な不適合", "Major"),
    choice("minor", "軽微な不適合", "Minor"),
    choice("observation", "観察事項", "Observation"),
];

const COUNT: FieldType = FieldType::Number { unit: "", min: 0, max: 1 << 40 };

const BACKUP_FIELDS: &[Field] = &[
    Field::new("made_at", t("作成日時", "Made at"), FieldType::Text).required(),
    Field::new("sha256", t("ファイルのSHA-256", "SHA-256 of the file"), FieldType::Text).required(),
    Field::new("files", t("ファイル数", "Files"), COUNT).required(),
    Field::new("bytes", t("収めたバイト数", "Bytes inside"), COUNT).required(),
];

/// Accounts are named by id only; `unknown` stands for names that no account has.
const ACCOUNT_ID: Field = text("account_id", t("アカウントID", "Account id")).required();
