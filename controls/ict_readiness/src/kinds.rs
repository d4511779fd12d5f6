//! Asset, rule, plan and decision kinds and record types of ICT readiness.

use model::{
    Choice, Field, FieldType, Group, KindSpec, RecordSpec, Rule, Table, Text, Writer,
    schema::Attributes, t, table::rows_from,
};

const COUNT_MAX: i64 = 1_000_000_000_000;

const fn count(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "", min: 0, max: COUNT_MAX })
}

const fn minutes(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "min", min: 0, max: COUNT_MAX })
}

const fn seconds(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "s", min: 0, max: COUNT_MAX })
}

const fn permille(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "‰", min: 0, max: 1000 })
}

const fn flag(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Boolean)
}

const fn text(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Text)
}

const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

const LEVEL: FieldType = FieldType::Enum(&[
    choice("stopped", "0 停止", "0 stopped"),
    choice("minimum", "1 最低限", "1 minimum"),
    choice("alternative", "2 代替", "2 alternative"),
    choice("normal", "3 通常", "3 normal"),
]);

const PHASE: FieldType = FieldType::Enum(&[
    choice("activation", "発動", "Activation"),
    choice("resumption", "業務再開", "Resumption"),
    choice("recovery", "業務回復", "Recovery"),
    choice("restoration", "全面復旧", "Full restoration"),
]);

const SCENARIO: FieldType = FieldType::Enum(&[
    choice("disaster", "災害", "Disaster"),
    choice("cyber", "サイバー攻撃", "Cyber-attack"),
    choice("failure", "故障・障害", "Failure"),
]);

const CHANNEL: FieldType = FieldType::Enum(&[
    choice("mail", "メール", "Mail"),
    choice("push", "プッシュ通知", "Push"),
    choice("phone", "電話", "Phone"),
    choice("chat", "チャット", "Chat"),
    choice("other", "その他", "Other"),
]);

