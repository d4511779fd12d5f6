//! What the room keeps in the register: places, openings, sensors, the rules over them, and the
//! facts of its records. Kinds of other rooms are used by their id only.

use model::{Choice, Field, FieldType, Group, KindSpec, RecordSpec, Rule, Table, Writer, t};

use FieldType::{Boolean, Date, Enum, File, Hash, List, Multiline, Object, Party, Reference, Time};

const TEXT: FieldType = FieldType::Text;

const fn f(name: &'static str, ja: &'static str, en: &'static str, ty: FieldType) -> Field {
    Field::new(name, t(ja, en), ty)
}

const fn c(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

/// A whole number from zero up.
const fn n(unit: &'static str) -> FieldType {
    FieldType::Number { unit, min: 0, max: 1_000_000_000_000 }
}

const PERMILLE: FieldType = FieldType::Number { unit: "‰", min: 0, max: 1_000 };
const GRADE: FieldType = FieldType::Number { unit: "", min: 1, max: 4 };

const PORTAL_CLASSES: &[Choice] =
    &[c("regular", "正規", "Regular"), c("non_regular", "非正規", "Non-regular")];

/// The boundary types every zone has to answer for; `criteria` lists the same values as parts.
const BOUNDARIES: &[Choice] = &[
    c("door", "扉", "Door"),
    c("shutter", "シャッター", "Shutter"),
    c("dock", "搬入口", "Loading dock"),
    c("window", "窓", "Window"),
    c("skylight", "天窓", "Skylight"),
    c("emergency_exit", "非常口", "Emergency exit"),
    c("roof_hatch", "屋上ハッチ", "Roof hatch"),
    c("ceiling_void", "天井裏", "Ceiling void"),
    c("raised_floor_void", "床下", "Raised-floor void"),
    c("duct", "ダクト・配管口", "Duct"),
    c("shared_wall", "隣室との共有壁", "Shared wall"),
];

const SENSOR_TYPES: &[Choice] = &[
    c("contact", "開閉センサー", "Door contact"),
    c("reader", "カードリーダー", "Card reader"),
    c("rex", "退出要求ボタン", "Request to exit"),
    c("motion", "人感センサー", "Motion"),
    c("glass", "ガラス破壊センサー", "Glass break"),
    c("camera", "カメラ", "Camera"),
    c("scale", "重量センサー", "Scale"),
    c("counter", "人数カウンター", "People counter"),
    c("tamper", "こじ開け検知", "Tamper"),
    c("power", "電源監視", "Power"),
];

const BADGE_STATES: &[Choice] = &[
    c("active", "有効", "Active"),
    c("spare", "予備", "Spare"),
    c("lost", "紛失", "Lost"),
    c("revoked", "失効", "Revoked"),
];

const APB: &[Choice] =
    &[c("none", "なし", "None"), c("soft", "記録のみ", "Soft"), c("hard", "入室拒否", "Hard")];

const ENTRY_SOURCES: &[Choice] = &[
    c("electronic", "電子錠・リーダー", "Electronic"),
    c("paper_book", "紙の入退室簿", "Paper book"),
    c("visitors", "来訪者受付簿", "Visitor book"),
];

const ANSWERS: &[Choice] = &[
    c("portals", "出入口あり（台帳に登録）", "Has portals, registered"),
    c("none", "存在しない", "Does not exist"),
    c("sealed", "人が通れないよう塞いである", "Sealed against passage"),
];

const CAUSES: &[Choice] = &[
    c("theft", "窃盗・盗難", "Theft"),
    c("destruction", "破壊", "Destruction"),
    c("interference", "干渉・妨害", "Interference"),
    c("unauthorised_entry", "不正な立入り", "Unauthorised entry"),
    c("procedure", "手順の誤り", "Procedure not followed"),
    c("fault", "機器の故障", "Fault"),
    c("nuisance", "誤報", "Nuisance"),
];

const CORRELATIONS: &[Choice] = &[
    c("login_without_presence", "不在のままコンソールにログイン", "Console login without presence"),
    c("vpn_while_inside", "在室中に外部からVPN接続", "VPN from outside while inside"),
    c("session_after_exit", "退室後も端末セッションが継続", "Live session after badge-out"),
    c("entry_without_change", "承認済み変更なしのサーバー室入室", "Server room without change"),
    c("first_access_grade_4", "区画等級4への初めての入室", "First access to grade 4"),
    c("moved_without_permit", "持出申請のない機器の移動", "Equipment moved without permit"),
];

/// Asset kinds the room owns.
pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "site",
        table: Table::Asset,
        title: t("拠点", "Site"),
        help: t(
            "事業所、データセンターなど、守る区画を含む場所。",
            "Office, data centre: a place with zones to protect.",
        ),
        known_as: &["拠点一覧", "事業所一覧", "拠点台帳"],
        fields: &[
            f("address", "所在地", "Address", TEXT).required().aliases(&["所在地", "住所"]),
            f("building", "建物・階", "Building and floor", TEXT).aliases(&["建物", "階"]),
            f("plan", "平面図", "Floor plan", File).aliases(&["平面図"]),
            f("plan_confidential", "平面図は秘密扱い", "Plan is confidential", Boolean)
                .aliases(&["図面の秘密扱い"]),
            f("alarm_target_s", "警報の確認目標", "Target to acknowledge an alarm", n("s"))
                .aliases(&["警報確認目標"]),
            f("guarding", "警備体制", "Guarding", Multiline).aliases(&["警備体制", "警備会社"]),
            f("opening_hours", "営業時間", "Opening hours", TEXT)
                .aliases(&["営業時間", "開錠時間"]),
            f("power_backup_min", "停電時の持続時間", "Backup power", n("min"))
                .aliases(&["無停電時間"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "zone",
        table: Table::Asset,
        title: t("区画", "Zone"),
        help: t(
            "同じ守り方をする一続きの空間。等級は1（公開）から4（最重要）。",
            "A space protected in one way; grades run from 1 (public) to 4 (most critical).",
        ),
        known_as: &["区画一覧", "エリア一覧"],
        fields: &[
            f("grade", "区画等級", "Grade", GRADE).required().aliases(&[
                "区画等級",
                "等級",
                "セキュリティレベル",
            ]),
            f("site", "拠点", "Site", Reference("site")).required().aliases(&["拠点", "事業所"]),
            f("purpose", "用途", "Purpose", TEXT).aliases(&["用途"]),
            f("capacity", "定員", "Capacity", n("")).aliases(&["定員"]),
            f("persons_min", "最少人数", "Minimum persons", n("")).aliases(&["最少在室人数"]),
            f("declared_closed", "閉鎖中（入室なし）", "Declared closed", Boolean)
                .aliases(&["閉鎖"]),
            f("escort_required", "来訪者に付添が必要", "Visitors need an escort", Boolean)
                .aliases(&["付添要否"]),
            f(
                "public_distance_m",
                "部外者が近づける距離",
                "Distance to uncontrolled space",
                n("m"),
            )
            .aliases(&["外部との距離"]),
        ],
        rules: &[Rule::AtMost { lower: "persons_min", upper: "capacity" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "portal",
        table: Table::Asset,
        title: t("出入口", "Portal"),
        help: t(
            "区画の境界で人や物が通れる場所。非常口や天井裏など非正規のものも含む。",
            "Any place in a boundary where people or things can pass, non-regular ones included.",
        ),
        known_as: &["出入口一覧", "扉一覧"],
        fields: &[
            f("class", "正規・非正規", "Class", Enum(PORTAL_CLASSES))
                .required()
                .aliases(&["区分", "正規・非正規"]),
            f("boundary", "種類", "Type", Enum(BOUNDARIES))
                .required()
                .aliases(&["種類", "出入口種別"]),
            f("grade", "守る側の区画等級", "Grade of the protected side", GRADE)
                .required()
                .aliases(&["区画等級", "等級"]),
            f("inside", "内側の区画", "Zone inside", Reference("zone"))
                .required()
                .aliases(&["内側", "区画"]),
            f("outside", "外側の区画", "Zone outside", Reference("zone")).aliases(&["外側"]),
            f("lock", "錠の種類", "Lock", TEXT).aliases(&["錠", "施錠方式"]),
            f("controller", "制御盤", "Controller", Reference("controller")).aliases(&["制御盤"]),
            f("fire_release", "火災時に開錠", "Released on fire", Boolean).aliases(&["火災時開錠"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "sensor",
        table: Table::Asset,
        title: t("監視機器", "Sensor"),
        help: t(
            "開閉、人感、カメラ、重量などの監視機器。",
            "Contact, motion, camera, scale and other watching devices.",
        ),
        fields: &[
            f("type", "種類", "Type", Enum(SENSOR_TYPES)).required().aliases(&["種類", "機器種別"]),
            f("portal", "見張る出入口", "Portal watched", Reference("portal")).aliases(&["出入口"]),
            f("zone", "設置区画", "Zone", Reference("zone")).aliases(&["設置場所", "区画"]),
            f("heartbeat_s", "生存信号の間隔", "Heartbeat", n("s")).aliases(&["ハートビート間隔"]),
            f("adapter", "取込み方式", "Adapter", TEXT).aliases(&["接続方式", "取込み"]),
            f("model", "型番", "Model", TEXT).aliases(&["型番", "機種"]),
            f("serial", "製造番号", "Serial number", TEXT).aliases(&["製造番号", "シリアル"]),
            f("installed_on", "設置日", "Installed on", Date).aliases(&["設置日"]),
            f("retention_days", "映像の保存日数", "Footage kept", n("d"))
                .aliases(&["保存日数", "録画保存期間"]),
        ],
        groups: &[
            Group::new(t("設置", "Place"), &["type", "portal", "zone", "installed_on"]),
            Group::new(
                t("機器", "Device"),
                &["adapter", "model", "serial", "heartbeat_s", "retention_days"],
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "controller",
        table: Table::Asset,
        title: t("入退室制御盤", "Access controller"),
        help: t(
            "リーダーや錠をつなぐ制御盤、録画装置。",
            "Panel that readers and locks hang on, or a recorder.",
        ),
        fields: &[
            f("vendor", "メーカー", "Vendor", TEXT).required().aliases(&["メーカー"]),
            f("model", "型番", "Model", TEXT).aliases(&["型番", "機種"]),
            f("firmware", "ファームウェア版", "Firmware", TEXT).aliases(&["ファームウェア"]),
            f("protocol", "通信方式", "Protocol", TEXT).aliases(&["通信方式", "プロトコル"]),
            f("address", "接続先", "Address", TEXT).aliases(&["IPアドレス", "接続先"]),
            f("default_key", "出荷時の鍵のまま", "Still on its default key", Boolean)
                .aliases(&["初期鍵"]),
            f("zone", "設置区画", "Zone", Reference("zone")).aliases(&["設置場所"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "badge",
        table: Table::Asset,
        title: t("入館証・カード", "Badge"),
        help: t(
            "入退室に使うカードや証。番号と持ち主は有効期間つきで結び付ける。",
            "Card used for entry; number and holder are joined with a validity interval.",
        ),
        known_as: &["入館証台帳", "カード台帳", "入館証一覧"],
        fields: &[
            f("number", "カード番号", "Card number", TEXT)
                .required()
                .personal()
                .aliases(&["カード番号", "ID番号"]),
            f("holder", "使用者", "Holder", Party).personal().aliases(&["使用者", "氏名"]),
            f("state", "状態", "State", Enum(BADGE_STATES)).required().aliases(&["状態"]),
            f("valid_from", "有効開始", "Valid from", Date).aliases(&["有効開始日", "貸与日"]),
            f("valid_to", "有効終了", "Valid to", Date).aliases(&["有効終了日", "返却日"]),
            f("visitor", "来訪者用", "For visitors", Boolean).aliases(&["来訪者用"]),
        ],
        rules: &[
            Rule::NotBefore { start: "valid_from", end: "valid_to" },
            Rule::RequiredIf { field: "valid_to", when: "visitor", is: &["true"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "physical_key",
        table: Table::Asset,
        title: t("物理鍵", "Physical key"),
        help: t("金属鍵、マスターキー、非常用鍵。", "Metal key, master key or emergency key."),
        known_as: &["鍵台帳", "鍵一覧", "鍵管理"],
        fields: &[
            f("number", "鍵番号", "Key number", TEXT).required().aliases(&["鍵番号"]),
            f("portals", "開く出入口", "Portals opened", List).aliases(&["対象扉"]),
            f("copies", "本数", "Copies", n("")).aliases(&["本数", "合鍵数"]),
            f("kept_at", "保管場所", "Kept at", TEXT).aliases(&["保管場所"]),
            f("master", "マスターキー", "Master key", Boolean).aliases(&["マスターキー"]),
            f("holder", "貸出先", "Holder", Party).personal().aliases(&["貸出先"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "shielded_room",
        table: Table::Asset,
        title: t("シールドルーム", "Shielded room"),
        help: t(
            "漏洩電磁波を抑える部屋。金網、扉、フィルター、接地を持つ。",
            "Room that keeps emanations in: mesh, door, filters and earth.",
        ),
        fields: &[
            f("zone", "区画", "Zone", Reference("zone")).required().aliases(&["区画"]),
            f("mesh_material", "金網の材質", "Mesh material", TEXT).aliases(&["材質"]),
            f("aperture_um", "網目の大きさ", "Mesh aperture", n("µm")).aliases(&["網目"]),
            f("attenuation_target_db", "減衰量の目標", "Attenuation target", n("dB"))
                .aliases(&["減衰目標"]),
            f("earth_target_mohm", "接地抵抗の目標", "Earth resistance target", n("mΩ"))
                .aliases(&["接地抵抗目標"]),
            f("displays", "室内の表示装置数", "Displays inside", n("")).aliases(&["表示装置数"]),
            f("filters", "電源・信号フィルター", "Filters", TEXT).aliases(&["フィルター"]),
        ],
        ..KindSpec::BASE
    },
];

/// Rule kinds the room owns.
pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "zone_rule",
        table: Table::Rule,
        title: t("区画等級の規則", "Zone rule"),
        help: t(
            "等級ごとに必要な守り方と見張り方。",
            "Protecting and watching measures that a grade requires.",
        ),
        fields: &[
            f("grade", "区画等級", "Grade", GRADE).required().aliases(&["等級"]),
            f("protect", "守る措置", "Protecting measures", List).required().aliases(&["防護措置"]),
            f("watch", "見張る措置", "Watching measures", List).required().aliases(&["監視措置"]),
            f("asset_grade_max", "置ける情報資産の等級", "Highest asset grade allowed", GRADE)
                .aliases(&["情報資産の等級"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "door_rule",
        table: Table::Rule,
        title: t("扉の規則", "Door rule"),
        help: t("開放時間、退出要求、時間外の扱い。", "Held-open time, request to exit, hours."),
        fields: &[
            f("held_s", "開放とみなす秒数", "Held open after", n("s"))
                .required()
                .aliases(&["開放秒数"]),
            f("rex_window_s", "退出要求の有効時間", "Request-to-exit window", n("s"))
                .aliases(&["退出要求秒数"]),
            f("hours", "利用時間", "Hours", TEXT).aliases(&["利用時間"]),
            f("liveness_s", "無通信とみなす秒数", "Silent after", n("s")).aliases(&["無通信秒数"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "area_rule",
        table: Table::Rule,
        title: t("在室の規則", "Area rule"),
        help: t(
            "アンチパスバック、最少・最多人数。",
            "Anti-passback, minimum and maximum persons.",
        ),
        fields: &[
            f("anti_passback", "アンチパスバック", "Anti-passback", Enum(APB))
                .required()
                .aliases(&["アンチパスバック"]),
            f("expiry_min", "状態の有効時間", "Expiry", n("min")).aliases(&["有効時間"]),
            f("reset_at", "一斉解除の時刻", "Reset at", TEXT).aliases(&["解除時刻"]),
            f("persons_min", "最少人数", "Minimum persons", n("")).aliases(&["最少人数"]),
            f("persons_max", "最多人数", "Maximum persons", n("")).aliases(&["最多人数"]),
        ],
        rules: &[Rule::AtMost { lower: "persons_min", upper: "persons_max" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "weight_rule",
        table: Table::Rule,
        title: t("重量の規則", "Weight rule"),
        help: t(
            "入退室時の重量差をどこから警報にするか。",
            "From which weight difference on an alarm is raised.",
        ),
        fields: &[
            f("tolerance_g", "許容差", "Tolerance", n("g")).required().aliases(&["許容差"]),
            f("sigma_permille", "標準偏差の倍率", "Multiple of sigma", n("‰")).aliases(&["係数"]),
            f("false_alarm_permille", "誤報率の目標", "False alarms allowed", PERMILLE)
                .aliases(&["誤報率"]),
            f("known_mass_g", "試験用おもり", "Test mass", n("g")).aliases(&["試験重量"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "camera_rule",
        table: Table::Rule,
        title: t("カメラの規則", "Camera rule"),
        help: t("録画する時間帯と健全性の見方。", "When to record and how health is judged."),
        fields: &[
            f("recording", "録画時間帯", "Recording hours", TEXT).required().aliases(&["録画時間"]),
            f("covered_s", "遮蔽とみなす秒数", "Covered after", n("s")).aliases(&["遮蔽秒数"]),
            f("frozen_s", "静止とみなす秒数", "Frozen after", n("s")).aliases(&["静止秒数"]),
            f("clock_offset_ms_max", "時計のずれの上限", "Clock offset at most", n("ms"))
                .aliases(&["時刻ずれ"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "round",
        table: Table::Rule,
        title: t("巡回", "Round"),
        help: t("巡回の道順、確認地点、時間帯。", "Route, checkpoints and window of a round."),
        fields: &[
            f("checkpoints", "確認地点", "Checkpoints", List)
                .required()
                .aliases(&["確認地点", "巡回地点"]),
            f("schedule", "巡回時刻", "Schedule", TEXT).required().aliases(&["巡回時刻"]),
            f("window_min", "許容幅", "Window", n("min")).aliases(&["許容時間"]),
            f("lock_check", "施錠確認を含む", "Includes lock check", Boolean)
                .aliases(&["施錠確認"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "presence_correlation",
        table: Table::Rule,
        title: t("物理・論理の突合規則", "Presence correlation"),
        help: t(
            "入退室とログインなどを人で結び付けて矛盾を見つける。",
            "Joins entries and sign-ins on the person to find what cannot be.",
        ),
        fields: &[
            f("pattern", "型", "Pattern", Enum(CORRELATIONS)).required().aliases(&["型"]),
            f("window_min", "見る時間幅", "Window", n("min")).required().aliases(&["時間幅"]),
            f("zones", "対象区画", "Zones", List).aliases(&["対象区画"]),
            f("severity", "重大度", "Severity", n("")).aliases(&["重大度"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "footage_retention",
        table: Table::Rule,
        title: t("映像の保存規則", "Footage retention"),
        help: t("映像を何日保存し、いつ消すか。", "How long footage is owed and when it goes."),
        fields: &[
            f("keep_days", "保存日数", "Days kept", n("d")).required().aliases(&["保存日数"]),
            f("delete_days", "消去までの日数", "Days until deletion", n("d"))
                .aliases(&["消去日数"]),
            f("hours", "対象時間帯", "Hours owed", TEXT).aliases(&["対象時間"]),
            f("sensors", "対象カメラ", "Cameras", List).aliases(&["対象カメラ"]),
        ],
        ..KindSpec::BASE
    },
];

/// Norm, plan and decision kinds the room adds.
pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "physical_common_rule",
        table: Table::Norm,
        title: t("物理的監視の共通ルール", "Common rule of physical monitoring"),
        help: t(
            "情報資産のレベルに応じて、区画等級1〜4の守り方を定める文書。",
            "The document that sets measures for grades 1 to 4 by asset level.",
        ),
        fields: &[
            f("measures", "等級別の措置", "Measures per grade", Object).required(),
            f("document", "文書", "Document", File).aliases(&["文書"]),
            f("valid_from", "施行日", "Valid from", Date).required().aliases(&["施行日"]),
            f("review_due", "次回見直し", "Review due", Date).aliases(&["次回見直し日"]),
        ],
        rules: &[Rule::NotBefore { start: "valid_from", end: "review_due" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "intrusion_exercise",
        table: Table::Plan,
        title: t("侵入訓練計画", "Intrusion exercise"),
        help: t(
            "抜き打ちの侵入訓練の筋書きと目標。",
            "Scenario and target of an unannounced exercise.",
        ),
        fields: &[
            f("scenario", "筋書き", "Scenario", Multiline).required().aliases(&["シナリオ"]),
            f("target_s", "検知目標", "Detection target", n("s")).required().aliases(&["検知目標"]),
            f("site", "拠点", "Site", Reference("site")).required().aliases(&["拠点"]),
            f("held_from", "実施期間の始め", "Held from", Date).aliases(&["実施開始"]),
            f("held_to", "実施期間の終わり", "Held to", Date).aliases(&["実施終了"]),
        ],
        rules: &[Rule::NotBefore { start: "held_from", end: "held_to" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "carry_permit",
        table: Table::Decision,
        title: t("持出・持込の許可", "Carry permit"),
        help: t(
            "物品の持出・持込申請と承認。重さは重量の照合に使う。",
            "Permit to carry an item in or out; its mass serves the scale.",
        ),
        fields: &[
            f("item", "物品", "Item", TEXT).required().aliases(&["物品名"]),
            f("mass_g", "重さ", "Mass", n("g")).aliases(&["重量"]),
            f("portal", "出入口", "Portal", Reference("portal")).aliases(&["出入口"]),
            f("valid_to", "期限", "Valid to", Time).required().aliases(&["返却期限"]),
        ],
        ..KindSpec::BASE
    },
];

/// Record types of the room; facts are never personal, names of people stay in the payload.
pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "physical_monitoring.zone_assessed",
        writer: Writer::Ume,
        title: t("区画と共通ルールの照合", "Zone held against the common rule"),
        fields: &[
            f("grade", "区画等級", "Grade", GRADE).required(),
            f(
                "asset_grade_max",
                "置かれた情報資産の最高等級",
                "Highest grade of assets inside",
                n(""),
            )
            .required(),
            f("rule_approved", "共通ルールは承認済み", "Common rule approved", Boolean).required(),
            f("grades_mapped", "措置を定めた等級の数", "Grades with measures", n("")).required(),
            f("protecting", "守る措置の数", "Protecting measures required", n("")).required(),
            f("watching", "見張る措置の数", "Watching measures required", n("")).required(),
            f("measures_missing", "満たしていない措置", "Measures missing", List),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.boundary_answered",
        writer: Writer::Anyone,
        title: t("境界の確認", "Boundary answered"),
        fields: &[
            f("boundary", "境界の種類", "Boundary", Enum(BOUNDARIES)).required(),
            f("answer", "結果", "Answer", Enum(ANSWERS)).required(),
            f("portals", "登録した出入口の数", "Portals registered", n("")),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.access_day",
        writer: Writer::Anyone,
        title: t("一日の入退室", "Access of a day"),
        fields: &[
            f("source", "記録元", "Source", Enum(ENTRY_SOURCES)).required(),
            f("entries", "入室数", "Entries", n("")).required(),
            f("exits", "退室数", "Exits", n("")),
            f("portals", "出入口ごとの要約値", "Digest per portal", Object),
            f("root", "一日分の要約値", "Digest of the day", Hash).required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.round_run",
        writer: Writer::Anyone,
        title: t("巡回の実施", "Round done"),
        fields: &[
            f("scheduled", "予定地点数", "Checkpoints scheduled", n("")).required(),
            f("in_window", "時間内に確認した地点数", "Checkpoints scanned in window", n(""))
                .required(),
            f("unlocked", "無施錠の箇所数", "Found unlocked", n("")),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.review",
        writer: Writer::Anyone,
        title: t("定期レビュー", "Review"),
        fields: &[
            f("entries_reviewed", "入退室を確認", "Entries reviewed", Boolean).required(),
            f("alarms_reviewed", "警報を確認", "Alarms reviewed", Boolean).required(),
            f(
                "open_visitors_reviewed",
                "未退館の来訪者を確認",
                "Visitors not checked out reviewed",
                Boolean,
            )
            .required(),
            f("open_visitors", "未退館の来訪者数", "Visitors not checked out", n("")),
            f("signatures", "署名数", "Signatures", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.deviation_review",
        writer: Writer::Ume,
        title: t("逸脱とリスクの照合", "Deviations held against risks"),
        fields: &[
            f("deviations", "共通ルールからの逸脱数", "Deviations from the rule", n("")).required(),
            f("with_risk", "リスクを登録した逸脱数", "Deviations with a risk", n("")).required(),
            f("with_treatment", "対応を決めた逸脱数", "Deviations with a treatment", n(""))
                .required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.portal_watched",
        writer: Writer::Anyone,
        title: t("出入口の監視状態", "Portal watched"),
        fields: &[
            f("live", "取込みが生きている", "Adapter live", Boolean).required(),
            f("silent_s", "無通信の秒数", "Silent for", n("s")),
            f("reads", "カード読取り数", "Badge reads", n("")),
            f("joined_permille", "人と結び付いた割合", "Reads joined to a person", PERMILLE),
            f(
                "sensors_live",
                "生きている検知機器の数",
                "Live contact, motion, glass or camera",
                n(""),
            )
            .required(),
            f("covered", "境界を見張れている", "Coverage proved", Boolean).required(),
            f("proof", "見張り範囲の計算の要約値", "Digest of the coverage proof", Hash),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.footage_minute_map",
        writer: Writer::Anyone,
        title: t("映像の保有分数", "Footage minutes held"),
        fields: &[
            f("owed_min", "保存すべき分数（30日）", "Minutes owed in 30 days", n("min")).required(),
            f("held_min", "保存している分数", "Minutes held", n("min")).required(),
            f("held_permille", "保有率", "Share held", PERMILLE).required(),
            f("gaps", "欠けの原因別件数", "Gaps by cause", Object),
            f("root", "分単位の地図の要約値", "Digest of the minute map", Hash),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.retrieval_test",
        writer: Writer::Anyone,
        title: t("映像の取り出し試験", "Retrieval test"),
        fields: &[
            f("decoded", "再生できた", "Decoded", Boolean).required(),
            f("minute", "取り出した時刻", "Minute drawn", Time).required(),
            f("camera", "カメラ", "Camera", Reference("sensor")),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.alarm",
        writer: Writer::Anyone,
        title: t("警報", "Alarm"),
        fields: &[
            f("raised_at", "発生", "Raised", Time).required(),
            f("acknowledged_s", "確認までの秒数", "Acknowledged after", n("s")),
            f("closed_s", "終結までの秒数", "Closed after", n("s")),
            f("cause", "原因", "Cause", Enum(CAUSES)),
            f("rule", "検知した規則", "Rule", TEXT).required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.alarm_response",
        writer: Writer::Anyone,
        title: t("警報対応の集計（30日）", "Alarm response of 30 days"),
        fields: &[
            f("alarms", "警報数", "Alarms", n("")).required(),
            f("acknowledged_p95_s", "確認までの秒数（95％点）", "Time to acknowledge, p95", n("s"))
                .required(),
            f("target_s", "目標", "Target", n("s")).required(),
            f("closed_without_cause", "原因なしの終結", "Closed without cause", n("")).required(),
            f("overdue", "期限を過ぎた未終結", "Open and overdue", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.walk_test",
        writer: Writer::Anyone,
        title: t("機器の点検", "Walk-test"),
        fields: &[
            f("stimulus", "与えた刺激", "Stimulus", TEXT).required(),
            f("seen_by_machine", "機械が検知した", "Seen by the machine", Boolean).required(),
            f("seen_at", "検知時刻", "Seen at", Time),
            f("latency_ms", "検知までの時間", "Latency", n("ms")),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.protection_check",
        writer: Writer::Anyone,
        title: t("監視設備の保護の確認", "Protection of the monitoring checked"),
        fields: &[
            f(
                "footage_access_logged",
                "映像閲覧を記録している",
                "Footage access is logged",
                Boolean,
            )
            .required(),
            f("plans_confidential", "図面を秘密扱いにしている", "Plans are confidential", Boolean)
                .required(),
            f("clock_offset_ms_max", "時計のずれの最大", "Largest clock offset", n("ms"))
                .required(),
            f("default_keys", "出荷時の鍵のままの機器", "Devices on default keys", n(""))
                .required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.footage_access",
        writer: Writer::Anyone,
        title: t("映像の閲覧", "Footage accessed"),
        fields: &[
            f("purpose", "目的", "Purpose", TEXT).required(),
            f("from", "映像の始め", "Footage from", Time).required(),
            f("to", "映像の終わり", "Footage to", Time).required(),
            f("exported", "持ち出した", "Exported", Boolean),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.area_day",
        writer: Writer::Anyone,
        title: t("一日の在室照合", "Occupancy of a day"),
        fields: &[
            f("tailgating_active", "共連れ検知が有効", "Tailgating detection active", Boolean)
                .required(),
            f("anti_passback", "アンチパスバック", "Anti-passback", Enum(APB)).required(),
            f("reconciled", "在室数を照合した", "Occupancy reconciled", Boolean).required(),
            f("tailgates", "共連れ件数", "Tailgates", n("")),
            f("difference_max", "在室数の最大差", "Largest difference of occupancy", n("")),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.correlation_test",
        writer: Writer::Ume,
        title: t("突合規則の試験", "Correlation rule tested"),
        fields: &[
            f("pattern", "型", "Pattern", Enum(CORRELATIONS)).required(),
            f("injected", "注入した試験事象", "Test events injected", n("")).required(),
            f("detected", "検知した数", "Test events detected", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.weighing",
        writer: Writer::Anyone,
        title: t("計量", "Weighing"),
        fields: &[
            f("difference_g", "重量差の絶対値", "Weight difference, absolute", n("g")).required(),
            f("sigma_g", "標準偏差", "Sigma", n("g")),
            f("declared_g", "申告した重さ", "Declared", n("g")),
            f("alarmed", "警報を出した", "Alarmed", Boolean).required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.weighing_check",
        writer: Writer::Anyone,
        title: t("重量監視の確認（30日）", "Weighing of 30 days checked"),
        fields: &[
            f("calibration_valid", "校正が有効", "Calibration valid", Boolean).required(),
            f("visits", "入室回数", "Visits", n("")).required(),
            f("weighed_permille", "計量した割合", "Share weighed", PERMILLE).required(),
            f("known_mass_g", "試験用おもり", "Known mass", n("g")).required(),
            f("known_mass_alarmed", "おもりで警報が出た", "Known mass raised an alarm", Boolean)
                .required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.calibration",
        writer: Writer::Anyone,
        title: t("校正", "Calibration"),
        fields: &[
            f("certificate", "校正証明書", "Certificate", File).required(),
            f("valid_to", "有効期限", "Valid to", Date).required(),
            f("error_g", "誤差", "Error", n("g")),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.shield_inspection",
        writer: Writer::Anyone,
        title: t("シールドの検査", "Shield inspection"),
        fields: &[
            f("instrument_file", "測定器の出力", "Instrument file", File).required(),
            f("points", "測定点数", "Points measured", n("")).required(),
            f("points_below_target", "目標に満たない点数", "Points below target", n("")).required(),
            f("attenuation_min_db", "最小の減衰量", "Lowest attenuation", n("dB")),
            f("earth_mohm", "接地抵抗", "Earth resistance", n("mΩ")).required(),
            f("earth_target_mohm", "接地抵抗の目標", "Earth resistance target", n("mΩ")).required(),
            f("gasket_ok", "扉のガスケットは良好", "Gasket sound", Boolean),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.emanation_survey",
        writer: Writer::Anyone,
        title: t("漏洩電磁波の測定", "Emanation survey"),
        fields: &[
            f("survey", "測定ファイル", "Survey file", File).required(),
            f("new_carriers", "新たな電波の数", "New carriers", n("")).required(),
            f("from_khz", "下限周波数", "From", n("kHz")),
            f("to_khz", "上限周波数", "To", n("kHz")),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.exercise",
        writer: Writer::Anyone,
        title: t("侵入訓練", "Intrusion exercise held"),
        fields: &[
            f("unannounced", "抜き打ち", "Unannounced", Boolean).required(),
            f("detected_by_machine", "機械が検知した", "Detected by machine", Boolean).required(),
            f("detection_s", "検知までの秒数", "Detected after", n("s")).required(),
            f("target_s", "目標", "Target", n("s")).required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.continuity",
        writer: Writer::Anyone,
        title: t("監視の継続性（30日）", "Continuity of 30 days"),
        fields: &[
            f("live_permille", "機器が生きていた割合", "Live sensor-minutes", PERMILLE).required(),
            f("power_drill_days", "停電訓練からの日数", "Days since the power drill", n("d"))
                .required(),
            f("network_drill_days", "回線断訓練からの日数", "Days since the network drill", n("d"))
                .required(),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.visitor",
        writer: Writer::Anyone,
        title: t("来訪", "Visit"),
        fields: &[
            f("in_at", "入館", "In", Time).required(),
            f("out_at", "退館", "Out", Time),
            f("escorted", "付添あり", "Escorted", Boolean),
        ],
    },
    RecordSpec {
        ty: "physical_monitoring.key_issue",
        writer: Writer::Anyone,
        title: t("鍵の貸出し", "Key issued"),
        fields: &[
            f("issued_at", "貸出し", "Issued", Time).required(),
            f("returned_at", "返却", "Returned", Time),
            f("purpose", "目的", "Purpose", TEXT),
        ],
    },
];