const FAULT: FieldType = FieldType::Enum(&[
    choice("flipped_byte", "1バイトの破損", "Flipped byte"),
    choice("missing_wal", "WALの欠落", "Missing WAL"),
    choice("wrong_key", "違う鍵", "Wrong key"),
    choice("truncated_dump", "途切れたダンプ", "Truncated dump"),
    choice("full_disk", "ディスクの満杯", "Full disk"),
    choice("emptied_source", "空の元データ", "Emptied source"),
]);

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "process",
        table: Table::Asset,
        title: t("業務", "Business process"),
        help: t(
            "止まると困る業務です。影響の大きさと、いつまでにどの水準へ戻すかを持ちます。",
            "A business process: what its outage costs, and by when it must be back at which level.",
        ),
        known_as: &["業務一覧", "業務台帳", "事業影響度分析", "bia", "重要業務"],
        fields: &[
            Field::new("department", t("担当部門", "Department"), FieldType::Party).aliases(&[
                "部門",
                "担当部門",
                "部署",
                "主管部門",
            ]),
            flag("priority", t("優先業務", "Priority process")).aliases(&[
                "優先業務",
                "重要業務",
                "中核業務",
            ]),
            Field::new(
                "rank",
                t("優先順位", "Priority rank"),
                FieldType::Number { unit: "", min: 1, max: 1000 },
            )
            .aliases(&["優先順位", "優先度", "順位"]),
            Field::new(
                "ict_treatment",
                t("有事のICTの扱い", "Treatment of ICT in an emergency"),
                FieldType::Multiline,
            )
            .aliases(&["ICTの扱い", "有事の扱い", "代替手段", "復旧方針"]),
            Field::new("impact_curve", t("影響の推移", "Impact over time"), FieldType::Object)
                .aliases(&["影響度", "事業影響度"]),
            Field::new("impact_kinds", t("影響の種類", "Kinds of impact"), FieldType::List)
                .aliases(&["影響の種類", "影響区分"]),
            Field::new("objective", t("復旧目標の段階", "Objective steps"), FieldType::Object)
                .aliases(&["復旧目標"]),
            minutes("rto_min", t("目標復旧時間（RTO）", "Recovery time objective")).aliases(&[
                "RTO",
                "目標復旧時間",
                "RTO（分）",
            ]),
            Field::new("rlo", t("目標復旧レベル（RLO）", "Recovery level objective"), LEVEL)
                .aliases(&["RLO", "目標復旧レベル"]),
            Field::new(
                "capacity_permille",
                t("目標とする処理能力", "Capacity at that level"),
                FieldType::Number { unit: "‰", min: 0, max: 1000 },
            )
            .aliases(&["処理能力"]),
            minutes("rpo_min", t("目標復旧時点（RPO）", "Recovery point objective")).aliases(&[
                "RPO",
                "目標復旧時点",
                "RPO（分）",
            ]),
            minutes("tolerable_min", t("最大許容停止時間", "Longest tolerable outage")).aliases(&[
                "最大許容停止時間",
                "MTPD",
                "許容停止時間",
            ]),
            text("peaks", t("繁忙期", "Peaks")).aliases(&["繁忙期", "ピーク"]),
            Field::new("ict_manager", t("ICTの管理責任者", "ICT manager"), FieldType::Party)
                .aliases(&["ICT管理責任者", "ICTの管理責任者", "システム管理者"]),
            Field::new("substitute", t("代行者", "Substitute"), FieldType::Party).aliases(&[
                "代行者",
                "代理",
                "副担当",
            ]),
        ],
        groups: &[
            Group::new(t("業務", "Process"), &["department", "priority", "rank", "peaks"]),
            Group::new(t("影響", "Impact"), &["ict_treatment", "impact_curve", "impact_kinds"]),
            Group::new(
                t("目標", "Objectives"),
                &["objective", "rto_min", "rlo", "capacity_permille", "rpo_min", "tolerable_min"],
            ),
            Group::new(t("担当", "In charge"), &["ict_manager", "substitute"]),
        ],
        rules: &[
            Rule::RequiredIf { field: "rto_min", when: "priority", is: &["true"] },
            Rule::AtMost { lower: "rto_min", upper: "tolerable_min" },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "backup",
        table: Table::Asset,
        title: t("バックアップ", "Backup"),
        help: t(
            "復元に使う控えの置き場所と取り方です。",
            "Where and how the copies for a restore are kept.",
        ),
        known_as: &["バックアップ一覧", "バックアップ台帳"],
        fields: &[
            Field::new("dataset", t("対象データ", "Dataset"), FieldType::Reference("dataset"))
                .aliases(&["対象データ", "対象", "バックアップ対象"]),
            Field::new("host", t("対象機器", "Host"), FieldType::Reference("host")).aliases(&[
                "対象機器",
                "ホスト名",
                "サーバー名",
            ]),
            flag("priority", t("優先データ", "Priority data")).aliases(&["優先", "重要データ"]),
            text("repository", t("保管場所", "Repository")).required().aliases(&[
                "保管場所",
                "保存先",
                "リポジトリ",
                "バックアップ先",
            ]),
            Field::new(
                "tool",
                t("方式", "Tool"),
                FieldType::Enum(&[
                    choice("restic", "restic", "restic"),
                    choice("borg", "BorgBackup", "BorgBackup"),
                    choice("pgbackrest", "pgBackRest", "pgBackRest"),
                    choice("dump", "データベースのダンプ", "Database dump"),
                    choice("folder", "フォルダーの複製", "Folder copy"),
                    choice("s3", "S3の複製", "S3 copy"),
                    choice("other", "その他", "Other"),
                ]),
            )
            .required()
            .aliases(&["方式", "ツール", "ソフト", "バックアップ方式"]),
            text("schedule", t("取得の時刻・間隔", "Schedule")).aliases(&[
                "スケジュール",
                "取得間隔",
                "頻度",
                "取得時刻",
            ]),
            Field::new("retention", t("保持期間", "Retention"), FieldType::Period).aliases(&[
                "保持期間",
                "保存期間",
                "世代",
            ]),
            minutes("rpo_min", t("目標復旧時点（RPO）", "Recovery point objective"))
                .aliases(&["RPO", "目標復旧時点"]),
            minutes("rto_min", t("目標復旧時間（RTO）", "Recovery time objective"))
                .aliases(&["RTO", "目標復旧時間"]),
            flag("off_site", t("遠隔地に保管", "Off site")).aliases(&["遠隔地", "外部保管"]),
            flag("unchangeable", t("書き換え不可", "Unchangeable")).aliases(&[
                "書き換え不可",
                "オフライン",
                "イミュータブル",
            ]),
            flag("encrypted", t("暗号化", "Encrypted")).aliases(&["暗号化"]),
            Field::new("key", t("鍵", "Key"), FieldType::Reference("key"))
                .aliases(&["鍵", "暗号鍵"]),
        ],
        groups: &[
            Group::new(t("対象", "What is kept"), &["dataset", "host", "priority"]),
            Group::new(
                t("方法", "How"),
                &[
                    "repository",
                    "tool",
                    "schedule",
                    "retention",
                    "off_site",
                    "unchangeable",
                    "encrypted",
                    "key",
                ],
            ),
            Group::new(t("目標", "Objectives"), &["rpo_min", "rto_min"]),
        ],
        rules: &[Rule::RequiredIf { field: "key", when: "encrypted", is: &["true"] }],
        ..KindSpec::BASE
    },
];

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "continuity_objective",
        table: Table::Rule,
        title: t("復旧目標の基準", "Objective rule"),
        help: t(
            "影響の大きさから復旧目標を提案する基準です。",
            "How recovery objectives are proposed from the impact.",
        ),
        fields: &[
            text("impact_kind", t("影響の種類", "Kind of impact")).required(),
            count("impact_min", t("この大きさ以上", "Impact from")).required(),
            minutes("rto_min", t("提案するRTO", "RTO proposed")).required(),
            Field::new("rlo", t("提案するRLO", "RLO proposed"), LEVEL).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "restore_job",
        table: Table::Rule,
        title: t("復元ジョブ", "Restore job"),
        help: t(
            "どのバックアップを、どこへ、いつ復元し、何をもって使えると判断するかです。",
            "Which backup is restored where and when, and what shows that it is usable.",
        ),
        fields: &[
            Field::new("backup", t("バックアップ", "Backup"), FieldType::Reference("backup"))
                .required(),
            Field::new(
                "extent",
                t("範囲", "Extent"),
                FieldType::Enum(&[
                    choice("sample", "抜き取り", "Sample"),
                    choice("full", "全体", "Full"),
                ]),
            )
            .required(),
            text("scratch", t("復元先", "Scratch place")).required(),
            text("probe", t("動作確認の命令", "Probe command")),
            text("schedule", t("実行の間隔", "Schedule")).required(),
            Field::new("faults", t("わざと入れる故障", "Faults to inject"), FieldType::List),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "rollcall_trigger",
        table: Table::Rule,
        title: t("安否確認の発動条件", "Roll-call trigger"),
        help: t(
            "どの地域のどの警報・震度で、誰に安否確認を送るかです。",
            "Which warning or intensity in which area starts a roll-call to whom.",
        ),
        fields: &[
            Field::new(
                "telegram",
                t("電文", "Telegram"),
                FieldType::Enum(&[
                    choice("vxse51", "震度速報", "Intensity report"),
                    choice("vxse53", "震源・震度", "Epicentre and intensity"),
                    choice("warning", "警報", "Warning"),
                    choice("manual", "手動", "By hand"),
                ]),
            )
            .required(),
            Field::new("areas", t("地域", "Areas"), FieldType::List).required(),
            text("intensity_min", t("震度の下限", "Intensity from")),
            minutes("hold_off_min", t("再送までの間隔", "Hold-off")),
            text("audience", t("送る相手", "Audience")).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "drill_schedule",
        table: Table::Rule,
        title: t("訓練の予定", "Drill schedule"),
        help: t("どの想定の訓練をいつ行うかです。", "Which scenario is drilled when."),
        fields: &[
            Field::new("scenario", t("想定", "Scenario"), SCENARIO).required(),
            text("recurrence", t("周期", "Recurrence")).required(),
            Field::new("phases", t("通す段階", "Phases"), FieldType::List),
            flag("surprises", t("突発事項を入れる", "With surprises")),
        ],
        ..KindSpec::BASE
    },
];

/// What a continuity plan says of each step.
const PLAN_STEPS: &[Field] = &[
    text("what", t("手順", "What")).required(),
    text("who", t("担当", "Who")),
    Field::new("takes", t("所要時間", "Takes"), FieldType::Duration),
    text("check", t("終わりの確かめ方", "How to see that it is done")),
];

const PLAN_RESOURCES: &[Field] = &[
    Field::new(
        "type",
        t("区分", "Type"),
        FieldType::Enum(&[
            choice("people", "人員", "People"),
            choice("equipment", "機材", "Equipment"),
            choice("budget", "予算", "Budget"),
        ]),
    ),
    text("what", t("内容", "What")).required(),
    Field::new("amount", t("金額", "Amount"), FieldType::Money),
];

/// The first version held steps and resources without columns.
fn plan_has_columns(attributes: &mut Attributes) {
    for (name, columns) in [("steps", PLAN_STEPS), ("resources", PLAN_RESOURCES)] {
        if let Some(value) = attributes.get_mut(name) {
            *value = rows_from(value, columns, "what");
        }
    }
}

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "continuity_plan",
        table: Table::Plan,
        title: t("復旧計画", "Continuity plan"),
        help: t(
            "全断から戻すまでの手順です。印刷して、システムが止まっても読めるようにします。",
            "The steps back from a total outage; printed, so that it can be read when systems are down.",
        ),
        fields: &[
            Field::new("scenario", t("想定", "Scenario"), SCENARIO)
                .required()
                .aliases(&["想定", "シナリオ"]),
            Field::new("steps", t("手順", "Steps"), FieldType::Table(PLAN_STEPS))
                .aliases(&["手順", "復旧手順"]),
            Field::new("processes", t("対象の業務", "Processes"), FieldType::List)
                .aliases(&["対象業務", "業務"]),
            Field::new(
                "resources",
                t("人員・機材・予算", "People, equipment, budget"),
                FieldType::Table(PLAN_RESOURCES),
            )
            .aliases(&["経営資源", "必要資源"]),
            Field::new("document", t("BCP文書", "BCP document"), FieldType::Reference("document")),
            text("activation_criteria", t("発動の基準", "When it is activated"))
                .aliases(&["発動基準"]),
        ],
        version: 2,
        upcasts: &[plan_has_columns],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "continuity_drill",
        table: Table::Plan,
        title: t("復旧訓練の計画", "Drill plan"),
        help: t(
            "復旧計画のどこを、誰が、どの想定で試すかです。",
            "Which part of the plan is tried by whom under which scenario.",
        ),
        fields: &[
            Field::new("scenario", t("想定", "Scenario"), SCENARIO).required(),
            Field::new("date", t("実施日", "Date"), FieldType::Date).aliases(&["実施日", "訓練日"]),
            Field::new("phases", t("通す段階", "Phases"), FieldType::List),
            count("seed", t("突発事項の種", "Seed of surprises")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "continuity_activation",
        table: Table::Decision,
        title: t("発動の決定", "Activation"),
        help: t(
            "復旧計画を発動する、または解除する決定です。",
            "The decision to activate the plan or to stand down.",
        ),
        fields: &[
            Field::new(
                "action",
                t("内容", "Action"),
                FieldType::Enum(&[
                    choice("activate", "発動", "Activate"),
                    choice("stand_down", "解除", "Stand down"),
                ]),
            )
            .required(),
            Field::new("scenario", t("事象", "Scenario"), SCENARIO).required(),
            Field::new("instruction", t("指示", "Instruction"), FieldType::Multiline),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "restore_release",
        table: Table::Decision,
        title: t("復元の解放", "Release of a restore"),
        help: t(
            "隔離して復元した環境を、検査のうえ使い始める決定です。",
            "The decision to put a quarantined restore to use after its scan.",
        ),
        fields: &[
            Field::new("point", t("復元した時点", "Point restored"), FieldType::Time).required(),
            flag("scanned", t("現行の指標で検査済み", "Scanned with current indicators"))
                .required(),
            flag("credentials_rotated", t("認証情報を更新済み", "Credentials rotated")).required(),
            flag("deletions_replayed", t("消去を再適用済み", "Deletions replayed")).required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "ict_readiness.treatment_reviewed",
        writer: Writer::Anyone,
        title: t("有事のICTの扱いの見直し", "Treatment reviewed"),
        fields: &[
            flag("still_valid", t("いまも妥当", "Still valid")).required(),
            text("note", t("備考", "Note")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.bia_answered",
        writer: Writer::Anyone,
        title: t("事業影響度分析の回答", "Impact analysis answered"),
        fields: &[
            count("impacts", t("答えた影響の数", "Impacts answered")).required(),
            minutes("rto_proposed_min", t("提案されたRTO", "RTO proposed")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.objectives_checked",
        writer: Writer::Ume,
        title: t("復旧目標の矛盾の点検", "Objectives checked"),
        fields: &[
            count("contradictions", t("矛盾の数", "Contradictions")).required(),
            Field::new("paths", t("矛盾の経路", "Paths"), FieldType::List),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.plan_resolved",
        writer: Writer::Ume,
        title: t("復旧計画の点検", "Plan resolved"),
        fields: &[
            count("assets", t("支えるICT資産", "ICT assets under the process")).required(),
            count("assets_reached", t("計画が届く資産", "Assets reached by a plan")).required(),
            count("steps", t("手順", "Steps")).required(),
            count("steps_resolved", t("実行できる手順", "Steps that resolve")).required(),
            flag("current_version", t("現行版である", "Current version")).required(),
            count("distinct_signatures", t("異なる人の署名数", "Signatures by different people"))
                .required(),
            Field::new("unresolved", t("実行できない手順", "Unresolved steps"), FieldType::List),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.backup_point",
        writer: Writer::Anyone,
        title: t("バックアップの取得", "Backup point"),
        fields: &[
            Field::new("taken", t("取得時刻", "Taken at"), FieldType::Time).required(),
            Field::new(
                "manifest_root",
                t("目録のハッシュ", "Root of the manifest"),
                FieldType::Hash,
            ),
            flag("from_source", t("元データから作った目録", "Manifest from the source")).required(),
            count("files", t("ファイル数", "Files")),
            count("bytes", t("バイト数", "Bytes")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.backup_watched",
        writer: Writer::Ume,
        title: t("バックアップの鮮度", "Backup watched"),
        fields: &[
            flag("restorable", t("復元できる", "Restorable")).required(),
            minutes("newest_age_min", t("最新の時点の古さ", "Age of the newest point")).required(),
            minutes("rpo_min", t("目標復旧時点（RPO）", "Recovery point objective")).required(),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.restore_run",
        writer: Writer::Anyone,
        title: t("復元の実行", "Restore run"),
        // Runs with an injected fault are of type fault_run, so a wanted failure never hides a good
        // run nor counts as a bad one.
        fields: &[
            Field::new(
                "extent",
                t("範囲", "Extent"),
                FieldType::Enum(&[
                    choice("sample", "抜き取り", "Sample"),
                    choice("full", "全体", "Full"),
                ]),
            )
            .required(),
            Field::new("started", t("開始", "Started"), FieldType::Time).required(),
            flag("usable", t("使えた", "Usable")).required(),
            Field::new(
                "compared_with",
                t("照合の相手", "Compared with"),
                FieldType::Enum(&[
                    choice("source_manifest", "元データの目録", "Manifest from the source"),
                    choice("self_consistent", "道具自身の記録のみ", "Self-consistent only"),
                ]),
            ),
            count("bytes", t("バイト数", "Bytes")),
            count("files", t("ファイル数", "Files")),
            count("mismatches", t("不一致", "Mismatches")).required(),
            seconds("rta_s", t("実際の復旧時間（RTA）", "Recovery time actual")),
            seconds("rto_s", t("目標復旧時間（RTO）", "Recovery time objective")),
            seconds("rpa_s", t("実際の復旧時点（RPA）", "Recovery point actual")),
            seconds("rpo_s", t("目標復旧時点（RPO）", "Recovery point objective")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.fault_run",
        writer: Writer::Anyone,
        title: t("故障を入れた復元", "Restore with a fault"),
        fields: &[
            Field::new("fault", t("故障", "Fault"), FAULT).required(),
            flag("failed", t("失敗として検知した", "Seen to fail")).required(),
            text("message", t("表示", "Message")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.drill_run",
        writer: Writer::Anyone,
        title: t("訓練の実施", "Drill run"),
        fields: &[
            Field::new("scenario", t("想定", "Scenario"), SCENARIO).required(),
            Field::new(
                "phases_completed",
                t("通した段階の数", "Phases completed"),
                FieldType::Number { unit: "", min: 0, max: 4 },
            )
            .required(),
            flag("by_procedure", t("手順書に従った", "By the procedure")).required(),
            count("participants", t("参加者数", "Participants")),
            count("deviations", t("食い違いの数", "Deviations")),
            count("seed", t("突発事項の種", "Seed of surprises")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.drill_step",
        writer: Writer::Anyone,
        title: t("訓練の手順", "Drill step"),
        fields: &[
            text("step", t("手順", "Step")).required(),
            Field::new("phase", t("段階", "Phase"), PHASE).required(),
            flag("passed", t("できた", "Passed")).required(),
            seconds("duration_s", t("所要時間", "Duration")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.deviation_found",
        writer: Writer::Anyone,
        title: t("食い違い", "Deviation"),
        fields: &[
            text("step", t("手順", "Step")).required(),
            Field::new("phase", t("段階", "Phase"), PHASE),
            text("what", t("内容", "What differed")).required(),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.step_retested",
        writer: Writer::Anyone,
        title: t("手順の再確認", "Step tried again"),
        fields: &[
            text("step", t("手順", "Step")).required(),
            flag("task_closed", t("作業が完了した", "Task closed")).required(),
            flag("later_drill", t("後の訓練である", "In a later drill")).required(),
            flag("passed", t("うまくいった", "Passed")).required(),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.rollcall_run",
        writer: Writer::Anyone,
        title: t("安否確認の実施", "Roll-call run"),
        fields: &[
            flag("drill", t("訓練", "Drill")).required(),
            text("trigger", t("きっかけ", "Trigger")),
            count("called", t("送った人数", "People called")).required(),
            count("answered", t("応答した人数", "People who answered")).required(),
        ],
    },
    RecordSpec {
        // The health reported is personal: it lies in the payload, never among the facts.
        ty: "ict_readiness.rollcall_answer",
        writer: Writer::Anyone,
        title: t("安否確認の応答", "Roll-call answer"),
        fields: &[
            Field::new("channel", t("連絡手段", "Channel"), CHANNEL).required(),
            seconds("delay_s", t("応答までの時間", "Time to answer")).required(),
            flag("late", t("締切後", "Late")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.rollcall_reach",
        writer: Writer::Anyone,
        title: t("要員への連絡の届き方", "Reach of a key person"),
        fields: &[
            count("channels", t("登録した連絡手段", "Channels")).required(),
            count("independent_channels", t("独立した連絡手段", "Independent channels")).required(),
            count("channels_answered", t("応答のあった連絡手段", "Channels answered")).required(),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.simulation_run",
        writer: Writer::Ume,
        title: t("復旧のシミュレーション", "Simulation run"),
        fields: &[
            count("runs", t("試行回数", "Runs")).required(),
            count("seed", t("乱数の種", "Seed")).required(),
            Field::new("inputs_hash", t("入力のハッシュ", "Hash of the inputs"), FieldType::Hash)
                .required(),
            permille("met_permille", t("目標の達成確率", "Probability of meeting the RTO"))
                .required(),
            count("steps_unmeasured", t("実測のない手順", "Steps not measured")).required(),
            minutes("half_min", t("50%の復旧時間", "Median recovery time")),
            minutes("nine_tenths_min", t("90%の復旧時間", "90 % recovery time")),
        ],
    },
    RecordSpec {
        ty: "ict_readiness.activation",
        writer: Writer::Anyone,
        title: t("発動", "Activation"),
        fields: &[
            Field::new("scenario", t("事象", "Scenario"), SCENARIO).required(),
            Field::new("phase", t("段階", "Phase"), PHASE).required(),
            flag("drill", t("訓練", "Drill")).required(),
        ],
    },
];
